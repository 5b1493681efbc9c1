/* SPDX-License-Identifier: MIT */
/*
 * tests/user/munmap.c - munmap: what it refuses, what it cuts, what stays
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: munmap(2).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

static unsigned char *map(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* A mapping of @pages with a page without rights on both sides: it has no neighbours to merge with.
 */
static unsigned char *map_fenced(size_t pages)
{
    unsigned char *p = map((pages + 2) * PAGE);

    mprotect(p, PAGE, PROT_NONE);
    mprotect(p + (pages + 1) * PAGE, PAGE, PROT_NONE);
    return p + PAGE;
}

/* The raw call: libc looks at the arguments first. */
static long do_munmap(unsigned long addr, size_t len)
{
    return syscall(SYS_munmap, addr, len);
}

static void munmap_refuses_bad_ranges(void)
{
    unsigned char *p = map(PAGE);
    unsigned long at = (unsigned long)p;

    EXPECT_ERR(do_munmap(at + 1, PAGE), EINVAL);
    EXPECT_ERR(do_munmap(at, 0), EINVAL);
    EXPECT_ERR(do_munmap(at, -1UL), EINVAL);
    EXPECT_ERR(do_munmap(at, -PAGE), EINVAL);
    EXPECT_ERR(do_munmap(at, 1UL << 47), EINVAL);
    EXPECT_ERR(do_munmap(0x7ffffffff000, PAGE), EINVAL);
    EXPECT_ERR(do_munmap(0xffff800000000000, PAGE), EINVAL);
    EXPECT(!probe(p, PROBE_WRITE).sig);
    munmap(p, PAGE);
}

static void munmap_of_nothing_succeeds(void)
{
    unsigned char *p = map(2 * PAGE);

    munmap(p, 2 * PAGE);
    EXPECT_IS(do_munmap((unsigned long)p, 2 * PAGE), 0);
    EXPECT_IS(do_munmap((unsigned long)p, 1), 0);
}

static void munmap_rounds_the_length_up(void)
{
    unsigned char *p = map(3 * PAGE);

    EXPECT_IS(do_munmap((unsigned long)p, PAGE + 1), 0);
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT(!probe(p + 2 * PAGE, PROBE_READ).sig);
    munmap(p + 2 * PAGE, PAGE);
}

static void munmap_of_the_middle_leaves_two(void)
{
    unsigned char *p = map_fenced(5);

    for (int i = 0; i < 5; i++)
        p[(size_t)i * PAGE] = (unsigned char)(i + 1);
    EXPECT_IS(munmap(p + 2 * PAGE, PAGE), 0);
    EXPECT(p[0] == 1 && p[PAGE] == 2 && p[3 * PAGE] == 4 && p[4 * PAGE] == 5);
    struct fault f = probe(p + 2 * PAGE, PROBE_WRITE);
    EXPECT(f.sig == SIGSEGV && (!f.details || f.code == SEGV_MAPERR));
    if (maps_count(p, PAGE) >= 0)
        EXPECT_IS(maps_count(p, 5 * PAGE), 2);
    munmap(p - PAGE, 7 * PAGE);
}

static void munmap_trims_head_and_tail(void)
{
    unsigned char *p = map_fenced(6);

    EXPECT_IS(munmap(p, 2 * PAGE), 0);
    EXPECT_IS(munmap(p + 5 * PAGE, PAGE), 0);
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT(!probe(p + 2 * PAGE, PROBE_READ).sig);
    EXPECT(!probe(p + 5 * PAGE - 1, PROBE_READ).sig);
    EXPECT(probe(p + 5 * PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p - PAGE, 8 * PAGE);
}

static void munmap_spans_mappings_and_holes(void)
{
    unsigned char *p = map(8 * PAGE);

    munmap(p + 2 * PAGE, PAGE);
    mprotect(p + 4 * PAGE, PAGE, PROT_READ);
    EXPECT_IS(munmap(p + PAGE, 6 * PAGE), 0);
    EXPECT(!probe(p, PROBE_WRITE).sig && !probe(p + 7 * PAGE, PROBE_WRITE).sig);
    for (size_t i = 1; i < 7; i++)
        EXPECT(probe(p + i * PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p, 8 * PAGE);
}

static void memory_comes_back_zeroed(void)
{
    size_t len = 32 * PAGE, dirty = 0;

    for (int round = 0; round < 4; round++) {
        unsigned char *p = map(len);

        for (size_t i = 0; i < len; i++)
            dirty += p[i] != 0;
        memset(p, 0xa5, len);
        munmap(p, len);
    }
    EXPECT_IS(dirty, 0);
}

static void the_file_outlives_its_mapping(void)
{
    int fd = memfd_create("munmap", 0);
    char byte = 0;

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[10] = 'k';
    EXPECT_IS(munmap(p, PAGE), 0);
    EXPECT_IS(pread(fd, &byte, 1, 10), 1);
    EXPECT_IS(byte, 'k');
    close(fd);
}

static void mapping_and_unmapping_repeats(void)
{
    bool fine = true;

    for (int i = 0; i < 3000 && fine; i++) {
        unsigned char *p = map(4 * PAGE);

        fine = p && p[0] == 0;
        if (fine)
            p[0] = p[3 * PAGE] = 1;
        fine &= munmap(p, 4 * PAGE) == 0;
    }
    EXPECT(fine);
}

static const struct ktap_test tests[] = {
    TEST(munmap_refuses_bad_ranges),     TEST(munmap_of_nothing_succeeds),
    TEST(munmap_rounds_the_length_up),   TEST(munmap_of_the_middle_leaves_two),
    TEST(munmap_trims_head_and_tail),    TEST(munmap_spans_mappings_and_holes),
    TEST(memory_comes_back_zeroed),      TEST(the_file_outlives_its_mapping),
    TEST(mapping_and_unmapping_repeats),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
