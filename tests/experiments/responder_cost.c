/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/responder_cost.c - how long the responder is held up by a shootdown
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) it reads its clock again and again: the longest time between two readings is the
 *         figure.
 * Source: docs/tlb-lab.md: the four terms.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static uint64_t longest_gap(void *arg)
{
    struct lab_shot *s = arg;

    lab_others_longest_gap();
    if (s->nr)
        lab_space_forget(&s->space, s->nr);
    for (uint64_t start = lab_clock_before(); lab_clock_before() - start < 20000;)
        cpu_relax(); /* it goes on, and notices */
    return lab_others_longest_gap();
}

EXPERIMENT(responder_cost, .title = "How long the responder is held up", .x_axis = "pages",
           .bare = "Interrupt, flush and return on the other CPU; 0 pages: nobody asked it.",
           .virt = LAB_VIRT_IPI)
{
    struct lab_shot s = {.space = {.level = PT_4K, .nr = 512, .stride = 1}};

    if (nr_cpus() == 1) {
        lab_absent("one other CPU", 0, "one CPU");
        return;
    }
    REQUIRE(!lab_space_make(&s.space));
    lab_space_load(&s.space);
    REQUIRE(lab_others_begin(&s.space.pgt, 1, LAB_KERNEL));
    for (s.nr = 0; s.nr <= 512; s.nr = s.nr ? s.nr * 4 : 1)
        lab_measure(&(struct lab_probe){
            .series = "one other CPU", .x = s.nr, .sample = longest_gap, .arg = &s});
    lab_others_end();
    lab_space_unload();
    lab_space_drop(&s.space);
}
