/* SPDX-License-Identifier: MIT */
/*
 * include/mm/hugetlb.h - the pools of huge pages, as the rest of the kernel sees them
 *
 * Room:   mm.
 * Owns:   pages set aside for objects of huge pages, by size, and how many are promised.
 * Locks:  pool.lock (rank HUGETLB), inside.
 * Always: (1) reserved <= free: a promise can always be kept; (2) free + used = total;
 *         (3) surplus pages are those the pool has beyond what was asked for: each goes when it is
 *             free and not promised.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst (behaviour).
 * Tour:   with mm/hugetlb_pool.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct object_ops;
struct object_quota;

/* One size of huge pages. */
struct hugetlb_pool;

/* In huge pages of one size. */
struct hugetlb_counts {
    uint64_t total, free, reserved, surplus;
};

/* How their pages die. Boot. */
void hugetlb_boot_init(void);

/* The pool of pages of 1 << @shift bytes; 0: of the size that is meant when none is named. NULL:
 * there are no such pages. */
struct hugetlb_pool *hugetlb_pool_of(unsigned shift);

/* The pool of pages of @bytes, or NULL. */
struct hugetlb_pool *hugetlb_pool_of_bytes(uint64_t bytes);

/* Every pool, from 0 on; NULL: there are no more. */
struct hugetlb_pool *hugetlb_pool_nth(unsigned n);

/* What an object of its pages is. */
const struct object_ops *hugetlb_pool_ops(const struct hugetlb_pool *pool);

uint64_t hugetlb_pool_bytes(const struct hugetlb_pool *pool); /* of one page */

/* From now on @pool is meant when no size is named. Boot. */
void hugetlb_pool_make_default(struct hugetlb_pool *pool);

void hugetlb_counts(struct hugetlb_pool *pool, struct hugetlb_counts *out);

/* All frames of all pools. */
uint64_t hugetlb_frames(void);

/**
 * hugetlb_pool_resize() - have @wanted pages that are no surplus
 * As many as there are blocks for. What is in use or promised stays, and is surplus from then on.
 * Context: task, no spinning lock held.
 */
void hugetlb_pool_resize(struct hugetlb_pool *pool, uint64_t wanted);

/* The next smaller size, which pages of @pool can be cut into; NULL: there is none. */
struct hugetlb_pool *hugetlb_pool_below(const struct hugetlb_pool *pool);

/* Cut up to @nr pages that are free and not promised into pages of the pool below. */
void hugetlb_pool_demote(struct hugetlb_pool *pool, uint64_t nr);

/* Up to so many surplus pages may come when a promise or a fault needs them. 0, or -EINVAL: pages
 * of this size never do. */
uint64_t hugetlb_pool_overcommit(const struct hugetlb_pool *pool);
int __must_check hugetlb_pool_set_overcommit(struct hugetlb_pool *pool, uint64_t nr);

/* The objects of @quota are made of pages of @pool, @minimum of which are theirs alone. 0, or
 * -ENOMEM with nothing changed. */
int __must_check hugetlb_quota_begin(struct hugetlb_pool *pool, struct object_quota *quota,
                                     uint64_t minimum);

/* No object of @quota is left: what it was promised is free. If it ever began. */
void hugetlb_quota_end(struct object_quota *quota);

/* V22: 0, or -EUCLEAN after printing. */
int __must_check hugetlb_check(void);
