/* SPDX-License-Identifier: MIT */
/*
 * user/bench_smp.c - do two threads get twice as much done as one, on ranges of their own?
 *
 * Room:   user. A static Linux program: the same binary runs on Linux and on Bulla.
 * Owns:   nothing outside this process.
 * Locks:  none: the threads share an address space and nothing else.
 * Always: (1) each thread does the same work, however many there are;
 *         (2) one thread and two take turns, the median of the ratios counts: only ratios mean
 *             something where the clock is a busy host's; "computing" is what the host gives.
 * Source: pthreads(7); will-it-scale, tlb_flush2, for what "discards" does.
 * Tour:   after user/bench.c. tools/run --smp 2 build/user/bench_smp; tools/lines runs "marked",
 *         tools/bench --threads "discards".
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096UL
#define HUGE  (512 * PAGE)
#define ROUND 64 /* pages of one round */
#define LAND  (8 * HUGE)

enum { TURNS = 11, ROUNDS = 200, MARKED = 1000, STEPS = 20 * 1000 * 1000 };

static pthread_barrier_t start, end;

static char *map(size_t bytes)
{
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(1);
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

static void touch(volatile char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        p[i * PAGE] = 1;
}

/* Nothing but arithmetic: what the host has to give. */
static void compute(char *land)
{
    volatile uint32_t result;
    uint32_t x = (uint32_t)(uintptr_t)land;

    for (unsigned i = 0; i < STEPS; i++)
        x = x * 1664525 + 1013904223;
    result = x;
    (void)result;
}

/* Private faults only. */
static void fault(char *land)
{
    touch(land, LAND / PAGE);
}

/* The pages go again, by MADV_DONTNEED, outside of which nothing is mapped. */
static void fault_and_discard(char *land)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        touch(land, ROUND);
        madvise(land, ROUND * PAGE, MADV_DONTNEED);
    }
}

/* Areas come and go as well. */
static void fault_and_map(char *land)
{
    (void)land;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char *p = map(ROUND * PAGE);

        touch(p, ROUND);
        mprotect(p, ROUND * PAGE, PROT_READ);
        munmap(p, ROUND * PAGE);
    }
}

static void *run(void *work)
{
    char *land = map(LAND);

    pthread_barrier_wait(&start);
    ((void (*)(char *))work)(land);
    pthread_barrier_wait(&end);
    munmap(land, LAND);
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* How long @nr threads take. */
static uint64_t time_of(unsigned nr, void (*work)(char *land))
{
    pthread_t threads[2];
    uint64_t begin, took;

    pthread_barrier_init(&start, NULL, nr + 1);
    pthread_barrier_init(&end, NULL, nr + 1);
    for (unsigned i = 0; i < nr; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)work))
            exit(1);
    pthread_barrier_wait(&start);
    begin = now_ns();
    pthread_barrier_wait(&end);
    took = now_ns() - begin;
    for (unsigned i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    return took;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Work done in the time that one thread takes, in threads. */
static void measure(const char *name, void (*work)(char *land))
{
    double gain[TURNS];

    time_of(2, work); /* so that nothing is for the first time */
    for (unsigned i = 0; i < TURNS; i++) {
        double one = (double)time_of(1, work);

        gain[i] = 2 * one / (double)time_of(2, work);
    }
    qsort(gain, TURNS, sizeof(gain[0]), by_value);
    printf("%s,%.2f,%.2f,%.2f\n", name, gain[0], gain[TURNS / 2], gain[TURNS - 1]);
    fflush(stdout);
}

/* Where tools/lines begins to look, and ends: every thread comes by both. They do nothing. */
#define MARK_BEGIN() __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"LNSb\"" ::: "memory")
#define MARK_END()   __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"LNSe\"" ::: "memory")

static _Atomic unsigned done[2]; /* pages, between the marks */

static void stay_on(size_t cpu)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus))
        exit(1);
}

/* Faults on a CPU of its own, in tables of its own that are there already, while others do, too. */
static void *fault_marked(void *arg)
{
    size_t me = (size_t)arg, page = 0;
    char *land = map(LAND + HUGE);

    stay_on(me);
    land = (char *)(((uintptr_t)land + HUGE - 1) & ~(HUGE - 1));
    for (char *at = land; at < land + LAND; at += HUGE)
        touch(at, 1);
    pthread_barrier_wait(&start);
    MARK_BEGIN();
    while (++page < LAND / PAGE && (done[0] < MARKED || done[1] < MARKED)) {
        touch(land + page * PAGE, 1);
        done[me]++;
    }
    MARK_END();
    return NULL;
}

static int run_marked(void)
{
    pthread_t threads[2];

    pthread_barrier_init(&start, NULL, 2);
    for (size_t i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, fault_marked, (void *)i))
            exit(1);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%u,%u\n", done[0], done[1]);
    return done[0] < MARKED || done[1] < MARKED;
}

static struct {
    _Alignas(64) _Atomic uint64_t pages;
} discarded[2];

static _Atomic bool over;

static bool write_discard_and_read(volatile char *page)
{
    *page = 1;
    return !madvise((char *)page, PAGE, MADV_DONTNEED) && *page == 0;
}

/* Page by page of a mebibyte that comes and goes, until it is over. */
static void *discard(void *arg)
{
    size_t me = (size_t)arg;

    stay_on(me);
    pthread_barrier_wait(&start);
    while (!over) {
        char *p = map(256 * PAGE);

        for (size_t i = 0; i < 256; i++) {
            if (!write_discard_and_read(p + i * PAGE))
                exit(1);
            discarded[me].pages = discarded[me].pages + 1;
        }
        munmap(p, 256 * PAGE);
    }
    return NULL;
}

static uint64_t discarded_by_both(void)
{
    return discarded[0].pages + discarded[1].pages;
}

/* Pages a second, of two threads that share nothing but their address space. */
static int run_discards(unsigned seconds)
{
    pthread_t threads[2];
    uint64_t begin, pages, took;

    pthread_barrier_init(&start, NULL, 3);
    for (size_t i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, discard, (void *)i))
            exit(1);
    pthread_barrier_wait(&start);
    sleep(1);
    begin = now_ns();
    pages = discarded_by_both();
    sleep(seconds);
    pages = discarded_by_both() - pages;
    took = now_ns() - begin;
    over = true;
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("discards,%.0f\n", (double)pages * 1e9 / (double)took);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "marked"))
        return run_marked();
    if (argc > 2 && !strcmp(argv[1], "discards"))
        return run_discards((unsigned)atoi(argv[2]));
    puts("two threads,least,median,most");
    measure("computing", compute);
    measure("faults", fault);
    measure("faults_and_discards", fault_and_discard);
    measure("faults_and_maps", fault_and_map);
    return 0;
}
