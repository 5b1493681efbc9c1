/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secret_race.c - secret pages come and go under the hands of two threads
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none: threads share memory and flags; meet() is a barrier of two.
 * Always: (1) a test ends after SECONDS, or ROUNDS rounds; an argument is other seconds, and then
 *             it says how many rounds that were.
 * Source: trust.md S5, S20, B48, B51.
 * Tour:   after tests/user/secretmem.c; tests/kernel/secret_race.c for what programs cannot do.
 */
#define _GNU_SOURCE
#include "secret.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define SECONDS    1
#define ROUNDS     100000
#define PAGES      32UL
#define NEXT_OWNER 0x80

static int seconds = SECONDS;
static time_t began;
static unsigned rounds;
static _Atomic bool over;
static _Atomic unsigned there, meetings;
static char *volatile shared;
static _Atomic unsigned wrong;
static _Thread_local sigjmp_buf refused;

/* Both threads come here before one goes on. */
static void meet(void)
{
    unsigned before = meetings, spins = 0;

    if (atomic_fetch_add(&there, 1) == 1) {
        there = 0;
        meetings++;
        return;
    }
    while (meetings == before)
        if (++spins % 64 == 0)
            sched_yield();
}

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool goes_on(unsigned more)
{
    rounds += more;
    return rounds < ROUNDS && now() <= began + seconds;
}

static void on_refusal(int sig)
{
    (void)sig;
    siglongjmp(refused, 1);
}

/* Read or write a byte: -1 when that is refused. */
static int touch(volatile char *p, int value)
{
    if (sigsetjmp(refused, 1))
        return -1;
    if (value >= 0)
        *p = (char)value;
    return (uint8_t)*p;
}

static void (*other_work)(void);

static void *other_thread(void *arg)
{
    for (;;) {
        meet();
        if (over)
            return arg;
        other_work();
        meet();
    }
}

/* @round() again and again; between two meetings of its own the other thread does @other(). */
static void race(void (*round)(void), void (*other)(void))
{
    pthread_t thread;

    over = false;
    wrong = rounds = 0;
    began = now();
    other_work = other;
    signal(SIGSEGV, on_refusal);
    signal(SIGBUS, on_refusal);
    EXPECT_IS(pthread_create(&thread, NULL, other_thread, NULL), 0);
    do
        round();
    while (goes_on(PAGES));
    over = true;
    meet();
    pthread_join(thread, NULL);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    EXPECT_IS(wrong, 0);
    if (seconds != SECONDS)
        printf("# %u rounds\n", rounds);
}

#define NEED_SECRETS          \
    do {                      \
        int file = secret(0); \
        NEED_SECRET(file);    \
        close(file);          \
    } while (0)

/* Two faults of one page: what both write is there. */

static void write_odd_bytes(void)
{
    for (size_t i = 0; i < PAGES; i++)
        shared[i * PAGE + 1] = (char)(i + 1);
}

static void fault_the_same(void)
{
    int fd = secret_file(PAGES);
    char *p = shared = secret_map(fd, PAGES);

    close(fd);
    meet();
    for (size_t i = 0; i < PAGES; i++)
        p[i * PAGE] = (char)i;
    meet();
    for (size_t i = 0; i < PAGES; i++)
        wrong += p[i * PAGE] != (char)i || p[i * PAGE + 1] != (char)(i + 1) || p[i * PAGE + 2];
    munmap(p, PAGES * PAGE);
}

static void two_faults_of_one_page_give_one_page(void)
{
    NEED_SECRETS;
    race(fault_the_same, write_odd_bytes);
}

/* Faults while the size is set: refused, or zeros. */

static void touch_all(void)
{
    for (size_t i = PAGES; i-- > 0;)
        wrong += touch(shared + i * PAGE, -1) > 0;
}

