/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/allocators.c - pages and objects on the real machine; damage that must be found
 *
 * Room:   tests/kernel. The storms against a naive model are in tests/host.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) damage is planted in memory that is free, and mended before the test ends.
 * Source: include/mm/buddy.h, include/mm/slab.h; trust.md V21, V23, B10.
 * Tour:   after mm/buddy.c, mm/slab.c.
 */
#include "kit.h"

KTEST(page_blocks_of_every_order_are_aligned_and_counted)
{
    struct page_counts before, now;

    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
        struct page *page;
        page_counts(&before);
        REQUIRE(page_alloc(order, PAGE_ALLOC_PLAIN, &page) == 0, "order %u", order);
        page_counts(&now);
        EXPECT(is_aligned(page_to_pfn(page), 1UL << order), "pfn %#lx", page_to_pfn(page));
        EXPECT(page->state == PAGE_KERNEL && page->order == order);
        EXPECT_EQ(atomic_load(&page->refcount), 1);
        EXPECT_EQ(now.frames[PAGE_KERNEL] - before.frames[PAGE_KERNEL], 1L << order);
        EXPECT_EQ(before.free - now.free, 1L << order);
        EXPECT(page_head(page + (1UL << order) - 1) == page);
        page_free(page, order);
    }
}

static bool all_zero(const void *p, size_t len_bytes)
{
    const uint64_t *word = p;

    for (size_t i = 0; i < len_bytes / sizeof(*word); i++)
        if (word[i])
            return false;
    return true;
}

KTEST(page_alloc_zero_gives_zeros_after_use)
{
    for (unsigned order = 0; order <= 3; order++) {
        struct page *page;
        for (int round = 0; round < 2; round++) {
            REQUIRE(page_alloc(order, PAGE_ALLOC_ZERO, &page) == 0);
            EXPECT(all_zero(page_kva(page), PAGE_SIZE << order), "order %u", order);
            memset(page_kva(page), 0xa5, PAGE_SIZE << order);
            page_free(page, order);
        }
    }
}

static void free_all(struct list_node *blocks)
{
    while (!list_empty(blocks)) {
        struct page *block = list_first_entry(blocks, struct page, list);
        list_del(&block->list);
        page_free(block, block->order);
    }
}

KTEST(last_page_of_memory_is_followed_by_enomem)
{
    struct list_node blocks;
    struct page_counts counts;
    struct page *page;

    list_init(&blocks);
    for (int order = PAGE_ORDER_MAX; order >= 0; order--)
        while (page_alloc(order, PAGE_ALLOC_PLAIN, &page) == 0)
            list_add(&page->list, &blocks);
    page_counts(&counts);
    EXPECT_EQ(counts.free, 0);
    EXPECT_EQ(page_alloc(0, PAGE_ALLOC_PLAIN, &page), -ENOMEM);
    EXPECT(kmem_alloc(SLAB_OBJECT_MAX + 1, SLAB_ALLOC_PLAIN) == NULL);
    struct mm *mm;
    EXPECT_EQ(mm_create(&mm), -ENOMEM);
    EXPECT(vm_check() == 0);
    free_all(&blocks);
}

KTEST(page_written_after_free_is_found)
{
    struct page *page;

    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    uint64_t *word = page_kva(page);
    page_free(page, 0);
    uint64_t poison = word[100];
    word[100] = 0x600d;
    EXPECT_FINDS(buddy_check(), "V21");
    word[100] = poison;
    EXPECT(buddy_check() == 0);
}

KTEST(free_page_that_is_in_use_is_found)
{
    struct page *page;

    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    page_free(page, 0);
    atomic_store(&page->refcount, 1);
    EXPECT_FINDS(buddy_check(), "V21");
    atomic_store(&page->refcount, 0);
    atomic_store(&page->mapcount, 1);
    EXPECT_FINDS(buddy_check(), "V21");
    atomic_store(&page->mapcount, 0);
}

KTEST(page_that_changed_its_state_by_itself_is_found)
{
    struct page *page;

    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    page->state = PAGE_ANON;
    EXPECT_FINDS(page_accounting_check(), "V23");
    page->state = PAGE_TAIL;
    EXPECT_FINDS(page_accounting_check(), "V21");
    page->state = PAGE_KERNEL;
    page_free(page, 0);
}

