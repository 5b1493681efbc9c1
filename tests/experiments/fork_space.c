/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/fork_space.c - copying a space: its pages may not be written
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) one flush at the end, of everything if there are more pages than the ceiling.
 * Source: fork(2); mm/fork.c.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void copy(void *memory)
{
    struct lab_memory *m = memory;
    EXPECT(mm_fork(m->mm, &m->child) == 0);
}

EXPERIMENT(fork_space, .title = "fork of an address space", .x_axis = "pages touched",
           .bare = "A leaf read, changed and copied for each page; one flush.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct lab_memory m = {.nr = nr};
        lab_measure(&(struct lab_probe){.series = "fork",
                                        .x = nr,
                                        .prepare = lab_memory_make,
                                        .body = copy,
                                        .settle = lab_memory_drop,
                                        .arg = &m,
                                        .irqs_on = true});
    }
}
