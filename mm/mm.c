/* SPDX-License-Identifier: MIT */
/*
 * mm/mm.c - the life of an address space: made, forked, dropped
 *
 * Room:   mm.
 * Owns:   struct mm itself.
 * Locks:  the parent's mmap_lock for writing while it is forked; a new or dead space needs none.
 * Always: (1) after a fork no private page is writable or exclusive on either side.
 * Source: fork(2).
 * Tour:   after mm/fault.c.
 */
#include "internal.h"
#include <asm/cpu.h>
#include <mm/commit.h>
#include <mm/usage.h>
#include <uapi/errno.h>

static struct slab_cache mm_cache;
static spinlock_t mms_lock = SPINLOCK_INIT(LOCK_RANK_MMS);
struct list_node all_mms = LIST_INIT(all_mms);

static void list_mm(struct mm *mm)
{
    spin_lock(&mms_lock);
    list_add_tail(&mm->all_node, &all_mms);
    spin_unlock(&mms_lock);
}

static void unlist_mm(struct mm *mm)
{
    spin_lock(&mms_lock);
    list_del(&mm->all_node);
    spin_unlock(&mms_lock);
}

void mm_boot_init(void)
{
    zeros_boot_init();
    slab_cache_init(&mm_cache, "mm", sizeof(struct mm), 0);
    vma_boot_init();
    thp_boot_init();
}

/* One more owner, unless the last has gone. mms_lock held. */
static bool get_alive(struct mm *mm)
{
    uint32_t owners = atomic_load(&mm->refcount);

    while (owners)
        if (atomic_compare_exchange_weak(&mm->refcount, &owners, owners + 1))
            return true;
    return false;
}

struct mm *mm_pick(bool (*wanted)(const struct mm *mm))
{
    struct mm *mm, *found = NULL;

    spin_lock(&mms_lock);
    list_for_each_entry (mm, &all_mms, all_node) {
        if (wanted(mm) && get_alive(mm)) {
            found = mm;
            break;
        }
    }
    spin_unlock(&mms_lock);
    return found;
}

struct mm *mm_find(uint64_t id)
{
    struct mm *mm, *found = NULL;

    spin_lock(&mms_lock);
    list_for_each_entry (mm, &all_mms, all_node) {
        if (mm->id == id) {
            found = get_alive(mm) ? mm : NULL;
            break;
        }
    }
    spin_unlock(&mms_lock);
    return found;
}

uint64_t mms_locked_pages(void)
{
    const struct mm *mm;
    uint64_t sum = 0;

    spin_lock(&mms_lock);
    list_for_each_entry (mm, &all_mms, all_node)
        sum += READ_ONCE(mm->locked_pages);
    spin_unlock(&mms_lock);
    return sum;
}

int mm_create(struct mm **out)
{
    struct mm *mm = slab_alloc(&mm_cache, SLAB_ALLOC_ZERO);
    if (!mm)
        return -ENOMEM;
    mm->cpus = kmem_alloc(nr_cpus() * sizeof(*mm->cpus), SLAB_ALLOC_ZERO);
    int err = mm->cpus ? rwsem_init(&mm->mmap_lock) : -ENOMEM;
    if (err)
        goto free_mm;
    err = pgtable_init(&mm->pgtable);
    if (err)
        goto free_lock;
    static _Atomic uint64_t last_id;
    mm->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    atomic_store(&mm->refcount, 1);
    vma_tree_init(mm);
    mm->mmap_top = USER_END - PAGE_SIZE;
    mm->mmap_bottom = USER_MIN;
    mm->limits.address_space = mm->limits.data = MM_NO_LIMIT;
    mm->limits.stack = 8 * MIB;
    mm->limits.locked = 8 * MIB;
    list_mm(mm);
    *out = mm;
    return 0;

free_lock:
    rwsem_destroy(&mm->mmap_lock);
free_mm:
    kmem_free(mm->cpus);
    slab_free(&mm_cache, mm);
    return err;
}

void mm_get(struct mm *mm)
{
    atomic_fetch_add(&mm->refcount, 1);
}

/* All that is mapped goes, page by page, and the tables of what lies close together at once. */
static void unmap_all(struct mm *mm)
{
    struct tlb_gather gather;
    struct vma *vma, *first = NULL;

    tlb_gather_begin(&gather, &mm->pgtable);
    list_for_each_entry (vma, &mm->areas, area_node) {
        first = first ? first : vma;
        zap_range(mm, vma->start, vma->end, ZAP_AREA, &gather);
        vma_unlist(vma); /* from now on nobody truncates along its tables */
        const struct vma *next = vma_next(vma);
        if (next && next->start - vma->end < HUGE_SIZE)
            continue;
        pt_free_tables(&mm->pgtable, user(first->start), user(vma->end), user(0), user(KERNEL_HALF),
                       &gather);
        first = NULL;
    }
    tlb_gather_end(&gather);
}

/* Nobody looks into the tree any more: areas are freed as they are listed. */
static void free_areas(struct mm *mm)
{
    struct vma *vma, *next;

    list_for_each_safe (vma, next, &mm->areas, area_node) {
        if (vma->flags & VM_ACCOUNT)
            commit_release(vma_pages(vma));
        vma_free(vma);
    }
}

