/* SPDX-License-Identifier: MIT */
/*
 * mm/giant.c - blocks larger than the buddy allocator's, made of its chunks
 *
 * Room:   mm.
 * Owns:   nothing: such a block is its chunks, of which all but the first became tails.
 * Locks:  none of its own: chunks are taken one by one.
 * Always: (1) a giant block is aligned to its size; (2) nothing moves to make room for one.
 * Source: Linux mm/hugetlb.c, gigantic pages (behaviour).
 * Tour:   after mm/buddy.c; from mm/hugetlb_pool.c.
 */
#include "giant.h"

#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

/* Give chunks [pfn, end) back. */
static void put_chunks(uint64_t pfn, uint64_t end)
{
    for (; pfn < end; pfn += CHUNK_PAGES)
        page_free(pfn_to_page(pfn), PAGE_ORDER_MAX);
}

/* Have all chunks of [first, end), or none. */
static bool take_chunks(uint64_t first, uint64_t end)
{
    for (uint64_t pfn = first; pfn < end; pfn += CHUNK_PAGES) {
        if (!buddy_take_chunk(pfn)) {
            put_chunks(first, pfn);
            return false;
        }
    }
    return true;
}

/* A quick look: it may be another's a moment later. */
static bool may_be_free(uint64_t first, uint64_t end)
{
    for (uint64_t pfn = first; pfn < end; pfn += CHUNK_PAGES)
        if (!buddy_chunk_is_free(pfn))
            return false;
    return true;
}

/* The head's order goes first, and comes back last: a tail has a head at any time. */
static struct page *join(uint64_t first, unsigned order)
{
    struct page *head = pfn_to_page(first);

    head->order = (uint8_t)order;
    for (uint64_t i = CHUNK_PAGES; i < 1UL << order; i += CHUNK_PAGES)
        page_set_state(head + i, PAGE_TAIL);
    return head;
}

int giant_alloc(unsigned order, struct page **page)
{
    uint64_t nr = 1UL << order;

    if (fail_injected(FAIL_PAGE))
        return -ENOMEM;
    for (uint64_t end = round_down(frames_end(), nr); end; end -= nr) {
        if (!may_be_free(end - nr, end) || !take_chunks(end - nr, end))
            continue;
        *page = join(end - nr, order);
        return 0;
    }
    return -ENOMEM;
}

/* From the end: what is a tail still has its head. */
void giant_cut(struct page *page, unsigned order)
{
    uint64_t nr = 1UL << order;

    for (uint64_t i = (1UL << page->order) - nr; i; i -= nr) {
        atomic_store_explicit(&page[i].refcount, 0, memory_order_relaxed);
        page[i].order = (uint8_t)order;
        page_set_state(page + i, PAGE_KERNEL);
    }
    page->order = (uint8_t)order;
}

void giant_free(struct page *page)
{
    uint64_t first = page_to_pfn(page), end = first + (1UL << page->order);

    giant_cut(page, PAGE_ORDER_MAX);
    put_chunks(first, end);
}
