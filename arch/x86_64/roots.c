/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/roots.c - a root for each CPU, so that only those are asked who can remember
 *
 * Room:   arch. docs/tlb.md, "A root for each CPU", says why all this is enough.
 * Owns:   the roots of CPUs, and the note of who has which entry.
 * Locks:  none: see arch/x86_64/roots.h.
 * Always: (1) a CPU notes that it uses an entry before that is in its root; who takes something out
 *             looks at the notes after that: he sees the note, or the CPU sees what he did;
 *         (2) an entry of an own root is the shared one's, which stays: see sweep_table();
 *         (3) a note goes only before a load that forgets the whole space, and that, as leaving the
 *             shared root, is a generation which the CPU has seen.
 * Source: Clements, Kaashoek, Zeldovich, "RadixVM" (2013), for the idea.
 * Tour:   after arch/x86_64/pgtable.c; then arch/x86_64/tlb_space.c.
 */
#include "roots.h"

#include <asm/cpu.h>
#include <asm/tlb.h>
#include <base/bug.h>
#include <base/claim.h>
#include <base/log.h>
#include <mm/slab.h>
#include <uapi/errno.h>

int roots_make(struct pgtable *pgt)
{
    struct pt_roots *roots =
        kmem_alloc(sizeof(*roots) + nr_cpus() * sizeof(roots->own[0]), SLAB_ALLOC_ZERO);
    int err = roots ? 0 : -ENOMEM;

    for (unsigned i = 0; !err && i < nr_cpus(); i++) {
        err = pt_root_get(pgt, &roots->own[i].table);
        while (err && i-- > 0)
            pt_root_put(pgt, roots->own[i].table);
    }
    if (err) {
        kmem_free(roots);
        return err;
    }
    atomic_store(&roots->outside, ~0UL);
    atomic_store(&pgt->roots, roots);
    return 0;
}

static pte_t *entries_of(const struct page *root)
{
    return page_kva(root);
}

#define for_each_entry(i, own)                                                       \
    for ((i) = bitmap_find_set((own)->entries, ROOT_ENTRIES, 0); (i) < ROOT_ENTRIES; \
         (i) = bitmap_find_set((own)->entries, ROOT_ENTRIES, (i) + 1))

static void entry_drop(struct pt_roots *roots, unsigned cpu, unsigned i)
{
    struct own_root *own = &roots->own[cpu];

    pte_write(&entries_of(own->table)[i], pte_none());
    bitmap_clear(own->entries, i);
    atomic_fetch_and(&roots->users[i], ~(1UL << cpu));
}

void roots_free(struct pgtable *pgt)
{
    struct pt_roots *roots = roots_of(pgt);
    unsigned entry;

    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++) {
        for_each_entry(entry, &roots->own[cpu]) entry_drop(roots, cpu, entry);
        pt_root_put(pgt, roots->own[cpu].table);
    }
    atomic_store(&pgt->roots, NULL);
    kmem_free(roots);
}

static bool is_outside(const struct pt_roots *roots, unsigned cpu)
{
    return atomic_load(&roots->outside) >> cpu & 1;
}

/* Entries that were not used since the last time go; the CPU is about to forget everything. Was
 * there one? */
static bool age_entries(struct pt_roots *roots, unsigned cpu)
{
    struct own_root *own = &roots->own[cpu];
    bool dropped = false;
    unsigned entry;

    for_each_entry(entry, own)
    {
        pte_t *slot = &entries_of(own->table)[entry];
        if (pte_is_young(pte_read(slot))) {
            pte_clear_young(slot);
        } else {
            entry_drop(roots, cpu, entry);
            dropped = true;
        }
    }
    return dropped;
}

phys_addr_t roots_choose(struct pgtable *pgt, unsigned cpu, bool *keep)
{
    struct pt_roots *roots = roots_of(pgt);

    *keep = *keep && !is_outside(roots, cpu);
    if (!*keep && age_entries(roots, cpu))
        atomic_fetch_add(&pgt->generation, 1);
    return page_to_phys(roots->own[cpu].table);
}

