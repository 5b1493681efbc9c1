/* SPDX-License-Identifier: MIT */
/*
 * include/mm/hugetlb.h - the pool of 2 MiB pages
 *
 * Room:   mm.
 * Owns:   pages set aside for hugetlb objects, and the promises made on them.
 * Locks:  pool lock (rank HUGETLB), inside.
 * Always: (1) reserved <= free: a promise can always be kept; (2) free + used = total.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst (behaviour).
 * Tour:   with mm/hugetlb.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

#define HUGETLB_ORDER 9

struct hugetlb_counts {
    uint64_t total, free, reserved; /* huge pages */
};

/* How its pages die. Boot. */
void hugetlb_boot_init(void);

struct object_quota;

/* Promise @nr huge pages to the objects of @quota together. 0, or -ENOMEM. */
int __must_check hugetlb_set_aside(struct object_quota *quota, uint64_t nr);

/* No object of @quota is left: what it was promised is free. */
void hugetlb_give_up(struct object_quota *quota);

/* Take @nr huge pages from the buddy; returns how many there were. Boot. */
uint64_t hugetlb_pool_grow(uint64_t nr);

void hugetlb_counts(struct hugetlb_counts *out);

/* V22: 0, or -EUCLEAN after printing. */
int __must_check hugetlb_check(void);
