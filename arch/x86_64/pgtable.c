/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/pgtable.c - the tables of an address space: making, walking, splitting, freeing
 *
 * Room:   arch.
 * Owns:   table pages, and how many entries of each are in use.
 * Locks:  a table's own lock (rank PAGE_TABLE) for its entries; a new table is published under the
 *         lock of its parent.
 * Always: (1) a table page's used count is the number of its non-zero entries;
 *         (2) nobody frees a table that others may walk to: see sweep_table();
 *         (3) in debug builds who walks to one that is free faults, with a reserved bit, however he
 *             came to remember it.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   after asm/pgtable.h; then arch/x86_64/tlb.c.
 */
#include <asm/pgtable.h>

#include "kernel_tables.h"
#include "percpu.h"
#include "roots.h"
#include <asm/tlb.h>
#include <base/bug.h>
#include <base/fail.h>
#include <base/log.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

#define KERNEL_ROOT_FIRST 256 /* the first root entry of the kernel half */

/* Claim 3. Present; and of the root, of 1G and 2M leaves, and of small ones below 52 bits of a
 * physical address, bits are set that must not be. */
#define HAS(bits) ((PAGE_POISON_WORD & (bits)) == (bits))
_Static_assert(HAS(PTE_P | PTE_PS | 1UL << 13 | 1UL << 51), "a freed table would be walked");
#undef HAS

static struct page *table_page(phys_addr_t a)
{
    return phys_to_page(a);
}

/* @contents: as for page_alloc(). */
static int table_page_alloc(struct pgtable *pgt, enum page_alloc_flags contents, struct page **out)
{
    if (fail_injected(FAIL_PAGE_TABLE))
        return -ENOMEM;
    int err = page_alloc(0, contents | PAGE_ALLOC_AS(PAGE_TABLE), out);
    if (err)
        return err;
    (*out)->table.used = 0;
    (*out)->table.kept = NULL;
    spin_lock_init(&(*out)->table.lock, LOCK_RANK_PAGE_TABLE);
    atomic_fetch_add_explicit(&pgt->nr_tables, 1, memory_order_relaxed);
    return 0;
}

static int table_alloc(struct pgtable *pgt, struct page **out)
{
    return table_page_alloc(pgt, PAGE_ALLOC_ZERO, out);
}

/* An empty table, which is a blank page. */
static void table_free(struct pgtable *pgt, struct page *table)
{
    DEBUG_ASSERT(!table->table.kept, "claim: what a table keeps goes with its leaves");
    atomic_fetch_sub_explicit(&pgt->nr_tables, 1, memory_order_relaxed);
    page_free_blank(table);
}

/* Claim 3 of asm/pgtable.h: the entries of the kernel's root, of which few are used. */
static struct {
    unsigned nr;
    struct {
        unsigned index;
        pte_t pte;
    } slots[PT_ENTRIES - KERNEL_ROOT_FIRST];
} kernel_half;

void pgtable_boot_init(void)
{
    const pte_t *root = kernel_table(kernel_pgtable.root);

    kernel_half.nr = 0;
    for (unsigned i = KERNEL_ROOT_FIRST; i < PT_ENTRIES; i++) {
        if (pte_is_none(root[i]))
            continue;
        kernel_half.slots[kernel_half.nr].index = i;
        kernel_half.slots[kernel_half.nr++].pte = root[i];
    }
}

static inline int root_alloc(struct pgtable *pgt, struct page **root)
{
    int err = table_alloc(pgt, root);
    if (err)
        return err;
    pte_t *slots = page_kva(*root);
    for (unsigned i = 0; i < kernel_half.nr; i++)
        slots[kernel_half.slots[i].index] = kernel_half.slots[i].pte;
    return 0;
}

int pt_root_get(struct pgtable *pgt, struct page **root)
{
    return root_alloc(pgt, root);
}

int pgtable_init(struct pgtable *pgt)
{
    struct page *root;

    static _Atomic uint64_t last_id;

    *pgt = (struct pgtable){.id = atomic_fetch_add(&last_id, 1) + 1, .nr_gone = 1};
    int err = root_alloc(pgt, &root);
    if (err)
        return err;
    pgt->root = page_to_phys(root);
    pgt->copy_end = USER_END;
    return 0;
}

/* What root_alloc() wrote goes: the page is as blank as it was. */
static inline void root_free(struct page *root)
{
    pte_t *slots = page_kva(root);

    for (unsigned i = 0; i < kernel_half.nr; i++)
        slots[kernel_half.slots[i].index] = pte_none();
    page_free_blank(root);
}

void pt_root_put(struct pgtable *pgt, struct page *root)
{
    atomic_fetch_sub_explicit(&pgt->nr_tables, 1, memory_order_relaxed);
    root_free(root);
}

