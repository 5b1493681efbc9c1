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
#include <lib/frames.h>

#define SLOTS_APART (CACHE_LINE_SIZE / sizeof(pte_t))

_Static_assert(MAX_CPUS *SLOTS_APART <= PT_ENTRIES, "one table has a line for each CPU");

static pte_t *slots;

void windows_boot_init(void)
{
    slots = kernel_slots_reserve(WINDOWS_BASE);
}

static inline pte_t *slot_of(unsigned cpu)
{
    return slots + cpu * SLOTS_APART;
}

static inline void *window_of(unsigned cpu)
{
    return (void *)(WINDOWS_BASE + cpu * SLOTS_APART * PAGE_SIZE);
}

/* IRQs off. */
static inline void open_own(unsigned cpu, const struct page *page)
{
    pgprot_t prot = pgprot_write(pgprot_kernel());

    if (DEBUG >= 1)
        ASSERT(pte_is_none(pte_read(slot_of(cpu))), "one window is open at a time");
    pte_write(slot_of(cpu),
              pte_made_dirty(pte_made_young(pte_leaf(page_to_phys(page), prot, PT_4K))));
}

static inline void close_own(unsigned cpu)
{
    pte_write(slot_of(cpu), pte_none());
    tlb_flush_kernel_local(window_of(cpu));
}

void *window_open(const struct page *page, irq_flags_t *irq)
{
    *irq = irq_save();
    open_own(cpu_id(), page);
    return window_of(cpu_id());
}

void window_close(irq_flags_t irq)
{
    close_own(cpu_id());
    irq_restore(irq);
}

void window_zero(const struct page *page)
{
    irq_flags_t irq = irq_save();
    unsigned cpu = cpu_id();

    open_own(cpu, page);
    zero_frames(window_of(cpu), PAGE_SIZE);
    close_own(cpu);
    irq_restore(irq);
}

int windows_check(void)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        CLAIM(pte_is_none(pte_read(&slots[i])), "V18", "window %u is open: %#lx", i, slots[i].raw);
    return 0;
}
