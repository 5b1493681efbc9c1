/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/first_touch.c - faults on new pages: nothing was there, so nothing is flushed
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the control to copy_on_write: the same without a flush and without a copy.
 * Source: mm/fault.c.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void map(void *memory)
{
    struct lab_memory *m = memory;

    m->mm = kit_mm();
    REQUIRE(m->mm && kit_map(m->mm, 0, m->nr, LAB_SMALL) == 0);
    kit_load(m->mm);
}

EXPERIMENT(first_touch, .title = "The first write to a page", .x_axis = "pages written",
           .bare = "A frame, 4 KiB of zeros, a leaf. No flush.", .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct lab_memory m = {.nr = nr};
        lab_measure(&(struct lab_probe){.series = "write",
                                        .x = nr,
                                        .prepare = map,
                                        .body = lab_memory_write,
                                        .settle = lab_memory_drop,
                                        .arg = &m,
                                        .per = nr,
                                        .irqs_on = true});
    }
}
