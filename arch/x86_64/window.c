/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/window.c - a look at one frame that has no kernel address, on one CPU
 *
 * Room:   arch.
 * Owns:   the page table of the windows, made at boot.
 * Locks:  none; see asm/window.h.
 * Always: (1) an entry is written by its CPU alone, and has a cache line of its own;
 *         (2) an open window's entry has its accessed and dirty bits set: the CPU writes nothing.
 * Source: see asm/window.h.
 * Tour:   after asm/window.h.
 */
#include <asm/window.h>

#include "kernel_tables.h"
#include <asm/cpu.h>
#include <asm/tlb.h>
#include <base/claim.h>

#define SLOTS_APART (CACHE_LINE_SIZE / sizeof(pte_t))

_Static_assert(MAX_CPUS *SLOTS_APART <= PT_ENTRIES, "one table has a line for each CPU");

static pte_t *slots;

void windows_boot_init(void)
{
    slots = kernel_slots_reserve(WINDOWS_BASE);
}

static unsigned slot_of(unsigned cpu)
{
    return cpu * SLOTS_APART;
}

static void *window_of(unsigned cpu)
{
    return (void *)(WINDOWS_BASE + slot_of(cpu) * PAGE_SIZE);
}

void *window_open(const struct page *page, irq_flags_t *irq)
{
    pgprot_t prot = pgprot_write(pgprot_kernel());
    pte_t leaf = pte_leaf(page_to_phys(page), prot, PT_4K);

    *irq = irq_save();
    pte_t *slot = &slots[slot_of(cpu_id())];
    if (DEBUG >= 1)
        ASSERT(pte_is_none(pte_read(slot)), "one window is open at a time");
    pte_write(slot, pte_made_dirty(pte_made_young(leaf)));
    return window_of(cpu_id());
}

void window_close(irq_flags_t irq)
{
    pte_write(&slots[slot_of(cpu_id())], pte_none());
    tlb_flush_kernel_local(window_of(cpu_id()));
    irq_restore(irq);
}

int windows_check(void)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        CLAIM(pte_is_none(pte_read(&slots[i])), "V18", "window %u is open: %#lx", i, slots[i].raw);
    return 0;
}
