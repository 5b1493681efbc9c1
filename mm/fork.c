/* SPDX-License-Identifier: MIT */
/*
 * mm/fork.c - a copy of an address space
 *
 * Room:   mm.
 * Owns:   what a child inherits, and how.
 * Locks:  the parent's mmap_lock for writing; a new space needs none. Both tables while leaves are
 *         shared.
 * Always: (1) after a fork no private page is writable or exclusive on either side, but for what
 *             somebody keeps for long: the parent goes on with that page, the child has a copy.
 * Source: fork(2); Linux Documentation/core-api/pin_user_pages.rst (behaviour).
 * Tour:   after mm/mm.c and mm/pin.c.
 */
#include "internal.h"
#include <asm/uaccess.h>
#include <base/bug.h>
#include <lib/frames.h>
#include <mm/commit.h>
#include <uapi/errno.h>

/* Claim 1, its exception. */
static bool is_kept(pte_t pte, enum pt_level level)
{
    const struct page *head = page_head(phys_to_page(pte_phys(pte, level)));
    return page_is_private(head) && atomic_load_explicit(&head->keeps, memory_order_relaxed);
}

/* One leaf of a private page: shared from now on, writable for nobody. Both tables locked. True:
 * it is left to copy_kept(). */
static bool share_leaf(struct mm *child, bool tells, struct pt_run *run, unsigned i,
                       struct pt_walk *to, struct tlb_gather *gather)
{
    pte_t pte = pte_read(&run->slot[i]);
    if (!pte_has_frame(pte)) {
        bool mark = pte_is_vacant(pte);
        if (!pte_is_none(pte) && (tells || !mark)) /* guards, and what is lost, are inherited */
            pt_set(to->table, to->slot, mark ? pte : pte_without_uffd_wp(pte));
        return false;
    }
    uint64_t size = pt_level_size(run->level);
    struct page *page = page_head(phys_to_page(pte_phys(pte, run->level)));
    if (!page_is_zeros(page) && !page_is_private(page)) {
        if (unlikely(pte_is_uffd_wp(pte)) && tells)
            pt_set(to->table, to->slot, pte_uffd_wp_marker());
        return false; /* the object's own page: the child faults it in again */
    }
    if (unlikely(atomic_load_explicit(&page->keeps, memory_order_relaxed)) && !bug_is_back(BUG_B06))
        return true;
    if (pte_is_writable(pte))
        tlb_gather_leaf(gather, run->va + i * size, run->level);
    pte_t shared = pte_share(&run->slot[i]);
    if (!bug_is_back(BUG_B07) || !(page->flags & PAGE_COPY))
        pte = shared;
    if (!page_is_zeros(page)) {
        folio_get(page_folio(page));
        atomic_fetch_add_explicit(&page->mapcount, 1, memory_order_relaxed);
        rss_add(child, page_folio(page), size >> PAGE_SHIFT);
        if (run->level > PT_4K)
            thp_leaf_added(child, page_folio(page));
    }
    if (unlikely(pte_is_uffd_wp(pte)) && !tells)
        pte = pte_without_uffd_wp(pte);
    pt_set(to->table, to->slot, pte);
    return false;
}

static int copy_alloc(const struct vma *vma, uint64_t va, struct page **out)
{
    if (vma->object && vma->object->ops->get_copy)
        return vma->object->ops->get_copy(vma, vma_folio_index(vma, va), out);
    int err = page_alloc(0, PAGE_ALLOC_PLAIN | PAGE_ALLOC_AS(PAGE_ANON), out);
    if (!err)
        (*out)->object = NULL;
    return err;
}

/* The child's leaf at @va is one of @copy, if the parent's at @slot is still the one that was
 * copied: truncation may have taken it. */
