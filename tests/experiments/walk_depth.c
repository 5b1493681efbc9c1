/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/walk_depth.c - a miss by how many levels of tables are new
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) one read of each page, far enough apart that no two share a table of the level named.
 * Source: Barr et al., "Translation Caching: Skip, Don't Walk" (ISCA 2010).
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

#define PAGES 32

EXPERIMENT(walk_depth, .title = "A miss, by how far the pages lie apart",
           .x_axis = "from one page to the next, pages",
           .bare = "Neighbours share tables, whose entries the CPU keeps; those far apart do not.",
           .virt = LAB_VIRT_LOCAL)
{
    static const uint64_t strides[] = {1, 8, 64, 512, 8 * 512, 512 * 512};

    for (unsigned i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
        struct lab_refill r = {.space = {.level = PT_4K, .nr = PAGES, .stride = strides[i]},
                               .how = LAB_CR3};
        REQUIRE(!lab_space_make(&r.space));
        lab_space_load(&r.space);
        lab_measure(&(struct lab_probe){.series = "after cr3",
                                        .x = strides[i],
                                        .prepare = lab_refill_prepare,
                                        .body = lab_refill_body,
                                        .arg = &r,
                                        .per = PAGES});
        r.how = LAB_INVLPG;
        lab_measure(&(struct lab_probe){.series = "after invlpg of each",
                                        .x = strides[i],
                                        .prepare = lab_refill_prepare,
                                        .body = lab_refill_body,
                                        .arg = &r,
                                        .per = PAGES});
        lab_space_unload();
        lab_space_drop(&r.space);
    }
}
