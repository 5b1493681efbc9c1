/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_gather.c - what a call took away, until one flush has made it safe to free
 *
 * Room:   arch.
 * Owns:   nothing: the gather is its caller's.
 * Locks:  none; see asm/tlb.h.
 * Always: (1) flush, then free: at once, or when other CPUs have forgotten anyway (mm/limbo.c).
 * Source: asm/tlb.h.
 * Tour:   after arch/x86_64/tlb.c.
 */
#include "percpu.h"
#include "tlb_local.h"
#include <base/bug.h>
#include <mm/buddy.h>
#include <mm/limbo.h>
#include <mm/page.h>

void tlb_gather_begin(struct tlb_gather *g, struct pgtable *pgt)
{
    g->pgt = pgt;
    g->nr_pages = 0;
    g->tables = g->may_be_late = false;
    g->start = ~0UL;
    g->end = 0;
    g->stride = ~0UL;
    tlb_gather_settles(g, 0, 0);
    list_init(&g->tables_list);
}

void tlb_gather_page(struct tlb_gather *g, struct page *page)
{
    if (!tlb_gather_room(g))
        tlb_gather_flush(g);
    g->pages[g->nr_pages++] = page;
}

void tlb_gather_table(struct tlb_gather *g, struct page *table)
{
    list_add(&table->list, &g->tables_list);
    g->tables = true;
}

/* By which one address in each leaf is found. */
static uint64_t stride_of(const struct tlb_gather *g)
{
    return bug_is_back(BUG_B74) ? pt_level_size(PT_2M) : g->stride;
}

/* INVLPG of any address drops the paging-structure caches; without a leaf, flush all. */
static void forget(const struct tlb_gather *g)
{
    if (tlb_gather_is_empty(g)) {
        tlb_shoot_down(g, 0, ~0UL, PAGE_SIZE);
        return;
    }
    tlb_shoot_down(g, g->start, g->end, stride_of(g));
    atomic_fetch_sub(&g->pgt->unflushed, 1);
}

static void free_pages(struct tlb_gather *g)
{
    if (g->nr_pages)
        folios_put(g->pages, g->nr_pages);
}

static void free_too_early(struct tlb_gather *g)
{
    free_pages(g);
    g->nr_pages = 0;
    bug_moment(BUG_B72);
}

/* They are empty. */
static void free_tables(struct tlb_gather *g)
{
    while (!list_empty(&g->tables_list)) {
        struct page *table = list_first_entry(&g->tables_list, struct page, list);
        list_del(&table->list);
        page_free_blank(table);
    }
}

/* Policies that ask nobody: what was gathered waits in limbo. False: no memory for that. */
static __cold bool end_late(struct tlb_gather *g)
{
    struct limbo_batch *batch = limbo_batch_of(g);
    struct pgtable *pgt = g->pgt;

    if (!batch)
        return false;
    uint64_t generation = tlb_gather_is_empty(g)
                              ? tlb_forget_here(pgt, 0, ~0UL, PAGE_SIZE)
                              : tlb_forget_here(pgt, g->start, g->end, g->stride);
    uint64_t late = atomic_load(&pgt->late);
    while (late < generation && !atomic_compare_exchange_weak(&pgt->late, &late, generation))
        ;
    if (!tlb_gather_is_empty(g))
        atomic_fetch_sub(&pgt->unflushed, 1);
    limbo_add(batch, generation);
    return true;
}

static bool should_be_late(const struct tlb_gather *g)
{
    return g->may_be_late && tlb_settings.policy >= TLB_LATE && tlb_has_others(g->pgt);
}

void tlb_gather_end(struct tlb_gather *g)
{
    if (DEBUG >= 1)
        tlb_ledger_note(g);
    if (bug_is_back(BUG_B72))
        free_too_early(g);
    if (g->tables || !tlb_gather_is_empty(g)) {
        if (unlikely(should_be_late(g)) && end_late(g))
            return;
        forget(g);
    }
    free_pages(g);
    if (g->tables)
        free_tables(g);
    if (DEBUG >= 1 && unlikely(tlb_probe_every))
        tlb_probe(g->pgt, g->settled, g->settled_end);
}

void tlb_gather_flush(struct tlb_gather *g)
{
    bool may_be_late = g->may_be_late;

    tlb_gather_end(g);
    tlb_gather_begin(g, g->pgt);
    g->may_be_late = may_be_late;
}
