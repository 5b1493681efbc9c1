/* SPDX-License-Identifier: MIT */
/*
 * tests/user/thp_threads.c - huge pages, split, discarded and collapsed under threads' hands
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none: each word has one thread that writes it.
 * Always: (1) no store is lost, and no page is seen that was never a thread's own or zero.
 * Source: madvise(2); trust.md B01 to B05, B09, B13 (the races).
 * Tour:   after tests/user/thp.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define COLLAPSE 25
#define HUGE     (512 * PAGE)
#define RW       PROT_READ | PROT_WRITE
#define WRITERS  2
#define ROUNDS   60

static char *unit;
static _Atomic bool over;
static _Atomic int wrong;

static char *unit_map(int advice)
{
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

    madvise(at, HUGE, advice);
    return at;
}

static volatile size_t *word(size_t page)
{
    return (volatile size_t *)(unit + page * PAGE);
}

/* Counts up on every page that is its own, until the others are done; returns the count. */
static void *count(void *arg)
{
    size_t me = (size_t)arg, n = 0;

    while (!over) {
        n++;
        for (size_t page = me; page < 512; page += 16 * WRITERS) {
            if (*word(page) != n - 1)
                wrong++;
            *word(page) = n;
        }
    }
    return (void *)n;
}

/* Start the writers, do @rounds of @disturb, and see whether every store is there. */
static void writers_lose_nothing(void (*disturb)(unsigned round))
{
    pthread_t threads[WRITERS];
    void *n[WRITERS];

    over = false;
    wrong = 0;
    for (size_t i = 0; i < WRITERS; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, count, (void *)i), 0);
    for (unsigned round = 0; round < ROUNDS; round++)
        disturb(round);
    over = true;
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], &n[i]);
    EXPECT_IS(wrong, 0);
    for (size_t page = 0; page < 512; page++)
        if (page % 16 < WRITERS && page % (16 * WRITERS) < WRITERS)
            EXPECT_IS(*word(page), (size_t)n[page % (16 * WRITERS)]);
    munmap(unit, HUGE);
}

/* An area of its own for a page in the midst, and the whole again. */
static void split_and_collapse(unsigned round)
{
    size_t page = round * 37 % 510 + 1;

    madvise(unit + page * PAGE, PAGE, MADV_DONTDUMP);
    madvise(unit + page * PAGE, PAGE, MADV_DODUMP);
    if (round % 2)
        madvise(unit, HUGE, COLLAPSE);
}

static void split_and_collapse_lose_no_store(void)
{
    unit = unit_map(MADV_HUGEPAGE);
    writers_lose_nothing(split_and_collapse);
}

static void collapse_of_small_pages_loses_no_store(void)
{
    unit = unit_map(MADV_NORMAL);
    madvise(unit, HUGE, MADV_NOHUGEPAGE);
    *word(3) = 0;
    madvise(unit, HUGE, MADV_HUGEPAGE);
    writers_lose_nothing(split_and_collapse);
}

/* Threads go on while a child is made, and while it splits and writes what they share. */
static void fork_beside(unsigned round)
{
    int status;
    pid_t child;

    if (round % 4)
        return split_and_collapse(round);
    child = fork();
    if (child == 0) {
        if (round % 8)
            madvise(unit + PAGE, PAGE, MADV_DONTNEED);
        memset(unit + 100 * PAGE, 0xee, 8 * PAGE);
        _exit(0);
    }
    waitpid(child, &status, 0);
    wrong += status != 0;
}

static void fork_loses_no_store(void)
{
    unit = unit_map(MADV_HUGEPAGE);
    writers_lose_nothing(fork_beside);
}

/* Rights of other pages change, which splits the leaf of theirs. */
static void protect_beside(unsigned round)
{
    size_t page = (round * 29 % 30 + 1) * 16 + 8; /* nobody writes there */

    mprotect(unit + page * PAGE, 4 * PAGE, round % 2 ? PROT_READ : PROT_NONE);
    mprotect(unit + page * PAGE, 4 * PAGE, RW);
    if (round % 3 == 0)
        madvise(unit, HUGE, COLLAPSE);
}

