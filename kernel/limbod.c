/* SPDX-License-Identifier: MIT */
/*
 * kernel/limbod.c - the thread that has every CPU forget what was taken away a moment ago
 *
 * Room:   kernel.
 * Owns:   the thread, and how long a moment is.
 * Locks:  none while it works.
 * Always: (1) it exists from the first frames in limbo on, and sleeps without a timer while there
 *             are none;
 *         (2) what comes is freed after SWEEP_MS, and before twice that if the CPU is not busy.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018): a sweep at each tick.
 * Tour:   after mm/limbo.c, kernel/worker.h.
 */
#include "limbod.h"

#include "worker.h"
#include <asm/tlb.h>
#include <mm/limbo.h>

#define SWEEP_MS 1

static struct worker worker = WORKER_INIT(worker);

static void thread(void *arg)
{
    (void)arg;

    for (;;) {
        worker_begin(&worker);
        bool wait = tlb_settings.policy == TLB_LATE && limbo_frames();
        if (worker_rest(&worker, wait ? SWEEP_MS : 0))
            limbo_drain();
        worker_let_others();
    }
}

/* Without memory for a thread frames stay until there are many. */
static void wake(void)
{
    if (!worker_start(&worker, "limbod", thread))
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
