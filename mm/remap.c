/* SPDX-License-Identifier: MIT */
/*
 * mm/remap.c - growing, shrinking and moving an area
 *
 * Room:   mm.
 * Owns:   mremap's choice between the three, and the moving of leaves.
 * Locks:  mmap_lock for writing; object.mappings_lock over a whole move, so that nobody truncates
 *         pages that are on their way; a table's lock, and that of the table its leaves go to.
 * Always: (1) old translations are flushed before the new ones can be truncated and their pages
 *             reused.
 * Source: mremap(2); trust.md B11, B12.
 * Tour:   after mm/map.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/commit.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

#define REMAP_MAYMOVE   1
#define REMAP_FIXED     2
#define REMAP_DONTUNMAP 4

/* Two tables of one level, the lower address first. */
static void lock_tables(struct page *a, struct page *b)
{
    spin_lock(pt_lock(min(a, b)));
    if (a != b)
        spin_lock_nested(pt_lock(max(a, b)));
}

static void unlock_tables(struct page *a, struct page *b)
{
    if (a != b)
        spin_unlock_nested(pt_lock(max(a, b)));
    spin_unlock(pt_lock(min(a, b)));
}

/* What becomes of an entry where nobody is told of writes (trust.md B60). */
static __cold pte_t entry_untold(pte_t pte)
{
    if (bug_is_back(BUG_B60))
        return pte;
    pte = pte_without_uffd_wp(pte);
    return pte_is_vacant(pte) ? pte_none() : pte;
}

/* What was moved of one table. */
struct moved {
    unsigned taken, dropped; /* entries; of these, marks that have no meaning at the new place */
    unsigned first, end;     /* slots between which they were */
    pte_t all;               /* their bits, together */
};

/* @nr slots. @tells: of first writes at the new place */
static struct moved move_each(const struct pt_run *run, pte_t *slot, const struct pt_walk *to,
                              unsigned nr, bool tells)
{
    bool large = run->level > PT_4K;
    struct moved m = {0};

    while (m.first < nr && pte_is_none(pte_read(slot + m.first)))
        m.first++;
    for (unsigned k = m.first; k < nr; k++) {
        if (pte_is_none(pte_read(slot + k)))
            continue;
        pte_t pte = pte_exchange(slot + k, pte_none());
        m.taken++;
        m.end = k + 1;
        m.all = pte_joined(m.all, pte);
        if (unlikely(pte_is_uffd_wp(pte)) && !tells) {
            pte = entry_untold(pte);
            if (pte_is_none(pte)) {
                m.dropped++;
                continue;
            }
        }
        pte_write(to->slot + k, pte_made_soft_dirty(pte)); /* for who tracks writes it is new */
        if (unlikely(large) && pte_has_frame(pte) && leaf_keeps_table(pte, run->level))
            pt_keep(to->table, pt_kept_take(run->table));
    }
    return m;
}

/* Move entries from slot @i on, as many as have their new places, all empty, in one table. Returns
 * the slot to go on with. The tables for the new places exist. */
static unsigned move_slots(struct mm *mm, struct pt_run *run, unsigned i, uint64_t offset,
                           bool tells, struct tlb_gather *gather)
{
    uint64_t size = pt_level_size(run->level), va = run->va + i * size, new_va = va + offset;
    struct pt_walk to = pt_walk(&mm->pgtable, user(new_va));
    unsigned nr = min(run->nr - i, PT_ENTRIES - pt_index(new_va, run->level));

    lock_tables(run->table, to.table);
    struct moved m = move_each(run, run->slot + i, &to, nr, tells);
    pt_entries_gone(run->table, m.taken);
    pt_entries_came(to.table, m.taken - m.dropped);
    unlock_tables(run->table, to.table);
    if (pte_is_present(m.all))
        tlb_gather_range(gather, va + m.first * size, va + m.end * size, run->level);
    return i + nr;
}

