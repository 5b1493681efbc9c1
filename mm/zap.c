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
#include <base/bug.h>

void mm_rss(const struct mm *mm, int64_t *anon, int64_t *file)
{
    *anon = *file = 0;
    for (unsigned i = 0; i < nr_cpus(); i++) {
        *anon += READ_ONCE(mm->cpus[i].rss_anon);
        *file += READ_ONCE(mm->cpus[i].rss_file);
    }
}

static uint64_t rss_sum(const struct mm *mm)
{
    int64_t anon, file;

    mm_rss(mm, &anon, &file);
    return max(anon + file, (int64_t)0); /* somebody may be between two CPUs' counts */
}

uint64_t mm_rss_peak(const struct mm *mm)
{
    return max(READ_ONCE(mm->peak_rss), rss_sum(mm));
}

void mm_rss_peak_reset(struct mm *mm)
{
    WRITE_ONCE(mm->peak_rss, rss_sum(mm));
}

void peaks_note(struct mm *mm)
{
    mm->peak_pages = max(mm->peak_pages, mm->total_pages);
    rss_peak_note(mm);
}

void rss_peak_note(struct mm *mm)
{
    uint64_t now = rss_sum(mm);
    if (now > READ_ONCE(mm->peak_rss))
        WRITE_ONCE(mm->peak_rss, now);
}

/* What one pass along a run found; accounted once at its end. */
struct zapped {
    unsigned entries;     /* taken out */
    unsigned pages, anon; /* to put; of these, private ones */
    unsigned kept;        /* tables that were kept for their leaves */
    unsigned first, end;  /* slots that CPUs may remember */
};

/* Does an entry without a frame, or what is left of one with a frame, go? */
static __cold bool zap_takes(enum zap_what what, enum pte_kind kind)
{
    switch (kind) {
    case PTE_KIND_GUARD:
        return what == ZAP_AREA;
    case PTE_KIND_UFFD_WP:
        return what < ZAP_FROM_OBJECT;
    case PTE_KIND_POISON:
        return what != ZAP_OBJECT_PAGES;
    case PTE_KIND_NONE:
    case PTE_KIND_TABLE:
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
    case PTE_KINDS:
        break;
    }
    return false;
}

/* What was in @slot went; a program is still to be told of the first write to what comes there. */
static __cold void zap_leaves_mark(pte_t *slot, struct zapped *z)
{
    if (bug_is_back(BUG_B61))
        return;
    pte_write(slot, pte_uffd_wp_marker());
    z->entries--;
}

/* Slot @i goes. Returns the page whose leaf it was; NULL: none that is counted. */
static __force_inline struct page *zap_slot(pte_t *slot, unsigned i, enum pt_level level,
                                            enum zap_what what, struct zapped *z)
{
    pte_t pte = pte_read(slot);
    if (!pte_has_frame(pte)) {
        if (!pte_is_none(pte) && zap_takes(what, pte_kind(pte, level))) {
            pte_write(slot, pte_none());
            z->entries++;
            if (what >= ZAP_FROM_OBJECT && pte_is_uffd_wp(pte))
                zap_leaves_mark(slot, z);
        }
        return NULL;
    }
    struct page *page = page_head(phys_to_page(pte_phys(pte, level)));
    bool anon = page->state == PAGE_ANON;
    if (what == ZAP_OBJECT_PAGES && anon)
        return NULL;
    pte = pte_exchange(slot, pte_none());
    z->entries++;
    if (what >= ZAP_FROM_OBJECT && unlikely(pte_is_uffd_wp(pte)))
        zap_leaves_mark(slot, z);
    if (pte_is_present(pte)) {
        z->first = min(z->first, i);
        z->end = i + 1;
    }
    if (level > PT_4K)
        z->kept += leaf_keeps_table(pte, level);
    if (page_is_zeros(page))
        return NULL;
    atomic_fetch_sub_explicit(&page->mapcount, 1, memory_order_relaxed);
    if (level > PT_4K)
        thp_leaf_gone(page_folio(page));
    z->anon += anon;
    return page;
}

static void zapped_account(struct mm *mm, const struct pt_run *run, const struct zapped *z,
                           struct tlb_gather *gather)
{
    uint64_t size = pt_level_size(run->level);
    struct mm_cpu *cpu = &mm->cpus[cpu_id()];

    pt_entries_gone(run->table, z->entries);
    for (unsigned i = 0; i < z->kept; i++)
        pt_spare_put(run->pgt, pt_kept_take(run->table));
    cpu->rss_anon -= (int64_t)(z->anon * (size >> PAGE_SHIFT));
    cpu->rss_file -= (int64_t)((z->pages - z->anon) * (size >> PAGE_SHIFT));
    if (z->end)
        tlb_gather_range(gather, run->va + z->first * size, run->va + z->end * size, run->level);
}

