/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/asm/spinlock.h - locks that only check how they are used
 *
 * Room:   tests/host: stands in for arch/x86_64/include/asm/spinlock.h.
 * Owns:   the list of locks held, and whether interrupts are off.
 * Locks:  tests have one thread.
 * Always: (1) ranks rise, locks pair, nothing is taken twice: else the test fails.
 * Source: include/base/lock_rank.h.
 * Tour:   with tests/host/machine.h.
 */
#pragma once

#include <base/lock_rank.h>
#include <base/panic.h>
#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    uint16_t held;
    uint16_t irqs_off; /* when it was taken: they must stay off until it is released */
    uint8_t rank;
} spinlock_t;

#define SPINLOCK_INIT(r) ((spinlock_t){.rank = (r)})

typedef uint64_t irq_flags_t;

void host_lock(spinlock_t *lock);
void host_lock_nested(spinlock_t *lock);
void host_unlock(spinlock_t *lock);
irq_flags_t irq_save(void);
void irq_restore(irq_flags_t flags);
bool irqs_enabled(void);

static inline void cpu_relax(void)
{
}

static inline bool irq_flags_enabled(irq_flags_t flags)
{
    return flags != 0;
}

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = SPINLOCK_INIT(rank);
}

static inline void spin_lock(spinlock_t *l)
{
    host_lock(l);
}

static inline void spin_unlock(spinlock_t *l)
{
    host_unlock(l);
}

/* A second lock of the same rank: pairing is checked, rank is not. */
static inline void spin_lock_nested(spinlock_t *l)
{
    host_lock_nested(l);
}

static inline void spin_unlock_nested(spinlock_t *l)
{
    host_unlock(l);
}

static inline bool spin_is_locked(spinlock_t *l)
{
    return l->held != 0;
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
