/* SPDX-License-Identifier: MIT */
/*
 * mm/usage.c - counting the leaves of an area, and looking at single ones
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for reading (the caller's); tables' locks along runs.
 * Always: (1) see include/mm/usage.h.
 * Source: proc_pid_smaps(5); Linux fs/proc/task_mmu.c (behaviour).
 * Tour:   after include/mm/usage.h.
 */
#include "internal.h"
#include <lib/string.h>
#include <mm/usage.h>

/* How many leaves map the page. Of a block that small leaves map, an average. */
static uint64_t leaves_of(const struct page *page, enum pt_level level)
{
    uint64_t leaves = atomic_load_explicit(&page->mapcount, memory_order_relaxed);
    return level == PT_4K ? max(leaves >> page->order, 1UL) : leaves;
}

static void add_leaf(const struct vma *vma, pte_t pte, enum pt_level level, struct area_usage *u)
{
    struct page *page = page_head(phys_to_page(pte_phys(pte, level)));
    uint64_t size = pt_level_size(level);

    if (page_is_zeros(page))
        return;
    uint64_t leaves = leaves_of(page, level);
    u->most_leaves = max(u->most_leaves, leaves);
    if (vma->flags & VM_HUGETLB) {
        *(leaves > 1 ? &u->hugetlb_shared : &u->hugetlb_private) += size;
        return;
    }
    bool anon = page->state == PAGE_ANON, dirty = pte_is_dirty(pte);
    u->resident += size;
    u->share += size / leaves;
    u->share_anon += anon ? size / leaves : 0;
    u->share_dirty += dirty ? size / leaves : 0;
    *(leaves > 1 ? dirty ? &u->shared_dirty : &u->shared_clean
      : dirty    ? &u->private_dirty
                 : &u->private_clean) += size;
    u->referenced += pte_is_young(pte) ? size : 0;
    u->anonymous += anon ? size : 0;
    if (level > PT_4K)
        *(anon ? &u->huge_anon : &u->huge_object) += size;
}

void area_usage_add(struct vma *vma, struct area_usage *u)
{
    struct pt_run run;

    for (pt_run_first(&run, &vma->mm->pgtable, user(vma->start), user(vma->end)); run.nr;
         pt_run_next(&run)) {
        pt_run_lock(&run);
        for (unsigned i = 0; i < run.nr; i++)
            if (pte_has_frame(pte_read(&run.slot[i])))
                add_leaf(vma, pte_read(&run.slot[i]), run.level, u);
        spin_unlock(pt_lock(run.table));
    }
}

uint64_t mm_hugetlb_pages(struct mm *mm)
{
    struct area_usage u = {0};

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        if (vma->flags & VM_HUGETLB)
            area_usage_add(vma, &u);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return (u.hugetlb_shared + u.hugetlb_private) >> PAGE_SHIFT;
}

static void see_leaf(pte_t pte, enum pt_level level, uint64_t offset, struct page_seen *out)
{
    struct page *frame = phys_to_page(pte_phys(pte, level)), *page = page_head(frame);

    out->present = true;
    out->uffd_wp = pte_is_uffd_wp(pte);
    out->soft_dirty = pte_is_soft_dirty(pte);
    out->frame_number = (page_to_phys(frame).raw + offset) >> PAGE_SHIFT;
    out->huge = level > PT_4K;
    out->zeros = page_is_zeros(page);
    if (out->zeros)
        return;
    out->alone = leaves_of(page, level) == 1;
    out->object = !page_is_private(page);
}

/* One slot of a run: all pages that it covers between @addr and the end of @out. */
static void see_slot(const struct pt_run *run, unsigned i, uint64_t addr, unsigned nr,
                     struct page_seen *out)
{
    uint64_t size = pt_level_size(run->level), start = run->va + i * size;
    uint64_t from = max(start, addr), end = min(start + size, addr + nr * PAGE_SIZE);
    pte_t pte = pte_read(&run->slot[i]);

    for (uint64_t at = from; at < end; at += PAGE_SIZE) {
        struct page_seen *seen = &out[(at - addr) >> PAGE_SHIFT];
        seen->has_slot = true;
        switch (pte_kind(pte, run->level)) {
        case PTE_KIND_LEAF:
        case PTE_KIND_PROTNONE:
            see_leaf(pte, run->level, at - start, seen);
            break;
        case PTE_KIND_GUARD:
            seen->guard = true;
            seen->uffd_wp = pte_is_uffd_wp(pte);
            break;
        case PTE_KIND_POISON:
            seen->poison = true;
            seen->uffd_wp = pte_is_uffd_wp(pte);
            break;
        case PTE_KIND_UFFD_WP:
            seen->uffd_wp = true;
            break;
        case PTE_KIND_NONE:
        case PTE_KIND_TABLE:
        case PTE_KINDS:
            break;
        }
    }
}

uint64_t pages_skip(struct mm *mm, uint64_t addr, uint64_t end)
{
    struct pt_run run;
    pt_run_first(&run, &mm->pgtable, user(addr), user(end));
    return run.nr ? run.from : end;
}

/* In an area that is new everything is. */
static void see_new_areas(struct mm *mm, uint64_t addr, unsigned nr, struct page_seen *out)
{
    uint64_t end = addr + nr * PAGE_SIZE;

    for (struct vma *vma = vma_find_from(mm, addr); vma && vma->start < end; vma = vma_next(vma))
        for (uint64_t at = max(vma->start, addr);
             (vma->flags & VM_SOFT_DIRTY) && at < min(vma->end, end); at += PAGE_SIZE)
            out[(at - addr) >> PAGE_SHIFT].soft_dirty = true;
}

void pages_see(struct mm *mm, uint64_t addr, unsigned nr, struct page_seen *out)
{
    struct pt_run run;
    pt_run_first(&run, &mm->pgtable, user(addr), user(addr + nr * PAGE_SIZE));

    memset(out, 0, nr * sizeof(*out));
    for (; run.nr; pt_run_next(&run)) {
        pt_run_lock(&run);
        for (unsigned i = 0; i < run.nr; i++)
            see_slot(&run, i, addr, nr, out);
        spin_unlock(pt_lock(run.table));
    }
    see_new_areas(mm, addr, nr, out);
}

int area_takes_huge(const struct vma *vma)
{
    uint64_t unit = round_up(vma->start, HUGE_SIZE);

    if (!vma->object)
        return thp_allows(vma, unit);
    return thp_fits_object(vma, unit) && shmem_wants_huge(vma->object, vma->pgoff, thp_wanted(vma));
}
