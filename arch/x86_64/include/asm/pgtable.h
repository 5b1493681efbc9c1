/* SPDX-License-Identifier: MIT */
/*
 * asm/pgtable.h - the page tables of one address space
 *
 * Room:   arch, public face. Policy comes from mm/; bits stay in arch/x86_64.
 * Owns:   struct pgtable and the tables below its root; walks and runs.
 * Locks:  each table page has its own lock (rank PAGE_TABLE), reached through walk or run.
 *         Tables appear under a parent's lock, and vanish only while the caller holds what they
 *         span exclusively (mmap_lock for writing).
 * Always: (1) a table counts its non-zero entries; (2) every table has exactly one parent;
 *         (3) the upper 256 root entries are the kernel's, the same in every address space.
 * Source: Intel SDM 3A, "4-Level Paging and 5-Level Paging".
 * Tour:   after asm/pte.h, before asm/tlb.h.
 */
#pragma once

#include <asm/pte.h>
#include <asm/spinlock.h>
#include <mm/page.h>

struct pt_roots; /* arch/x86_64/roots.h */

struct pgtable {
    phys_addr_t root;      /* [I] */
    uint64_t id;           /* of no other space, not even of one that is gone; 0: kernel [I] */
    _Atomic uint64_t cpus; /* bit n: CPU n may hold translations of this space [a] */
    _Atomic uint64_t generation; /* rises with every flush [a] */
    _Atomic uint64_t late;      /* the last generation that others may not have seen; 0: none [a] */
    _Atomic uint32_t unflushed; /* gathers with translations that CPUs may still have [a] */
    _Atomic uint64_t nr_tables; /* table pages below and with the root, kept ones too [a] */
    _Atomic uint64_t copy_end;  /* what lies below is copied without asking: asm/uaccess.h [a] */
    _Atomic uint64_t nr_gone;   /* tables that were taken out, from 1: see struct pt_near [a] */
    struct pt_roots *_Atomic roots; /* one for each CPU, by which it walks; NULL: none; stays [a] */
};

/* Boot: kernel_pgtable's root is as it stays; what is below may grow. */
void pgtable_boot_init(void);

/**
 * pgtable_init() - an empty address space with the kernel half in place
 * Return: 0, or -ENOMEM with nothing allocated.
 */
int __must_check pgtable_init(struct pgtable *pgt);

/**
 * pgtable_destroy() - free every table
 * The user half must be empty of leaves, and no CPU may have it loaded.
 * TLB: none needed: CPUs forgot it when they switched away.
 */
void pgtable_destroy(struct pgtable *pgt);

/* Where a walk stopped: at a leaf, or at an entry that leads nowhere. */
struct pt_walk {
    struct page *table; /* the table that holds the slot */
    pte_t *slot;
    enum pt_level level;
};

/**
 * pt_walk() - find the entry that decides about an address
 * Context: the caller keeps tables from vanishing (see Locks). Takes no lock.
 * Return: never fails: the slot of a leaf, or the highest slot that is no table.
 */
struct pt_walk pt_walk(struct pgtable *pgt, user_addr_t va);

/* The same, but not below @floor. In line and unrolled: for faults, which spend much time here. */
static inline struct pt_walk pt_walk_down_to(const struct pgtable *pgt, user_addr_t va,
                                             enum pt_level floor)
{
    phys_addr_t table = pgt->root;
    pte_t *slot = (pte_t *)direct_map_ptr(table) + pt_index(va.raw, PT_512G);

#pragma GCC unroll 4
    for (enum pt_level level = PT_512G; level > floor; level--) {
        pte_t pte = pte_read(slot);
        if (unlikely(!pte_is_table(pte)))
            return (struct pt_walk){phys_to_page(table), slot, level};
        table = pte_table_phys(pte);
        slot = (pte_t *)direct_map_ptr(table) + pt_index(va.raw, level - 1);
    }
    return (struct pt_walk){phys_to_page(table), slot, floor};
}

/* The table that a walk led to, remembered by those who look near that place again. A table stays
 * where it is until it is taken out, which pgtable.nr_gone counts. */
struct pt_near {
    uint64_t unit;    /* address in units of what a table of 4K leaves spans */
    uint64_t nr_gone; /* when it was looked for; 0: nobody looked */
    struct page *table;
    pte_t *slots;
};

/**
 * pt_is_near() - does @near know the table of 4K leaves that spans @va?
 * Context: as pt_walk(). Who takes out the table of @va holds what it spans exclusively, and has
 *          counted that when the caller may come: so what is remembered is there.
 */
static inline bool pt_is_near(const struct pgtable *pgt, const struct pt_near *near, user_addr_t va)
{
    return likely(near->unit == va.raw >> HUGE_SHIFT) &&
           likely(near->nr_gone == atomic_load_explicit(&pgt->nr_gone, memory_order_relaxed));
}

/* pt_walk(), and @near remembers the table that it led to. */
struct pt_walk pt_walk_remember(struct pgtable *pgt, struct pt_near *near, user_addr_t va);

/**
 * pt_walk_alloc() - find or make the slot for a leaf of @level at @va
 * Stops early, above @level, where a larger leaf is in the way: look at out->level.
 * Return: 0, or -ENOMEM (tables made on the way stay, empty).
 */
int __must_check pt_walk_alloc(struct pgtable *pgt, user_addr_t va, enum pt_level level,
                               struct pt_walk *out);

/* The same of one of many addresses that lie near each other. */
int __must_check pt_walk_alloc_near(struct pgtable *pgt, struct pt_near *near, user_addr_t va,
                                    enum pt_level level, struct pt_walk *out);

