/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/discard.c - MADV_DONTNEED: the pages go, the area stays
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the space is loaded on this CPU alone.
 * Source: madvise(2).
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void throw_away(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_discard(m->mm, AT(0), lab_memory_bytes(m)) == 0);
}

EXPERIMENT(discard, .title = "MADV_DONTNEED, for each page", .x_axis = "pages touched",
           .bare = "As unmapping, without the area's end.", .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct lab_memory m = {.nr = nr};
        lab_measure(&(struct lab_probe){.series = "discard",
                                        .x = nr,
                                        .prepare = lab_memory_make,
                                        .body = throw_away,
                                        .settle = lab_memory_drop,
                                        .arg = &m,
                                        .per = nr,
                                        .irqs_on = true});
    }
}
