/* SPDX-License-Identifier: MIT */
/*
 * kernel/secretd.h - the thread that looks after the pool of hidden pages
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: -
 * Tour:   with kernel/secretd.c.
 */
#pragma once

/* Boot: the first secret makes the thread. */
void secretd_boot_init(void);
