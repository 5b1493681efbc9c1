/* SPDX-License-Identifier: MIT */
/*
 * tests/user/hugetlb_threads.c - the last huge page, under threads' hands
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   what is free in the pool while a test runs.
 * Locks:  none: threads share memory and flags.
 * Always: (1) a page that is promised is never missing; (2) the pool is as before when a test ends.
 * Source: Linux tools/testing/selftests/mm, hugetlb_fault_after_madv and hugetlb_madv_vs_map (what
 *         they look for); trust.md B56, B59.
 * Tour:   after tests/user/hugetlb_private.c.
 */
#define _GNU_SOURCE
#include "hugetlb.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

/* As often as a race needs, and not for ever on a machine that has other things to do. */
#define ROUNDS  300
#define SECONDS 20

static char *volatile page;
static int file;
static _Atomic bool over;
static _Atomic int wrong, rounds;

/* A thread that is killed by a signal it did not expect says so, and ends. */
static void bus(int sig)
{
    (void)sig;
    wrong++;
    over = true;
    pthread_exit(NULL);
}

static void *discard(void *arg)
{
    while (!over) {
        if (madvise(page, HUGE, MADV_DONTNEED) < 0)
            wrong++;
        rounds++;
        sched_yield();
    }
    return arg;
}

static void *touch(void *arg)
{
    while (!over)
        page[64 * (size_t)arg] = 1;
    return NULL;
}

/* Wants the page that is promised to another. */
static void *steal(void *arg)
{
    while (!over) {
        char *p = map_huge(PRIVATE, 1);
        if (p != MAP_FAILED) {
            wrong++;
            munmap(p, HUGE);
        }
        sched_yield();
    }
    return arg;
}

static void run_threads(void *(*const work[])(void *), size_t nr)
{
    pthread_t threads[4];
    struct timespec now, begin;

    over = false;
    wrong = rounds = 0;
    signal(SIGBUS, bus);
    for (size_t i = 0; i < nr; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, work[i], (void *)i), 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        usleep(10000);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!over && (now.tv_sec < begin.tv_sec + 2 || rounds < ROUNDS) &&
             now.tv_sec < begin.tv_sec + SECONDS);
    over = true;
    for (size_t i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    signal(SIGBUS, SIG_DFL);
    EXPECT_IS(wrong, 0);
}

static void a_promised_page_is_there_however_often_it_is_discarded(void)
{
    static void *(*const work[])(void *) = {discard, touch, steal};

    if (linux_before(6, 8))
        SKIP("Linux gives the promise away before 6.8");
    NEED_POOL(1);
    struct hog hog = hog_all_but(1);
    struct pool before = pool_now();

    page = map_huge(PRIVATE, 1);
    page[0] = 1;
    run_threads(work, 3);
    EXPECT(rounds > 0);
    munmap(page, HUGE);
    EXPECT(pool_changed(before, 0, 0));
    hog_end(hog);
}

static void threads_share_one_promise(void)
{
    NEED_POOL(1);
    struct hog hog = hog_all_but(1);
    struct pool before = pool_now();

    for (int round = 0; round < 20; round++) {
        static void *(*const work[])(void *) = {touch, touch, touch};
        pthread_t threads[3];
        page = map_huge(round % 2 ? PRIVATE : SHARED, 1);
        over = false;
        wrong = 0;
        signal(SIGBUS, bus);
        for (size_t i = 0; i < 3; i++)
            EXPECT_IS(pthread_create(&threads[i], NULL, work[i], (void *)(i + 1)), 0);
        while (!wrong && !(page[64] && page[128] && page[192]))
            sched_yield();
        over = true;
        for (size_t i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        signal(SIGBUS, SIG_DFL);
        EXPECT_IS(wrong, 0);
        munmap(page, HUGE);
    }
    EXPECT(pool_changed(before, 0, 0));
    hog_end(hog);
}

/* Touches the last page of the file, or finds that it is not there. */
static void *touch_file(void *arg)
{
    while (!over)
        probe(page + HUGE, PROBE_WRITE);
    return arg;
}

static void *truncate_file(void *arg)
{
    while (!over) {
        char *again = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, file, 0);
        if (again != MAP_FAILED)
            munmap(again, 2 * HUGE);
        sched_yield();
        if (ftruncate(file, 0) < 0 || ftruncate(file, 2 * HUGE) < 0)
            wrong++;
        rounds++;
    }
    return arg;
}

static void truncation_and_faults_count_each_promise_once(void)
{
    static void *(*const work[])(void *) = {touch_file, truncate_file};

    if (linux_before(1000, 0))
        SKIP("Linux 6.18 loses count itself, until the machine is started anew");
    NEED_POOL(2);
    struct pool before = pool_now();

    file = memfd_create("huge", MFD_HUGETLB);
    EXPECT_IS(ftruncate(file, 2 * HUGE), 0);
    page = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, file, 0);
    run_threads(work, 2);
    EXPECT(rounds > 0);
    munmap(page, 2 * HUGE);
    close(file);
    EXPECT(pool_changed(before, 0, 0));
}

static const struct ktap_test tests[] = {
    TEST(a_promised_page_is_there_however_often_it_is_discarded),
    TEST(threads_share_one_promise),
    TEST(truncation_and_faults_count_each_promise_once),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