/* The tables that @table leads to go; it is empty then, its kernel half aside. */
static void free_below(struct pgtable *pgt, struct page *table, enum pt_level level)
{
    pte_t *slots = page_kva(table);
    for (unsigned i = 0; level > PT_4K && table->table.used; i++) {
        if (pte_is_none(slots[i]))
            continue;
        ASSERT(pte_kind(slots[i], level) == PTE_KIND_TABLE, "pte=%#lx", slots[i].raw);
        struct page *below = table_page(pte_table_phys(slots[i]));
        free_below(pgt, below, level - 1);
        table_free(pgt, below);
        pt_set(table, &slots[i], pte_none());
    }
    ASSERT(table->table.used == 0, "claim: no leaf is left; used=%u", table->table.used);
}

void pgtable_destroy(struct pgtable *pgt)
{
    ASSERT(atomic_load(&pgt->cpus) == 0, "cpus=%#lx", atomic_load(&pgt->cpus));
    struct page *root = table_page(pgt->root);
    if (unlikely(roots_of(pgt)))
        roots_free(pgt);
    free_below(pgt, root, PT_512G);
    ASSERT(atomic_load(&pgt->nr_tables) == 1, "claim: only the root is left");
    root_free(root);
}

struct pt_walk pt_walk(struct pgtable *pgt, user_addr_t va)
{
    return pt_walk_down_to(pgt, va, PT_4K);
}

/* @slot, for @va, is of a table that was there at @nr_gone. */
static void remember(struct pt_near *near, uint64_t nr_gone, uint64_t va, struct page *table,
                     pte_t *slot)
{
    near->unit = va >> HUGE_SHIFT;
    near->nr_gone = nr_gone;
    near->table = table;
    near->slots = slot - pt_index(va, PT_4K);
}

/* Before the walk, so that a table that goes meanwhile is not remembered. */
static uint64_t nr_gone_of(const struct pgtable *pgt)
{
    return atomic_load_explicit(&pgt->nr_gone, memory_order_acquire);
}

struct pt_walk pt_walk_remember(struct pgtable *pgt, struct pt_near *near, user_addr_t va)
{
    uint64_t nr_gone = nr_gone_of(pgt);
    struct pt_walk walk = pt_walk_down_to(pgt, va, PT_4K);

    if (likely(walk.level == PT_4K))
        remember(near, nr_gone, va.raw, walk.table, walk.slot);
    return walk;
}

void pt_detach(struct pgtable *pgt, user_addr_t va, struct page *table)
{
    struct pt_walk walk = pt_walk_down_to(pgt, va, PT_2M);

    spin_lock(pt_lock(walk.table));
    pte_t old = pt_set(walk.table, walk.slot, pte_none());
    spin_unlock(pt_lock(walk.table));
    atomic_fetch_add_explicit(&pgt->nr_gone, 1, memory_order_relaxed);
    ASSERT(pte_kind(old, PT_2M) == PTE_KIND_TABLE &&
               pte_table_phys(old).raw == page_to_phys(table).raw,
           "claim 2: nobody else takes a table; pte=%#lx", old.raw);
}

/* Put a new table into the empty slot where a walk to @va stopped, and go on to the slot in it.
 * Unless somebody else was faster: then walk again. */
static int table_publish(struct pgtable *pgt, user_addr_t va, struct pt_walk *walk)
{
    struct page *table;
    int err = table_alloc(pgt, &table);
    if (err)
        return err;
    spin_lock(pt_lock(walk->table));
    bool mine = pte_is_none(*walk->slot);
    if (mine)
        pt_set(walk->table, walk->slot, pte_user_table(page_to_phys(table)));
    spin_unlock(pt_lock(walk->table));
    if (mine) {
        enum pt_level below = walk->level - 1;
        *walk = (struct pt_walk){table, (pte_t *)page_kva(table) + pt_index(va.raw, below), below};
    } else {
        table_free(pgt, table);
        *walk = pt_walk(pgt, va);
    }
    return 0;
}

static int walk_and_make(struct pgtable *pgt, user_addr_t va, enum pt_level level,
                         struct pt_walk *out)
{
    while (out->level > level && pte_is_none(pte_read(out->slot))) {
        int err = table_publish(pgt, va, out);
        if (err)
            return err;
    }
    return 0;
}

int pt_walk_alloc(struct pgtable *pgt, user_addr_t va, enum pt_level level, struct pt_walk *out)
{
    *out = pt_walk(pgt, va);
    return likely(out->level <= level) ? 0 : walk_and_make(pgt, va, level, out);
}

int pt_walk_alloc_near(struct pgtable *pgt, struct pt_near *near, user_addr_t va,
                       enum pt_level level, struct pt_walk *out)
{
    if (pt_is_near(pgt, near, va)) {
        *out = (struct pt_walk){near->table, near->slots + pt_index(va.raw, PT_4K), PT_4K};
        return 0;
    }
    *out = pt_walk_remember(pgt, near, va);
    return likely(out->level <= level) ? 0 : walk_and_make(pgt, va, level, out);
}

/* The first run at or after run->va; empty spans of higher levels are passed over. */
static void run_find(struct pt_run *run)
{
    while (run->va < run->end) {
        struct pt_walk walk = pt_walk(run->pgt, user(run->va));
        uint64_t size = pt_level_size(walk.level);
        if (walk.level > PT_4K && pte_is_none(pte_read(walk.slot))) {
            run->va = round_down(run->va, size) + size;
            continue;
        }
        uint64_t table_end = round_down(run->va, size * PT_ENTRIES) + size * PT_ENTRIES;
        run->table = walk.table;
        run->slot = walk.slot;
        run->level = walk.level;
        run->nr = walk.level == PT_4K ? (min(run->end, table_end) - run->va) / size : 1;
        run->from = run->va;
        run->va = round_down(run->va, size);
        return;
    }
    run->nr = 0;
}

