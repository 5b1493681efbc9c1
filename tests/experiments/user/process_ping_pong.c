/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/process_ping_pong.c - two processes on one CPU in turn
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) both are bound to CPU 0: each byte is two switches of address spaces.
 * Source: Linux commit 10af6235e0d3: 512 pages 6.1 -> 1.8 us with PCIDs.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

#define ROUNDS 10

struct game {
    int there[2], back[2];
    char *p;
    uint64_t nr;
    pid_t other;
};

static void read_pages(const struct game *g)
{
    for (uint64_t i = 0; i < g->nr; i++)
        (void)((volatile char *)g->p)[i * PAGE];
}

static void answer(const struct game *g)
{
    char byte;

    close(g->there[1]);
    while (read(g->there[0], &byte, 1) == 1) {
        read_pages(g);
        MUST(write(g->back[1], &byte, 1) == 1);
    }
    _exit(0);
}

static void play(void *arg)
{
    const struct game *g = arg;
    char byte = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        read_pages(g);
        MUST(write(g->there[1], &byte, 1) == 1 && read(g->back[0], &byte, 1) == 1);
    }
}

static void stay_on_cpu_0(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(0, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void game_begin(struct game *g, uint64_t nr)
{
    g->nr = nr;
    g->p = pages_make(nr ? nr : 1);
    MUST(pipe(g->there) == 0 && pipe(g->back) == 0);
    g->other = fork();
    MUST(g->other >= 0);
    if (!g->other)
        answer(g);
    close(g->there[0]);
    close(g->back[1]);
}

static void game_end(struct game *g)
{
    close(g->there[1]);
    close(g->back[0]);
    waitpid(g->other, NULL, 0);
    munmap(g->p, (g->nr ? g->nr : 1) * PAGE);
}

EXPERIMENT(process_ping_pong, .title = "A byte to another process on this CPU and back",
           .x_axis = "pages read by each", .bare = "What grows with the pages is refill.",
           .virt = LAB_VIRT_CALL)
{
    cpu_set_t before;

    sched_getaffinity(0, sizeof(before), &before);
    stay_on_cpu_0();
    for (uint64_t nr = 0; nr <= 512; nr = nr ? nr * 2 : 8) {
        struct game g;
        game_begin(&g, nr);
        lab_measure(&(struct lab_probe){
            .series = policy_name(), .x = nr, .body = play, .arg = &g, .per = ROUNDS});
        game_end(&g);
    }
    sched_setaffinity(0, sizeof(before), &before);
}
