/* SPDX-License-Identifier: MIT */
/*
 * mm/late.c - where threads may still use what was unmapped: nothing new comes there
 *
 * Room:   mm.
 * Owns:   mm.late_low, mm.late_high: a range with all that was unmapped since somebody was late.
 * Locks:  mmap_lock held for writing.
 * Always: (1) what comes into that range is waited for: all have forgotten what was there;
 *         (2) it is not chosen for a program that asks for no place, as long as there is one near.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018): addresses are not used again
 *         before the sweep.
 * Tour:   after mm/limbo.c; then mm/map.c.
 */
#include "internal.h"
#include <mm/commit.h>

#define SPAN (1UL << 30) /* so far below the top of the range is near */

static bool is_in_range(const struct mm *mm, uint64_t start, uint64_t end)
{
    return start < mm->late_high && end > mm->late_low;
}

void late_note_range(struct mm *mm, uint64_t start, uint64_t end)
{
    mm->late_low = mm->late_high ? min(mm->late_low, start) : start;
    mm->late_high = max(mm->late_high, end);
}

void late_settle_range(struct mm *mm, uint64_t start, uint64_t end)
{
    if (!is_in_range(mm, start, end))
        return;
    tlb_settle_late(&mm->pgtable);
    mm->late_high = 0;
}

void late_avoid_range(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *at)
{
    if (!is_in_range(mm, *at, *at + len_bytes) || mm->mmap_upwards)
        return;
    if (tlb_late_is_over(&mm->pgtable)) {
        mm->late_high = 0;
        return;
    }
    uint64_t low = mm->late_high - min(mm->late_high, SPAN);
    struct gap_wanted below = {len_bytes, align, max(low, vm_settings.mmap_min_addr), mm->late_low};
    uint64_t other;
    if (!vma_find_gap(mm, &below, GAP_HIGHEST, &other))
        *at = other;
}
