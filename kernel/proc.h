/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc.h - the two halves of /proc: the machine, and each process
 *
 * Room:   kernel.
 * Owns:   nothing; see proc.c and proc_pid.c.
 * Locks:  as those.
 * Always: -
 * Source: proc(5).
 * Tour:   with kernel/proc.c.
 */
#pragma once

struct dentry;

/* Make @proc a directory of processes, with "self" in it. Boot. */
void proc_pid_boot_init(struct dentry *proc);
