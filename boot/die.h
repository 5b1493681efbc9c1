/* SPDX-License-Identifier: MIT */
/*
 * boot/die.h - the last words of a door that cannot open
 *
 * Room:   boot. Needs nothing of the kernel: its log and panic are not up yet.
 * Owns:   COM1 and the text screen, for the one line before the machine stops.
 * Locks:  none.
 * Always: (1) the machine never hangs silently: one line, a failing exit code, then a halt.
 * Source: QEMU isa-debug-exit: exit status = (value << 1) | 1.
 * Tour:   with boot/doors.c.
 */
#pragma once

/* Prints "bulla: @reason", exits through isa-debug-exit with status 35, else halts. */
_Noreturn void boot_die(const char *reason);
