/* SPDX-License-Identifier: MIT */
/*
 * tests/user/large_folios.c - files with huge pages, cut, holed and written at random places
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18;
 *         (2) each byte of a file is zero, or tells which page it was written to.
 * Source: ftruncate(2), fallocate(2), madvise(2); Linux mm/truncate.c and mm/shmem.c, observed.
 * Tour:   after tests/user/thp_shmem.c and tests/user/pins.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define RW    (PROT_READ | PROT_WRITE)
#define HUGE  (512 * PAGE)
#define SIZE  (2 * HUGE)
#define KEPT  (16 * PAGE) /* what is never cut off: others read it where it is mapped */
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static int file, ends[2];
static char *map;

/* Two huge pages, full of 'a'. False: there are none. */
static bool open_file(void)
{
    file = memfd_create("large", MFD_ALLOW_SEALING);
    EXPECT_IS(ftruncate(file, SIZE), 0);
    map = mmap(place_of_units(SIZE), SIZE, RW, MAP_SHARED | MAP_FIXED, file, 0);
    memset(map, 'a', SIZE);
    return madvise(map, SIZE, MADV_COLLAPSE) == 0;
}

static void close_file(void)
{
    munmap(map, SIZE);
    close(file);
}

#define NEED_FILE     \
    if (!open_file()) \
    SKIP("no huge pages")

/* A pipe gets the page at @index. */
static void hold(size_t index)
{
    struct iovec iov = {map + index * PAGE, 10};

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(vmsplice(ends[1], &iov, 1, 0), 10);
}

static int held_byte(void)
{
    char bytes[16];
    int byte = read(ends[0], bytes, sizeof bytes) == 10 ? bytes[0] : -1;

    close(ends[0]);
    close(ends[1]);
    return byte;
}

static void a_hole_takes_pages_out_of_a_huge_page(void)
{
    NEED_FILE;
    EXPECT_IS(fallocate(file, PUNCH, 10 * PAGE, 10 * PAGE), 0);
    EXPECT_IS(kib_of(file), 4096 - 40);
    EXPECT_IS(lseek(file, 0, SEEK_HOLE), 10 * PAGE);
    EXPECT_IS(lseek(file, 10 * PAGE, SEEK_DATA), 20 * PAGE);
    EXPECT(look(map + 10 * PAGE - 1) == 'a' && look(map + 20 * PAGE) == 'a');
    EXPECT(look(map + 10 * PAGE) == 0);
    close_file();
}

static void parts_of_pages_at_a_border_are_zeroed(void)
{
    NEED_FILE;
    EXPECT_IS(fallocate(file, PUNCH, 10 * PAGE + 7, 10 * PAGE), 0);
    EXPECT(look(map + 10 * PAGE + 6) == 'a' && look(map + 10 * PAGE + 7) == 0);
    EXPECT(look(map + 20 * PAGE + 6) == 0 && look(map + 20 * PAGE + 7) == 'a');
    EXPECT_IS(ftruncate(file, HUGE + 5 * PAGE + 3), 0);
    EXPECT_IS(kib_of(file), 2048 - 36 + 24);
    EXPECT_IS(ftruncate(file, SIZE), 0);
    EXPECT(look(map + HUGE + 5 * PAGE + 2) == 'a' && look(map + HUGE + 5 * PAGE + 3) == 0);
    EXPECT(look(map + SIZE - 1) == 0);
    close_file();
}

static void a_huge_page_that_a_pipe_has_keeps_its_hole(void)
{
    NEED_FILE;
    hold(15);
    EXPECT_IS(fallocate(file, PUNCH, 10 * PAGE, 10 * PAGE), 0);
    EXPECT_IS(kib_of(file), 4096);
    EXPECT(look(map + 10 * PAGE - 1) == 'a' && look(map + 20 * PAGE) == 'a');
    EXPECT(look(map + 10 * PAGE) == 0 && look(map + 20 * PAGE - 1) == 0);
    map[15 * PAGE] = 'n'; /* it is still the same page */
    EXPECT_IS(held_byte(), 'n');
    EXPECT_IS(kib_of(file), 4096);
    EXPECT_IS(fallocate(file, PUNCH, 30 * PAGE, PAGE), 0);
    EXPECT_IS(kib_of(file), 4092);
    close_file();
}

static void a_hole_that_ends_or_begins_in_what_a_pipe_has(void)
{
    NEED_FILE;
    hold(100);
    EXPECT_IS(fallocate(file, PUNCH, 500 * PAGE, 24 * PAGE), 0);
    EXPECT_IS(kib_of(file), 4096 - 48);
    EXPECT(look(map + 500 * PAGE - 1) == 'a' && look(map + 524 * PAGE) == 'a');
    EXPECT(look(map + 500 * PAGE) == 0 && look(map + 524 * PAGE - 1) == 0);
    EXPECT_IS(held_byte(), 'a');
    close_file();
    NEED_FILE;
    hold(600);
    EXPECT_IS(fallocate(file, PUNCH, 500 * PAGE, 24 * PAGE), 0);
    EXPECT_IS(kib_of(file), 4096 - 48);
    EXPECT_IS(held_byte(), 'a');
    close_file();
}

