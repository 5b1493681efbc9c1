/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret_pool.c - blocks of hidden pages: how they come, are shared out, and go
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) nobody but the test touches the pool: there is no tender while kernel tests run.
 * Source: beyond-linux.md 1, 2; trust.md V18, V19, S1, S5.
 * Tour:   after mm/secret_pool.c; tests/kernel/secret_kit.h.
 */
#include "crew.h"
#include "secret_kit.h"

#define BLOCK SECRET_BLOCK_PAGES_MAX

KTEST(a_block_leaves_the_direct_map_by_one_entry)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    REQUIRE(secret_at(object, 0));
    struct direct_map_counts after = map_counts();
    EXPECT_EQ(after.hidden_pages - before.hidden_pages, BLOCK);
    EXPECT_EQ(before.leaves[PT_2M] - after.leaves[PT_2M], 1);
    EXPECT_EQ(after.leaves[PT_4K], before.leaves[PT_4K]);
    EXPECT_EQ(after.splits[PT_2M], before.splits[PT_2M]);
    EXPECT(vm_check() == 0);
    object_put(object);
    secret_pool_shrink();
    expect_leaves_of(&before);
    pool_end();
}

KTEST(pages_of_one_block_cost_one_flush)
{
    struct object *object = kit_object(&secretmem_ops, BLOCK + 1);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct secret_pool_counts before = pool_counts();
    uint64_t all = tlb_events(TLB_LOCAL_ALL), asked = tlb_events(TLB_REMOTE_REQUEST);
    uint64_t single = tlb_events(TLB_LOCAL_ONE);
    REQUIRE(secrets_make(object, 0, BLOCK));
    EXPECT_EQ(pool_counts().fills - before.fills, 1);
    EXPECT_EQ(tlb_events(TLB_REMOTE_REQUEST) - asked, nr_cpus() > 1);
    EXPECT(tlb_events(TLB_LOCAL_ALL) - all <= nr_cpus());
    EXPECT(tlb_events(TLB_LOCAL_ONE) - single <= BLOCK + nr_cpus()); /* the windows' */
    REQUIRE(secret_at(object, BLOCK));
    EXPECT_EQ(pool_counts().fills - before.fills, 2);
    object_put(object);
    pool_end();
}

KTEST(a_page_is_zeroed_once_in_its_life)
{
    struct object *object = kit_object(&secretmem_ops, 3);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct secret_pool_counts before = pool_counts();
    for (unsigned round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < 3; i++) {
            struct page *page = secret_at(object, i);
            REQUIRE(page);
            EXPECT_EQ(word_behind(page), 0);
            word_set(page, 0x5ec2e7 + i);
        }
        secrets_drop(object, 0, 3);
        EXPECT(blanks_are_blank());
    }
    EXPECT_EQ(pool_counts().carves - before.carves, 3);
    EXPECT_EQ(pool_counts().blank_hits - before.blank_hits, 9);
    object_put(object);
    pool_end();
}

KTEST(a_block_is_carved_only_as_far_as_it_is_used)
{
    struct object *object = kit_object(&secretmem_ops, 3);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct page *first = secret_at(object, 0);
    REQUIRE(first && is_aligned(page_to_pfn(first), BLOCK));
    EXPECT(first[1].order == 0 && first[2].order == 1 && first[256].order == 8);
    EXPECT(first[256].state == PAGE_HIDDEN && first[257].state == PAGE_TAIL);
    EXPECT(secret_at(object, 1) == first + 1 && secret_at(object, 2) == first + 2);
    EXPECT(first[3].order == 0 && first[3].state == PAGE_HIDDEN);
    EXPECT(page_accounting_check() == 0 && secret_pool_check() == 0);
    object_put(object);
    secret_pool_shrink();
    EXPECT(page_accounting_check() == 0 && buddy_check() == 0);
    pool_end();
}

