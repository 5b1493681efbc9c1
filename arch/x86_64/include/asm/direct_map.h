/* SPDX-License-Identifier: MIT */
/*
 * asm/direct_map.h - all RAM at one place, and pages that leave it
 *
 * Room:   arch, public face.
 * Owns:   the mapping of RAM at DIRECT_MAP_BASE: its leaves, splits and heals, their counts.
 * Locks:  direct_map.lock (rank DIRECT_MAP, a spinlock); the caller may hold an object's lock.
 * Always: (1) each RAM frame has one leaf here, writable, not executable, or none if hidden;
 *         (2) a table made by a split is merged again when its last hidden frame comes back;
 *         (3) a table is freed only after every CPU forgot it.
 * Source: Intel SDM 3A, "Details of TLB Use"; trust.md V19, V20.
 * Tour:   after mm/secretmem.c, before arch/x86_64/direct_map.c.
 */
#pragma once

#include <asm/pte.h>
#include <lib/list.h>

/* What a change leaves to be done: a range to flush, tables to free afterwards. */
struct direct_map_change {
    uint64_t first_pfn, end_pfn; /* empty: first >= end */
    enum pt_level level;         /* of the smallest leaf that goes there */
    struct list_node healed;     /* tables that no entry points to any more */
};

void direct_map_change_begin(struct direct_map_change *change);

/**
 * direct_map_hide_noflush() - make frames unreadable through the direct map
 * @pfn: first frame, owned by the caller
 * @nr_pages: >= 1; the range may be anything, large leaves it covers whole go as one entry
 *
 * Splits a covering larger leaf. Restoring what was hidden cannot fail.
 * Context: IRQs on or off; takes direct_map.lock; may allocate one table per level.
 * TLB: none; direct_map_change_end() flushes.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check direct_map_hide_noflush(struct direct_map_change *change, uint64_t pfn,
                                         uint64_t nr_pages);

/* The way back. Merges tables that have become whole again. Never fails. TLB: none. */
void direct_map_restore_noflush(struct direct_map_change *change, uint64_t pfn, uint64_t nr_pages);

/* Flush on every CPU, then free the healed tables. IRQs on; no lock of rank >= PAGE_TABLE. */
void direct_map_change_end(struct direct_map_change *change);

/* Is this frame reachable through the direct map? A walk, for checks and tests. */
bool direct_map_present(uint64_t pfn);

struct direct_map_counts {
    uint64_t leaves[PT_1G + 1]; /* by enum pt_level: 4K, 2M, 1G */
    uint64_t splits[PT_1G + 1]; /* of a leaf of that level */
    uint64_t heals[PT_1G + 1];  /* back to a leaf of that level */
    uint64_t hidden_pages;      /* 4 KiB units */
};

void direct_map_counts(struct direct_map_counts *out);

/* V13, V14, V19, V20 over the whole direct map. 0, or -EUCLEAN after printing. */
int __must_check direct_map_check(void);
