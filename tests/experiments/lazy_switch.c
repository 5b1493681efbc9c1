/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/lazy_switch.c - a program, idle for a moment, and the program again
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) x pages are read after each time that the program comes back.
 * Source: asm/tlb.h, tlb_idle(); Linux, "lazy TLB mode".
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"
#include "space.h"

#include <asm/tlb.h>

static void away_and_back(void *space)
{
    struct lab_space *s = space;

    tlb_idle();
    tlb_switch(&s->pgt);
    lab_space_chase(s);
}

EXPERIMENT(lazy_switch, .title = "Idle for a moment, then the same program", .x_axis = "pages read",
           .bare = "Lazy: nothing is loaded and nothing lost. Else: two loads of CR3 and a refill.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 512) {
        struct lab_space s = {.level = PT_4K, .nr = nr, .stride = 1};
        REQUIRE(!lab_space_make(&s));
        lab_space_load(&s);
        for (unsigned lazy = 0; lazy < 2; lazy++) {
            uint64_t before = tlb_settings.lazy;
            tlb_settings.lazy = lazy;
            lab_measure(&(struct lab_probe){
                .series = lazy ? "lazy" : "eager", .x = nr, .body = away_and_back, .arg = &s});
            tlb_settings.lazy = before;
        }
        lab_space_unload();
        lab_space_drop(&s);
    }
}
