/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/check.c - are page tables what their heads claim?
 *
 * Room:   arch.
 * Owns:   the checks V3, V4, V13, V14, V15 of page tables.
 * Locks:  the caller keeps everybody from changing them.
 * Always: (1) checks change nothing.
 * Source: trust.md section 2.
 * Tour:   with mm/check.c.
 */
#include "insn.h"
#include "kernel_tables.h"
#include "percpu.h"
#include "roots.h"
#include <asm/machine.h>
#include <asm/pgtable.h>
#include <base/claim.h>
#include <base/log.h>
#include <mm/page.h>
#include <uapi/errno.h>

static unsigned kept_by(const struct page *table)
{
    unsigned nr = 0;

    for (const struct page *spare = table->table.kept; spare; spare = spare->table.kept)
        nr++;
    return nr;
}

/* A huge leaf that can be split, for which a table must be kept. */
static bool is_private_leaf(pte_t pte)
{
    struct page *page = phys_to_page(pte_phys(pte, PT_2M));

    return pte_has_frame(pte) && pte_kind(pte, PT_2M) != PTE_KIND_TABLE &&
           page_is_initialised(page_to_pfn(page)) &&
           (page->state == PAGE_ANON || page_is_zeros(page));
}

/* What is not present names no memory, as it stands: a CPU may guess by it. */
static bool is_unspoken(pte_t pte)
{
    uint64_t bare = pte.raw & PTE_PHYS;
    return pte_is_present(pte) || !bare || !page_is_initialised(bare >> PAGE_SHIFT);
}

/* Upper levels are permissive: the leaf alone decides. */
static bool leads_as_it_should(pte_t pte)
{
    return pte.raw == pte_user_table(pte_table_phys(pte)).raw;
}

/* One user table and all below it. */
static int check_user_table(struct page *table, enum pt_level level, uint64_t *nr_tables)
{
    unsigned used = 0;
    pte_t *slots = page_kva(table);
    unsigned nr = level == PT_512G ? PT_ENTRIES / 2 : PT_ENTRIES;
    unsigned may_split = 0, kept = kept_by(table);

    CLAIM(table->state == PAGE_TABLE, "V3", "table in frame %#lx is %s", page_to_pfn(table),
          page_state_names[table->state]);
    *nr_tables += 1 + kept;
    for (unsigned i = 0; i < nr; i++) {
        pte_t pte = pte_read(&slots[i]);
        CLAIM(is_unspoken(pte), "V15", "frame %#lx: entry %u is %#lx", page_to_pfn(table), i,
              pte.raw);
        used += !pte_is_none(pte);
        may_split += level == PT_2M && is_private_leaf(pte);
        if (pte_kind(pte, level) == PTE_KIND_TABLE) {
            CLAIM(leads_as_it_should(pte), "V3", "frame %#lx: entry %u is %#lx", page_to_pfn(table),
                  i, pte.raw);
            int err = check_user_table(phys_to_page(pte_table_phys(pte)), level - 1, nr_tables);
            if (err)
                return err;
        }
    }
    CLAIM(used == table->table.used, "V4", "frame %#lx: %u entries, %u counted", page_to_pfn(table),
          used, table->table.used);
    CLAIM(kept == may_split, "V4", "frame %#lx: %u huge leaves of private memory, %u tables kept",
          page_to_pfn(table), may_split, kept);
    return 0;
}

int pgtable_check(struct pgtable *pgt)
{
    uint64_t nr_tables = roots_tables(pgt);
    pte_t *root = kernel_table(pgt->root);
    const pte_t *kernel = kernel_table(kernel_pgtable.root);

    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
        CLAIM(root[i].raw == kernel[i].raw, "V4", "root entry %u differs from the kernel's", i);
    int err = check_user_table(phys_to_page(pgt->root), PT_512G, &nr_tables);
    if (err)
        return err;
    CLAIM(nr_tables == atomic_load(&pgt->nr_tables), "V4", "%lu tables, %lu counted", nr_tables,
          atomic_load(&pgt->nr_tables));
    return roots_check(pgt);
}

static uint64_t tables_below(phys_addr_t table, enum pt_level level)
{
    struct page *page = phys_to_page(table);
    bool owned = page_is_initialised(page_to_pfn(page)) && page->state == PAGE_TABLE;
    uint64_t nr = owned;

    for (unsigned i = 0; level > PT_4K && i < PT_ENTRIES; i++) {
        pte_t pte = pte_read(kernel_table(table) + i);
        if (pte_kind(pte, level) == PTE_KIND_TABLE)
            nr += tables_below(pte_table_phys(pte), level - 1);
    }
    return nr;
}

uint64_t kernel_tables_count(void)
{
    return tables_below(kernel_pgtable.root, PT_512G);
}

/* V13, V14: no leaf of the kernel half is writable and executable, none is the user's. */
static int check_kernel_table(phys_addr_t table, enum pt_level level, uint64_t va)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        pte_t pte = pte_read(kernel_table(table) + i);
        uint64_t at = va + i * pt_level_size(level);
        enum pte_kind kind = pte_kind(pte, level);
        if (kind == PTE_KIND_NONE)
            continue;
        CLAIM(pte_is_present(pte), "V15", "kernel entry %#lx at %#lx", pte.raw, at);
        CLAIM(!pte_is_user(pte), "V14", "the user may reach %#lx", at);
        if (kind == PTE_KIND_LEAF) {
            CLAIM(!(pte_is_writable(pte) && pte_is_executable(pte) && cpu_has(CPU_NX)), "V13",
                  "%#lx is writable and executable", at);
            continue;
        }
        int err = check_kernel_table(pte_table_phys(pte), level - 1, at);
        if (err)
            return err;
    }
    return 0;
}

int kernel_tables_check(void)
{
    const pte_t *root = kernel_table(kernel_pgtable.root);

    for (unsigned i = 0; i < PT_ENTRIES / 2; i++)
        CLAIM(pte_is_none(root[i]), "V14", "the kernel's own root has a user entry %u", i);
    for (unsigned i = PT_ENTRIES / 2; i < PT_ENTRIES; i++) {
        if (pte_is_none(root[i]))
            continue;
        CLAIM(pte_kind(root[i], PT_512G) == PTE_KIND_TABLE, "V15", "root entry %u is %#lx", i,
              root[i].raw);
        int err = check_kernel_table(pte_table_phys(root[i]), PT_1G,
                                     0xffff000000000000UL | (uint64_t)i << 39);
        if (err)
            return err;
    }
    CLAIM(read_cr0() & CR0_WP, "V13", "CR0.WP is off");
    return 0;
}
