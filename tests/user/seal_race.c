/* SPDX-License-Identifier: MIT */
/*
 * tests/user/seal_race.c - a file is sealed while others write to it in every way
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none; who writes are processes, so that each has mappings of its own.
 * Always: (1) once F_SEAL_WRITE is there no byte changes any more, whatever was under way.
 * Source: fcntl(2) "File Sealing"; Linux mm/memfd.c, observed.
 * Tour:   after tests/user/seal_ways.h.
 */
#define _GNU_SOURCE
#include "seal_ways.h"
#include "smaps.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define WRITERS     3
#define ROUNDS      40
#define SECONDS     3       /* .. and no more rounds after so long */
#define STILL_NS    2000000 /* how long to look whether a byte still changes */
#define TRIES       100     /* to seal, before writers have to leave out mappings */
#define CALM_TRIES  1000    /* .. and altogether */
#define LARGE_PAGES 4096UL

/* What the writers are told. */
struct talk {
    _Atomic bool calm, stop;
    _Atomic unsigned writes;
};

static uint64_t hash(int fd, size_t len)
{
    static uint64_t words[8192];
    uint64_t sum = 14695981039346656037UL;

    for (size_t at = 0; at < len; at += sizeof words) {
        EXPECT(pread(fd, words, sizeof words, (off_t)at) > 0);
        for (size_t i = 0; i < sizeof words / sizeof words[0] && at + i * 8 < len; i++)
            sum = (sum ^ words[i]) * 1099511628211UL;
    }
    return sum;
}

static void pause_ns(long ns)
{
    nanosleep(&(struct timespec){0, ns}, NULL);
}

/* Ways through mappings, and through what they pinned, keep the seal away for a while. */
static bool is_calm(enum way way)
{
    return way <= COPY_FILE_RANGE || way == PUNCH_HOLE;
}

/* The first unit's bytes move to a huge page: no write, unless it is done wrongly. */
static void collapse(struct cell *c)
{
    char *p = mmap(place_of_units(HUGE), HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, c->fd, 0);

    madvise(p, HUGE, MADV_COLLAPSE);
    munmap(p, HUGE);
}

static void writer(struct cell *c, struct talk *talk, unsigned first)
{
    for (unsigned i = first; !atomic_load(&talk->stop); i++) {
        enum way way = i % WAYS;
        if (c->kind == THP && way == 0 && !atomic_load(&talk->calm))
            collapse(c);
        if (ways[way].effect != FIRST_BYTE || (atomic_load(&talk->calm) && !is_calm(way)))
            continue;
        c->byte++;
        if (ways[way].run(c) >= 0)
            atomic_fetch_add(&talk->writes, 1);
    }
}

/* Seal, sooner or later: 0 or errno. */
static int seal_at_last(int fd, struct talk *talk)
{
    int error = EBUSY;

    for (unsigned i = 0; error == EBUSY && i < CALM_TRIES; i++) {
        error = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) ? errno : 0;
        atomic_store(&talk->calm, i >= TRIES);
        if (i >= TRIES)
            pause_ns(STILL_NS);
    }
    return error;
}

static void round_of(enum kind kind, struct talk *talk)
{
    struct cell c = {.kind = kind, .unit = kind == SMALL ? 16 * PAGE : HUGE};
    pid_t children[WRITERS];

    c.fd = memfd_create("race", MFD_ALLOW_SEALING | (kind == HUGETLB ? MFD_HUGETLB : 0));
    EXPECT_IS(ftruncate(c.fd, 2 * c.unit), 0);
    *talk = (struct talk){0};
    for (unsigned i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            writer(&c, talk, i * WAYS / WRITERS);
            _exit(0);
        }
    }
    while (atomic_load(&talk->writes) < WRITERS)
        sched_yield();
    EXPECT_IS(seal_at_last(c.fd, talk), 0);
    atomic_store(&talk->calm, false);
    uint64_t sealed = hash(c.fd, 2 * c.unit);
    pause_ns(STILL_NS);
    EXPECT(hash(c.fd, 2 * c.unit) == sealed);
    atomic_store(&talk->stop, true);
    for (unsigned i = 0; i < WRITERS; i++)
        EXPECT_IS(waitpid(children[i], NULL, 0), children[i]);
    EXPECT(hash(c.fd, 2 * c.unit) == sealed);
    close(c.fd);
}

