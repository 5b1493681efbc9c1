/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/cow_write.c - the first write to a page after a fork, for each page
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the child lives until the pages were written: each is copied.
 * Source: fork(2).
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

struct copying {
    char *p;
    uint64_t nr;
    pid_t child;
};

static void share(void *arg)
{
    struct copying *c = arg;

    c->child = fork();
    MUST(c->child >= 0);
    if (c->child)
        return;
    for (;;)
        pause();
}

static void write_all(void *arg)
{
    const struct copying *c = arg;
    pages_touch(c->p, c->nr);
}

static void end_child(void *arg)
{
    const struct copying *c = arg;

    kill(c->child, SIGKILL);
    waitpid(c->child, NULL, 0);
}

EXPERIMENT(cow_write, .title = "The first write after a fork, for each page", .x_axis = "pages",
           .bare = "A fault, a copy and a flush of one page.", .virt = LAB_VIRT_CALL)
{
    for (uint64_t nr = 1; nr <= 256; nr *= 4) {
        struct copying c = {.p = pages_make(nr), .nr = nr};
        struct lab_probe p = {.x = nr,
                              .prepare = share,
                              .body = write_all,
                              .settle = end_child,
                              .arg = &c,
                              .per = nr};
        measure_by_policy(&p);
        munmap(c.p, nr * PAGE);
    }
}
