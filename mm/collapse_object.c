/* SPDX-License-Identifier: MIT */
/*
 * mm/collapse_object.c - huge pages among the small ones of a shmem object: put in, made of small
 * ones, broken
 *
 * Room:   mm.
 * Owns:   how 512 slots of an index come to hold one block, and how it falls into pages again.
 * Locks:  object.lock, then index_lock over the whole copy (a millisecond): a fault that wants a
 *         page of the unit waits for the new one.
 * Always: (1) a block holds a reference for each of its slots, as if its pages were single;
 *         (2) old pages leave the object before they leave the mappings, and the mappings before
 *             they are copied: no store is lost;
 *         (3) a block that lost a slot is PAGE_PARTIAL, and gets no huge leaf any more.
 * Source: Linux mm/khugepaged.c, collapse_file() (behaviour).
 * Tour:   after mm/collapse.c and mm/object.c.
 */
#include "internal.h"
#include <lib/frames.h>
#include <lib/string.h>
#include <uapi/errno.h>

bool page_is_whole(struct page *page)
{
    return page_head(page) == page && page->order == HUGE_ORDER && !(page->flags & PAGE_PARTIAL);
}

void block_lost_slot(struct page *head)
{
    if (!(head->flags & PAGE_PARTIAL))
        thp_count(THP_SHMEM, -1);
    head->flags |= PAGE_PARTIAL;
}

/* index_lock held, as in all of these. */
static bool unit_is_whole(struct object *object, uint64_t first)
{
    struct page *page = index_find(&object->folios, first);
    return page && page_is_whole(page);
}

static void holes_empty(struct object *object, uint64_t first, const struct page *huge)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (index_find(&object->folios, first + i) == huge + i)
            index_remove(&object->folios, first + i);
}

static bool unit_is_hole(struct object *object, uint64_t first)
{
    uint64_t at = first;
    return !index_next(&object->folios, &at) || at >= first + PT_ENTRIES;
}

/* Slots that are empty get their part of @huge. -ENOMEM, -ENOSPC: as before. */
static int holes_fill(struct object *object, uint64_t first, struct page *huge)
{
    unsigned holes = 0;
    int err = 0;

    for (unsigned i = 0; i < PT_ENTRIES && !err; i++) {
        if (index_find(&object->folios, first + i))
            continue;
        err = index_insert(&object->folios, first + i, huge + i);
        holes += !err;
    }
    if (!err)
        err = object_charge(object, holes);
    if (err)
        holes_empty(object, first, huge);
    else
        atomic_fetch_add(&object->nr_pages, holes);
    return err;
}

/* Claim 2, its first half: with @owner NULL no fault publishes a page of the unit any more. */
static void pages_own(struct object *object, uint64_t first, struct object *owner)
{
    struct page *page;

    for (uint64_t at = first; (page = index_next(&object->folios, &at)) && at < first + PT_ENTRIES;
         at++)
        WRITE_ONCE(page->object, owner);
}

/* All slots of the unit hold parts of @huge, or will before index_lock is released. */
static void block_belongs(struct object *object, uint64_t first, struct page *huge)
{
    atomic_store(&huge->refcount, PT_ENTRIES);
    atomic_store(&huge->huge_leaves, 0);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        huge[i].flags = 0;
        huge[i].index = first + i;
        WRITE_ONCE(huge[i].object, object);
    }
    WRITE_ONCE(object->has_huge, true);
    thp_count(THP_SHMEM, 1);
}

static void pages_replace(struct object *object, uint64_t first, struct page *huge)
{
    block_belongs(object, first, huge);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        struct page *frame = huge + i, *old = index_find(&object->folios, first + i);
        if (old == frame) {
            memset(page_kva(frame), 0, PAGE_SIZE);
            continue;
        }
        if (page_head(old)->order)
            block_lost_slot(page_head(old));
        copy_frames(page_kva(frame), page_kva(old), PAGE_SIZE);
        index_replace(&object->folios, first + i, frame);
        page_put(old);
    }
}

bool object_unit_fits(struct object *object, uint64_t first, unsigned wanted)
{
    uint64_t size = round_up(object_size(object), PAGE_SIZE), at = first;
    unsigned present = 0;

    if ((first + PT_ENTRIES) << PAGE_SHIFT > size)
        return false;
    spin_lock(&object->index_lock);
    for (; index_next(&object->folios, &at) && at < first + PT_ENTRIES; at++)
        present++;
    spin_unlock(&object->index_lock);
    return present >= wanted;
}

