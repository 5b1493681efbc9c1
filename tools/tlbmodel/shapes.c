/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/shapes.c - refills, turns of two spaces, and flushes of a compiler's sizes
 *
 * Room:   tools.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each workload gets a model of its own.
 * Source: Linux's history of arch/x86/mm/tlb.c (2014, 2017).
 * Tour:   after shapes.h.
 */
#include "shapes.h"

unsigned shape_touch(struct tlb_model *m, unsigned cpu, uint64_t va)
{
    struct tlb_page page = {va, TLB_4K, false};
    return tlb_access(m, cpu, &page);
}

uint64_t shape_touch_each(struct tlb_model *m, uint64_t va, unsigned nr, uint64_t stride)
{
    uint64_t cycles = 0;
    for (unsigned i = 0; i < nr; i++)
        cycles += shape_touch(m, 0, va + i * stride);
    return cycles;
}

uint64_t shape_refill(const struct tlb_machine *machine, unsigned nr)
{
    struct tlb_model *m = tlb_model_new(machine, 1, false);

    shape_touch_each(m, SHAPE_BASE, nr, SHAPE_PAGE);
    shape_touch_each(m, SHAPE_BASE, nr, SHAPE_PAGE);
    tlb_load(m, 0, 0, TLB_ROOT);
    uint64_t cycles = shape_touch_each(m, SHAPE_BASE, nr, SHAPE_PAGE);
    tlb_model_free(m);
    return cycles;
}

double shape_walks_in_a_turn(const struct tlb_machine *machine, bool pcid, unsigned others)
{
    enum { TURNS = 200, WARM = 20 };
    struct tlb_model *m = tlb_model_new(machine, 1, pcid);
    uint64_t fresh = 1UL << 30, before = 0;

    for (unsigned turn = 0; turn < TURNS; turn++) {
        if (turn == WARM)
            before = tlb_counts(m)->walks;
        tlb_load(m, 0, 1 + turn % 2, TLB_ROOT_KEEP);
        shape_touch_each(m, SHAPE_BASE, 512, SHAPE_PAGE);
        for (unsigned i = 0; i < others; i++)
            shape_touch(m, 0, fresh += 3 * SHAPE_PAGE);
    }
    double walks = (double)(tlb_counts(m)->walks - before) / (TURNS - WARM) - others;
    tlb_model_free(m);
    return walks;
}

/* Numbers that follow each other as if by chance, the same in each run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return *seed >> 33;
}

/* How many pages are flushed at once while Linux is compiled: published shares, in thousandths. */
static unsigned flush_size(uint64_t *seed)
{
    static const struct {
        unsigned up_to, from, to;
    } shares[] = {{569, 1, 1}, {886, 2, 4}, {955, 5, 32}, {986, 33, 33}, {1000, 34, 512}};
    uint64_t lot = next_random(seed) % 1000;
    unsigned i = 0;

    while (lot >= shares[i].up_to)
        i++;
    return shares[i].from + (unsigned)(next_random(seed) % (shares[i].to - shares[i].from + 1));
}

uint64_t shape_cost_of_ceiling(const struct tlb_machine *machine, unsigned ceiling)
{
    enum { FLUSHES = 2000, OWN = 256, TOUCHES = 600 };
    struct tlb_model *m = tlb_model_new(machine, 1, false);
    uint64_t seed = 1;

    for (unsigned i = 0; i < FLUSHES; i++) {
        unsigned nr = flush_size(&seed);
        bool global = next_random(&seed) % 1000 < 22;
        for (unsigned n = 0; n < TOUCHES; n++)
            shape_touch(m, 0, SHAPE_BASE + next_random(&seed) % OWN * SHAPE_PAGE);
        for (unsigned n = 0; n < nr && nr <= ceiling; n++)
            tlb_flush(m, 0, TLB_INVLPG, 0, (1UL << 40) + n * SHAPE_PAGE);
        if (nr > ceiling && global)
            tlb_flush(m, 0, TLB_PGE, 0, 0);
        else if (nr > ceiling)
            tlb_load(m, 0, 0, TLB_ROOT);
    }
    uint64_t cycles = tlb_counts(m)->access_cycles + tlb_counts(m)->flush_cycles;
    tlb_model_free(m);
    return cycles;
}
