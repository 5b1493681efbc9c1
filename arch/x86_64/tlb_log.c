/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_log.c - what was taken away without asking, for CPUs that come to it later
 *
 * Room:   arch.
 * Owns:   the log: the last generations of all address spaces that were begun by nobody's request.
 * Locks:  none: who finds an entry busy does not log, and who finds none forgets the whole space.
 * Always: (1) what is read is what was written of that generation of that space, whole;
 *         (2) a generation is logged after it has begun: its leaves are gone by then.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018): states that each CPU sweeps.
 * Tour:   after arch/x86_64/tlb_space.c.
 */
#include "tlb_local.h"

#include <lib/compiler.h>

#define LOG_ENTRIES 256UL

static struct log_entry {
    _Atomic bool busy;
    _Atomic uint64_t space, generation; /* a pair is written once; 0: not whole */
    _Atomic uint64_t start, end, stride;
} __aligned(CACHE_LINE_SIZE) entries[LOG_ENTRIES];

/* Spaces begin at different places, so that a few that are busy at once seldom meet. */
static struct log_entry *entry_of(uint64_t space, uint64_t generation)
{
    return &entries[(space * 61 + generation) % LOG_ENTRIES];
}

static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

void tlb_log_write(const struct tlb_change *change)
{
    struct log_entry *e = entry_of(change->pgt->id, change->generation);

    if (change->end == TLB_ALL_OF_IT || atomic_exchange(&e->busy, true))
        return;
    put(&e->generation, 0);
    atomic_thread_fence(memory_order_release);
    put(&e->space, change->pgt->id);
    put(&e->start, change->start);
    put(&e->end, change->end);
    put(&e->stride, change->stride);
    atomic_store_explicit(&e->generation, change->generation, memory_order_release);
    atomic_store_explicit(&e->busy, false, memory_order_release);
}

bool tlb_log_read(uint64_t space, uint64_t generation, struct tlb_change *out)
{
    const struct log_entry *e = entry_of(space, generation);

    if (atomic_load_explicit(&e->generation, memory_order_acquire) != generation ||
        get(&e->space) != space)
        return false;
    out->start = get(&e->start);
    out->end = get(&e->end);
    out->stride = get(&e->stride);
    atomic_thread_fence(memory_order_acquire);
    return get(&e->generation) == generation && get(&e->space) == space;
}
