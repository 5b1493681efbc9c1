/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/fast_string.c - are this CPU's string instructions worth their name?
 *
 * Room:   arch.
 * Owns:   what fast_string says, at boot.
 * Locks:  none: one CPU runs.
 * Always: (1) they are used unless moves are quicker by far: what disturbs does not decide;
 *         (2) where instructions are what is counted (QEMU's -icount) they always win.
 * Source: Intel SDM 1, "Fast-String Operation"; Intel Optimization Reference Manual, "REP String
 *         Operations". Linux chooses among three ways to clear a page by what CPUID says; no bit
 *         of CPUID tells of an emulator.
 * Tour:   after include/lib/frames.h.
 */
#include <asm/machine.h>
#include <asm/time.h>
#include <base/log.h>
#include <lib/frames.h>
#include <mm/buddy.h>
#include <mm/page.h>

#define REPETITIONS 4 /* the least counts: what disturbs only adds */

bool fast_string = true;

static uint64_t ticks_to_zero(void *page, bool fast)
{
    uint64_t least = ~0UL;

    fast_string = fast;
    for (unsigned i = 0; i < REPETITIONS; i++) {
        uint64_t start = tsc_read_ordered();
        zero_frames(page, PAGE_SIZE);
        least = min(least, tsc_read_ordered() - start);
    }
    return least;
}

void fast_string_measure(void)
{
    struct page *page;

    if (page_alloc(0, PAGE_ALLOC_PLAIN, &page))
        return;
    uint64_t slow = ticks_to_zero(page_kva(page), false);
    uint64_t fast = ticks_to_zero(page_kva(page), true);
    page_free(page, 0);
    fast_string = slow >= fast - fast / 4;
    log_info("memory: a page is zero after %lu ticks of REP STOS, %lu of MOV", fast, slow);
}
