/* SPDX-License-Identifier: MIT */
/*
 * kernel/rwsem.c - many readers or one writer of a range; readers do not disturb each other
 *
 * Room:   kernel. The contract is include/base/mutex.h, and base/rwsem_seek.h beside it.
 * Owns:   who waits for whom; the readers' lines are of base/rwsem_seek.h.
 * Locks:  busy[0] among writers, busy[i] while one works on range i without having the turn; the
 *         spinlock (rank WAIT) around the wake-up.
 * Always: (1) a reader says where it reads, then looks for a writer there; a writer says what it
 *             changes, then looks for readers: one of the two sees the other;
 *         (2) a reader that leaves while a writer sleeps wakes it;
 *         (3) a slot is taken by its own CPU alone, and by nobody while it is taken.
 * Source: Linux percpu_rw_semaphore (the idea); Dekker's mutual exclusion.
 * Tour:   after kernel/sync.c; its user is mm.mmap_lock. docs/decisions/0006-ranges.md.
 */
#include "task.h"
#include <asm/cpu.h>
#include <base/panic.h>
#include <base/rwsem_seek.h>
#include <mm/slab.h>
#include <uapi/errno.h>

/* What others need for a fault, and a bit: to sleep and be woken costs far more. */
#define SPINS 200

int rwsem_init(struct rwsem *s)
{
    *s = (struct rwsem){0};
    for (unsigned i = 0; i < RWSEM_WRITERS; i++)
        mutex_init(&s->busy[i]);
    spin_lock_init(&s->lock, LOCK_RANK_WAIT);
    s->lines = kmem_alloc(nr_cpus() * sizeof(*s->lines), SLAB_ALLOC_ZERO);
    return s->lines ? 0 : -ENOMEM;
}

void rwsem_destroy(struct rwsem *s)
{
    kmem_free(s->lines);
}

static bool overlaps(const struct rwsem *s, unsigned i, uint64_t start, uint64_t end)
{
    uint64_t writer_end = atomic_load(&s->ranges[i].end); /* written last, so read first */
    return writer_end > start &&
           atomic_load_explicit(&s->ranges[i].start, memory_order_acquire) < end;
}

/* The first range from @first on that has some of [start, end), in rising order, which
 * rwsem_write_pass() counts on; RWSEM_WRITERS: none. */
static unsigned find_writer(const struct rwsem *s, unsigned first, uint64_t start, uint64_t end)
{
    unsigned i = first;
    while (i < RWSEM_WRITERS && !overlaps(s, i, start, end))
        i++;
    return i;
}

/* Claim 1. */
static inline bool has_writer(const struct rwsem *s, uint64_t start, uint64_t end)
{
    return unlikely(atomic_load(&s->nr_writers)) && find_writer(s, 0, start, end) < RWSEM_WRITERS;
}

/* A reader is in the way of a writer; so is the writer, probably not for long. */
static __cold void wait_for_writer(struct rwsem *s, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (!has_writer(s, start, end))
            return;
        cpu_relax();
    }
    unsigned i = find_writer(s, 0, start, end);
    if (i < RWSEM_WRITERS) {
        mutex_lock(&s->busy[i]);
        mutex_unlock(&s->busy[i]);
    }
}

/* Claim 2. The writer's task may be gone as soon as the lock is free again. */
__cold void rwsem_wake_writer(struct rwsem *s)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    if (s->waiting)
        task_wake(s->waiting, WAKE_ANY);
    spin_unlock_irqrestore(&s->lock, flags);
}

rwsem_reader_t rwsem_read_lock(struct rwsem *s)
{
    for (;;) {
        unsigned cpu = cpu_id();
        atomic_fetch_add(&s->lines[cpu].readers, 1);
        if (likely(!has_writer(s, 0, RWSEM_EVERYTHING)))
            return cpu;
        rwsem_read_unlock(s, cpu);
        wait_for_writer(s, 0, RWSEM_EVERYTHING);
    }
}

void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader)
{
    uint32_t before = atomic_fetch_sub(&s->lines[reader].readers, 1);
    DEBUG_ASSERT(before > 0, "claim: who leaves came in; cpu=%u", reader);
    (void)before;
    if (unlikely(atomic_load(&s->waiting)))
        rwsem_wake_writer(s);
}

/* @line names the range. As long as somebody writes there: back out, and wait. */
__cold struct rwsem_line *rwsem_seek_beside_writers(struct rwsem *s, struct rwsem_line *line,
                                                    uint64_t start, uint64_t end)
{
    while (has_writer(s, start, end)) {
        rwsem_read_leave(s, line);
        wait_for_writer(s, start, end);
        line = rwsem_line_own(s);
        if (atomic_load_explicit(&line->start, memory_order_relaxed))
            return NULL;
        rwsem_slot_set(line, start | SLOT_TAKEN | SLOT_SEEKS, end);
    }
    return line;
}