/* A large leaf that is only partly in the range came after the range's borders were split. Of an
 * object it goes all the same: truncation counts on it, and it can be had again. */
static bool spared(const struct pt_run *run)
{
    bool part = run->from > run->va ||
                (run->level > PT_4K && run->va + pt_level_size(run->level) > run->end);
    if (likely(!part))
        return false;
    pte_t pte = pte_read(run->slot);
    return pte_has_frame(pte) && phys_to_page(pte_phys(pte, run->level))->state != PAGE_OBJECT;
}

/* Slots [from, end) go. Inline: the loops over small leaves ask nothing about large ones, and that
 * of munmap() nothing about marks. */
static __force_inline void zap_each(const struct pt_run *run, unsigned from, unsigned end,
                                    enum pt_level level, enum zap_what what, struct page **pages,
                                    struct zapped *z)
{
    pte_t *slot = run->slot;

    for (unsigned i = from; i < end; i++) {
        struct page *page = zap_slot(slot + i, i, level, what, z);
        if (page)
            pages[z->pages++] = page;
    }
}

/* As many slots as the gather has room for; returns how many were done. */
static unsigned zap_slots(struct mm *mm, struct pt_run *run, unsigned from, enum zap_what what,
                          struct tlb_gather *gather)
{
    struct page **pages = gather->pages + gather->nr_pages;
    struct zapped z = {.first = PT_ENTRIES};

    if (what != ZAP_OBJECT_PAGES)
        bug_moment(BUG_B13);
    bug_moment(BUG_B26);
    pt_run_lock(run);
    unsigned end = min(run->nr, from + tlb_gather_room(gather));
    if (spared(run))
        from = end;
    if (likely(run->level == PT_4K) && what == ZAP_AREA)
        zap_each(run, from, end, PT_4K, ZAP_AREA, pages, &z);
    else if (likely(run->level == PT_4K))
        zap_each(run, from, end, PT_4K, what, pages, &z);
    else
        zap_each(run, from, end, run->level, what, pages, &z);
    gather->nr_pages += z.pages;
    zapped_account(mm, run, &z, gather);
    spin_unlock(pt_lock(run->table));
    return end;
}

void zap_range(struct mm *mm, uint64_t start, uint64_t end, enum zap_what what,
               struct tlb_gather *gather)
{
    struct pt_near *near = &mm->cpus[cpu_id()].near;
    struct pt_run run;

    for (pt_run_first_near(&run, &mm->pgtable, near, user(start), user(end)); run.nr;
         pt_run_next(&run)) {
        for (unsigned done = 0; done < run.nr;) {
            done = zap_slots(mm, &run, done, what, gather);
            if (!tlb_gather_room(gather))
                tlb_gather_flush(gather);
        }
    }
}

static int guard_page(struct mm *mm, uint64_t va, bool *guarded)
{
    struct pt_walk walk;
    int err = pt_walk_alloc(&mm->pgtable, user(va), PT_4K, &walk);
    if (err)
        return err;
    spin_lock(pt_lock(walk.table));
    pte_t pte = pte_read(walk.slot);
    *guarded = pte_kind(pte, walk.level) == PTE_KIND_GUARD;
    if (!*guarded && walk.level == PT_4K && !pte_has_frame(pte)) {
        pt_set(walk.table, walk.slot, pte_guard());
        *guarded = true;
    }
    spin_unlock(pt_lock(walk.table));
    return 0;
}

int guard_range(struct mm *mm, uint64_t start, uint64_t end, struct tlb_gather *gather)
{
    thp_split_borders(mm, start, end);
    zap_range(mm, start, end, ZAP_PAGES, gather);
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        bool guarded;
        int err = guard_page(mm, va, &guarded);
        if (err)
            return err;
        if (guarded)
            continue;
        thp_split_borders(mm, va, va + PAGE_SIZE); /* a fault was faster: once more */
        zap_range(mm, va, va + PAGE_SIZE, ZAP_PAGES, gather);
        va -= PAGE_SIZE;
    }
    tlb_gather_others(gather, start, end);
    return 0;
}

void unmark_range(struct mm *mm, uint64_t start, uint64_t end, enum pte_kind mark)
{
    struct pt_run run;

    for (pt_run_first(&run, &mm->pgtable, user(start), user(end)); run.nr; pt_run_next(&run)) {
        pt_run_lock(&run);
        for (unsigned i = 0; i < run.nr; i++)
            if (pte_kind(pte_read(&run.slot[i]), run.level) == mark)
                pt_set(run.table, &run.slot[i], pte_none());
        spin_unlock(pt_lock(run.table));
    }
}
