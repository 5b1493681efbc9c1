/* SPDX-License-Identifier: MIT */
/*
 * asm/pte.h - one page-table entry, of any level
 *
 * Room:   arch, public face. The bits are named in asm/pte_bits.h and here, nowhere else.
 * Owns:   pte_t, pgprot_t, the kinds an entry can be of.
 * Locks:  none here; whoever writes an entry holds the lock of its table.
 * Always: (1) entries are built only by the constructors below;
 *         (2) a non-present entry holds no usable frame number (L1TF): it is 0 or inverted;
 *         (3) pte_kind() is the one decoder; a new kind is one new enumerator.
 * Source: Intel SDM 3A, "Formats of Paging-Structure Entries"; "L1 Terminal Fault" white paper.
 * Tour:   after asm/memory_layout.h, before asm/pgtable.h.
 */
#pragma once

#include <asm/pte_bits.h>
#include <base/bug.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t raw;
} pte_t;

/* Rights of a mapping. */
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
    PTE_KIND_GUARD,    /* holds nothing, and stays so: madvise(MADV_GUARD_INSTALL) */
    PTE_KIND_POISON,   /* holds nothing; what was here counts as lost: UFFDIO_POISON */
    PTE_KIND_UFFD_WP,  /* holds nothing yet; a program is told of the first write to what comes */
    PTE_KINDS
};

/*
 * Bits the CPU refuses as reserved because a feature is off (NX, G). Set once by cpu_init()
 * before the first entry is built; all entries are masked with it.
 */
extern uint64_t pte_supported_mask;

static inline bool pte_is_none(pte_t pte)
{
    return pte.raw == 0;
}

static inline enum pte_kind pte_kind(pte_t pte, enum pt_level level)
{
    if (pte.raw & PTE_P)
        return level > PT_4K && !(pte.raw & PTE_PS) ? PTE_KIND_TABLE : PTE_KIND_LEAF;
    if (pte.raw == 0)
        return PTE_KIND_NONE;
    if (pte.raw & PTE_SOFT_PROTNONE)
        return PTE_KIND_PROTNONE;
    if (pte.raw & (PTE_SOFT_GUARD | PTE_SOFT_POISON))
        return pte.raw & PTE_SOFT_GUARD ? PTE_KIND_GUARD : PTE_KIND_POISON;
    return PTE_KIND_UFFD_WP;
}

/* Does an entry above the lowest level lead to a table: is it PTE_KIND_TABLE? */
static inline bool pte_is_table(pte_t pte)
{
    return (pte.raw & (PTE_P | PTE_PS)) == PTE_P;
}

/* Is the frame in an entry of these bits inverted? */
static inline bool pte_bits_invert(uint64_t bits)
{
    return (bits & PTE_SOFT_PROTNONE) && !bug_is_back(BUG_B24);
}

/* A frame number that no speculative walk can use: inverted while the entry is not present. */
static inline uint64_t pte_phys_bits(pte_t pte)
{
    return (pte_bits_invert(pte.raw) ? ~pte.raw : pte.raw) & PTE_PHYS;
}

/* Rights start at none: the frame is kept, every access refused. Widen by name. */
static inline pgprot_t pgprot_none(void)
{
    return (pgprot_t){PTE_SOFT_PROTNONE | PTE_U | PTE_NX};
}

static inline pgprot_t pgprot_user(void)
{
    return (pgprot_t){PTE_P | PTE_U | PTE_NX};
}

static inline pgprot_t pgprot_kernel(void)
{
    return (pgprot_t){PTE_P | PTE_G | PTE_NX};
}

static inline pgprot_t pgprot_write(pgprot_t prot)
{
    return (pgprot_t){prot.raw | PTE_W};
}

static inline pgprot_t pgprot_exec(pgprot_t prot)
{
    return (pgprot_t){prot.raw & ~PTE_NX};
}

/* Uncached: registers of devices. */
static inline pgprot_t pgprot_device(pgprot_t prot)
{
    return (pgprot_t){prot.raw | PTE_PCD | PTE_PWT};
}

static inline pgprot_t pgprot_pkey(pgprot_t prot, unsigned key)
{
    return (pgprot_t){(prot.raw & ~PTE_PKEY) | (uint64_t)key << PTE_PKEY_SHIFT};
}

/* Constructors. @a is aligned to the size of the level. */
static inline pte_t pte_none(void)
{
    return (pte_t){0};
}

static inline pte_t pte_guard(void)
{
    return (pte_t){PTE_SOFT_GUARD};
}

static inline pte_t pte_poison(void)
{
    return (pte_t){PTE_SOFT_POISON};
}

static inline pte_t pte_uffd_wp_marker(void)
{
    return (pte_t){PTE_SOFT_UFFD_WP};
}

/* May a CPU use it, and remember it? */
static inline bool pte_is_present(pte_t pte)
{
    return pte.raw & PTE_P;
}