/* Can the huge leaf at @from, if there is one, be moved to @to as it is? */
static int huge_fits(struct mm *mm, uint64_t from, uint64_t to, bool *fits)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(from));

    *fits = walk.level == PT_2M && !pte_is_none(pte_read(walk.slot)) &&
            (is_aligned(from | to, HUGE_SIZE) || bug_is_back(BUG_B14));
    if (!*fits)
        return 0;
    int err = pt_walk_alloc(&mm->pgtable, user(to), PT_2M, &walk);
    *fits = !err && walk.level == PT_2M; /* else an old table is in the way */
    return err;
}

/* What leaves at @from need at @to: a slot of their size, or a table. @whole: of 2 MiB or more. */
static int tables_at(struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to, bool whole)
{
    struct pt_walk walk;
    bool fits = false;

    if (vma_unit(vma) > PAGE_SIZE) /* its leaves are of one size, wherever they are */
        return pt_walk_alloc(&mm->pgtable, user(to), vma_level(vma), &walk);
    int err = whole ? huge_fits(mm, from, to, &fits) : 0;
    if (err || fits)
        return err;
    thp_split(vma, from);
    return pt_walk_alloc(&mm->pgtable, user(to), PT_4K, &walk);
}

/* Make every table that moved leaves need, and split huge leaves that do not stay whole. */
static int tables_for(struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to,
                      uint64_t len)
{
    for (uint64_t done = 0, step; done < len; done += step) {
        uint64_t next_from = round_down(from + done, HUGE_SIZE) + HUGE_SIZE - (from + done);
        uint64_t next_to = round_down(to + done, HUGE_SIZE) + HUGE_SIZE - (to + done);
        step = min(next_from, next_to);
        int err = tables_at(mm, vma, from + done, to + done, len - done >= HUGE_SIZE);
        if (err)
            return err;
    }
    return 0;
}

/* The leaves of @vma in the range. @tells: of first writes at the new place, or nobody is told at
 * the old one: guards may still be marked. */
static void move_leaves(struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to,
                        uint64_t len, bool tells)
{
    bool locks = vma->object && !bug_is_back(BUG_B12), late = bug_is_back(BUG_B11);
    struct tlb_gather gather;

    bug_moment(BUG_B12);
    if (locks)
        spin_lock(&vma->object->mappings_lock);
    tlb_gather_begin(&gather, &mm->pgtable);
    struct pt_run run;

    for (pt_run_first(&run, &mm->pgtable, user(from), user(from + len)); run.nr; pt_run_next(&run))
        for (unsigned i = 0; i < run.nr;)
            i = move_slots(mm, &run, i, to - from, tells, &gather);
    tlb_gather_settles(&gather, from, from + len);
    if (!late)
        tlb_gather_end(&gather);
    if (locks)
        spin_unlock(&vma->object->mappings_lock);
    bug_moment(BUG_B11);
    if (late)
        tlb_gather_end(&gather);
}

static int grow_in_place(struct mm *mm, struct vma *vma, uint64_t end)
{
    struct vma *next = vma_next(vma);
    if (end > USER_END || (next && next->start < end))
        return -ENOMEM;
    int err = area_may_grow(mm, vma, end - vma->end);
    if (err)
        return err;
    late_settle(mm, vma->end, end);
    area_count(mm, vma->flags, (end - vma->end) >> PAGE_SHIFT);
    vma_set_end(vma, end);
    if (next && vma_can_merge(vma, next))
        vma_merge(mm, next); /* the area below may stay apart: a stack that grew does */
    return 0;
}

#define AREAS_SPARED 3 /* a move may need so many for a while */

/* What mremap(2) was asked to do, in whole pages. */
struct remap {
    uint64_t old, old_len, new_len;
    unsigned flags;
    uint64_t to;            /* where the result is, or is wanted */
    struct userfault *told; /* of the move, when it is done; NULL: nobody */
};

