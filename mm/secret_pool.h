/* SPDX-License-Identifier: MIT */
/*
 * mm/secret_pool.h - hidden pages, taken and given
 *
 * Room:   mm, private.
 * Owns:   struct secret_block, struct secret_pool.
 * Locks:  as noted at each function.
 * Always: -
 * Source: -
 * Tour:   with mm/secret_pool.c.
 */
#pragma once

#include "internal.h"
#include <mm/secretmem.h>

/* [I] once it is on a shelf  [l] secret_pool.lock */
struct secret_block {
    struct list_node node;   /* on its shelf [l] */
    struct list_node blanks; /* free pages that hold zeros [l] */
    struct page *first;      /* [I] */
    uint32_t carved;         /* pages that were ever in use: those before this one [l] */
    uint32_t in_use;         /* [l] */
    uint8_t order;           /* [I] */
    uint8_t shelf;           /* [l] */
    bool idle;               /* nobody used it since secret_pool_tend() looked [l] */
};

/* Blocks by how much of them is in use: nothing, some eighths, everything. */
enum { SHELF_UNUSED = 0, SHELF_FULL = 9, SHELVES };

enum secret_call {
    SECRET_CALL_LOW = 1 << 0,   /* few free pages are left */
    SECRET_CALL_UNUSED = 1 << 1 /* there are blocks that nobody uses */
};

struct secret_pool {
    spinlock_t lock;
    uint32_t stocked; /* bit n: shelf n is not empty [l] */
    uint32_t called;  /* enum secret_call: what the tender was told, and has not seen to [l] */
    struct list_node shelves[SHELVES]; /* [l] */
    struct secret_pool_counts counts;  /* [l] */
};

extern struct secret_pool secret_pool;

/* How many frames huge secret pages have. */
uint64_t secret_huge_frames(void);

/* Wipe a huge page of which the last reference went, and free it. Locks as secret_page_give(). */
void secret_huge_release(struct page *head);

/* Boot. */
void secret_huge_boot_init(void);
void secret_pool_init(void);
void blocks_boot_init(void);

/**
 * frames_hide() - a block that was just allocated leaves the direct map, and every CPU forgets it
 * It is HIDDEN and has no reference then. Context: task, no spinning lock.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check frames_hide(struct page *head);

/* The way back to KERNEL, for what frames_hide() hid as one. Locks as secret_page_give(). */
void frames_restore(struct page *head);

/**
 * block_get() - hide 1 << @order frames and have every CPU forget them
 * The block is on no shelf, and nothing of it is in use. Context: task, no spinning lock.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check block_get(unsigned order, struct secret_block **out);

/* The way back: it is on no shelf, and unused. Locks as secret_page_give(). */
void block_put(struct secret_block *block);

/* The next page that was never in use: hidden, what it holds is not zero. The lock held. */
struct page *block_carve(struct secret_block *block);

/**
 * secret_page_take() - a page of zeros that no CPU can reach
 * In state SECRET, with one reference. Context: task, no spinning lock: it may flush.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check secret_page_take(struct page **out);

/**
 * secret_page_give() - the way back, for one that holds zeros only
 * It has no reference and no leaf that a CPU could remember.
 * Context: no lock of rank >= PAGE_TABLE, IRQs on: the block may leave the pool, which flushes.
 */
void secret_page_give(struct page *page);

/* The same for many, on their list node; the list is used up. */
void secret_pages_give(struct list_node *pages);
