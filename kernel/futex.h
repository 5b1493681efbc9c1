/* SPDX-License-Identifier: MIT */
/*
 * kernel/futex.h - waiting for a word in user memory
 *
 * Room:   kernel.
 * Owns:   nothing; see futex.c.
 * Locks:  as futex.c.
 * Always: -
 * Source: futex(2).
 * Tour:   with kernel/futex.c.
 */
#pragma once

#include <stdint.h>

struct task;

/* The robust futexes that a dying task still holds are marked and passed on. */
void futex_robust_exit(struct task *task);

/* Wake up to @max waiters on this private word of the running task's address space. */
int futex_wake_address(uint64_t address, int max);
