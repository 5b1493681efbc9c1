/* SPDX-License-Identifier: MIT */
/*
 * kernel/limbod.c - the thread that has every CPU forget what was taken away a moment ago
 *
 * Room:   kernel.
 * Owns:   the thread, and how long a moment is.
 * Locks:  none while it works.
 * Always: (1) it exists from the first frames in limbo on, and sleeps without a timer when there
 *             were none for a while;
 *         (2) what comes is freed after SWEEP_MS, and before twice that if the CPU is not busy;
 *         (3) who adds a frame sees that it sweeps, or it sees the frame.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018): a sweep at each tick.
 * Tour:   after mm/limbo.c, kernel/worker.h.
 */
#include "limbod.h"

#include "worker.h"
#include <asm/tlb.h>
#include <mm/limbo.h>

#define SWEEP_MS 1
#define LINGERS  8 /* sweeps that find nothing, before it sleeps: who wakes it pays for that */

static struct worker worker = WORKER_INIT(worker);

static _Atomic bool sweeps; /* it will come by itself */

/* Is it to come again by itself, having found nothing @idle times? Claim 3. */
static bool has_more(unsigned *idle)
{
    atomic_store(&sweeps, false);
    *idle = limbo_frames() ? 0 : *idle + 1;
    bool more = tlb_settings.policy == TLB_LATE && *idle < LINGERS;
    if (more)
        atomic_store(&sweeps, true);
    return more;
}

static void thread(void *arg)
{
    unsigned idle = 0;

    (void)arg;
    for (;;) {
        worker_begin(&worker);
        if (worker_rest(&worker, has_more(&idle) ? SWEEP_MS : 0))
            limbo_sweep();
        worker_let_others();
    }
}

/* Without memory for a thread frames stay until there are many. */
static void wake(void)
{
    if (atomic_exchange(&sweeps, true))
        return;
    if (worker_start(&worker, "limbod", thread))
        atomic_store(&sweeps, false);
    else
        worker_call(&worker);
}

int limbo_policy_changed(void)
{
    limbo_drain();
    return 0;
}

void limbod_boot_init(void)
{
    limbo_wake_by(wake);
}
