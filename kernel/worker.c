/* SPDX-License-Identifier: MIT */
/*
 * kernel/worker.c - a kernel thread that sleeps until there is something to do, or it is time
 *
 * Room:   kernel.
 * Owns:   how it sleeps.
 * Locks:  queue.lock (rank WAIT) round going to sleep.
 * Always: see kernel/worker.h.
 * Source: -
 * Tour:   after kernel/worker.h.
 */
#include "worker.h"

#include "quiet.h"
#include "task.h"
#include <asm/time.h>
#include <uapi/errno.h>

#define NS_PER_MS 1000000UL

struct alarm {
    struct timer timer;
    struct worker *worker;
    _Atomic bool rang;
};

int worker_start(struct worker *worker, const char *name, void (*fn)(void *arg))
{
    if (atomic_exchange(&worker->exists, true))
        return 0;
    int err = kernel_thread(name, fn, NULL, NULL);
    if (err)
        atomic_store(&worker->exists, false);
    return err;
}

void worker_call(struct worker *worker)
{
    atomic_store(&worker->called, true);
    wake_all(&worker->queue);
}

void worker_begin(struct worker *worker)
{
    atomic_store(&worker->called, false);
}

static void ring(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);

    atomic_store(&alarm->rang, true);
    wake_all(&alarm->worker->queue);
}

bool worker_rest(struct worker *worker, uint64_t ms)
{
    struct alarm alarm = {.timer.fire = ring, .worker = worker};
    struct waiter w;

    wait_prepare(&worker->queue, &w, TASK_BLOCKED);
    if (ms)
        timer_start(&alarm.timer, clock_ns() + ms * NS_PER_MS);
    if (!atomic_load(&worker->called) && !atomic_load(&alarm.rang))
        schedule();
    wait_finish(&worker->queue, &w);
    if (ms)
        timer_stop(&alarm.timer);
    return atomic_load(&alarm.rang);
}

void worker_let_others(void)
{
    sched_yield();
    if (quiet_is_wanted())
        quiet_wait();
}
