/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_local.c - by which instruction this CPU forgets
 *
 * Room:   arch.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is asked for is forgotten, and perhaps more.
 * Source: Intel SDM 3A, "Operations that Invalidate TLBs and Paging-Structure Caches"; SDM 2A,
 *         "INVLPG", "INVPCID".
 * Tour:   after arch/x86_64/tlb_local.h.
 */
#include "tlb_local.h"

#include "insn.h"
#include "percpu.h"

struct tlb_settings tlb_settings = {.ceiling = TLB_CEILING, .lazy = 1};

static void count(enum tlb_event event)
{
    tlb_count(this_cpu()->tlb.events, event);
}

void tlb_forget_address(uint64_t va)
{
    invlpg(va);
    count(TLB_LOCAL_ONE);
}

/* Bit 63, which would keep them, is never read as set. */
void tlb_forget_space(void)
{
    write_cr3(read_cr3());
    count(TLB_LOCAL_ALL);
}

/* A change of CR4.PGE reaches all; where nothing is global and nothing has a PCID, CR3 does. */
void tlb_forget_all(void)
{
    if (cpu_has(CPU_INVPCID)) {
        invpcid(INVPCID_ALL, 0, 0);
    } else if (cpu_has(CPU_PGE)) {
        uint64_t cr4 = read_cr4();
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    count(TLB_LOCAL_ALL);
}

void tlb_forget_kernel_range(uint64_t start, uint64_t end, uint64_t stride)
{
    if (tlb_is_too_much(start, end, stride))
        tlb_forget_all();
    else
        tlb_forget_pages(&this_cpu()->tlb, start, end, stride);
}
