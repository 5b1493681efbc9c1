/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/fork_exit.c - fork(2), exit(2) and wait(2) with so many pages of its own
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the child does nothing: what is measured is copying, and one space forgotten.
 * Source: fork(2).
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

static void fork_and_wait(void *arg)
{
    (void)arg;
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    MUST(child > 0 && waitpid(child, NULL, 0) == child);
}

EXPERIMENT(fork_exit, .title = "fork, exit and wait", .x_axis = "pages touched before",
           .bare = "A copy of the tables, a flush of the parent, two switches.",
           .virt = LAB_VIRT_CALL)
{
    for (uint64_t nr = 1; nr <= 4096; nr *= 8) {
        char *pages = pages_make(nr);
        struct lab_probe p = {.x = nr, .body = fork_and_wait};
        measure_by_policy(&p);
        munmap(pages, nr * PAGE);
    }
}