uint64_t roots_chosen(struct pgtable *pgt, unsigned cpu, uint64_t generation)
{
    struct pt_roots *roots = roots_of(pgt);

    if (!is_outside(roots, cpu))
        return generation;
    atomic_fetch_and(&roots->outside, ~(1UL << cpu));
    return atomic_fetch_add(&pgt->generation, 1) + 1;
}

phys_addr_t roots_root(const struct pgtable *pgt, unsigned cpu)
{
    const struct pt_roots *roots = roots_of(pgt);

    return roots && !is_outside(roots, cpu) ? page_to_phys(roots->own[cpu].table) : pgt->root;
}

bool roots_follow(const struct pgtable *pgt, unsigned cpu, uint64_t va)
{
    struct pt_roots *roots = roots_of(pgt);
    struct own_root *own = &roots->own[cpu];
    unsigned entry = pt_index(va, PT_512G);
    pte_t shared = pte_read((const pte_t *)direct_map_ptr(pgt->root) + entry);

    if (pte_is_none(shared) || is_outside(roots, cpu) || bitmap_test(own->entries, entry))
        return false;
    if (!bug_is_back(BUG_B85))
        atomic_fetch_or(&roots->users[entry], 1UL << cpu);
    bitmap_set(own->entries, entry);
    pte_write(&entries_of(own->table)[entry], shared);
    return true;
}

/* Entries of roots, the last one included. */
struct reach {
    unsigned first, last;
};

static struct reach reach_of(const struct tlb_gather *g)
{
    uint64_t start = g->tables ? min(g->start, g->tables_start) : g->start;
    uint64_t end = g->tables ? max(g->end, g->tables_end) : g->end;

    return (struct reach){pt_index(start, PT_512G), pt_index(min(end, USER_END) - 1, PT_512G)};
}

uint64_t roots_users(const struct tlb_gather *g)
{
    const struct pt_roots *roots = roots_of(g->pgt);
    const struct reach reach = reach_of(g);
    uint64_t users = atomic_load(&roots->outside);

    for (unsigned i = reach.first; i <= reach.last; i++)
        users |= atomic_load(&roots->users[i]);
    return users;
}

uint64_t roots_holders(const struct tlb_gather *g)
{
    const struct pt_roots *roots = roots_of(g->pgt);
    const struct reach reach = reach_of(g);
    uint64_t holders = roots ? atomic_load(&roots->outside) : ~0UL;

    for (unsigned cpu = 0; roots && cpu < nr_cpus(); cpu++)
        for (unsigned i = reach.first; i <= reach.last; i++)
            if (!pte_is_none(pte_read(&entries_of(roots->own[cpu].table)[i])))
                holders |= 1UL << cpu;
    return holders;
}

/* The CPU sets the accessed bit. */
static bool is_same_entry(pte_t a, pte_t b)
{
    return pte_made_young(a).raw == pte_made_young(b).raw;
}

static int check_root(const struct pgtable *pgt, const struct pt_roots *roots, unsigned cpu)
{
    const pte_t *own = entries_of(roots->own[cpu].table), *shared = direct_map_ptr(pgt->root);

    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        bool users = i < ROOT_ENTRIES;
        CLAIM((users && pte_is_none(own[i])) || own[i].raw == shared[i].raw ||
                  (users && is_same_entry(own[i], shared[i])),
              "V26", "CPU %u's own root has %#lx as entry %u, all others' %#lx", cpu, own[i].raw, i,
              shared[i].raw);
        CLAIM(!users || bitmap_test(roots->own[cpu].entries, i) == !pte_is_none(own[i]), "V26",
              "CPU %u counts entry %u wrong", cpu, i);
        CLAIM(!users || pte_is_none(own[i]) || (atomic_load(&roots->users[i]) >> cpu & 1), "V26",
              "CPU %u may walk by entry %u, and would not be asked", cpu, i);
    }
    return 0;
}

int roots_check(const struct pgtable *pgt)
{
    const struct pt_roots *roots = roots_of(pgt);
    int err = 0;

    for (unsigned cpu = 0; roots && !err && cpu < nr_cpus(); cpu++)
        err = check_root(pgt, roots, cpu);
    return err;
}

uint64_t roots_tables(const struct pgtable *pgt)
{
    return roots_of(pgt) ? nr_cpus() : 0;
}
