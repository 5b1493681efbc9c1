/* SPDX-License-Identifier: MIT */
/*
 * include/base/mutex.h - locks whose waiters sleep
 *
 * Room:   base: contracts every room above lib may call; the code is kernel/sync.c.
 * Owns:   struct mutex, and struct rwsem whose readers do not disturb each other.
 * Locks:  themselves; the inner spinlock has rank WAIT.
 * Always: (1) held by a task, never by an interrupt;
 *         (2) a waiter sleeps with no spinning lock held;
 *         (3) a waiting writer keeps new readers out, so that writers do not starve;
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
 * Many readers, or one writer. Each CPU has a line of its own in which its readers count
 * themselves, so that readers on different CPUs write nothing in common. A writer looks at all
 * the lines.
 */
struct rwsem {
    struct rwsem_line *lines; /* one per CPU [I] */
    _Atomic bool writer;      /* is inside, or waits for readers to leave [a] */
    struct mutex writers;     /* held by the writer; readers that come meanwhile wait here, too */
    spinlock_t lock;          /* rank WAIT */
    struct task *draining;    /* the writer that waits for the last reader; under lock */
};

/* Where a reader counted itself: it may leave on another CPU. */
typedef unsigned rwsem_reader_t;

/* 0, or -ENOMEM. */
int __must_check rwsem_init(struct rwsem *s);

/* Frees what init allocated; nobody holds it. */
void rwsem_destroy(struct rwsem *s);

rwsem_reader_t rwsem_read_lock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

/* By a writer or a reader. For checks. */
bool rwsem_is_held(const struct rwsem *s);

/* From writer to reader without a gap. */
rwsem_reader_t rwsem_downgrade(struct rwsem *s);
