/* SPDX-License-Identifier: MIT */
/*
 * include/mm/boot_alloc.h - physical memory before there is an allocator
 *
 * Room:   mm. Hands out addresses, never pointers: there may be no direct map yet.
 * Owns:   the free part of the memory map, from memmap_build() until buddy_init().
 * Locks:  none; one CPU.
 * Always: (1) what is handed out is never given back: it is reserved for good;
 *         (2) until boot_alloc_unlimit() all of it lies below 4 GiB, where the boot tables reach.
 * Source: design.md section 8.
 * Tour:   after include/mm/memmap.h, before include/mm/buddy.h.
 */
#pragma once

#include <lib/addr.h>

struct memmap;

/* @map must stay: boot_alloc() takes from map->free. */
void boot_alloc_init(struct memmap *map);

/**
 * boot_alloc() - take memory for good, from the top of what there is
 * @len_bytes: rounded up to whole pages
 * @align: a power of two, at least PAGE_SIZE
 *
 * Contents are undefined. Context: boot CPU, before buddy_init().
 * Return: never fails; panics when there is not that much, which means a machine too small.
 */
phys_addr_t boot_alloc(uint64_t len_bytes, uint64_t align);

/* As boot_alloc(), but the address is @offset modulo @align: for large leaves at a given place. */
phys_addr_t boot_alloc_congruent(uint64_t len_bytes, uint64_t align, uint64_t offset);

/* The direct map is in use: memory above 4 GiB can be handed out too. */
void boot_alloc_unlimit(void);

/* The buddy allocator took over; any later call of boot_alloc() panics. */
void boot_alloc_end(void);
