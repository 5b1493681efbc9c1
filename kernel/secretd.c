/* SPDX-License-Identifier: MIT */
/*
 * kernel/secretd.c - the thread that looks after the pool of hidden pages
 *
 * Room:   kernel.
 * Owns:   the thread, and how long a block that nobody uses is kept.
 * Locks:  none while it works.
 * Always: (1) it exists from the first secret on; a machine without secrets has no such thread;
 *         (2) a block is given back when nobody used it for TIDY_MS, and before twice that;
 *         (3) it sleeps without a timer while there is no such block.
 * Source: -
 * Tour:   after mm/secret_pool.c, kernel/worker.h.
 */
#include "secretd.h"

#include "worker.h"
#include <mm/secretmem.h>

#define TIDY_MS 100

static struct worker worker = WORKER_INIT(worker);

static void thread(void *arg)
{
    bool late = false;
    (void)arg;

    for (;;) {
        worker_begin(&worker);
        bool again = secret_pool_tend(late);
        late = worker_rest(&worker, again ? TIDY_MS : 0);
        worker_let_others();
    }
}

/* Without memory for a thread faults fetch their blocks themselves. */
static bool call(void)
{
    if (worker_start(&worker, "secretd", thread))
        return false;
    worker_call(&worker);
    return true;
}

void secretd_boot_init(void)
{
    secret_pool_boot_init(call);
}
