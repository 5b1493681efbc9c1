/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/size_replay.c - flushes of real sizes, under each ceiling
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every ceiling gets the same sizes in the same order.
 * Source: docs/tlb-lab.md: 1 page 56.9 %, at most 4 88.6 %, at most 33 98.6 %, of these 33 alone
 *         3.1 %; global 2.2 %.
 * Tour:   after tests/experiments/others.h.
 */
#include "flush.h"
#include "others.h"

#include <asm/tlb.h>

#define FLUSHES     100
#define WORKING_SET 256
#define LARGE       512

/* How many pages of a thousand flushes: up to these. */
static const struct {
    unsigned of_thousand, from, to;
} sizes[] = {{569, 1, 1}, {886, 2, 4}, {955, 5, 32}, {986, 33, 33}, {1000, 34, LARGE}};

static uint64_t size_draw(uint32_t *state)
{
    uint32_t draw = lab_random(state) % 1000, i = 0;

    while (draw >= sizes[i].of_thousand)
        i++;
    return sizes[i].from + lab_random(state) % (sizes[i].to - sizes[i].from + 1);
}

static void replay(void *space)
{
    uint32_t state = 2463534242;
    static uint64_t window[LARGE];

    for (unsigned i = 0; i < FLUSHES; i++) {
        if (lab_random(&state) % 1000 < 22)
            tlb_flush_kernel(window, window + LARGE);
        else
            lab_space_forget(space, size_draw(&state));
        lab_space_chase(space);
    }
}

EXPERIMENT(size_replay, .title = "A compiler's flushes, under each ceiling",
           .x_axis = "ceiling, pages",
           .bare = "One flush and the reads of 256 pages after it, averaged over the mix.",
           .virt = LAB_VIRT_LOCAL)
{
    static const uint64_t ceilings[] = {0, 1, 2, 4, 8, 16, 33, 64, 128, 512};
    struct lab_space s = {.level = PT_4K, .nr = WORKING_SET, .stride = 2};

    REQUIRE(!lab_space_make(&s));
    lab_space_load(&s);
    for (unsigned i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
        lab_settings_begin(TLB_SYNC, ceilings[i]);
        lab_measure(&(struct lab_probe){.series = "flush and 256 reads",
                                        .x = ceilings[i],
                                        .body = replay,
                                        .arg = &s,
                                        .per = FLUSHES,
                                        .irqs_on = true});
        lab_settings_end();
    }
    lab_space_unload();
    lab_space_drop(&s);
}
