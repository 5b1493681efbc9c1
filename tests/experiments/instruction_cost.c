/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/instruction_cost.c - what the instruction alone costs, nothing read afterwards
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the space has eight pages, all of them known: there is something to forget.
 * Source: docs/tlb-lab.md: on hardware CR3 96 cycles, INVLPG 100 ns, INVPCID 2 376 ns, PGE 539 ns.
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

static void know_all(void *refill)
{
    lab_space_chase(&((const struct lab_refill *)refill)->space);
}

static void flush_once(void *refill)
{
    const struct lab_refill *r = refill;
    lab_flush(r->how, lab_space_va(&r->space, 0));
}

EXPERIMENT(instruction_cost, .title = "The flush instruction alone", .x_axis = "mechanism",
           .bare = "The instruction's latency. What it made the CPU forget is paid later: refill.",
           .virt = LAB_VIRT_LOCAL)
{
    struct lab_refill r = {.space = {.level = PT_4K, .nr = 8, .stride = 1}};

    REQUIRE(!lab_space_make(&r.space));
    lab_space_load(&r.space);
    for (r.how = 0; r.how < LAB_FLUSHES; r.how++) {
        struct lab_probe p = {
            .series = lab_flush_name(r.how), .prepare = know_all, .body = flush_once, .arg = &r};
        if (lab_flush_absent(r.how))
            lab_absent(p.series, 0, lab_flush_absent(r.how));
        else
            lab_measure(&p);
    }
    lab_space_unload();
    lab_space_drop(&r.space);
}
