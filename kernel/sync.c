/* SPDX-License-Identifier: MIT */
/*
 * kernel/sync.c - mutexes: waiters sleep
 *
 * Room:   kernel. The contract is include/base/mutex.h.
 * Owns:   their waiting.
 * Locks:  the inner spinlock (rank WAIT) of each, IRQs off: interrupts wake sleepers, too.
 * Always: (1) first come, first served among those who sleep: whoever frees the lock hands it to
 *             the first of them; nobody takes it in passing while one sleeps.
 * Source: docs/decisions/0001-sleeping-locks.md.
 * Tour:   after kernel/sched.c; then kernel/rwsem.c.
 */
#include "sync.h"
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

#define WAITERS 1UL /* in mutex.word; set and cleared with mutex.lock held */

/* Holders mostly have little to do, and are on another CPU: to sleep and be woken costs more. */
#define SPINS 100

static bool lock_spinning(struct mutex *m, uintptr_t me)
{
    for (unsigned i = 0; i < SPINS && nr_cpus() > 1; i++) {
        uintptr_t word = atomic_load_explicit(&m->word, memory_order_relaxed);
        if (word & WAITERS)
            return false;
        if (!word && atomic_compare_exchange_strong(&m->word, &word, me))
            return true;
        cpu_relax();
    }
    return false;
}

/* Somebody has it, or had it a moment ago. */
static __cold void lock_contended(struct mutex *m, uintptr_t me)
{
    struct lock_waiter w = {.task = (struct task *)me};
    uintptr_t word = 0;

    if (lock_spinning(m, me))
        return;
    irq_flags_t flags = spin_lock_irqsave(&m->lock);
    while (!atomic_compare_exchange_weak(&m->word, &word, word ? word | WAITERS : me))
        ;
    ASSERT((word & ~WAITERS) != me, "claim: a mutex is not taken twice");
    if (!word) {
        spin_unlock_irqrestore(&m->lock, flags);
        return;
    }
    list_add_tail(&w.node, &m->waiters);
    wait_for_grant(&m->lock, &w, flags);
}

void mutex_lock(struct mutex *m)
{
    if (unlikely(!mutex_take_free(m)))
        lock_contended(m, (uintptr_t)task_current());
}

/* Claim 1. */
static __cold void hand_over(struct mutex *m)
{
    irq_flags_t flags = spin_lock_irqsave(&m->lock);
    struct lock_waiter *w = list_first_entry(&m->waiters, struct lock_waiter, node);
    list_del(&w->node);
    uintptr_t next = (uintptr_t)w->task | (list_empty(&m->waiters) ? 0 : WAITERS);
    atomic_store_explicit(&m->word, next, memory_order_release);
    w->granted = true;
    task_wake(w->task, WAKE_ANY);
    spin_unlock_irqrestore(&m->lock, flags);
}

void mutex_unlock(struct mutex *m)
{
    if (likely(mutex_give_free(m)))
        return;
    ASSERT(atomic_load(&m->word) == ((uintptr_t)task_current() | WAITERS),
           "claim: who locked it unlocks it");
    hand_over(m);
}

bool mutex_is_locked(const struct mutex *m)
{
    return atomic_load_explicit(&m->word, memory_order_relaxed);
}
