/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_ceiling.c - from how many pages on forgetting everything is cheaper on this CPU
 *
 * Room:   arch.
 * Owns:   the measurement, while it lasts: an address space of its own.
 * Locks:  the table's, for each leaf.
 * Always: (1) a program is taken to read WORKING_SET pages again: see docs/tlb.md;
 *         (2) the least of REPETITIONS counts: what disturbs only adds.
 * Source: Linux, Documentation/arch/x86/tlb.rst; tests/experiments/break_even.c measures the same
 *         for all sizes.
 * Tour:   after arch/x86_64/tlb_local.c.
 */
#include "tlb_local.h"

#include "percpu.h"
#include <asm/time.h>
#include <base/log.h>
#include <mm/buddy.h>
#include <mm/page.h>

#define WORKING_SET 64UL /* pages: what the first level of a TLB holds */
#define FLUSHED     64UL /* others, which are flushed one by one */
#define REPETITIONS 32
#define BASE        0x40000000UL

enum flush { NOTHING, EACH, ALL };

static uint64_t va_of(uint64_t i)
{
    return BASE + i * PAGE_SIZE;
}

/* All are of one frame: it stays in the cache. Not global, as a program's are not. */
static int leaves_set(struct pgtable *pgt, pte_t pte)
{
    struct pt_walk walk;

    for (uint64_t i = 0; i < WORKING_SET + FLUSHED; i++) {
        int err = pt_walk_alloc(pgt, user(va_of(i)), PT_4K, &walk);
        if (err)
            return err;
        spin_lock(pt_lock(walk.table));
        pt_set(walk.table, walk.slot, pte);
        spin_unlock(pt_lock(walk.table));
    }
    return 0;
}

static void read_pages(uint64_t from, uint64_t nr)
{
    for (uint64_t i = from; i < from + nr; i++)
        (void)READ_ONCE(*(const uint64_t *)va_of(i));
}

/* Ticks for forgetting, and for reading the working set again. IRQs off. */
static uint64_t sample(enum flush what)
{
    read_pages(0, WORKING_SET + FLUSHED);
    uint64_t start = tsc_read_ordered();
    if (what == EACH)
        tlb_forget_pages(&this_cpu()->tlb, va_of(WORKING_SET), va_of(WORKING_SET + FLUSHED),
                         PAGE_SIZE);
    else if (what == ALL)
        tlb_forget_space();
    read_pages(0, WORKING_SET);
    return tsc_read_ordered() - start;
}

static uint64_t least(enum flush what)
{
    uint64_t ticks = ~0UL;

    for (unsigned i = 0; i < REPETITIONS; i++) {
        irq_flags_t flags = irq_save();
        ticks = min(ticks, sample(what));
        irq_restore(flags);
    }
    return ticks;
}

/* With the leaves there. */
static uint64_t measure(void)
{
    uint64_t nothing = least(NOTHING);
    uint64_t each = max(least(EACH), nothing + 1) - nothing;
    uint64_t all = max(least(ALL), nothing) - nothing;
    uint64_t found = all * FLUSHED / each;
    uint64_t ceiling = min(max(found, TLB_CEILING_LEAST), TLB_CEILING_MOST);

    log_info("TLB: %lu pages one by one take %lu ticks, all and %lu again %lu: ceiling %lu",
             FLUSHED, each, WORKING_SET, all, ceiling);
    return ceiling;
}

static void load(struct pgtable *pgt)
{
    irq_flags_t flags = irq_save();

    tlb_switch(pgt);
    irq_restore(flags);
}

static int measure_in(struct pgtable *pgt, const struct page *page, uint64_t *ceiling)
{
    pgprot_t prot = {pgprot_kernel().raw & ~PTE_G};
    struct pgtable *usual = this_cpu()->pgt;

    int err = leaves_set(pgt, pte_leaf(page_to_phys(page), prot, PT_4K));
    if (!err) {
        load(pgt);
        *ceiling = measure();
        load(usual);
        err = leaves_set(pgt, pte_none()); /* their tables are there: nothing is allocated */
    }
    return err;
}

int tlb_measure_ceiling(uint64_t *ceiling)
{
    struct pgtable pgt;
    struct page *page;

    int err = page_alloc(0, PAGE_ALLOC_ZERO, &page);
    if (err)
        return err;
    err = pgtable_init(&pgt);
    if (!err) {
        err = measure_in(&pgt, page, ceiling);
        pgtable_destroy(&pgt);
    }
    page_free(page, 0);
    return err;
}
