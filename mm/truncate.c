/* SPDX-License-Identifier: MIT */
/*
 * mm/truncate.c - taking pages out of an object: from its end, or for a hole
 *
 * Room:   mm.
 * Owns:   what becomes of folios that lie only partly in what is taken out.
 * Locks:  object.lock by the caller; mappings_lock; index_lock.
 * Always: (1) a folio is taken out of the index (its object pointer cleared) before it is taken out
 *             of the mappings: a fault that checks the pointer under its table's lock is either
 *             seen by the unmapping or sees that the folio is gone.
 *         (2) a huge page that somebody has (pin.h) is not broken at a border: its part is zeroed,
 *             and stays.
 * Source: ftruncate(2), fallocate(2); Linux mm/truncate.c (behaviour).
 * Tour:   after mm/object.c; mm/collapse_object.c has the breaking of huge pages.
 */
#include "internal.h"
#include <base/bug.h>
#include <lib/string.h>

void object_unmap(struct object *object, uint64_t first, uint64_t last, enum zap_what what)
{
    struct vma *vma;

    spin_lock(&object->mappings_lock);
    list_for_each_entry (vma, &object->mappings, mapping_node) {
        uint64_t from = max(first, vma->pgoff);
        uint64_t to = min(last, vma->pgoff + vma_pages(vma));
        if (from >= to)
            continue;
        uint64_t base = vma->start - (vma->pgoff << PAGE_SHIFT); /* may wrap; the sum does not */
        struct tlb_gather gather;
        tlb_gather_begin(&gather, &vma->mm->pgtable);
        zap_range(vma->mm, base + (from << PAGE_SHIFT), base + (to << PAGE_SHIFT),
                  what == ZAP_FROM_OBJECT ? zap_discarded(vma) : what, &gather);
        if (!bug_is_back(BUG_B17) && !bug_is_back(BUG_B11))
            tlb_gather_others(&gather, base + (from << PAGE_SHIFT), base + (to << PAGE_SHIFT));
        tlb_gather_end(&gather);
        bug_moment(BUG_B12);
    }
    spin_unlock(&object->mappings_lock);
}

/* Zero [start, end), which lies in one folio, if that exists. */
static void zero_part(struct object *object, uint64_t start, uint64_t end)
{
    uint64_t folio_bytes = object_folio_bytes(object);

    if (start >= end || (!object->ops->kernel_access && !bug_is_back(BUG_B51)))
        return;
    struct page *page = object_existing_page(object, start / folio_bytes);
    if (!page)
        return;
    memset((char *)page_kva(page) + (start & (folio_bytes - 1)), 0, end - start);
    page_put(page);
}

/* The same for pages [first, end) of an object of small ones. */
static void zero_pages(struct object *object, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        zero_part(object, i << PAGE_SHIFT, (i + 1) << PAGE_SHIFT);
}

/* Is the border @index inside a huge page that somebody has? */
static bool is_inside_pinned(struct object *object, uint64_t index)
{
    uint64_t first = round_down(index, PT_ENTRIES), at = first;

    if (likely(!READ_ONCE(object->has_huge)) || first == index)
        return false;
    spin_lock(&object->index_lock);
    struct page *page = index_next(&object->folios, &at);
    const struct page *head = page && at < first + PT_ENTRIES ? page_head(page) : NULL;
    bool pinned = head && head->order == HUGE_ORDER && atomic_load(&head->pins);
    spin_unlock(&object->index_lock);
    return pinned;
}

/* Folios [first, last) go, and their leaves. */
static void take_out(struct object *object, uint64_t first, uint64_t last, enum zap_what what)
{
    unsigned shift = object->ops->folio_order;
    uint64_t from = first, to = last; /* of what goes: claim 2 */

    if (is_inside_pinned(object, first))
        from = min(last, round_up(first, PT_ENTRIES));
    if (is_inside_pinned(object, last))
        to = max(from, round_down(last, PT_ENTRIES));
    object->ops->remove_folios(object, from, to);
    object_unmap(object, first << shift, min(last, PAGE_MASK >> PAGE_SHIFT >> shift) << shift,
                 what);
    zero_pages(object, first, from);
    zero_pages(object, to, last);
}

void object_truncate(struct object *object, uint64_t size_bytes)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    uint64_t old = object_size(object);

    atomic_store(&object->size_bytes, size_bytes);
    if (size_bytes > old && !object_is_hugetlb(object))
        return; /* the same size again, and of huge pages any, drops what fallocate() put behind */
    uint64_t keep = round_up(size_bytes, folio_bytes);
    take_out(object, keep / folio_bytes, UINT64_MAX,
             object_is_hugetlb(object) ? ZAP_PAGES : ZAP_FROM_OBJECT);
    object_break(object, keep >> PAGE_SHIFT);
    zero_part(object, size_bytes, keep); /* must read as zeros when the object grows again */
}

void object_punch(struct object *object, uint64_t start, uint64_t end)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    uint64_t first = round_up(start, folio_bytes), last = round_down(end, folio_bytes);

    if (first > last) { /* within one folio */
        zero_part(object, start, end);
        return;
    }
    zero_part(object, start, first);
    zero_part(object, last, end);
    take_out(object, first / folio_bytes, last / folio_bytes, ZAP_OBJECT_PAGES);
    object_break(object, first >> PAGE_SHIFT);
    object_break(object, last >> PAGE_SHIFT);
}
