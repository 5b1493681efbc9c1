/* SPDX-License-Identifier: MIT */
/*
 * asm/spinlock.h - spinning locks with a rank
 *
 * Room:   arch, public face.
 * Owns:   spinlock_t.
 * Locks:  itself. Rising rank only; debug builds (DEBUG >= 1) check it per CPU.
 * Always: (1) whoever finds the lock free gets it: no queue, for the CPU that is next in line may
 *             be a virtual one that does not run (docs/decisions/0004-unfair-locks.md);
 *         (2) every wait loop has a PAUSE;
 *         (3) a lock that an interrupt handler takes is taken with IRQs off everywhere else.
 * Source: Anderson, "The Performance of Spin Lock Alternatives" (1990), test and test-and-set.
 * Tour:   after include/base/lock_rank.h.
 */
#pragma once

#include <base/lock_rank.h>
#include <base/panic.h>
#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    _Atomic bool held;
    uint8_t rank; /* enum lock_rank [I] */
} spinlock_t;

#define SPINLOCK_INIT(r) ((spinlock_t){.rank = (r)})

typedef uint64_t irq_flags_t;

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static inline irq_flags_t irq_save(void)
{
    irq_flags_t flags;
    __asm__ volatile("pushfq; pop %0; cli" : "=r"(flags)::"memory");
    return flags;
}

static inline bool irq_flags_enabled(irq_flags_t flags)
{
    return flags & (1 << 9); /* RFLAGS.IF */
}

static inline bool irqs_enabled(void)
{
    irq_flags_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags)::"memory");
    return irq_flags_enabled(flags);
}

static inline void irq_restore(irq_flags_t flags)
{
    if (irq_flags_enabled(flags))
        __asm__ volatile("sti" ::: "memory");
}

/* Does this CPU hold a spinning lock? Debug builds know, others say no. IRQs off. */
bool locks_are_held(void);

/* Rank book-keeping of this CPU: arch/x86_64/lock_debug.c. Sleeping locks are checked per task. */
void lock_debug_acquire(const void *lock, enum lock_rank rank);
void lock_debug_release(const void *lock, enum lock_rank rank);

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = SPINLOCK_INIT(rank);
}

/* Spin on a plain load: the line stays shared until the lock is free. */
static inline void spin_acquire(spinlock_t *l)
{
    while (unlikely(atomic_exchange_explicit(&l->held, true, memory_order_acquire)))
        while (atomic_load_explicit(&l->held, memory_order_relaxed))
            cpu_relax();
}

static inline void spin_lock(spinlock_t *l)
{
    if (DEBUG >= 1)
        lock_debug_acquire(l, l->rank);
    spin_acquire(l);
}

static inline void spin_unlock(spinlock_t *l)
{
    atomic_store_explicit(&l->held, false, memory_order_release);
    if (DEBUG >= 1)
        lock_debug_release(l, l->rank);
}

/* A second lock of the same rank, where the caller has an order among them (by address). */
static inline void spin_lock_nested(spinlock_t *l)
{
    spin_acquire(l);
}

static inline void spin_unlock_nested(spinlock_t *l)
{
    atomic_store_explicit(&l->held, false, memory_order_release);
}

static inline bool spin_is_locked(spinlock_t *l)
{
    return atomic_load(&l->held);
}

static inline irq_flags_t spin_lock_irqsave(spinlock_t *l)
{
    irq_flags_t flags = irq_save();
    spin_lock(l);
    return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *l, irq_flags_t flags)
{
    spin_unlock(l);
    irq_restore(flags);
}