KTEST(unused_blocks_beyond_the_limit_go_at_once)
{
    struct object *object = kit_object(&secretmem_ops, 3 * BLOCK);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    REQUIRE(secrets_make(object, 0, 3 * BLOCK));
    object_put(object);
    EXPECT_EQ(pool_counts().unused, 2 * BLOCK);
    EXPECT_EQ(pool_counts().blocks, 2);
    secret_pool_settings.max = BLOCK;
    secret_pool_changed();
    EXPECT_EQ(pool_counts().blocks, 1);
    secret_pool_settings.max = 0;
    secret_pool_changed();
    expect_leaves_of(&before);
    object = kit_object(&secretmem_ops, 1);
    REQUIRE(object && secret_at(object, 0));
    object_put(object);
    expect_leaves_of(&before);
    pool_end();
}

KTEST(a_block_is_given_back_when_nobody_used_it_between_two_looks)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    REQUIRE(object);

    pool_begin(BLOCK);
    REQUIRE(secret_at(object, 0));
    EXPECT(!secret_pool_tend(true)); /* it is in use: nothing to come back for */
    secrets_drop(object, 0, 1);
    EXPECT(secret_pool_tend(true));
    EXPECT_EQ(pool_counts().blocks, 1);
    REQUIRE(secret_at(object, 0));
    secrets_drop(object, 0, 1);
    EXPECT(secret_pool_tend(true));  /* the use in between counts */
    EXPECT(secret_pool_tend(false)); /* no look */
    EXPECT_EQ(pool_counts().blocks, 1);
    EXPECT(!secret_pool_tend(true));
    EXPECT_EQ(pool_counts().blocks, 0);
    object_put(object);
    pool_end();
}

KTEST(each_unused_block_has_its_own_time)
{
    struct object *older = kit_object(&secretmem_ops, BLOCK),
                  *newer = kit_object(&secretmem_ops, 1);
    REQUIRE(older && newer);

    pool_begin(BLOCK);
    REQUIRE(secrets_make(older, 0, BLOCK) && secret_at(newer, 0));
    object_put(older);
    EXPECT(secret_pool_tend(true));
    object_put(newer);
    EXPECT(secret_pool_tend(true)); /* the second look at one, the first at the other */
    EXPECT_EQ(pool_counts().blocks, 1);
    EXPECT(!secret_pool_tend(true));
    EXPECT_EQ(pool_counts().blocks, 0);
    pool_end();
}

KTEST(the_next_block_is_fetched_before_the_last_page_is_used)
{
    struct object *object = kit_object(&secretmem_ops, BLOCK);
    REQUIRE(object);

    pool_begin(BLOCK);
    EXPECT(!secret_pool_tend(false)); /* without secrets nothing is held ready */
    EXPECT_EQ(pool_counts().blocks, 0);
    REQUIRE(secrets_make(object, 0, BLOCK - 64));
    secret_pool_tend(false);
    EXPECT_EQ(pool_counts().blocks, 1);
    REQUIRE(secrets_make(object, BLOCK - 64, BLOCK - 63));
    EXPECT(secret_pool_tend(false)); /* the new block is unused so far */
    EXPECT_EQ(pool_counts().blocks, 2);
    secret_pool_settings.low = 3 * BLOCK;
    secret_pool_tend(false);
    EXPECT_EQ(pool_counts().pages - pool_counts().secret, 3 * BLOCK + 63);
    secret_pool_settings.low = 0;
    object_put(object);
    pool_end();
}

KTEST(a_pool_of_one_page_does_as_linux_does)
{
    struct object *object = kit_object(&secretmem_ops, 20);
    REQUIRE(object);

    pool_begin(1);
    struct direct_map_counts before = map_counts();
    for (uint64_t i = 0; i < 20; i++) {
        struct page *page = secret_at(object, i);
        REQUIRE(page);
        EXPECT_EQ(map_counts().hidden_pages - before.hidden_pages, i + 1);
    }
    EXPECT(map_counts().splits[PT_2M] > before.splits[PT_2M]);
    EXPECT(!secret_pool_tend(true));
    EXPECT_EQ(pool_counts().pages, 20);
    struct page *last = secret_at(object, 19);
    secrets_drop(object, 19, 20);
    EXPECT(direct_map_present(page_to_pfn(last)));
    EXPECT_EQ(map_counts().hidden_pages - before.hidden_pages, 19);
    object_put(object);
    expect_leaves_of(&before); /* this is not what Linux does */
    pool_end();
}

