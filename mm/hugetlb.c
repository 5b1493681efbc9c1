/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb.c - memory objects of 2 MiB pages from a pool, reserved when they are mapped
 *
 * Room:   mm.
 * Owns:   the pool, and the promises (reservations) each object holds on it.
 * Locks:  promise_lock (sleeping, 18) > object.index_lock (20) > pool.lock (55).
 * Always: (1) reserved <= free; (2) free + used = total;
 *         (3) an object's promise for an index is a mark in its own index: RESERVED instead of a
 *             folio. It is redeemed by the folio that takes its place, or given back by truncation.
 * Source: Linux Documentation/mm/hugetlbfs_reserv.rst (behaviour).
 * Tour:   after mm/shmem.c.
 */
#include "internal.h"
#include <base/fail.h>
#include <base/log.h>
#include <lib/string.h>
#include <mm/hugetlb.h>
#include <uapi/errno.h>

static struct {
    spinlock_t lock;
    struct list_node free_pages;
    struct hugetlb_counts counts;
} pool = {.lock = SPINLOCK_INIT(LOCK_RANK_HUGETLB), .free_pages = LIST_INIT(pool.free_pages)};

/* A promise is made, redeemed or broken by one task at a time; sleeping, zeroing takes long. */
static struct mutex promise_lock;

/* Stands in the index where a page is promised: no folio lies at this address. */
#define RESERVED ((struct folio *)64)

#define FRAMES (1UL << HUGETLB_ORDER) /* of one page */

uint64_t hugetlb_pool_grow(uint64_t nr)
{
    uint64_t got = 0;
    struct page *page;

    while (got < nr && !page_alloc(HUGETLB_ORDER, PAGE_ALLOC_PLAIN, &page)) {
        page_set_state(page, PAGE_POOL);
        spin_lock(&pool.lock);
        list_add_tail(&page->list, &pool.free_pages);
        pool.counts.total++;
        pool.counts.free++;
        spin_unlock(&pool.lock);
        got++;
    }
    return got;
}

void hugetlb_counts(struct hugetlb_counts *out)
{
    spin_lock(&pool.lock);
    *out = pool.counts;
    spin_unlock(&pool.lock);
}

/* Take a page; @promised: redeem a promise, which cannot fail for want of pages. */
static int pool_take(bool promised, struct folio **out)
{
    if (fail_injected(FAIL_HUGETLB))
        return -ENOMEM;
    spin_lock(&pool.lock);
    if (!promised && pool.counts.free == pool.counts.reserved) {
        spin_unlock(&pool.lock);
        return -ENOMEM;
    }
    ASSERT(!list_empty(&pool.free_pages), "claim 1: reserved <= free");
    struct page *page = list_first_entry(&pool.free_pages, struct page, list);
    list_del(&page->list);
    pool.counts.free--;
    pool.counts.reserved -= promised;
    spin_unlock(&pool.lock);
    atomic_store(&page->refcount, 1);
    memset(page_kva(page), 0, HUGE_SIZE);
    page_set_state(page, PAGE_HUGETLB);
    *out = page_folio(page);
    return 0;
}

static void pool_give_back(struct page *page, bool promised)
{
    page->flags &= ~PAGE_COPY;
    page_set_state(page, PAGE_POOL);
    spin_lock(&pool.lock);
    list_add(&page->list, &pool.free_pages);
    pool.counts.free++;
    pool.counts.reserved += promised;
    spin_unlock(&pool.lock);
}

static void folio_release(struct folio *folio)
{
    pool_give_back(&folio->page, false);
}

void hugetlb_boot_init(void)
{
    mutex_init(&promise_lock);
    folio_set_release(PAGE_HUGETLB, folio_release);
}

static void promises_drop(uint64_t nr)
{
    spin_lock(&pool.lock);
    pool.counts.reserved -= nr;
    spin_unlock(&pool.lock);
}

