/* SPDX-License-Identifier: MIT */
/*
 * boot/view.h - reading what firmware left in memory, without trusting it
 *
 * Room:   boot. The only way the parsers touch memory they did not get by argument.
 * Owns:   struct phys_view.
 * Locks:  none.
 * Always: (1) a pointer that view_at() returned covers all bytes asked for, inside the view;
 *         (2) physical address 0 is never readable: every door uses it for "absent";
 *         (3) it may be misaligned: structures read through it are __packed.
 * Source: none.
 * Tour:   before boot/multiboot1.c and its neighbours.
 */
#pragma once

#include <lib/addr.h>
#include <stddef.h>
#include <stdint.h>

/* Physical memory [start, end), readable at @bytes. In the kernel: 0..4 GiB at address 0. */
struct phys_view {
    const uint8_t *bytes;
    uint64_t start, end;
};

/* The @len_bytes at @addr, or NULL when they are not all inside the view. */
static inline const void *view_at(const struct phys_view *view, phys_addr_t addr,
                                  uint64_t len_bytes)
{
    if (addr.raw == 0 || addr.raw < view->start || addr.raw > view->end)
        return NULL;
    if (len_bytes > view->end - addr.raw)
        return NULL;
    return view->bytes + (addr.raw - view->start);
}
