/* SPDX-License-Identifier: MIT */
/*
 * include/lib/addr.h - addresses that cannot be mixed up
 *
 * Room:   lib. Plain types and arithmetic; knows no page table and no CPU.
 * Owns:   phys_addr_t and user_addr_t, page sizes, rounding.
 * Locks:  none.
 * Always: (1) a physical or user address never becomes a pointer without a named function;
 *         (2) ranges are half open: [start, end), empty when start == end.
 * Source: Intel SDM 3A, "Paging".
 * Tour:   the first header to read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t raw;
} phys_addr_t;

typedef struct {
    uint64_t raw;
} user_addr_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21 /* 2 MiB, one entry of a page directory */
#define HUGE_SIZE  (1UL << HUGE_SHIFT)
#define GIGA_SHIFT 30 /* 1 GiB, one entry of a page-directory-pointer table */
#define GIGA_SIZE  (1UL << GIGA_SHIFT)

#define KIB (1UL << 10)
#define MIB (1UL << 20)
#define GIB (1UL << 30)

static inline phys_addr_t phys(uint64_t raw)
{
    return (phys_addr_t){raw};
}

static inline user_addr_t user(uint64_t raw)
{
    return (user_addr_t){raw};
}

static inline phys_addr_t phys_add(phys_addr_t a, uint64_t len_bytes)
{
    return phys(a.raw + len_bytes);
}

static inline uint64_t phys_to_pfn(phys_addr_t a)
{
    return a.raw >> PAGE_SHIFT;
}

static inline phys_addr_t pfn_to_phys(uint64_t pfn)
{
    return phys(pfn << PAGE_SHIFT);
}

/* Rounding to a power of two. round_up() wraps to 0 at the top: check before. */
static inline uint64_t round_down(uint64_t x, uint64_t unit)
{
    return x & ~(unit - 1);
}

static inline uint64_t round_up(uint64_t x, uint64_t unit)
{
    return (x + unit - 1) & ~(unit - 1);
}

static inline bool is_aligned(uint64_t x, uint64_t unit)
{
    return (x & (unit - 1)) == 0;
}
