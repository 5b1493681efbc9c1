/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/copy_on_write.c - the first write after a fork: a copy, one flush
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each page is copied alone, as programs fault.
 * Source: mm/fault_copy.c.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void share(void *memory)
{
    struct lab_memory *m = memory;

    lab_memory_make(m);
    EXPECT(mm_fork(m->mm, &m->child) == 0);
}

EXPERIMENT(copy_on_write, .title = "Copy on write, for each page", .x_axis = "pages written",
           .bare = "A frame, a copy of 4 KiB, one flush of one page.", .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 256) {
        struct lab_memory m = {.nr = nr};
        lab_measure(&(struct lab_probe){.series = "write",
                                        .x = nr,
                                        .prepare = share,
                                        .body = lab_memory_write,
                                        .settle = lab_memory_drop,
                                        .arg = &m,
                                        .per = nr,
                                        .irqs_on = true});
    }
}
