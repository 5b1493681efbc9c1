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

/* Wake up to @max waiters on this private word of the running task's address space. */
int futex_wake_address(uint64_t address, int max);
