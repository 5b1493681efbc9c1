/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb.c - memory objects of huge pages from a pool, reserved when they are mapped
 *
 * Room:   mm.
 * Owns:   the promises that shared mappings made: they are their object's.
 * Locks:  filling (sleeping, 18) > object.index_lock (20) > pool.lock (55).
 * Always: (1) an object's promise for an index is a mark in its index: RESERVED instead of a folio.
 *             Whoever takes the mark away has the promise: to redeem it, or to give it back;
 *         (2) FILLING is left by who redeems it, and is nobody's promise any more; only he who
 *             holds the lock of that index leaves it, or puts a folio there.
 * Source: Linux Documentation/mm/hugetlbfs_reserv.rst (behaviour).
 * Tour:   after mm/shmem.c, mm/hugetlb_pool.c; then mm/hugetlb_private.c.
 */
#include "hugetlb_pool.h"
#include <base/bug.h>
#include <lib/string.h>
#include <uapi/errno.h>

/* Stand in the index where a page is promised, and where it is being made. See index_has_page(). */
#define RESERVED ((struct folio *)64)
#define FILLING  ((struct folio *)128)

/* Held while a page is taken, zeroed and published, by object and index: nobody takes a second. */
static struct mutex filling[16];

static struct mutex *filling_of(const struct object *object, uint64_t index)
{
    return &filling[((uintptr_t)object / sizeof(*object) + index) % ARRAY_SIZE(filling)];
}

void hugetlb_boot_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(filling); i++)
        mutex_init(&filling[i]);
    pools_boot_init();
}

/* The index of an object that has any page or promise is found by its pool. index_lock held. */

static int slot_fill(struct object *object, uint64_t index, struct folio *item)
{
    bool first = index_is_empty(&object->folios);

    int err = index_insert(&object->folios, index, item);
    if (!err && first)
        pool_list_object(object);
    return err;
}

static void slot_empty(struct object *object, uint64_t index)
{
    index_remove(&object->folios, index);
    if (index_is_empty(&object->folios))
        pool_unlist_object(object);
}

/* Promises. index_lock held. */

static int reserve_one(struct object *object, uint64_t index)
{
    int err = quota_promise(object, 1);
    if (err)
        return err;
    err = slot_fill(object, index, RESERVED);
    if (err)
        quota_give(object, 1, 1);
    else
        index_set_mark(&object->folios, index, INDEX_MARK_NEW);
    return err;
}

/* Commit: forget which are new. Roll back: take the new ones out again. */
static void settle_new(struct object *object, uint64_t first, uint64_t end, bool commit)
{
    for (uint64_t i = first; i < end; i++) {
        if (!index_test_mark(&object->folios, i, INDEX_MARK_NEW))
            continue;
        index_clear_mark(&object->folios, i, INDEX_MARK_NEW);
        if (commit)
            continue;
        slot_empty(object, i);
        quota_give(object, 1, 1);
    }
}

/* Promise every index of [first, end) that has neither page nor promise; all or nothing. */
static int reserve_range(struct object *object, uint64_t first, uint64_t end)
{
    uint64_t i = first;
    int err = 0;

    for (; i < end && !err; i++)
        if (!index_find(&object->folios, i))
            err = reserve_one(object, i);
    settle_new(object, first, i, !err);
    return err ? -ENOMEM : 0;
}

static int hugetlb_reserve(struct object *object, uint64_t pgoff, uint64_t nr_pages)
{
    unsigned order = object->ops->folio_order;

    spin_lock(&object->index_lock);
    int err = reserve_range(object, pgoff >> order, (pgoff + nr_pages) >> order);
    spin_unlock(&object->index_lock);
    return err;
}

/* Pages */

/* What the index says; takes a reference on a folio. @redeem: and what was promised there. */
static struct folio *lookup(struct object *object, uint64_t index, bool redeem)
{
    spin_lock(&object->index_lock);
    struct folio *found = index_find(&object->folios, index);
    if (index_has_page(found))
        folio_get(found);
    else if (found && redeem)
        index_replace(&object->folios, index, FILLING);
    spin_unlock(&object->index_lock);
    return found;
}

/* What FILLING stood for is not redeemed after all, unless truncation took it away. */
static void unredeem(struct object *object, uint64_t index)
{
    spin_lock(&object->index_lock);
    bool still = index_find(&object->folios, index) == FILLING;
    if (still)
        index_replace(&object->folios, index, RESERVED);
    spin_unlock(&object->index_lock);
    if (!still)
        quota_give(object, 1, 1);
}

/* Is what a fault wants behind the end by now? What fallocate(2) wants may be. */
static bool is_past_end(const struct object *object, uint64_t index, enum object_get how)
{
    return how != OBJECT_GET_RESERVE && index * object_folio_bytes(object) >= object_size(object);
}

/* Put @folio where FILLING is, or nothing. -EAGAIN: that changed meanwhile; FILLING is gone. */
static int publish(struct object *object, uint64_t index, struct folio *folio, bool promised,
                   enum object_get how)
{
    int err = 0;

