/* SPDX-License-Identifier: MIT */
/*
 * tests/user/areas.c - what calls on ranges do to several areas, and when areas become one
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, most of them first by tests/user/differ.
 * Source: madvise(2), mlock(2), mremap(2), mprotect(2), fork(2), fallocate(2).
 * Tour:   after tests/user/mmap.c; then tests/user/differ.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define ARENA       ((char *)0x10000010000)
#define ARENA_PAGES 64
#define RW          (PROT_READ | PROT_WRITE)

enum { COLD = 20, PAGES_READ = 22, DONTNEED_LOCKED = 24 }; /* advice that musl does not name */

static char *page(unsigned n)
{
    return ARENA + n * PAGE;
}

static void put(unsigned first, unsigned count, int prot, int flags)
{
    flags |= MAP_ANONYMOUS | MAP_FIXED | (flags & MAP_SHARED ? 0 : MAP_PRIVATE);
    EXPECT(mmap(page(first), count * PAGE, prot, flags, -1, 0) == page(first));
}

static int areas(void)
{
    return maps_count(ARENA, ARENA_PAGES * PAGE);
}

static void clear(void)
{
    munmap(ARENA, ARENA_PAGES * PAGE);
}

static bool present(unsigned n)
{
    unsigned char vec = 0;

    return mincore(page(n), PAGE, &vec) == 0 && (vec & 1);
}

static void advice_passes_over_gaps_and_tells(void)
{
    put(0, 2, RW, 0);
    put(4, 2, RW, 0);
    *page(5) = 1;
    EXPECT_ERR(madvise(page(0), 6 * PAGE, MADV_DONTNEED), ENOMEM);
    EXPECT(!present(5));
    EXPECT_ERR(madvise(page(0), 6 * PAGE, MADV_FREE), ENOMEM);
    EXPECT_ERR(madvise(page(0), 6 * PAGE, COLD), ENOMEM);
    EXPECT_ERR(madvise(page(2), 2 * PAGE, COLD), ENOMEM);
    clear();
}

