/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/mprotect_pages.c - mprotect(2) down, another thread reading the pages
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the reader has each of the pages in its TLB: it has to forget them.
 * Source: Amit, Tai, Wei, EuroSys 2020.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct protecting {
    char *p;
    uint64_t nr;
};

static void make_writable(void *arg)
{
    const struct protecting *c = arg;

    MUST(mprotect(c->p, c->nr * PAGE, RW) == 0);
    pages_touch(c->p, c->nr);
}

static void to_read_only(void *arg)
{
    const struct protecting *c = arg;
    mprotect(c->p, c->nr * PAGE, PROT_READ);
}

EXPERIMENT(mprotect_pages, .title = "mprotect to read-only, another thread reading the pages",
           .x_axis = "pages", .bare = "The call with its shootdown.", .virt = LAB_VIRT_IPI)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct protecting c = {pages_make(nr), nr};
        struct lab_probe p = {.x = nr, .prepare = make_writable, .body = to_read_only, .arg = &c};
        readers_start(c.p, nr, nr_cpus() - 1);
        measure_by_policy(&p);
        readers_stop();
        munmap(c.p, nr * PAGE);
    }
}