static bool publish_copy(const struct vma *vma, const struct pt_run *run, const pte_t *slot,
                         pte_t seen, struct pt_walk *to, struct page *copy)
{
    spin_lock(pt_lock(run->table));
    spin_lock_nested(pt_lock(to->table));
    bool same = pte_phys(pte_read(slot), run->level).raw == pte_phys(seen, run->level).raw;
    if (same) {
        pte_t pte = pte_leaf(page_to_phys(copy), vma_pgprot(vma), run->level);
        pte = pte_is_soft_dirty(seen) ? pte_made_soft_dirty(pte) : pte;
        pte = pte_is_uffd_wp(seen) && (vma->flags & VM_UFFD_WP) ? pte_made_uffd_wp(pte) : pte;
        pt_set(to->table, to->slot, pte_made_exclusive(pte_made_young(pte)));
        atomic_fetch_add_explicit(&copy->mapcount, 1, memory_order_relaxed);
    }
    spin_unlock_nested(pt_lock(to->table));
    spin_unlock(pt_lock(run->table));
    return same;
}

/* @vma: the child's, as in all that follows of copies. */
static int copy_one(const struct vma *vma, const struct pt_run *run, unsigned i)
{
    uint64_t size = pt_level_size(run->level), va = run->va + i * size;
    pte_t seen = pte_read(&run->slot[i]);
    struct pt_walk to;
    struct page *copy;

    if (!pte_has_frame(seen) || !is_kept(seen, run->level))
        return 0;
    int err = pt_walk_alloc(&vma->mm->pgtable, user(va), run->level, &to);
    if (!err)
        err = copy_alloc(vma, va, &copy);
    if (err)
        return -ENOMEM;
    copy_frames(page_kva(copy), direct_map_ptr(pte_phys(seen, run->level)), size);
    if (publish_copy(vma, run, &run->slot[i], seen, &to, copy))
        rss_add(vma->mm, page_folio(copy), size >> PAGE_SHIFT);
    else
        page_put(copy);
    return 0;
}

/* What share_leaf() left out of one table. */
static int copy_kept(const struct vma *copy, const struct pt_run *run)
{
    int err = 0;

    for (unsigned i = 0; i < run->nr && !err; i++)
        err = copy_one(copy, run, i);
    return err;
}

/* A huge page that is kept is copied page by page. */
static void split_kept(const struct vma *vma, struct pt_run *run)
{
    pte_t pte = pte_read(run->slot);

    if (likely(run->level == PT_4K) || !pte_has_frame(pte) || vma->object ||
        !is_kept(pte, run->level))
        return;
    thp_split(vma, run->va);
    pt_run_first(run, &vma->mm->pgtable, user(run->va), user(vma->end));
}

/* The child's area @copy gets what @vma, its parent's, has of its own. */
static int share_leaves(const struct vma *vma, const struct vma *copy, struct tlb_gather *gather)
{
    struct mm *child = copy->mm;
    bool tells = copy->flags & VM_UFFD_WP; /* of first writes */
    struct mm *mm = vma->mm;
    struct pt_run run;

    for (pt_run_first_near(&run, &mm->pgtable, &mm->cpus[cpu_id()].near, user(vma->start),
                           user(vma->end));
         run.nr; pt_run_next(&run)) {
        struct pt_walk to;
        split_kept(vma, &run);
        int err = pt_walk_alloc_near(&child->pgtable, &child->cpus[cpu_id()].near, user(run.va),
                                     run.level, &to);
        struct page *spare = NULL;
        if (!err && leaf_keeps_table(pte_read(run.slot), run.level))
            err = pt_spare_get(&child->pgtable, &spare);
        if (err)
            return err;
        spin_lock(pt_lock(run.table));
        spin_lock_nested(pt_lock(to.table)); /* parent, then child */
        if (spare)
            pt_keep(to.table, spare);
        bool left = false;
        for (unsigned i = 0; i < run.nr; i++, to.slot++)
            left |= share_leaf(child, tells, &run, i, &to, gather);
        spin_unlock_nested(pt_lock(to.table));
        spin_unlock(pt_lock(run.table));
        if (unlikely(left) && copy_kept(copy, &run))
            return -ENOMEM;
    }
    return 0;
}

