/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/refill_one_set.c - the same with a stride of 128 pages: one set of most TLBs
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a row is the time of one read of a page, all pages read in a random order.
 * Source: docs/tlb-lab.md, "refill".
 * Tour:   after tests/experiments/flush.c.
 */
#include "flush.h"

EXPERIMENT(
    refill_one_set, .title = "Refill of pages that share a set of the TLB",
    .x_axis = "pages in the working set",
    .bare = "With all pages in one set there are misses from a few pages on, whatever was flushed.",
    .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 512)
        lab_refill_rows(PT_4K, nr, 128, false);
}
