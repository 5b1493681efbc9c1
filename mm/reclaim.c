/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim.c - taking pages from an address space when memory has run out
 *
 * Room:   mm. Who gives, and when, is decided by kernel/oom.c.
 * Owns:   which pages can go: those a program said it can lose, and all private ones of the dead.
 * Locks:  mmap_lock for reading.
 * Always: (1) what was reaped is never faulted in again: nobody reads zeros for what was there.
 * Source: mmap(2), MAP_DROPPABLE.
 * Tour:   after mm/zap.c; from kernel/oom.c.
 */
#include "internal.h"

static bool is_droppable(const struct vma *vma)
{
    return vma->flags & VM_DROPPABLE;
}

static bool is_private(const struct vma *vma)
{
    return !(vma->flags & VM_SHARED);
}

static uint64_t resident_pages(const struct mm *mm)
{
    int64_t anon, file;
    mm_rss(mm, &anon, &file);
    return max(anon + file, 0L);
}

/* Zap the areas that are as @chosen says. How many pages went. */
static uint64_t zap_areas(struct mm *mm, bool (*chosen)(const struct vma *vma))
{
    struct tlb_gather gather;
    uint64_t before = resident_pages(mm);

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    tlb_gather_begin(&gather, &mm->pgtable);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        if (chosen(vma))
            zap_range(mm, vma->start, vma->end, ZAP_PAGES, &gather);
    tlb_gather_end(&gather);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    uint64_t after = resident_pages(mm);
    return before > after ? before - after : 0;
}

uint64_t mm_drop(struct mm *mm)
{
    return zap_areas(mm, is_droppable);
}

uint64_t mm_reap(struct mm *mm)
{
    WRITE_ONCE(mm->reaped, true);
    return zap_areas(mm, is_private);
}
