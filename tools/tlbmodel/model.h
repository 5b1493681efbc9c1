/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/model.h - a TLB as processors have it, for emulators that have none
 *
 * Room:   tools. Plain C of the build machine; tests/host/test_tlbmodel.c uses it too.
 * Owns:   what each CPU of the model remembers, and the counts of what that cost.
 * Locks:  none: one thread.
 * Always: (1) a translation that was flushed is never hit again before it was walked again;
 *         (2) data only: fetches of instructions have a TLB of their own, which is not modelled;
 *         (3) nothing is remembered by speculation or prefetched, and no walk overlaps another:
 *             costs are those of who follows pointers.
 * Source: Intel SDM 3A, "Caching Translation Information"; parameters.h for every number.
 * Tour:   before parameters.h; then array.c, model.c, replay.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TLB_CPUS_MAX 64

enum tlb_leaf { TLB_4K, TLB_2M, TLB_1G, TLB_LEAVES };

/* Sets of ways, @ways a multiple of 4, or no array at all: 0. */
struct tlb_shape {
    uint16_t sets, ways;
    bool folded; /* the set is two groups of address bits, one XOR the other */
};

/* Paging-structure caches by level: what a hit in one leaves to be read. */
enum { PSC_PDE, PSC_PDPTE, PSC_PML4E, PSC_LEVELS };

enum tlb_flush_kind {
    TLB_INVLPG,      /* one address: this space's, and global ones */
    TLB_ROOT,        /* MOV to CR3: all of the space that is loaded, but global ones */
    TLB_ROOT_KEEP,   /* the same with bit 63: nothing */
    TLB_INVPCID_ONE, /* type 0: one address of one space */
    TLB_INVPCID_SPACE,
    TLB_INVPCID_ALL,
    TLB_INVPCID_LOCAL, /* type 3: all but global ones */
    TLB_PGE,           /* a change of CR4.PGE: all */
    TLB_FLUSH_KINDS
};

extern const char *const tlb_flush_names[TLB_FLUSH_KINDS];

struct tlb_machine {
    const char *name;
    struct tlb_shape l1[TLB_LEAVES];
    struct tlb_shape l2, l2_1g;
    bool l2_has_2m;
    struct tlb_shape psc[PSC_LEVELS];
    unsigned l2_hit, walk_start, walk_step; /* cycles */
    unsigned flush[TLB_FLUSH_KINDS];        /* cycles of the instruction alone */
};

/* Those of parameters.h. NULL: there is none of that name. */
const struct tlb_machine *tlb_machine_find(const char *name);

struct tlb_page {
    uint64_t va; /* any address in it */
    enum tlb_leaf leaf;
    bool global;
};

struct tlb_counts {
    uint64_t accesses, l1_misses, walks, steps;
    uint64_t refills; /* of the walks: of what a flush had dropped */
    uint64_t access_cycles, flush_cycles, refill_cycles;
    uint64_t flushes[TLB_FLUSH_KINDS];
    uint64_t lost[TLB_FLUSH_KINDS]; /* translations that were dropped from the largest array */
};

struct tlb_model;

/* @pcid: translations carry the number of their space; else whoever loads a root drops them.
 * NULL: no memory. */
struct tlb_model *tlb_model_new(const struct tlb_machine *machine, unsigned cpus, bool pcid);
void tlb_model_free(struct tlb_model *model);

/* The CPU uses a translation of the space that it has loaded: how many cycles that costs. */
unsigned tlb_access(struct tlb_model *model, unsigned cpu, const struct tlb_page *page);

/* The CPU loads the root of @space: TLB_ROOT or TLB_ROOT_KEEP, which without PCIDs is the same. */
void tlb_load(struct tlb_model *model, unsigned cpu, uint32_t space, enum tlb_flush_kind kind);

/* Any other kind; @space for those of INVPCID, @va for those of one address. */
void tlb_flush(struct tlb_model *model, unsigned cpu, enum tlb_flush_kind kind, uint32_t space,
               uint64_t va);

/* Of all CPUs together. */
const struct tlb_counts *tlb_counts(const struct tlb_model *model);

/* How far apart addresses of small pages are that fall into one set of the second level, whatever
 * lies between. */
uint64_t tlb_set_stride(const struct tlb_machine *machine);
