/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/lazy_spared.c - how many interrupts lazy CPUs are spared
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a hundred shootdowns while the other CPUs are idle, and have the space loaded.
 * Source: asm/tlb.h, TLB_LAZY_SPARED.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

#define SHOTS 100

static void count(struct lab_space *s, uint64_t x, enum lab_state state, bool lazy,
                  const char *note)
{
    uint64_t before = tlb_settings.lazy;

    tlb_settings.lazy = lazy;
    REQUIRE(lab_others_begin(&s->pgt, nr_cpus() - 1, state));
    uint64_t sent = tlb_events(TLB_REMOTE_IPI), spared = tlb_events(TLB_LAZY_SPARED);
    for (unsigned i = 0; i < SHOTS; i++)
        lab_space_forget(s, 1);
    lab_count("interrupts sent", x, tlb_events(TLB_REMOTE_IPI) - sent, note);
    lab_count("CPUs spared", x, tlb_events(TLB_LAZY_SPARED) - spared, note);
    lab_others_end();
    tlb_settings.lazy = before;
}

EXPERIMENT(lazy_spared, .title = "Interrupts of 100 shootdowns",
           .x_axis = "others: 0 use the space, 1 idle and left it, 2 idle and keep it",
           .unit = "times", .bare = "Exact counts, the same everywhere.",
           .virt = "Exact counts, the same everywhere.",
           .emulated = "Exact counts, the same everywhere.")
{
    struct lab_space s = {.level = PT_4K, .nr = 8, .stride = 1};

    REQUIRE(!lab_space_make(&s));
    lab_space_load(&s);
    count(&s, 0, LAB_KERNEL, true, "others use the space");
    count(&s, 1, LAB_HALTED, false, "idle CPUs leave the space");
    count(&s, 2, LAB_HALTED, true, "idle CPUs keep the space");
    lab_space_unload();
    lab_space_drop(&s);
}
