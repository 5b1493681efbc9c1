/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/refill_global.c - a read of a global page after each kind of flush
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a row is the time of one read of a page, all pages read in a random order.
 * Source: docs/tlb-lab.md, "refill".
 * Tour:   after tests/experiments/flush.c.
 */
#include "flush.h"

EXPERIMENT(refill_global, .title = "Refill of global pages, by what was flushed",
           .x_axis = "pages in the working set",
           .bare = "Only INVLPG, INVPCID 2 and CR4.PGE reach global entries; the others must look "
                   "like nothing.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 4096)
        lab_refill_rows(PT_4K, nr, 1, true);
}
