/* SPDX-License-Identifier: MIT */
/*
 * tests/user/cow.c - who writes to private memory writes to a page of his own, however he does it
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none: threads leave what they found in atomics.
 * Always: (1) each race runs for a fixed time, whatever comes of it.
 * Source: proc_pid_mem(5), vmsplice(2), madvise(2); trust.md B01 to B09.
 * Tour:   after tests/user/thp_threads.c and tests/user/splice.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>

#define RW      (PROT_READ | PROT_WRITE)
#define HUGE    (512 * PAGE)
#define RACE_MS 300

static char *page;
static _Atomic bool over;
static _Atomic int wrong;

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_time(long since)
{
    return now_ms() - since < RACE_MS && !wrong;
}

/* Write to one's own memory, whatever the area says. */
static void force(const char *at, char byte)
{
    int mem = open("/proc/self/mem", O_RDWR);

    EXPECT_IS(pwrite(mem, &byte, 1, (off_t)(uintptr_t)at), 1);
    close(mem);
}

static void *discard(void *arg)
{
    run_on(1);
    while (!over)
        madvise(page, PAGE, MADV_DONTNEED);
    return arg;
}

static void a_forced_write_never_reaches_the_file(void)
{
    int fd = memfd_create("file", 0);
    pthread_t thread;
    char byte = 0;

    EXPECT_IS(pwrite(fd, "f", 1, 0), 1);
    page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    over = false;
    wrong = 0;
    EXPECT_IS(pthread_create(&thread, NULL, discard, NULL), 0);
    for (long start = now_ms(); is_time(start);) {
        force(page, 'x');
        wrong += pread(fd, &byte, 1, 0) != 1 || byte != 'f';
    }
    over = true;
    pthread_join(thread, NULL);
    EXPECT_IS(wrong, 0);
    munmap(page, PAGE);
    close(fd);
}

static int ends[2];

/* A pipe gets what lies at @p, to be read. */
static bool splice_out(char *p)
{
    struct iovec part = {p, 16};

    return vmsplice(ends[1], &part, 1, 0) == 16;
}

static bool splice_back(char *bytes)
{
    return read(ends[0], bytes, 16) == 16;
}

