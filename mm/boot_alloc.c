/* SPDX-License-Identifier: MIT */
/*
 * mm/boot_alloc.c - physical memory before there is an allocator
 *
 * Room:   mm.
 * Owns:   the limit up to which memory can be reached yet.
 * Locks:  none; one CPU.
 * Always: (1) takes from the top: what is left for the buddy allocator stays in one piece.
 * Source: design.md section 8.
 * Tour:   after mm/memmap.c, before mm/page.c.
 */
#include <mm/boot_alloc.h>

#include <base/panic.h>
#include <mm/memmap.h>

#define BOOT_TABLES_END (4 * GIB) /* the identity map every door sets up */

static struct memmap *memmap; /* NULL before boot_alloc_init() and after boot_alloc_end() */
static uint64_t limit;

void boot_alloc_init(struct memmap *map)
{
    memmap = map;
    limit = BOOT_TABLES_END;
}

void boot_alloc_unlimit(void)
{
    limit = UINT64_MAX;
}

void boot_alloc_end(void)
{
    memmap = NULL;
}

/* The highest place for @len_bytes in a range; 0 when there is none. Page 0 is never free. */
static uint64_t place_in(const struct mem_range *range, uint64_t len_bytes, uint64_t align,
                         uint64_t offset)
{
    uint64_t end = min(range->end, limit);

    if (end < len_bytes + offset)
        return 0;

    uint64_t place = round_down(end - len_bytes - offset, align) + offset;

    return place >= range->start ? place : 0;
}

phys_addr_t boot_alloc_congruent(uint64_t len_bytes, uint64_t align, uint64_t offset)
{
    ASSERT(memmap != NULL, "boot_alloc() outside of boot");
    len_bytes = round_up(len_bytes, PAGE_SIZE);
    offset &= align - 1;
    for (unsigned i = memmap->free.nr; i-- > 0;) {
        uint64_t place = place_in(&memmap->free.ranges[i], len_bytes, align, offset);

        if (place != 0) {
            range_set_remove(&memmap->free, place, place + len_bytes);
            return phys(place);
        }
    }
    panic("not enough memory to boot: no %lu KiB in one piece", len_bytes / KIB);
}

phys_addr_t boot_alloc(uint64_t len_bytes, uint64_t align)
{
    return boot_alloc_congruent(len_bytes, align, 0);
}
