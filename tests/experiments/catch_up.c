/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/catch_up.c - what a CPU pays that was lazy while others flushed
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) x pages are known, one flush was missed; then the space is used again.
 * Source: arch/x86_64/tlb_space.c, tlb_catch_up().
 * Tour:   after tests/experiments/others.h.
 */
#include "kit.h"
#include "space.h"

#include <asm/tlb.h>

struct missed {
    struct lab_space space;
    bool flush;
};

static void go_lazy(void *arg)
{
    struct missed *m = arg;
    irq_flags_t flags = irq_save();

    lab_space_chase(&m->space);
    tlb_idle();
    if (m->flush) /* as another CPU would, which spares this one */
        atomic_fetch_add(&m->space.pgt.generation, 1);
    irq_restore(flags);
}

static void come_back(void *arg)
{
    struct missed *m = arg;

    tlb_switch(&m->space.pgt);
    lab_space_chase(&m->space);
}

EXPERIMENT(catch_up, .title = "Back from idle, a flush missed or not", .x_axis = "pages read",
           .bare = "What is missed is made up for by a full flush, whatever it was: a refill.",
           .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 8, 512) {
        struct missed m = {.space = {.level = PT_4K, .nr = nr, .stride = 1}};
        REQUIRE(!lab_space_make(&m.space));
        lab_space_load(&m.space);
        for (unsigned flush = 0; flush < 2; flush++) {
            m.flush = flush;
            lab_measure(&(struct lab_probe){.series = flush ? "one was missed" : "none was missed",
                                            .x = nr,
                                            .prepare = go_lazy,
                                            .body = come_back,
                                            .arg = &m});
        }
        lab_space_unload();
        lab_space_drop(&m.space);
    }
}
