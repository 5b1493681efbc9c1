/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/parameters.h - every number that the model is made of, and where it is from
 *
 * Room:   tools.
 * Owns:   the machines.
 * Locks:  none.
 * Always: (1) what is a guess says so; nothing was fitted to a figure that a test holds against it.
 * Source: [O] Intel 64 and IA-32 Architectures Optimization Reference Manual, "Cache and Memory
 *         Subsystem"; [T] Tatar et al., "TLB;DR" (2022); [R] van Schaik et al., "Reverse
 *         Engineering Hardware Page Table Caches" (2017); [L] measurements in Linux's history of
 *         arch/x86/mm/tlb.c: range flushes (2014, 2015), PCID (2017).
 * Tour:   after model.h.
 */
#pragma once

#include "model.h"

/* Cycles of a clock at which the nanoseconds below were measured, roughly. */
#define MHZ        2800UL
#define CYCLES(ns) ((unsigned)((ns)*MHZ / 1000))

/* [L] A miss that finds its table in the caches: 13 to 17 ns. Of that a read is what the second
 * level of the data cache takes, 12 cycles [O]. */
#define MISS      CYCLES(15)
#define WALK_STEP 12
#define L2_HIT    7 /* [O] Sandy Bridge */

/* [O] First level: the same for both. */
#define L1                                                                              \
    {                                                                                   \
        [TLB_4K] = {16, 4, false}, [TLB_2M] = {8, 4, false}, [TLB_1G] = { 1, 4, false } \
    }

/* Not published by Intel. A guess, in the order of what [R] found. */
#define PSC                                                                                    \
    {                                                                                          \
        [PSC_PDE] = {1, 32, false}, [PSC_PDPTE] = {1, 4, false}, [PSC_PML4E] = { 1, 4, false } \
    }

static const struct tlb_machine tlb_machines[] = {
    {
        .name = "ivybridge",
        .l1 = L1,
        .l2 = {128, 4, false}, /* [O] 512 entries, small pages only */
        .psc = PSC,
        .l2_hit = L2_HIT,
        .walk_start = MISS - WALK_STEP,
        .walk_step = WALK_STEP,
        .flush = {[TLB_INVLPG] = 260,    /* [L] 2015 */
                  [TLB_ROOT] = 96,       /* [L] 2015 */
                  [TLB_ROOT_KEEP] = 96,  /* a guess: as with a flush */
                  [TLB_INVPCID_ONE] = 0, /* this machine has no INVPCID */
                  [TLB_PGE] = CYCLES(539)},
    },
    {
        .name = "skylake",
        .l1 = L1,
        .l2 = {128, 12, true}, /* [O] 1536 entries, small and 2M; [T] the set */
        .l2_has_2m = true,
        .l2_1g = {4, 4, false}, /* [O] */
        .psc = PSC,
        .l2_hit = L2_HIT,
        .walk_start = MISS - WALK_STEP,
        .walk_step = WALK_STEP,
        .flush = {[TLB_INVLPG] = CYCLES(100),        /* [L] "about 100 ns" */
                  [TLB_ROOT] = 96,                   /* [L] 2015 */
                  [TLB_ROOT_KEEP] = 96,              /* a guess: as with a flush */
                  [TLB_INVPCID_ONE] = CYCLES(100),   /* a guess: as INVLPG */
                  [TLB_INVPCID_SPACE] = CYCLES(376), /* a guess: as all */
                  [TLB_INVPCID_ALL] = CYCLES(376),   /* [L] Skylake */
                  [TLB_INVPCID_LOCAL] = CYCLES(376), /* a guess: as all */
                  [TLB_PGE] = CYCLES(539)},          /* [L] Skylake */
    },
};
