/* SPDX-License-Identifier: MIT */
/*
 * include/mm/slab.h - memory for the kernel's own objects
 *
 * Room:   mm.
 * Owns:   struct slab_cache: objects of one size; and a set of caches for any size.
 * Locks:  slab CPU lock (58) > cache lock (60) > the page allocator's; IRQs off inside.
 * Always: (1) an object lies in a slab whose head page names its cache;
 *         (2) in_use of a slab + its free list = what the slab holds;
 *         (3) in debug builds a freed object holds poison, and a red zone ends each object.
 * Source: Bonwick, "The Slab Allocator" (1994); Bonwick and Adams, "Magazines and Vmem" (2001).
 * Tour:   after include/mm/buddy.h, before mm/slab.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_CACHES_MAX 63   /* slab_cache_init() panics beyond */
#define SLAB_OBJECT_MAX 2048 /* larger: whole pages */

enum slab_alloc_flags { SLAB_ALLOC_PLAIN = 0, SLAB_ALLOC_ZERO = 1 << 0 };

/* [I] set by slab_cache_init()  [c] lock */
struct slab_cache {
    const char *name;         /* [I] */
    uint32_t size;            /* what the user may use, in bytes [I] */
    uint32_t stride;          /* from one object to the next [I] */
    uint32_t link_offset;     /* where a free object keeps the next one [I] */
    uint16_t per_slab;        /* objects in a slab [I] */
    uint8_t order;            /* of a slab's block [I] */
    uint8_t id;               /* which of each CPU's lists is ours [I] */
    spinlock_t lock;          /* rank SLAB */
    struct list_node partial; /* slabs with free and used objects [c] */
    struct list_node full;    /* slabs without a free object [c] */
    struct list_node empty;   /* at most one slab without a used object [c] */
    uint64_t nr_slabs;        /* [c] */
    uint64_t nr_taken;        /* objects in use or on a CPU's list [c] */
};

/**
 * slab_cache_init() - declare a kind of object
 * @cache: static; lives for ever
 * @name: for messages; not copied
 * @size: in bytes, 1 .. SLAB_OBJECT_MAX
 * @align: a power of two up to PAGE_SIZE; 0: that of a pointer
 *
 * Allocates nothing. Context: boot, one CPU.
 */
void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align);

/**
 * slab_alloc() - an object
 * @flags: enum slab_alloc_flags
 *
 * Context: any, also IRQs off; no lock of rank >= 58 held. May allocate a slab.
 * Return: the object, or NULL when there is no memory.
 */
void *__must_check slab_alloc(struct slab_cache *cache, unsigned flags);

/* Gives an object of @cache back; NULL does nothing. Context: as slab_alloc(). */
void slab_free(struct slab_cache *cache, void *object);

/* The caches behind kmem_alloc(). After buddy_init(). */
void kmem_init(void);

/**
 * kmem_alloc() - memory of any size, aligned to 16 bytes; multiples of CACHE_LINE_SIZE to that;
 *                from 2049 bytes on, to a page
 * @flags: enum slab_alloc_flags
 *
 * Context: as slab_alloc(). Return: NULL when there is no memory, or @len_bytes is 0 or > 4 MiB.
 */
void *__must_check kmem_alloc(size_t len_bytes, unsigned flags);

/* @p: from kmem_alloc(), or NULL. */
void kmem_free(void *p);

/* The same for a program's bytes, which the next owner must not see: @len_bytes are zeroed. */
void kmem_free_wiped(void *p, size_t len_bytes);

/* Objects that somebody holds: allocated, not freed. Exact while nobody allocates. */
uint64_t slab_objects_in_use(struct slab_cache *cache);

/* Every cache in the order of declaration; NULL at the end. For /proc and reports. */
struct slab_cache *slab_cache_nth(unsigned n);

/* Every CPU's free objects back to their slabs, every empty slab back to the page allocator.
 * Done by slab_alloc() itself before it gives up. */
void slab_reclaim(void);

/**
 * slab_check() - V21, V23 for objects: lists, counts and poison agree in every cache
 * Context: nobody allocates or frees meanwhile.
 * Return: 0, or -EUCLEAN after printing the first broken claim.
 */
int __must_check slab_check(void);
