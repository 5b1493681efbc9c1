/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/flush_threads.c - threads that drop and touch together
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) all threads share one address space; each works on its own pages.
 * Source: will-it-scale, tests/tlb_flush2.c, for the idea.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

#include <stdatomic.h>

#define PAGES  64
#define ROUNDS 5

static _Atomic unsigned go;

static void *drop_and_touch(void *arg)
{
    char *p = arg;

    while (!atomic_load(&go))
        sched_yield();
    for (unsigned round = 0; round < ROUNDS; round++) {
        pages_touch(p, PAGES);
        for (unsigned i = 0; i < PAGES; i += 8)
            madvise(p + i * PAGE, 8 * PAGE, MADV_DONTNEED);
    }
    return NULL;
}

/* Ticks from the first to the last of all threads, for a call of one of them. */
static uint64_t run(void *arg)
{
    const unsigned *nr = arg;
    pthread_t threads[64];
    char *p = pages_make(*nr * PAGES);

    atomic_store(&go, 0);
    for (unsigned i = 0; i < *nr; i++)
        MUST(pthread_create(&threads[i], NULL, drop_and_touch, p + i * PAGES * PAGE) == 0);
    uint64_t start = lab_clock_before();
    atomic_store(&go, 1);
    for (unsigned i = 0; i < *nr; i++)
        pthread_join(threads[i], NULL);
    uint64_t ticks = lab_clock_after() - start;
    munmap(p, *nr * PAGES * PAGE);
    return ticks / (ROUNDS * PAGES / 8);
}

EXPERIMENT(flush_threads, .title = "Threads that drop and touch 8 pages at a time, each its own",
           .x_axis = "threads", .bare = "Flat would be perfect: each call asks all other CPUs.",
           .virt = LAB_VIRT_IPI)
{
    for (unsigned nr = 1; nr <= nr_cpus() && nr <= 64; nr *= 2) {
        struct lab_probe p = {.x = nr, .sample = run, .arg = &nr};
        measure_by_policy(&p);
    }
}