/* Has somebody a page of it who is no mapping? He would be left with one that is nobody's. */
static bool unit_is_pinned(struct object *object, uint64_t first)
{
    struct page *page;

    for (uint64_t at = first; (page = index_next(&object->folios, &at)) && at < first + PT_ENTRIES;
         at++)
        if (atomic_load(&page_head(page)->pins))
            return true;
    return false;
}

static int unit_collapse(struct object *object, uint64_t first, struct page *huge)
{
    if (unit_is_hole(object, first))
        return -EINVAL;
    pages_own(object, first, NULL);
    object_unmap(object, first, first + PT_ENTRIES, ZAP_OBJECT_PAGES);
    int err = unit_is_pinned(object, first) ? -EAGAIN : holes_fill(object, first, huge);
    if (err) {
        pages_own(object, first, object);
        return err == -EAGAIN ? err : -ENOMEM;
    }
    pages_replace(object, first, huge);
    return 0;
}

int object_collapse(struct object *object, uint64_t first)
{
    struct page *huge;

    int err = page_alloc(HUGE_ORDER, PAGE_ALLOC_AS(PAGE_OBJECT), &huge);
    thp_count(err ? THP_COLLAPSE_ALLOC_FAILED : THP_COLLAPSE_ALLOC, 1);
    if (err)
        return err;
    mutex_lock(&object->lock);
    spin_lock(&object->index_lock);
    bool whole = unit_is_whole(object, first);
    if (!whole && (first + PT_ENTRIES) << PAGE_SHIFT > round_up(object_size(object), PAGE_SIZE))
        err = -EINVAL; /* a huge leaf would show what lies behind the end */
    if (!whole && !err)
        err = unit_collapse(object, first, huge);
    spin_unlock(&object->index_lock);
    mutex_unlock(&object->lock);
    if (whole || err)
        page_free(huge, HUGE_ORDER);
    return err;
}

static int add_block(struct object *object, uint64_t first, struct page *huge, bool untouched)
{
    spin_lock(&object->index_lock);
    int err = unit_is_hole(object, first) ? holes_fill(object, first, huge) : -EEXIST;
    if (!err) {
        block_belongs(object, first, huge);
        huge->flags |= untouched ? PAGE_UNTOUCHED : 0;
    }
    spin_unlock(&object->index_lock);
    return err;
}

static bool looks_like_hole(struct object *object, uint64_t first)
{
    spin_lock(&object->index_lock);
    bool is = unit_is_hole(object, first);
    spin_unlock(&object->index_lock);
    return is;
}

int object_add_block(struct object *object, uint64_t index, bool untouched)
{
    uint64_t first = round_down(index, PT_ENTRIES);
    struct page *huge;

    if (!looks_like_hole(object, first))
        return -EEXIST; /* clearing a block for nothing takes long */
    int err = thp_block_alloc(THP_LEAVE_SOME, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_OBJECT), &huge);
    thp_count(err ? THP_FILE_FALLBACK : THP_FILE_ALLOC, 1);
    if (err)
        return err;
    err = add_block(object, first, huge, untouched);
    if (err)
        page_free(huge, HUGE_ORDER);
    return err;
}

void object_break(struct object *object, uint64_t index)
{
    uint64_t first = round_down(index, PT_ENTRIES), at = first;

    if (likely(!READ_ONCE(object->has_huge)) || first == index)
        return;
    spin_lock(&object->index_lock);
    struct page *page = index_next(&object->folios, &at);
    struct page *head = page && at < first + PT_ENTRIES ? page_head(page) : NULL;
    if (head && head->order == HUGE_ORDER && (head->flags & PAGE_PARTIAL)) {
        object_unmap(object, first, first + PT_ENTRIES, ZAP_OBJECT_PAGES);
        if (folio_refcount(page_folio(head)) == folio_slots(head)) {
            head->flags &= ~PAGE_PARTIAL;
            folio_break(page_folio(head), 0);
            thp_count(THP_SPLIT_PAGE, 1);
            for (unsigned i = 0; i < PT_ENTRIES; i++)
                if (!head[i].object)
                    page_put(&head[i]);
        }
    }
    spin_unlock(&object->index_lock);
}
