/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/shootdown_range.c - how long a shootdown takes by how many pages are forgotten
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) one other CPU answers; it runs in the kernel, interrupts on.
 * Source: Amit, Tai, Wei, "Don't shoot down TLB shootdowns!" (EuroSys 2020).
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void rows(struct lab_shot *s, uint64_t others, const char *series)
{
    if (others >= nr_cpus()) {
        lab_absent(series, 1, "one CPU");
        return;
    }
    REQUIRE(lab_others_begin(&s->space.pgt, others, LAB_KERNEL));
    LAB_FOR_SIZES (nr, 1, 512) {
        s->nr = nr;
        lab_measure(&(struct lab_probe){
            .series = series, .x = nr, .body = lab_shot_body, .arg = s, .irqs_on = true});
    }
    lab_others_end();
}

EXPERIMENT(
    shootdown_range, .title = "A shootdown by its range", .x_axis = "pages",
    .bare = "Grows by one INVLPG a page on each side up to the ceiling, 33; then it is flat.",
    .virt = LAB_VIRT_IPI)
{
    struct lab_shot s = {.space = {.level = PT_4K, .nr = 512, .stride = 1}};

    REQUIRE(!lab_space_make(&s.space));
    lab_space_load(&s.space);
    rows(&s, 0, "this CPU alone");
    rows(&s, 1, "one other CPU");
    lab_space_unload();
    lab_space_drop(&s.space);
}
