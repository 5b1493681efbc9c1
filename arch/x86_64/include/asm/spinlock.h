/* SPDX-License-Identifier: MIT */
/*
 * asm/spinlock.h - ticket locks with a rank
 *
 * Room:   arch, public face.
 * Owns:   spinlock_t.
 * Locks:  itself. Rising rank only; debug builds (DEBUG >= 1) check it per CPU.
 * Always: (1) first come, first served; (2) every wait loop has a PAUSE;
 *         (3) a lock that an interrupt handler takes is taken with IRQs off everywhere else.
 * Source: Mellor-Crummey and Scott, "Algorithms for Scalable Synchronization" (1991), ticket lock.
 * Tour:   after include/base/lock_rank.h.
 */
#pragma once

#include <base/lock_rank.h>
#include <base/panic.h>
#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    _Atomic uint16_t next;  /* the ticket the next comer draws */
    _Atomic uint16_t owner; /* the ticket that may enter */
    uint8_t rank;           /* enum lock_rank [I] */
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

/* Rank book-keeping of this CPU: arch/x86_64/lock_debug.c. Sleeping locks are checked per task. */
void lock_debug_acquire(const void *lock, enum lock_rank rank);
void lock_debug_release(const void *lock, enum lock_rank rank);

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = SPINLOCK_INIT(rank);
}

static inline void spin_lock(spinlock_t *l)
{
    if (DEBUG >= 1)
        lock_debug_acquire(l, l->rank);
    uint16_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->owner, memory_order_acquire) != ticket)
        cpu_relax();
}

static inline void spin_unlock(spinlock_t *l)
{
    uint16_t owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
    atomic_store_explicit(&l->owner, owner + 1, memory_order_release);
    if (DEBUG >= 1)
        lock_debug_release(l, l->rank);
}

/* A second lock of the same rank, where the caller has an order among them (by address). */
static inline void spin_lock_nested(spinlock_t *l)
{
    uint16_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->owner, memory_order_acquire) != ticket)
        cpu_relax();
}

static inline void spin_unlock_nested(spinlock_t *l)
{
    uint16_t owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
    atomic_store_explicit(&l->owner, owner + 1, memory_order_release);
}

static inline bool spin_is_locked(spinlock_t *l)
{
    return atomic_load(&l->owner) != atomic_load(&l->next);
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
