/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/refill_2m.c - a read of a 2 MiB page after each kind of flush
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a row is the time of one read of a page, all pages read in a random order.
 * Source: docs/tlb-lab.md, "refill".
 * Tour:   after tests/experiments/flush.c.
 */
#include "flush.h"

EXPERIMENT(refill_2m, .title = "Refill of 2 MiB pages, by what was flushed",
           .x_axis = "pages in the working set",
           .bare = "As for small pages; the walk ends one level higher, and fewer entries fit.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 4096)
        lab_refill_rows(PT_2M, nr, 1, false);
}
