/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/array.h - one array of remembered translations: sets, ways, who goes first
 *
 * Room:   tools.
 * Owns:   struct tlb_array.
 * Locks:  none.
 * Always: (1) a dropped entry keeps its tag until its place is used again: so a walk can tell that
 *             it only fetches again what a flush took.
 * Source: Tatar et al., "TLB;DR" (USENIX Security 2022): groups of four ways, each a tree of bits;
 *         the group after that which was used last gives up one.
 * Tour:   after model.h, before array.c.
 */
#pragma once

#include "model.h"

struct tlb_tag {
    uint64_t page; /* the address, shifted by what @leaf covers */
    uint32_t space;
    uint8_t leaf; /* enum tlb_leaf, or the level of a paging-structure cache */
    bool global;
};

enum tlb_presence { TLB_ABSENT, TLB_DROPPED, TLB_PRESENT };

struct tlb_array {
    const struct tlb_shape *shape;
    struct tlb_entry *entries; /* set by set */
    struct tlb_set *sets;
};

/* False: no memory. An array without sets is empty for ever. */
bool array_init(struct tlb_array *array, const struct tlb_shape *shape);
void array_destroy(struct tlb_array *array);

/* Is it there? If so it is used now. A tag of any space finds a global entry. */
enum tlb_presence array_use(struct tlb_array *array, const struct tlb_tag *tag);

/* It is there from now on; something else may not be. */
void array_add(struct tlb_array *array, const struct tlb_tag *tag);

/* Drops every entry that @goes says so of; returns how many. */
unsigned array_drop(struct tlb_array *array,
                    bool (*goes)(const struct tlb_tag *entry, const struct tlb_tag *what),
                    const struct tlb_tag *what);