static void a_whole_huge_page_goes_though_a_pipe_has_it(void)
{
    NEED_FILE;
    hold(300);
    EXPECT_IS(fallocate(file, PUNCH, 0, HUGE), 0);
    EXPECT_IS(kib_of(file), 2048);
    map[300 * PAGE] = 'n';
    EXPECT_IS(held_byte(), 'a');
    close_file();
}

static void what_is_cut_off_of_it_reads_as_zeros(void)
{
    NEED_FILE;
    hold(300);
    EXPECT_IS(ftruncate(file, 10 * PAGE + 5), 0);
    EXPECT_IS(kib_of(file), 2048);
    EXPECT_IS(ftruncate(file, SIZE), 0);
    EXPECT_IS(kib_of(file), 2048);
    EXPECT(look(map + 10 * PAGE + 4) == 'a' && look(map + 10 * PAGE + 5) == 0);
    EXPECT(look(map + 300 * PAGE) == 0 && look(map + HUGE) == 0);
    map[300 * PAGE] = 'n';
    EXPECT_IS(held_byte(), 'n');
    EXPECT_IS(ftruncate(file, 10 * PAGE), 0);
    EXPECT_IS(kib_of(file), 40);
    close_file();
}

/* At random */

#define STEPS 10000

static unsigned char model[SIZE], bytes[SIZE];
static size_t size;
static uint32_t seed = 1;
static _Atomic bool done, wrong;

static size_t below(size_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (size_t)((uint64_t)seed * n >> 32);
}

/* What bytes of a page are, if they are not zero. */
static unsigned char tag(size_t pos)
{
    return (unsigned char)(pos / PAGE % 251 + 1);
}

/* Claim 2, seen by another thread: by calls, and in a mapping. */
static void *read_on(void *arg)
{
    static unsigned char part[3 * PAGE];

    for (size_t pos = 0; !done; pos = (pos + 37 * PAGE + 11) % SIZE) {
        ssize_t n = pread(file, part, sizeof part, (off_t)pos);
        for (ssize_t i = 0; i < n; i++)
            wrong |= part[i] && part[i] != tag(pos + (size_t)i);
        size_t at = pos % KEPT;
        unsigned char here = (unsigned char)look(map + at);
        wrong |= here && here != tag(at);
    }
    return arg;
}

static void write_some(void)
{
    size_t pos = below(SIZE), len = below(3 * PAGE) + 1;

    len = len < SIZE - pos ? len : SIZE - pos;
    for (size_t i = 0; i < len; i++)
        model[pos + i] = tag(pos + i);
    EXPECT_IS(pwrite(file, model + pos, len, (off_t)pos), len);
    size = pos + len > size ? pos + len : size;
}

static void cut_or_grow(void)
{
    size_t to = KEPT + below(SIZE - KEPT);

    if (to < size)
        memset(model + to, 0, size - to);
    size = to;
    EXPECT_IS(ftruncate(file, (off_t)to), 0);
}

static void punch(void)
{
    size_t pos = below(SIZE), len = below(below(4) ? 4 * PAGE : HUGE) + 1;

    EXPECT_IS(fallocate(file, PUNCH, (off_t)pos, (off_t)len), 0);
    memset(model + pos, 0, len < SIZE - pos ? len : SIZE - pos);
}

static void make_huge(void)
{
    size_t unit = below(2) * HUGE;

    if (size >= unit + HUGE)
        madvise(map + unit, HUGE, MADV_COLLAPSE); /* nothing is there, perhaps */
}

static bool same(size_t pos, size_t len)
{
    size_t end = pos + len < size ? pos + len : size;

    return pos >= end || (pread(file, bytes, end - pos, (off_t)pos) == (ssize_t)(end - pos) &&
                          !memcmp(bytes, model + pos, end - pos));
}

static void step(int i)
{
    switch (below(32)) {
    case 0 ... 19:
        write_some();
        break;
    case 20 ... 23:
        cut_or_grow();
        break;
    case 24 ... 30:
        punch();
        break;
    default:
        make_huge();
    }
    if (!same(below(SIZE), 4 * PAGE) || (i % 1000 == 999 && !same(0, SIZE))) {
        printf("# step %d: not what was written\n", i);
        EXPECT(false);
    }
}

static void contents_are_right_whatever_is_done(void)
{
    pthread_t reader;

    NEED_FILE;
    memset(map, 0, SIZE);
    size = SIZE;
    EXPECT_IS(pthread_create(&reader, NULL, read_on, NULL), 0);
    for (int i = 0; i < STEPS && !ktap_failed; i++)
        step(i);
    done = true;
    pthread_join(reader, NULL);
    EXPECT(!wrong);
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    munmap(map, SIZE);
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0); /* nobody has a page of it */
    EXPECT(same(0, SIZE));
    close(file);
}

static const struct ktap_test tests[] = {
    TEST(a_hole_takes_pages_out_of_a_huge_page),
    TEST(parts_of_pages_at_a_border_are_zeroed),
    TEST(a_huge_page_that_a_pipe_has_keeps_its_hole),
    TEST(a_hole_that_ends_or_begins_in_what_a_pipe_has),
    TEST(a_whole_huge_page_goes_though_a_pipe_has_it),
    TEST(what_is_cut_off_of_it_reads_as_zeros),
    TEST(contents_are_right_whatever_is_done),
};

int main(void)
{
    huge_pages_allow();
    return KTAP_MAIN(tests);
}