KTEST(blocks_of_every_size_come_and_go_whole)
{
    for (uint64_t pages = 1; pages <= BLOCK; pages *= 2) {
        struct object *object = kit_object(&secretmem_ops, 3 * pages);
        REQUIRE(object);
        pool_begin(pages);
        struct direct_map_counts before = map_counts();
        REQUIRE(secrets_make(object, 0, 2 * pages + 1));
        EXPECT_EQ(pool_counts().blocks, 3);
        EXPECT_EQ(pool_counts().pages, 3 * pages);
        EXPECT(secret_pool_check() == 0 && page_accounting_check() == 0);
        object_put(object);
        secret_pool_shrink();
        expect_leaves_of(&before);
    }
    pool_end();
}

/* Take every block of at least @order that the machine has; they are chained by their list node. */
static void take_all(unsigned order, struct list_node *taken)
{
    struct page *page;

    list_init(taken);
    buddy_reclaim();
    for (unsigned o = PAGE_ORDER_MAX; o + 1 > order; o--)
        while (!page_alloc(o, PAGE_ALLOC_PLAIN, &page))
            list_add(&page->list, taken);
}

static void free_all(struct list_node *taken)
{
    while (!list_empty(taken)) {
        struct page *page = list_first_entry(taken, struct page, list);
        list_del(&page->list);
        page_free(page, page->order);
    }
}

KTEST(smaller_blocks_serve_where_large_ones_are_not_to_be_had)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct list_node taken;
    struct page *spare;
    REQUIRE(object);

    pool_begin(BLOCK);
    REQUIRE(page_alloc(4, PAGE_ALLOC_PLAIN, &spare) == 0); /* so that there are small blocks */
    take_all(HUGE_ORDER, &taken);
    struct direct_map_counts before = map_counts();
    EXPECT(secret_at(object, 0));
    EXPECT(pool_counts().pages && pool_counts().pages < BLOCK, "%lu pages", pool_counts().pages);
    EXPECT(vm_check() == 0);
    object_put(object);
    secret_pool_shrink();
    expect_leaves_of(&before);
    free_all(&taken);
    page_free(spare, 4);
    pool_end();
}

KTEST(a_page_that_cannot_be_had_changes_nothing)
{
    struct object *object = kit_object(&secretmem_ops, 2);
    struct list_node taken;
    REQUIRE(object);

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    take_all(0, &taken);
    EXPECT(!secret_at(object, 0));
    EXPECT(secretmem_pages() == 0 && pool_counts().blocks == 0);
    expect_leaves_of(&before);
    free_all(&taken);
    EXPECT(secret_at(object, 0));
    object_put(object);
    pool_end();
}

KTEST(unused_blocks_are_what_memory_is_made_of_when_there_is_none)
{
    struct object *object = kit_object(&secretmem_ops, 1);
    struct object *huge = kit_object(secretmem_ops_for(HUGE_ORDER), 1);
    struct list_node taken;
    REQUIRE(object && huge);

    pool_begin(BLOCK);
    REQUIRE(secret_at(object, 0));
    object_put(object);
    take_all(HUGE_ORDER, &taken);
    EXPECT_EQ(pool_counts().unused, BLOCK);
    EXPECT(secret_at(huge, 0));
    EXPECT_EQ(pool_counts().blocks, 0);
    free_all(&taken);
    object_put(huge);
    pool_end();
}