    spin_lock(&object->index_lock);
    bool mine = index_find(&object->folios, index) == (promised ? FILLING : NULL);
    if (!mine || is_past_end(object, index, how))
        err = -EAGAIN;
    else if (promised)
        index_replace(&object->folios, index, folio);
    else
        err = slot_fill(object, index, folio);
    if (err && mine && promised)
        slot_empty(object, index);
    if (!err) {
        folio_get(folio);
        folio->page.index = index << object->ops->folio_order;
        WRITE_ONCE(folio->page.object, object);
        atomic_fetch_add(&object->nr_pages, folio_nr_pages(folio));
    }
    spin_unlock(&object->index_lock);
    return err;
}

/* A page of the pool for @index, with one reference: @redeem what was promised there, or one beside
 * all promises. */
static int page_get(struct object *object, uint64_t index, bool redeem, struct folio **out)
{
    bool aside = false;
    struct page *page;

    int err = redeem ? 0 : quota_take(object, &aside);
    if (err)
        return err;
    err = pool_take(pool_of(object), redeem || aside, &page);
    if (err && redeem)
        unredeem(object, index);
    else if (err)
        quota_give(object, 1, aside);
    else
        *out = page_folio(page);
    return err;
}

/* What is in a new page: what @from has, or zeros. */
static void fill(struct page *page, const struct page *from)
{
    uint64_t bytes = PAGE_SIZE << page->order;

    if (from)
        memcpy(page_kva(page), page_kva(from), bytes);
    else
        memset(page_kva(page), 0, bytes);
}

/* filling_of() it held. -EAGAIN: somebody truncated, or promised, meanwhile; -ENXIO: the object
 * ends before it. */
static int make_folio(struct object *object, uint64_t index, enum object_get how,
                      const struct page *from, struct folio **out)
{
    if (is_past_end(object, index, how))
        return -ENXIO;
    struct folio *found = lookup(object, index, true);
    *out = found;
    if (index_has_page(found))
        return 0;
    int err = page_get(object, index, found, out);
    if (err)
        return err;
    fill(&(*out)->page, from);
    bug_moment(BUG_B56);
    err = publish(object, index, *out, found, how);
    if (err) {
        folio_put(*out);
        quota_give(object, 1, 0);
    }
    return err;
}

static int hugetlb_get_page(struct object *object, uint64_t index, enum object_get how,
                            struct page **out)
{
    struct folio *found = lookup(object, index, false);
    int err;

    *out = index_has_page(found) ? &found->page : NULL;
    if (*out || how == OBJECT_GET_EXISTING)
        return 0;
    mutex_lock(filling_of(object, index));
    do
        err = make_folio(object, index, how, NULL, &found);
    while (err == -EAGAIN);
    mutex_unlock(filling_of(object, index));
    *out = err ? NULL : &found->page;
    return err;
}

int hugetlb_add_copy(struct object *object, uint64_t index, const struct page *from,
                     struct page **out)
{
    struct folio *found = NULL;
    int err;

    mutex_lock(filling_of(object, index));
    do
        err = object_has_page(object, index)
                  ? -EEXIST
                  : make_folio(object, index, OBJECT_GET_ALLOCATE, from, &found);
    while (err == -EAGAIN);
    mutex_unlock(filling_of(object, index));
    *out = err ? NULL : &found->page;
    return err == -ENXIO ? -EFAULT : err;
}

static void hugetlb_remove_folios(struct object *object, uint64_t start, uint64_t end)
{
    struct folio *found;

    spin_lock(&object->index_lock);
    for (uint64_t i = start; (found = index_next(&object->folios, &i)) && i < end; i++) {
        if (!index_has_page(found) && end != UINT64_MAX)
            continue; /* a hole is punched: as on Linux, what is promised there stays promised */
        slot_empty(object, i);
        if (found == FILLING && !bug_is_back(BUG_B56))
            continue; /* claim 2: who fills it gives it back */
        if (!index_has_page(found)) {
            quota_give(object, 1, 1);
            continue;
        }
        WRITE_ONCE(found->page.object, NULL);
        atomic_fetch_sub(&object->nr_pages, folio_nr_pages(found));
        folio_put(found);
        quota_give(object, 1, 0);
    }
    spin_unlock(&object->index_lock);
}

void hugetlb_object_count(struct object *object, uint64_t *promises, uint64_t *pages)
{
    struct folio *found;

    *promises = *pages = 0;
    for (uint64_t i = 0; (found = index_next(&object->folios, &i)); i++) {
        *promises += found == RESERVED;
        *pages += index_has_page(found);
    }
}

#define OPS(its_name, order, its_pool)                                                            \
    {                                                                                             \
        .name = (its_name), .folio_order = (order), .pool = (its_pool),                           \
        .get_page = hugetlb_get_page, .get_copy = hugetlb_get_copy,                               \
        .remove_folios = hugetlb_remove_folios, .reserve = hugetlb_reserve, .grows_mapped = true, \
        .kernel_access = true                                                                     \
    }

const struct object_ops hugetlb_ops = OPS("hugetlb", HUGE_ORDER, &hugetlb_pools[0]);
const struct object_ops hugetlb_giant_ops = OPS("giant", PAGE_ORDER_GIANT, &hugetlb_pools[1]);
