/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_ledger.c - a frame that is given out is one that every CPU has forgotten
 *
 * Room:   arch. Debug builds.
 * Owns:   notes of the frames that left an address space last.
 * Locks:  none: who finds a note busy does without it.
 * Always: (1) a note says in which generation the flush is to be; whether it came, and to whom, is
 *             asked when the frame is given out, whoever freed it, and when;
 *         (2) a frame whose note made way for another's is not asked about.
 * Source: trust.md 2b, T2: an error of logic is seen even if nobody remembers anything.
 * Tour:   after arch/x86_64/tlb_gather.c.
 */
#include "roots.h"
#include "tlb_local.h"

#include <base/panic.h>
#include <mm/page.h>

#define NOTES      (DEBUG >= 1 ? 4096 : 1)
#define MOST_NOTED 512UL /* frames of one block */

static struct note {
    _Atomic bool busy;
    bool walk;    /* it was a table */
    uint64_t pfn; /* 0: none */
    uint64_t space, generation;
    uint64_t holders; /* CPUs that might have remembered it */
} notes[NOTES];

/* Where that of @pfn would be; busy, or NULL. */
static struct note *note_take(uint64_t pfn)
{
    struct note *n = &notes[pfn % NOTES];

    return atomic_exchange(&n->busy, true) ? NULL : n;
}

static void note_give(struct note *n)
{
    atomic_store_explicit(&n->busy, false, memory_order_release);
}

static void note_block(const struct page *head, const struct tlb_gather *g, bool walk)
{
    const struct pgtable *pgt = g->pgt;
    uint64_t holders = roots_holders(g);
    uint64_t first = page_to_pfn(head), nr = min(1UL << head->order, MOST_NOTED);
    uint64_t generation = atomic_load(&pgt->generation) + 1;

    for (uint64_t pfn = first; pfn < first + nr; pfn++) {
        struct note *n = note_take(pfn);
        if (!n)
            continue;
        n->pfn = pfn;
        n->walk = walk;
        n->space = pgt->id;
        n->generation = generation;
        n->holders = holders;
        note_give(n);
    }
}

void tlb_ledger_note(const struct tlb_gather *g)
{
    struct page *table;

    if (!g->tables && tlb_gather_is_empty(g))
        return; /* nobody can remember any of it: there will be no flush */
    for (unsigned i = 0; i < g->nr_pages; i++)
        note_block(g->pages[i], g, false);
    list_for_each_entry (table, &g->tables_list, list)
        note_block(table, g, true);
}

static void look_at_frame(uint64_t pfn)
{
    struct note *n = note_take(pfn);

    if (!n)
        return;
    uint64_t guilty =
        n->pfn == pfn ? tlb_suspects(n->space, n->generation, n->walk) & n->holders : 0;
    ASSERT(!guilty, "V25: frame %lx is given out, and CPUs %#lx have not flushed space %lu for %lu",
           pfn, guilty, n->space, n->generation);
    n->pfn = n->pfn == pfn ? 0 : n->pfn;
    note_give(n);
}

void tlb_ledger_look(const struct page *page, unsigned order)
{
    uint64_t first = page_to_pfn(page);

    for (uint64_t pfn = first; pfn < first + (1UL << order); pfn++)
        look_at_frame(pfn);
}
