/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb.h - the pool of huge pages, for the tests that empty it
 *
 * Room:   tests/user. libc only.
 * Owns:   nothing.
 * Locks:  none; tests/user/compare lets nobody else use the pool meanwhile.
 * Always: (1) what is changed is put back before a test ends.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   before tests/user/hugetlb_pool.c.
 */
#pragma once

#include "ktap.h"
#include <sys/mman.h>

#define RW      (PROT_READ | PROT_WRITE)
#define HUGE    (2UL << 20)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)
#define SHARED  (MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB)

struct pool {
    long total, free, reserved, surplus;
};

static inline struct pool pool_now(void)
{
    return (struct pool){meminfo("HugePages_Total"), meminfo("HugePages_Free"),
                         meminfo("HugePages_Rsvd"), meminfo("HugePages_Surp")};
}

static inline bool pool_is(long total, long free, long reserved, long surplus)
{
    struct pool p = pool_now();
    bool same =
        p.total == total && p.free == free && p.reserved == reserved && p.surplus == surplus;

    if (!same)
        printf("# total %ld free %ld reserved %ld surplus %ld\n", p.total, p.free, p.reserved,
               p.surplus);
    return same;
}

/* By how much promises and free pages differ from those in @before. */
static inline bool pool_changed(struct pool before, long free, long reserved)
{
    return pool_is(before.total, before.free + free, before.reserved + reserved, before.surplus);
}

#define NEED_POOL(pages)                                 \
    do {                                                 \
        struct pool _p = pool_now();                     \
        if (_p.free - _p.reserved < (pages))             \
            SKIP("the pool of huge pages is too small"); \
    } while (0)

static inline char *map_huge(int kind, size_t pages)
{
    return mmap(NULL, pages * HUGE, RW, kind, -1, 0);
}

/* What others are promised meanwhile, so that @left pages are free. */
struct hog {
    void *at;
    size_t pages;
};

static inline struct hog hog_all_but(long left)
{
    struct pool p = pool_now();
    struct hog hog = {NULL, (size_t)(p.free - p.reserved - left)};

    if (hog.pages)
        hog.at = map_huge(SHARED, hog.pages);
    return hog;
}

static inline void hog_end(struct hog hog)
{
    if (hog.pages)
        munmap(hog.at, hog.pages * HUGE);
}
