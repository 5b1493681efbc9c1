/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/munmap_pages.c - munmap(2) of pages that another thread is reading around
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the reader has the address space loaded and in use: it has to be told.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018): -70.8 % of munmap's latency.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct unmapping {
    char *p;
    uint64_t nr;
};

static void prepare(void *arg)
{
    struct unmapping *u = arg;
    u->p = pages_make(u->nr);
}

static void body(void *arg)
{
    const struct unmapping *u = arg;
    munmap(u->p, u->nr * PAGE);
}

EXPERIMENT(munmap_pages, .title = "munmap, another thread running", .x_axis = "pages touched",
           .bare = "The call with its shootdown: what policies are about.", .virt = LAB_VIRT_IPI)
{
    char *shared = pages_make(16);

    readers_start(shared, 16, nr_cpus() - 1);
    LAB_FOR_SIZES (nr, 1, 512) {
        struct unmapping u = {.nr = nr};
        struct lab_probe p = {.x = nr, .prepare = prepare, .body = body, .arg = &u};
        measure_by_policy(&p);
    }
    readers_stop();
    munmap(shared, 16 * PAGE);
}
