/* SPDX-License-Identifier: MIT */
/*
 * kernel/tty.h - terminals on the serial lines
 *
 * Room:   kernel.
 * Owns:   nothing; see tty.c.
 * Locks:  as tty.c.
 * Always: -
 * Source: termios(3), ioctl_tty(2).
 * Tour:   with kernel/tty.c.
 */
#pragma once

struct file_ops;

/* Which terminal a file is on, its node's number tells. */
extern const struct file_ops tty_ops;

/* Boot; /dev/console is the log's port, or with console=ttyS1 the job's. */
void tty_boot_init(const char *cmdline);

/* The device number of the terminal that a session has, and the group in its foreground; 0, -1. */
int tty_of_session(int sid, int *pgrp);

/* Bytes have arrived on some port. IRQs off. */
void tty_interrupt(void);
