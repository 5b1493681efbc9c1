/* SPDX-License-Identifier: MIT */
/*
 * include/mm/usage.h - what the leaves of an area add up to
 *
 * Room:   mm.
 * Owns:   struct area_usage, struct page_seen; the calls that begin to count anew.
 * Locks:  mmap_lock held for reading by the caller, if nothing else is said.
 * Always: (1) a leaf is counted in exactly one of the four kinds.
 * Source: proc_pid_smaps(5).
 * Tour:   after include/mm/mm.h; then mm/usage.c, kernel/proc_smaps.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mm;
struct vma;

/* In bytes. */
struct area_usage {
    uint64_t resident;   /* all leaves but those of the zero page */
    uint64_t share;      /* each leaf's part, where several map a page */
    uint64_t share_anon; /* that of private pages */
    uint64_t share_dirty;
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t referenced;
    uint64_t most_leaves;                     /* of one page, here and elsewhere */
    uint64_t anonymous;                       /* private pages */
    uint64_t huge_anon;                       /* of these: by huge leaves */
    uint64_t hugetlb_shared, hugetlb_private; /* pages of the pool, counted nowhere else */
    uint64_t huge_object; /* huge leaves of an object that is not made of huge pages only */
};

/* What is at one page, as /proc/PID/pagemap tells it. */
struct page_seen {
    uint64_t frame_number; /* if present */
    bool has_slot;         /* there is a slot of a table, perhaps empty, or a leaf */
    bool present;
    bool alone;  /* nothing else maps it */
    bool object; /* it is an object's: of a file, or shared */
    bool zeros;  /* it is the page of zeros, which counts as nobody's */
    bool huge;   /* by a huge leaf */
    bool guard;
    bool poison;
    bool uffd_wp;    /* a program is told of the first write, or it will be when there is a page */
    bool soft_dirty; /* it, or the area, is written or new since mm_track_writes() */
};

/* Look at the @nr pages from @addr on, all fields of @out; what no area has is nothing.
 * Context: mmap_lock for reading. */
void pages_see(struct mm *mm, uint64_t addr, unsigned nr, struct page_seen *out);

/* Add what the leaves of @vma come to. */
void area_usage_add(struct vma *vma, struct area_usage *u);

/* The first page of [addr, end) where there could be something, or @end. mmap_lock for reading. */
uint64_t pages_skip(struct mm *mm, uint64_t addr, uint64_t end);

/**
 * mm_track_writes() - no page counts as written until somebody writes to it
 * Context: task, no lock held. TLB: write rights are gone on return; flushed once.
 */
void mm_track_writes(struct mm *mm);

/* No page of such areas counts as touched; CPUs may remember that it was, and not mark it again.
 * Context: task, no lock held. */
enum area_backing { AREAS_ALL, AREAS_ANONYMOUS, AREAS_OF_OBJECTS };
void mm_track_accesses(struct mm *mm, enum area_backing backing);

/* How many pages of 4 KiB the huge pages of the pool are that @mm maps. Takes mmap_lock. */
uint64_t mm_hugetlb_pages(struct mm *mm);

/* Pages in locked areas, of all address spaces. */
uint64_t mms_locked_pages(void);

/* Would a fault in @vma give out huge pages? */
int area_takes_huge(const struct vma *vma);
