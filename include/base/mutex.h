/* SPDX-License-Identifier: MIT */
/*
 * include/base/mutex.h - locks whose waiters sleep
 *
 * Room:   base: contracts every room above lib may call; the code is kernel/sync.c.
 * Owns:   struct mutex, and struct rwsem whose readers do not disturb each other.
 * Locks:  themselves; the inner spinlock has rank WAIT.
 * Always: (1) held by a task, never by an interrupt;
 *         (2) a waiter sleeps with no spinning lock held;
 *         (3) a waiting writer keeps new readers of its range out, so that writers do not starve;
 *         (4) reading from two CPUs at once writes no cache line that both have.
 * Source: docs/decisions/0001-sleeping-locks.md; Linux percpu_rw_semaphore (the idea).
 * Tour:   after asm/spinlock.h, before kernel/sync.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/compiler.h>
#include <lib/list.h>

struct task;

struct mutex {
    _Atomic uintptr_t word;   /* the owner, 0: free; bit 0: somebody waits [a] */
    spinlock_t lock;          /* of the waiters */
    struct list_node waiters; /* first come, first served */
};

static inline void mutex_init(struct mutex *m)
{
    atomic_store_explicit(&m->word, 0, memory_order_relaxed);
    spin_lock_init(&m->lock, LOCK_RANK_WAIT);
    list_init(&m->waiters);
}

void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_locked(const struct mutex *m);

/*
 * Many readers, or one writer: of what lies in a range of addresses, or of everything.
 *
 * Each CPU has a line of its own in which its readers say where they read, so that readers on
 * different CPUs write nothing in common. Writers take turns. One that has its turn may look at
 * everything; before it changes a range it publishes that, waits until nobody reads there, and
 * readers of other ranges come and go meanwhile. It can let others have their turn before it is
 * done with its range. docs/decisions/0006-ranges.md.
 */
#define RWSEM_WRITERS 4

struct rwsem {
    struct rwsem_line *lines;    /* one per CPU [I] */
    _Atomic uint32_t nr_writers; /* ranges below that are not empty [a] */
    struct {
        _Atomic uint64_t start, end;  /* nobody's: end is 0 [a] */
    } ranges[RWSEM_WRITERS];          /* 0: of the one whose turn it is */
    struct mutex busy[RWSEM_WRITERS]; /* 0: the turn; else held while the range is somebody's */
    uint32_t resumed;                 /* where the range of the one who has the turn is [turn] */
    uint32_t nr_blocked;              /* writers whose range others have [turn] */
    spinlock_t lock;                  /* rank WAIT */
    /* The writer that sleeps until readers have left; set under lock [a] */
    struct task *_Atomic waiting;
};

/* The CPU where a reader counted itself: it may leave on another. */
typedef unsigned rwsem_reader_t;

#define RWSEM_EVERYTHING (~0UL) /* as the end of a range that starts at 0 */

/* 0, or -ENOMEM. */
int __must_check rwsem_init(struct rwsem *s);

/* Frees what init allocated; nobody holds it. */
void rwsem_destroy(struct rwsem *s);

/* Everything. */
rwsem_reader_t rwsem_read_lock(struct rwsem *s); /* of a range: base/rwsem_seek.h */
void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

/**
 * rwsem_write_begin() - have the turn among writers: look at everything, change nothing yet
 * rwsem_write_range() - exclude readers of [start, end): change that. At most once a turn.
 * @start, @end: to begin(): what is known to be changed; nobody else is writing there then
 * rwsem_write_unlock() ends both.
 */
void rwsem_write_begin(struct rwsem *s, uint64_t start, uint64_t end);
void rwsem_write_range(struct rwsem *s, uint64_t start, uint64_t end);

/**
 * rwsem_write_pass() - others have their turn, while what was named to rwsem_write_range() stays
 *                      one's own; rwsem_write_resume() waits until it is one's turn again
 * Return: -EBUSY: it is better to keep the turn, and it is kept; else what resume() wants.
 */
int rwsem_write_pass(struct rwsem *s);
void rwsem_write_resume(struct rwsem *s, int passed);

/* Until all who are seeking now have settled. They run, and do not sleep. Any context. */
void rwsem_seekers_wait(struct rwsem *s);

/* By a writer or a reader. For checks. */
bool rwsem_is_held(const struct rwsem *s);

/* From writer of everything to reader of everything without a gap. */
rwsem_reader_t rwsem_downgrade(struct rwsem *s);
