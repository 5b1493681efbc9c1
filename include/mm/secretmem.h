/* SPDX-License-Identifier: MIT */
/*
 * include/mm/secretmem.h - memory the kernel itself cannot read: pages without a kernel address
 *
 * Room:   mm.
 * Owns:   nothing; see mm/secretmem.c, mm/secret_pool.c.
 * Locks:  as mm/object.h.
 * Always: (1) a page that a program can touch is in no leaf of the kernel's half, on no CPU;
 *         (2) a page that is free again holds no byte of what was secret.
 * Source: memfd_secret(2); trust.md V18, V19.
 * Tour:   after include/mm/object.h; then mm/secretmem.c, mm/secret_pool.c, asm/direct_map.h.
 */
#pragma once

#include <mm/object.h>

/* Pages of 4 KiB. */
extern const struct object_ops secretmem_ops;

/* Pages of 1 << @order frames, each of which leaves the direct map as a whole: order 0, 9, and 18
 * where CPUs can map that. NULL: there are no such pages. */
const struct object_ops *secretmem_ops_for(unsigned order);

static inline bool object_is_secret(const struct object *object)
{
    return object->ops && object->ops->secret;
}

/* Boot: how pages in state SECRET die. */
void secretmem_boot_init(void);

/* Frames that are secret now: what objects hold. */
uint64_t secretmem_pages(void);

/* How the pool of hidden pages is kept. Single words: who changes one calls secret_pool_changed().
 */
struct secret_pool_settings {
    uint64_t block_pages; /* of a block, a power of two; 1: each page for itself, none is kept */
    uint64_t low;         /* while there are secrets, have so many free pages ahead of need */
    uint64_t max; /* free pages of blocks that nobody uses: beyond so many they go at once */
};

#define SECRET_BLOCK_PAGES_MAX 512

extern struct secret_pool_settings secret_pool_settings;

struct secret_pool_counts {
    uint64_t blocks, pages;              /* there are; the pages of these blocks */
    uint64_t secret;                     /* of these pages are in objects */
    uint64_t unused;                     /* are in blocks of which none is */
    uint64_t fills, fill_pages, returns; /* blocks that came, of how many pages; that went */
    uint64_t blank_hits;                 /* pages handed out that were zero already .. */
    uint64_t carves;                     /* .. and that had to be made so */
};

void secret_pool_counts(struct secret_pool_counts *out);

/* Somebody will want secret pages: the first fault shall not be the one that waits for a block.
 * Task context, no spinning lock. */
void secret_pool_expect(void);

/* Give back all blocks that nobody uses. Task context, no spinning lock. How many frames went. */
uint64_t secret_pool_shrink(void);

/* A setting is new: what it says now is so on return, as far as nobody uses what would go. */
void secret_pool_changed(void);

/* @wake: somebody should call secret_pool_tend() soon; false: there is nobody, ask again. Context:
 * wherever a fault is possible, or a folio dies. Boot. */
void secret_pool_boot_init(bool (*wake)(void));

/**
 * secret_pool_tend() - what nobody should wait for
 * Fetches blocks until there are as many free pages as wanted ahead.
 * @tidy: also give back the blocks that nobody used since this was said last
 * Return: true: there are blocks that may go next time. Task context, no spinning lock.
 */
bool secret_pool_tend(bool tidy);

/* V18, V19: blocks, pages and the direct map agree. Machine quiet. 0 or -EUCLEAN. */
int __must_check secret_pool_check(void);
