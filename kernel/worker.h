/* SPDX-License-Identifier: MIT */
/*
 * kernel/worker.h - a kernel thread that sleeps until there is something to do, or it is time
 *
 * Room:   kernel.
 * Owns:   struct worker.
 * Locks:  queue.lock (rank WAIT) round going to sleep.
 * Always: (1) a call that comes while it works is not lost: the next rest ends at once.
 * Source: -
 * Tour:   before kernel/khugepaged.c, kernel/secretd.c.
 */
#pragma once

#include "sched.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
    struct wait_queue queue;
    _Atomic bool exists, called;
};

#define WORKER_INIT(worker)                              \
    {                                                    \
        .queue = {                                       \
            .lock = SPINLOCK_INIT(LOCK_RANK_WAIT),       \
            .waiters = LIST_INIT((worker).queue.waiters) \
        }                                                \
    }

/* Have the thread, which runs @fn for ever. 0, or -ENOMEM: there is none. */
int __must_check worker_start(struct worker *worker, const char *name, void (*fn)(void *arg));

/* Something is to be done. Any context. */
void worker_call(struct worker *worker);

/* By the thread, before it looks at what is to be done. */
void worker_begin(struct worker *worker);

/* By the thread: until somebody calls; for @ms at most, if that is not 0. Did that time pass? */
bool worker_rest(struct worker *worker, uint64_t ms);

/* By the thread, between two steps: the kernel is not preempted, and may be to stand still. */
void worker_let_others(void);
