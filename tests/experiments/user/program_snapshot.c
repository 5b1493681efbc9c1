/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/program_snapshot.c - a store writes on while its child saves it
 *
 * Room:   user.
 * Owns:   the store.
 * Locks:  none.
 * Always: (1) the child reads what was there when it was forked.
 * Source: Redis, "RDB" snapshots, for the idea; fork(2).
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#define STORE_PAGES 64UL

static char *store;

static void store_make(unsigned nr_threads)
{
    store = pages_make(nr_threads * STORE_PAGES);
}

static void store_drop(unsigned nr_threads)
{
    munmap(store, nr_threads * STORE_PAGES * PAGE);
}

static void save(const volatile char *own)
{
    char first = own[0], sum = 0;

    for (unsigned i = 0; i < STORE_PAGES; i++)
        sum += (char)(own[i * PAGE] != first);
    _exit(sum);
}

static void take_snapshot(unsigned thread)
{
    volatile char *own = store + thread * STORE_PAGES * PAGE;
    int status = 1;

    pid_t child = fork();
    if (child == 0)
        save(own);
    for (unsigned i = 0; i < STORE_PAGES; i++)
        own[i * PAGE]++;
    MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

const struct program program_snapshot = {.name = "snapshot",
                                         .begin = store_make,
                                         .work = take_snapshot,
                                         .end = store_drop,
                                         .operations = 4};

EXPERIMENT(program_snapshot,
           .title = "A store: a child reads 64 pages, the parent writes them meanwhile",
           .x_axis = "threads",
           .bare = "fork() takes the right to write from all threads; each first write is a copy.",
           .virt = LAB_VIRT_IPI)
{
    program_measure(&program_snapshot);
}
