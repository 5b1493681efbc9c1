/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/sweep.c - all CPUs forget all that was taken from what they have loaded
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) nothing was taken meanwhile: what is measured is the question and the answer.
 * Source: asm/tlb.h, tlb_sweep(); LATR (ASPLOS 2018) sweeps so at each tick.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void sweep_all(void *arg)
{
    (void)arg;
    tlb_sweep((1UL << nr_cpus()) - 1);
}

EXPERIMENT(sweep, .title = "A sweep over all CPUs", .x_axis = "what the others do",
           .bare = "What the policies late and reuse pay once for many calls.",
           .virt = LAB_VIRT_IPI)
{
    struct lab_space s = {.level = PT_4K, .nr = 8, .stride = 1};

    REQUIRE(!lab_space_make(&s));
    for (enum lab_state state = 0; state < LAB_STATES; state++) {
        REQUIRE(lab_others_begin(&s.pgt, nr_cpus() - 1, state));
        lab_measure(&(struct lab_probe){
            .series = lab_state_name(state), .body = sweep_all, .irqs_on = true});
        lab_others_end();
    }
    lab_space_drop(&s);
}
