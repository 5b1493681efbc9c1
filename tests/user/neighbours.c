/* SPDX-License-Identifier: MIT */
/*
 * tests/user/neighbours.c - pages in use while their neighbours are mapped, protected, unmapped
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none: each page has one thread that writes it, each strip one that maps it.
 * Always: (1) no store is lost and no page is seen that was never a thread's own, zero, or of the
 *             file; (2) what is protected or unmapped stays so, whoever faults next to it.
 * Source: mmap(2); docs/decisions/0006-ranges.md (the races).
 * Tour:   after tests/user/thp_threads.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define RW      PROT_READ | PROT_WRITE
#define PRIVATE MAP_PRIVATE | MAP_ANONYMOUS

#define HUGE (512 * PAGE)

enum { USERS = 3, STRIPS = 2 * USERS + 1, TOUCHED = 24 };

static char *land;
static size_t pages, step; /* of a strip; from one that is touched to the next */
static _Atomic bool over;
static _Atomic int wrong;

static char *strip_at(size_t strip)
{
    return land + strip * pages * PAGE;
}

static volatile size_t *word(char *strip, size_t page)
{
    return (volatile size_t *)(strip + page * PAGE);
}

/* Each user has every other strip, between two that come and go. */
static char *strip_of(void *user)
{
    return strip_at(2 * (size_t)user + 1);
}

/* Counts up on every page of its strip; now and then the pages go and are zeros again. */
static void *use_anonymous(void *user)
{
    char *strip = strip_of(user);

    for (size_t n = 0; !over; n++) {
        size_t seen = n % 8;

        for (size_t page = 0; page < pages; page += step) {
            if (*word(strip, page) != seen)
                wrong++;
            *word(strip, page) = seen + 1;
        }
        if (seen == 7 && madvise(strip, pages * PAGE, MADV_DONTNEED))
            wrong++;
    }
    return NULL;
}

/* Maps as well: a part of its strip goes and comes anew, and all of it is protected in between. */
static void *use_and_map(void *user)
{
    char *strip = strip_of(user);

    for (size_t n = 0; !over; n++) {
        size_t from = n % (pages - 8);
        char *part = strip + from * PAGE;

        for (size_t page = 0; page < pages; page += step)
            *word(strip, page) = n + 1;
        if (munmap(part, 8 * PAGE) || mmap(part, 8 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) != part)
            wrong++;
        if (mprotect(strip, pages * PAGE, PROT_READ))
            wrong++;
        for (size_t page = 0; page < pages; page += step)
            if (*word(strip, page) != (page - from < 8 ? 0 : n + 1))
                wrong++;
        if (mprotect(strip, pages * PAGE, PROT_READ | PROT_WRITE))
            wrong++;
    }
    return NULL;
}

/* Reads what the file has there; a private copy is made and dropped. */
static void *use_file(void *user)
{
    char *strip = strip_of(user);
    size_t first = (size_t)(strip - land) / PAGE;

    for (size_t n = 0; !over; n++) {
        for (size_t page = 0; page < pages; page += step)
            if (*word(strip, page) != first + page)
                wrong++;
        *word(strip, n % pages) = 0;
        if (*word(strip, n % pages) != 0 || madvise(strip, pages * PAGE, MADV_DONTNEED))
            wrong++;
    }
    return NULL;
}

/* What the disturber may find in a strip that it maps anew. */
static size_t expected(int fd, char *strip, size_t page)
{
    return fd < 0 ? 0 : (size_t)(strip - land) / PAGE + page;
}

static void map_strip(char *strip, int fd)
{
    int flags = fd < 0 ? PRIVATE | MAP_FIXED : MAP_PRIVATE | MAP_FIXED;

    if (mmap(strip, pages * PAGE, RW, flags, fd, fd < 0 ? 0 : strip - land) != strip)
        wrong++;
}

