/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/others.c - puts the other CPUs into a state, and takes them out of it
 *
 * Room:   tests/experiments.
 * Owns:   the crew that does it.
 * Locks:  none.
 * Always: (1) measuring begins when all of them are in their state.
 * Source: -
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"

#include "tests/kernel/crew.h"
#include <asm/smp.h>
#include <asm/time.h>
#include <asm/tlb.h>

#define IRQ_OFF_NS 20000
#define SETTLE_NS  2000000

static struct {
    struct crew crew;
    struct pgtable *pgt;
    uint64_t nr;
    enum lab_state state;
    _Atomic bool stop;
    _Atomic unsigned ready;
    _Atomic uint64_t gap;
} others;

static struct tlb_settings saved;

const char *lab_state_name(enum lab_state state)
{
    static const char *const names[] = {"halted", "in the kernel", "interrupts off"};
    return names[state];
}

static void load_here(struct pgtable *pgt)
{
    irq_flags_t flags = irq_save();

    tlb_switch(pgt);
    irq_restore(flags);
}

static void note_gap(uint64_t *last)
{
    uint64_t now = tsc_read(), gap = now - *last;

    if (gap > atomic_load_explicit(&others.gap, memory_order_relaxed))
        atomic_store_explicit(&others.gap, gap, memory_order_relaxed);
    *last = tsc_read();
}

static void work(struct crew *crew, unsigned who)
{
    uint64_t last = tsc_read();
    (void)crew;

    if (who < others.nr && others.pgt)
        load_here(others.pgt);
    atomic_fetch_add(&others.ready, 1);
    while (others.state != LAB_HALTED && who < others.nr && !atomic_load(&others.stop)) {
        irq_flags_t flags = others.state == LAB_IRQ_OFF ? irq_save() : 0;
        if (others.state == LAB_IRQ_OFF) {
            delay_ns(IRQ_OFF_NS);
            irq_restore(flags);
        }
        note_gap(&last);
        cpu_relax();
    }
    if (others.state != LAB_HALTED && others.pgt)
        load_here(&kernel_pgtable);
}

bool lab_others_begin(struct pgtable *pgt, uint64_t nr, enum lab_state state)
{
    others.crew = (struct crew){.work = work};
    others.pgt = pgt;
    others.nr = nr;
    others.state = state;
    atomic_store(&others.stop, false);
    atomic_store(&others.ready, 0);
    atomic_store(&others.gap, 0);
    if (!EXPECT(crew_start(&others.crew)))
        return false;
    while (atomic_load(&others.ready) < others.crew.size)
        cpu_relax();
    if (state == LAB_HALTED) /* its thread is gone, its CPU is idle: what is loaded may stay */
        crew_join(&others.crew);
    delay_ns(SETTLE_NS);
    return true;
}

void lab_others_end(void)
{
    atomic_store(&others.stop, true);
    if (others.state != LAB_HALTED)
        crew_join(&others.crew);
    else if (others.pgt)
        tlb_leave(others.pgt);
}

uint64_t lab_others_longest_gap(void)
{
    return atomic_exchange(&others.gap, 0);
}

void lab_settings_begin(unsigned policy, uint64_t ceiling)
{
    saved = tlb_settings;
    tlb_settings.policy = policy;
    tlb_settings.ceiling = ceiling;
}

void lab_settings_end(void)
{
    tlb_settings = saved;
}
