/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/refill_1g.c - a read of a 1 GiB page after each kind of flush
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
    refill_1g, .title = "Refill of 1 GiB pages, by what was flushed",
    .x_axis = "pages in the working set",
    .bare = "Few entries for such pages: most CPUs miss from 5 or 17 pages on without any flush.",
    .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 128)
        lab_refill_rows(PT_1G, nr, 1, false);
}
