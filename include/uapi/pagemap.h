/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/pagemap.h - /proc/PID/pagemap: its words, and the ioctl that looks for pages
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: proc_pid_pagemap(5); PAGEMAP_SCAN(2const).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define PM_FRAME      ((1UL << 55) - 1)
#define PM_SOFT_DIRTY (1UL << 55)
#define PM_ALONE      (1UL << 56)
#define PM_UFFD_WP    (1UL << 57)
#define PM_GUARD      (1UL << 58)
#define PM_OBJECT     (1UL << 61)
#define PM_SWAP       (1UL << 62) /* there is something, but no frame */
#define PM_PRESENT    (1UL << 63)

#define PAGEMAP_SCAN 0xc0606610U /* _IOWR('f', 16, struct uapi_pm_scan) */

/* uapi_pm_scan.flags */
#define PM_SCAN_WP_MATCHING   1
#define PM_SCAN_CHECK_WPASYNC 2
#define PM_SCAN_FLAGS         3

/* Categories of pages. */
#define PAGE_IS_WPALLOWED  (1UL << 0)
#define PAGE_IS_WRITTEN    (1UL << 1)
#define PAGE_IS_FILE       (1UL << 2)
#define PAGE_IS_PRESENT    (1UL << 3)
#define PAGE_IS_SWAPPED    (1UL << 4)
#define PAGE_IS_PFNZERO    (1UL << 5)
#define PAGE_IS_HUGE       (1UL << 6)
#define PAGE_IS_SOFT_DIRTY (1UL << 7)
#define PAGE_IS_GUARD      (1UL << 8)
#define PAGE_CATEGORIES    0x1ffUL

struct uapi_page_region {
    uint64_t start, end, categories;
};

struct uapi_pm_scan {
    uint64_t size, flags;
    uint64_t start, end, walk_end;
    uint64_t vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
