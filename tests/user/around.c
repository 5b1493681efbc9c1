/* SPDX-License-Identifier: MIT */
/*
 * tests/user/around.c - a read of a cached page maps its neighbours, and nothing else does
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18 with its usual fault_around_bytes, 64 KiB.
 * Source: Linux mm/memory.c, do_fault_around() (behaviour); proc_pid_smaps(5).
 * Tour:   after tests/user/demand.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/mman.h>

#define RW            PROT_READ | PROT_WRITE
#define WINDOW        (16 * PAGE)
#define RSS_KIB(p, n) smaps((p), (n)*PAGE, "Rss")

/* A file of @pages cached pages; each says which it is. */
static int cached(size_t pages)
{
    int fd = memfd_create("around", 0);

    for (size_t i = 0; i < pages; i++)
        EXPECT_IS(pwrite(fd, &i, sizeof(i), i * PAGE), sizeof(i));
    return ftruncate(fd, pages * PAGE) == 0 ? fd : -1;
}

/* Map @pages of it, @skew pages behind where a page table begins: a window ends with its table. */
static char *map(int fd, size_t pages, int prot, int flags, size_t skew, size_t pgoff)
{
    char *at = place_of_units((skew + pages) * PAGE) + skew * PAGE;

    return mmap(at, pages * PAGE, prot, flags | MAP_FIXED, fd, pgoff * PAGE);
}

static size_t number_in(const char *p, size_t page)
{
    return *(const volatile size_t *)(p + page * PAGE);
}

static void read_maps_the_window(void)
{
    int fd = cached(40);
    char *p = map(fd, 40, RW, MAP_SHARED, 0, 0);

    EXPECT_IS(number_in(p, 5), 5);
    EXPECT_IS(RSS_KIB(p, 40), 64);
    EXPECT_IS(number_in(p, 15), 15);
    EXPECT_IS(RSS_KIB(p, 40), 64);
    EXPECT_IS(number_in(p, 16), 16);
    EXPECT_IS(RSS_KIB(p, 40), 128);
    EXPECT_IS(number_in(p, 39), 39); /* eight are left */
    EXPECT_IS(RSS_KIB(p, 40), 160);
    for (size_t i = 0; i < 40; i++)
        EXPECT_IS(number_in(p, i), i);
    munmap(p, 40 * PAGE);
    close(fd);
}

static void write_maps_one_page(void)
{
    int fd = cached(32);
    char *p = map(fd, 32, RW, MAP_SHARED, 0, 0);

    p[8] = 1;
    EXPECT_IS(RSS_KIB(p, 32), 4);
    EXPECT_IS(number_in(p, 3), 3);
    EXPECT_IS(RSS_KIB(p, 32), 64);
    p[2 * PAGE + 8] = 1; /* mapped for reading, may be written */
    EXPECT_IS(RSS_KIB(p, 32), 64);
    EXPECT(number_in(p, 2) == 2 && p[2 * PAGE + 8] == 1);
    munmap(p, 32 * PAGE);
    close(fd);
}

static void window_ends_with_the_area(void)
{
    int fd = cached(32);
    char *p = map(fd, 6, PROT_READ, MAP_SHARED, 3, 8);

    EXPECT_IS(number_in(p, 2), 10);
    EXPECT_IS(RSS_KIB(p, 6), 24);
    EXPECT(number_in(p, 0) == 8 && number_in(p, 5) == 13);
    munmap(p, 6 * PAGE);
    p = map(fd, 20, PROT_READ, MAP_SHARED, 12, 1);
    EXPECT_IS(number_in(p, 0), 1);
    EXPECT_IS(RSS_KIB(p, 20), 64); /* as many from where the area begins */
    EXPECT_IS(number_in(p, 19), 20);
    EXPECT_IS(RSS_KIB(p, 20), 80);
    munmap(p, 20 * PAGE);
    close(fd);
}

