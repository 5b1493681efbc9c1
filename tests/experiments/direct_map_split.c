/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/direct_map_split.c - the first page of a large leaf that leaves, and the next
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) page 0 splits the leaf; while it is hidden page 1 finds small leaves.
 * Source: asm/direct_map.h: a split is healed when its last hidden frame comes back.
 * Tour:   after tests/experiments/direct_map_hide.c.
 */
#include "kit.h"

#include <asm/direct_map.h>
#include <mm/buddy.h>
#include <mm/page.h>

struct hiding {
    uint64_t pfn;
    bool first_is_hidden;
};

static void hide(uint64_t pfn)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, pfn, 1) == 0);
    direct_map_change_end(&change);
}

static void restore(uint64_t pfn)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, pfn, 1);
    direct_map_change_end(&change);
}

static void prepare(void *arg)
{
    const struct hiding *h = arg;
    if (h->first_is_hidden)
        hide(h->pfn);
}

static void hide_next(void *arg)
{
    const struct hiding *h = arg;
    hide(h->pfn + h->first_is_hidden);
}

static void restore_next(void *arg)
{
    const struct hiding *h = arg;
    restore(h->pfn + h->first_is_hidden);
}

static void settle(void *arg)
{
    const struct hiding *h = arg;
    if (h->first_is_hidden)
        restore(h->pfn);
}

static void hide_both(void *arg)
{
    prepare(arg);
    hide_next(arg);
}

static void restore_both(void *arg)
{
    restore_next(arg);
    settle(arg);
}

EXPERIMENT(direct_map_split, .title = "One page leaves a large leaf of the direct map",
           .x_axis = "step", .bare = "Split: 512 new leaves, then one goes. Heal: one leaf again.",
           .virt = LAB_VIRT_IPI)
{
    static const char *const names[][2] = {{"hide, with a split", "restore, with a heal"},
                                           {"hide, split before", "restore, still split"}};
    struct page *block;

    REQUIRE(page_alloc(9, PAGE_ALLOC_PLAIN, &block) == 0);
    for (unsigned next = 0; next < 2; next++) {
        struct hiding h = {page_to_pfn(block), next};
        lab_measure(&(struct lab_probe){.series = names[next][0],
                                        .prepare = prepare,
                                        .body = hide_next,
                                        .settle = restore_both,
                                        .arg = &h,
                                        .irqs_on = true});
        lab_measure(&(struct lab_probe){.series = names[next][1],
                                        .prepare = hide_both,
                                        .body = restore_next,
                                        .settle = settle,
                                        .arg = &h,
                                        .irqs_on = true});
    }
    page_free(block, 9);
}