void mm_put(struct mm *mm)
{
    if (atomic_fetch_sub(&mm->refcount, 1) != 1)
        return;
    unlist_mm(mm);
    thp_scan_remove(mm);
    unmap_all(mm);
    free_areas(mm);
    zeros_put(mm);
    pgtable_destroy(&mm->pgtable);
    rwsem_destroy(&mm->mmap_lock);
    kmem_free(mm->cpus);
    slab_free(&mm_cache, mm);
}

/* One leaf of a private page: shared from now on, writable for nobody. Both tables locked. */
static void share_leaf(struct mm *child, struct pt_run *run, unsigned i, struct pt_walk *to,
                       struct tlb_gather *gather)
{
    pte_t pte = pte_read(&run->slot[i]);
    if (!pte_has_frame(pte)) {
        if (!pte_is_none(pte))
            pt_set(to->table, to->slot, pte); /* guards are inherited */
        return;
    }
    uint64_t size = pt_level_size(run->level);
    struct page *page = page_head(phys_to_page(pte_phys(pte, run->level)));
    if (!page_is_zeros(page) && !page_is_private(page))
        return; /* the object's own page: the child faults it in again */
    if (pte_is_writable(pte))
        tlb_gather_leaf(gather, run->va + i * size, run->level);
    pte = pte_share(&run->slot[i]);
    if (!page_is_zeros(page)) {
        folio_get(page_folio(page));
        atomic_fetch_add_explicit(&page->mapcount, 1, memory_order_relaxed);
        rss_add(child, page_folio(page), size >> PAGE_SHIFT);
        if (run->level > PT_4K)
            thp_leaf_added(child, page_folio(page));
    }
    pt_set(to->table, to->slot, pte);
}

static int share_leaves(struct mm *mm, struct mm *child, const struct vma *vma,
                        struct tlb_gather *gather)
{
    struct pt_run run = pt_run_first(&mm->pgtable, user(vma->start), user(vma->end));
    for (; run.nr; pt_run_next(&run)) {
        struct pt_walk to;
        int err = pt_walk_alloc(&child->pgtable, user(run.va), run.level, &to);
        struct page *spare = NULL;
        if (!err && leaf_keeps_table(pte_read(run.slot), run.level))
            err = pt_spare_get(&child->pgtable, &spare);
        if (err)
            return err;
        spin_lock(pt_lock(run.table));
        spin_lock_nested(pt_lock(to.table)); /* parent, then child */
        if (spare)
            pt_keep(to.table, spare);
        for (unsigned i = 0; i < run.nr; i++, to.slot++)
            share_leaf(child, &run, i, &to, gather);
        spin_unlock_nested(pt_lock(to.table));
        spin_unlock(pt_lock(run.table));
    }
    return 0;
}

/* mlock(2), userfaultfd(2): not inherited. */
#define FORK_FORGETS (VM_LOCKED | VM_LOCKONFAULT | VM_UFFD_MISSING)

static int copy_area(struct mm *mm, struct mm *child, const struct vma *vma,
                     struct tlb_gather *gather)
{
    if (vma->flags & VM_DONTFORK)
        return 0;
    if ((vma->flags & VM_ACCOUNT) && commit_charge(vma_pages(vma), 0))
        return -ENOMEM;
    struct vma *copy = vma_alloc(child);
    if (!copy) {
        commit_release(vma->flags & VM_ACCOUNT ? vma_pages(vma) : 0);
        return -ENOMEM;
    }
    copy->start = vma->start;
    copy->end = vma->end;
    copy->flags = vma->flags & ~FORK_FORGETS;
    copy->pkey = vma->pkey;
    copy->mempolicy = vma->mempolicy;
    copy->pgoff = vma->pgoff;
    copy->object = vma->object;
    if (vma->anon && !(vma->flags & VM_WIPEONFORK)) {
        atomic_store_explicit(&copy->anon, ++child->anon_last, memory_order_relaxed);
        copy->anon_inherited = true;
    }
    if (copy->object) {
        object_get(copy->object);
        if (vma_is_writer(copy->flags))
            atomic_fetch_add(&copy->object->writers, 1);
    }
    copy->guarded = vma->guarded && !(vma->flags & VM_WIPEONFORK);
    vma_append(child, copy);
    area_count(child, copy->flags, vma_pages(copy));
    return copy->anon || copy->guarded ? share_leaves(mm, child, vma, gather) : 0;
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
    child->thp_disabled = mm->thp_disabled;
    child->has_huge = mm->has_huge;
    if (atomic_load(&mm->scanned))
        thp_scan_add(child);
    zeros_inherit(child, mm);
}

int mm_fork(struct mm *mm, struct mm **out)
{
    struct tlb_gather gather;
    struct mm *child;
    int err = mm_create(&child);
    if (err)
        return err;

    rwsem_write_lock(&mm->mmap_lock);
    copy_fields(mm, child);
    child->unmerged = true;
    tlb_gather_begin(&gather, &mm->pgtable);
    for (struct vma *vma = vma_find_from(mm, 0); vma && !err; vma = vma_next(vma))
        err = copy_area(mm, child, vma, &gather);
    tlb_gather_end(&gather);
    rwsem_write_unlock(&mm->mmap_lock);
    if (err) {
        mm_put(child);
        return err;
    }
    *out = child;
    return 0;
}
