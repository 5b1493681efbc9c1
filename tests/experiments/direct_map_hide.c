/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/direct_map_hide.c - pages leave the direct map and come back, flushed
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the frames are used by nobody else; after each repetition the map is whole.
 * Source: asm/direct_map.h; trust.md V19.
 * Tour:   after tests/experiments/kit.h.
 */
#include "kit.h"

#include <asm/direct_map.h>
#include <mm/buddy.h>
#include <mm/page.h>

struct hiding {
    uint64_t pfn, nr;
};

static void hide(void *arg)
{
    const struct hiding *h = arg;
    struct direct_map_change change;

    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, h->pfn, h->nr) == 0);
    direct_map_change_end(&change);
}

static void restore(void *arg)
{
    const struct hiding *h = arg;
    struct direct_map_change change;

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, h->pfn, h->nr);
    direct_map_change_end(&change);
}

EXPERIMENT(direct_map_hide, .title = "Hiding pages from the direct map, and back",
           .x_axis = "pages",
           .bare = "Up to 256 pages a large leaf is split, then healed; 512 go as one entry.",
           .virt = LAB_VIRT_IPI)
{
    struct page *block;

    REQUIRE(page_alloc(9, PAGE_ALLOC_PLAIN, &block) == 0);
    LAB_FOR_SIZES (nr, 1, 512) {
        struct hiding h = {page_to_pfn(block), nr};
        lab_measure(&(struct lab_probe){.series = "hide",
                                        .x = nr,
                                        .body = hide,
                                        .settle = restore,
                                        .arg = &h,
                                        .irqs_on = true});
        lab_measure(&(struct lab_probe){.series = "restore",
                                        .x = nr,
                                        .prepare = hide,
                                        .body = restore,
                                        .arg = &h,
                                        .irqs_on = true});
    }
    page_free(block, 9);
}