static void holes_and_what_lies_behind_the_end_stay_out(void)
{
    int fd = memfd_create("around", 0);
    size_t word = 1;

    EXPECT_IS(ftruncate(fd, 10 * PAGE), 0);
    EXPECT_IS(pwrite(fd, &word, 8, 2 * PAGE), 8);
    EXPECT_IS(pwrite(fd, &word, 8, 7 * PAGE), 8);
    EXPECT_IS(fallocate(fd, 0, 8 * PAGE, PAGE), 0);
    EXPECT_IS(fallocate(fd, 1, 10 * PAGE, 3 * PAGE), 0); /* FALLOC_FL_KEEP_SIZE */
    char *p = map(fd, 16, PROT_READ, MAP_SHARED, 0, 0);
    EXPECT_IS(number_in(p, 2), 1);
    EXPECT_IS(RSS_KIB(p, 16), 8);
    EXPECT_IS(number_in(p, 0), 0); /* makes one; the others are mapped */
    EXPECT_IS(RSS_KIB(p, 16), 12);
    EXPECT(probe(p + 10 * PAGE, PROBE_READ).sig == SIGBUS);
    munmap(p, 16 * PAGE);
    close(fd);
}

static void private_mapping_copies_what_it_writes(void)
{
    int fd = cached(16);
    char *p = map(fd, 16, RW, MAP_PRIVATE, 0, 0);

    EXPECT_IS(number_in(p, 4), 4);
    EXPECT_IS(RSS_KIB(p, 16), 64);
    EXPECT_IS(smaps(p, WINDOW, "Anonymous"), 0);
    *(size_t *)(p + 5 * PAGE) = 55;
    EXPECT_IS(smaps(p, WINDOW, "Anonymous"), 4);
    EXPECT_IS(RSS_KIB(p, 16), 64);
    size_t in_file;
    EXPECT_IS(pread(fd, &in_file, 8, 5 * PAGE), 8);
    EXPECT_IS(in_file, 5);
    munmap(p, WINDOW);
    p = map(fd, 16, RW, MAP_PRIVATE, 0, 0);
    *(size_t *)(p + 5 * PAGE) = 55; /* a write maps its copy alone */
    EXPECT_IS(RSS_KIB(p, 16), 4);
    EXPECT_IS(number_in(p, 4), 4);
    EXPECT(number_in(p, 5) == 55 && RSS_KIB(p, 16) == 64);
    munmap(p, WINDOW);
    close(fd);
}

static void truncation_takes_the_neighbours_too(void)
{
    int fd = cached(16);
    char *p = map(fd, 16, RW, MAP_SHARED, 0, 0);

    EXPECT_IS(number_in(p, 0), 0);
    EXPECT_IS(ftruncate(fd, 3 * PAGE), 0);
    EXPECT_IS(RSS_KIB(p, 16), 12);
    EXPECT(probe(p + 3 * PAGE, PROBE_READ).sig == SIGBUS);
    EXPECT_IS(ftruncate(fd, 16 * PAGE), 0);
    EXPECT_IS(number_in(p, 15), 0);
    EXPECT_IS(fallocate(fd, 3, PAGE, PAGE), 0); /* a hole */
    EXPECT_IS(number_in(p, 1), 0);
    EXPECT_IS(number_in(p, 2), 2);
    munmap(p, WINDOW);
    close(fd);
}

static void rights_are_the_areas(void)
{
    int fd = cached(16);
    char *p = map(fd, 16, PROT_READ, MAP_SHARED, 0, 0);

    EXPECT_IS(number_in(p, 0), 0);
    EXPECT(probe(p + 9 * PAGE, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(mprotect(p + 8 * PAGE, 8 * PAGE, PROT_NONE), 0);
    EXPECT_IS(number_in(p, 7), 7);
    EXPECT(probe(p + 8 * PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p, WINDOW);
    close(fd);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(read_maps_the_window),
        TEST(write_maps_one_page),
        TEST(window_ends_with_the_area),
        TEST(holes_and_what_lies_behind_the_end_stay_out),
        TEST(private_mapping_copies_what_it_writes),
        TEST(truncation_takes_the_neighbours_too),
        TEST(rights_are_the_areas),
    };

    return KTAP_MAIN(tests);
}