static void set_the_size(void)
{
    int fd = secret(0);
    char *p = shared = secret_map(fd, PAGES);

    meet();
    wrong += ftruncate(fd, PAGES * PAGE) < 0;
    meet();
    for (size_t i = 0; i < PAGES; i++)
        wrong += touch(p + i * PAGE, -1) != 0;
    munmap(p, PAGES * PAGE);
    close(fd);
}

static void faults_while_the_size_is_set_are_refused_or_find_zeros(void)
{
    NEED_SECRETS;
    race(set_the_size, touch_all);
}

/* Faults while the file is closed and the mapping goes. */

static void write_all(void)
{
    for (size_t i = 0; i < PAGES; i++) {
        int seen = touch(shared + i * PAGE, 7);
        wrong += seen > 0 && seen != 7;
    }
}

static void close_and_unmap(void)
{
    int fd = secret_file(PAGES);
    char *p = shared = secret_map(fd, PAGES);

    meet();
    close(fd);
    for (size_t i = 0; i < PAGES; i += PAGES / 4)
        munmap(p + i * PAGE, PAGES / 4 * PAGE);
    meet();
}

static void faults_while_file_and_mapping_go_end_in_a_signal(void)
{
    NEED_SECRETS;
    race(close_and_unmap, write_all);
}

/* A process that ends while its other thread faults. */

static void *fault_for_ever(void *arg)
{
    for (;;)
        for (size_t i = 0; i < PAGES; i++)
            shared[i * PAGE] = 1;
    return arg;
}

static _Noreturn void fault_and_exit(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fault_for_ever, NULL))
        _exit(1);
    while (!*(volatile char *)shared)
        sched_yield();
    _exit(0);
}

static void a_process_ends_while_it_faults(void)
{
    int status;

    NEED_SECRETS;
    began = now();
    rounds = 0;
    do {
        int fd = secret_file(PAGES);
        shared = secret_map(fd, PAGES);
        close(fd);
        pid_t child = fork();
        if (child == 0)
            fault_and_exit();
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT_IS(status, 0);
        munmap(shared, PAGES * PAGE);
    } while (goes_on(1));
    if (seconds != SECONDS)
        printf("# %u processes\n", rounds);
}

/* Who reads at an old address sees what was there, or a signal: never what the page's next owner
 * writes. And the next owner finds zeros. */

static void read_on(void)
{
    for (size_t i = 0; i < PAGES; i++) {
        int seen;
        do {
            seen = touch(shared + i * PAGE, -1);
            wrong += seen > 0 && (seen & NEXT_OWNER);
        } while (seen >= 0);
    }
}

static void unmap_and_use_again(void)
{
    int fd = secret_file(PAGES), next = secret_file(PAGES);
    char *p = secret_map(fd, PAGES), *q = secret_map(next, PAGES);
    char *plain = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    close(fd);
    close(next);
    for (size_t i = 0; i < PAGES; i++)
        p[i * PAGE] = 1;
    shared = p;
    meet();
    /* The address stays nobody's: the pages go, and are had again at once. */
    mmap(p, PAGES * PAGE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < PAGES; i++) {
        wrong += q[i * PAGE] != 0 || plain[i * PAGE] != 0;
        q[i * PAGE] = plain[i * PAGE] = (char)NEXT_OWNER;
    }
    meet();
    munmap(p, PAGES * PAGE);
    munmap(q, PAGES * PAGE);
    munmap(plain, PAGES * PAGE);
}

static void who_reads_on_never_sees_the_next_owner(void)
{
    NEED_SECRETS;
    race(unmap_and_use_again, read_on);
}

static const struct ktap_test tests[] = {
    TEST(two_faults_of_one_page_give_one_page),
    TEST(faults_while_the_size_is_set_are_refused_or_find_zeros),
    TEST(faults_while_file_and_mapping_go_end_in_a_signal),
    TEST(a_process_ends_while_it_faults),
    TEST(who_reads_on_never_sees_the_next_owner),
};

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atoi(argv[1]) : SECONDS;
    return KTAP_MAIN(tests);
}
