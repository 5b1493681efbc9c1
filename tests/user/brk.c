/* SPDX-License-Identifier: MIT */
/*
 * tests/user/brk.c - the heap's end: where it may go and what it leaves
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: brk(2), section "C library/kernel differences".
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"

/* The raw call: it returns the break as it is afterwards, and never an error. */
static unsigned char *move(const void *to)
{
    return (unsigned char *)syscall(SYS_brk, to);
}

static void asking_returns_the_break(void)
{
    unsigned char *top = move(NULL);

    EXPECT(top != NULL);
    EXPECT(move(NULL) == top);
    EXPECT(move((void *)1) == top);
}

static void growing_gives_zero_pages(void)
{
    unsigned char *top = move(NULL), *end = top + 5 * PAGE;

    EXPECT(move(end) == end);
    bool zero = true;
    for (unsigned char *p = top; p < end; p++)
        zero &= *p == 0;
    EXPECT(zero);
    EXPECT(!probe(end - 1, PROBE_WRITE).sig);
    EXPECT(move(top) == top);
}

static void break_is_kept_to_the_byte(void)
{
    unsigned char *top = move(NULL);

    EXPECT(move(top + 1) == top + 1);
    EXPECT(move(NULL) == top + 1);
    EXPECT(move(top + PAGE + 17) == top + PAGE + 17);
    EXPECT(move(top) == top);
}

static void what_was_given_back_faults(void)
{
    unsigned char *top = move(NULL);
    unsigned char *page = (unsigned char *)(((uintptr_t)top + 2 * PAGE) & ~(PAGE - 1));

    move(top + 4 * PAGE);
    EXPECT(!probe(page, PROBE_WRITE).sig);
    EXPECT(move(top) == top);
    EXPECT(probe(page, PROBE_READ).sig == SIGSEGV);
}

static void growing_again_gives_zeroes_again(void)
{
    unsigned char *top = move(NULL);
    unsigned char *start = (unsigned char *)(((uintptr_t)top + PAGE - 1) & ~(PAGE - 1));

    move(start + 3 * PAGE);
    memset(start, 0xff, 3 * PAGE);
    move(start);
    EXPECT(move(start + 3 * PAGE) == start + 3 * PAGE);
    bool zero = true;
    for (size_t i = 0; i < 3 * PAGE; i++)
        zero &= start[i] == 0;
    EXPECT(zero);
    move(top);
}

static void too_far_is_refused(void)
{
    unsigned char *top = move(NULL);

    EXPECT(move((void *)(1UL << 47)) == top);
    EXPECT(move((void *)-PAGE) == top);
    EXPECT(move((void *)0xffff800000000000) == top);
}

static void heap_does_not_run_over_a_mapping(void)
{
    unsigned char *top = move(NULL);
    unsigned char *wall = (unsigned char *)(((uintptr_t)top + 16 * PAGE) & ~(PAGE - 1));
    long at = syscall(SYS_mmap, wall, PAGE, 1, 0x100022, -1, 0L); /* fixed, no replacing */

    if (at != (long)wall)
        SKIP("the place above the heap is taken");
    EXPECT(move(wall + PAGE) == top);
    EXPECT(move(wall - PAGE) == wall - PAGE);
    syscall(SYS_munmap, wall, PAGE);
    move(top);
}

static void heap_is_one_mapping(void)
{
    unsigned char *top = move(NULL);
    unsigned char *start = (unsigned char *)(((uintptr_t)top + PAGE - 1) & ~(PAGE - 1));

    move(start + PAGE);
    if (maps_count(start, PAGE) < 0)
        SKIP("no /proc/self/maps");
    move(start + 2 * PAGE);
    move(start + 9 * PAGE);
    EXPECT_IS(maps_count(start, 9 * PAGE), 1);
    EXPECT(!strcmp(maps_rights(start), "rw-p"));
    move(top);
}

static const struct ktap_test tests[] = {
    TEST(asking_returns_the_break),         TEST(growing_gives_zero_pages),
    TEST(break_is_kept_to_the_byte),        TEST(what_was_given_back_faults),
    TEST(growing_again_gives_zeroes_again), TEST(too_far_is_refused),
    TEST(heap_does_not_run_over_a_mapping), TEST(heap_is_one_mapping),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
