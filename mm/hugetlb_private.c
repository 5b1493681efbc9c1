/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_private.c - private mappings of huge pages: promised copies, and who goes without
 *
 * Room:   mm.
 * Owns:   struct hugetlb_private, which the parts of one private mapping share.
 * Locks:  private.lock (sleeping, 18) > mappings_lock (25); pool.lock (55) for the copies.
 * Always: (1) who mapped it was promised a page for each index; after a fork only the parent is.
 *             The promise of an index is redeemed exactly while .copies has a page for it;
 *         (2) a copy that dies while it is in .copies gives its promise back in the same moment;
 *         (3) what was taken away from a child for its parent's sake never reads as zeros: see
 *             .robbed.
 * Source: Linux Documentation/mm/hugetlbfs_reserv.rst (behaviour).
 * Tour:   after mm/hugetlb.c.
 */
#include "hugetlb_pool.h"
#include <base/fail.h>
#include <uapi/errno.h>

static int private_new(struct object *object, bool promised, struct hugetlb_private **out)
{
    struct hugetlb_private *private = kmem_alloc(sizeof(*private), SLAB_ALLOC_ZERO);
    if (!private)
        return -ENOMEM;
    atomic_store(&private->refcount, 1);
    mutex_init(&private->lock);
    private->object = object;
    private->promised = promised;
    object_index_init(&private->copies);
    *out = private;
    return 0;
}

static uint64_t first_index(const struct vma *vma)
{
    return vma_folio_index(vma, vma->start);
}

static uint64_t nr_indices(const struct vma *vma)
{
    return vma_pages(vma) >> vma->object->ops->folio_order;
}

int hugetlb_area_begin(struct vma *vma)
{
    bool promised = !(vma->flags & VM_NORESERVE);

    int err = private_new(vma->object, promised, &vma->hugetlb);
    if (err || !promised || !quota_promise(vma->object, nr_indices(vma)))
        return err;
    kmem_free(vma->hugetlb);
    vma->hugetlb = NULL;
    return -ENOMEM;
}

int hugetlb_area_inherit(struct vma *child)
{
    return private_new(child->object, false, &child->hugetlb);
}

void hugetlb_area_split(struct vma *above)
{
    atomic_fetch_add(&above->hugetlb->refcount, 1);
}

/* The copies of [first, end) are nobody's from now on. Returns how many there were. */
static uint64_t forget_copies(struct hugetlb_private *private, struct hugetlb_pool *pool,
                              uint64_t first, uint64_t end)
{
    struct page *page;
    uint64_t nr = 0;

    spin_lock(&pool->lock);
    for (uint64_t i = first; (page = index_next(&private->copies, &i)) && i < end; i++, nr++) {
        index_remove(&private->copies, i);
        page->private = 0;
    }
    spin_unlock(&pool->lock);
    return nr;
}

void hugetlb_area_end(struct vma *vma)
{
    struct hugetlb_private *private = vma->hugetlb;
    uint64_t first = first_index(vma), nr = nr_indices(vma);

    uint64_t copies = forget_copies(private, pool_of(vma->object), first, first + nr);
    if (private->promised)
        quota_give(vma->object, nr, nr - copies);
    else
        quota_give(vma->object, copies, 0);
    hugetlb_area_replaced(vma);
}

void hugetlb_area_replaced(struct vma *vma)
{
    if (atomic_fetch_sub(&vma->hugetlb->refcount, 1) == 1)
        kmem_free(vma->hugetlb);
    vma->hugetlb = NULL;
}

/* Stands in .copies while a page is looked for. */
#define NO_PAGE_YET ((struct page *)64)

/* Have a place for @index in .copies. *@old: the page that is there, or NULL. pool->lock held. */
static int place_get(const struct vma *vma, uint64_t index, struct page **old)
{
    struct hugetlb_private *private = vma->hugetlb;

    *old = index_find(&private->copies, index);
    if (*old)
        return 0;
    if (!private->promised && object_charge(vma->object, pool_frames(pool_of(vma->object))))
        return -ENOSPC;
    int err = index_insert(&private->copies, index, NO_PAGE_YET);
    if (err && !private->promised)
        object_uncharge(vma->object, pool_frames(pool_of(vma->object)));
    return err;
}

