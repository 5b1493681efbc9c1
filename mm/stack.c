/* SPDX-License-Identifier: MIT */
/*
 * mm/stack.c - areas that grow down
 *
 * Room:   mm.
 * Owns:   how far and how near to others they may grow.
 * Locks:  mmap_lock held for writing.
 * Always: (1) below a stack STACK_GUARD_GAP stays free of what a program could use.
 * Source: mmap(2), "MAP_GROWSDOWN"; CVE-2017-1000364 (stack clash).
 * Tour:   after mm/fault.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/commit.h>

/* Must @vma, growing down to @start, keep away from what lies below it? */
static bool keeps_distance(const struct vma *vma, uint64_t start)
{
    const struct vma *below = vma_prev(vma);
    bool counts = below && (below->flags & VM_RIGHTS) && !(below->flags & VM_GROWSDOWN);

    return !counts || start - below->end >= STACK_GUARD_GAP || bug_is_back(BUG_B34);
}

bool stack_grow(struct mm *mm, uint64_t addr)
{
    struct vma *vma = vma_find_from(mm, addr);
    uint64_t start = round_down(addr, PAGE_SIZE);

    if (!vma)
        return false;
    if (vma->start <= addr)
        return true; /* somebody else was faster */
    if (!(vma->flags & VM_GROWSDOWN) || start < vm_settings.mmap_min_addr ||
        !keeps_distance(vma, start))
        return false;
    vma_anon_begin(vma);
    if (vma->end - start > mm->limits.stack || area_may_grow(mm, vma, vma->start - start))
        return false;
    uint64_t pages = (vma->start - start) >> PAGE_SHIFT;
    late_settle(mm, start, vma->start);
    area_count(mm, vma->flags, pages);
    vma_set_start(vma, start);
    return true;
}

bool mm_stack_grow(struct mm *mm, uint64_t addr)
{
    rwsem_write_lock(&mm->mmap_lock);
    bool reaches = stack_grow(mm, addr);
    rwsem_write_unlock(&mm->mmap_lock);
    return reaches;
}