KTEST(the_fullest_block_is_taken_from_first)
{
    struct object *object = kit_object(&secretmem_ops, 3 * BLOCK);
    REQUIRE(object);

    pool_begin(BLOCK);
    REQUIRE(secrets_make(object, 0, 2 * BLOCK));
    uint64_t emptier = secret_at(object, 0)->private, fuller = secret_at(object, BLOCK)->private;
    EXPECT(emptier != fuller);
    secrets_drop(object, 0, BLOCK - 1);
    secrets_drop(object, BLOCK, BLOCK + 100);
    for (uint64_t i = 0; i < 100; i++)
        EXPECT_EQ(secret_at(object, 2 * BLOCK + i)->private, fuller);
    EXPECT_EQ(secret_at(object, 2 * BLOCK + 100)->private, emptier);
    object_put(object);
    pool_end();
}

KTEST(shrinking_leaves_what_is_in_use)
{
    struct object *object = kit_object(&secretmem_ops, 2 * BLOCK);
    REQUIRE(object);

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    REQUIRE(secrets_make(object, 0, 2 * BLOCK));
    secrets_drop(object, 1, 2 * BLOCK);
    EXPECT_EQ(secret_pool_shrink(), BLOCK);
    EXPECT_EQ(pool_counts().blocks, 1);
    EXPECT_EQ(map_counts().hidden_pages - before.hidden_pages, BLOCK);
    EXPECT_EQ(secret_pool_shrink(), 0);
    object_put(object);
    EXPECT_EQ(secret_pool_shrink(), BLOCK);
    expect_leaves_of(&before);
    pool_end();
}

/* One fault with its @n-th allocation failing. True: that many there were. */
static bool fault_with_failure(struct mm *mm, struct object *object, unsigned n)
{
    fail_at_set(n);
    enum fault_result result = mm_fault(mm, user(AT(0)), ACCESS_WRITE);
    bool injected = fail_at_left() == 0;
    fail_at_set(0);
    EXPECT(result == FAULT_RESOLVED || (injected && result == FAULT_NO_MEMORY), "n=%u", n);
    EXPECT_EQ(secretmem_pages(), result == FAULT_RESOLVED);
    EXPECT(mm_check(mm) == 0 && vm_check() == 0, "n=%u", n);
    kit_truncate(object, 0);
    kit_truncate(object, PAGE_SIZE);
    EXPECT(blanks_are_blank());
    secret_pool_shrink();
    return injected;
}

KTEST(each_allocation_of_a_fault_may_fail_with_blocks_of_every_size)
{
    unsigned failures = 0;

    for (uint64_t pages = 1; pages <= BLOCK; pages *= 2) {
        struct object *object = kit_object(&secretmem_ops, 1);
        struct mm *mm = kit_mm();
        REQUIRE(object && mm);
        pool_begin(pages);
        struct direct_map_counts before = map_counts();
        EXPECT(kit_map_object(mm, 0, 1, RW | VM_SHARED, object, 0) == 0);
        for (unsigned n = 1; fault_with_failure(mm, object, n); n++) {
            expect_leaves_of(&before);
            failures++;
        }
        kit_mm_put(mm);
        object_put(object);
    }
    ktest_note("%u allocations failed", failures);
    EXPECT(failures > 40);
    pool_end();
}

KTEST(what_is_fetched_ahead_may_fail)
{
    struct object *object = kit_object(&secretmem_ops, BLOCK);
    struct list_node taken;
    REQUIRE(object);

    pool_begin(BLOCK);
    REQUIRE(secrets_make(object, 0, BLOCK));
    take_all(0, &taken);
    EXPECT(secret_pool_tend(false)); /* somebody should come back */
    EXPECT_EQ(pool_counts().blocks, 1);
    free_all(&taken);
    secret_pool_tend(false);
    EXPECT_EQ(pool_counts().blocks, 2);
    object_put(object);
    pool_end();
}

KTEST(an_expected_secret_has_a_block_before_its_first_fault)
{
    pool_begin(BLOCK);
    struct secret_pool_counts before = pool_counts();
    secret_pool_expect();
    secret_pool_expect();
    EXPECT_EQ(pool_counts().fills - before.fills, 1);
    EXPECT_EQ(pool_counts().unused, BLOCK);
    pool_begin(1);
    secret_pool_expect();
    EXPECT_EQ(pool_counts().blocks, 0);
    pool_end();
}