KTEST(reference_count_that_is_full_stays_full)
{
    struct page *page;

    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    atomic_store(&page->refcount, PAGE_COUNT_LIMIT);
    folio_get(page_folio(page));
    for (int i = 0; i < 5; i++)
        folio_put(page_folio(page));
    EXPECT(page->state == PAGE_KERNEL, "state %s", page_state_names[page->state]);
    EXPECT(atomic_load(&page->refcount) >= PAGE_COUNT_LIMIT);
    atomic_store(&page->refcount, 1);
    folio_put(page_folio(page));
    EXPECT(page->state == PAGE_CPU || page->state == PAGE_FREE);
}

#define OBJECTS 300

KTEST(slab_objects_are_distinct_aligned_and_counted)
{
    static struct slab_cache cache;
    static char *objects[OBJECTS];

    if (!cache.name)
        slab_cache_init(&cache, "ktest", 72, 32);
    for (unsigned i = 0; i < OBJECTS; i++) {
        objects[i] = slab_alloc(&cache, SLAB_ALLOC_ZERO);
        REQUIRE(objects[i]);
        EXPECT(is_aligned((uint64_t)objects[i], 32) && all_zero(objects[i], 72));
        memset(objects[i], (int)i, 72);
    }
    EXPECT_EQ(slab_objects_in_use(&cache), OBJECTS);
    EXPECT(slab_check() == 0);
    for (unsigned i = 0; i < OBJECTS; i++) {
        for (unsigned j = 0; j < 72; j++)
            EXPECT((uint8_t)objects[i][j] == (uint8_t)i, "object %u, byte %u", i, j);
        slab_free(&cache, objects[i]);
    }
    EXPECT_EQ(slab_objects_in_use(&cache), 0);
    slab_reclaim();
    EXPECT_EQ(cache.nr_slabs, 0);
}

KTEST(slab_object_written_after_free_is_found)
{
    uint8_t *object = kmem_alloc(96, SLAB_ALLOC_PLAIN);

    REQUIRE(object);
    kmem_free(object);
    object[50] ^= 0xff;
    EXPECT_FINDS(slab_check(), "V21");
    object[50] ^= 0xff;
    EXPECT(slab_check() == 0);
}

KTEST(slab_object_written_past_its_end_is_found)
{
    uint8_t *object = kmem_alloc(96, SLAB_ALLOC_PLAIN);

    REQUIRE(object);
    kmem_free(object);
    object[96] ^= 0xff;
    EXPECT_FINDS(slab_check(), "V21");
    object[96] ^= 0xff;
    EXPECT(slab_check() == 0);
}

KTEST(kmem_gives_every_size_and_refuses_impossible_ones)
{
    for (size_t len = 1; len <= 3 * PAGE_SIZE; len += len < 300 ? 1 : 97) {
        char *p = kmem_alloc(len, SLAB_ALLOC_ZERO);
        REQUIRE(p, "%zu bytes", len);
        EXPECT(is_aligned((uint64_t)p, 16) && p[0] == 0 && p[len - 1] == 0, "%zu bytes", len);
        memset(p, 0x5a, len);
        kmem_free(p);
    }
    EXPECT(kmem_alloc(0, SLAB_ALLOC_PLAIN) == NULL);
    EXPECT(kmem_alloc((PAGE_SIZE << PAGE_ORDER_MAX) + 1, SLAB_ALLOC_PLAIN) == NULL);
    kmem_free(NULL);
}

KTEST(fail_at_fails_the_nth_allocation_once)
{
    struct page *page;

    for (uint64_t n = 1; n <= 4; n++) {
        fail_at_set(n);
        for (uint64_t i = 1; i <= 6; i++) {
            int err = page_alloc(0, PAGE_ALLOC_PLAIN, &page);
            EXPECT(err == (i == n ? -ENOMEM : 0), "allocation %lu of fail_at=%lu: %d", i, n, err);
            if (!err)
                page_free(page, 0);
        }
    }
    EXPECT(fail_sites_failed() & (1U << FAIL_PAGE));
}