/* The lock of a walk's or run's table. */
static inline spinlock_t *pt_lock(struct page *table)
{
    return &table->table.lock;
}

/**
 * pt_set() - write an entry and keep the table's count
 * Context: pt_lock(table) held. TLB: none; the caller gathers.
 * Return: what was there before (with accessed and dirty bits as the CPU left them).
 */
static inline pte_t pt_set(struct page *table, pte_t *slot, pte_t pte)
{
    pte_t old = pte_exchange(slot, pte);
    table->table.used += !pte_is_none(pte) - !pte_is_none(old);
    return old;
}

/* The table's count after @nr entries were taken out, or put in, by pte_exchange() or pte_write()
 * alone; the lock is held. */
static inline void pt_entries_gone(struct page *table, unsigned nr)
{
    table->table.used -= nr;
}

static inline void pt_entries_came(struct page *table, unsigned nr)
{
    table->table.used += nr;
}

/*
 * A run: neighbouring slots of one table, the unit in which ranges are worked on.
 * for (pt_run_first(&run, pgt, start, end); run.nr; pt_run_next(&run)) { lock; slots; }
 * A run of level 4K covers what the range has of one page table, empty slots included. At higher
 * levels a run is one slot with a large leaf; empty spans are passed over.
 */
struct pt_run {
    struct pgtable *pgt;
    uint64_t va, end; /* address of slot[0] (rounded down to the level's size); end of the range */
    uint64_t from;    /* where in the range the run begins: above va within a large leaf */
    struct page *table;
    pte_t *slot;
    unsigned nr; /* slots; 0: the range is done */
    enum pt_level level;
};

void pt_run_first(struct pt_run *run, struct pgtable *pgt, user_addr_t start, user_addr_t end);

/* The same, and @near remembers the first table. */
void pt_run_first_remember(struct pt_run *run, struct pgtable *pgt, struct pt_near *near,
                           user_addr_t start, user_addr_t end);

/* The same of a range whose first table @near may know. */
static inline void pt_run_first_near(struct pt_run *run, struct pgtable *pgt, struct pt_near *near,
                                     user_addr_t start, user_addr_t end)
{
    uint64_t table_end = round_down(start.raw, HUGE_SIZE) + HUGE_SIZE;

    if (!pt_is_near(pgt, near, start) || start.raw >= end.raw) {
        pt_run_first_remember(run, pgt, near, start, end);
        return;
    }
    run->pgt = pgt;
    run->va = run->from = start.raw;
    run->end = end.raw;
    run->table = near->table;
    run->slot = near->slots + pt_index(start.raw, PT_4K);
    run->nr = (unsigned)((min(end.raw, table_end) - start.raw) >> PAGE_SHIFT);
    run->level = PT_4K;
}

void pt_run_next(struct pt_run *run);

/**
 * pt_run_lock() - take the lock of a run's table
 * A large leaf that became a table since the run was found is gone into: the run is then the part
 * of that table which lies in the range.
 */
void pt_run_lock(struct pt_run *run);

/* A table that nothing leads to, empty: 0 or -ENOMEM. */
int __must_check pt_spare_get(struct pgtable *pgt, struct page **table);

/* Free a table that nothing leads to, and that no CPU remembers. */
void pt_spare_put(struct pgtable *pgt, struct page *table);

/**
 * pt_keep() / pt_kept_take() - an empty table, kept for the day when a large leaf must become small
 * @table: the table that holds the leaf; it keeps as many as it was given, in no order
 * @spare: of pt_spare_get(), or one that lost all its entries
 * Context: the lock of @table held. Who takes the leaf away takes one of these, too.
 */
void pt_keep(struct page *table, struct page *spare);
struct page *pt_kept_take(struct page *table);

/**
 * pt_detach() - take a table of 4K leaves out of the tree
 * @table: what pt_walk() finds for @va; its slot becomes empty, its entries stay
 * Context: mmap_lock for writing. TLB: the caller flushes all that the table covered.
 */
void pt_detach(struct pgtable *pgt, user_addr_t va, struct page *table);

/**
 * pt_split() - replace a 2M or 1G leaf by a table of 512 equal smaller leaves
 * @leaf: what the slot holds, or that with other rights; accessed and dirty bits are kept
 * @table: of pt_spare_get() or pt_kept_take()
 * Context: the lock of the slot's table held.
 * TLB: none; translations stay the same. The caller flushes before it changes one of them.
 */
void pt_split(const struct pt_walk *walk, pte_t leaf, struct page *table);

struct tlb_gather;

/**
 * pt_free_tables() - give back tables across [start, end) that are empty
 * @floor, @ceiling: only tables that lie wholly between these go: areas outside may be about to
 *                   fill theirs
 * Where each CPU has a root of its own, tables that a root leads to stay, empty.
 * Context: mmap_lock for writing [start, end). The pages go through the gather: freed after the
 *          flush.
 */
void pt_free_tables(struct pgtable *pgt, user_addr_t start, user_addr_t end, user_addr_t floor,
                    user_addr_t ceiling, struct tlb_gather *gather);

/* The address space of the kernel alone: for idle CPUs and kernel threads. */
extern struct pgtable kernel_pgtable;

/**
 * pgtable_check() - V3, V4, V14, V15 for one address space
 * Context: nobody changes the tables meanwhile.
 * Return: 0, or -EUCLEAN after printing the first broken claim.
 */
int __must_check pgtable_check(struct pgtable *pgt);

/* V13, V14, V15 for the kernel half: W^X, nothing of it the user's. 0 or -EUCLEAN. */
int __must_check kernel_tables_check(void);

/* How many frames in state TABLE the kernel half is made of. */
uint64_t kernel_tables_count(void);
