/* SPDX-License-Identifier: MIT */
/*
 * mm/thp.c - transparent huge pages: blocks of 2 MiB where small pages would do
 *
 * Room:   mm.
 * Owns:   the policy, the events, and how a huge leaf of private memory becomes small ones.
 * Locks:  the lock of the table that holds the huge leaf.
 * Always: (1) a huge leaf lies in one area: whoever cuts an area splits what lies across the cut;
 *         (2) a block with one leaf and one owner falls into pages when that leaf is split; else
 *             each small leaf owns a reference on it, and it dies with the last;
 *         (3) beside each huge leaf of private memory lies a table: splitting cannot fail;
 *         (4) no CPU ever knows a huge and a small executable translation of one address.
 * Source: Linux Documentation/mm/transhuge.rst (behaviour); trust.md B23.
 * Tour:   after mm/fault.c; then mm/collapse.c.
 */
#include "internal.h"
#include <asm/cpu.h>
#include <base/bug.h>
#include <uapi/errno.h>

/* Linux gives out no huge pages by itself where they could be a good part of all memory. */
#define SMALL_MACHINE (512 * MIB / PAGE_SIZE)

/* What a fault leaves free for pages of 4 KiB: a sixteenth of memory. */
#define RESERVE_SHIFT 4

unsigned thp_mode = THP_NEVER;

static struct {
    int64_t events[THP_EVENTS]; /* of one CPU; only the sums mean much */
} __aligned(CACHE_LINE_SIZE) cpu_counts[MAX_CPUS];

void thp_boot_init(void)
{
    struct page_counts counts;
    page_counts(&counts);
    thp_mode = counts.total < SMALL_MACHINE ? THP_NEVER : THP_ALWAYS;
}

void thp_count(enum thp_event event, int64_t nr)
{
    cpu_counter_add(&cpu_counts[cpu_id()].events[event], nr);
}

uint64_t thp_events(enum thp_event event)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < nr_cpus(); i++)
        sum += READ_ONCE(cpu_counts[i].events[event]);
    return sum;
}

bool thp_has_plenty(void)
{
    struct page_counts counts;

    page_counts(&counts);
    return counts.free >= PT_ENTRIES + (counts.total >> RESERVE_SHIFT);
}

int thp_block_alloc(enum thp_reserve reserve, unsigned alloc_flags, struct page **out)
{
    if (reserve == THP_LEAVE_SOME && !thp_has_plenty())
        return -ENOMEM;
    return page_alloc(HUGE_ORDER, alloc_flags, out);
}

int thp_page_alloc(enum thp_reserve reserve, unsigned alloc_flags, struct page **out)
{
    int err = thp_block_alloc(reserve, alloc_flags | PAGE_ALLOC_AS(PAGE_ANON), out);
    if (err)
        return err;
    (*out)->object = NULL;
    atomic_store_explicit(&(*out)->huge_leaves, 0, memory_order_relaxed);
    return 0;
}

static enum thp_event mapped_kind(const struct folio *folio)
{
    return folio->page.state == PAGE_ANON ? THP_ANON : THP_OBJECT;
}

/* Of an object of huge pages only: its leaves are not counted, for they are never split. */
static bool is_huge_for_ever(const struct folio *folio)
{
    return folio->page.state == PAGE_HUGETLB || folio->page.state == PAGE_SECRET;
}

void thp_leaf_added(struct mm *mm, struct folio *folio)
{
    if (is_huge_for_ever(folio))
        return;
    WRITE_ONCE(mm->has_huge, true);
    thp_scan_add(mm);
    if (!atomic_fetch_add(&folio->page.huge_leaves, 1))
        thp_count(mapped_kind(folio), 1);
}

void thp_leaf_gone(struct folio *folio)
{
    if (!is_huge_for_ever(folio) && atomic_fetch_sub(&folio->page.huge_leaves, 1) == 1)
        thp_count(mapped_kind(folio), -1);
}

