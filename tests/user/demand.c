/* SPDX-License-Identifier: MIT */
/*
 * tests/user/demand.c - demand zero: pages that come when they are touched, by the program or by
 * the kernel
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: mmap(2) MAP_ANONYMOUS; mincore(2).
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

static void large_mappings_cost_only_what_is_touched(void)
{
    size_t len = 1UL << 30, step = 16UL << 20; /* more than the machine may have */
    void *p =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        SKIP("no address space of 1 GiB");
    unsigned char *bytes = p;
    for (size_t at = 0; at < len; at += step)
        bytes[at] = (unsigned char)(at / step + 1);
    bool kept = true;
    for (size_t at = 0; at < len; at += step)
        kept &= bytes[at] == (unsigned char)(at / step + 1) && bytes[at + PAGE] == 0;
    EXPECT(kept);
    munmap(p, len);
}

static void reading_first_then_writing(void)
{
    unsigned char *p = map(8 * PAGE);

    for (size_t i = 0; i < 8; i++)
        EXPECT_IS(p[i * PAGE], 0);
    for (size_t i = 0; i < 8; i++)
        p[i * PAGE] = (unsigned char)(i + 1);
    for (size_t i = 0; i < 8; i++)
        EXPECT_IS(p[i * PAGE], i + 1);
    munmap(p, 8 * PAGE);
}

static void untouched_pages_are_not_resident(void)
{
    unsigned char vec[3] = {9, 9, 9}, *p = map(3 * PAGE);

    p[PAGE] = 1;
    if (mincore(p, 3 * PAGE, vec) < 0)
        SKIP("no mincore");
    EXPECT((vec[0] & 1) == 0 && (vec[1] & 1) == 1 && (vec[2] & 1) == 0);
    munmap(p, 3 * PAGE);
}

static void kernel_fills_untouched_pages(void)
{
    unsigned char *p = map(4 * PAGE);
    int fd = memfd_create("demand", 0);
    bool right = true;

    for (unsigned i = 0; i < 3 * PAGE / 4; i++)
        right &= write(fd, &i, 4) == 4;
    EXPECT(right);
    EXPECT_IS(pread(fd, p + 100, 3 * PAGE, 0), 3 * PAGE); /* into pages that are not there yet */
    EXPECT(p[99] == 0 && p[104] == 1 && p[108] == 2);
    munmap(p, 4 * PAGE);
    close(fd);
}

static void kernel_reads_untouched_pages_as_zero(void)
{
    unsigned char *p = map(2 * PAGE), buf[8] = "xxxxxxx";
    int fd = memfd_create("demand", 0);

    EXPECT_IS(pwrite(fd, p, 2 * PAGE, 0), 2 * PAGE);
    EXPECT_IS(pread(fd, buf, 8, PAGE), 8);
    EXPECT(!memcmp(buf, "\0\0\0\0\0\0\0", 8));
    munmap(p, 2 * PAGE);
    close(fd);
}

static void copies_stop_at_the_last_good_page(void)
{
    unsigned char *p = map(2 * PAGE);
    int fd = memfd_create("demand", 0);

    memset(p, 'd', PAGE);
    munmap(p + PAGE, PAGE);
    EXPECT_IS(write(fd, p + PAGE - 10, 20), 10);
    EXPECT_ERR(write(fd, p + PAGE, 20), EFAULT);
    EXPECT_IS(pread(fd, p + PAGE - 5, 10, 0), 5);
    munmap(p, PAGE);
    close(fd);
}

static void shared_anonymous_memory_starts_zero(void)
{
    unsigned char *p =
        mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    EXPECT(p != MAP_FAILED);
    EXPECT(p[0] == 0 && p[3 * PAGE - 1] == 0);
    p[PAGE] = 5;
    EXPECT_IS(p[PAGE], 5);
    munmap(p, 3 * PAGE);
}

static void every_byte_of_a_few_megabytes(void)
{
    enum { BYTES = 4 << 20 };
    uint32_t *p = (uint32_t *)map(BYTES);
    size_t wrong = 0;

    if (!p)
        SKIP("out of memory");
    for (uint32_t i = 0; i < BYTES / 4; i++)
        p[i] = i * 2654435761u;
    for (uint32_t i = 0; i < BYTES / 4; i++)
        wrong += p[i] != i * 2654435761u;
    EXPECT_IS(wrong, 0);
    munmap(p, BYTES);
}

static const struct ktap_test tests[] = {
    TEST(large_mappings_cost_only_what_is_touched), TEST(reading_first_then_writing),
    TEST(untouched_pages_are_not_resident),         TEST(kernel_fills_untouched_pages),
    TEST(kernel_reads_untouched_pages_as_zero),     TEST(copies_stop_at_the_last_good_page),
    TEST(shared_anonymous_memory_starts_zero),      TEST(every_byte_of_a_few_megabytes),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
