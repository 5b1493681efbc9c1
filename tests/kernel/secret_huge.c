/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret_huge.c - secret pages of 2 MiB and 1 GiB
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the direct map is afterwards as it was.
 * Source: beyond-linux.md 3.
 * Tour:   after mm/secret_huge.c.
 */
#include "crew.h"
#include "secret_kit.h"

#define SHARED (RW | VM_SHARED)
#define UNIT   (HUGE_SIZE / PAGE_SIZE)

/* A word that stands nowhere else. */
static uint64_t secret_word(uint64_t n)
{
    volatile uint64_t half = 0x5ec2e8;

    return half << 32 | (half + n);
}

/* An object of @units huge pages of 2 MiB, mapped from page 0 on. */
static bool map_huge(uint64_t units, struct object **object, struct mm **mm)
{
    *object = kit_object(secretmem_ops_for(HUGE_ORDER), units);
    *mm = kit_mm();
    return *object && *mm && EXPECT(kit_map_object(*mm, 0, units * UNIT, SHARED, *object, 0) == 0);
}

KTEST(huge_secret_page_is_one_leaf_less_in_the_direct_map)
{
    struct direct_map_counts before = map_counts();
    struct object *object;
    struct mm *mm;
    uint64_t word;
    REQUIRE(map_huge(2, &object, &mm));

    for (uint64_t i = 0; i < 2; i++) {
        EXPECT(mm_fault(mm, user(AT(i * UNIT + 7)), ACCESS_WRITE) == FAULT_RESOLVED);
        EXPECT_EQ(before.leaves[PT_2M] - map_counts().leaves[PT_2M], i + 1);
        EXPECT_EQ(secretmem_pages(), (i + 1) * UNIT);
    }
    EXPECT_EQ(map_counts().leaves[PT_4K], before.leaves[PT_4K]);
    EXPECT_EQ(map_counts().splits[PT_2M], before.splits[PT_2M]);
    struct page *page = kit_page(mm, 0);
    EXPECT(page->state == PAGE_SECRET && page->order == HUGE_ORDER);
    EXPECT(pte_kind(kit_leaf(mm, 0), PT_2M) == PTE_KIND_LEAF);
    for (uint64_t i = 0; i < UNIT; i += 73)
        EXPECT(!kit_probe_read(DIRECT_MAP_BASE + (page_to_pfn(page) + i) * PAGE_SIZE, &word));
    EXPECT(vm_check() == 0);
    kit_mm_put(mm);
    object_put(object);
    expect_leaves_of(&before);
}

KTEST(huge_secret_page_is_zero_when_it_comes_and_when_it_goes)
{
    struct object *object;
    struct mm *mm;
    uint64_t word = 1;
    REQUIRE(map_huge(1, &object, &mm));

    EXPECT(mm_fault(mm, user(AT(0)), ACCESS_WRITE) == FAULT_RESOLVED);
    struct page *page = kit_page(mm, 0);
    kit_load(mm);
    for (uint64_t i = 0; i < UNIT; i++) {
        EXPECT(kit_probe_read(AT(i), &word) && word == 0);
        EXPECT(kit_probe_write(AT(i), secret_word(i)));
    }
    kit_unload();
    kit_mm_put(mm);
    EXPECT(word_behind(page + 5) == secret_word(5));
    object_put(object);
    EXPECT(page_head(page)->state == PAGE_FREE);
    for (uint64_t i = 0; i < UNIT; i++)
        EXPECT(word_behind(page + i) != secret_word(i), "page %lu", i);
}

