/* SPDX-License-Identifier: MIT */
/*
 * kernel/sync.c - mutexes: waiters sleep
 *
 * Room:   kernel. The contract is include/base/mutex.h.
 * Owns:   their waiting.
 * Locks:  the inner spinlock (rank WAIT) of each, IRQs off: interrupts wake sleepers, too.
 * Always: (1) first come, first served: whoever frees the lock hands it to the first waiter.
 * Source: docs/decisions/0001-sleeping-locks.md.
 * Tour:   after kernel/sched.c; then kernel/rwsem.c.
 */
#include "task.h"
#include <base/mutex.h>
#include <base/panic.h>

struct lock_waiter {
    struct list_node node;
    struct task *task;
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