static void a_forced_write_never_reaches_zeros_that_were_read(void)
{
    char *p = place_of_units(2 * HUGE), bytes[16];

    EXPECT_IS(pipe(ends), 0);
    p = mmap(p, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    madvise(p, 2 * HUGE, MADV_HUGEPAGE);
    EXPECT_IS(look(p) + look(p + HUGE), 0);
    EXPECT_IS(mprotect(p, HUGE, PROT_READ), 0);
    EXPECT(splice_out(p));
    force(p, 'x');
    EXPECT_IS(p[0], 'x');
    EXPECT_IS(p[HUGE], 0);
    EXPECT(splice_back(bytes) && bytes[0] == 0);
    munmap(p, 2 * HUGE);
    close(ends[0]);
    close(ends[1]);
}

static void a_forced_write_never_reaches_a_huge_page_of_a_file(void)
{
    int fd = memfd_create("file", MFD_ALLOW_SEALING);
    char *p = place_of_units(HUGE), bytes[16], byte;

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(ftruncate(fd, (off_t)HUGE), 0);
    p = mmap(p, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    p[0] = 'f';
    madvise(p, HUGE, MADV_COLLAPSE);
    munmap(p, HUGE);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    p = mmap(p, HUGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    EXPECT_IS(look(p), 'f');
    EXPECT(splice_out(p));
    force(p, 'x');
    EXPECT_IS(p[0], 'x');
    EXPECT(pread(fd, &byte, 1, 0) == 1 && byte == 'f');
    EXPECT(splice_back(bytes) && bytes[0] == 'f');
    munmap(p, HUGE);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static int splice_and_go(char *p)
{
    return splice_out(p) && munmap(p, PAGE) == 0 ? 0 : 1;
}

static void what_a_child_has_spliced_is_not_written(void)
{
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes[16] = "";
    int status = -1;

    EXPECT_IS(pipe(ends), 0);
    strcpy(p, "before");
    pid_t child = fork();
    if (child == 0)
        _exit(splice_and_go(p));
    waitpid(child, &status, 0);
    EXPECT_IS(status, 0);
    strcpy(p, "after");
    EXPECT(splice_back(bytes) && !strcmp(bytes, "before"));
    munmap(p, PAGE);
    close(ends[0]);
    close(ends[1]);
}

static _Atomic int *turn; /* of parent and child */

static void turn_wait(int wanted)
{
    while (*turn != wanted)
        ;
}

/* The child splits the huge page that it shares, and must not see what the parent writes. */
static int split_beside(char *p)
{
    run_on(1);
    *turn = 1;
    turn_wait(2);
    madvise(p + 7 * PAGE, PAGE, MADV_DONTDUMP);
    mprotect(p + 7 * PAGE, PAGE, PROT_READ);
    *turn = 3;
    turn_wait(4);
    for (size_t i = 0; i < 512; i++)
        if (p[i * PAGE] != 'b')
            return 1;
    return 0;
}

static void a_split_beside_a_write_parts_parent_and_child(void)
{
    char *p = place_of_units(HUGE);
    int status = 0;

    turn = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 30 && status == 0; round++) {
        p = mmap(p, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        madvise(p, HUGE, MADV_HUGEPAGE);
        memset(p, 'b', HUGE);
        *turn = 0;
        pid_t child = fork();
        if (child == 0)
            _exit(split_beside(p));
        turn_wait(1);
        *turn = 2;
        for (volatile int wait = 0; wait < round * 40000; wait++)
            ; /* the first write comes before the split, within it, or after */
        for (size_t i = 0; *turn == 2; i = (i + 1) % 512)
            p[i * PAGE] = 'a';
        p[9 * PAGE] = 'a';
        *turn = 4;
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT_IS(munmap(p, HUGE), 0); /* with its table: the next page is huge again */
    }
    EXPECT_IS(status, 0);
    munmap((void *)turn, PAGE);
}

/* Takes pages for something else as soon as they are free. */
static void *discard_and_take(void *arg)
{
    char *other = arg;

    run_on(1);
    while (!over) {
        madvise(page, PAGE, MADV_DONTNEED);
        memset(other, 'o', 4 * PAGE);
        madvise(other, 4 * PAGE, MADV_DONTNEED);
    }
    return NULL;
}

static void what_is_spliced_stays_whatever_becomes_of_its_mapping(void)
{
    char *other = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes[16];
    pthread_t thread;

    EXPECT_IS(pipe(ends), 0);
    page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    over = false;
    wrong = 0;
    EXPECT_IS(pthread_create(&thread, NULL, discard_and_take, other), 0);
    for (long start = now_ms(); is_time(start);) {
        *(volatile char *)page = 't';
        wrong += !splice_out(page) || !splice_back(bytes) || (bytes[0] != 't' && bytes[0] != 0);
    }
    over = true;
    pthread_join(thread, NULL);
    EXPECT_IS(wrong, 0);
    munmap(page, PAGE);
    munmap(other, 4 * PAGE);
    close(ends[0]);
    close(ends[1]);
}

/* Two words that take turns: one of them is never older than a third, in another area. */
static _Atomic size_t *newer[2], *older;

static void *count_both(void *arg)
{
    run_on(1);
    for (size_t n = 1; !over; n++) {
        madvise((void *)newer[n % 2], PAGE, MADV_DONTNEED);
        *newer[n % 2] = n;
        *older = n;
    }
    return arg;
}

static int look_at_both(void)
{
    size_t n = *older;

    return *newer[0] >= n || *newer[1] >= n ? 0 : 1;
}

static void a_child_sees_one_moment_of_its_parent(void)
{
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t thread;
    int status = 0;

    mprotect(p + 2 * PAGE, PAGE, PROT_READ);
    newer[0] = (void *)p;
    newer[1] = (void *)(p + PAGE);
    older = (void *)(p + 3 * PAGE);
    over = false;
    EXPECT_IS(pthread_create(&thread, NULL, count_both, NULL), 0);
    for (int round = 0; round < 20 && status == 0; round++) {
        pid_t child = fork();
        if (child == 0)
            _exit(look_at_both());
        EXPECT_IS(waitpid(child, &status, 0), child);
    }
    over = true;
    pthread_join(thread, NULL);
    EXPECT_IS(status, 0);
    munmap(p, 4 * PAGE);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(a_forced_write_never_reaches_the_file),
        TEST(a_forced_write_never_reaches_zeros_that_were_read),
        TEST(a_forced_write_never_reaches_a_huge_page_of_a_file),
        TEST(what_a_child_has_spliced_is_not_written),
        TEST(a_split_beside_a_write_parts_parent_and_child),
        TEST(what_is_spliced_stays_whatever_becomes_of_its_mapping),
        TEST(a_child_sees_one_moment_of_its_parent),
    };

    huge_pages_allow();
    run_on(0);
    return KTAP_MAIN(tests);
}
