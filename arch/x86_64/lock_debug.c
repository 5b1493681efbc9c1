/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/lock_debug.c - are spinning locks taken in rising rank?
 *
 * Room:   arch.
 * Owns:   the list of spinning locks each CPU holds (struct cpu).
 * Locks:  none: a CPU looks only at its own list, IRQs off meanwhile.
 * Always: (1) the newest lock held has the highest rank.
 * Source: include/base/lock_rank.h.
 * Tour:   with docs/locking.md.
 */
#include "percpu.h"
#include <asm/spinlock.h>

/* Interrupts take these, too: docs/locking.md says "IRQs off". */
static bool taken_without_irqs(enum lock_rank rank)
{
    return rank == LOCK_RANK_SIGNAL || rank >= LOCK_RANK_SLAB_CPU;
}

bool locks_are_held(void)
{
    return DEBUG >= 1 && this_cpu()->nr_locks_held;
}

void lock_debug_acquire(const void *lock, enum lock_rank rank)
{
    irq_flags_t flags = irq_save();
    struct cpu *cpu = this_cpu();
    unsigned n = cpu->nr_locks_held;

    ASSERT(!irq_flags_enabled(flags) || !taken_without_irqs(rank),
           "V29: a lock of rank %d is taken with IRQs on", rank);
    ASSERT(n < LOCKS_HELD_MAX, "lock %p of rank %d would be number %u", lock, rank, n);
    ASSERT(n == 0 || cpu->locks_held[n - 1].rank < rank,
           "claim: locks are taken in rising rank; rank %d is held, %d is wanted",
           cpu->locks_held[n - 1].rank, rank);
    cpu->locks_held[n].lock = lock;
    cpu->locks_held[n].rank = rank;
    cpu->nr_locks_held = n + 1;
    irq_restore(flags);
}

void lock_debug_release(const void *lock, enum lock_rank rank)
{
    irq_flags_t flags = irq_save();
    struct cpu *cpu = this_cpu();
    unsigned i = cpu->nr_locks_held;

    while (i > 0 && cpu->locks_held[i - 1].lock != lock)
        i--;
    ASSERT(i > 0, "lock %p of rank %d is released but was not held by this CPU", lock, rank);
    for (; i < cpu->nr_locks_held; i++)
        cpu->locks_held[i - 1] = cpu->locks_held[i];
    cpu->nr_locks_held--;
    irq_restore(flags);
}
