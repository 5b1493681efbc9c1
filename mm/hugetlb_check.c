/* SPDX-License-Identifier: MIT */
/*
 * mm/hugetlb_check.c - V22: do the pools of huge pages count what there is?
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  none: the machine stands still.
 * Always: (1) free + used = total; (2) surplus <= total; (3) reserved <= free, and it is the sum of
 *         the promises of all objects, private mappings and file systems.
 * Source: trust.md V22.
 * Tour:   after mm/hugetlb_quota.c; from mm/check.c.
 */
#include "hugetlb_pool.h"
#include <base/claim.h>

static uint64_t used_frames[PAGE_ORDER_GIANT + 1]; /* by order of the page */

static int count_used(const struct page *head)
{
    if (head->state == PAGE_HUGETLB)
        used_frames[head->order] += 1UL << head->order;
    return 0;
}

static uint64_t count_free(const struct hugetlb_pool *pool)
{
    const struct page *page;
    uint64_t nr = 0;

    list_for_each_entry (page, &pool->free_pages, list)
        nr += page->state == PAGE_POOL && page->order == pool->order;
    return nr;
}

/* What is promised to objects and to private mappings, or counts for the quota of @of. */
struct sums {
    const struct object_quota *of;
    uint64_t promised, charged; /* pages */
};

static void add_object(struct object *object, struct sums *sums)
{
    uint64_t promises, pages;

    hugetlb_object_count(object, &promises, &pages);
    sums->promised += promises;
    if (object->quota == sums->of)
        sums->charged += promises + pages;
}

static void add_area(const struct vma *vma, struct sums *sums)
{
    sums->promised += hugetlb_area_promises(vma);
    if (vma->object->quota == sums->of)
        sums->charged += hugetlb_area_charged(vma);
}

static struct sums sum_up(const struct hugetlb_pool *pool, const struct object_quota *of)
{
    struct sums sums = {.of = of};
    struct object *object;
    const struct vma *vma;
    const struct mm *mm;

    list_for_each_entry (object, &pool->objects, pool_node)
        add_object(object, &sums);
    list_for_each_entry (mm, &all_mms, all_node)
        list_for_each_entry (vma, &mm->areas, area_node)
            if (vma->hugetlb && pool_of(vma->object) == pool)
                add_area(vma, &sums);
    return sums;
}

static uint64_t set_aside(const struct hugetlb_pool *pool)
{
    const struct object_quota *quota;
    uint64_t sum = 0;

    list_for_each_entry (quota, &pool->quotas, pool_node)
        sum += quota->set_aside;
    return sum;
}

static int check_quotas(const struct hugetlb_pool *pool)
{
    const struct object_quota *quota;

    list_for_each_entry (quota, &pool->quotas, pool_node) {
        uint64_t found = sum_up(pool, quota).charged * pool_frames(pool);
        uint64_t used = atomic_load(&quota->used);
        CLAIM(found == used, "V22", "%lu frames of a file system found, %lu counted", found, used);
    }
    return 0;
}

static int check_pool(struct hugetlb_pool *pool)
{
    const struct hugetlb_counts *c = &pool->counts;
    uint64_t size = hugetlb_pool_bytes(pool) / KIB, listed = count_free(pool);
    uint64_t used = used_frames[pool->order] >> pool->order;

    CLAIM(listed == c->free, "V22", "%lu pages of %lu KiB are free, %lu counted", listed, size,
          c->free);
    CLAIM(c->free + used == c->total, "V22", "of %lu pages of %lu KiB %lu are free and %lu used",
          c->total, size, c->free, used);
    CLAIM(c->reserved <= c->free && c->surplus <= c->total, "V22",
          "of %lu pages of %lu KiB %lu are free, %lu reserved, %lu surplus", c->total, size,
          c->free, c->reserved, c->surplus);
    uint64_t promised = sum_up(pool, NULL).promised;
    CLAIM(promised + set_aside(pool) == c->reserved, "V22",
          "of pages of %lu KiB %lu are reserved, %lu by objects, %lu by file systems", size,
          c->reserved, promised, set_aside(pool));
    return check_quotas(pool);
}

int hugetlb_check(void)
{
    struct hugetlb_pool *pool;

    for (unsigned order = 0; order < ARRAY_SIZE(used_frames); order++)
        used_frames[order] = 0;
    int err = page_each_head(count_used);
    for (unsigned n = 0; !err && (pool = hugetlb_pool_nth(n)); n++)
        err = check_pool(pool);
    return err;
}
