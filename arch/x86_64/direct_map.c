/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/direct_map.c - hiding pages from the direct map, and healing it afterwards
 *
 * Room:   arch.
 * Owns:   the leaves between DIRECT_MAP_BASE and DIRECT_MAP_END after boot.
 * Locks:  direct_map_lock.
 * Always: (1) a table made by a split counts its slots that are not whole: hidden, or split again;
 *         (2) when that count falls to 0 the table is replaced by the leaf it came from;
 *         (3) splitting and healing change no translation of a page that is not being hidden;
 *         (4) what healed is forgotten leaf by leaf: when the large leaf is hidden later, no CPU
 *             knows a part of it by itself.
 * Source: Intel SDM 3A, "Details of TLB Use"; trust.md V19, V20.
 * Tour:   after asm/direct_map.h.
 */
#include <asm/direct_map.h>

#include "kernel_tables.h"
#include "percpu.h"
#include <asm/machine.h>
#include <asm/tlb.h>
#include <base/bug.h>
#include <base/log.h>
#include <base/panic.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

static spinlock_t direct_map_lock = SPINLOCK_INIT(LOCK_RANK_DIRECT_MAP);
static struct direct_map_counts counts;
static uint64_t ram_pages; /* what boot mapped: all RAM but the image's text and rodata */

static uint64_t va_of(uint64_t pfn)
{
    return DIRECT_MAP_BASE + (pfn << PAGE_SHIFT);
}

static pgprot_t prot_of_ram(void)
{
    pgprot_t prot = pgprot_kernel();
    return pgprot_write(bug_is_back(BUG_B54) ? pgprot_exec(prot) : prot);
}

/* The table a slot lies in, if a split made it; NULL for the tables of boot, which never heal. */
static struct page *split_table_of(pte_t *slot)
{
    struct page *table = kva_to_page(slot);
    return page_is_initialised(page_to_pfn(table)) && table->state == PAGE_TABLE ? table : NULL;
}

static void slot_not_whole(pte_t *slot)
{
    struct page *table = split_table_of(slot);
    if (table)
        table->table.used++;
}

static int split(uint64_t va)
{
    enum pt_level level;
    pte_t *slot = kernel_slot(va, &level);
    pte_t old = pte_read(slot);
    struct page *table;

    int err = page_alloc(0, 0, &table);
    if (err)
        return err;
    page_set_state(table, PAGE_TABLE);
    table->table.used = 0;
    pte_t *slots = page_kva(table);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        slots[i] = pte_leaf(phys_add(pte_phys(old, level), i * pt_level_size(level - 1)),
                            prot_of_ram(), level - 1);
    pte_write(slot, pte_kernel_table(page_to_phys(table)));
    slot_not_whole(slot);
    counts.leaves[level]--;
    counts.leaves[level - 1] += PT_ENTRIES;
    counts.splits[level]++;
    return 0;
}

/* A slot has become whole again: does its table, and the one above it? */
static void slot_whole(struct direct_map_change *change, pte_t *slot, uint64_t va)
{
    struct page *table = split_table_of(slot);
    if (!table || --table->table.used)
        return;

    phys_addr_t parent = kernel_pgtable.root;
    enum pt_level level = PT_512G;
    pte_t *parent_slot;
    for (;; level--) {
        parent_slot = kernel_table(parent) + pt_index(va, level);
        parent = pte_table_phys(pte_read(parent_slot));
        if (parent.raw == page_to_phys(table).raw)
            break;
    }
    uint64_t size = pt_level_size(level);
    uint64_t first_va = round_down(va, size);
    pte_write(parent_slot, pte_leaf(phys(first_va - DIRECT_MAP_BASE), prot_of_ram(), level));
    counts.leaves[level - 1] -= PT_ENTRIES;
    counts.leaves[level]++;
    counts.heals[level]++;

    uint64_t first_pfn = (first_va - DIRECT_MAP_BASE) >> PAGE_SHIFT;
    change->first_pfn = min(change->first_pfn, first_pfn);
    change->end_pfn = max(change->end_pfn, first_pfn + (size >> PAGE_SHIFT));
    change->level = min(change->level, level - 1);
    list_add(&table->list, &change->healed);
    slot_whole(change, parent_slot, va);
}

