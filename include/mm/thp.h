/* SPDX-License-Identifier: MIT */
/*
 * include/mm/thp.h - transparent huge pages: when memory is given out 2 MiB at a time
 *
 * Room:   mm.
 * Owns:   the policy that /sys/kernel/mm/transparent_hugepage/enabled shows; the events.
 * Locks:  none: single words.
 * Always: (1) a program sees the difference only in counters and in time.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst (behaviour).
 * Tour:   after include/mm/mm.h; then mm/thp.c, mm/collapse.c.
 */
#pragma once

#include <stdint.h>

enum thp_mode {
    THP_ALWAYS,  /* wherever one fits */
    THP_MADVISE, /* where madvise(MADV_HUGEPAGE) asked for it */
    THP_NEVER    /* only where madvise(MADV_COLLAPSE) asks for it */
};

extern unsigned thp_mode; /* enum thp_mode */

/* Numbered as a table of names in kernel/thp_files.c. */
enum thp_event {
    THP_FAULT_ALLOC,    /* a fault made a huge page */
    THP_FAULT_FALLBACK, /* a fault would have, but there was no memory for it */
    THP_COLLAPSE_ALLOC,
    THP_COLLAPSE_ALLOC_FAILED,
    THP_SPLIT_PAGE, /* a block became pages of their own */
    THP_SPLIT_PMD,  /* a huge leaf became a table of small ones */
    THP_EVENTS_COUNTED,
    THP_ANON = THP_EVENTS_COUNTED, /* no event: private blocks that some huge leaf maps now */
    THP_OBJECT,                    /* the same of objects */
    THP_EVENTS
};

/* Since boot, over all CPUs. */
uint64_t thp_events(enum thp_event event);
