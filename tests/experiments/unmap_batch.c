/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/unmap_batch.c - unmapping touched pages, a flush for each batch
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the space is loaded on this CPU alone: no other has to be told.
 * Source: Linux mm/mmu_gather.c, for the idea; asm/tlb.h, TLB_GATHER_PAGES.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void unmap(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_unmap(m->mm, AT(0), lab_memory_bytes(m)) == 0);
}

EXPERIMENT(unmap_batch, .title = "Unmapping, for each page", .x_axis = "pages touched",
           .bare = "A flush for each batch of 240 pages: what one page pays falls, then is flat.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 2048) {
        struct lab_memory m = {.nr = nr};
        lab_measure(&(struct lab_probe){.series = "unmap",
                                        .x = nr,
                                        .prepare = lab_memory_make,
                                        .body = unmap,
                                        .settle = lab_memory_drop,
                                        .arg = &m,
                                        .per = nr,
                                        .irqs_on = true});
    }
}
