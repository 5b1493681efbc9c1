/* SPDX-License-Identifier: MIT */
/*
 * kernel/rwsem.c - many readers or one writer; readers of different CPUs do not disturb each other
 *
 * Room:   kernel. The contract is include/base/mutex.h.
 * Owns:   the readers' lines, one per CPU.
 * Locks:  the semaphore's mutex among writers; its spinlock (rank WAIT) around the wake-up.
 * Always: (1) a reader counts itself, then looks for a writer; a writer shows itself, then looks at
 *             the counts: one of the two sees the other;
 *         (2) a reader that leaves while a writer waits wakes it.
 * Source: Linux percpu_rw_semaphore (the idea); Dekker's mutual exclusion.
 * Tour:   after kernel/sync.c; its user is mm.mmap_lock.
 */
#include "task.h"
#include <asm/cpu.h>
#include <base/mutex.h>
#include <base/panic.h>
#include <mm/slab.h>
#include <uapi/errno.h>

struct rwsem_line {
    _Atomic uint32_t readers;
} __aligned(CACHE_LINE_SIZE);

int rwsem_init(struct rwsem *s)
{
    *s = (struct rwsem){0};
    mutex_init(&s->writers);
    spin_lock_init(&s->lock, LOCK_RANK_WAIT);
    s->lines = kmem_alloc(nr_cpus() * sizeof(*s->lines), SLAB_ALLOC_ZERO);
    return s->lines ? 0 : -ENOMEM;
}

void rwsem_destroy(struct rwsem *s)
{
    kmem_free(s->lines);
}

/* Claim 2. The writer's task may be gone as soon as the lock is free again. */
static void wake_writer(struct rwsem *s)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    if (s->draining)
        task_wake(s->draining, WAKE_ANY);
    spin_unlock_irqrestore(&s->lock, flags);
}

rwsem_reader_t rwsem_read_lock(struct rwsem *s)
{
    for (;;) {
        unsigned cpu = cpu_id();
        atomic_fetch_add(&s->lines[cpu].readers, 1);
        if (likely(!atomic_load(&s->writer)))
            return cpu;
        rwsem_read_unlock(s, cpu);
        mutex_lock(&s->writers);
        mutex_unlock(&s->writers);
    }
}

void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader)
{
    uint32_t before = atomic_fetch_sub(&s->lines[reader].readers, 1);
    DEBUG_ASSERT(before > 0, "claim: who leaves came in; cpu=%u", reader);
    (void)before;
    if (unlikely(atomic_load(&s->writer)))
        wake_writer(s);
}

static bool has_readers(const struct rwsem *s)
{
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (atomic_load(&s->lines[i].readers))
            return true;
    return false;
}

static void draining_set(struct rwsem *s, struct task *task)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    s->draining = task;
    spin_unlock_irqrestore(&s->lock, flags);
}

static void wait_for_readers(struct rwsem *s)
{
    struct task *me = task_current();

    draining_set(s, me);
    for (;;) {
        WRITE_ONCE(me->sched.state, TASK_BLOCKED);
        atomic_thread_fence(memory_order_seq_cst);
        if (!has_readers(s))
            break;
        schedule();
    }
    WRITE_ONCE(me->sched.state, TASK_RUNNABLE);
    draining_set(s, NULL);
}

void rwsem_write_lock(struct rwsem *s)
{
    mutex_lock(&s->writers);
    atomic_store(&s->writer, true);
    if (has_readers(s))
        wait_for_readers(s);
}

void rwsem_write_unlock(struct rwsem *s)
{
    atomic_store_explicit(&s->writer, false, memory_order_release);
    mutex_unlock(&s->writers);
}

rwsem_reader_t rwsem_downgrade(struct rwsem *s)
{
    unsigned cpu = cpu_id();
    atomic_fetch_add(&s->lines[cpu].readers, 1);
    rwsem_write_unlock(s);
    return cpu;
}

bool rwsem_is_held(const struct rwsem *s)
{
    return has_readers(s) || mutex_is_locked(&s->writers);
}
