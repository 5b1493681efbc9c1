/* SPDX-License-Identifier: MIT */
/*
 * include/base/rwsem_seek.h - reading a range while writers work elsewhere, in line
 *
 * Room:   base: the part of struct rwsem that faults spend their time in; else kernel/rwsem.c.
 * Owns:   the readers' lines, one per CPU.
 * Locks:  none: a line is written by its own CPU, and in one exchange given back by any.
 * Always: -
 * Source: -
 * Tour:   after base/mutex.h; its user is mm/fault.c. docs/decisions/0006-ranges.md.
 */
#pragma once

#include <asm/cpu.h>
#include <base/mutex.h>
#include <base/panic.h>

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

/* This CPU's line. */
static inline struct rwsem_line *rwsem_line_own(const struct rwsem *s)
{
    return &s->lines[cpu_id()];
}

/* Exchanged, not stored: what it says is seen before the writer is looked for. */
static inline void rwsem_slot_set(struct rwsem_line *line, uint64_t start, uint64_t end)
{
    atomic_store_explicit(&line->end, end, memory_order_relaxed);
    atomic_exchange(&line->start, start);
}

/* What those below do when writers are there. */
struct rwsem_line *rwsem_seek_beside_writers(struct rwsem *s, struct rwsem_line *line,
                                             uint64_t start, uint64_t end);
void rwsem_wake_writer(struct rwsem *s);

/**
 * rwsem_read_seek() - read [start, end), once what is there has been found
 * Writers of other ranges change the way there meanwhile, but free nothing that leads along it.
 * @start: a multiple of 4; @end: above it
 * Context: up to rwsem_read_settle(), or rwsem_read_leave() if nothing was found, the caller
 *          neither sleeps nor takes a lock.
 * Return: what says so; NULL: this CPU's slot is another reader's, rwsem_read_lock() it is.
 */
static inline struct rwsem_line *rwsem_read_seek(struct rwsem *s, uint64_t start, uint64_t end)
{
    struct rwsem_line *line = rwsem_line_own(s);

    if (unlikely(atomic_load_explicit(&line->start, memory_order_relaxed)))
        return NULL;
    rwsem_slot_set(line, start | SLOT_TAKEN | SLOT_SEEKS, end);
    if (likely(!atomic_load(&s->nr_writers)))
        return line;
    return rwsem_seek_beside_writers(s, line, start, end);
}

/* The search is over; what was sought, from @start on, is what will be read. */
static inline void rwsem_read_settle(struct rwsem_line *line, uint64_t start)
{
    atomic_store_explicit(&line->start, start | SLOT_TAKEN, memory_order_release);
}

/* The same, and more is read: all of [start, end). False: a writer has some of that; read nothing,
 * leave. */
bool __must_check rwsem_settle_for_more(struct rwsem *s, struct rwsem_line *line, uint64_t start,
                                        uint64_t end);

static inline void rwsem_slot_leave(struct rwsem_line *line)
{
    uint64_t before = atomic_exchange(&line->start, 0);
    DEBUG_ASSERT(before & SLOT_TAKEN, "claim 3: start=%#lx", before);
    (void)before;
}

/* Nothing there is read any more. On any CPU. */
static inline void rwsem_read_leave(struct rwsem *s, struct rwsem_line *line)
{
    rwsem_slot_leave(line);
    if (unlikely(atomic_load(&s->waiting)))
        rwsem_wake_writer(s);
}
