/* SPDX-License-Identifier: MIT */
/*
 * mm/mm.c - the life of an address space: made, listed, dropped
 *
 * Room:   mm.
 * Owns:   struct mm itself.
 * Locks:  none: nobody else knows a new or dead space.
 * Always: (1) what has a reference is on the list of all.
 * Source: exit(2).
 * Tour:   after mm/fault.c; then mm/fork.c.
 */
#include "internal.h"
#include <asm/cpu.h>
#include <mm/commit.h>
#include <mm/limbo.h>
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
    limbo_boot_init();
    if (DEBUG >= 1)
        buddy_watch_by(tlb_ledger_look);
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
    pkeys_init(mm);
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

void mm_begin_threads(struct mm *mm)
{
    if (READ_ONCE(tlb_settings.roots) == TLB_ROOTS_SHARED || atomic_load(&mm->pgtable.roots))
        return;
    rwsem_write_lock(&mm->mmap_lock);
    tlb_roots_begin(&mm->pgtable);
    rwsem_write_unlock(&mm->mmap_lock);
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
    tlb_leave(&mm->pgtable);
    unmap_all(mm);
    free_areas(mm);
    spares_free(mm);
    zeros_put(mm);
    pgtable_destroy(&mm->pgtable);
    rwsem_destroy(&mm->mmap_lock);
    kmem_free(mm->cpus);
    slab_free(&mm_cache, mm);
}
