/* SPDX-License-Identifier: MIT */
/*
 * mm/zap.c - taking leaves out of an address space
 *
 * Room:   mm.
 * Owns:   the one loop that removes leaves and drops what they referred to.
 * Locks:  each table's lock along a run.
 * Always: (1) a page's reference is dropped only through the gather, after the flush;
 *         (2) its mapcount falls at once, under the table's lock.
 * Source: asm/tlb.h.
 * Tour:   after asm/tlb.h, before mm/map.c.
 */
#include "internal.h"

void rss_add(struct mm *mm, const struct folio *folio, int64_t nr_leaves_4k)
{
    _Atomic int64_t *counter = folio->page.state == PAGE_ANON ? &mm->rss_anon : &mm->rss_file;
    atomic_fetch_add_explicit(counter, nr_leaves_4k, memory_order_relaxed);
}

struct zap {
    struct mm *mm;
    struct object *only; /* NULL: everything */
    struct tlb_gather *gather;
};

/* Is this page the object's, or was it until a moment ago? Private copies are neither. */
static bool wanted(const struct zap *zap, const struct page *page)
{
    return !zap->only || page->state != PAGE_ANON;
}

static void zap_slot(struct zap *zap, struct pt_run *run, unsigned i)
{
    pte_t pte = pte_read(&run->slot[i]);
    if (pte_is_none(pte))
        return;
    uint64_t size = pt_level_size(run->level);
    struct page *page = page_head(phys_to_page(pte_phys(pte, run->level)));
    if (page != zero_page && !wanted(zap, page))
        return;
    pte = pt_set(run->table, &run->slot[i], pte_none());
    if (pte_needs_flush(pte, pte_none()))
        tlb_gather_leaf(zap->gather, run->va + i * size, run->level);
    if (page == zero_page)
        return;
    atomic_fetch_sub_explicit(&page->mapcount, 1, memory_order_relaxed);
    rss_add(zap->mm, page_folio(page), -(int64_t)(size >> PAGE_SHIFT));
    tlb_gather_page(zap->gather, page);
}

/* As many slots as the gather has room for; returns how many were done. */
static unsigned zap_slots(struct zap *zap, struct pt_run *run, unsigned from)
{
    unsigned i = from;
    spin_lock(pt_lock(run->table));
    for (; i < run->nr && tlb_gather_room(zap->gather); i++)
        zap_slot(zap, run, i);
    spin_unlock(pt_lock(run->table));
    return i;
}

static void zap_runs(struct zap *zap, uint64_t start, uint64_t end)
{
    struct pt_run run = pt_run_first(&zap->mm->pgtable, user(start), user(end));
    for (; run.nr; pt_run_next(&run)) {
        for (unsigned done = 0; done < run.nr;) {
            done = zap_slots(zap, &run, done);
            if (!tlb_gather_room(zap->gather))
                tlb_gather_flush(zap->gather);
        }
    }
}

void zap_range(struct mm *mm, uint64_t start, uint64_t end, struct tlb_gather *gather)
{
    zap_runs(&(struct zap){mm, NULL, gather}, start, end);
}

void zap_object_range(struct mm *mm, struct object *object, uint64_t start, uint64_t end,
                      struct tlb_gather *gather)
{
    zap_runs(&(struct zap){mm, object, gather}, start, end);
}
