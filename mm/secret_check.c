/* SPDX-License-Identifier: MIT */
/*
 * mm/secret_check.c - is hidden what the pool of hidden pages says, and nothing else?
 *
 * Room:   mm.
 * Owns:   the checks V18 and V19 from the side of the frames; arch has those of the leaves.
 * Locks:  none: the machine stands still.
 * Always: (1) checks change nothing.
 * Source: trust.md section 2.
 * Tour:   after mm/secret_pool.c, with mm/check.c.
 */
#include "secret_pool.h"

#include <asm/direct_map.h>
#include <asm/window.h>
#include <base/claim.h>

#define IS_HIDDEN (1U << PAGE_HIDDEN | 1U << PAGE_SECRET)

/* Hidden frames as they lie in memory, of these those of huge pages; and free ones on shelves. */
static uint64_t hidden_seen, huge_seen, free_listed;

/* One direction: what is in these states is absent. That nothing else is follows by counting. */
static int check_absent(const struct page *head)
{
    uint64_t pfn = page_to_pfn(head), nr = 1UL << head->order;

    if (!(IS_HIDDEN & 1U << head->state))
        return 0;
    hidden_seen += nr;
    huge_seen += head->state == PAGE_SECRET && head->order ? nr : 0;
    for (uint64_t i = 0; i < nr; i++)
        CLAIM(!direct_map_present(pfn + i), "V18", "frame %#lx (%s) is in the direct map", pfn + i,
              page_state_names[head->state]);
    CLAIM(head->state == PAGE_SECRET || (!head->refcount && !head->mapcount), "V18",
          "frame %#lx is hidden, free, and has %u references, %u leaves", pfn, head->refcount,
          head->mapcount);
    return 0;
}

/* The carved part: single pages, each in use or on the list of blank ones. */
static int check_carved(const struct secret_block *block)
{
    uint32_t in_use = 0, blanks = 0;
    struct page *page;

    for (uint32_t i = 0; i < block->carved; i++) {
        page = block->first + i;
        CLAIM((IS_HIDDEN & 1U << page->state) && !page->order && page->private == (uintptr_t)block,
              "V18", "frame %#lx (%s, order %u) is not its block's", page_to_pfn(page),
              page_state_names[page->state], page->order);
        in_use += page->state == PAGE_SECRET;
    }
    list_for_each_entry (page, &block->blanks, list) {
        CLAIM(page->state == PAGE_HIDDEN && page->private == (uintptr_t)block, "V18",
              "frame %#lx (%s) is listed as blank", page_to_pfn(page),
              page_state_names[page->state]);
        blanks++;
    }
    CLAIM(in_use == block->in_use && in_use + blanks == block->carved, "V18",
          "block %#lx: %u in use and %u blank of %u, %u counted", page_to_pfn(block->first), in_use,
          blanks, block->carved, block->in_use);
    return 0;
}

/* The rest: pieces as the buddy cuts them, all of them free. */
static int check_pieces(const struct secret_block *block)
{
    const struct page *page = block->first + block->carved;
    const struct page *end = block->first + (1UL << block->order);

    for (; page < end; page += 1UL << page->order)
        CLAIM(page->state == PAGE_HIDDEN && page + (1UL << page->order) <= end, "V18",
              "frame %#lx (%s, order %u) is no piece of block %#lx", page_to_pfn(page),
              page_state_names[page->state], page->order, page_to_pfn(block->first));
    return 0;
}

static int check_block(const struct secret_block *block, unsigned shelf)
{
    uint32_t size = 1U << block->order;
    unsigned right = block->in_use ? 1 + block->in_use * 8 / size : SHELF_UNUSED;

    CLAIM(block->carved <= size && block->shelf == shelf && right == shelf, "V18",
          "block %#lx, %u of %u in use, is on shelf %u", page_to_pfn(block->first), block->in_use,
          size, shelf);
    free_listed += size - block->in_use;
    int err = check_carved(block);
    return err ? err : check_pieces(block);
}

static int check_shelf(unsigned shelf, struct secret_pool_counts *seen)
{
    struct secret_block *block;

    CLAIM(list_empty(&secret_pool.shelves[shelf]) == !(secret_pool.stocked & 1U << shelf), "V18",
          "shelf %u is not what is noted of it", shelf);
    list_for_each_entry (block, &secret_pool.shelves[shelf], node) {
        int err = check_block(block, shelf);
        if (err)
            return err;
        seen->blocks++;
        seen->pages += 1UL << block->order;
        seen->secret += block->in_use;
        seen->unused += shelf == SHELF_UNUSED ? 1UL << block->order : 0;
    }
    return 0;
}

int secret_pool_check(void)
{
    const struct secret_pool_counts *counts = &secret_pool.counts;
    struct secret_pool_counts seen = {0};
    struct direct_map_counts dm;
    struct page_counts pages;

    hidden_seen = huge_seen = free_listed = 0;
    direct_map_counts(&dm);
    page_counts(&pages);
    for (unsigned shelf = 0; shelf < SHELVES; shelf++) {
        int err = check_shelf(shelf, &seen);
        if (err)
            return err;
    }
    CLAIM(seen.blocks == counts->blocks && seen.pages == counts->pages &&
              seen.secret == counts->secret && seen.unused == counts->unused,
          "V18", "the pool has %lu blocks, %lu pages, %lu secret, %lu unused; and counts others",
          seen.blocks, seen.pages, seen.secret, seen.unused);
    CLAIM(pages.frames[PAGE_SECRET] == secretmem_pages() &&
              pages.frames[PAGE_HIDDEN] == free_listed,
          "V18", "%lu frames are secret and %lu hidden, %lu and %lu are counted",
          pages.frames[PAGE_SECRET], pages.frames[PAGE_HIDDEN], secretmem_pages(), free_listed);
    int err = page_each_head(check_absent);
    if (err)
        return err;
    CLAIM(huge_seen == secret_huge_frames(), "V18", "%lu frames of huge pages, %lu are counted",
          huge_seen, secret_huge_frames());
    CLAIM(dm.hidden_pages == hidden_seen, "V19", "%lu frames are absent, %lu should be",
          dm.hidden_pages, hidden_seen);
    return windows_check();
}
