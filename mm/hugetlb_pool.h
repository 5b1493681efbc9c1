/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_pool.h - what the files of huge pages share and nobody else may see
 *
 * Room:   mm, private.
 * Owns:   struct hugetlb_pool.
 * Locks:  as noted at each function.
 * Always: see include/mm/hugetlb.h.
 * Source: -
 * Tour:   with mm/hugetlb_pool.c.
 */
#pragma once

#include "internal.h"
#include <mm/hugetlb.h>

struct hugetlb_pool {
    spinlock_t lock;
    struct list_node free_pages;  /* [l] */
    struct hugetlb_counts counts; /* [l] */
    uint64_t overcommit;          /* the most that surplus may become by need [a] */
    unsigned order;               /* of a page [I] */
    struct list_node objects;     /* those that have a page or a promise [l] */
    struct list_node quotas;      /* of file systems [l] */
    const struct object_ops *ops; /* of its objects [I] */
};

#define HUGETLB_POOLS 2 /* of 2 MiB and 1 GiB pages */

extern struct hugetlb_pool hugetlb_pools[HUGETLB_POOLS];
extern const struct object_ops hugetlb_giant_ops;

/* How their pages die. Boot. */
void pools_boot_init(void);

static inline bool pool_is_giant(const struct hugetlb_pool *pool)
{
    return pool->order > PAGE_ORDER_MAX;
}

/* Frames of one page of the pool. */
static inline uint64_t pool_frames(const struct hugetlb_pool *pool)
{
    return 1UL << pool->order;
}

static inline struct hugetlb_pool *pool_of(const struct object *object)
{
    return object->ops->pool;
}

/* Frames for one page more, in state POOL, from the rest of the machine; and back. 0 or -ENOMEM. */
int __must_check pool_block_get(const struct hugetlb_pool *pool, struct page **out);
void pool_block_put(const struct hugetlb_pool *pool, struct page *page);

/* Put a page on the list of free ones; take one. pool->lock held. */
void pool_list_page(struct hugetlb_pool *pool, struct page *page);
struct page *pool_unlist_page(struct hugetlb_pool *pool);

/* @object has something of its pool's, or has nothing any more: its index is empty then. */
void pool_list_object(struct object *object);
void pool_unlist_object(struct object *object);

/* Promise @nr pages, surplus ones if need be. 0, or -ENOMEM with nothing changed. Below these no
 * lock of rank HUGETLB or above is held. */
int __must_check pool_promise(struct hugetlb_pool *pool, uint64_t nr);

/**
 * pool_take() - a page with one reference; its contents are anything
 * @promised: redeem a promise, which cannot fail for want of pages
 * Return: 0 or -ENOMEM.
 */
int __must_check pool_take(struct hugetlb_pool *pool, bool promised, struct page **out);

/* A page that has no reference. */
void pool_give_back(struct page *page);

/* The same for two steps that are one to others: NULL when there is none. pool->lock held. */
struct page *pool_take_locked(struct hugetlb_pool *pool, bool promised);

/* One surplus page more, if that is allowed. 0 or -ENOMEM. */
int __must_check pool_add_surplus(struct hugetlb_pool *pool);

/* Surplus pages that nobody needs go: after whatever freed pages or promises under the lock. */
void pool_trim(struct hugetlb_pool *pool);

/* Free pages beyond the promised ones. pool->lock held. */
static inline uint64_t pool_unpromised(const struct hugetlb_pool *pool)
{
    return pool->counts.free - pool->counts.reserved;
}

/* hugetlb_quota.c: what the file system of an object adds to that: a limit, and a share of the pool
 * that was set aside for it. */

/* Count @nr pages of @object, and promise them. 0; -ENOSPC (the limit), -ENOMEM: nothing changed.
 */
int __must_check quota_promise(struct object *object, uint64_t nr);

/* Count one page that comes without a promise. *@promised: one was set aside for it. 0 or -ENOSPC.
 */
int __must_check quota_take(struct object *object, bool *promised);

/* @nr pages less, of which @nr_promised were not had yet. */
void quota_give(struct object *object, uint64_t nr, uint64_t nr_promised);

/* hugetlb_private.c */

/* As object_ops.get_copy. The lock of vma->hugetlb held, and until the copy is mapped. */
int __must_check hugetlb_get_copy(const struct vma *vma, uint64_t index, struct page **out);

/* A copy has no reference any more. True: who made it is promised one again. pool->lock held. */
bool hugetlb_copy_dies(struct page *copy);

/* How many promises an area holds, and how many pages of its file system's quota count for it. For
 * checks. */
uint64_t hugetlb_area_promises(const struct vma *vma);
uint64_t hugetlb_area_charged(const struct vma *vma);

/* hugetlb.c: how many promises, and pages, an object has. index_lock held. */
void hugetlb_object_count(struct object *object, uint64_t *promises, uint64_t *pages);
