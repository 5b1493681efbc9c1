/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_quota.c - huge pages of a file system: its limit, and what is set aside for it
 *
 * Room:   mm.
 * Owns:   object_quota.set_aside and .minimum, under the pool's lock.
 * Locks:  pool.lock (55).
 * Always: (1) what is set aside is promised: it is part of the pool's reserved pages;
 *         (2) used pages and those set aside are at least the minimum, as far as the pool could.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst, "size" and "min_size".
 * Tour:   after mm/hugetlb_pool.c; then mm/hugetlb.c.
 */
#include "hugetlb_pool.h"
#include <base/bug.h>
#include <uapi/errno.h>

int hugetlb_quota_begin(struct hugetlb_pool *pool, struct object_quota *quota, uint64_t minimum)
{
    int err = pool_promise(pool, minimum);
    if (err)
        return err;
    quota->pool = pool;
    quota->set_aside = quota->minimum = minimum;
    spin_lock(&pool->lock);
    list_add_tail(&quota->pool_node, &pool->quotas);
    spin_unlock(&pool->lock);
    return 0;
}

void hugetlb_quota_end(struct object_quota *quota)
{
    struct hugetlb_pool *pool = quota->pool;

    if (!pool)
        return;
    spin_lock(&pool->lock);
    list_del(&quota->pool_node);
    pool->counts.reserved -= quota->set_aside;
    spin_unlock(&pool->lock);
    pool_trim(pool);
}

/* How many of @nr promises are there already. They are taken. */
static uint64_t aside_take(struct object *object, uint64_t nr)
{
    struct hugetlb_pool *pool = pool_of(object);
    struct object_quota *quota = object->quota;

    if (!quota)
        return 0;
    spin_lock(&pool->lock);
    nr = min(nr, quota->set_aside);
    quota->set_aside -= nr;
    spin_unlock(&pool->lock);
    return nr;
}

int quota_promise(struct object *object, uint64_t nr)
{
    struct hugetlb_pool *pool = pool_of(object);

    int err = object_charge(object, nr * pool_frames(pool));
    if (err)
        return err;
    uint64_t aside = aside_take(object, nr);
    err = pool_promise(pool, nr - aside);
    if (err && !bug_is_back(BUG_B57))
        quota_give(object, nr, aside);
    return err;
}

int quota_take(struct object *object, bool *promised)
{
    int err = object_charge(object, pool_frames(pool_of(object)));
    *promised = !err && aside_take(object, 1);
    return err;
}

/* How many pages fewer than its minimum the file system uses or has. */
static uint64_t lacking(const struct object_quota *quota, uint64_t frames)
{
    uint64_t has = quota ? atomic_load(&quota->used) / frames + quota->set_aside : 0;
    return quota && has < quota->minimum ? quota->minimum - has : 0;
}

void quota_give(struct object *object, uint64_t nr, uint64_t nr_promised)
{
    struct hugetlb_pool *pool = pool_of(object);

    object_uncharge(object, nr * pool_frames(pool));
    spin_lock(&pool->lock);
    uint64_t kept = min(lacking(object->quota, pool_frames(pool)), nr);
    kept = min(kept, nr_promised + pool_unpromised(pool));
    if (kept)
        object->quota->set_aside += kept;
    pool->counts.reserved += kept - nr_promised;
    spin_unlock(&pool->lock);
    pool_trim(pool);
}
