/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/size_replay.c - flushes of real sizes, under each ceiling
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every ceiling gets the same sizes in the same order.
 * Source: tests/experiments/sizes.h.
 * Tour:   after tests/experiments/others.h, tests/experiments/sizes.h.
 */
#include "flush.h"
#include "others.h"
#include "sizes.h"

#include <asm/tlb.h>

#define FLUSHES     100
#define WORKING_SET 256

static void replay(void *space)
{
    uint32_t state = LAB_SIZES_SEED;
    static uint64_t window[LAB_SIZE_LARGE];

    for (unsigned i = 0; i < FLUSHES; i++) {
        if (lab_size_is_global(&state))
            tlb_flush_kernel(window, window + LAB_SIZE_LARGE);
        else
            lab_space_forget(space, lab_size_draw(&state));
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