/* Make @va the border between two leaves. */
static int split_until_border(uint64_t va)
{
    for (;;) {
        enum pt_level level;
        pte_t *slot = kernel_slot(va, &level);
        if (pte_is_none(pte_read(slot)) || is_aligned(va, pt_level_size(level)))
            return 0;
        int err = split(va);
        if (err)
            return err;
    }
}

/* Undo splits at @va that turned out to be for nothing. */
static void heal_if_whole(struct direct_map_change *change, uint64_t va)
{
    enum pt_level level;
    pte_t *slot = kernel_slot(va, &level);
    struct page *table = split_table_of(slot);
    if (table && table->table.used == 0) {
        table->table.used = 1;
        slot_whole(change, slot, va);
    }
}

void direct_map_change_begin(struct direct_map_change *change)
{
    *change = (struct direct_map_change){.first_pfn = ~0UL, .level = PT_1G};
    list_init(&change->healed);
}

int direct_map_hide_noflush(struct direct_map_change *change, uint64_t pfn, uint64_t nr_pages)
{
    uint64_t start = va_of(pfn), end = va_of(pfn + nr_pages);
    irq_flags_t flags = spin_lock_irqsave(&direct_map_lock);

    int err = split_until_border(start);
    if (!err)
        err = split_until_border(end);
    if (err) {
        heal_if_whole(change, start);
        heal_if_whole(change, end - 1);
        goto out;
    }
    for (uint64_t va = start; va < end;) {
        enum pt_level level;
        pte_t *slot = kernel_slot(va, &level);
        ASSERT(!pte_is_none(pte_read(slot)), "claim: a page is hidden once; pfn=%#lx",
               (va - DIRECT_MAP_BASE) >> PAGE_SHIFT);
        pte_write(slot, pte_none());
        slot_not_whole(slot);
        counts.leaves[level]--;
        change->level = min(change->level, level);
        va += pt_level_size(level);
    }
    counts.hidden_pages += nr_pages;
    change->first_pfn = min(change->first_pfn, pfn);
    change->end_pfn = max(change->end_pfn, pfn + nr_pages);
out:
    spin_unlock_irqrestore(&direct_map_lock, flags);
    return err;
}

void direct_map_restore_noflush(struct direct_map_change *change, uint64_t pfn, uint64_t nr_pages)
{
    uint64_t end = va_of(pfn + nr_pages);
    irq_flags_t flags = spin_lock_irqsave(&direct_map_lock);

    for (uint64_t va = va_of(pfn); va < end;) {
        enum pt_level level;
        pte_t *slot = kernel_slot(va, &level);
        uint64_t size = pt_level_size(level);
        ASSERT(pte_is_none(pte_read(slot)) && is_aligned(va, size) && end - va >= size,
               "claim: what was hidden as one entry comes back as one; va=%#lx level=%d", va,
               level);
        pte_write(slot, pte_leaf(phys(va - DIRECT_MAP_BASE), prot_of_ram(), level));
        counts.leaves[level]++;
        slot_whole(change, slot, va);
        va += size;
    }
    counts.hidden_pages -= nr_pages;
    spin_unlock_irqrestore(&direct_map_lock, flags);
}

void direct_map_change_end(struct direct_map_change *change)
{
    __auto_type flush =
        list_empty(&change->healed) ? tlb_flush_kernel_leaves : tlb_flush_kernel_tables;

    if (change->first_pfn < change->end_pfn)
        flush((void *)va_of(change->first_pfn), (void *)va_of(change->end_pfn), change->level);
    while (!list_empty(&change->healed)) {
        struct page *table = list_entry(change->healed.next, struct page, list);
        list_del(&table->list);
        page_free(table, 0);
    }
}