static void protect_loses_no_store(void)
{
    unit = unit_map(MADV_HUGEPAGE);
    writers_lose_nothing(protect_beside);
}

/* The same for memory that is shared, where a split drops the leaf and a fault brings it again. */
static void shared_memory_loses_no_store(void)
{
    char *p = unit_map(MADV_NORMAL);

    unit = mmap(p, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    writers_lose_nothing(split_and_collapse);
}

static int file;

/* Holes where nobody writes; the rest of the block must stay. */
static void punch_beside(unsigned round)
{
    size_t page = (round * 29 % 30 + 1) * 16 + 8;

    wrong += fallocate(file, 3, (off_t)(page * PAGE), 4 * PAGE) != 0;
    wrong += *word(page + 1) != 0;
    if (round % 2)
        madvise(unit, HUGE, COLLAPSE);
}

static void holes_lose_no_store(void)
{
    char *p = unit_map(MADV_NORMAL);

    file = memfd_create("unit", 0);
    EXPECT_IS(ftruncate(file, HUGE), 0);
    unit = mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
    writers_lose_nothing(punch_beside);
    close(file);
}

/* The file is read by calls while it is collapsed and punched: a word is as it was or newer. */
static void *read_back(void *arg)
{
    size_t last = 0, now;
    (void)arg;

    while (!over) {
        if (pread(file, &now, sizeof(now), 0) != sizeof(now) || now < last)
            wrong++;
        last = now;
    }
    return NULL;
}

static void reader_of_the_file_sees_no_word_go_back(void)
{
    pthread_t reader;
    char *p = unit_map(MADV_NORMAL);

    file = memfd_create("unit", 0);
    EXPECT_IS(ftruncate(file, HUGE), 0);
    unit = mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, file, 0);
    over = false;
    EXPECT_IS(pthread_create(&reader, NULL, read_back, NULL), 0);
    writers_lose_nothing(punch_beside);
    pthread_join(reader, NULL);
    EXPECT_IS(wrong, 0);
    close(file);
}

/* Writes a mark of its own, and finds that, or the zero that somebody's DONTNEED left. */
static void *write_or_zero(void *arg)
{
    size_t me = (size_t)arg + 1, seed = me;

    while (!over) {
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        size_t page = (seed >> 33) % (512 / WRITERS) * WRITERS + me - 1;
        *word(page) = seed;
        size_t now = *word(page);
        if (now != 0 && now != seed)
            wrong++;
        for (size_t i = 1; i < 8; i++)
            if (word(page)[i * 64] != 0)
                wrong++;
    }
    return NULL;
}

static void *discard(void *arg)
{
    size_t seed = 77 + (size_t)arg;

    while (!over) {
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        size_t page = (seed >> 33) % 512, nr = (seed >> 50) % 64 + 1;
        madvise(unit + page * PAGE, (page + nr > 512 ? 512 - page : nr) * PAGE, MADV_DONTNEED);
        if ((seed >> 40) % 4 == 0)
            madvise(unit, HUGE, MADV_DONTNEED);
    }
    return NULL;
}

static void fill_and_discard_show_marks_or_zeros(void)
{
    pthread_t threads[WRITERS + 1];

    unit = unit_map(MADV_HUGEPAGE);
    over = false;
    wrong = 0;
    for (size_t i = 0; i < WRITERS; i++)
        EXPECT_IS(pthread_create(&threads[i], NULL, write_or_zero, (void *)i), 0);
    EXPECT_IS(pthread_create(&threads[WRITERS], NULL, discard, NULL), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        split_and_collapse(round);
        madvise(unit, HUGE, MADV_DONTNEED);
    }
    over = true;
    for (size_t i = 0; i <= WRITERS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_IS(wrong, 0);
    munmap(unit, HUGE);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(split_and_collapse_lose_no_store),
        TEST(collapse_of_small_pages_loses_no_store),
        TEST(fork_loses_no_store),
        TEST(protect_loses_no_store),
        TEST(fill_and_discard_show_marks_or_zeros),
        TEST(shared_memory_loses_no_store),
        TEST(holes_lose_no_store),
        TEST(reader_of_the_file_sees_no_word_go_back),
    };

    huge_pages_allow();
    return KTAP_MAIN(tests);
}
