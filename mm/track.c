/* SPDX-License-Identifier: MIT */
/*
 * mm/track.c - which pages are written, or touched, from now on?
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for writing, all of it, to track writes: no fault is on its way; for reading
 *         to track accesses; tables' locks along runs.
 * Always: (1) from the return of mm_track_writes() to the next, a page that is written is soft
 *             dirty: no leaf is writable before that, and no CPU remembers one that was.
 * Source: Linux Documentation/admin-guide/mm/soft-dirty.rst (behaviour); trust.md B08.
 * Tour:   after mm/protect.c; mm/usage.c tells what was found.
 */
#include "internal.h"
#include <mm/usage.h>

/* Claim 1 for a run; gathers what CPUs may remember as writable. */
static void clean_run(struct pt_run *run, struct tlb_gather *gather)
{
    uint64_t size = pt_level_size(run->level);
    unsigned first = 0, end = 0;

    pt_run_lock(run);
    for (unsigned i = 0; i < run->nr; i++) {
        if (!pte_has_frame(pte_read(run->slot + i)) ||
            !pte_is_writable(pte_clear_soft_dirty(run->slot + i)))
            continue;
        first = end ? first : i;
        end = i + 1;
    }
    spin_unlock(pt_lock(run->table));
    if (end)
        tlb_gather_range(gather, run->va + first * size, run->va + end * size, run->level);
}

void mm_track_writes(struct mm *mm)
{
    struct tlb_gather gather;

    rwsem_write_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        vma->flags &= ~VM_SOFT_DIRTY;
    tlb_gather_begin(&gather, &mm->pgtable);
    struct pt_run run;

    for (pt_run_first(&run, &mm->pgtable, user(0), user(USER_END)); run.nr; pt_run_next(&run))
        clean_run(&run, &gather);
    tlb_gather_end(&gather);
    rwsem_write_unlock(&mm->mmap_lock);
}

static void area_forget_accesses(const struct vma *vma)
{
    struct pt_run run;

    for (pt_run_first(&run, &vma->mm->pgtable, user(vma->start), user(vma->end)); run.nr;
         pt_run_next(&run)) {
        pt_run_lock(&run);
        for (unsigned i = 0; i < run.nr; i++)
            if (pte_has_frame(pte_read(run.slot + i)))
                pte_clear_young(run.slot + i);
        spin_unlock(pt_lock(run.table));
    }
}

void mm_track_accesses(struct mm *mm, enum area_backing backing)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        if (backing == AREAS_ALL || (backing == AREAS_OF_OBJECTS) == !!vma->object)
            area_forget_accesses(vma);
    rwsem_read_unlock(&mm->mmap_lock, reader);
}
