/* SPDX-License-Identifier: MIT */
/*
 * kernel/quiet.h - the whole machine stands still, so that its structures can be looked at
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none may be held by who asks.
 * Always: (1) between quiet_begin() and quiet_end() every other task is at the border to ring 3 or
 *             asleep, and every other CPU waits with IRQs off.
 * Source: trust.md section 2: which structures are checked, and when.
 * Tour:   with kernel/quiet.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * quiet_begin() - wait until everybody else stands
 * Context: task, IRQs on, no locks held.
 * Return: true with IRQs off; false: somebody else has asked already, or the machine does not come
 *         to rest within some seconds (a task that never leaves the kernel), which is logged.
 */
bool __must_check quiet_begin(void);

/* Go on. IRQs are on again. */
void quiet_end(void);

/* Does somebody wait for the others to stand? Asked at the border to ring 3. */
bool quiet_is_wanted(void);

/* The running task, at that border, stands until it may go on. */
void quiet_wait(void);

/* The same for a CPU that has nothing to do; returns when it has, or may go on. */
void quiet_idle(void);

/**
 * machine_check() - all that vm_check() and tasks_check() claim, while everybody stands
 * Context: as quiet_begin(). A broken claim is logged, and ends in a panic.
 */
void machine_check(void);

/* From now on: machine_check() when a process ends, but not more often than every @ms. */
void machine_check_often(uint64_t ms);

/* A process has ended: is it time? */
void machine_check_after_exit(void);

/* Stop everybody for good, and check: the machine is about to leave. 0 or -EUCLEAN. */
int __must_check machine_check_last(void);