static void locked_memory_refuses_to_be_dropped_unless_named(void)
{
    put(0, 2, RW, 0);
    EXPECT_IS(mlock(page(0), 2 * PAGE), 0);
    EXPECT_ERR(madvise(page(0), PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERR(madvise(page(0), PAGE, MADV_FREE), EINVAL);
    EXPECT_ERR(madvise(page(0), PAGE, COLD), EINVAL);
    EXPECT_IS(madvise(page(0), PAGE, DONTNEED_LOCKED), 0);
    EXPECT(!present(0) && present(1));
    clear();
}

static void advice_about_order_keeps_areas_apart(void)
{
    put(0, 4, RW, 0);
    EXPECT_IS(madvise(page(1), PAGE, MADV_RANDOM), 0);
    EXPECT_IS(areas(), 3);
    EXPECT_IS(madvise(page(1), PAGE, MADV_NORMAL), 0);
    EXPECT_IS(areas(), 1);
    clear();
}

static void populating_for_reading_needs_the_right_to_read(void)
{
    put(0, 1, PROT_WRITE, 0);
    EXPECT_ERR(madvise(page(0), PAGE, PAGES_READ), EINVAL);
    clear();
}

static void mlock_ends_at_the_first_gap(void)
{
    put(2, 4, RW, 0);
    EXPECT_ERR(mlock(page(0), 4 * PAGE), ENOMEM);
    EXPECT_IS(areas(), 1);
    EXPECT_ERR(mlock(page(4), 4 * PAGE), ENOMEM);
    EXPECT_IS(areas(), 2);
    clear();
}

static void locked_memory_is_filled_when_it_can_be_written(void)
{
    put(0, 2, PROT_NONE, 0);
    EXPECT_ERR(mlock(page(0), 2 * PAGE), ENOMEM);
    EXPECT(!present(0));
    EXPECT_IS(mprotect(page(0), PAGE, RW), 0);
    EXPECT(present(0) && !present(1));
    clear();
}

static void locked_memory_is_filled_when_it_grows(void)
{
    put(0, 2, RW, MAP_LOCKED);
    EXPECT(mremap(page(0), 2 * PAGE, 4 * PAGE, 0) == page(0));
    EXPECT(present(2) && present(3));
    clear();
}

static void mremap_moves_several_areas_with_their_gaps(void)
{
    put(0, 2, RW, 0);
    put(3, 2, PROT_READ, 0);
    *page(1) = 7;
    EXPECT(mremap(page(0), 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(20)) ==
           page(20));
    EXPECT(*page(21) == 7);
    EXPECT_IS(maps_count(page(20), 5 * PAGE), 2);
    EXPECT_IS(maps_count(page(0), 5 * PAGE), 0);
    EXPECT(probe(page(22), PROBE_READ).sig == SIGSEGV);
    clear();
}

static void mremap_shrinks_over_the_end_of_an_area(void)
{
    put(0, 2, RW, 0);
    put(3, 2, PROT_READ, 0);
    EXPECT(mremap(page(0), 5 * PAGE, PAGE, 0) == page(0));
    EXPECT_IS(areas(), 1);
    EXPECT(mremap(page(0), 5 * PAGE, 5 * PAGE, 0) == page(0));
    clear();
}

static void memory_left_empty_by_mremap_is_not_locked(void)
{
    put(0, 2, RW, MAP_LOCKED);
    EXPECT(mremap(page(0), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                  page(20)) == page(20));
    EXPECT_IS(madvise(page(0), PAGE, MADV_DONTNEED), 0);
    EXPECT_ERR(madvise(page(20), PAGE, MADV_DONTNEED), EINVAL);
    clear();
}

/* Two neighbours, written to or not while they could be; then both lose the right to write. */
static int areas_after(bool low_written, bool high_written)
{
    put(0, 4, RW, 0);
    if (low_written)
        *page(1) = 1;
    mprotect(page(0), 4 * PAGE, PROT_READ);
    put(4, 4, RW, 0);
    if (high_written)
        *page(5) = 1;
    mprotect(page(4), 4 * PAGE, PROT_READ);
    int count = areas();
    clear();
    return count;
}

static void areas_with_different_histories_stay_apart(void)
{
    EXPECT_IS(areas_after(false, false), 1);
    EXPECT_IS(areas_after(true, false), 2);
    EXPECT_IS(areas_after(false, true), 2);
    EXPECT_IS(areas_after(true, true), 1); /* the second joined the history of the first */
}

static void moved_memory_merges_if_it_was_never_written(void)
{
    for (int written = 0; written < 2; written++) {
        put(0, 2, RW, 0);
        put(20, 2, RW, 0);
        if (written)
            *page(0) = 1;
        EXPECT(mremap(page(0), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(22)) ==
               page(22));
        EXPECT_IS(areas(), written ? 2 : 1);
        clear();
    }
}

/* What a child of fork() says about itself. */
static int in_child(int (*ask)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(ask());
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int two_pages_present(void)
{
    return present(0) + 2 * present(4);
}

static void fork_copies_no_tables_of_memory_that_was_only_read(void)
{
    put(0, 2, RW, 0);
    put(4, 2, RW, 0);
    EXPECT(*page(0) == 0 && *page(4) == 0);
    *page(5) = 1;
    EXPECT(present(0) && present(4));
    EXPECT_IS(in_child(two_pages_present), 2);
    clear();
}

static void fork_leaves_apart_what_a_lock_kept_apart(void)
{
    put(0, 4, RW, 0);
    mlock(page(2), 2 * PAGE);
    EXPECT_IS(areas(), 2);
    EXPECT_IS(in_child(areas), 2);
    clear();
}

static void stacks_are_areas_of_their_own(void)
{
    put(0, 2, RW, 0);
    put(2, 2, RW, MAP_STACK);
    EXPECT_IS(areas(), 2);
    clear();
}

static void fallocated_pages_are_holes_until_touched(void)
{
    int fd = memfd_create("areas", 0);
    char *p;

    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    EXPECT_IS(syscall(SYS_fallocate, fd, 0, 0, 2 * PAGE), 0);
    p = mmap(page(0), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    EXPECT(p == page(0) && !present(0));
    EXPECT_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
    p[PAGE] = 1;
    EXPECT(present(1) && !present(0));
    EXPECT_IS(lseek(fd, 0, SEEK_DATA), PAGE);
    clear();
    close(fd);
}

static void truncating_to_the_same_size_drops_what_lies_behind(void)
{
    struct stat st;
    int fd = memfd_create("areas", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT_IS(syscall(SYS_fallocate, fd, 1 /* KEEP_SIZE */, 4 * PAGE, 2 * PAGE), 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_blocks == 16);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_blocks == 0);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(advice_passes_over_gaps_and_tells),
    TEST(locked_memory_refuses_to_be_dropped_unless_named),
    TEST(advice_about_order_keeps_areas_apart),
    TEST(populating_for_reading_needs_the_right_to_read),
    TEST(mlock_ends_at_the_first_gap),
    TEST(locked_memory_is_filled_when_it_can_be_written),
    TEST(locked_memory_is_filled_when_it_grows),
    TEST(mremap_moves_several_areas_with_their_gaps),
    TEST(mremap_shrinks_over_the_end_of_an_area),
    TEST(memory_left_empty_by_mremap_is_not_locked),
    TEST(areas_with_different_histories_stay_apart),
    TEST(moved_memory_merges_if_it_was_never_written),
    TEST(fork_copies_no_tables_of_memory_that_was_only_read),
    TEST(fork_leaves_apart_what_a_lock_kept_apart),
    TEST(stacks_are_areas_of_their_own),
    TEST(fallocated_pages_are_holes_until_touched),
    TEST(truncating_to_the_same_size_drops_what_lies_behind),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
