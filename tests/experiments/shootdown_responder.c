/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/shootdown_responder.c - a shootdown by what the other CPU is doing
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the other CPU has the space loaded in each state; halted, it does not use it: nobody
 *         asks it.
 * Source: Linux commit 94b1b03b519b for lazy CPUs.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void forget_one(void *space)
{
    lab_space_forget(space, 1);
}

EXPERIMENT(shootdown_responder, .title = "A shootdown of one page, by what the responder does",
           .x_axis = "responder",
           .bare = "Halted: lazy, spared. With interrupts off it answers when they are on again.",
           .virt = LAB_VIRT_IPI)
{
    struct lab_space s = {.level = PT_4K, .nr = 8, .stride = 1};

    REQUIRE(!lab_space_make(&s));
    lab_space_load(&s);
    for (enum lab_state state = 0; state < LAB_STATES; state++) {
        if (nr_cpus() == 1) {
            lab_absent(lab_state_name(state), 0, "one CPU");
            continue;
        }
        REQUIRE(lab_others_begin(&s.pgt, 1, state));
        lab_measure(&(struct lab_probe){
            .series = lab_state_name(state), .body = forget_one, .arg = &s, .irqs_on = true});
        lab_others_end();
    }
    lab_space_unload();
    lab_space_drop(&s);
}