/* Claim 4: the huge leaf of an area that may be executed stops being executable everywhere. */
static void stop_execution(const struct vma *vma, const struct pt_walk *walk, uint64_t va)
{
    pgprot_t prot = pgprot_pkey(pgprot_user(), vma->pkey);
    struct tlb_gather gather;

    tlb_gather_begin(&gather, &vma->mm->pgtable);
    spin_lock(pt_lock(walk->table));
    pte_t pte = pte_read(walk->slot);
    if (pte_kind(pte, walk->level) == PTE_KIND_LEAF) {
        pt_set(walk->table, walk->slot,
               pte_with_prot(pte, pte_is_writable(pte) ? pgprot_write(prot) : prot));
        if (!bug_is_back(BUG_B73))
            tlb_gather_leaf(&gather, round_down(va, HUGE_SIZE), PT_2M);
    }
    spin_unlock(pt_lock(walk->table));
    tlb_gather_end(&gather);
}

/* Claim 2. The table locked. */
static void share_out(struct page *head)
{
    if (page_is_zeros(head))
        return;
    thp_leaf_gone(page_folio(head));
    if (folio_refcount(page_folio(head)) == 1) {
        folio_break(page_folio(head), 1);
        thp_count(THP_SPLIT_PAGE, 1);
        return;
    }
    if (bug_is_back(BUG_B05)) {
        atomic_fetch_sub(&head->refcount, 1);
        bug_moment(BUG_B05);
        atomic_fetch_add(&head->refcount, 1);
    }
    atomic_fetch_add_explicit(&head->refcount, PT_ENTRIES - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&head->mapcount, PT_ENTRIES - 1, memory_order_relaxed);
}

/* The leaf that walk found becomes a table, if it still is one. */
static void split_leaf(const struct vma *vma, const struct pt_walk *walk)
{
    spin_lock(pt_lock(walk->table));
    pte_t leaf = pte_read(walk->slot);
    if (pte_has_frame(leaf) && pte_kind(leaf, walk->level) != PTE_KIND_TABLE) {
        pgprot_t prot = vma_pgprot(vma);
        share_out(phys_to_page(pte_phys(leaf, walk->level)));
        pt_split(walk, pte_with_prot(leaf, pte_is_writable(leaf) ? pgprot_write(prot) : prot),
                 pt_kept_take(walk->table));
        thp_count(THP_SPLIT_PMD, 1);
    }
    spin_unlock(pt_lock(walk->table));
}

/* An object's pages are found again by faults: the leaf just goes. */
static void drop_leaf(const struct vma *vma, uint64_t unit)
{
    struct tlb_gather gather;

    tlb_gather_begin(&gather, &vma->mm->pgtable);
    zap_range(vma->mm, unit, unit + HUGE_SIZE, ZAP_OBJECT_PAGES, &gather);
    tlb_gather_end(&gather);
    thp_count(THP_SPLIT_PMD, 1);
}

void thp_split(const struct vma *vma, uint64_t va)
{
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(va));

    if (walk.level != PT_2M || vma_unit(vma) != PAGE_SIZE || pte_is_none(pte_read(walk.slot)))
        return;
    if (vma->object) {
        drop_leaf(vma, round_down(va, HUGE_SIZE));
        return;
    }
    if ((vma->flags & VM_EXEC) && !bug_is_back(BUG_B23))
        stop_execution(vma, &walk, va);
    split_leaf(vma, &walk);
}

static void split_at(struct mm *mm, uint64_t va)
{
    const struct vma *vma = is_aligned(va, HUGE_SIZE) ? NULL : vma_find(mm, va);
    if (vma)
        thp_split(vma, va);
}

void thp_split_borders(struct mm *mm, uint64_t start, uint64_t end)
{
    if (likely(!READ_ONCE(mm->has_huge)))
        return;
    split_at(mm, start);
    split_at(mm, end);
}
