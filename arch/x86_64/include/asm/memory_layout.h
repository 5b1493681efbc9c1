/* SPDX-License-Identifier: MIT */
/*
 * asm/memory_layout.h - where things live in the kernel half
 *
 * Room:   arch, public face.
 * Owns:   the virtual layout; docs/memory-map.md draws it.
 * Locks:  none.
 * Always: (1) each region starts at a PML4 slot of its own, so that its tables are its own.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   with docs/memory-map.md.
 */
#pragma once

#include <lib/addr.h>

#define USER_MIN    0x0000000000010000UL /* default vm.mmap_min_addr */
#define USER_END    0x00007ffffffff000UL /* first address a user can never have */
#define KERNEL_HALF 0xffff800000000000UL

#define DIRECT_MAP_BASE   0xffff888000000000UL /* 64 TiB: all RAM, by physical address */
#define DIRECT_MAP_END    0xffffc88000000000UL
#define KMAP_BASE         0xffffc90000000000UL /* stacks with guards, device windows */
#define WINDOWS_BASE      0xffffc97fffe00000UL /* the last 2 MiB of it: asm/window.h */
#define KMAP_END          0xffffc98000000000UL
#define PAGE_ARRAY_BASE   0xffffea0000000000UL /* struct page, index = pfn */
#define PAGE_ARRAY_END    0xffffeb0000000000UL
#define KERNEL_IMAGE_BASE 0xffffffff80000000UL

static inline void *direct_map_ptr(phys_addr_t a)
{
    return (void *)(DIRECT_MAP_BASE + a.raw);
}

/* Only for pointers that came from direct_map_ptr(). */
static inline phys_addr_t direct_map_phys(const void *p)
{
    return phys((uint64_t)p - DIRECT_MAP_BASE);
}