/* Does it hold a frame: LEAF or PROTNONE? */
static inline bool pte_has_frame(pte_t pte)
{
    return pte.raw & (PTE_P | PTE_SOFT_PROTNONE);
}

static inline pte_t pte_leaf(phys_addr_t a, pgprot_t prot, enum pt_level level)
{
    uint64_t frame = pte_bits_invert(prot.raw) ? ~a.raw & PTE_PHYS : a.raw;
    uint64_t bits = prot.raw | (level > PT_4K ? PTE_PS : 0) | frame;
    return (pte_t){bits & pte_supported_mask};
}

/* Upper levels are permissive: the leaf alone decides. */
static inline pte_t pte_user_table(phys_addr_t table)
{
    return (pte_t){table.raw | PTE_P | PTE_W | PTE_U | PTE_A};
}

static inline pte_t pte_kernel_table(phys_addr_t table)
{
    return (pte_t){table.raw | PTE_P | PTE_W | PTE_A};
}

/* Questions to a LEAF or PROTNONE entry. The constructors left no bit below the level's size. */
static inline phys_addr_t pte_phys(pte_t pte, enum pt_level level)
{
    (void)level;
    return phys(pte_phys_bits(pte));
}

static inline bool pte_is_writable(pte_t pte)
{
    return pte.raw & PTE_W;
}

static inline bool pte_is_exclusive(pte_t pte)
{
    return pte.raw & PTE_SOFT_EXCLUSIVE;
}

static inline bool pte_is_executable(pte_t pte)
{
    return !(pte.raw & PTE_NX);
}

static inline bool pte_is_user(pte_t pte)
{
    return pte.raw & PTE_U;
}

static inline bool pte_is_global(pte_t pte)
{
    return pte.raw & PTE_G;
}

static inline bool pte_is_dirty(pte_t pte)
{
    return pte.raw & PTE_D;
}

static inline bool pte_is_young(pte_t pte)
{
    return pte.raw & PTE_A;
}

/* Was it written since writes were last tracked from? The CPU does not know this bit: where writes
 * are tracked, a leaf without it is not writable, so that a fault sets it. */
static inline bool pte_is_soft_dirty(pte_t pte)
{
    return pte.raw & PTE_SOFT_DIRTY;
}

/* For a question to many entries at once: is any of them present, or marked? */
static inline pte_t pte_joined(pte_t a, pte_t b)
{
    return (pte_t){a.raw | b.raw};
}

/* Is a program told of the next write: of a LEAF or PROTNONE entry, or PTE_KIND_UFFD_WP? A GUARD or
 * POISON entry is never written to; it has been noted. */
static inline bool pte_is_uffd_wp(pte_t pte)
{
    return pte.raw & PTE_SOFT_UFFD_WP;
}

/* Is it NONE or UFFD_WP: may a page come here? */
static inline bool pte_is_vacant(pte_t pte)
{
    return !(pte.raw & ~(PTE_SOFT_UFFD_WP | PTE_SOFT_DIRTY));
}

static inline unsigned pte_pkey(pte_t pte)
{
    return (pte.raw & PTE_PKEY) >> PTE_PKEY_SHIFT;
}

/* The frame of a TABLE entry. */
static inline phys_addr_t pte_table_phys(pte_t pte)
{
    return phys(pte.raw & PTE_PHYS);
}

/* Without what this CPU would take for a reserved bit. Constructors of entries do it themselves. */
static inline pgprot_t pgprot_supported(pgprot_t prot)
{
    return (pgprot_t){prot.raw & pte_supported_mask};
}

/* Changed copies of a LEAF or PROTNONE entry; accessed and both kinds of dirty are kept unless
 * named. @prot went through pgprot_supported(). */
static inline pte_t pte_with_prot(pte_t pte, pgprot_t prot)
{
    uint64_t next = (pte.raw & ~PTE_RIGHTS) | prot.raw;
    bool turns = pte_bits_invert(pte.raw ^ prot.raw); /* the frame is inverted on one side */
    return (pte_t){turns ? next ^ PTE_PHYS : next};
}

/* The same rights and history for another frame at another level: splitting a large leaf. */
static inline pte_t pte_at_level(pte_t pte, phys_addr_t a, enum pt_level level)
{
    pgprot_t prot = {pte.raw & PTE_RIGHTS};
    pte_t next = pte_leaf(a, prot, level);
    next.raw |= pte.raw & (PTE_A | PTE_D | PTE_SOFT_DIRTY | PTE_SOFT_EXCLUSIVE | PTE_SOFT_UFFD_WP);
    return next;
}

/* The leaf is the only one of a private page: it may become writable without a copy. */
static inline pte_t pte_made_exclusive(pte_t pte)
{
    return (pte_t){pte.raw | PTE_SOFT_EXCLUSIVE};
}

static inline pte_t pte_made_writable(pte_t pte)
{
    return (pte_t){pte.raw | PTE_W};
}

/* A program is told of the next write, which therefore has to fault. */
static inline pte_t pte_made_uffd_wp(pte_t pte)
{
    return (pte_t){(pte.raw & ~PTE_W) | PTE_SOFT_UFFD_WP};
}

