/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_local.h - how this CPU forgets, and what of each address space it has forgotten
 *
 * Room:   arch, private: the parts of the TLB module to each other.
 * Owns:   struct tlb_cpu.
 * Locks:  each CPU changes its own, IRQs off; [a] is read by all.
 * Always: (1) all that was taken from the loaded address space up to generation @seen is forgotten;
 *         (2) a lazy CPU runs nothing that uses the user half, and catches up before it does.
 * Source: Intel SDM 3A, "Process-Context Identifiers (PCIDs)" and "Invalidation of TLBs and
 *         Paging-Structure Caches".
 * Tour:   after asm/tlb.h; then arch/x86_64/tlb_local.c, tlb_space.c, tlb.c, tlb_gather.c.
 */
#pragma once

#include "insn.h"
#include <asm/pgtable.h>
#include <asm/tlb.h>

#define TLB_LOADING (~0UL) /* a root is being left, another loaded: either may be walked */

#define TLB_SLOTS 6 /* address spaces a CPU with PCIDs remembers; slot n is PCID n + 1 */

/* An address space that is not loaded, as its slot knows it. */
struct tlb_slot {
    uint64_t space; /* pgtable.id; 0: none */
    uint64_t seen;
};

struct tlb_cpu {
    _Atomic uint64_t space; /* cpu->pgt->id, or TLB_LOADING [a] */
    _Atomic uint64_t seen;  /* generation of cpu->pgt that this CPU has flushed for [a] */
    _Atomic bool lazy;      /* cpu->pgt is loaded, and not used [a] */
    _Atomic bool behind;    /* in the middle of flushing, before it uses cpu->pgt again [a] */
    unsigned slot;          /* of cpu->pgt */
    unsigned next_slot;     /* the one to be given away next */
    struct tlb_slot slots[TLB_SLOTS];
    int64_t events[TLB_EVENTS];
    bool probing; /* the own root is to lead nowhere else meanwhile: tlb_probe.c */
};

static inline void tlb_count(int64_t *events, enum tlb_event event)
{
    cpu_counter_add(&events[event], 1);
}

/* This CPU's translations of one address, global or not, and the upper entries it remembers. */
void tlb_forget_address(uint64_t va);

/* Those of a range, one by one. @tlb: this CPU's. */
static inline void tlb_forget_pages(struct tlb_cpu *tlb, uint64_t start, uint64_t end,
                                    uint64_t stride)
{
    for (uint64_t va = start; va < end; va += stride) {
        invlpg(va);
        tlb_count(tlb->events, TLB_LOCAL_ONE);
    }
}

/* Those of the loaded address space. */
void tlb_forget_space(void);

/* All: global ones, and those of every address space. */
void tlb_forget_all(void);

/* Is one after the other the longer way? As tlb_settings.ceiling says. */
static inline bool tlb_is_too_much(uint64_t start, uint64_t end, uint64_t stride)
{
    return end - start > READ_ONCE(tlb_settings.ceiling) * stride;
}

/* Those of a range of the kernel's: singly or all at once, for they are global. */
void tlb_forget_kernel_range(uint64_t start, uint64_t end, uint64_t stride);

/* What was taken from an address space; entry.asm reads it. */
struct tlb_change {
    struct pgtable *pgt;
    uint64_t generation;
    uint64_t start, end, stride; /* end TLB_ALL_OF_IT: so much that all goes at once */
};

#define TLB_ALL_OF_IT (~0UL)

/* A change that its maker asks nobody to follow, for tlb_log_read(). After its generation began. */
void tlb_log_write(const struct tlb_change *change);

/* The range of a change, if it is still there. */
bool tlb_log_read(uint64_t space, uint64_t generation, struct tlb_change *out);

/**
 * tlb_follow() - what was taken up to @change's generation is forgotten here
 * Its range is that of its generation alone; who missed one before it that is not in the log
 * forgets the whole space.
 * Context: IRQs off. Nothing where it is not loaded: it is caught up with when it is.
 */
void tlb_follow(const struct tlb_change *change);

/**
 * tlb_shoot_down() - nobody uses what was taken from [start, end) of @g's space
 * @g: who may remember it; if tables went, too, CPUs that do not use the space must not walk it
 *     either
 *
 * Begins a generation. Context: IRQs on, unless no other CPU runs; no lock of rank >= PAGE_TABLE.
 */
void tlb_shoot_down(const struct tlb_gather *g, uint64_t start, uint64_t end, uint64_t stride);

/* Debug builds, V25: the CPUs that use what left @space at @generation, though they should have
 * forgotten it. @walk: or may walk the tables that were there then. */
uint64_t tlb_suspects(uint64_t space, uint64_t generation, bool walk);

/* The frames and tables of a gather that is about to end: see arch/x86_64/tlb_ledger.c. */
void tlb_ledger_note(const struct tlb_gather *g);

/* What tlb_shoot_down() begins with: a generation, and this CPU's part of it. */
uint64_t tlb_forget_here(struct pgtable *pgt, uint64_t start, uint64_t end, uint64_t stride);

/* Does another CPU have @pgt loaded? */
bool tlb_has_others(const struct pgtable *pgt);

/* Every tlb_probe_every-th time: does some CPU use what the tables of @pgt no longer say? */
void tlb_probe(struct pgtable *pgt, uint64_t start, uint64_t end);

/* All that was taken from the loaded space is forgotten here. IRQs off. */
void tlb_catch_up(void);

/* Go on by this CPU's own root of @pgt, which has some now, if that is loaded. IRQs off. */
void tlb_load_own(struct pgtable *pgt);

/* This CPU's own root of what it has loaded leads to @va: was that new? */
bool tlb_follow_root(uint64_t va);

/* Load the kernel's own tables if @pgt is loaded. IRQs off. */
void tlb_leave_here(const struct pgtable *pgt);
