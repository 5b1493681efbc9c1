/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/program_collector.c - faults tell a collector which pages are written
 *
 * Room:   user.
 * Owns:   the heap.
 * Locks:  none.
 * Always: (1) a page that was written is writable, and known, until the next round.
 * Source: Boehm, Demers, Shenker, "Mostly Parallel Garbage Collection" (1991), for the idea.
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#define HEAP_PAGES    64UL
#define WRITTEN_PAGES 8UL

static char *heap;
static struct sigaction before;

static void note_write(int sig, siginfo_t *info, void *context)
{
    char *page = (char *)((uintptr_t)info->si_addr & -PAGE);

    (void)sig;
    (void)context;
    MUST(mprotect(page, PAGE, RW) == 0);
}

static void heap_make(unsigned nr_threads)
{
    struct sigaction noted = {.sa_sigaction = note_write, .sa_flags = SA_SIGINFO};

    heap = pages_make(nr_threads * HEAP_PAGES);
    sigaction(SIGSEGV, &noted, &before);
}

static void heap_drop(unsigned nr_threads)
{
    sigaction(SIGSEGV, &before, NULL);
    munmap(heap, nr_threads * HEAP_PAGES * PAGE);
}

static void collect(unsigned thread)
{
    char *own = heap + thread * HEAP_PAGES * PAGE;

    MUST(mprotect(own, HEAP_PAGES * PAGE, PROT_READ) == 0);
    for (unsigned i = 0; i < WRITTEN_PAGES; i++)
        ((volatile char *)own)[i * (HEAP_PAGES / WRITTEN_PAGES) * PAGE] = 1;
}

const struct program program_collector = {
    .name = "collector", .begin = heap_make, .work = collect, .end = heap_drop, .operations = 20};

EXPERIMENT(program_collector,
           .title = "A collector: protect 64 pages, then 8 are written, each noted in a handler",
           .x_axis = "threads",
           .bare = "One flush that all take part in, and eight upgrades that need none.",
           .virt = LAB_VIRT_IPI)
{
    program_measure(&program_collector);
}
