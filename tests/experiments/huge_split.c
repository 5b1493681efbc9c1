/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/huge_split.c - a right taken from a part of a huge leaf
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) one page of a huge leaf: 512 small leaves take its place, and one flush follows.
 * Source: mm/thp.c; trust.md on splits.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

#include <mm/thp.h>

#define UNIT 512UL

static void protect(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_protect(m->mm, AT(0), lab_memory_bytes(m), VM_READ, 0) == 0);
}

static void row(const char *series, uint32_t flags, uint64_t part)
{
    struct lab_memory m = {.nr = UNIT, .flags = flags, .part = part};

    lab_measure(&(struct lab_probe){.series = series,
                                    .x = part,
                                    .prepare = lab_memory_make,
                                    .body = protect,
                                    .settle = lab_memory_drop,
                                    .arg = &m,
                                    .irqs_on = true});
}

EXPERIMENT(huge_split, .title = "mprotect of a part of 2 MiB", .x_axis = "pages that lose a right",
           .bare = "Huge: all 512 are one leaf to change; fewer must be split from it first.",
           .virt = LAB_VIRT_LOCAL)
{
    uint32_t before = thp_mode;

    for (uint64_t part = 1; part <= UNIT; part *= 8) {
        thp_mode = THP_MADVISE;
        row("huge leaf", RW | VM_HUGEPAGE, part);
        thp_mode = THP_NEVER;
        row("small leaves", LAB_SMALL, part);
    }
    thp_mode = before;
}
