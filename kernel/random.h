/* SPDX-License-Identifier: MIT */
/*
 * kernel/random.h - bytes that differ from run to run
 *
 * Room:   kernel.
 * Owns:   nothing; see random.c.
 * Locks:  as random.c.
 * Always: (1) not for keys: Bulla gathers no entropy. docs say so.
 * Source: getrandom(2).
 * Tour:   with kernel/random.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *buf, size_t len);
uint64_t random_number(void);
