/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault_wp.c - write-protection that a program is told of, page by page
 *
 * Room:   mm.
 * Owns:   marking, and unmarking.
 * Locks:  mmap_lock held, for reading at least; tables' locks along runs.
 * Always: (1) a marked leaf is never writable, and lies in an area with VM_UFFD_WP;
 *         (2) where nothing is mapped a mark stands alone, if the area's object may have a page
 *             there all the same, or if the program wants to know of first writes, too.
 * Source: Linux Documentation/admin-guide/mm/userfaultfd.rst; trust.md B08, B60, B61.
 * Tour:   after mm/fault_watch.c; mm/protect.c is the other way to change rights.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

pte_t leaf_untold(const struct vma *vma, pte_t pte, bool written)
{
    bool exclusive = pte_is_exclusive(pte), present = pte_is_present(pte);
    pte_t next = pte_without_uffd_wp(pte);

    written |= pte_is_soft_dirty(pte);
    return present && vma_leaf_may_write(vma->flags, exclusive, written)
               ? pte_made_writable(written ? pte_made_dirty(next) : next)
               : next;
}

/* Claim 2. */
static bool marks_stand_alone(const struct vma *vma)
{
    return vma->object || vma->userfault->wp_unpopulated;
}

/* What the entry becomes. Guards, and what is lost, are marked by who notes writes alone, once and
 * for all: he is not told of them again. */
static pte_t entry_told(const struct vma *vma, pte_t pte, enum pt_level level, enum tell tell)
{
    switch (pte_kind(pte, level)) {
    case PTE_KIND_NONE:
        return tell && marks_stand_alone(vma) ? pte_uffd_wp_marker() : pte;
    case PTE_KIND_UFFD_WP:
        return tell ? pte : pte_none();
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
        if ((tell != TELL_NOT) == pte_is_uffd_wp(pte))
            return pte;
        return tell ? pte_made_uffd_wp(pte) : leaf_untold(vma, pte, false);
    case PTE_KIND_GUARD:
    case PTE_KIND_POISON:
        return tell == TELL_AND_NOTE && level == PT_4K ? pte_made_uffd_wp(pte) : pte;
    case PTE_KIND_TABLE:
    case PTE_KINDS:
        break;
    }
    return pte;
}

/* Returns whether CPUs may remember that the entry could be written to. */
static bool tell_slot(const struct vma *vma, const struct pt_run *run, unsigned i, enum tell tell)
{
    pte_t pte = pte_read(&run->slot[i]), next = entry_told(vma, pte, run->level, tell);

    if (pte.raw == next.raw)
        return false;
    if (!pte_has_frame(pte)) {
        pt_set(run->table, &run->slot[i], next);
        return false;
    }
    pte_turn(&run->slot[i], pte, next);
    return tell && pte_is_writable(pte);
}

static void tell_run(const struct vma *vma, struct pt_run *run, enum tell tell,
                     struct tlb_gather *gather)
{
    uint64_t size = pt_level_size(run->level);
    unsigned first = 0, end = 0;

    pt_run_lock(run);
    for (unsigned i = 0; i < run->nr; i++) {
        if (!tell_slot(vma, run, i, tell))
            continue;
        first = end ? first : i;
        end = i + 1;
    }
    if (end)
        tlb_gather_range(gather, run->va + first * size, run->va + end * size, run->level);
    spin_unlock(pt_lock(run->table));
}

/* A run passes over empty slots of large leaves. */
static void mark_large(const struct pt_walk *walk)
{
    spin_lock(pt_lock(walk->table));
    if (pte_is_none(pte_read(walk->slot)))
        pt_set(walk->table, walk->slot, pte_uffd_wp_marker());
    spin_unlock(pt_lock(walk->table));
}

/* Slots for marks that stand alone; of an object no huge leaf, which could not keep its marks. */
static int make_slots(const struct vma *vma, uint64_t start, uint64_t end)
{
    enum pt_level level = vma_level(vma);
    uint64_t step = level == PT_4K ? HUGE_SIZE : pt_level_size(level);
    struct pt_walk walk;
    int err = 0;

    for (uint64_t va = start; va < end && !err; va = round_down(va, step) + step) {
        if (vma->object)
            thp_split(vma, va);
        err = pt_walk_alloc(&vma->mm->pgtable, user(va), level, &walk);
        if (!err && level > PT_4K)
            mark_large(&walk);
    }
    return err;
}

int area_tell_writes(const struct vma *vma, uint64_t start, uint64_t end, enum tell tell,
                     struct tlb_gather *gather)
{
    int err = tell && marks_stand_alone(vma) ? make_slots(vma, start, end) : 0;
    if (err)
        return err;
    thp_split_borders(vma->mm, start, end);
    struct pt_run run;

    for (pt_run_first(&run, &vma->mm->pgtable, user(start), user(end)); run.nr; pt_run_next(&run))
        tell_run(vma, &run, tell, gather);
    if (tell && !bug_is_back(BUG_B18))
        tlb_gather_others(gather, start, end);
    return 0;
}

/* Each part of an area of [start, end). */
static int tell_range(struct mm *mm, uint64_t start, uint64_t end, bool tell,
                      struct tlb_gather *gather)
{
    const struct vma *vma = vma_find_from(mm, start);
    int err = -ENOENT;

    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (!(vma->flags & VM_UFFD_WP))
            return -ENOENT;
        if ((vma->flags & VM_HUGETLB) && !is_aligned(start | end, vma_unit(vma)))
            return -EINVAL;
        err = area_tell_writes(vma, max(start, vma->start), min(end, vma->end),
                               tell ? TELL : TELL_NOT, gather);
        if (err)
            return err;
    }
    return err;
}

int mm_userfault_protect(struct mm *mm, struct userfault *u, uint64_t start, uint64_t len,
                         bool tell)
{
    struct tlb_gather gather;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    tlb_gather_begin(&gather, &mm->pgtable);
    int err = userfault_is_settled(u) ? tell_range(mm, start, start + len, tell, &gather) : -EAGAIN;
    tlb_gather_end(&gather);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int area_note_writes(const struct vma *vma, uint64_t start, uint64_t end)
{
    struct tlb_gather gather;

    tlb_gather_begin(&gather, &vma->mm->pgtable);
    int err = area_tell_writes(vma, start, end, TELL_AND_NOTE, &gather);
    tlb_gather_end(&gather);
    return err;
}