/* A new area with what @vma has at r->old, at r->to, without leaves yet. */
static struct vma *area_like(struct mm *mm, const struct vma *vma, struct remap *r)
{
    struct vma *new = vma_alloc(mm);
    if (!new)
        return NULL;
    new->start = r->to;
    new->end = r->to + r->new_len;
    new->flags = vma->flags & ~VM_UFFD;
    if (userfault_wants(vma->userfault, USERFAULT_MOVED)) {
        r->told = new->userfault = vma->userfault;
        userfault_get(new->userfault);
        userfault_begin(r->told);
        new->flags = vma->flags;
    }
    new->pkey = vma->pkey;
    new->mempolicy = vma->mempolicy;
    new->pgoff = vma->pgoff + ((r->old - vma->start) >> PAGE_SHIFT);
    new->object = vma->object;
    new->anon_inherited = vma->anon_inherited;
    new->guarded = vma->guarded;
    atomic_store_explicit(&new->anon, vma->anon, memory_order_relaxed);
    if (!new->object && !new->anon)
        new->pgoff = r->to >> PAGE_SHIFT; /* without a history it can begin anew */
    if (vma->hugetlb) {
        new->hugetlb = vma->hugetlb;
        hugetlb_area_split(new);
    }
    if (new->object) {
        object_get(new->object);
        vma_count_again(new);
    }
    return new;
}

/* The old area stays, empty: it is not locked any more, and begins a new life if it moved whole. */
static void leave_empty(struct mm *mm, const struct remap *r)
{
    struct vma *vma = vma_find(mm, r->old);
    if (vma->flags & VM_LOCKED)
        mm->locked_pages -= vma_pages(vma);
    vma->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    if (vma->start == r->old && vma->end == r->old + r->old_len) {
        atomic_store_explicit(&vma->anon, 0, memory_order_relaxed);
        vma->anon_inherited = false;
    }
    mm->unmerged = true; /* with its neighbours: Linux leaves that to the next call */
}

/* What was moved leaves its old place, where it was one area. */
static void unmap_moved(struct mm *mm, const struct remap *r, struct list_node *dead)
{
    unmap_areas(mm, r->old, r->old + r->old_len, dead);
    struct vma *vma = list_last_entry(dead, struct vma, mapping_node);
    if (vma->hugetlb)
        hugetlb_area_replaced(vma);
}

/* With its neighbours; but what loses its userfaultfd is on Linux watched until it has moved. */
static struct vma *merge_moved(struct mm *mm, struct vma *new, const struct vma *from)
{
    if (new->userfault == from->userfault)
        return vma_merge(mm, new);
    mm->unmerged = true;
    return new;
}

static int move_promised(struct mm *mm, struct vma *vma, struct remap *r, struct list_node *dead)
{
    uint64_t moved = min(r->old_len, r->new_len); /* 0: a second mapping of the same object */
    bool keeps_old = r->old_len == 0 || (r->flags & REMAP_DONTUNMAP);
    int err = 0;

    if (mm->nr_vmas >= vm_settings.max_map_count - AREAS_SPARED)
        err = -ENOMEM;
    if (!err)
        err = tables_for(mm, vma, r->old, r->to, moved);
    if (!err && !keeps_old)
        err = cut_prepare(mm, r->old, r->old + r->old_len);
    if (!err && !keeps_old)
        err = spares_get(mm, MM_SPARES); /* the new area may merge with the old one */
    if (err)
        return err;
    struct vma *new = area_like(mm, vma, r);
    if (!new)
        return -ENOMEM;
    vma_insert(mm, new);
    late_settle(mm, new->start, new->end);
    area_count(mm, new->flags, vma_pages(new));
    if (!keeps_old && (new->flags &VM_ACCOUNT))
        commit_twice(moved >> PAGE_SHIFT); /* the old area gives them back */
    bool tells = (merge_moved(mm, new, vma)->flags & VM_UFFD_WP) || !vma->userfault;
    if (moved)
        move_leaves(mm, vma_find(mm, r->old), r->old, r->to, moved, tells);
    if (!keeps_old)
        unmap_moved(mm, r, dead);
    else if (r->old_len)
        leave_empty(mm, r);
    return 0;
}