static int promises_take(uint64_t nr)
{
    int err = -ENOMEM;
    spin_lock(&pool.lock);
    if (pool.counts.free - pool.counts.reserved >= nr) {
        pool.counts.reserved += nr;
        err = 0;
    }
    spin_unlock(&pool.lock);
    return err;
}

/* Promises of a file system. promise_lock held from here on. */

/* One page more of its quota. *@promised: one that was set aside for it. 0 or -ENOSPC. */
static int quota_take(struct object *object, bool *promised)
{
    struct object_quota *quota = object->quota;
    int err = object_charge(object, FRAMES);

    *promised = !err && quota && quota->set_aside;
    if (*promised)
        quota->set_aside--;
    return err;
}

/* One page less. @promised: a promise goes with it, unless the file system keeps it. */
static void quota_give(struct object *object, bool promised)
{
    struct object_quota *quota = object->quota;

    object_uncharge(object, FRAMES);
    bool keeps = quota && atomic_load(&quota->used) / FRAMES + quota->set_aside < quota->minimum;
    if (keeps && (promised || !promises_take(1)))
        quota->set_aside++;
    else if (promised)
        promises_drop(1);
}

int hugetlb_set_aside(struct object_quota *quota, uint64_t nr)
{
    int err = promises_take(nr);
    if (!err)
        quota->set_aside = quota->minimum = nr;
    return err;
}

void hugetlb_give_up(struct object_quota *quota)
{
    promises_drop(quota->set_aside);
    quota->set_aside = quota->minimum = 0;
}

static int promise_make(struct object *object)
{
    bool promised;
    int err = quota_take(object, &promised);

    if (err || promised)
        return err;
    err = promises_take(1);
    if (err)
        object_uncharge(object, FRAMES);
    return err;
}

/* Promise every index of [first, end) that has neither page nor promise; all or nothing. */
static int reserve_range(struct object *object, uint64_t first, uint64_t end)
{
    uint64_t i;
    int err = 0;

    for (i = first; i < end && !err; i++) {
        if (index_find(&object->folios, i))
            continue;
        err = promise_make(object);
        if (err)
            break;
        err = index_insert(&object->folios, i, RESERVED);
        if (err) {
            quota_give(object, true);
            break;
        }
        index_set_mark(&object->folios, i, INDEX_MARK_NEW);
    }
    /* Commit: forget which are new. Roll back: take the new ones out again. */
    for (uint64_t j = first; j < i; j++) {
        if (!index_test_mark(&object->folios, j, INDEX_MARK_NEW))
            continue;
        index_clear_mark(&object->folios, j, INDEX_MARK_NEW);
        if (err) {
            index_remove(&object->folios, j);
            quota_give(object, true);
        }
    }
    return err ? -ENOMEM : 0;
}

static int hugetlb_reserve(struct object *object, uint64_t pgoff, uint64_t nr_pages)
{
    uint64_t first = pgoff >> HUGETLB_ORDER;
    uint64_t end = (pgoff + nr_pages) >> HUGETLB_ORDER;

    mutex_lock(&promise_lock);
    spin_lock(&object->index_lock);
    int err = reserve_range(object, first, end);
    spin_unlock(&object->index_lock);
    mutex_unlock(&promise_lock);
    return err;
}

/* What the index says; takes a reference on a folio. */
static struct folio *lookup(struct object *object, uint64_t index)
{
    spin_lock(&object->index_lock);
    struct folio *found = index_find(&object->folios, index);
    if (found && found != RESERVED)
        folio_get(found);
    spin_unlock(&object->index_lock);
    return found;
}

static bool lookup_is_promise(struct object *object, uint64_t index)
{
    spin_lock(&object->index_lock);
    bool promised = index_find(&object->folios, index) == RESERVED;
    spin_unlock(&object->index_lock);
    return promised;
}

/* Put @folio where a promise, or nothing, is. */
static int publish(struct object *object, uint64_t index, struct folio *folio, bool promised)
{
    int err = 0;
    spin_lock(&object->index_lock);
    if (promised)
        index_replace(&object->folios, index, folio);
    else
        err = index_insert(&object->folios, index, folio);
    if (!err) {
        folio_get(folio);
        folio->page.index = index << HUGETLB_ORDER;
        WRITE_ONCE(folio->page.object, object);
        atomic_fetch_add(&object->nr_pages, FRAMES);
    }
    spin_unlock(&object->index_lock);
    return err;
}