/* No page at @index after all. pool->lock held. */
static void place_put(const struct vma *vma, uint64_t index)
{
    index_remove(&vma->hugetlb->copies, index);
    if (!vma->hugetlb->promised)
        object_uncharge(vma->object, pool_frames(pool_of(vma->object)));
}

/* -EAGAIN: the pool is empty. pool->lock held. */
static int copy_take(const struct vma *vma, uint64_t index, struct page **out)
{
    struct hugetlb_private *private = vma->hugetlb;
    struct page *old;

    int err = place_get(vma, index, &old);
    if (err)
        return err;
    *out = pool_take_locked(pool_of(vma->object), private->promised && !old);
    if (!*out && !old)
        place_put(vma, index);
    if (!*out)
        return -EAGAIN;
    if (old)
        old->private = 0; /* it is the child's alone */
    index_replace(&private->copies, index, *out);
    (*out)->flags |= PAGE_COPY;
    (*out)->private = (uintptr_t) private;
    (*out)->index = index;
    (*out)->object = NULL;
    return 0;
}

int hugetlb_get_copy(const struct vma *vma, uint64_t index, struct page **out)
{
    struct hugetlb_pool *pool = pool_of(vma->object);
    int err;

    if (fail_injected(FAIL_HUGETLB))
        return -ENOMEM;
    do {
        spin_lock(&pool->lock);
        err = copy_take(vma, index, out);
        spin_unlock(&pool->lock);
    } while (err == -EAGAIN && !pool_add_surplus(pool));
    return err ? -ENOMEM : 0;
}

bool hugetlb_copy_dies(struct page *copy)
{
    struct hugetlb_private *private = (struct hugetlb_private *)copy->private;

    copy->flags &= ~PAGE_COPY;
    copy->private = 0;
    if (!private)
        return false;
    index_remove(&private->copies, copy->index);
    if (!private->promised)
        object_uncharge(private->object, folio_nr_pages(page_folio(copy)));
    return private->promised;
}

/* Where @vma has @index. */
static uint64_t address_of(const struct vma *vma, uint64_t index)
{
    return vma->start + (index - first_index(vma)) * vma_unit(vma);
}

/* Does @vma map @page at @index, without having been promised one? */
static bool can_be_robbed(const struct vma *vma, uint64_t index, const struct page *page)
{
    uint64_t first = first_index(vma);

    if (!vma->hugetlb || vma->hugetlb->promised || index < first ||
        index >= first + nr_indices(vma))
        return false;
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(address_of(vma, index)));
    pte_t pte = pte_read(walk.slot);
    return pte_has_frame(pte) && phys_to_page(pte_phys(pte, walk.level)) == page;
}

static void rob(struct vma *vma, uint64_t index)
{
    uint64_t va = address_of(vma, index);
    struct tlb_gather gather;

    WRITE_ONCE(vma->hugetlb->robbed, true); /* first: who finds no leaf there must see it */
    tlb_gather_begin(&gather, &vma->mm->pgtable);
    zap_range(vma->mm, va, va + vma_unit(vma), ZAP_PAGES, &gather);
    tlb_gather_end(&gather);
}

bool hugetlb_rob(const struct vma *robber, uint64_t index, const struct page *page)
{
    struct object *object = robber->object;
    struct vma *vma;
    bool any = false;

    if (!robber->hugetlb->promised || !page_is_private(page))
        return false;
    spin_lock(&object->mappings_lock);
    list_for_each_entry (vma, &object->mappings, mapping_node) {
        if (!can_be_robbed(vma, index, page))
            continue;
        rob(vma, index);
        any = true;
    }
    spin_unlock(&object->mappings_lock);
    return any;
}

static uint64_t count_copies(const struct vma *vma)
{
    uint64_t first = first_index(vma), nr = 0;

    for (uint64_t i = first; index_next(&vma->hugetlb->copies, &i); i++)
        nr += i < first + nr_indices(vma);
    return nr;
}

uint64_t hugetlb_area_promises(const struct vma *vma)
{
    return vma->hugetlb->promised ? nr_indices(vma) - count_copies(vma) : 0;
}

uint64_t hugetlb_area_charged(const struct vma *vma)
{
    return vma->hugetlb->promised ? nr_indices(vma) : count_copies(vma);
}
