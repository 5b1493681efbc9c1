/* SPDX-License-Identifier: MIT */
/*
 * kernel/mempolicy.h - the name of a policy, for /proc/PID/numa_maps
 *
 * Room:   kernel.
 * Owns:   nothing; see mempolicy.c.
 * Locks:  none.
 * Always: -
 * Source: numa(7).
 * Tour:   with kernel/mempolicy.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "bind:0" into @buf of @size bytes; returns it. */
const char *mempolicy_name(uint32_t policy, char *buf, size_t size);
