/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/asm/memory_layout.h - physical memory as an arena of the test program
 *
 * Room:   tests/host: stands in for arch/x86_64/include/asm/memory_layout.h, which it includes.
 * Owns:   host_ram and host_page_array, made by tests/host/machine.c.
 * Locks:  none.
 * Always: (1) what is not RAM of the test's machine faults when it is touched.
 * Source: -
 * Tour:   with tests/host/machine.h.
 */
#pragma once

#define direct_map_ptr  arch_direct_map_ptr
#define direct_map_phys arch_direct_map_phys
#include_next <asm/memory_layout.h>
#undef direct_map_ptr
#undef direct_map_phys
#undef PAGE_ARRAY_BASE

extern char *host_ram;        /* physical address 0 */
extern char *host_page_array; /* struct page of frame 0 */

#define PAGE_ARRAY_BASE ((uint64_t)host_page_array)

static inline void *direct_map_ptr(phys_addr_t a)
{
    return host_ram + a.raw;
}

static inline phys_addr_t direct_map_phys(const void *p)
{
    return phys((uint64_t)((const char *)p - host_ram));
}