/* The same, within the limits. */
static int move_area(struct mm *mm, struct vma *vma, struct remap *r, struct list_node *dead)
{
    bool keeps_old = r->old_len == 0 || (r->flags & REMAP_DONTUNMAP);
    uint64_t more = r->new_len - (keeps_old ? 0 : min(r->old_len, r->new_len));
    bool promised = vma->flags & VM_ACCOUNT;

    int err = area_may_grow(mm, vma, more);
    if (err)
        return err;
    err = move_promised(mm, vma, r, dead);
    if (err && promised)
        commit_release(more >> PAGE_SHIFT);
    return err;
}

static int shrink(struct mm *mm, const struct remap *r, struct list_node *dead)
{
    uint64_t start = r->old + r->new_len, end = r->old + r->old_len;
    if (start > USER_END || r->old_len - r->new_len > USER_END - start)
        return -EINVAL;
    int err = cut_prepare(mm, start, end);
    if (!err)
        unmap_areas(mm, start, end, dead);
    return err;
}

/* Make room at r->to, which the caller named. */
static int clear_target(struct mm *mm, const struct remap *r, struct list_node *dead)
{
    uint64_t end = r->to + r->new_len;
    int err = cut_prepare(mm, r->to, end);
    if (!err)
        unmap_areas(mm, r->to, end, dead);
    return err;
}

static int check_area(const struct vma *vma, const struct remap *r)
{
    if (!vma)
        return -EFAULT;
    if (r->old_len == 0 && !(vma->flags & VM_SHARED))
        return -EINVAL; /* private pages cannot be had twice */
    if (r->old_len > vma->end - r->old)
        return -EFAULT;
    return 0;
}

/* One area, or the part of one. */
static int remap_one(struct mm *mm, struct remap *r, struct list_node *dead)
{
    struct vma *vma = vma_find(mm, r->old);
    bool named = r->flags & (REMAP_FIXED | REMAP_DONTUNMAP);
    if (vma && (vma->flags & VM_SEALED))
        return -EPERM;
    if (vma && !named && r->new_len <= r->old_len) { /* may reach over the area's end */
        r->to = r->old;
        return r->new_len < r->old_len ? shrink(mm, r, dead) : 0;
    }
    struct remap kept = *r; /* only what stays must lie in one area */
    kept.old_len = min(r->old_len, r->new_len);
    int err = check_area(vma, &kept);
    if (err)
        return err;

    if (r->flags & REMAP_FIXED) {
        bool low = r->to < vm_settings.mmap_min_addr && !mm->limits.low_exempt;
        err = clear_target(mm, r, dead);
        if (!err && r->new_len < r->old_len)
            err = shrink(mm, r, dead);
        if (!err && low)
            err = -EPERM;
        vma = vma_find(mm, r->old); /* none: a second mapping was wanted in its own place */
        if (!err && !vma)
            err = -EFAULT;
        err = err ? err : move_area(mm, vma, &kept, dead);
        r->told = kept.told;
        return err;
    }
    if (!named && r->old_len && r->old + r->old_len == vma->end &&
        !grow_in_place(mm, vma, r->old + r->new_len)) {
        r->to = r->old;
        return 0;
    }
    if (!(r->flags & REMAP_MAYMOVE))
        return -ENOMEM;
    uint64_t hint = r->to;
    err = vma_find_place(mm, r->new_len, PAGE_SIZE, &r->to);
    struct vma *at_hint = vma_find_from(mm, hint);
    if (hint >= vm_settings.mmap_min_addr &&
        (!at_hint || vma_guarded_start(at_hint) >= hint + r->new_len))
        r->to = hint;
    else if (err)
        return err;
    return move_area(mm, vma, r, dead);
}

