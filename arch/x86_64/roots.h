/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/roots.h - an address space that each CPU walks by a root of its own
 *
 * Room:   arch, private.
 * Owns:   struct pt_roots.
 * Locks:  each CPU writes its own root, and its bits; [a] is read by all. They are made while
 *         mmap_lock is held for writing, and live as long as the address space.
 * Always: as arch/x86_64/roots.c.
 * Source: Clements, Kaashoek, Zeldovich, "RadixVM" (2013), for tables of each CPU.
 * Tour:   after asm/pgtable.h; then arch/x86_64/roots.c.
 */
#pragma once

#include <asm/pgtable.h>
#include <lib/bitmap.h>

#define ROOT_ENTRIES (PT_ENTRIES / 2) /* of the user half */

struct tlb_gather;

/* A CPU's own. */
struct own_root {
    struct page *table;
    uint64_t entries[BITMAP_WORDS(ROOT_ENTRIES)]; /* bit n: entry n leads somewhere */
};

struct pt_roots {
    _Atomic uint64_t outside;             /* CPUs that may remember what the shared root led to */
    _Atomic uint64_t users[ROOT_ENTRIES]; /* CPUs that may remember what this entry led to */
    struct own_root own[];                /* index: the CPU */
};

static inline struct pt_roots *roots_of(const struct pgtable *pgt)
{
    return atomic_load_explicit(&pgt->roots, memory_order_acquire);
}

/* Roots for all CPUs, of which none is used yet. 0 or -ENOMEM. */
int __must_check roots_make(struct pgtable *pgt);

/* No CPU has any of them loaded. */
void roots_free(struct pgtable *pgt);

/**
 * roots_choose() - by which root CPU @cpu is to walk @pgt
 * *@keep: it may go on with what it remembers of @pgt; cleared if that is of the shared root. If
 * not, entries that it did not use since the last time go.
 * Context: that CPU, IRQs off, before it loads the root. Then roots_chosen().
 */
phys_addr_t roots_choose(struct pgtable *pgt, unsigned cpu, bool *keep);

/**
 * roots_chosen() - the root of roots_choose() is loaded
 * @generation: of @pgt, read between the two if nothing was to be kept
 * Return: the generation that the CPU has seen.
 */
uint64_t roots_chosen(struct pgtable *pgt, unsigned cpu, uint64_t generation);

/* The root that CPU @cpu walks by when it has @pgt loaded. */
phys_addr_t roots_root(const struct pgtable *pgt, unsigned cpu);

/* If the shared root leads to @va, of the user half, and CPU @cpu's own does not, then that does
 * from now on: true. Context: that CPU, which has @pgt loaded. */
bool roots_follow(const struct pgtable *pgt, unsigned cpu, uint64_t va);

/* CPUs that may remember what is gathered: leaves, and the tables to them. */
uint64_t roots_users(const struct tlb_gather *g);

/* The same, as the roots themselves say: to check that. */
uint64_t roots_holders(const struct tlb_gather *g);

/* V26: own roots say what the shared one does, and who is to be asked. 0 or -EUCLEAN. */
int __must_check roots_check(const struct pgtable *pgt);

/* How many tables of @pgt are roots of CPUs. */
uint64_t roots_tables(const struct pgtable *pgt);

/* A root with the kernel half in place, counted as a table of @pgt: of pgtable.c. */
int __must_check pt_root_get(struct pgtable *pgt, struct page **root);
void pt_root_put(struct pgtable *pgt, struct page *root);
