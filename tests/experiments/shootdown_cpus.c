/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/shootdown_cpus.c - how long a shootdown takes by how many CPUs have to answer
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the responders run in the kernel, interrupts on, and have the space in use.
 * Source: Black et al., "Translation Lookaside Buffer Consistency" (1989); Amit et al., EuroSys
 *         2020.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void forget_one(void *space)
{
    lab_space_forget(space, 1);
}

static void row(struct lab_space *s, const char *series, unsigned policy, uint64_t others)
{
    lab_settings_begin(policy, TLB_CEILING);
    if (lab_others_begin(&s->pgt, others, LAB_KERNEL))
        lab_measure(&(struct lab_probe){
            .series = series, .x = others, .body = forget_one, .arg = s, .irqs_on = true});
    lab_others_end();
    lab_settings_end();
}

EXPERIMENT(
    shootdown_cpus, .title = "A shootdown of one page, by CPUs that answer", .x_axis = "other CPUs",
    .bare = "0: the instruction alone. Each CPU more: an interrupt sent, taken and answered.",
    .virt = LAB_VIRT_IPI)
{
    struct lab_space s = {.level = PT_4K, .nr = 8, .stride = 1};

    REQUIRE(!lab_space_make(&s));
    lab_space_load(&s);
    for (uint64_t others = 0; others < nr_cpus(); others++) {
        row(&s, "late acknowledgement", TLB_SYNC, others);
        row(&s, "early acknowledgement", TLB_EARLY, others);
    }
    lab_space_unload();
    lab_space_drop(&s);
}
