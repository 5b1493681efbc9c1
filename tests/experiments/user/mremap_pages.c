/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/mremap_pages.c - mremap(2): pages move, the old addresses are forgotten
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) there and back: both addresses are free when the other is in use.
 * Source: mremap(2).
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct moving {
    char *from, *to;
    uint64_t nr;
};

static void move(void *arg)
{
    const struct moving *m = arg;
    MUST(mremap(m->from, m->nr * PAGE, m->nr * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m->to) ==
         m->to);
}

static void move_back(void *arg)
{
    const struct moving *m = arg;
    MUST(mremap(m->to, m->nr * PAGE, m->nr * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m->from) ==
         m->from);
}

EXPERIMENT(mremap_pages, .title = "mremap to another address, another thread running",
           .x_axis = "pages", .bare = "Leaves move; one shootdown of where they were.",
           .virt = LAB_VIRT_IPI)
{
    char *shared = pages_make(16);

    readers_start(shared, 16, nr_cpus() - 1);
    LAB_FOR_SIZES (nr, 1, 512) {
        struct moving m = {pages_make(nr), pages_make(nr), nr};
        struct lab_probe p = {.x = nr, .body = move, .settle = move_back, .arg = &m};
        munmap(m.to, nr * PAGE);
        measure_by_policy(&p);
        munmap(m.from, nr * PAGE);
    }
    readers_stop();
    munmap(shared, 16 * PAGE);
}
