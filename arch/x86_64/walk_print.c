/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/walk_print.c - why an address is what it is: the walk, one line a level
 *
 * Room:   arch.
 * Owns:   nothing.
 * Locks:  none: it is read while things are broken.
 * Always: (1) only frames of RAM are followed: a broken entry must not break the report.
 * Source: Intel SDM 3A, "4-Level Paging".
 * Tour:   after asm/pte.h.
 */
#include "insn.h"
#include "kernel_tables.h"
#include <asm/direct_map.h>
#include <asm/machine.h>
#include <base/log.h>
#include <lib/format.h>

static void describe(char *out, size_t size, pte_t pte, enum pte_kind kind, enum pt_level level)
{
    static const char *const sizes[] = {[PT_4K] = "4K", [PT_2M] = "2M", [PT_1G] = "1G", "512G"};

    switch (kind) {
    case PTE_KIND_NONE:
        snprintf(out, size, "nothing  <- refused here");
        break;
    case PTE_KIND_PROTNONE:
        snprintf(out, size, "no access, frame %lx  <- refused here",
                 phys_to_pfn(pte_phys(pte, level)));
        break;
    case PTE_KIND_GUARD:
        snprintf(out, size, "a guard  <- refused here");
        break;
    case PTE_KIND_POISON:
        snprintf(out, size, "poison  <- refused here");
        break;
    case PTE_KIND_UFFD_WP:
        snprintf(out, size, "nothing, write-protected  <- refused here");
        break;
    case PTE_KIND_TABLE:
    case PTE_KIND_LEAF:
    case PTE_KINDS:
        snprintf(out, size, "%s frame %lx %c%c%c%c%c%c",
                 kind == PTE_KIND_LEAF ? sizes[level] : "->",
                 phys_to_pfn(kind == PTE_KIND_LEAF ? pte_phys(pte, level) : pte_table_phys(pte)),
                 pte_is_user(pte) ? 'U' : 'u', pte_is_writable(pte) ? 'W' : 'w',
                 pte_is_executable(pte) ? 'X' : 'x', pte_is_young(pte) ? 'A' : 'a',
                 pte_is_dirty(pte) ? 'D' : 'd', pte_is_global(pte) ? 'G' : 'g');
    }
}

void walk_print(uint64_t address)
{
    static const char *const names[] = {
        [PT_4K] = "PT", [PT_2M] = "PD", [PT_1G] = "PDPT", [PT_512G] = "PML4"};
    phys_addr_t table = phys(read_cr3() & PAGE_MASK);

    for (enum pt_level level = PT_512G; level >= PT_4K; level--) {
        pte_t pte = pte_read(kernel_table(table) + pt_index(address, level));
        enum pte_kind kind = pte_kind(pte, level);
        char text[80];
        describe(text, sizeof(text), pte, kind, level);
        log_error("  %-4s[%3u] %016lx %s", names[level], pt_index(address, level), pte.raw, text);
        if (kind != PTE_KIND_TABLE)
            return;
        table = pte_table_phys(pte);
        if (!direct_map_present(phys_to_pfn(table))) {
            log_error("  the table's frame is not in the direct map");
            return;
        }
    }
}
