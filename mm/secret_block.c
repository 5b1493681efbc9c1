/* SPDX-License-Identifier: MIT */
/*
 * mm/secret_block.c - a block that leaves the direct map as a whole, and is carved into pages
 *
 * Room:   mm.
 * Owns:   how a block comes and goes, and the pieces it is made of.
 * Locks:  none while it comes or goes: it is nobody else's; secret_pool.lock while it is carved.
 * Always: (1) a block is unmapped and flushed everywhere before it is anybody's, and restored when
 *             none of its pages is in use;
 *         (2) what was never carved lies in hidden pieces as the buddy would cut them: neither a
 *             fault nor a block's end looks at each page of a block of which few were used.
 * Source: Knuth 1, 2.5 "Dynamic Storage Allocation".
 * Tour:   after mm/secret_pool.c; then asm/window.h, arch/x86_64/direct_map.c.
 */
#include "secret_pool.h"

#include <asm/direct_map.h>
#include <uapi/errno.h>

static struct slab_cache block_cache;

void blocks_boot_init(void)
{
    slab_cache_init(&block_cache, "secret_block", sizeof(struct secret_block), 0);
}

int frames_hide(struct page *head)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    int err = direct_map_hide_noflush(&change, page_to_pfn(head), 1UL << head->order);
    direct_map_change_end(&change);
    if (err)
        return err;
    page_set_state(head, PAGE_HIDDEN);
    atomic_store_explicit(&head->refcount, 0, memory_order_relaxed);
    return 0;
}

void frames_restore(struct page *head)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, page_to_pfn(head), 1UL << head->order);
    direct_map_change_end(&change);
    page_set_state(head, PAGE_KERNEL);
}

int block_get(unsigned order, struct secret_block **out)
{
    struct secret_block *block = slab_alloc(&block_cache, SLAB_ALLOC_ZERO);
    if (!block)
        return -ENOMEM;
    int err = page_alloc(order, PAGE_ALLOC_PLAIN, &block->first);
    if (err)
        goto free_block;
    err = frames_hide(block->first);
    if (err)
        goto free_pages;
    list_init(&block->blanks);
    block->order = (uint8_t)order;
    *out = block;
    return 0;

free_pages:
    page_free(block->first, order);
free_block:
    slab_free(&block_cache, block);
    return err;
}

/* The pieces become one block again. */
static void join(struct secret_block *block)
{
    struct page *head = block->first, *end = head + (1UL << block->order), *next;

    for (struct page *page = head + (1UL << head->order); page < end; page = next) {
        next = page + (1UL << page->order);
        page_set_state(page, PAGE_TAIL);
    }
    head->order = block->order;
}

void block_put(struct secret_block *block)
{
    join(block);
    frames_restore(block->first);
    page_free(block->first, block->order);
    slab_free(&block_cache, block);
}

struct page *block_carve(struct secret_block *block)
{
    struct page *page = block->first + block->carved++;

    while (page->order) {
        page->order--;
        struct page *upper = page + (1UL << page->order);
        upper->order = page->order;
        upper->flags = 0;
        page_set_state(upper, PAGE_HIDDEN);
    }
    page->private = (uintptr_t)block;
    return page;
}
