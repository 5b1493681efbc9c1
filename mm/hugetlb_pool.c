/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_pool.c - huge pages that are held ready, and promised
 *
 * Room:   mm.
 * Owns:   the pool of each size: its free pages and counts.
 * Locks:  pool.lock (55); frames come and go with it released, or inside it.
 * Always: see include/mm/hugetlb.h.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst, Documentation/mm/hugetlbfs_reserv.rst
 *         (behaviour).
 * Tour:   after include/mm/hugetlb.h; then mm/hugetlb.c.
 */
#include "hugetlb_pool.h"
#include "giant.h"
#include <asm/cpu.h>
#include <base/fail.h>
#include <uapi/errno.h>

#define POOL(pool, its_order, its_ops)                                                        \
    {                                                                                         \
        .lock = SPINLOCK_INIT(LOCK_RANK_HUGETLB), .free_pages = LIST_INIT((pool).free_pages), \
        .objects = LIST_INIT((pool).objects), .quotas = LIST_INIT((pool).quotas),             \
        .order = (its_order), .ops = (its_ops)                                                \
    }

struct hugetlb_pool hugetlb_pools[HUGETLB_POOLS] = {
    POOL(hugetlb_pools[0], HUGE_ORDER, &hugetlb_ops),
    POOL(hugetlb_pools[1], PAGE_ORDER_GIANT, &hugetlb_giant_ops),
};

/* Of the pools above: those whose pages this machine's CPUs can map. */
static unsigned nr_pools;

static struct hugetlb_pool *usual = &hugetlb_pools[0];

struct hugetlb_pool *hugetlb_pool_nth(unsigned n)
{
    return n < nr_pools ? &hugetlb_pools[n] : NULL;
}

struct hugetlb_pool *hugetlb_pool_of(unsigned shift)
{
    struct hugetlb_pool *pool;

    if (!shift)
        return usual;
    for (unsigned n = 0; (pool = hugetlb_pool_nth(n)); n++)
        if (pool->order + PAGE_SHIFT == shift)
            return pool;
    return NULL;
}

struct hugetlb_pool *hugetlb_pool_of_bytes(uint64_t bytes)
{
    struct hugetlb_pool *pool;

    for (unsigned n = 0; (pool = hugetlb_pool_nth(n)); n++)
        if (hugetlb_pool_bytes(pool) == bytes)
            return pool;
    return NULL;
}

const struct object_ops *hugetlb_pool_ops(const struct hugetlb_pool *pool)
{
    return pool->ops;
}

uint64_t hugetlb_pool_bytes(const struct hugetlb_pool *pool)
{
    return PAGE_SIZE << pool->order;
}

void hugetlb_pool_make_default(struct hugetlb_pool *pool)
{
    usual = pool;
}

void hugetlb_counts(struct hugetlb_pool *pool, struct hugetlb_counts *out)
{
    spin_lock(&pool->lock);
    *out = pool->counts;
    spin_unlock(&pool->lock);
}

uint64_t hugetlb_frames(void)
{
    struct hugetlb_pool *pool;
    uint64_t frames = 0;

    for (unsigned n = 0; (pool = hugetlb_pool_nth(n)); n++)
        frames += READ_ONCE(pool->counts.total) * pool_frames(pool);
    return frames;
}

uint64_t hugetlb_pool_overcommit(const struct hugetlb_pool *pool)
{
    return READ_ONCE(pool->overcommit);
}

int hugetlb_pool_set_overcommit(struct hugetlb_pool *pool, uint64_t nr)
{
    if (pool_is_giant(pool))
        return -EINVAL;
    WRITE_ONCE(pool->overcommit, nr);
    return 0;
}

static struct hugetlb_pool *pool_of_page(const struct page *page)
{
    return hugetlb_pool_of(page->order + PAGE_SHIFT);
}

void pool_list_object(struct object *object)
{
    spin_lock(&pool_of(object)->lock);
    list_add_tail(&object->pool_node, &pool_of(object)->objects);
    spin_unlock(&pool_of(object)->lock);
}

void pool_unlist_object(struct object *object)
{
    spin_lock(&pool_of(object)->lock);
    list_del(&object->pool_node);
    spin_unlock(&pool_of(object)->lock);
}

/* Frames from the rest of the machine, and back. */

