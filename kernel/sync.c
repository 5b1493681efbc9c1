/* SPDX-License-Identifier: MIT */
/*
 * kernel/sync.c - mutexes and reader-writer semaphores: waiters sleep
 *
 * Room:   kernel. The contract is include/base/mutex.h.
 * Owns:   their waiting.
 * Locks:  the inner spinlock (rank WAIT) of each, IRQs off: interrupts wake sleepers, too.
 * Always: (1) first come, first served: whoever frees the lock hands it to the first waiter;
 *         (2) a reader waits behind a waiting writer.
 * Source: docs/decisions/0001-sleeping-locks.md.
 * Tour:   after kernel/sched.c.
 */
#include "task.h"
#include <base/mutex.h>
#include <base/panic.h>

struct lock_waiter {
    struct list_node node;
    struct task *task;
    bool writer;  /* of a rwsem */
    bool granted; /* set by the one who frees the lock */
};

/* Sleep until granted. Called with @lock held and the waiter queued; returns with it released. */
static void wait_for_grant(spinlock_t *lock, struct lock_waiter *w, irq_flags_t flags)
{
    for (;;) {
        WRITE_ONCE(w->task->sched.state, TASK_BLOCKED);
        spin_unlock_irqrestore(lock, flags);
        schedule();
        flags = spin_lock_irqsave(lock);
        if (w->granted)
            break;
    }
    WRITE_ONCE(w->task->sched.state, TASK_RUNNABLE);
    spin_unlock_irqrestore(lock, flags);
}

void mutex_init(struct mutex *m)
{
    spin_lock_init(&m->lock, LOCK_RANK_WAIT);
    m->owner = NULL;
    list_init(&m->waiters);
}

void mutex_lock(struct mutex *m)
{
    struct lock_waiter w = {.task = task_current()};

    irq_flags_t flags = spin_lock_irqsave(&m->lock);
    ASSERT(m->owner != w.task, "claim: a mutex is not taken twice");
    if (!m->owner) {
        m->owner = w.task;
        spin_unlock_irqrestore(&m->lock, flags);
        return;
    }
    list_add_tail(&w.node, &m->waiters);
    wait_for_grant(&m->lock, &w, flags);
}

void mutex_unlock(struct mutex *m)
{
    irq_flags_t flags = spin_lock_irqsave(&m->lock);
    ASSERT(m->owner == task_current(), "claim: who locked it unlocks it");
    m->owner = NULL;
    if (!list_empty(&m->waiters)) {
        struct lock_waiter *w = list_first_entry(&m->waiters, struct lock_waiter, node);
        list_del(&w->node);
        m->owner = w->task;
        w->granted = true;
        task_wake(w->task, WAKE_ANY);
    }
    spin_unlock_irqrestore(&m->lock, flags);
}

bool mutex_is_locked(struct mutex *m)
{
    return READ_ONCE(m->owner);
}

void rwsem_init(struct rwsem *s)
{
    spin_lock_init(&s->lock, LOCK_RANK_WAIT);
    s->readers = 0;
    list_init(&s->waiters);
}

static void lock(struct rwsem *s, bool writer)
{
    struct lock_waiter w = {.task = task_current(), .writer = writer};

    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    bool free = writer ? s->readers == 0 : s->readers >= 0;
    if (free && list_empty(&s->waiters)) {
        s->readers = writer ? -1 : s->readers + 1;
        spin_unlock_irqrestore(&s->lock, flags);
        return;
    }
    list_add_tail(&w.node, &s->waiters);
    wait_for_grant(&s->lock, &w, flags);
}

/* Grant to the first waiter, and to readers directly behind a reader. */
static void grant(struct rwsem *s)
{
    while (!list_empty(&s->waiters)) {
        struct lock_waiter *w = list_first_entry(&s->waiters, struct lock_waiter, node);
        if (w->writer ? s->readers != 0 : s->readers < 0)
            return;
        s->readers = w->writer ? -1 : s->readers + 1;
        list_del(&w->node);
        w->granted = true;
        task_wake(w->task, WAKE_ANY);
    }
}

void rwsem_read_lock(struct rwsem *s)
{
    lock(s, false);
}

void rwsem_write_lock(struct rwsem *s)
{
    lock(s, true);
}

void rwsem_read_unlock(struct rwsem *s)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    ASSERT(s->readers > 0, "readers=%d", s->readers);
    s->readers--;
    grant(s);
    spin_unlock_irqrestore(&s->lock, flags);
}

void rwsem_write_unlock(struct rwsem *s)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    ASSERT(s->readers == -1, "readers=%d", s->readers);
    s->readers = 0;
    grant(s);
    spin_unlock_irqrestore(&s->lock, flags);
}

void rwsem_downgrade(struct rwsem *s)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    ASSERT(s->readers == -1, "readers=%d", s->readers);
    s->readers = 1;
    grant(s);
    spin_unlock_irqrestore(&s->lock, flags);
}