void pt_run_first(struct pt_run *run, struct pgtable *pgt, user_addr_t start, user_addr_t end)
{
    run->pgt = pgt;
    run->va = start.raw;
    run->end = end.raw;
    run_find(run);
}

void pt_run_first_remember(struct pt_run *run, struct pgtable *pgt, struct pt_near *near,
                           user_addr_t start, user_addr_t end)
{
    uint64_t nr_gone = nr_gone_of(pgt);

    pt_run_first(run, pgt, start, end);
    if (run->nr && run->level == PT_4K)
        remember(near, nr_gone, run->va, run->table, run->slot);
}

void pt_run_next(struct pt_run *run)
{
    run->va += run->nr * pt_level_size(run->level);
    run_find(run);
}

void pt_run_lock(struct pt_run *run)
{
    DEBUG_ASSERT(run->table->state == PAGE_TABLE, "V3: the table at %#lx is %s", run->va,
                 page_state_names[run->table->state]);
    spin_lock(pt_lock(run->table));
    while (pte_kind(pte_read(run->slot), run->level) == PTE_KIND_TABLE && !bug_is_back(BUG_B26)) {
        spin_unlock(pt_lock(run->table));
        run->va = run->from;
        run_find(run);
        spin_lock(pt_lock(run->table));
    }
}

int pt_spare_get(struct pgtable *pgt, struct page **table)
{
    return table_alloc(pgt, table);
}

void pt_spare_put(struct pgtable *pgt, struct page *table)
{
    table_free(pgt, table);
}

void pt_keep(struct page *table, struct page *spare)
{
    spare->table.kept = table->table.kept;
    table->table.kept = spare;
}

struct page *pt_kept_take(struct page *table)
{
    struct page *spare = table->table.kept;

    ASSERT(spare, "claim: there is one for each leaf that may be split");
    table->table.kept = spare->table.kept;
    spare->table.kept = NULL;
    return spare;
}

void pt_split(const struct pt_walk *walk, pte_t leaf, struct page *table)
{
    enum pt_level small = walk->level - 1;
    phys_addr_t frame = pte_phys(leaf, walk->level);
    pte_t *slots = page_kva(table);

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        slots[i] = pte_at_level(leaf, phys_add(frame, i * pt_level_size(small)), small);
    table->table.used = PT_ENTRIES;
    pt_set(walk->table, walk->slot, pte_user_table(page_to_phys(table)));
}

/* What pt_free_tables() was asked for: where to look, and what must be wholly free of areas. */
struct sweep {
    struct pgtable *pgt;
    uint64_t floor, ceiling;
    struct tlb_gather *gather;
};

/*
 * The tables below @table that lie across [start, end).
 *
 * Faults elsewhere walk meanwhile, and fill tables. None can step into one that goes: a walk only
 * passes tables that span its own address, which lies in an area, and no area lies between floor
 * and ceiling. For the same reason nobody else writes the slot that leads there. The upper table it
 * is in is shared with others: hence its lock, and its count is asked only once it is alone, too.
 */
static void sweep_table(const struct sweep *sweep, struct page *table, enum pt_level level,
                        uint64_t start, uint64_t end)
{
    uint64_t size = pt_level_size(level);
    pte_t *slot = (pte_t *)page_kva(table) + pt_index(start, level);

    for (uint64_t at = round_down(start, size); at < end; at += size, slot++) {
        pte_t pte = pte_read(slot);
        if (pte_kind(pte, level) != PTE_KIND_TABLE)
            continue;
        struct page *below = table_page(pte_table_phys(pte));
        if (level - 1 > PT_4K)
            sweep_table(sweep, below, level - 1, max(at, start), min(at + size, end));
        bool shared = at < sweep->floor || at + size > sweep->ceiling;
        if ((shared && !bug_is_back(BUG_B16)) || below->table.used)
            continue;
        if (unlikely(roots_of(sweep->pgt))) {
            if (level == PT_512G)
                continue; /* other roots lead there, too */
            tlb_gather_tables_of(sweep->gather, at, at + size);
        }
        spin_lock(pt_lock(table));
        pt_set(table, slot, pte_none());
        spin_unlock(pt_lock(table));
        atomic_fetch_sub_explicit(&sweep->pgt->nr_tables, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&sweep->pgt->nr_gone, 1, memory_order_relaxed);
        tlb_gather_table(sweep->gather, below);
    }
}

void pt_free_tables(struct pgtable *pgt, user_addr_t start, user_addr_t end, user_addr_t floor,
                    user_addr_t ceiling, struct tlb_gather *gather)
{
    struct sweep sweep = {pgt, floor.raw, ceiling.raw, gather};
    sweep_table(&sweep, table_page(pgt->root), PT_512G, start.raw, end.raw);
}
