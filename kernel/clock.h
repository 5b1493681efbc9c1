/* SPDX-License-Identifier: MIT */
/*
 * kernel/clock.h - the clocks that programs name, and their units
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the wall clock is never set: it differs from clock_ns() by a constant.
 * Source: clock_gettime(2), clock_getcpuclockid(3).
 * Tour:   with kernel/clock.c.
 */
#pragma once

#include <lib/addr.h>
#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>
#include <uapi/stat.h>

#define NS_PER_SEC  1000000000UL
#define NS_PER_US   1000UL
#define NS_PER_TICK 10000000UL /* USER_HZ is 100 */

/* What @clock shows: 0 or -EINVAL. Takes tasks_lock for clocks of CPU time. */
int __must_check clock_now(int clock, uint64_t *ns);

/* Does it count CPU time? */
bool clock_is_cpu(int clock);

/* What clock_ns() will show when @clock, which is none of CPU time, shows @ns. */
uint64_t clock_to_monotonic(int clock, uint64_t ns);

struct uapi_timespec timespec_of(uint64_t ns);

/* A time of the program's: 0, -EFAULT, -EINVAL (negative, or nanoseconds out of range). What is
 * longer than 292 years is that long. */
int __must_check timespec_read(user_addr_t from, uint64_t *ns);
int __must_check timespec_parse(const struct uapi_timespec *t, uint64_t *ns);

/* When a wait ends that takes at most as long as the program says, by clock_ns(); UINT64_MAX for no
 * @timeout. 0, -EFAULT, -EINVAL. */
int __must_check deadline_read(user_addr_t timeout, uint64_t *end_ns);
