/* SPDX-License-Identifier: MIT */
/*
 * include/mm/buddy.h - the allocator of page frames
 *
 * Room:   mm.
 * Owns:   free frames: the buddy's lists and each CPU's list of single pages.
 * Locks:  page CPU lock (63) > buddy lock (65); both taken here only, with IRQs off.
 * Always: (1) a free block is aligned to its size, and its buddy is not free at the same order;
 *         (2) a free frame has no reference, no mapping, no object; nor has one just handed out;
 *         (3) in debug builds a freed frame holds the poison byte until it is handed out.
 * Source: Knuth 1, 2.5 "Dynamic Storage Allocation"; trust.md V21.
 * Tour:   after include/mm/page.h, before include/mm/slab.h.
 */
#pragma once

#include <lib/compiler.h>
#include <lib/list.h>
#include <stdbool.h>
#include <stdint.h>

struct memmap;
struct page;

enum page_alloc_flags {
    PAGE_ALLOC_PLAIN = 0,
    PAGE_ALLOC_ZERO = 1 << 0 /* every byte zero; else contents are undefined */
};

/* Together with these: the enum page_state that the block is wanted for, if not PAGE_KERNEL. */
#define PAGE_ALLOC_STATE_SHIFT 8
#define PAGE_ALLOC_AS(state)   ((unsigned)((state) ^ PAGE_KERNEL) << PAGE_ALLOC_STATE_SHIFT)

/* Debug builds: what free frames are full of. Taken for an entry of a page table it stops the walk:
 * arch/x86_64/pgtable.c, claim 3. */
#define PAGE_POISON_WORD 0xfbfbfbfbfbfbfbfbUL

/* Frames and the slab allocator's objects: are they zeroed when they are freed (debug builds: they
 * are poisoned), and what is everybody taken to have asked for who allocates: PAGE_ALLOC_ZERO,
 * which is SLAB_ALLOC_ZERO, or nothing. Boot: set before the first program. */
extern bool memory_zero_on_free;
extern unsigned memory_alloc_flags;

/**
 * buddy_init() - take over what boot_alloc() left
 * Only remembers the map: chunks of 4 MiB are initialised when they are first needed.
 * Context: boot CPU, after page_array_init(). Ends boot_alloc().
 */
void buddy_init(const struct memmap *map);

/**
 * page_alloc() - allocate 1 << @order frames in one block
 * @order: 0 .. PAGE_ORDER_MAX
 * @flags: enum page_alloc_flags, PAGE_ALLOC_AS()
 * @page: result: the head, in the state asked for, with one reference
 *
 * Context: any, also IRQs off and interrupts; no lock of rank >= 63 held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check page_alloc(unsigned order, unsigned flags, struct page **page);

/**
 * page_free() - give a block back
 * @page: its head, used, but not HIDDEN, SECRET or HUGETLB; not mapped, at most one reference
 * @order: as it was allocated
 *
 * Context: as page_alloc().
 */
void page_free(struct page *page, unsigned order);

/**
 * page_free_singles() - give many single frames back at once
 * @pages: on their list node; each as for page_free(). The list is empty afterwards.
 *
 * Context: as page_alloc().
 */
void page_free_singles(struct list_node *pages);

/**
 * page_free_blank() - give a single frame back that is known to hold zeros only
 * Whoever wants one of zeros next gets it as it is. Otherwise as page_free().
 */
void page_free_blank(struct page *page);

/**
 * buddy_release_reserved() - make boot memory allocatable
 * @start_pfn, @end_pfn: frames in state RESERVED: an initramfs that was unpacked, for instance
 */
void buddy_release_reserved(uint64_t start_pfn, uint64_t end_pfn);

/**
 * buddy_reclaim() - bring the single pages of every CPU back into the buddy's lists
 * Done by page_alloc() itself before it gives up. Return: how many frames came back.
 */
uint64_t buddy_reclaim(void);

/* Large blocks run out: do for @nr_frames a part of what the first of a chunk costs. Nothing while
 * there is a block of order 9. Context: as page_alloc(). */
void buddy_prepare(unsigned nr_frames);

/* Is the chunk at @first_pfn free as a whole, touched or not? It may be used a moment later. */
bool buddy_chunk_is_free(uint64_t first_pfn);

/* Take that chunk, as page_alloc() of a block of its size would. False: it is not free. */
bool buddy_take_chunk(uint64_t first_pfn);

/* Free frames outside of any CPU's list, by order; the part never touched yet is not among them. */
void buddy_free_blocks(uint64_t nr_blocks[]);

/* Debug builds: @look is called with each block that page_alloc() is about to give out. */
void buddy_watch_by(void (*look)(const struct page *page, unsigned order));

/**
 * buddy_check() - V21: free lists and free frames are the same thing, and well formed
 * Context: nobody allocates or frees meanwhile. Debug builds also look at the poison.
 * Return: 0, or -EUCLEAN after printing the first broken claim.
 */
int __must_check buddy_check(void);
