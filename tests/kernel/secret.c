/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret.c - what the kernel can still see of a secret page: nothing
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the secret is a pattern that stands nowhere else in memory: it is put together at
 *             run time, and what was copied to the stack is wiped.
 * Source: memfd_secret(2); trust.md V18, B48, S1, S5, S6, S20.
 * Tour:   after mm/secretmem.c.
 */
#include "secret_kit.h"

#define SHARED (RW | VM_SHARED)

static uint64_t secret_word(uint64_t page)
{
    volatile uint64_t half = 0x5ec2e700;

    return half << 32 | (half + page + 1);
}

/* How many pages of the direct map begin with the secret of page @page: an attacker's scan. */
static unsigned scan_for(uint64_t secret)
{
    struct direct_map_counts dm;
    unsigned hits = 0;
    uint64_t word, seen = 0;

    direct_map_counts(&dm);
    uint64_t mapped = dm.leaves[PT_4K] + dm.leaves[PT_2M] * 512 + dm.leaves[PT_1G] * 512 * 512;
    for (uint64_t pfn = 0; seen < mapped; pfn++) {
        if (!kit_probe_read(DIRECT_MAP_BASE + pfn * PAGE_SIZE, &word))
            continue;
        seen++;
        hits += word == secret;
    }
    word = 0;
    return hits;
}

/* Map @nr pages of @object at page 0 and write a secret into each, as a program would. */
static bool write_secrets(struct mm *mm, struct object *object, uint64_t nr)
{
    bool done = EXPECT(kit_map_object(mm, 0, nr, SHARED, object, 0) == 0);

    for (uint64_t i = 0; i < nr && done; i++)
        done = EXPECT(mm_fault(mm, user(AT(i)), ACCESS_WRITE) == FAULT_RESOLVED);
    kit_load(mm);
    for (uint64_t i = 0; i < nr && done; i++)
        done = EXPECT(kit_probe_write(AT(i), secret_word(i)), "page %lu", i);
    kit_unload();
    return done;
}

KTEST(secretmem_page_is_absent_from_direct_map)
{
    struct object *object = kit_object(&secretmem_ops, 4);
    struct mm *mm = kit_mm();
    uint64_t word = 0;
    REQUIRE(object && mm);
    uint64_t before = secretmem_pages();

    REQUIRE(write_secrets(mm, object, 4));
    EXPECT_EQ(secretmem_pages() - before, 4);
    for (uint64_t i = 0; i < 4; i++) {
        struct page *page = kit_page(mm, i);
        EXPECT_EQ(page->state, PAGE_SECRET);
        EXPECT(!direct_map_present(page_to_pfn(page)));
        EXPECT(!kit_probe_read(DIRECT_MAP_BASE + page_to_pfn(page) * PAGE_SIZE, &word));
        EXPECT(!kit_probe_write(DIRECT_MAP_BASE + page_to_pfn(page) * PAGE_SIZE, 0));
    }
    EXPECT(vm_check() == 0);
    kit_load(mm);
    EXPECT(kit_probe_read(AT(3), &word) && word == secret_word(3));
    kit_unload();
    word = 0;
    kit_mm_put(mm);
    object_put(object);
    EXPECT_EQ(secretmem_pages(), before);
}

KTEST(scan_of_the_whole_direct_map_finds_no_secret)
{
    struct object *object = kit_object(&secretmem_ops, 2), *plain = kit_object(&shmem_ops, 2);
    struct mm *mm = kit_mm();
    REQUIRE(object && plain && mm);

    REQUIRE(write_secrets(mm, object, 2));
    EXPECT_EQ(scan_for(secret_word(0)), 0);
    EXPECT_EQ(scan_for(secret_word(1)), 0);
    mm_put(mm);
    object_put(object);
    EXPECT_EQ(scan_for(secret_word(0)), 0); /* nor after it was given back */
    EXPECT_EQ(scan_for(secret_word(1)), 0);

    mm = kit_mm(); /* the control: the same in ordinary memory is found */
    REQUIRE(mm);
    REQUIRE(write_secrets(mm, plain, 2));
    EXPECT_EQ(scan_for(secret_word(1)), 1);
    kit_mm_put(mm);
    object_put(plain);
}