/* mlock(2), userfaultfd(2): not inherited, but for what userfault_fork() gives. */
#define FORK_FORGETS (VM_LOCKED | VM_LOCKONFAULT | VM_UFFD)

static int copy_area(struct mm *child, const struct vma *vma, struct list_node *pairs,
                     struct tlb_gather *gather)
{
    if (vma->flags & VM_DONTFORK)
        return 0;
    if ((vma->flags & VM_ACCOUNT) && commit_charge(vma_pages(vma), 0))
        return -ENOMEM;
    struct vma *copy = vma_copy(child, vma);
    if (!copy) {
        commit_release(vma->flags & VM_ACCOUNT ? vma_pages(vma) : 0);
        return -ENOMEM;
    }
    bool inherits = vma->anon && !(vma->flags & VM_WIPEONFORK);
    copy->flags = vma->flags & ~FORK_FORGETS;
    atomic_store_explicit(&copy->anon, inherits ? ++child->anon_last : 0, memory_order_relaxed);
    copy->anon_inherited = inherits;
    copy->guarded = vma->guarded && !(vma->flags & VM_WIPEONFORK);
    if (copy->object) {
        object_get(copy->object);
        vma_count_again(copy);
    }
    if ((vma->userfault && userfault_fork(copy, vma, pairs)) ||
        (vma->hugetlb && hugetlb_area_inherit(copy))) {
        commit_release(vma->flags & VM_ACCOUNT ? vma_pages(vma) : 0);
        vma_free(copy);
        return -ENOMEM;
    }
    vma_append(child, copy);
    area_count(child, copy->flags, vma_pages(copy));
    bool shares = copy->anon || copy->guarded || copy->hugetlb || (copy->flags & VM_UFFD_WP);
    return shares ? share_leaves(vma, copy, gather) : 0;
}

static void copy_fields(const struct mm *mm, struct mm *child)
{
    child->mmap_top = mm->mmap_top;
    child->mmap_bottom = mm->mmap_bottom;
    child->mmap_upwards = mm->mmap_upwards;
    child->brk_start = mm->brk_start;
    child->brk = mm->brk;
    child->stack_top = mm->stack_top;
    child->arg_start = mm->arg_start;
    child->arg_end = mm->arg_end;
    child->env_start = mm->env_start;
    child->env_end = mm->env_end;
    child->start_code = mm->start_code;
    child->end_code = mm->end_code;
    child->start_data = mm->start_data;
    child->end_data = mm->end_data;
    child->limits = mm->limits;
    pkeys_inherit(child, mm);
    mm_inherit_mdwe(child, mm);
    child->thp_disabled = mm->thp_disabled;
    child->watched = mm->watched;
    child->has_huge = mm->has_huge;
    child->has_sealed = mm->has_sealed;
    if (atomic_load(&mm->scanned))
        thp_scan_add(child);
    zeros_inherit(child, mm);
}

int mm_fork(struct mm *mm, struct mm **out)
{
    struct list_node pairs;
    struct tlb_gather gather;
    struct mm *child;
    int err = mm_create(&child);
    if (err)
        return err;
    list_init(&pairs);

    rwsem_write_begin(&mm->mmap_lock, 0, RWSEM_EVERYTHING);
    if (!bug_is_back(BUG_B29))
        rwsem_write_range(&mm->mmap_lock, 0, RWSEM_EVERYTHING);
    copy_fields(mm, child);
    child->unmerged = true;
    uaccess_ask_as(&child->pgtable, &mm->pgtable);
    tlb_gather_begin(&gather, &mm->pgtable);
    for (struct vma *vma = vma_find_from(mm, 0); vma && !err; vma = vma_next(vma)) {
        err = copy_area(child, vma, &pairs, &gather);
        bug_moment(BUG_B29);
    }
    tlb_gather_end(&gather);
    rwsem_write_unlock(&mm->mmap_lock);
    userfault_forked(child, &pairs, !err);
    if (err) {
        mm_put(child);
        return err;
    }
    *out = child;
    return 0;
}
