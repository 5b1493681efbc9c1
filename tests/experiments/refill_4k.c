/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/refill_4k.c - a read of a 4 KiB page after each kind of flush
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a row is the time of one read of a page, all pages read in a random order.
 * Source: docs/tlb-lab.md, "refill".
 * Tour:   after tests/experiments/flush.c.
 */
#include "flush.h"

EXPERIMENT(refill_4k, .title = "Refill of 4 KiB pages, by what was flushed",
           .x_axis = "pages in the working set",
           .bare = "A read after the flush: a walk where the entry is gone, a hit where it is not.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 4096)
        lab_refill_rows(PT_4K, nr, 1, false);
}
