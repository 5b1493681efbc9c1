/* SPDX-License-Identifier: MIT */
/*
 * mm/remap.c - growing, shrinking and moving an area
 *
 * Room:   mm.
 * Owns:   mremap's choice between the three, and the moving of leaves.
 * Locks:  mmap_lock for writing; object.mappings_lock over a whole move, so that nobody truncates
 *         pages that are on their way; one table lock at a time.
 * Always: (1) old translations are flushed before the new ones can be truncated and their pages
 *             reused.
 * Source: mremap(2); trust.md B11, B12.
 * Tour:   after mm/map.c.
 */
#include "internal.h"
#include <uapi/errno.h>

#define REMAP_MAYMOVE 1
#define REMAP_FIXED   2

/* Where leaves from @va on go. The tables for @to exist. */
static void move_run(struct mm *mm, struct pt_run *run, uint64_t offset, struct tlb_gather *gather)
{
    for (unsigned i = 0; i < run->nr; i++) {
        uint64_t va = run->va + i * PAGE_SIZE;
        spin_lock(pt_lock(run->table));
        pte_t pte = pt_set(run->table, &run->slot[i], pte_none());
        spin_unlock(pt_lock(run->table));
        if (pte_is_none(pte))
            continue;
        if (pte_needs_flush(pte, pte_none()))
            tlb_gather_leaf(gather, va, PT_4K);
        struct pt_walk to = pt_walk(&mm->pgtable, user(va + offset));
        spin_lock(pt_lock(to.table));
        pt_set(to.table, to.slot, pte);
        spin_unlock(pt_lock(to.table));
    }
}

/* Make every table that moved leaves need. */
static int tables_for(struct mm *mm, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end; va = round_down(va, HUGE_SIZE) + HUGE_SIZE) {
        struct pt_walk walk;
        int err = pt_walk_alloc(&mm->pgtable, user(va), PT_4K, &walk);
        if (err)
            return err;
    }
    return 0;
}

static void move_leaves(struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to,
                        uint64_t len)
{
    struct tlb_gather gather;

    if (vma->object)
        spin_lock(&vma->object->mappings_lock);
    tlb_gather_begin(&gather, &mm->pgtable);
    struct pt_run run = pt_run_first(&mm->pgtable, user(from), user(from + len));
    for (; run.nr; pt_run_next(&run))
        move_run(mm, &run, to - from, &gather);
    tlb_gather_end(&gather);
    if (vma->object)
        spin_unlock(&vma->object->mappings_lock);
}

int area_may_grow(struct mm *mm, const struct vma *vma, uint64_t more_bytes)
{
    uint64_t pages = more_bytes >> PAGE_SHIFT;
    if ((vma->flags & VM_LOCKED) && !mm->limits.locked_exempt &&
        (mm->locked_pages + pages) << PAGE_SHIFT > mm->limits.locked)
        return -EAGAIN;
    return (mm->total_pages + pages) << PAGE_SHIFT > mm->limits.address_space ? -ENOMEM : 0;
}

static int grow_in_place(struct mm *mm, struct vma *vma, uint64_t end)
{
    struct vma *next = vma_next(vma);
    if (end > USER_END || (next && next->start < end))
        return -ENOMEM;
    int err = area_may_grow(mm, vma, end - vma->end);
    if (err)
        return err;
    mm->total_pages += (end - vma->end) >> PAGE_SHIFT;
    mm->locked_pages += vma->flags & VM_LOCKED ? (end - vma->end) >> PAGE_SHIFT : 0;
    vma_set_end(vma, end);
    vma_merge(mm, vma);
    return 0;
}

/* A new area like @vma's part at @old, at @to. */
static int move_area(struct mm *mm, struct vma *vma, uint64_t old, uint64_t old_len, uint64_t to,
                     uint64_t new_len, struct list_node *dead)
{
    struct vma *spare[SPARES] = {NULL};
    struct vma *new;

    int err = area_may_grow(mm, vma, new_len - min(old_len, new_len));
    if (!err && mm->nr_vmas >= MM_MAX_VMAS - 3)
        err = -ENOMEM;
    if (!err)
        err = tables_for(mm, to, to + min(old_len, new_len));
    if (!err)
        err = spares_get(mm, splits_needed(mm, old, old + old_len), spare);
    if (err)
        return err;
    new = vma_alloc(mm);
    if (!new) {
        spares_put(spare);
        return -ENOMEM;
    }
    new->start = to;
    new->end = to + new_len;
    new->flags = vma->flags;
    new->pkey = vma->pkey;
    new->pgoff = vma->pgoff + ((old - vma->start) >> PAGE_SHIFT);
    new->object = vma->object;
    if (new->object) {
        object_get(new->object);
        if (vma_is_writer(new->flags))
            atomic_fetch_add(&new->object->writers, 1);
    }
    vma_insert(mm, new);
    mm->total_pages += vma_pages(new);
    mm->locked_pages += new->flags &VM_LOCKED ? vma_pages(new) : 0;
    move_leaves(mm, vma, old, to, min(old_len, new_len));
    unmap_areas(mm, old, old + old_len, spare, dead);
    vma_merge(mm, new);
    return 0;
}

static int remap_locked(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len,
                        unsigned flags, uint64_t new_addr, uint64_t *out, struct list_node *dead)
{
    struct vma *spare[SPARES] = {NULL};
    struct vma *vma = vma_find(mm, old);
    if (!vma || old_len > vma->end - old)
        return -EFAULT;
    if (vma_unit(vma) != PAGE_SIZE)
        return -EINVAL;
    *out = old;

    if (!(flags & REMAP_FIXED)) {
        if (new_len == old_len)
            return 0;
        if (new_len < old_len) {
            int err = spares_get(mm, splits_needed(mm, old + new_len, old + old_len), spare);
            if (!err)
                unmap_areas(mm, old + new_len, old + old_len, spare, dead);
            return err;
        }
        if (old + old_len == vma->end && !grow_in_place(mm, vma, old + new_len))
            return 0;
        if (!(flags & REMAP_MAYMOVE))
            return -ENOMEM;
        int err = vma_find_gap(mm, new_len, PAGE_SIZE, USER_MIN, mm->mmap_top, out);
        if (err)
            return err;
    } else {
        if (!is_aligned(new_addr, PAGE_SIZE) || new_addr < USER_MIN ||
            new_addr > USER_END - new_len || (new_addr < old + old_len && old < new_addr + new_len))
            return -EINVAL;
        int err = spares_get(mm, splits_needed(mm, new_addr, new_addr + new_len), spare);
        if (err)
            return err;
        unmap_areas(mm, new_addr, new_addr + new_len, spare, dead);
        vma = vma_find(mm, old);
        *out = new_addr;
    }
    return move_area(mm, vma, old, old_len, *out, new_len, dead);
}

int mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags,
             uint64_t new_addr, uint64_t *out)
{
    struct list_node dead;

    old_len = round_up(old_len, PAGE_SIZE);
    new_len = round_up(new_len, PAGE_SIZE);
    if ((flags & ~(REMAP_MAYMOVE | REMAP_FIXED)) || flags == REMAP_FIXED ||
        !is_aligned(old, PAGE_SIZE) || new_len == 0 || new_len > USER_END || old_len == 0)
        return -EINVAL;
    list_init(&dead);
    rwsem_write_lock(&mm->mmap_lock);
    int err = remap_locked(mm, old, old_len, new_len, flags, new_addr, out, &dead);
    rwsem_write_unlock(&mm->mmap_lock);
    free_dead(&dead);
    return err;
}