bool direct_map_present(uint64_t pfn)
{
    enum pt_level level;
    return !pte_is_none(pte_read(kernel_slot(va_of(pfn), &level)));
}

void direct_map_counts(struct direct_map_counts *out)
{
    irq_flags_t flags = spin_lock_irqsave(&direct_map_lock);
    *out = counts;
    spin_unlock_irqrestore(&direct_map_lock, flags);
}

/* Visit every leaf; the callback returns false to stop. */
static bool each_leaf(phys_addr_t table, enum pt_level level, uint64_t va,
                      bool (*visit)(uint64_t va, pte_t pte, enum pt_level level, void *arg),
                      void *arg)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t at = va + i * pt_level_size(level);
        pte_t pte = pte_read(kernel_table(table) + i);
        enum pte_kind kind = pte_kind(pte, level);
        if (kind == PTE_KIND_TABLE && !each_leaf(pte_table_phys(pte), level - 1, at, visit, arg))
            return false;
        if (kind == PTE_KIND_LEAF && !visit(at, pte, level, arg))
            return false;
    }
    return true;
}

static bool each_direct_map_leaf(bool (*visit)(uint64_t, pte_t, enum pt_level, void *), void *arg)
{
    uint64_t span = pt_level_size(PT_512G);
    for (uint64_t va = DIRECT_MAP_BASE; va < DIRECT_MAP_END; va += span) {
        pte_t pte = pte_read(kernel_table(kernel_pgtable.root) + pt_index(va, PT_512G));
        if (!pte_is_none(pte) && !each_leaf(pte_table_phys(pte), PT_1G, va, visit, arg))
            return false;
    }
    return true;
}

static bool count_leaf(uint64_t va, pte_t pte, enum pt_level level, void *arg)
{
    uint64_t *leaves = arg;
    (void)va, (void)pte;
    leaves[level]++;
    return true;
}

static uint64_t pages_in(const uint64_t *leaves)
{
    uint64_t pages = 0;
    for (enum pt_level l = PT_4K; l <= PT_1G; l++)
        pages += leaves[l] * (pt_level_size(l) >> PAGE_SHIFT);
    return pages;
}

void direct_map_count_boot_leaves(void)
{
    each_direct_map_leaf(count_leaf, counts.leaves);
    ram_pages = pages_in(counts.leaves);
}

static bool leaf_is_right(uint64_t va, pte_t pte, enum pt_level level, void *arg)
{
    (void)arg;
    bool right = pte_phys(pte, level).raw == va - DIRECT_MAP_BASE && pte_is_writable(pte) &&
                 !pte_is_user(pte) && pte_is_global(pte) == cpu_has(CPU_PGE) &&
                 pte_is_executable(pte) != cpu_has(CPU_NX);
    if (!right)
        log_error("vm_check: V13/V19: direct map leaf %#lx at %#lx, level %d", pte.raw, va, level);
    return right;
}

int direct_map_check(void)
{
    uint64_t leaves[PT_1G + 1] = {0};
    irq_flags_t flags = spin_lock_irqsave(&direct_map_lock);
    bool right = each_direct_map_leaf(leaf_is_right, NULL);
    each_direct_map_leaf(count_leaf, leaves);
    for (enum pt_level l = PT_4K; l <= PT_1G; l++) {
        if (leaves[l] != counts.leaves[l]) {
            log_error("vm_check: V20: %lu leaves of level %d in the direct map, %lu counted",
                      leaves[l], l, counts.leaves[l]);
            right = false;
        }
    }
    if (pages_in(leaves) + counts.hidden_pages != ram_pages) {
        log_error("vm_check: V19: %lu pages mapped and %lu hidden of %lu", pages_in(leaves),
                  counts.hidden_pages, ram_pages);
        right = false;
    }
    spin_unlock_irqrestore(&direct_map_lock, flags);
    return right ? 0 : -EUCLEAN;
}
