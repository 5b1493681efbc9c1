/* SPDX-License-Identifier: MIT */
/*
 * kernel/limbod.h - the thread that has every CPU forget what was taken away a moment ago
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: -
 * Source: -
 * Tour:   with kernel/limbod.c.
 */
#pragma once

/* Boot: the first frames in limbo make the thread. */
void limbod_boot_init(void);

/* Another policy: what waits by the rules of the old one goes. Always 0. */
int limbo_policy_changed(void);