static void rounds_of(enum kind kind)
{
    struct talk *talk = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    time_t end = time(NULL) + SECONDS;

    for (unsigned i = 0; i < ROUNDS && time(NULL) < end && !ktap_failed; i++)
        round_of(kind, talk);
    munmap(talk, PAGE);
}

static void sealed_bytes_stay_whoever_writes(void)
{
    rounds_of(SMALL);
}

static void sealed_bytes_of_huge_pages_stay(void)
{
    if (meminfo("HugePages_Free") < 2)
        SKIP("no huge pages");
    rounds_of(HUGETLB);
}

static void sealed_bytes_stay_while_they_move(void)
{
    rounds_of(THP);
}

struct large {
    int fd;
    const char *from;
};

static void *write_large(void *of)
{
    const struct large *large = of;
    EXPECT_IS(pwrite(large->fd, large->from, LARGE_PAGES * PAGE, 0), LARGE_PAGES * PAGE);
    return NULL;
}

/* The write takes its time: each page that it reads has to be had first. */
static void write_under_way_ends_before_the_seal(void)
{
    int from = memfd_create("from", 0), fd = memfd_create("large", MFD_ALLOW_SEALING);
    struct large large = {.fd = fd};
    pthread_t thread;
    char byte = 0;

    EXPECT_IS(ftruncate(from, LARGE_PAGES * PAGE), 0);
    EXPECT_IS(ftruncate(fd, LARGE_PAGES * PAGE), 0);
    for (size_t i = 0; i < LARGE_PAGES; i++)
        EXPECT_IS(pwrite(from, "w", 1, i * PAGE), 1);
    large.from = mmap(NULL, LARGE_PAGES * PAGE, PROT_READ, MAP_PRIVATE, from, 0);
    EXPECT_IS(pthread_create(&thread, NULL, write_large, &large), 0);
    while (!byte)
        EXPECT_IS(pread(fd, &byte, 1, 0), 1);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    uint64_t sealed = hash(fd, LARGE_PAGES * PAGE);
    EXPECT_IS(pread(fd, &byte, 1, (LARGE_PAGES - 1) * PAGE), 1);
    EXPECT(byte == 'w');
    pthread_join(thread, NULL);
    EXPECT(hash(fd, LARGE_PAGES * PAGE) == sealed);
    munmap((void *)large.from, LARGE_PAGES * PAGE);
    close(from);
    close(fd);
}

/* Storing through an address until that is no longer mapped. */
static char *volatile stored_at;
static _Atomic unsigned stores;
static sigjmp_buf store_failed;

static void return_to_store_on(int sig)
{
    (void)sig;
    siglongjmp(store_failed, 1);
}

static void *store_on(void *unused)
{
    (void)unused;
    if (sigsetjmp(store_failed, 1) == 0)
        for (;; atomic_fetch_add(&stores, 1))
            *(volatile char *)stored_at = (char)stores;
    return NULL;
}

/* Another CPU that still knew the translation could store after the seal. */
static void unmapping_ends_stores_of_all_threads(void)
{
    struct sigaction catcher = {.sa_handler = return_to_store_on}, before;

    sigaction(SIGSEGV, &catcher, &before);
    for (unsigned i = 0; i < ROUNDS; i++) {
        int fd = memfd_create("stores", MFD_ALLOW_SEALING);
        pthread_t thread;

        EXPECT_IS(ftruncate(fd, PAGE), 0);
        stored_at = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
        atomic_store(&stores, 0);
        EXPECT_IS(pthread_create(&thread, NULL, store_on, NULL), 0);
        while (!atomic_load(&stores))
            sched_yield();
        munmap(stored_at, PAGE);
        EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        uint64_t sealed = hash(fd, PAGE);
        pthread_join(thread, NULL);
        EXPECT(hash(fd, PAGE) == sealed);
        close(fd);
    }
    sigaction(SIGSEGV, &before, NULL);
}

static const struct ktap_test tests[] = {
    TEST(sealed_bytes_stay_whoever_writes),     TEST(sealed_bytes_of_huge_pages_stay),
    TEST(sealed_bytes_stay_while_they_move),    TEST(write_under_way_ends_before_the_seal),
    TEST(unmapping_ends_stores_of_all_threads),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
