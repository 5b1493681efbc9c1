/* SPDX-License-Identifier: MIT */
/*
 * kernel/rwsem.c - many readers or one writer of a range; readers do not disturb each other
 *
 * Room:   kernel. The contract is include/base/mutex.h.
 * Owns:   the readers' lines, one per CPU.
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
#include <base/mutex.h>
#include <base/panic.h>
#include <mm/slab.h>
#include <uapi/errno.h>

/* In the low bits of a slot's start. */
#define SLOT_TAKEN 1UL
#define SLOT_SEEKS 2UL
#define SLOT_FLAGS 3UL

/*
 * One reader of a range has the slot; a second on the same CPU, while the first sleeps, reads
 * everything. The end is written before the start: who reads them the other way round sees a
 * range that somebody has, or one that begins after its own publication.
 */
struct rwsem_line {
    _Atomic uint32_t readers; /* of everything */
    _Atomic uint64_t start;   /* with flags; 0: free */
    _Atomic uint64_t end;
} __aligned(CACHE_LINE_SIZE);

/* How a reader came in: on which CPU, as the distance of its line, and whether by the slot. */
#define READER_SLOT    1U
#define reader_cpu(r)  ((r) / CACHE_LINE_SIZE)
#define reader_of(cpu) ((rwsem_reader_t)(cpu)*CACHE_LINE_SIZE)

/* What others need for a fault, and a bit: to sleep and be woken costs far more. */
#define SPINS 200

_Static_assert(sizeof(struct rwsem_line) == CACHE_LINE_SIZE, "reader_of()");

static struct rwsem_line *line_of(const struct rwsem *s, rwsem_reader_t reader)
{
    return (struct rwsem_line *)((char *)s->lines + (reader & ~READER_SLOT));
}

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
static __cold void wake_writer(struct rwsem *s)
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
            return reader_of(cpu);
        rwsem_read_unlock(s, reader_of(cpu));
        wait_for_writer(s, 0, RWSEM_EVERYTHING);
    }
}

/* Exchanged, not stored: what it says is seen before the writer is looked for. */
static void slot_set(struct rwsem_line *line, uint64_t start, uint64_t end)
{
    atomic_store_explicit(&line->end, end, memory_order_relaxed);
    atomic_exchange(&line->start, start);
}

/* Come in; false: but a writer has some of the range. */
static inline bool seek_once(struct rwsem *s, uint64_t start, uint64_t end, rwsem_reader_t *reader)
{
    *reader = reader_of(cpu_id()) | READER_SLOT;
    struct rwsem_line *line = line_of(s, *reader);
    if (unlikely(atomic_load_explicit(&line->start, memory_order_relaxed))) {
        *reader = rwsem_read_lock(s);
        return true;
    }
    slot_set(line, start | SLOT_TAKEN | SLOT_SEEKS, end);
    return !has_writer(s, start, end);
}

static __cold rwsem_reader_t seek_again(struct rwsem *s, rwsem_reader_t reader, uint64_t start,
                                        uint64_t end)
{
    do {
        rwsem_read_unlock(s, reader);
        wait_for_writer(s, start, end);
    } while (!seek_once(s, start, end, &reader));
    return reader;
}

rwsem_reader_t rwsem_read_seek(struct rwsem *s, uint64_t start, uint64_t end)
{
    rwsem_reader_t reader;
    return likely(seek_once(s, start, end, &reader)) ? reader : seek_again(s, reader, start, end);
}

bool rwsem_read_settle(struct rwsem *s, rwsem_reader_t reader, uint64_t start, uint64_t end)
{
    struct rwsem_line *line = line_of(s, reader);

    if (unlikely(!(reader & READER_SLOT)))
        return true;
    uint64_t sought = atomic_load_explicit(&line->start, memory_order_relaxed) & ~SLOT_FLAGS;
    if (sought == start && atomic_load_explicit(&line->end, memory_order_relaxed) == end) {
        atomic_store_explicit(&line->start, start | SLOT_TAKEN, memory_order_release);
        return true;
    }
    slot_set(line, start | SLOT_TAKEN, end);
    return !has_writer(s, start, end);
}

void rwsem_read_unlock(struct rwsem *s, rwsem_reader_t reader)
{
    struct rwsem_line *line = line_of(s, reader);

    if (reader & READER_SLOT) {
        uint64_t before = atomic_exchange(&line->start, 0);
        DEBUG_ASSERT(before & SLOT_TAKEN, "claim 3: cpu=%u", reader_cpu(reader));
        (void)before;
    } else {
        uint32_t before = atomic_fetch_sub(&line->readers, 1);
        DEBUG_ASSERT(before > 0, "claim: who leaves came in; cpu=%u", reader_cpu(reader));
        (void)before;
    }
    if (unlikely(atomic_load(&s->waiting)))
        wake_writer(s);
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
    return reader_of(cpu);
}

bool rwsem_is_held(const struct rwsem *s)
{
    return has_readers(s, 0, RWSEM_EVERYTHING) || mutex_is_locked(&s->busy[0]) ||
           atomic_load(&s->nr_writers);
}
