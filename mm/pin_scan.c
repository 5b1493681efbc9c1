/* SPDX-License-Identifier: MIT */
/*
 * mm/pin_scan.c - who has a page of an object, and is no mapping of it?
 *
 * Room:   mm.
 * Owns:   the marks of an object's index on folios that are pinned.
 * Locks:  object.lock by the caller, from the first mark to the last; index_lock for a while at a
 *         time, others want it, too.
 * Always: (1) a folio is marked in the first of its slots, and only while object.lock is held;
 *         (2) what was not pinned when it was looked at needs no second look: who seals lets nobody
 *             pin for writing meanwhile.
 * Source: fcntl(2), "File Sealing"; Linux mm/memfd.c, memfd_wait_for_pins() (behaviour).
 * Tour:   after mm/pin.c; kernel/memfd.c waits between the looks.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/pin.h>

#define FOLIOS_AT_ONCE 1024U /* under one hold of index_lock */

/* index_lock held. */
static bool folio_is_pinned(const struct page *head)
{
    uint32_t slots = bug_is_back(BUG_B37) ? 1 : folio_slots(head);
    return atomic_load(&head->refcount) > atomic_load(&head->mapcount) + slots;
}

/* The first key behind the folio that @page, found under @key, lies in. */
static uint64_t key_behind(const struct object *object, uint64_t key, struct page *page)
{
    return object->ops->folio_order ? key + 1 : (key | (folio_nr_pages(page_folio(page)) - 1)) + 1;
}

/* The next folios from *@key on. index_lock held. False: there are no more. */
static bool mark_some(struct object *object, uint64_t *key)
{
    struct page *page = NULL;

    for (unsigned n = 0; n < FOLIOS_AT_ONCE && (page = index_next(&object->folios, key)); n++) {
        if (!index_has_page(page)) {
            *key += 1;
            continue;
        }
        if (folio_is_pinned(page_head(page)))
            index_set_mark(&object->folios, *key, INDEX_MARK_PINNED);
        *key = key_behind(object, *key, page);
    }
    return page;
}

bool object_mark_pinned(struct object *object)
{
    uint64_t key = 0;
    bool more, marked;

    if (!pins_count())
        return false;
    do {
        spin_lock(&object->index_lock);
        more = mark_some(object, &key);
        marked = index_has_mark(&object->folios, INDEX_MARK_PINNED);
        spin_unlock(&object->index_lock);
    } while (more);
    return marked;
}

/* The same for those that are marked. *@pinned: one of them is pinned. */
static bool scan_some(struct object *object, uint64_t *key, enum pin_marks marks, bool *pinned)
{
    struct index *folios = &object->folios;
    struct page *page = NULL;

    for (unsigned n = 0; n < FOLIOS_AT_ONCE; n++, *key += 1) {
        page = index_next_marked(folios, key, INDEX_MARK_PINNED);
        if (!page)
            break;
        bool still = folio_is_pinned(page_head(page));
        *pinned |= still;
        if (!still || marks == PIN_MARKS_GO)
            index_clear_mark(folios, *key, INDEX_MARK_PINNED);
    }
    return page;
}

bool object_scan_marked(struct object *object, enum pin_marks marks)
{
    bool more, pinned = false;
    uint64_t key = 0;

    do {
        spin_lock(&object->index_lock);
        more = scan_some(object, &key, marks, &pinned);
        spin_unlock(&object->index_lock);
    } while (more);
    return pinned;
}