KTEST(secret_page_is_zero_before_it_is_free_and_back_before_others_get_it)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct mm *mm = kit_mm();
    struct direct_map_counts before, after;
    REQUIRE(object && mm);

    direct_map_counts(&before);
    REQUIRE(write_secrets(mm, object, 1));
    struct page *page = kit_page(mm, 0);
    kit_mm_put(mm);
    EXPECT(page->state == PAGE_SECRET && !direct_map_present(page_to_pfn(page)));
    object_put(object);
    EXPECT(page->state == PAGE_HIDDEN && !direct_map_present(page_to_pfn(page)));
    EXPECT_EQ(word_behind(page), 0);
    secret_pool_shrink();
    EXPECT(page_head(page)->state == PAGE_FREE, "%s", page_state_names[page_head(page)->state]);
    EXPECT(direct_map_present(page_to_pfn(page)));
    direct_map_counts(&after);
    for (enum pt_level l = PT_4K; l <= PT_1G; l++)
        EXPECT_EQ(after.leaves[l], before.leaves[l]);
    EXPECT_EQ(after.hidden_pages, before.hidden_pages);
}

KTEST(secret_page_outlives_one_of_two_mappings)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct mm *mm = kit_mm(), *child = NULL;
    uint64_t word = 0;
    REQUIRE(object && mm);

    REQUIRE(write_secrets(mm, object, 1));
    REQUIRE(mm_fork(mm, &child) == 0);
    object_put(object);
    kit_mm_put(mm);
    EXPECT(mm_fault(child, user(AT(0)), ACCESS_READ) == FAULT_RESOLVED);
    struct page *page = kit_page(child, 0);
    EXPECT(!direct_map_present(page_to_pfn(page)));
    kit_load(child);
    EXPECT(kit_probe_read(AT(0), &word) && word == secret_word(0));
    kit_unload();
    word = 0;
    kit_mm_put(child);
    EXPECT(page->state == PAGE_HIDDEN);
    EXPECT_EQ(word_behind(page), 0);
}

KTEST(truncate_gives_secret_pages_back)
{
    struct object *object = kit_object(&secretmem_ops, 3);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    REQUIRE(write_secrets(mm, object, 3));
    kit_truncate(object, PAGE_SIZE + 1); /* no byte of a secret page is touched by the kernel */
    EXPECT_EQ(secretmem_pages(), 2);
    EXPECT_EQ(mm_fault(mm, user(AT(2)), ACCESS_READ), FAULT_BEYOND);
    kit_truncate(object, 0);
    EXPECT_EQ(secretmem_pages(), 0);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(secret_fault_without_memory_changes_nothing)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct mm *mm = kit_mm();
    struct direct_map_counts before, after;
    unsigned n = 1;
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 1, SHARED, object, 0) == 0);
    direct_map_counts(&before);
    for (bool injected = true; injected; n++) {
        secret_pool_shrink();
        fail_at_set(n);
        enum fault_result result = mm_fault(mm, user(AT(0)), ACCESS_WRITE);
        injected = fail_at_left() == 0;
        fail_at_set(0);
        if (!injected || result != FAULT_NO_MEMORY) /* a cache that reclaims may still succeed */
            EXPECT_EQ(result, FAULT_RESOLVED);
        EXPECT(mm_check(mm) == 0 && vm_check() == 0, "n=%u", n);
        EXPECT_EQ(secretmem_pages(), result == FAULT_RESOLVED);
        secret_pool_shrink();
        direct_map_counts(&after);
        EXPECT_EQ(after.hidden_pages > before.hidden_pages, result == FAULT_RESOLVED);
        if (result == FAULT_RESOLVED)
            kit_truncate(object, 0);
        kit_truncate(object, PAGE_SIZE);
    }
    EXPECT(n > 5, "only %u allocations", n - 2);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(ten_thousand_secret_pages_leave_no_trace)
{
    struct direct_map_counts before, after;

    direct_map_counts(&before);
    for (unsigned round = 0; round < 10; round++) {
        struct object *object = kit_object(&secretmem_ops, 1000);
        REQUIRE(object);
        for (uint64_t i = 0; i < 1000; i++) {
            struct page *page;
            REQUIRE(object->ops->get_page(object, i, OBJECT_GET_ALLOCATE, &page) == 0);
            page_put(page);
        }
        EXPECT_EQ(secretmem_pages(), 1000);
        object_put(object);
    }
    secret_pool_shrink();
    direct_map_counts(&after);
    for (enum pt_level l = PT_4K; l <= PT_1G; l++) {
        EXPECT_EQ(after.leaves[l], before.leaves[l]);
        EXPECT_EQ(after.splits[l] - before.splits[l], after.heals[l] - before.heals[l]);
    }
}