/* A page for what has neither page nor promise of its own. */
static int folio_unpromised(struct object *object, uint64_t index, struct folio **out)
{
    bool promised;

    int err = quota_take(object, &promised);
    if (err)
        return err;
    err = pool_take(promised, out);
    if (!err)
        err = publish(object, index, *out, false);
    else
        *out = NULL;
    if (err && *out)
        pool_give_back(&(*out)->page, promised);
    if (err)
        quota_give(object, promised);
    return err;
}

/* promise_lock held: nobody else makes or breaks a promise meanwhile. */
static int make_folio(struct object *object, uint64_t index, struct folio **out)
{
    struct folio *found = lookup(object, index);

    *out = found;
    if (!found)
        return folio_unpromised(object, index, out);
    if (found != RESERVED)
        return 0;
    int err = pool_take(true, out);
    return err ? err : publish(object, index, *out, true);
}

static int hugetlb_get_page(struct object *object, uint64_t index, enum object_get how,
                            struct page **out)
{
    struct folio *found = lookup(object, index);
    *out = found == RESERVED || !found ? NULL : &found->page;
    if (*out || how == OBJECT_GET_EXISTING)
        return 0;
    mutex_lock(&promise_lock);
    int err = make_folio(object, index, &found);
    mutex_unlock(&promise_lock);
    *out = err ? NULL : &found->page;
    return err;
}

/* A private copy uses up the promise that mmap() made for its index, if it is still there. */
static int hugetlb_get_copy(struct object *object, uint64_t index, struct page **out)
{
    struct folio *folio;
    mutex_lock(&promise_lock);
    bool promised = lookup_is_promise(object, index);
    int err = pool_take(promised, &folio);
    if (!err && promised) {
        spin_lock(&object->index_lock);
        index_remove(&object->folios, index);
        spin_unlock(&object->index_lock);
        object_uncharge(object, FRAMES); /* it is not the file's */
    }
    mutex_unlock(&promise_lock);
    if (err)
        return err;
    folio->page.flags |= PAGE_COPY;
    *out = &folio->page;
    return 0;
}

static void hugetlb_remove_folios(struct object *object, uint64_t start, uint64_t end)
{
    struct folio *found;

    mutex_lock(&promise_lock);
    spin_lock(&object->index_lock);
    for (uint64_t i = start; (found = index_next(&object->folios, &i)) && i < end; i++) {
        index_remove(&object->folios, i);
        if (found == RESERVED) {
            quota_give(object, true);
            continue;
        }
        WRITE_ONCE(found->page.object, NULL);
        atomic_fetch_sub(&object->nr_pages, FRAMES);
        folio_put(found);
        quota_give(object, false);
    }
    spin_unlock(&object->index_lock);
    mutex_unlock(&promise_lock);
}

const struct object_ops hugetlb_ops = {
    .name = "hugetlb",
    .folio_order = HUGETLB_ORDER,
    .get_page = hugetlb_get_page,
    .get_copy = hugetlb_get_copy,
    .remove_folios = hugetlb_remove_folios,
    .reserve = hugetlb_reserve,
    .grows_mapped = true,
    .kernel_access = true,
};

int hugetlb_check(void)
{
    uint64_t listed = 0;
    struct page *page;

    spin_lock(&pool.lock);
    list_for_each_entry (page, &pool.free_pages, list)
        listed += page->state == PAGE_POOL;
    struct hugetlb_counts c = pool.counts;
    spin_unlock(&pool.lock);
    if (listed == c.free && c.reserved <= c.free && c.free <= c.total)
        return 0;
    log_error("vm_check: V22: huge pages: %lu listed, %lu free, %lu reserved, %lu in all", listed,
              c.free, c.reserved, c.total);
    return -EUCLEAN;
}