int pool_block_get(const struct hugetlb_pool *pool, struct page **out)
{
    int err = pool_is_giant(pool) ? giant_alloc(pool->order, out)
                                  : page_alloc(pool->order, PAGE_ALLOC_PLAIN, out);
    if (err)
        return err;
    page_set_state(*out, PAGE_POOL);
    atomic_store(&(*out)->refcount, 0);
    return 0;
}

void pool_block_put(const struct hugetlb_pool *pool, struct page *page)
{
    page_set_state(page, PAGE_KERNEL);
    if (pool_is_giant(pool))
        giant_free(page);
    else
        page_free(page, pool->order);
}

/* Free pages on the list. pool->lock held. */

void pool_list_page(struct hugetlb_pool *pool, struct page *page)
{
    list_add(&page->list, &pool->free_pages);
    pool->counts.free++;
}

struct page *pool_unlist_page(struct hugetlb_pool *pool)
{
    struct page *page = list_first_entry(&pool->free_pages, struct page, list);

    list_del(&page->list);
    pool->counts.free--;
    return page;
}

void pool_trim(struct hugetlb_pool *pool)
{
    struct hugetlb_counts *c = &pool->counts;

    for (;;) {
        struct page *page = NULL;
        spin_lock(&pool->lock);
        if (c->surplus && pool_unpromised(pool)) {
            page = pool_unlist_page(pool);
            c->surplus--;
            c->total--;
        }
        spin_unlock(&pool->lock);
        if (!page)
            return;
        pool_block_put(pool, page);
    }
}

int pool_add_surplus(struct hugetlb_pool *pool)
{
    struct hugetlb_counts *c = &pool->counts;
    struct page *page;

    if (READ_ONCE(c->surplus) >= READ_ONCE(pool->overcommit) || pool_block_get(pool, &page))
        return -ENOMEM;
    spin_lock(&pool->lock);
    bool more = c->surplus < pool->overcommit;
    if (more) {
        pool_list_page(pool, page);
        c->surplus++;
        c->total++;
    }
    spin_unlock(&pool->lock);
    if (!more)
        pool_block_put(pool, page);
    return more ? 0 : -ENOMEM;
}

/* Promises, and pages for them. */

static bool promise_now(struct hugetlb_pool *pool, uint64_t nr)
{
    spin_lock(&pool->lock);
    bool can = pool_unpromised(pool) >= nr;
    if (can)
        pool->counts.reserved += nr;
    spin_unlock(&pool->lock);
    return can;
}

int pool_promise(struct hugetlb_pool *pool, uint64_t nr)
{
    while (!promise_now(pool, nr)) {
        if (pool_add_surplus(pool)) {
            pool_trim(pool);
            return -ENOMEM;
        }
    }
    return 0;
}

struct page *pool_take_locked(struct hugetlb_pool *pool, bool promised)
{
    if (!promised && !pool_unpromised(pool))
        return NULL;
    ASSERT(!list_empty(&pool->free_pages), "V22: reserved <= free");
    struct page *page = pool_unlist_page(pool);
    pool->counts.reserved -= promised;
    atomic_store(&page->refcount, 1);
    page_set_state(page, PAGE_HUGETLB);
    return page;
}

int pool_take(struct hugetlb_pool *pool, bool promised, struct page **out)
{
    if (fail_injected(FAIL_HUGETLB))
        return -ENOMEM;
    do {
        spin_lock(&pool->lock);
        *out = pool_take_locked(pool, promised);
        spin_unlock(&pool->lock);
    } while (!*out && !pool_add_surplus(pool));
    return *out ? 0 : -ENOMEM;
}

void pool_give_back(struct page *page)
{
    struct hugetlb_pool *pool = pool_of_page(page);

    spin_lock(&pool->lock);
    if (page->flags & PAGE_COPY)
        pool->counts.reserved += hugetlb_copy_dies(page);
    page_set_state(page, PAGE_POOL);
    pool_list_page(pool, page);
    spin_unlock(&pool->lock);
    pool_trim(pool);
}

static void folio_release(struct folio *folio)
{
    pool_give_back(&folio->page);
}

void pools_boot_init(void)
{
    nr_pools = cpu_has(CPU_PAGE_1G) ? HUGETLB_POOLS : HUGETLB_POOLS - 1;
    folio_set_release(PAGE_HUGETLB, folio_release);
}