/* Every area of the range goes to a place the caller named, with the gaps between them. */
static int remap_each(struct mm *mm, struct remap *r, struct list_node *dead)
{
    uint64_t at = r->old, end = r->old + r->old_len;
    struct vma *vma = vma_find(mm, at);

    if (!vma)
        return -EFAULT;
    while (at < end && vma && vma->start < end) {
        struct remap part = *r;
        if (vma->userfault && (at > r->old || vma->end < end))
            return -EFAULT; /* of one move only its program can be told */
        part.old = max(vma->start, at);
        part.old_len = part.new_len = min(vma->end, end) - part.old;
        part.to = r->to + (part.old - r->old);
        int err = remap_one(mm, &part, dead);
        r->told = part.told;
        if (err)
            return err;
        at = part.old + part.old_len;
        vma = vma_find_from(mm, at);
    }
    return 0;
}

/* Huge pages of a pool move as wholes, and are not promised to an area that grows. */
static int check_huge(struct mm *mm, struct remap *r)
{
    const struct vma *vma = vma_find(mm, r->old);
    uint64_t unit = vma ? vma_unit(vma) : PAGE_SIZE;

    if (unit == PAGE_SIZE || (vma->flags & VM_SEALED))
        return 0;
    r->old_len = round_up(r->old_len, unit);
    r->new_len = round_up(r->new_len, unit);
    bool fits = is_aligned(r->old | r->to, unit) && r->new_len <= r->old_len;
    return fits && !(r->flags & REMAP_DONTUNMAP) ? 0 : -EINVAL;
}

static int remap_locked(struct mm *mm, struct remap *r, struct list_node *dead)
{
    int err = check_huge(mm, r);
    if (err)
        return err;
    bool only_moves = (r->flags & REMAP_FIXED) && r->old_len && r->old_len == r->new_len;
    return only_moves ? remap_each(mm, r, dead) : remap_one(mm, r, dead);
}

static int check_arguments(const struct mm *mm, const struct remap *r)
{
    bool named = r->flags & (REMAP_FIXED | REMAP_DONTUNMAP);

    if ((r->flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP)) ||
        (named && !(r->flags & REMAP_MAYMOVE)) ||
        ((r->flags & REMAP_DONTUNMAP) && r->old_len != r->new_len) ||
        !is_aligned(r->old, PAGE_SIZE) || (r->new_len == 0 && !bug_is_back(BUG_B33)) ||
        r->new_len > USER_END)
        return -EINVAL;
    if (named && (!is_aligned(r->to, PAGE_SIZE) || r->to > USER_END - r->new_len ||
                  (r->to < r->old + r->old_len && r->old < r->to + r->new_len)))
        return -EINVAL;
    if (named && mm->nr_vmas + 2 >= vm_settings.max_map_count - AREAS_SPARED)
        return -ENOMEM;
    return 0;
}

/* An area that is locked, and not by its nature, gets the pages it grew by. */
static void fill_locked(struct mm *mm, uint64_t start, uint64_t end)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find(mm, start);
    uint32_t flags = vma && !vma_is_secret(vma) ? vma->flags : 0;
    rwsem_read_unlock(&mm->mmap_lock, reader);
    if ((flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED)
        populate(mm, start, end, flags, PAGE_SIZE); /* areas of larger ones never grow */
}

int mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags,
             uint64_t new_addr, uint64_t *out)
{
    struct remap r = {old,
                      round_up(old_len, PAGE_SIZE),
                      round_up(new_len, PAGE_SIZE),
                      flags,
                      flags & (REMAP_FIXED | REMAP_DONTUNMAP) ? new_addr : 0,
                      NULL};
    struct list_node dead;

    int err = check_arguments(mm, &r);
    if (err)
        return err;
    list_init(&dead);
    rwsem_write_lock(&mm->mmap_lock);
    err = remap_locked(mm, &r, &dead);
    rwsem_write_unlock(&mm->mmap_lock);
    if (r.told)
        userfault_tell(r.told, &(struct userfault_event){.news = USERFAULT_MOVED,
                                                         .start = r.old,
                                                         .end = r.old + r.old_len,
                                                         .to = r.to});
    free_dead(mm, &dead);
    if (!err && r.new_len > r.old_len)
        fill_locked(mm, r.to + r.old_len, r.to + r.new_len);
    *out = r.to;
    return err;
}