/* Part of a strip is protected: it refuses stores and still has what it had. */
static void protect_part(char *strip, unsigned round)
{
    size_t from = round * step % (pages - 8), page = from + round % 8;
    size_t had = *word(strip, page);

    if (mprotect(strip + from * PAGE, 8 * PAGE, PROT_READ))
        wrong++;
    if (!probe(word(strip, page), PROBE_WRITE).sig || *word(strip, page) != had)
        wrong++;
    if (mprotect(strip + from * PAGE, 8 * PAGE, RW))
        wrong++;
    *word(strip, page) = had + 1;
}

/* A hole in a strip is one for everybody, until it is mapped again. */
static void unmap_part(char *strip, unsigned round, int fd)
{
    size_t from = round * step % (pages - 4), page = from + round % 4;

    if (munmap(strip + from * PAGE, 4 * PAGE))
        wrong++;
    if (!probe(word(strip, page), PROBE_READ).sig)
        wrong++;
    map_strip(strip, fd);
    if (*word(strip, page) != expected(fd, strip, page))
        wrong++;
}

static void fork_once(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        wrong++;
}

static void disturb(unsigned round, int fd)
{
    char *strip = strip_at(2 * (round % (USERS + 1)));

    protect_part(strip, round);
    unmap_part(strip, round, fd);
    if (round % 5 == 0 && madvise(strip, pages * PAGE / 2, MADV_DONTFORK))
        wrong++;
    if (round % 5 == 1 && madvise(strip, pages * PAGE / 2, MADV_DOFORK))
        wrong++;
    if (round % 16 == 0)
        fork_once();
}

static void users_see_their_own(void *(*use)(void *), int fd, unsigned rounds)
{
    pthread_t users[USERS];

    wrong = 0;
    over = false;
    for (size_t i = 0; i < STRIPS; i++)
        map_strip(strip_at(i), fd);
    EXPECT_IS(madvise(land, STRIPS * pages * PAGE, pages > 512 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE),
              0);
    for (size_t i = 0; i < USERS; i++)
        EXPECT_IS(pthread_create(&users[i], NULL, use, (void *)i), 0);
    for (unsigned round = 0; round < rounds; round++)
        disturb(round, fd);
    over = true;
    for (size_t i = 0; i < USERS; i++)
        EXPECT_IS(pthread_join(users[i], NULL), 0);
    EXPECT_IS(wrong, 0);
}

static void land_of(size_t strip_pages)
{
    pages = strip_pages;
    step = pages / TOUCHED;
    land = mmap(NULL, STRIPS * pages * PAGE + HUGE, PROT_NONE, PRIVATE, -1, 0);
    EXPECT(land != MAP_FAILED);
    land = (char *)(((uintptr_t)land + HUGE - 1) & ~(HUGE - 1));
}

static void stores_next_to_what_comes_and_goes_are_kept(void)
{
    land_of(TOUCHED);
    users_see_their_own(use_anonymous, -1, 100);
}

static void so_are_they_when_all_threads_map(void)
{
    land_of(TOUCHED);
    users_see_their_own(use_and_map, -1, 50);
}

static void so_are_they_when_all_threads_map_huge_pages(void)
{
    land_of(32 * TOUCHED);
    users_see_their_own(use_and_map, -1, 8);
}

/* A huge page reaches from a strip that stays into one that goes. */
static void so_are_they_where_a_huge_page_reaches_over(void)
{
    land_of(32 * TOUCHED);
    users_see_their_own(use_anonymous, -1, 16);
}

static void a_file_is_read_right_next_to_what_comes_and_goes(void)
{
    int fd = memfd_create("neighbours", 0);

    land_of(TOUCHED);
    for (size_t page = 0; page < STRIPS * pages; page++)
        EXPECT_IS(pwrite(fd, &page, sizeof(page), (off_t)(page * PAGE)), sizeof(page));
    users_see_their_own(use_file, fd, 100);
    close(fd);
}

int main(void)
{
    const struct ktap_test tests[] = {
        TEST(stores_next_to_what_comes_and_goes_are_kept),
        TEST(so_are_they_where_a_huge_page_reaches_over),
        TEST(so_are_they_when_all_threads_map),
        TEST(so_are_they_when_all_threads_map_huge_pages),
        TEST(a_file_is_read_right_next_to_what_comes_and_goes),
    };

    return KTAP_MAIN(tests);
}
