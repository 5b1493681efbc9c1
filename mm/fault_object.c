/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_object.c - making an access to an object's memory possible
 *
 *   shared, or read      the object's folio
 *   private, write       a copy of it, in the object's unit
 *   of a pool, private   a page that was promised
 *
 * Room:   mm.
 * Owns:   the decision above.
 * Locks:  mmap_lock for reading what it reaches; then of pools their area's lock.
 * Always: (1) what lies beyond the object's end is never mapped, but for huge pages made there.
 * Source: mmap(2), "SIGBUS"; Linux Documentation/mm/hugetlbfs_reserv.rst (behaviour).
 * Tour:   after mm/fault.c, mm/object.c.
 */
#include "fault.h"
#include <uapi/errno.h>

/* A huge page that fallocate(2) put behind the end is mapped all the same, as on Linux. */
static __cold bool exists_beyond(const struct fault *f)
{
    return object_is_hugetlb(f->vma->object) &&
           object_has_page(f->vma->object, vma_folio_index(f->vma, f->va));
}

bool fault_huge_object(struct fault *f)
{
    struct object *object = f->vma->object;
    uint64_t index = vma_folio_index(f->vma, f->va);
    struct page *page;

    if (object->ops->get_page(object, index, thp_wanted(f->vma), &page))
        return false;
    struct page *head = page_head(page);
    bool whole = page_is_whole(head);
    if (whole)
        f->va = round_down(f->va, HUGE_SIZE);
    if (whole && publish(f, head, head))
        thp_count(THP_FILE_MAPPED, 1);
    else
        page_put(page);
    return whole;
}

/* The object's @page, whose reference this consumes, is there for the access. */
static __force_inline enum fault_result fault_page(struct fault *f, struct page *page)
{
    if (wants_own(f->access) && !(f->vma->flags & VM_SHARED)) {
        enum fault_result result = fault_private(f, page);
        page_put(page);
        return result;
    }
    bool done = f->access == ACCESS_WRITE && f->walk.level == PT_4K
                    ? publish_written(f, page, PUBLISH_SHARED)
                    : publish(f, page, page);
    if (unlikely(!done) && f->vma->object->ops->borrows)
        done = publish(f, page, NULL); /* another object has it, or none: it stays all the same */
    if (!done)
        page_put(page); /* somebody was faster, or it was truncated: the access tries again */
    return FAULT_RESOLVED;
}

/* In a private mapping of huge pages. What is missing is not made for all; and as one page is
 * promised, who comes second waits until it is mapped. */
static enum fault_result fault_pool_locked(struct fault *f)
{
    struct object *object = f->vma->object;
    struct page *page;

    if (!pte_is_vacant(pte_read(f->walk.slot)))
        return FAULT_RESOLVED;
    if (READ_ONCE(f->vma->hugetlb->robbed) || (is_beyond(f) && !exists_beyond(f)))
        return FAULT_BEYOND;
    int err =
        object->ops->get_page(object, vma_folio_index(f->vma, f->va), OBJECT_GET_EXISTING, &page);
    if (err)
        return FAULT_BEYOND;
    return page ? fault_page(f, page) : fault_private(f, NULL);
}

static __cold enum fault_result fault_pool(struct fault *f)
{
    mutex_lock(&f->vma->hugetlb->lock);
    enum fault_result result = fault_pool_locked(f);
    mutex_unlock(&f->vma->hugetlb->lock);
    return result;
}

/* The object's page at @index gets its leaf, if it is there. Its index is locked meanwhile: what
 * truncation takes out of it first, it finds mapped afterwards. */
static inline bool map_cached(struct fault *f, struct object *object, uint64_t index)
{
    bool found = false;

    spin_lock(&object->index_lock);
    struct page *page = index_find(&object->folios, index);
    if (likely(page) && likely(!page_is_untouched(page))) {
        found = true;
        if (likely(publish_written(f, page, PUBLISH_SHARED))) /* else somebody was faster */
            folio_get(page_folio(page));
    }
    spin_unlock(&object->index_lock);
    return found;
}

enum fault_result fault_shared_write(struct fault *f)
{
    struct object *object = f->vma->object;
    uint64_t index = vma_folio_index(f->vma, f->va);
    struct page *page;

    if (is_beyond(f))
        return FAULT_BEYOND;
    if (map_cached(f, object, index))
        return FAULT_RESOLVED;
    enum object_get how = thp_wanted(f->vma);
    int err = object->ops->make_page(object, index, how, &page);
    if (unlikely(err == -EEXIST))
        err = object->ops->get_page(object, index, how, &page);
    if (err)
        return err == -ENOSPC ? FAULT_BEYOND : FAULT_NO_MEMORY;
    return fault_page(f, page);
}

enum fault_result fault_object(struct fault *f)
{
    struct object *object = f->vma->object;
    struct page *page;

    if (has_pool_pages(f->vma))
        return fault_pool(f);
    if (wants_own(f->access) && !(f->vma->flags & VM_SHARED))
        vma_anon_begin(f->vma); /* Linux does, whatever becomes of the fault */
    if (!wants_own(f->access) && fault_around(f->vma, f->va, &f->walk))
        return FAULT_RESOLVED; /* the neighbours of what lies beyond, too */
    if (is_beyond(f) && !exists_beyond(f))
        return FAULT_BEYOND;
    int err =
        object->ops->get_page(object, vma_folio_index(f->vma, f->va), thp_wanted(f->vma), &page);
    if (err)
        return object->ops->folio_order || err == -ENOSPC ? FAULT_BEYOND : FAULT_NO_MEMORY;
    return fault_page(f, page);
}
