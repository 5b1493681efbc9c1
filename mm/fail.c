/* SPDX-License-Identifier: MIT */
/*
 * mm/fail.c - make the n-th allocation fail
 *
 * Room:   mm.
 * Owns:   the countdown, and the record of which sites were reached.
 * Locks:  none: three atomics. While injection is off no shared line is written after the first
 *         visit of each site.
 * Always: (1) of all callers on all CPUs exactly one sees the countdown reach zero.
 * Source: trust.md P4.
 * Tour:   after include/base/fail.h.
 */
#include <base/fail.h>

#define ALL_SITES ((1U << FAIL_SITES) - 1)

_Atomic uint32_t fail_attention = ALL_SITES;
static _Atomic uint64_t countdown;
static _Atomic uint32_t seen, failed;

/* The countdown first: whoever ends it, or begins it, comes here afterwards. */
static void attention_update(void)
{
    atomic_store(&fail_attention, atomic_load(&countdown) ? ALL_SITES : ALL_SITES & ~seen);
}

void fail_at_set(uint64_t n)
{
    atomic_store(&countdown, n);
    attention_update();
}

uint64_t fail_at_left(void)
{
    return atomic_load(&countdown);
}

static void record(_Atomic uint32_t *sites, enum fail_site site)
{
    uint32_t bit = 1U << site;

    if (!(atomic_load_explicit(sites, memory_order_relaxed) & bit))
        atomic_fetch_or(sites, bit);
}

bool fail_look_closer(enum fail_site site)
{
    uint64_t left = atomic_load_explicit(&countdown, memory_order_relaxed);

    record(&seen, site);
    if (left == 0)
        attention_update();
    while (left != 0) {
        if (!atomic_compare_exchange_weak(&countdown, &left, left - 1))
            continue;
        if (left > 1)
            return false;
        record(&failed, site);
        attention_update();
        return true;
    }
    return false;
}

uint32_t fail_sites_seen(void)
{
    return atomic_load(&seen);
}

uint32_t fail_sites_failed(void)
{
    return atomic_load(&failed);
}
