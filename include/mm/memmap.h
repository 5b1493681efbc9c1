/* SPDX-License-Identifier: MIT */
/*
 * include/mm/memmap.h - which physical memory there is
 *
 * Room:   mm.
 * Owns:   struct memmap, made from the firmware's regions.
 * Locks:  none; changed on one CPU during boot only, constant afterwards.
 * Always: (1) ranges are sorted, disjoint, not touching, not empty;
 *         (2) after memmap_build() they are whole pages, and free lies inside ram;
 *         (3) where regions contradict each other, the more careful one wins.
 * Source: ACPI, "System Address Map Interfaces"; design.md section 8.
 * Tour:   after include/boot_info.h, before include/mm/boot_alloc.h.
 */
#pragma once

#include <boot_info.h>
#include <lib/addr.h>
#include <lib/compiler.h>

/* Each region adds at most one range; boot allocations add some more. */
#define RANGE_SET_MAX (BOOT_REGIONS_MAX + 128)

struct mem_range {
    uint64_t start, end; /* physical, in bytes, half open */
};

struct range_set {
    unsigned nr;
    struct mem_range ranges[RANGE_SET_MAX];
};

struct memmap {
    struct range_set ram;  /* all RAM the kernel may map and read: what the direct map covers */
    struct range_set free; /* the part of it that nobody uses yet */
};

/* Adds [start, end), merging with what it overlaps or touches. Panics when the set is full. */
void range_set_add(struct range_set *set, uint64_t start, uint64_t end);

/* Takes [start, end) out, splitting ranges where needed. Panics when the set is full. */
void range_set_remove(struct range_set *set, uint64_t start, uint64_t end);

/* How many bytes of [start, end) are in the set. */
uint64_t range_set_overlap(const struct range_set *set, uint64_t start, uint64_t end);

uint64_t range_set_bytes(const struct range_set *set);

/**
 * memmap_build() - sort out what the firmware said
 * @info: regions in any order, overlapping, with holes, of any size
 * @map: result
 *
 * ram is what is usable or holds ACPI tables, and nowhere reserved. free is what is usable, without
 * the first MiB, the kernel image and the initramfs.
 *
 * Return: 0, or -ENOMEM when nothing is free.
 */
int __must_check memmap_build(const struct boot_info *info, struct memmap *map);
