/* SPDX-License-Identifier: MIT */
/*
 * user/bench_smp.c - do two threads get twice as much done as one, on ranges of their own?
 *
 * Room:   user. A static Linux program: the same binary runs on Linux and on Bulla.
 * Owns:   nothing outside this process.
 * Locks:  none: the threads share an address space and nothing else.
 * Always: (1) each thread does the same work, however many there are;
 *         (2) one thread and two take turns, the median of the ratios counts: only ratios mean
 *             something where the clock is a busy host's.
 * Source: pthreads(7).
 * Tour:   after user/bench.c. tools/run --smp 2 build/user/bench_smp
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE  4096UL
#define ROUND 64 /* pages of one round */

enum { TURNS = 11, ROUNDS = 400 };

static pthread_barrier_t start;

static char *map_round(void)
{
    char *p = mmap(NULL, ROUND * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(1);
    madvise(p, ROUND * PAGE, MADV_NOHUGEPAGE);
    return p;
}

static void touch(volatile char *p)
{
    for (unsigned i = 0; i < ROUND; i++)
        p[i * PAGE] = 1;
}

/* Private faults only: the pages go again by MADV_DONTNEED, outside of which nothing is mapped. */
static void fault_rounds(void)
{
    char *p = map_round();

    for (unsigned i = 0; i < ROUNDS; i++) {
        touch(p);
        madvise(p, ROUND * PAGE, MADV_DONTNEED);
    }
    munmap(p, ROUND * PAGE);
}

/* Areas come and go as well. */
static void map_rounds(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        char *p = map_round();

        touch(p);
        mprotect(p, ROUND * PAGE, PROT_READ);
        munmap(p, ROUND * PAGE);
    }
}

static void *run(void *rounds)
{
    pthread_barrier_wait(&start);
    ((void (*)(void))rounds)();
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* How long @nr threads take. */
static uint64_t time_of(unsigned nr, void (*rounds)(void))
{
    pthread_t threads[2];
    uint64_t begin;

    pthread_barrier_init(&start, NULL, nr + 1);
    for (unsigned i = 0; i < nr; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)rounds))
            exit(1);
    pthread_barrier_wait(&start);
    begin = now_ns();
    for (unsigned i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    return now_ns() - begin;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Work done in the time that one thread takes, in threads. */
static void measure(const char *name, void (*rounds)(void))
{
    double gain[TURNS];

    time_of(2, rounds); /* so that nothing is for the first time */
    for (unsigned i = 0; i < TURNS; i++) {
        double one = (double)time_of(1, rounds);

        gain[i] = 2 * one / (double)time_of(2, rounds);
    }
    qsort(gain, TURNS, sizeof(gain[0]), by_value);
    printf("%s,%.2f,%.2f,%.2f\n", name, gain[0], gain[TURNS / 2], gain[TURNS - 1]);
}

int main(void)
{
    puts("two threads,least,median,most");
    measure("faults", fault_rounds);
    measure("faults_and_maps", map_rounds);
    return 0;
}