KTEST(a_pool_of_huge_pages_grows_by_what_secrets_do_not_use)
{
    struct hugetlb_pool *huge = hugetlb_pool_of(0);
    struct object *object = kit_object(&secretmem_ops, 1);
    struct hugetlb_counts counts;
    struct list_node taken;
    REQUIRE(object);

    pool_begin(BLOCK);
    hugetlb_pool_resize(huge, 0);
    REQUIRE(secret_at(object, 0));
    object_put(object);
    take_all(HUGE_ORDER, &taken);
    hugetlb_pool_resize(huge, 1);
    hugetlb_counts(huge, &counts);
    EXPECT(counts.total == 1 && pool_counts().blocks == 0);
    hugetlb_pool_resize(huge, 0);
    free_all(&taken);
    pool_end();
}

/* For a number that changes with every call, and repeats with every run. */
static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005UL + 1442695040888963407UL;
    return *state >> 33;
}

KTEST(a_storm_of_secrets_leaves_the_direct_map_as_it_was)
{
    enum { PAGES = 4 * BLOCK, ROUNDS = 100000 };
    struct object *object = kit_object(&secretmem_ops, PAGES);
    uint64_t state = 1, most = 0;
    REQUIRE(object);

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t i = next_random(&state) % PAGES;
        if (object_has_page(object, i))
            secrets_drop(object, i, i + 1);
        else
            REQUIRE(secret_at(object, i));
        uint64_t needed = (secretmem_pages() + BLOCK - 1) / BLOCK;
        uint64_t in_use = pool_counts().blocks - pool_counts().unused / BLOCK;
        most = max(most, in_use - min(in_use, needed));
    }
    ktest_note("at most %lu blocks in use beyond what the pages would fill", most);
    EXPECT(blanks_are_blank());
    EXPECT(vm_check() == 0);
    EXPECT_EQ(map_counts().splits[PT_2M], before.splits[PT_2M]);
    object_put(object);
    secret_pool_shrink();
    expect_leaves_of(&before);
    pool_end();
}

/* Odd threads come and go with pages of the one object, each with its own; even ones tend the pool,
 * or empty it. All of them look whether what they get is zero. */
static void work_storm(struct crew *crew, unsigned who)
{
    uint64_t state = who + 1;

    for (unsigned round = 0; round < 3000; round++) {
        uint64_t i = who * BLOCK + next_random(&state) % BLOCK;
        if (object_has_page(crew->object, i)) {
            secrets_drop(crew->object, i, i + 1);
            continue;
        }
        struct page *page = secret_at(crew->object, i);
        atomic_fetch_add(&crew->wrong, !page || word_behind(page));
        if (page)
            word_set(page, 0x5ec2e7 + i);
        if (round % 64 == 0 && who % 2)
            secret_pool_tend(true);
        else if (round % 64 == 0)
            secret_pool_shrink();
    }
}

KTEST(cpus_that_take_give_tend_and_shrink_at_once_agree)
{
    static struct crew crew;

    pool_begin(BLOCK);
    struct direct_map_counts before = map_counts();
    crew = (struct crew){.work = work_storm, .object = kit_object(&secretmem_ops, 8 * BLOCK)};
    REQUIRE(crew.object);
    secret_pool_settings.max = 0;
    crew_run(&crew);
    EXPECT(vm_check() == 0 && blanks_are_blank());
    object_put(crew.object);
    expect_leaves_of(&before);
    pool_end();
}

/* All pages of all threads lie in small blocks: they split, hide, restore and heal one table. */
KTEST(cpus_that_share_a_split_leaf_heal_it)
{
    static struct crew crew;

    for (uint64_t pages = 1; pages <= 64; pages *= 8) {
        pool_begin(pages);
        struct direct_map_counts before = map_counts();
        crew = (struct crew){.work = work_storm, .object = kit_object(&secretmem_ops, 8 * BLOCK)};
        REQUIRE(crew.object);
        crew_run(&crew);
        EXPECT(vm_check() == 0);
        object_put(crew.object);
        secret_pool_shrink();
        expect_leaves_of(&before);
    }
    pool_end();
}
