/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_resize.c - pools of huge pages grow, shrink, and are cut into smaller pages
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  pool.lock (55), for one page at a time: others change the pool meanwhile.
 * Always: (1) what is promised or in use is never given away: it becomes surplus.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst (behaviour).
 * Tour:   after mm/hugetlb_pool.c.
 */
#include "giant.h"
#include "hugetlb_pool.h"
#include <mm/secretmem.h>

/* What was surplus is wanted now, as far as that goes. True: still more pages are. */
static bool adopt_surplus(struct hugetlb_pool *pool, uint64_t wanted)
{
    struct hugetlb_counts *c = &pool->counts;

    spin_lock(&pool->lock);
    while (c->surplus && c->total - c->surplus < wanted)
        c->surplus--;
    bool more = c->total - c->surplus < wanted;
    spin_unlock(&pool->lock);
    return more;
}

static void pool_add(struct hugetlb_pool *pool, struct page *page)
{
    spin_lock(&pool->lock);
    pool_list_page(pool, page);
    pool->counts.total++;
    spin_unlock(&pool->lock);
}

/* What secrets keep ready and nobody uses goes first. */
static int block_get_hard(const struct hugetlb_pool *pool, struct page **out)
{
    int err = pool_block_get(pool, out);
    return err && secret_pool_shrink() ? pool_block_get(pool, out) : err;
}

static void pool_grow(struct hugetlb_pool *pool, uint64_t wanted)
{
    struct page *page;

    while (adopt_surplus(pool, wanted) && !block_get_hard(pool, &page))
        pool_add(pool, page);
}

/* One page less, if there is one that can go; the rest that is too much becomes surplus. */
static struct page *shrink_step(struct hugetlb_pool *pool, uint64_t wanted)
{
    struct hugetlb_counts *c = &pool->counts;
    struct page *page = NULL;

    spin_lock(&pool->lock);
    if (c->total - c->surplus > wanted && pool_unpromised(pool)) {
        page = pool_unlist_page(pool);
        c->total--;
    } else if (c->total - c->surplus > wanted) {
        c->surplus = c->total - wanted;
    }
    spin_unlock(&pool->lock);
    return page;
}

void hugetlb_pool_resize(struct hugetlb_pool *pool, uint64_t wanted)
{
    struct page *page;

    pool_grow(pool, wanted);
    while ((page = shrink_step(pool, wanted)))
        pool_block_put(pool, page);
}

struct hugetlb_pool *hugetlb_pool_below(const struct hugetlb_pool *pool)
{
    return pool_is_giant(pool) ? &hugetlb_pools[0] : NULL;
}

/* One page is the pool's no more; NULL: none is free and not promised. */
static struct page *pool_part_with(struct hugetlb_pool *pool)
{
    struct page *page = NULL;

    spin_lock(&pool->lock);
    if (pool_unpromised(pool)) {
        page = pool_unlist_page(pool);
        pool->counts.total--;
    }
    spin_unlock(&pool->lock);
    return page;
}

void hugetlb_pool_demote(struct hugetlb_pool *pool, uint64_t nr)
{
    struct hugetlb_pool *below = hugetlb_pool_below(pool);
    struct page *page;

    for (; nr && (page = pool_part_with(pool)); nr--) {
        page_set_state(page, PAGE_KERNEL);
        giant_cut(page, below->order);
        for (uint64_t i = 0; i < pool_frames(pool); i += pool_frames(below)) {
            page_set_state(page + i, PAGE_POOL);
            pool_add(below, page + i);
        }
    }
}
