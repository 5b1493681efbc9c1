/* SPDX-License-Identifier: MIT */
/*
 * tests/user/roots.c - who is asked to forget when each CPU walks by a root of its own, counted
 *
 * Room:   tests/user. Bulla alone has the setting and the counter; on Linux all is skipped.
 * Owns:   /proc/sys/vm/tlb_roots while it runs.
 * Locks:  none: two threads, on two CPUs, take turns by an atomic, and nobody sleeps.
 * Always: (1) each count is of a new process, which has the setting from its first thread on;
 *         (2) the setting is as it was when a test is done.
 * Source: docs/tlb.md, "A root for each CPU".
 * Tour:   after tests/user/stale.c; arch/x86_64/roots.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SETTING "/proc/sys/vm/tlb_roots"
#define RW      (PROT_READ | PROT_WRITE)
#define ROUNDS  10
#define PAGES   16

static char text[8192];

static const char *find_in(const char *path, const char *word)
{
    return slurp(path, text, sizeof(text)) < 0 ? NULL : strstr(text, word);
}

/* Shootdown interrupts sent since boot. */
static long ipis(void)
{
    const char *at = find_in("/proc/vmstat", "tlb_ipis ");

    return at ? atol(at + strlen("tlb_ipis ")) : -1;
}

static bool roots_set(const char *word)
{
    int fd = open(SETTING, O_WRONLY);
    bool written = fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);

    if (fd >= 0)
        close(fd);
    return written;
}

static const char *reason_to_skip(void)
{
    if (!find_in(SETTING, ""))
        return "no such setting";
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return "one CPU";
    return find_in("/proc/cmdline", "tlb_probe") ? "probes are interrupts, too" : NULL;
}

/* Turn 0 is the first thread's, 1 the second's, and so on. */
static _Atomic int turn;

static void wait_for_turn(int n)
{
    while (turn < n)
        ;
}

static char *map_and_touch(void)
{
    char *p = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int i = 0; i < PAGES; i++)
        p[i * PAGE] = 1;
    return p;
}

static void use_own_memory(void)
{
    for (int round = 0; round < ROUNDS; round++)
        munmap(map_and_touch(), PAGES * PAGE);
}

static char *_Atomic lent;

static void map_anchor(void)
{
    char *anchor = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *anchor = 1;
}

/* After a fork the first writes are copies, which are flushed. And what is mapped later comes
 * between two pages that stay: so do the tables, and a call has nothing to flush but its pages. */
static void warm_up(void)
{
    map_anchor();
    char *p = map_and_touch();
    map_anchor();
    munmap(p, PAGES * PAGE);
    use_own_memory();
    ipis();
}

static void *second_run(void *arg)
{
    run_on(1);
    warm_up();
    turn = 1;
    wait_for_turn(2);
    use_own_memory();
    turn = 3;
    for (int round = 0; round < ROUNDS; round++) {
        wait_for_turn(4 + 2 * round);
        *lent = 2;
        turn++;
    }
    wait_for_turn(4 + 2 * ROUNDS);
    return arg;
}

/* Interrupts for memory that one thread touched, of both threads; and that both did. */
struct counts {
    long own, lent;
};

static struct counts count(void)
{
    struct counts counts;
    pthread_t thread;

    pthread_create(&thread, NULL, second_run, NULL);
    wait_for_turn(1);
    warm_up();
    long before = ipis();
    use_own_memory();
    turn = 2;
    wait_for_turn(3);
    counts.own = ipis() - before;
    before = ipis();
    for (int round = 0; round < ROUNDS; round++) {
        lent = map_and_touch();
        turn = 4 + 2 * round;
        wait_for_turn(5 + 2 * round);
        munmap(lent, PAGES * PAGE);
    }
    counts.lent = ipis() - before;
    turn = 4 + 2 * ROUNDS;
    pthread_join(thread, NULL);
    return counts;
}

/* In a new process, with that setting. */
static struct counts count_with(const char *roots)
{
    struct counts *counts = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    *counts = (struct counts){-1, -1};
    const char *usual = find_in(SETTING, "percpu") ? "percpu" : "shared";
    EXPECT(roots_set(roots));
    run_on(0); /* the child, too: no third CPU ever knows of it */
    pid_t child = fork();
    if (child == 0) {
        *counts = count();
        _exit(0);
    }
    EXPECT_IS(waitpid(child, NULL, 0), child);
    EXPECT(roots_set(usual));
    struct counts result = *counts;
    munmap(counts, PAGE);
    return result;
}

static void with_one_root_all_threads_are_asked(void)
{
    if (reason_to_skip())
        SKIP(reason_to_skip());
    struct counts counts = count_with("shared");
    EXPECT_IS(counts.own, 2 * ROUNDS);
    EXPECT_IS(counts.lent, ROUNDS);
}

static void with_own_roots_nobody_is_asked_who_was_not_there(void)
{
    if (reason_to_skip())
        SKIP(reason_to_skip());
    struct counts counts = count_with("percpu");
    EXPECT_IS(counts.own, 0);
    EXPECT_IS(counts.lent, ROUNDS);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(with_one_root_all_threads_are_asked),
        TEST(with_own_roots_nobody_is_asked_who_was_not_there),
    };

    return KTAP_MAIN(tests);
}
