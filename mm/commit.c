/* SPDX-License-Identifier: MIT */
/*
 * mm/commit.c - how much memory the machine has promised
 *
 * Room:   mm.
 * Owns:   the sum of promises, a part per CPU; the settings of vm.*
 * Locks:  none; a promise that is checked while others are made may be one too many.
 * Always: (1) only the sum over all CPUs means anything: what one promised another gives back.
 * Source: Linux Documentation/mm/overcommit-accounting.rst (behaviour).
 * Tour:   after include/mm/commit.h; then mm/limits.c, mm/map.c.
 */
#include "internal.h"
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <uapi/errno.h>

struct vm_settings vm_settings = {
    .overcommit_ratio = 50,
    .admin_reserve_kbytes = 8192,
    .user_reserve_kbytes = 131072,
    .max_map_count = 65530,
    .mmap_min_addr = USER_MIN,
};

static struct {
    _Atomic int64_t pages;
} __aligned(CACHE_LINE_SIZE) promised[MAX_CPUS];

static void count(int64_t nr_pages)
{
    atomic_fetch_add_explicit(&promised[cpu_id()].pages, nr_pages, memory_order_relaxed);
}

uint64_t commit_sum(void)
{
    int64_t sum = 0;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        sum += atomic_load_explicit(&promised[cpu].pages, memory_order_relaxed);
    return max(sum, 0L);
}

static uint64_t pages_of_machine(void)
{
    static uint64_t total; /* never changes once programs run */
    struct page_counts pages;

    if (!READ_ONCE(total)) {
        page_counts(&pages);
        WRITE_ONCE(total, pages.total);
    }
    return total;
}

uint64_t commit_limit(void)
{
    if (vm_settings.overcommit_kbytes)
        return vm_settings.overcommit_kbytes / (PAGE_SIZE / KIB);
    return (pages_of_machine() - hugetlb_frames()) * vm_settings.overcommit_ratio / 100;
}

/* Would @more pages be too many? */
static bool is_too_much(uint64_t more)
{
    switch (vm_settings.overcommit) {
    case OVERCOMMIT_ALWAYS:
        return false;
    case OVERCOMMIT_NEVER:
        return commit_sum() + more >= commit_limit();
    default:
        return more > pages_of_machine();
    }
}

int commit_charge(uint64_t nr_pages, uint64_t comes_back)
{
    if (nr_pages > comes_back && is_too_much(nr_pages - comes_back))
        return -ENOMEM;
    count(nr_pages);
    return 0;
}

void commit_twice(uint64_t nr_pages)
{
    count(nr_pages);
}

void commit_release(uint64_t nr_pages)
{
    count(-(int64_t)nr_pages);
}
