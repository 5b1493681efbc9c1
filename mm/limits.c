/* SPDX-License-Identifier: MIT */
/*
 * mm/limits.c - what an address space holds, and whether it may hold more
 *
 * Room:   mm.
 * Owns:   the sums of an address space's areas, by kind; the limits of setrlimit(2) on them.
 * Locks:  mmap_lock held for writing.
 * Always: (1) each sum is that of the areas in the tree: V23.
 * Source: setrlimit(2); proc_pid_status(5).
 * Tour:   after mm/commit.c; then mm/map.c.
 */
#include "internal.h"
#include <mm/commit.h>
#include <uapi/errno.h>

void area_count(struct mm *mm, uint32_t flags, int64_t nr_pages)
{
    mm->total_pages += nr_pages;
    mm->kind_pages[vma_kind(flags)] += nr_pages;
    if (flags & VM_LOCKED)
        mm->locked_pages += nr_pages;
}

bool limits_allow_locked(const struct mm *mm, uint64_t more_pages)
{
    return mm->limits.locked_exempt ||
           (mm->locked_pages + more_pages) << PAGE_SHIFT <= mm->limits.locked;
}

bool limits_allow(const struct mm *mm, uint32_t flags, uint64_t more_pages)
{
    if (mm->total_pages + more_pages > mm->limits.address_space >> PAGE_SHIFT)
        return false;
    return vma_kind(flags) != AREA_DATA ||
           mm->kind_pages[AREA_DATA] + more_pages <= mm->limits.data >> PAGE_SHIFT;
}

int area_may_grow(struct mm *mm, const struct vma *vma, uint64_t more_bytes)
{
    uint64_t pages = more_bytes >> PAGE_SHIFT;

    if ((vma->flags & VM_LOCKED) && !limits_allow_locked(mm, pages))
        return -EAGAIN;
    if (!limits_allow(mm, vma->flags, pages))
        return -ENOMEM;
    return vma->flags & VM_ACCOUNT ? commit_charge(pages, 0) : 0;
}
