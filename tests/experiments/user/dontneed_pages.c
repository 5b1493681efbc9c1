/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/dontneed_pages.c - madvise(MADV_DONTNEED), another thread running
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each repetition touches the pages again: they are new ones.
 * Source: Linux, "LUF" (2024): -97 % of the interrupts.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct dropping {
    char *p;
    uint64_t nr;
};

static void touch(void *arg)
{
    const struct dropping *c = arg;
    pages_touch(c->p, c->nr);
}

static void drop(void *arg)
{
    const struct dropping *c = arg;
    madvise(c->p, c->nr * PAGE, MADV_DONTNEED);
}

EXPERIMENT(dontneed_pages, .title = "MADV_DONTNEED, another thread running", .x_axis = "pages",
           .bare = "late and reuse do not wait for the other CPU; its frames do.",
           .virt = LAB_VIRT_IPI)
{
    char *shared = pages_make(16);

    readers_start(shared, 16, nr_cpus() - 1);
    LAB_FOR_SIZES (nr, 1, 512) {
        struct dropping c = {pages_make(nr), nr};
        struct lab_probe p = {.x = nr, .prepare = touch, .body = drop, .arg = &c};
        measure_by_policy(&p);
        munmap(c.p, nr * PAGE);
    }
    readers_stop();
    munmap(shared, 16 * PAGE);
}
