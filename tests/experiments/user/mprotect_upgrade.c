/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/mprotect_upgrade.c - mprotect(2) up: what grows needs no flush
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) before it the pages were read-only, and known as such by both threads.
 * Source: Amit, Tai, Wei, EuroSys 2020: 10,458 to 2,505 cycles on two threads.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct upgrading {
    char *p;
    uint64_t nr;
};

static void make_read_only(void *arg)
{
    const struct upgrading *c = arg;
    MUST(mprotect(c->p, c->nr * PAGE, PROT_READ) == 0);
}

static void to_writable(void *arg)
{
    const struct upgrading *c = arg;
    mprotect(c->p, c->nr * PAGE, RW);
}

EXPERIMENT(mprotect_upgrade, .title = "mprotect to writable, another thread reading the pages",
           .x_axis = "pages", .bare = "Linux 6.1 flushes here as it does on the way down.",
           .virt = LAB_VIRT_CALL)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct upgrading c = {pages_make(nr), nr};
        struct lab_probe p = {.x = nr, .prepare = make_read_only, .body = to_writable, .arg = &c};
        readers_start(c.p, nr, nr_cpus() - 1);
        measure_by_policy(&p);
        readers_stop();
        munmap(c.p, nr * PAGE);
    }
}
