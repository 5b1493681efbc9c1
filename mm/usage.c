/* SPDX-License-Identifier: MIT */
/*
 * mm/usage.c - counting the leaves of an area
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for reading (the caller's); tables' locks along runs.
 * Always: (1) see include/mm/usage.h.
 * Source: proc_pid_smaps(5); Linux fs/proc/task_mmu.c (behaviour).
 * Tour:   after include/mm/usage.h.
 */
#include "internal.h"
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

    if (page_is_zeros(page) || (vma->flags & VM_HUGETLB))
        return;
    uint64_t leaves = leaves_of(page, level);
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
    struct pt_run run = pt_run_first(&vma->mm->pgtable, user(vma->start), user(vma->end));

    for (; run.nr; pt_run_next(&run)) {
        pt_run_lock(&run);
        for (unsigned i = 0; i < run.nr; i++)
            if (pte_has_frame(pte_read(&run.slot[i])))
                add_leaf(vma, pte_read(&run.slot[i]), run.level, u);
        spin_unlock(pt_lock(run.table));
    }
}

int area_takes_huge(const struct vma *vma)
{
    uint64_t unit = round_up(vma->start, HUGE_SIZE);

    if (!vma->object)
        return thp_allows(vma, unit);
    return thp_fits_object(vma, unit) && shmem_wants_huge(vma->object, vma->pgoff, thp_wanted(vma));
}
