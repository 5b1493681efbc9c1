/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/secret_kit.h - what tests of the pool of hidden pages need
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of what it calls.
 * Always: (1) a test begins with an empty pool and the settings of boot, and leaves both so.
 * Source: -
 * Tour:   before tests/kernel/secret_pool.c.
 */
#pragma once

#include "kit.h"

#include "../../mm/secret_pool.h"
#include <asm/window.h>

/* The first word of a page that may have no address in the kernel. */
static inline uint64_t word_behind(const struct page *page)
{
    irq_flags_t irq;
    uint64_t word = *(uint64_t *)window_open(page, &irq);

    window_close(irq);
    return word;
}

static inline void word_set(const struct page *page, uint64_t word)
{
    irq_flags_t irq;

    *(uint64_t *)window_open(page, &irq) = word;
    window_close(irq);
}

/* Does every blank page that the pool has hold zeros? */
static inline bool blanks_are_blank(void)
{
    struct secret_block *block;
    struct page *page;
    bool blank = true;

    for (unsigned shelf = 0; shelf < SHELVES; shelf++)
        list_for_each_entry (block, &secret_pool.shelves[shelf], node)
            list_for_each_entry (page, &block->blanks, list)
                blank &= word_behind(page) == 0;
    return blank;
}

static inline struct secret_pool_counts pool_counts(void)
{
    struct secret_pool_counts counts;

    secret_pool_counts(&counts);
    return counts;
}

static inline struct direct_map_counts map_counts(void)
{
    struct direct_map_counts counts;

    direct_map_counts(&counts);
    return counts;
}

/* The direct map has the leaves of @before, and what was split since was healed. */
static inline void expect_leaves_of(const struct direct_map_counts *before)
{
    struct direct_map_counts now = map_counts();

    for (enum pt_level l = PT_4K; l <= PT_1G; l++) {
        EXPECT_EQ(now.leaves[l], before->leaves[l]);
        EXPECT_EQ(now.splits[l] - before->splits[l], now.heals[l] - before->heals[l]);
    }
    EXPECT_EQ(now.hidden_pages, before->hidden_pages);
    EXPECT(direct_map_check() == 0);
}

/* The settings of boot, but for the size of blocks; nothing in the pool. */
static inline void pool_begin(uint64_t block_pages)
{
    secret_pool_settings =
        (struct secret_pool_settings){.block_pages = block_pages, .low = 64, .max = 1024};
    secret_pool_shrink();
    EXPECT_EQ(pool_counts().blocks, 0);
}

static inline void pool_end(void)
{
    EXPECT(vm_check() == 0);
    pool_begin(SECRET_BLOCK_PAGES_MAX);
    EXPECT_EQ(secretmem_pages(), 0);
}

/* Page @index of @object, made if it is not there; NULL: no memory. It has the object's reference
 * only. */
static inline struct page *secret_at(struct object *object, uint64_t index)
{
    struct page *page;

    if (object->ops->get_page(object, index, OBJECT_GET_ALLOCATE, &page))
        return NULL;
    page_put(page);
    return page;
}

/* Have pages [first, end). True: all of them. */
static inline bool secrets_make(struct object *object, uint64_t first, uint64_t end)
{
    for (; first < end; first++)
        if (!secret_at(object, first))
            return false;
    return true;
}

static inline void secrets_drop(struct object *object, uint64_t first, uint64_t end)
{
    object->ops->remove_folios(object, first, end);
}
