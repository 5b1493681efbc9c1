/* SPDX-License-Identifier: MIT */
/*
 * include/base/fail.h - make the n-th allocation fail
 *
 * Room:   base: contracts every room above lib may call; the code is mm/fail.c.
 * Owns:   the list of allocation sites and the countdown.
 * Locks:  none (one atomic).
 * Always: (1) with the countdown at 0 nothing is ever injected;
 *         (2) a countdown of n fails exactly the n-th allocation from now, once.
 * Source: design.md section 5; trust.md P4.
 * Tour:   before mm/buddy.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum fail_site {
    FAIL_PAGE,       /* buddy: page_alloc() */
    FAIL_SLAB,       /* slab: slab_alloc(), kmem_alloc() */
    FAIL_PAGE_TABLE, /* a page-table page */
    FAIL_KSTACK,     /* address space for a kernel stack */
    FAIL_HUGETLB,    /* a page of the huge page pool */
    FAIL_SITES
};

/* Fail the n-th allocation from now on; 0 switches injection off. */
void fail_at_set(uint64_t n);

/* How much is left of the countdown: 0 after it fired or when it is off. */
uint64_t fail_at_left(void);

/* Bit n: site n has to look closer, because it was never seen or the countdown is on. */
extern _Atomic uint32_t fail_attention;
bool fail_look_closer(enum fail_site site);

/* Must fail_injected() be asked? The answer no is all that most allocations need. */
static inline bool fail_is_watched(enum fail_site site)
{
    return unlikely(atomic_load_explicit(&fail_attention, memory_order_relaxed) & 1U << site);
}

/* Asked by every allocation before it does anything. True: return -ENOMEM, change nothing. */
static inline bool fail_injected(enum fail_site site)
{
    return fail_is_watched(site) && fail_look_closer(site);
}

/* Which sites were asked / were made to fail since boot: bit n is enum fail_site n. */
uint32_t fail_sites_seen(void);
uint32_t fail_sites_failed(void);
