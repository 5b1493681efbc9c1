/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret_check.c - damage that the checks of hidden pages must find
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what a test damages it mends.
 * Source: trust.md V18, V19.
 * Tour:   after mm/secret_check.c.
 */
#include "secret_kit.h"

/* A pool with a page that is used, one that is blank, and the rest never touched. */
struct bench {
    struct object *object;
    struct page *used, *blank;
    struct secret_block *block;
};

static bool bench_set(struct bench *b)
{
    pool_begin(SECRET_BLOCK_PAGES_MAX);
    b->object = kit_object(&secretmem_ops, 2);
    if (!b->object || !EXPECT(secrets_make(b->object, 0, 2)))
        return false;
    b->used = secret_at(b->object, 0);
    b->blank = secret_at(b->object, 1);
    b->block = (struct secret_block *)b->used->private;
    secrets_drop(b->object, 1, 2);
    return EXPECT(vm_check() == 0);
}

static void bench_clear(struct bench *b)
{
    EXPECT(vm_check() == 0);
    object_put(b->object);
    pool_end();
}

KTEST(a_secret_frame_that_the_kernel_can_read_is_found)
{
    struct direct_map_change change;
    struct bench b;
    REQUIRE(bench_set(&b));

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, page_to_pfn(b.block->first), SECRET_BLOCK_PAGES_MAX);
    direct_map_change_end(&change);
    EXPECT_FINDS(secret_pool_check(), "V18");
    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, page_to_pfn(b.block->first), SECRET_BLOCK_PAGES_MAX) ==
           0);
    direct_map_change_end(&change);
    bench_clear(&b);
}

KTEST(a_window_that_was_left_open_is_found)
{
    irq_flags_t irq;
    struct bench b;
    REQUIRE(bench_set(&b));

    (void)!window_open(b.used, &irq);
    EXPECT_FINDS(secret_pool_check(), "V18: window");
    window_close(irq);
    bench_clear(&b);
}

KTEST(a_pool_that_counts_wrongly_is_found)
{
    struct bench b;
    REQUIRE(bench_set(&b));
    uint64_t *const counts[] = {&secret_pool.counts.blocks, &secret_pool.counts.pages,
                                &secret_pool.counts.secret, &secret_pool.counts.unused};

    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
        ++*counts[i];
        EXPECT_FINDS(secret_pool_check(), "V18: the pool has");
        --*counts[i];
    }
    b.block->in_use++;
    EXPECT_FINDS(secret_pool_check(), "V18: block");
    b.block->in_use--;
    b.block->carved--;
    EXPECT_FINDS(secret_pool_check(), "V18");
    b.block->carved++;
    bench_clear(&b);
}

KTEST(a_block_on_the_wrong_shelf_is_found)
{
    struct bench b;
    REQUIRE(bench_set(&b));

    b.block->shelf++;
    EXPECT_FINDS(secret_pool_check(), "V18: block");
    b.block->shelf--;
    secret_pool.stocked ^= 1U << SHELF_FULL;
    EXPECT_FINDS(secret_pool_check(), "V18: shelf");
    secret_pool.stocked ^= 1U << SHELF_FULL;
    bench_clear(&b);
}

KTEST(a_hidden_page_that_is_lost_or_anothers_is_found)
{
    struct bench b;
    REQUIRE(bench_set(&b));

    list_del(&b.blank->list);
    EXPECT_FINDS(secret_pool_check(), "V18: block");
    list_add(&b.blank->list, &b.block->blanks);
    b.used->private ++;
    EXPECT_FINDS(secret_pool_check(), "V18: frame");
    b.used->private --;
    list_del(&b.blank->list);
    list_add(&b.used->list, &b.block->blanks);
    EXPECT_FINDS(secret_pool_check(), "V18: frame");
    list_del(&b.used->list);
    list_add(&b.blank->list, &b.block->blanks);
    bench_clear(&b);
}

KTEST(a_free_hidden_page_that_somebody_has_is_found)
{
    struct bench b;
    REQUIRE(bench_set(&b));

    atomic_fetch_add(&b.blank->refcount, 1);
    EXPECT_FINDS(secret_pool_check(), "V18: frame");
    atomic_fetch_sub(&b.blank->refcount, 1);
    atomic_fetch_add(&b.blank->mapcount, 1);
    EXPECT_FINDS(secret_pool_check(), "V18: frame");
    atomic_fetch_sub(&b.blank->mapcount, 1);
    bench_clear(&b);
}

KTEST(a_piece_that_is_no_piece_is_found)
{
    struct bench b;
    REQUIRE(bench_set(&b));

    b.block->first[256].order++;
    EXPECT_FINDS(secret_pool_check(), "V18: frame");
    b.block->first[256].order--;
    bench_clear(&b);
}

KTEST(a_frame_that_is_hidden_and_nobodys_is_found)
{
    struct direct_map_change change;
    struct page *page;
    struct bench b;
    REQUIRE(bench_set(&b));

    REQUIRE(page_alloc(HUGE_ORDER, PAGE_ALLOC_PLAIN, &page) == 0);
    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, page_to_pfn(page), SECRET_BLOCK_PAGES_MAX) == 0);
    direct_map_change_end(&change);
    EXPECT_FINDS(secret_pool_check(), "V19");
    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, page_to_pfn(page), SECRET_BLOCK_PAGES_MAX);
    direct_map_change_end(&change);
    page_free(page, HUGE_ORDER);
    bench_clear(&b);
}

KTEST_PANICS(the_address_of_a_free_hidden_page_is_never_asked_for, "is secret")
{
    struct bench b;
    REQUIRE(bench_set(&b));

    EXPECT(page_kva(b.blank) == NULL);
}
