/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/kernel_tables.c - the kernel's own page tables, built from nothing
 *
 * Room:   arch.
 * Owns:   kernel_pgtable, the image's rights, the first state of the direct map.
 * Locks:  none while booting; later callers hold the lock of their region.
 * Always: (1) no page is writable and executable;
 *         (2) text and rodata have one mapping, the image's: the direct map leaves them out;
 *         (3) only RAM is in the direct map.
 * Source: Intel SDM 3A, "4-Level Paging"; design.md section 8.
 * Tour:   after kernel/main.c starts; then arch/x86_64/direct_map.c.
 */
#include "kernel_tables.h"

#include "insn.h"
#include "percpu.h"
#include <asm/machine.h>
#include <base/bug.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/boot_alloc.h>
#include <mm/buddy.h>
#include <mm/memmap.h>
#include <mm/page.h>
#include <uapi/errno.h>

extern char kernel_text_start[], kernel_text_end[], kernel_rodata_start[], kernel_rodata_end[],
    kernel_data_start[], kernel_image_end[];

struct pgtable kernel_pgtable;

static uint64_t table_window; /* 0: boot identity map; later DIRECT_MAP_BASE */
static uint64_t image_offset; /* virtual minus physical address of the image */

pte_t *kernel_table(phys_addr_t a)
{
    return (pte_t *)(table_window + a.raw);
}

phys_addr_t kernel_image_phys(const void *p)
{
    return phys((uint64_t)p - image_offset);
}

pte_t *kernel_slot(uint64_t va, enum pt_level *level)
{
    phys_addr_t table = kernel_pgtable.root;

    for (enum pt_level l = PT_512G;; l--) {
        pte_t *slot = kernel_table(table) + pt_index(va, l);
        pte_t pte = pte_read(slot);
        if (pte_kind(pte, l) != PTE_KIND_TABLE) {
            *level = l;
            return slot;
        }
        table = pte_table_phys(pte);
    }
}

static int table_alloc(enum kernel_table_source source, phys_addr_t *out)
{
    if (source == TABLES_FROM_BOOT_ALLOC) {
        *out = boot_alloc(PAGE_SIZE, PAGE_SIZE);
        memset(kernel_table(*out), 0, PAGE_SIZE);
        return 0;
    }
    struct page *page;
    int err = page_alloc(0, PAGE_ALLOC_ZERO, &page);
    if (err)
        return err;
    page_set_state(page, PAGE_TABLE);
    *out = page_to_phys(page);
    return 0;
}

/* The slot of @level for @va, with the tables above it made. */
static int slot_make(uint64_t va, enum pt_level level, enum kernel_table_source source, pte_t **out)
{
    phys_addr_t table = kernel_pgtable.root;

    for (enum pt_level l = PT_512G; l > level; l--) {
        pte_t *slot = kernel_table(table) + pt_index(va, l);
        if (pte_is_none(*slot)) {
            phys_addr_t next;
            int err = table_alloc(source, &next);
            if (err)
                return err;
            pte_write(slot, pte_kernel_table(next));
        }
        ASSERT(pte_kind(*slot, l) == PTE_KIND_TABLE, "va=%#lx level=%d", va, l);
        table = pte_table_phys(*slot);
    }
    *out = kernel_table(table) + pt_index(va, level);
    return 0;
}

int kernel_map(uint64_t va, phys_addr_t a, uint64_t len_bytes, pgprot_t prot, enum pt_level largest,
               enum kernel_table_source source)
{
    while (len_bytes) {
        enum pt_level level = largest;
        while (level > PT_4K &&
               (!is_aligned(va | a.raw, pt_level_size(level)) || len_bytes < pt_level_size(level)))
            level--;
        pte_t *slot;
        int err = slot_make(va, level, source, &slot);
        if (err)
            return err;
        /* Run along this table as far as it goes. */
        uint64_t size = pt_level_size(level);
        do {
            pte_write(slot++, pte_leaf(a, prot, level));
            va += size;
            a = phys_add(a, size);
            len_bytes -= size;
        } while (len_bytes >= size && pt_index(va, level) &&
                 (level == largest || !is_aligned(va | a.raw, size << 9)));
    }
    return 0;
}

static void map_boot(uint64_t va, phys_addr_t a, uint64_t len_bytes, pgprot_t prot,
                     enum pt_level largest)
{
    int err = kernel_map(va, a, len_bytes, prot, largest, TABLES_FROM_BOOT_ALLOC);
    ASSERT(!err, "boot_alloc never fails with an error");
}

static enum pt_level largest_leaf(void)
{
    return cpu_has(CPU_PAGE_1G) ? PT_1G : PT_2M;
}

void kernel_map_early(void *va, phys_addr_t a, uint64_t len_bytes)
{
    map_boot((uint64_t)va, a, len_bytes, pgprot_write(pgprot_kernel()), largest_leaf());
}

static void map_image(void)
{
    struct {
        char *start, *end;
        pgprot_t prot;
    } segments[] = {
        {kernel_text_start, kernel_text_end, pgprot_exec(pgprot_kernel())},
        {kernel_rodata_start, kernel_rodata_end, pgprot_kernel()},
        {kernel_data_start, kernel_image_end, pgprot_write(pgprot_kernel())},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
        map_boot((uint64_t)segments[i].start, kernel_image_phys(segments[i].start),
                 segments[i].end - segments[i].start, segments[i].prot, PT_4K);
}

static void map_ram(uint64_t start, uint64_t end)
{
    if (start < end)
        map_boot(DIRECT_MAP_BASE + start, phys(start), end - start, pgprot_write(pgprot_kernel()),
                 largest_leaf());
}

/* Claim 2: what lies between the first headers and the end of rodata is left out. */
static void map_direct(const struct boot_info *info, const struct memmap *map)
{
    uint64_t hole_start = info->kernel_start.raw;
    uint64_t hole_end =
        bug_is_back(BUG_B55) ? hole_start : kernel_image_phys(kernel_rodata_end).raw;

    for (unsigned i = 0; i < map->ram.nr; i++) {
        uint64_t start = map->ram.ranges[i].start, end = map->ram.ranges[i].end;
        map_ram(start, min(end, max(start, hole_start)));
        map_ram(max(start, min(end, hole_end)), end);
    }
}

pte_t *kernel_slots_reserve(uint64_t va)
{
    pte_t *slot;
    int err = slot_make(va, PT_4K, TABLES_FROM_BOOT_ALLOC, &slot);
    ASSERT(!err && is_aligned(va, HUGE_SIZE));
    return slot;
}

/* A root entry for each region that grows later, so that all address spaces share its tables. */
static void reserve_root_entry(uint64_t va)
{
    pte_t *slot;
    int err = slot_make(va, PT_1G, TABLES_FROM_BOOT_ALLOC, &slot);
    ASSERT(!err);
}

void kernel_tables_init(const struct boot_info *info, const struct memmap *map)
{
    extern char kernel_image_start[];
    image_offset = (uint64_t)kernel_image_start - info->kernel_start.raw;
    kernel_pgtable.root = boot_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(kernel_table(kernel_pgtable.root), 0, PAGE_SIZE);

    map_image();
    map_direct(info, map);
    reserve_root_entry(KMAP_BASE);
    reserve_root_entry(PAGE_ARRAY_BASE);
    pgtable_boot_init();
    write_cr3(kernel_pgtable.root.raw);
    table_window = DIRECT_MAP_BASE;
    boot_alloc_unlimit();
    direct_map_count_boot_leaves();
    windows_boot_init();
}
