/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/acknowledgement.c - early against late, by range
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the responder has as much to forget as this CPU.
 * Source: Amit, Tai, Wei, EuroSys 2020: acknowledge before flushing, flush on both sides at once.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void row(struct lab_shot *s, const char *series, unsigned policy)
{
    lab_settings_begin(policy, 512);
    lab_measure(&(struct lab_probe){
        .series = series, .x = s->nr, .body = lab_shot_body, .arg = s, .irqs_on = true});
    lab_settings_end();
}

EXPERIMENT(acknowledgement, .title = "Early against late acknowledgement", .x_axis = "pages",
           .bare = "What early saves is what the responder needs to forget, here one by one.",
           .virt = LAB_VIRT_IPI)
{
    struct lab_shot s = {.space = {.level = PT_4K, .nr = 512, .stride = 1}};

    if (nr_cpus() == 1) {
        lab_absent("all", 1, "one CPU");
        return;
    }
    REQUIRE(!lab_space_make(&s.space));
    lab_space_load(&s.space);
    REQUIRE(lab_others_begin(&s.space.pgt, nr_cpus() - 1, LAB_KERNEL));
    for (s.nr = 1; s.nr <= 512; s.nr *= 2) {
        row(&s, "late", TLB_SYNC);
        row(&s, "early", TLB_EARLY);
    }
    lab_others_end();
    lab_space_unload();
    lab_space_drop(&s.space);
}
