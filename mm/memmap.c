/* SPDX-License-Identifier: MIT */
/*
 * mm/memmap.c - which physical memory there is
 *
 * Room:   mm. Pure functions over plain data; runs before anything else of mm.
 * Owns:   the algebra of range sets, and the meaning of firmware regions.
 * Locks:  none.
 * Always: (1) bytes are sorted out first, pages last: a page that is reserved in part is lost, two
 *             usable halves of a page are not.
 * Source: ACPI, "System Address Map Interfaces".
 * Tour:   after include/mm/memmap.h, before mm/boot_alloc.c.
 */
#include <mm/memmap.h>

#include <base/panic.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define LOW_MEMORY_END (1 * MIB)   /* BIOS data, and the page where other CPUs start */
#define RAM_END        (1UL << 46) /* 64 TiB: as much as the direct map can hold */

/* Replaces @nr_old ranges from @at by @nr_new ranges. */
static void replace(struct range_set *set, unsigned at, unsigned nr_old,
                    const struct mem_range *new, unsigned nr_new)
{
    unsigned nr_behind = set->nr - at - nr_old;

    ASSERT(set->nr - nr_old + nr_new <= RANGE_SET_MAX, "memory map has too many pieces");
    memmove(&set->ranges[at + nr_new], &set->ranges[at + nr_old],
            nr_behind * sizeof(set->ranges[0]));
    for (unsigned i = 0; i < nr_new; i++)
        set->ranges[at + i] = new[i];
    set->nr = set->nr - nr_old + nr_new;
}

void range_set_add(struct range_set *set, uint64_t start, uint64_t end)
{
    unsigned first = 0;

    if (start >= end)
        return;
    while (first < set->nr && set->ranges[first].end < start)
        first++;

    struct mem_range merged = {start, end};
    unsigned past = first;

    for (; past < set->nr && set->ranges[past].start <= end; past++) {
        merged.start = min(merged.start, set->ranges[past].start);
        merged.end = max(merged.end, set->ranges[past].end);
    }
    replace(set, first, past - first, &merged, 1);
}

void range_set_remove(struct range_set *set, uint64_t start, uint64_t end)
{
    if (start >= end)
        return;
    for (unsigned i = 0; i < set->nr;) {
        struct mem_range range = set->ranges[i];
        struct mem_range rest[2];
        unsigned nr_rest = 0;

        if (range.end <= start || range.start >= end) {
            i++;
            continue;
        }
        if (range.start < start)
            rest[nr_rest++] = (struct mem_range){range.start, start};
        if (range.end > end)
            rest[nr_rest++] = (struct mem_range){end, range.end};
        replace(set, i, 1, rest, nr_rest);
        i += nr_rest;
    }
}

uint64_t range_set_overlap(const struct range_set *set, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < set->nr && set->ranges[i].start < end; i++) {
        uint64_t from = max(start, set->ranges[i].start);
        uint64_t to = min(end, set->ranges[i].end);

        if (from < to)
            bytes += to - from;
    }
    return bytes;
}

uint64_t range_set_bytes(const struct range_set *set)
{
    return range_set_overlap(set, 0, UINT64_MAX);
}

static void add_regions(struct range_set *set, const struct boot_info *info,
                        enum boot_region_kind kind)
{
    for (unsigned i = 0; i < info->nr_regions; i++) {
        const struct boot_region *region = &info->regions[i];

        if (region->kind == kind)
            range_set_add(set, region->start.raw, min(region->end.raw, RAM_END));
    }
}

/* Everything that is neither usable nor ACPI tables counts as reserved, unknown kinds too. */
static void remove_reserved(struct range_set *set, const struct boot_info *info)
{
    for (unsigned i = 0; i < info->nr_regions; i++) {
        const struct boot_region *region = &info->regions[i];

        if (region->kind != BOOT_REGION_USABLE && region->kind != BOOT_REGION_ACPI_RECLAIM)
            range_set_remove(set, region->start.raw, region->end.raw);
    }
}

static void remove_acpi(struct range_set *set, const struct boot_info *info)
{
    for (unsigned i = 0; i < info->nr_regions; i++) {
        const struct boot_region *region = &info->regions[i];

        if (region->kind == BOOT_REGION_ACPI_RECLAIM)
            range_set_remove(set, region->start.raw, region->end.raw);
    }
}

/* Keeps the whole pages of each range. */
static void shrink_to_pages(struct range_set *set)
{
    for (unsigned i = 0; i < set->nr;) {
        struct mem_range range = set->ranges[i];
        struct mem_range pages = {round_up(range.start, PAGE_SIZE),
                                  round_down(range.end, PAGE_SIZE)};
        bool any = pages.start < pages.end;

        replace(set, i, 1, &pages, any);
        i += any;
    }
}

int memmap_build(const struct boot_info *info, struct memmap *map)
{
    map->ram.nr = 0;
    map->free.nr = 0;

    add_regions(&map->ram, info, BOOT_REGION_USABLE);
    add_regions(&map->ram, info, BOOT_REGION_ACPI_RECLAIM);
    remove_reserved(&map->ram, info);

    add_regions(&map->free, info, BOOT_REGION_USABLE);
    remove_reserved(&map->free, info);
    remove_acpi(&map->free, info);
    range_set_remove(&map->free, 0, LOW_MEMORY_END);
    range_set_remove(&map->free, info->kernel_start.raw, info->kernel_end.raw);
    range_set_remove(&map->free, info->initramfs_start.raw, info->initramfs_end.raw);

    shrink_to_pages(&map->ram);
    shrink_to_pages(&map->free);
    return map->free.nr == 0 ? -ENOMEM : 0;
}
