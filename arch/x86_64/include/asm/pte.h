/* SPDX-License-Identifier: MIT */
/*
 * asm/pte.h - one page-table entry, of any level
 *
 * Room:   arch, public face. The bits are named in arch/x86_64/pte_bits.h and nowhere else.
 * Owns:   pte_t, pgprot_t, the kinds an entry can be of.
 * Locks:  none here; whoever writes an entry holds the lock of its table.
 * Always: (1) entries are built only by the constructors below;
 *         (2) a non-present entry holds no usable frame number (L1TF): it is 0 or inverted;
 *         (3) pte_kind() is the one decoder; a new kind is one new enumerator.
 * Source: Intel SDM 3A, "Formats of Paging-Structure Entries"; "L1 Terminal Fault" white paper.
 * Tour:   after asm/memory_layout.h, before asm/pgtable.h.
 */
#pragma once

#include <lib/addr.h>
#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t raw;
} pte_t;

/* Rights of a mapping. Start at none, widen by name. */
typedef struct {
    uint64_t raw;
} pgprot_t;

/* The level of an entry: how much one leaf there maps. */
enum pt_level { PT_4K = 1, PT_2M = 2, PT_1G = 3, PT_512G = 4 };

#define PT_ENTRIES 512

static inline uint64_t pt_level_size(enum pt_level level)
{
    return 1UL << (PAGE_SHIFT + 9 * (level - 1));
}

static inline unsigned pt_index(uint64_t va, enum pt_level level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (PT_ENTRIES - 1);
}

enum pte_kind {
    PTE_KIND_NONE,     /* nothing was ever here, or it was taken away */
    PTE_KIND_TABLE,    /* points to a table one level down */
    PTE_KIND_LEAF,     /* maps memory; the CPU may use it */
    PTE_KIND_PROTNONE, /* holds a frame, but nobody may touch it (PROT_NONE) */
    PTE_KINDS
};

enum pte_kind pte_kind(pte_t pte, enum pt_level level);

static inline bool pte_is_none(pte_t pte)
{
    return pte.raw == 0;
}

/* Rights. pgprot_user() and pgprot_kernel() can be read; neither written nor executed. */
pgprot_t pgprot_none(void); /* keeps the frame, refuses every access */
pgprot_t pgprot_user(void);
pgprot_t pgprot_kernel(void);
pgprot_t pgprot_write(pgprot_t prot);
pgprot_t pgprot_exec(pgprot_t prot);
pgprot_t pgprot_device(pgprot_t prot);             /* uncached: registers */
pgprot_t pgprot_pkey(pgprot_t prot, unsigned key); /* key 0..15 */

/* Constructors. @a is aligned to the size of the level. */
pte_t pte_none(void);
pte_t pte_leaf(phys_addr_t a, pgprot_t prot, enum pt_level level);
pte_t pte_user_table(phys_addr_t table);
pte_t pte_kernel_table(phys_addr_t table);

/* Questions to a LEAF or PROTNONE entry. */
phys_addr_t pte_phys(pte_t pte, enum pt_level level);
bool pte_is_writable(pte_t pte);
bool pte_is_executable(pte_t pte);
bool pte_is_user(pte_t pte);
bool pte_is_global(pte_t pte);
bool pte_is_dirty(pte_t pte);
bool pte_is_young(pte_t pte);
unsigned pte_pkey(pte_t pte);

/* The frame of a TABLE entry. */
phys_addr_t pte_table_phys(pte_t pte);

/* Changed copies of a LEAF or PROTNONE entry; accessed and dirty are kept unless named. */
pte_t pte_with_prot(pte_t pte, pgprot_t prot, enum pt_level level);
pte_t pte_write_protected(pte_t pte);
pte_t pte_made_writable(pte_t pte);
pte_t pte_made_dirty(pte_t pte);
pte_t pte_made_young(pte_t pte);

/* Does going from @old to @new take a right away, so that CPUs must forget @old? */
bool pte_needs_flush(pte_t old, pte_t new, enum pt_level level);

/* Read once, write once, exchange: entries change under the CPU's own page walker. */
pte_t pte_read(const pte_t *slot);
void pte_write(pte_t *slot, pte_t pte);
pte_t pte_exchange(pte_t *slot, pte_t pte);

/* Exchange only if still @expected (the CPU may set accessed and dirty bits meanwhile). */
bool pte_replace(pte_t *slot, pte_t expected, pte_t pte);
