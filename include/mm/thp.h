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

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

enum thp_mode {
    THP_ALWAYS,  /* wherever one fits */
    THP_MADVISE, /* where madvise(MADV_HUGEPAGE) asked for it */
    THP_NEVER    /* only where madvise(MADV_COLLAPSE) asks for it */
};

extern unsigned thp_mode; /* enum thp_mode */

/* When a memory object of small pages gets a huge one by itself: shmem_enabled, tmpfs' huge=. */
enum shmem_huge {
    SHMEM_HUGE_ALWAYS,
    SHMEM_HUGE_WITHIN_SIZE, /* where it does not reach over the object's end */
    SHMEM_HUGE_ADVISE,      /* where madvise(MADV_HUGEPAGE) asked for it */
    SHMEM_HUGE_NEVER,
    SHMEM_HUGE_DENY,    /* never, whatever a mount says; settings only */
    SHMEM_HUGE_FORCE,   /* always, whatever a mount says; settings only */
    SHMEM_HUGE_NO_MOUNT /* objects of no mounted file system: as shmem_huge_no_mount says */
};

extern unsigned shmem_huge_setting;  /* as it was written */
extern unsigned shmem_huge_no_mount; /* what was written last but deny and force */

/* Do reads of untouched memory get the huge page of zeros, not one of their own? 0 or 1. */
extern uint64_t thp_use_zeros;

/* Numbered as a table of names in kernel/thp_files.c. */
enum thp_event {
    THP_FAULT_ALLOC,    /* a fault made a huge page */
    THP_FAULT_FALLBACK, /* a fault would have, but there was no memory for it */
    THP_COLLAPSE_ALLOC,
    THP_COLLAPSE_ALLOC_FAILED,
    THP_FILE_ALLOC,    /* an object got a huge page by itself */
    THP_FILE_FALLBACK, /* it would have, but there was no memory for it */
    THP_FILE_MAPPED,   /* a huge leaf of an object appeared by a fault */
    THP_ZERO_PAGE_ALLOC,
    THP_ZERO_PAGE_ALLOC_FAILED,
    THP_SPLIT_PAGE, /* a block became pages of their own */
    THP_SPLIT_PMD,  /* a huge leaf became a table of small ones */
    THP_EVENTS_COUNTED,
    THP_ANON = THP_EVENTS_COUNTED, /* no event: private blocks that some huge leaf maps now */
    THP_OBJECT,                    /* the same of objects */
    THP_SHMEM,                     /* whole blocks in objects now, mapped or not */
    THP_EVENTS
};

/* Since boot, over all CPUs. */
uint64_t thp_events(enum thp_event event);

/* Of 512 pages, how many of a kind may be there for the scan to make one huge page of them. */
struct thp_scan_limits {
    uint64_t none; /* untouched, or zeros */
    uint64_t shared;
    uint64_t swap; /* there is none */
};

extern struct thp_scan_limits thp_scan_limits;
extern uint64_t thp_full_scans, thp_pages_collapsed; /* since boot, by thp_scan() */

/* @wake: called when the first address space comes that could have huge pages, with locks held up
 * to a page table's. Boot. */
void thp_scan_boot_init(void (*wake)(void));

/* Does the policy want huge pages, and is there an address space that could have some? */
bool thp_scan_wanted(void);

/**
 * thp_scan() - one step: look for the next unit that is worth it, and collapse it
 * Context: one thread, no locks held.
 * Return: how many pages were looked at; 0: all address spaces were looked at once more;
 *         -ENOMEM: there is no memory for a huge page.
 */
int64_t __must_check thp_scan(void);