/* The way back. It stays read-only: whoever knows that it may be written to says so. */
static inline pte_t pte_without_uffd_wp(pte_t pte)
{
    return (pte_t){pte.raw & ~PTE_SOFT_UFFD_WP};
}

/* By a write: for the CPU, and for those who track writes. */
static inline pte_t pte_made_dirty(pte_t pte)
{
    return (pte_t){pte.raw | PTE_D | PTE_SOFT_DIRTY};
}

/* For the CPU alone: what was written before writes were tracked. */
static inline pte_t pte_made_old_dirty(pte_t pte)
{
    return (pte_t){pte.raw | PTE_D};
}

/* For those who track writes alone; a guard may be marked, too. */
static inline pte_t pte_made_soft_dirty(pte_t pte)
{
    return (pte_t){pte.raw | PTE_SOFT_DIRTY};
}

static inline pte_t pte_made_young(pte_t pte)
{
    return (pte_t){pte.raw | PTE_A};
}

/* Does going from @old to @next take a right away, so that CPUs must forget @old? */
static inline bool pte_needs_flush(pte_t old, pte_t next)
{
    const uint64_t rights = PTE_P | PTE_W | PTE_U | PTE_D; /* missed when they go */
    uint64_t matters = (old.raw & rights) | (next.raw & PTE_NX) | PTE_PHYS | PTE_PKEY;

    if (!(old.raw & PTE_P))
        return false; /* what is not present is never remembered */
    return (old.raw ^ next.raw) & matters;
}

/* Read once, write once, exchange: entries change under the CPU's own page walker. */
static inline pte_t pte_read(const pte_t *slot)
{
    return (pte_t){__atomic_load_n(&slot->raw, __ATOMIC_RELAXED)};
}

static inline void pte_write(pte_t *slot, pte_t pte)
{
    __atomic_store_n(&slot->raw, pte.raw, __ATOMIC_RELEASE);
}

static inline pte_t pte_exchange(pte_t *slot, pte_t pte)
{
    return (pte_t){__atomic_exchange_n(&slot->raw, pte.raw, __ATOMIC_ACQ_REL)};
}

/* Another leaf of the same page is about to be made: neither may be written through. Table locked.
 * Returns what is in @slot now. */
static inline pte_t pte_share(pte_t *slot)
{
    __atomic_fetch_and(&slot->raw, ~(PTE_W | PTE_SOFT_EXCLUSIVE), __ATOMIC_ACQ_REL);
    return pte_read(slot);
}

/* The next write to the page of this leaf faults. Table locked. Returns what was in @slot. */
static inline pte_t pte_clear_soft_dirty(pte_t *slot)
{
    return (pte_t){__atomic_fetch_and(&slot->raw, ~(PTE_W | PTE_SOFT_DIRTY), __ATOMIC_ACQ_REL)};
}

/* The leaf in @slot, seen as @from, becomes @to, whatever the CPU marks meanwhile. Table locked.
 * Returns what was in @slot. */
static inline pte_t pte_turn(pte_t *slot, pte_t from, pte_t to)
{
    return (pte_t){__atomic_fetch_xor(&slot->raw, from.raw ^ to.raw, __ATOMIC_ACQ_REL)};
}

/* The next access marks it again, unless a CPU remembers the leaf. Table locked. */
static inline void pte_clear_young(pte_t *slot)
{
    __atomic_fetch_and(&slot->raw, ~PTE_A, __ATOMIC_ACQ_REL);
}

/* What entries of one class have in common: all but frame, accessed and dirty. */
static inline uint64_t pte_class(pte_t pte)
{
    return pte.raw & ~(PTE_PHYS | PTE_A | PTE_D);
}

/* A change of rights, worked out once for the entries of one class. */
struct pte_change {
    uint64_t class; /* of the entries it is for */
    uint64_t flip;  /* bits that change */
    bool flush;     /* CPUs must forget what they remember */
};

/* @pte, a LEAF or PROTNONE entry, and its like get @prot; accessed and dirty are kept. */
static inline struct pte_change pte_change_of(pte_t pte, pgprot_t prot)
{
    pte_t next = pte_with_prot(pte, pgprot_supported(prot));
    return (struct pte_change){pte_class(pte), pte.raw ^ next.raw, pte_needs_flush(pte, next)};
}

/* Change the entry in @slot, which is of that class, and of the @nr - 1 after it those up to the
 * first of another class. Returns how many. Rights change under the table's lock only, so that one
 * instruction per entry does it, whatever the CPU marks meanwhile. */
static inline unsigned pte_change_alike(pte_t *slot, unsigned nr, const struct pte_change *c)
{
    unsigned i = 0;

    do {
        if (c->flip)
            __atomic_fetch_xor(&slot[i].raw, c->flip, __ATOMIC_ACQ_REL);
    } while (++i < nr && pte_class(pte_read(&slot[i])) == c->class);
    return i;
}
