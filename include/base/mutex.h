/* SPDX-License-Identifier: MIT */
/*
 * include/base/mutex.h - locks whose waiters sleep
 *
 * Room:   base: contracts every room above lib may call; the code is kernel/sync.c.
 * Owns:   struct mutex and struct rwsem.
 * Locks:  themselves; the inner spinlock has rank WAIT.
 * Always: (1) held by a task, never by an interrupt;
 *         (2) a waiter sleeps with no spinning lock held;
 *         (3) a waiting writer keeps new readers out, so that writers do not starve.
 * Source: docs/decisions/0001-sleeping-locks.md.
 * Tour:   after asm/spinlock.h, before kernel/sync.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/list.h>

struct task;

struct mutex {
    spinlock_t lock;          /* protects the rest */
    struct task *owner;       /* NULL: free */
    struct list_node waiters; /* first come, first served */
};

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_locked(struct mutex *m);

struct rwsem {
    spinlock_t lock;
    int readers; /* -1: a writer */
    struct list_node waiters;
};

void rwsem_init(struct rwsem *s);
void rwsem_read_lock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

/* From writer to reader without a gap. */
void rwsem_downgrade(struct rwsem *s);
