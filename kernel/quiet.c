/* SPDX-License-Identifier: MIT */
/*
 * kernel/quiet.c - the whole machine stands still, so that its structures can be looked at
 *
 * Room:   kernel.
 * Owns:   who asked, which CPUs stand.
 * Locks:  none: atomics; go_on.lock (rank WAIT) among those who wait.
 * Always: (1) a CPU stands only when no task is runnable anywhere, and leaves when one is: what an
 *             interrupt wakes runs on to the border, so nobody stands halfway through a call;
 *         (2) a CPU that stands answers shootdowns until all others stand as well.
 * Source: -
 * Tour:   after kernel/sched.c; then kernel/check.c.
 */
#include "quiet.h"

#include "sched.h"
#include <asm/cpu.h>
#include <asm/smp.h>
#include <asm/time.h>
#include <base/bug.h>
#include <base/log.h>
#include <stdatomic.h>

#define REST_NS 20000000000UL

static _Atomic bool wanted, held;
static _Atomic unsigned standing; /* idle, answering interrupts */
static _Atomic unsigned stopped;  /* of these: with IRQs off */
static struct wait_queue go_on = {.lock = SPINLOCK_INIT(LOCK_RANK_WAIT),
                                  .waiters = LIST_INIT(go_on.waiters)};

bool quiet_is_wanted(void)
{
    return atomic_load_explicit(&wanted, memory_order_relaxed);
}

void quiet_wait(void)
{
    while (atomic_load(&wanted)) {
        struct waiter w;
        wait_prepare(&go_on, &w, TASK_BLOCKED);
        if (atomic_load(&wanted))
            schedule();
        wait_finish(&go_on, &w);
    }
}

static void stop_while_held(void)
{
    irq_flags_t flags = irq_save();
    atomic_fetch_add(&stopped, 1);
    while (atomic_load(&held))
        cpu_relax();
    atomic_fetch_sub(&stopped, 1);
    irq_restore(flags);
}

void quiet_idle(void)
{
    if (likely(!quiet_is_wanted()))
        return;
    atomic_fetch_add(&standing, 1);
    while (atomic_load(&wanted) && !sched_somebody_waits()) {
        if (atomic_load(&held))
            stop_while_held();
        cpu_relax();
    }
    atomic_fetch_sub(&standing, 1);
}

static bool all_are(_Atomic unsigned *count)
{
    return atomic_load(count) == nr_cpus() - 1;
}

/* In this order: a CPU stops standing before it takes a task out of a queue. */
static bool all_rest(void)
{
    return !sched_somebody_waits() && all_are(&standing);
}

/* Let the others get to where they can stand. False: one of them does not. */
static bool wait_for_rest(uint64_t until_ns)
{
    while (!all_rest()) {
        if (clock_ns() > until_ns)
            return false;
        sched_run_deferred();
        schedule();
        cpu_relax();
    }
    return true;
}

static void let_go(void)
{
    atomic_store(&held, false);
    while (atomic_load(&stopped))
        cpu_relax();
}

/* All stand: stop them. False: an interrupt gave one of them work at the last moment, and those
 * who have stopped would not answer if it asked them to forget something. */
static bool stop_all(void)
{
    atomic_store(&held, true);
    while (!all_are(&stopped) && (bug_is_back(BUG_B86) ? !sched_somebody_waits() : all_rest()))
        cpu_relax();
    irq_disable();
    if (all_are(&stopped) && !sched_somebody_waits())
        return true;
    irq_enable();
    let_go();
    return false;
}

static void interrupt_all(void)
{
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (i != cpu_id())
            smp_reschedule(i);
}

static void release_all(void)
{
    atomic_store(&wanted, false);
    wake_all(&go_on);
}

bool quiet_begin(void)
{
    uint64_t until_ns = clock_ns() + REST_NS;

    if (atomic_exchange(&wanted, true))
        return false;
    interrupt_all();
    do {
        if (!wait_for_rest(until_ns)) {
            log_warn("quiet: some task does not leave the kernel: %u of %u other CPUs stand%s",
                     atomic_load(&standing), nr_cpus() - 1,
                     sched_somebody_waits() ? ", tasks wait" : "");
            release_all();
            return false;
        }
    } while (!stop_all());
    return true;
}

void quiet_end(void)
{
    let_go();
    irq_enable();
    release_all();
}