bool rwsem_settle_for_more(struct rwsem *s, struct rwsem_line *line, uint64_t start, uint64_t end)
{
    rwsem_slot_set(line, start | SLOT_TAKEN, end);
    return !has_writer(s, start, end);
}

static bool has_readers(const struct rwsem *s, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < nr_cpus(); i++) {
        const struct rwsem_line *line = &s->lines[i];
        uint64_t from = atomic_load(&line->start);
        if (atomic_load(&line->readers) ||
            (from && (from & ~SLOT_FLAGS) < end && atomic_load(&line->end) > start))
            return true;
    }
    return false;
}

static void waiting_set(struct rwsem *s, struct task *task)
{
    irq_flags_t flags = spin_lock_irqsave(&s->lock);
    s->waiting = task;
    spin_unlock_irqrestore(&s->lock, flags);
}

static __cold void wait_for_readers(struct rwsem *s, uint64_t start, uint64_t end)
{
    struct task *me = task_current();

    for (unsigned i = 0; i < SPINS; i++) {
        if (!has_readers(s, start, end))
            return;
        cpu_relax();
    }
    waiting_set(s, me);
    for (;;) {
        WRITE_ONCE(me->sched.state, TASK_BLOCKED);
        atomic_thread_fence(memory_order_seq_cst);
        if (!has_readers(s, start, end))
            break;
        schedule();
    }
    WRITE_ONCE(me->sched.state, TASK_RUNNABLE);
    waiting_set(s, NULL);
}

/* Somebody who passed on the turn has some of [start, end): wait for that without the turn, which
 * they need to get done. Meanwhile nobody else passes it on. */
static __cold void wait_for_range(struct rwsem *s, unsigned i)
{
    s->nr_blocked++;
    mutex_unlock(&s->busy[0]);
    mutex_lock(&s->busy[i]);
    mutex_unlock(&s->busy[i]);
    mutex_lock(&s->busy[0]);
    s->nr_blocked--;
}

void rwsem_write_begin(struct rwsem *s, uint64_t start, uint64_t end)
{
    unsigned i;

    mutex_lock(&s->busy[0]);
    while (unlikely(atomic_load_explicit(&s->nr_writers, memory_order_relaxed)) &&
           (i = find_writer(s, 1, start, end)) < RWSEM_WRITERS)
        wait_for_range(s, i);
}

static void range_publish(struct rwsem *s, unsigned i, uint64_t start, uint64_t end)
{
    atomic_store_explicit(&s->ranges[i].start, start, memory_order_relaxed);
    atomic_store_explicit(&s->ranges[i].end, end, memory_order_release);
    atomic_fetch_add(&s->nr_writers, 1);
}

static void range_withdraw(struct rwsem *s, unsigned i)
{
    atomic_store_explicit(&s->ranges[i].end, 0, memory_order_release);
    atomic_fetch_sub_explicit(&s->nr_writers, 1, memory_order_release);
}

void rwsem_write_range(struct rwsem *s, uint64_t start, uint64_t end)
{
    DEBUG_ASSERT(find_writer(s, 0, start, end) == RWSEM_WRITERS,
                 "claim: one writer has [%#lx, %#lx)", start, end);
    range_publish(s, 0, start, end);
    if (has_readers(s, start, end))
        wait_for_readers(s, start, end);
}

int rwsem_write_pass(struct rwsem *s)
{
    unsigned i = 1;

    while (i < RWSEM_WRITERS && atomic_load(&s->ranges[i].end))
        i++;
    if (s->nr_blocked || i == RWSEM_WRITERS)
        return -EBUSY;
    mutex_lock(&s->busy[i]);
    range_publish(s, i, atomic_load(&s->ranges[0].start), atomic_load(&s->ranges[0].end));
    range_withdraw(s, 0); /* in this order: who looks finds it at 0 or, later, at i */
    mutex_unlock(&s->busy[0]);
    return (int)i;
}

void rwsem_write_resume(struct rwsem *s, int passed)
{
    mutex_lock(&s->busy[0]);
    s->resumed = (unsigned)passed; /* the range stays there: on its way to 0 it could be missed */
}

void rwsem_write_lock(struct rwsem *s)
{
    rwsem_write_begin(s, 0, RWSEM_EVERYTHING);
    rwsem_write_range(s, 0, RWSEM_EVERYTHING);
}

void rwsem_write_unlock(struct rwsem *s)
{
    unsigned mine = s->resumed;

    if (atomic_load_explicit(&s->ranges[mine].end, memory_order_relaxed))
        range_withdraw(s, mine);
    s->resumed = 0;
    if (mine)
        mutex_unlock(&s->busy[mine]);
    mutex_unlock(&s->busy[0]);
}

void rwsem_seekers_wait(struct rwsem *s)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < nr_cpus(); i++)
        while (atomic_load_explicit(&s->lines[i].start, memory_order_acquire) & SLOT_SEEKS)
            cpu_relax();
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
    return has_readers(s, 0, RWSEM_EVERYTHING) || mutex_is_locked(&s->busy[0]) ||
           atomic_load(&s->nr_writers);
}
