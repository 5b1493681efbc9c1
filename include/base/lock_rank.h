/* SPDX-License-Identifier: MIT */
/*
 * include/base/lock_rank.h - the order in which locks are taken
 *
 * Room:   base. Included by asm/spinlock.h and by whoever declares a lock.
 * Owns:   the one list of ranks; docs/locking.md tells the reasons.
 * Locks:  all of them.
 * Always: (1) a CPU takes locks only in rising rank; equal ranks only where a _nested call says so;
 *         (2) who waits for a shootdown holds no lock of rank >= LOCK_RANK_IPI_SAFE_BELOW.
 * Source: design.md section 6.
 * Tour:   with docs/locking.md.
 */
#pragma once

enum lock_rank {
    LOCK_RANK_NONE = 0,
    /* sleeping locks (mutex, rwsem) */
    LOCK_RANK_FS = 5,     /* directory tree */
    LOCK_RANK_PIPE = 8,   /* what is in a pipe */
    LOCK_RANK_INODE = 10, /* inode: size, seals, contents */
    LOCK_RANK_MMAP = 15,  /* mm.mmap_lock */
    LOCK_RANK_HUGETLB_PROMISE = 18,
    LOCK_RANK_IPC = 19,    /* numbers of System V IPC; spins, as all that follow */
    LOCK_RANK_OBJECT = 20, /* memory object: index of folios, size of it */
    LOCK_RANK_RMAP = 25,   /* object.mappings */
    LOCK_RANK_DIRECT_MAP = 30,
    LOCK_RANK_KMAP = 32, /* kernel address space: stacks, device windows */
    LOCK_RANK_MMS = 34,  /* list of address spaces */
    LOCK_RANK_ZEROS = 36,
    /* spinning locks */
    LOCK_RANK_TASKS = 40,     /* task list, parent and child links */
    LOCK_RANK_SOCKETS = 41,   /* who is connected to whom, what is on its way */
    LOCK_RANK_FILES = 42,     /* descriptor table */
    LOCK_RANK_USERFAULT = 43, /* who waits for an answer */
    LOCK_RANK_SIGNAL = 44,
    LOCK_RANK_TLB = 46,          /* one shootdown at a time */
    LOCK_RANK_PAGE_TABLE = 50,   /* one page-table page */
    LOCK_RANK_PAGE_TABLE_2 = 51, /* a second one below it: split, move */
    LOCK_RANK_LIMBO = 52,        /* frames that CPUs may still use */
    LOCK_RANK_SECRET = 53,       /* pool of hidden pages */
    LOCK_RANK_HUGETLB = 55,
    LOCK_RANK_INTERRUPT = 57, /* no lock: who is interrupted may hold those below */
    LOCK_RANK_SLAB_CPU = 58,  /* one CPU's free objects */
    LOCK_RANK_SLAB = 60,      /* one cache's slabs */
    LOCK_RANK_PAGE_CPU = 63,  /* one CPU's free pages */
    LOCK_RANK_BUDDY = 65,
    LOCK_RANK_WAIT = 75, /* wait queues */
    LOCK_RANK_RUN_QUEUE = 80,
    LOCK_RANK_TIMER = 85, /* wake-ups re-arm the timer */
    LOCK_RANK_CONSOLE = 100
};

#define LOCK_RANK_IPI_SAFE_BELOW LOCK_RANK_PAGE_TABLE