KTEST(huge_secret_fault_without_memory_changes_nothing)
{
    struct direct_map_counts before = map_counts();
    struct object *object;
    struct mm *mm;
    unsigned n = 1;
    REQUIRE(map_huge(1, &object, &mm));

    for (bool injected = true; injected; n++) {
        fail_at_set(n);
        enum fault_result result = mm_fault(mm, user(AT(0)), ACCESS_WRITE);
        injected = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT_EQ(secretmem_pages(), result == FAULT_RESOLVED ? UNIT : 0);
        if (!injected)
            EXPECT_EQ(result, FAULT_RESOLVED);
        EXPECT(mm_check(mm) == 0 && vm_check() == 0, "n=%u", n);
        kit_truncate(object, 0);
        kit_truncate(object, HUGE_SIZE);
        expect_leaves_of(&before);
    }
    EXPECT(n > 4, "only %u allocations", n - 2);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(lack_of_a_huge_secret_page_is_a_bus_error)
{
    struct list_node taken;
    struct object *object;
    struct page *page;
    struct mm *mm;
    REQUIRE(map_huge(1, &object, &mm));

    list_init(&taken);
    EXPECT(mm_fault(mm, user(AT(0)), ACCESS_WRITE) == FAULT_RESOLVED); /* its tables are there */
    kit_truncate(object, 0);
    kit_truncate(object, HUGE_SIZE);
    buddy_reclaim();
    for (unsigned order = PAGE_ORDER_MAX; order >= HUGE_ORDER; order--)
        while (!page_alloc(order, PAGE_ALLOC_PLAIN, &page))
            list_add(&page->list, &taken);
    EXPECT_EQ(mm_fault(mm, user(AT(0)), ACCESS_WRITE), FAULT_BEYOND);
    while (!list_empty(&taken)) {
        page = list_first_entry(&taken, struct page, list);
        list_del(&page->list);
        page_free(page, page->order);
    }
    EXPECT_EQ(mm_fault(mm, user(AT(0)), ACCESS_WRITE), FAULT_RESOLVED);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(huge_secret_mappings_are_cut_in_units_only)
{
    struct object *object;
    struct mm *mm;
    REQUIRE(map_huge(2, &object, &mm));

    EXPECT(mm_fault(mm, user(AT(0)), ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT_EQ(mm_unmap(mm, AT(0), PAGE_SIZE), -EINVAL);
    EXPECT_EQ(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ, 0), -EINVAL);
    EXPECT_EQ(mm_protect(mm, AT(0), HUGE_SIZE, VM_READ, 0), 0);
    EXPECT_AREAS(mm, "0-512 r--s, 512-1024 rw-s");
    EXPECT_EQ(mm_unmap(mm, AT(0), HUGE_SIZE), 0);
    EXPECT_EQ(secretmem_pages(), UNIT); /* the object has it */
    kit_mm_put(mm);
    object_put(object);
    EXPECT_EQ(secretmem_pages(), 0);
}

KTEST(giant_secret_page_leaves_the_direct_map_as_a_whole)
{
    const struct object_ops *ops = secretmem_ops_for(PAGE_ORDER_GIANT);
    struct direct_map_counts before = map_counts();
    struct object *object = ops ? kit_object(ops, 1) : NULL;

    EXPECT(!secretmem_ops_for(1) && !secretmem_ops_for(10));
    if (!object || !secret_at(object, 0)) {
        if (object)
            object_put(object);
        ktest_skip("no 1 GiB of memory in one piece, or CPUs cannot map it");
        return;
    }
    EXPECT_EQ(secretmem_pages(), 1UL << PAGE_ORDER_GIANT);
    EXPECT_EQ(map_counts().hidden_pages - before.hidden_pages, 1UL << PAGE_ORDER_GIANT);
    EXPECT_EQ(map_counts().leaves[PT_4K], before.leaves[PT_4K]);
    EXPECT(vm_check() == 0);
    object_put(object);
    expect_leaves_of(&before);
}

/* Everybody faults the same huge pages: one each must come of it. */
static void work_same_pages(struct crew *crew, unsigned who)
{
    (void)who;
    for (uint64_t i = 0; i < 4; i++)
        atomic_fetch_add(&crew->wrong, !secret_at(crew->object, i));
}

KTEST(cpus_that_fault_the_same_huge_secret_page_make_one)
{
    struct direct_map_counts before = map_counts();
    static struct crew crew;

    if (nr_cpus() == 1)
        ktest_skip("one CPU");
    for (unsigned round = 0; round < 5 && nr_cpus() > 1; round++) {
        crew = (struct crew){.work = work_same_pages,
                             .object = kit_object(secretmem_ops_for(HUGE_ORDER), 4)};
        REQUIRE(crew.object);
        crew_run(&crew);
        EXPECT_EQ(secretmem_pages(), 4 * UNIT);
        object_put(crew.object);
    }
    expect_leaves_of(&before);
}
