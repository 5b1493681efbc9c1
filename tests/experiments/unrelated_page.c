/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/unrelated_page.c - what a flush of one page costs those that were not flushed
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the page that is forgotten is not one of those that are read.
 * Source: Intel SDM 3A: INVLPG drops all paging-structure caches of the PCID, whatever its address.
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

static void know_then_forget_another(void *refill)
{
    const struct lab_refill *r = refill;
    irq_flags_t flags = irq_save();

    lab_space_chase(&r->space);
    lab_space_chase(&r->space);
    lab_flush(r->how, lab_space_va(&r->space, r->space.nr + 7));
    irq_restore(flags);
}

static void rows(uint64_t nr)
{
    static const enum lab_flush ways[] = {LAB_NOTHING, LAB_INVLPG, LAB_INVPCID_ADDRESS};
    struct lab_refill r = {.space = {.level = PT_4K, .nr = nr, .stride = 1}};

    REQUIRE(!lab_space_make(&r.space));
    lab_space_load(&r.space);
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        lab_refill_row(&r, ways[i], know_then_forget_another);
    lab_space_unload();
    lab_space_drop(&r.space);
}

EXPERIMENT(unrelated_page, .title = "Reads after an unrelated page was flushed",
           .x_axis = "pages in the working set",
           .bare = "More than nothing: the paging-structure caches went, and misses walk further.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 4096)
        rows(nr);
}
