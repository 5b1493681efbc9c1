/* SPDX-License-Identifier: MIT */
/*
 * tests/user/page_scan.h - ioctl(PAGEMAP_SCAN), which old headers do not have
 *
 * Room:   tests/user. libc only: the same binary runs on Linux and on Bulla.
 * Owns:   the regions that a scan found.
 * Locks:  none.
 * Always: -
 * Source: PAGEMAP_SCAN(2const).
 * Tour:   before tests/user/pagemap_scan.c.
 */
#pragma once

#include "../../user/probe.h"
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define REGIONS 64

struct region {
    uint64_t start, end, categories;
};

struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t inverted, mask, anyof, wanted;
};

#define SCAN          _IOWR('f', 16, struct scan)
#define WP_MATCHING   1
#define CHECK_WPASYNC 2
#define WPALLOWED     0x001UL
#define WRITTEN       0x002UL
#define PRESENT       0x008UL
#define ZERO          0x020UL
#define SOFT_DIRTY    0x080UL
#define GUARDED       0x100UL

static struct region regions[REGIONS];

/* "0-2:a 4-5:a ": the first @n regions in pages from @base on, and what is told of them. */
__attribute__((unused)) static int regions_text(char *text, int n, const char *base)
{
    uintptr_t from = (uintptr_t)base;
    int len = 0;

    text[0] = 0;
    for (int i = 0; i < n; i++)
        len += sprintf(text + len, "%lu-%lu:%lx ", (regions[i].start - from) / PAGE,
                       (regions[i].end - from) / PAGE, regions[i].categories);
    return len;
}
