/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mremap.c - mremap: growing, shrinking, moving, leaving behind, having twice
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: mremap(2).
 * Tour:   after tests/user/munmap.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#define RW PROT_READ | PROT_WRITE

static char *map(size_t pages, int flags, int fd)
{
    return mmap(NULL, pages * PAGE, RW, flags, fd, 0);
}

static char *map_private(size_t pages)
{
    return map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* The raw call: libc adds checks of its own. */
static long do_mremap(const void *old, size_t old_len, size_t new_len, int flags, const void *to)
{
    return syscall(SYS_mremap, old, old_len, new_len, flags, to);
}

static void arguments_are_checked(void)
{
    char *p = map_private(4), *q = map_private(4);

    EXPECT_ERR(do_mremap(p, PAGE, PAGE, 8, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, PAGE, MREMAP_FIXED, q), EINVAL);
    EXPECT_ERR(do_mremap(p + 1, PAGE, PAGE, 0, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, 0, 0, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, 1UL << 47, MREMAP_MAYMOVE, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1), EINVAL);
    EXPECT_ERR(do_mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, 0, PAGE, MREMAP_MAYMOVE, NULL), EINVAL); /* private: not twice */
    munmap(q, 4 * PAGE);
    EXPECT_ERR(do_mremap(q, PAGE, PAGE, 0, NULL), EFAULT);
    EXPECT_ERR(do_mremap(p, 1UL << 40, 1UL << 41, MREMAP_MAYMOVE, NULL), EFAULT);
    munmap(p, 4 * PAGE);
}

static void shrinking_gives_the_tail_back(void)
{
    char *p = map_private(4);

    p[0] = 'a';
    p[3 * PAGE] = 'd';
    EXPECT(do_mremap(p, 4 * PAGE, PAGE, 0, NULL) == (long)p);
    EXPECT(p[0] == 'a');
    EXPECT(probe(p + 3 * PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p, PAGE);
}

static void growing_in_place_needs_room(void)
{
    char *p = map_private(8);

    p[0] = 'a';
    munmap(p + 2 * PAGE, 3 * PAGE);
    EXPECT(do_mremap(p, 2 * PAGE, 4 * PAGE, 0, NULL) == (long)p);
    EXPECT(p[0] == 'a' && p[3 * PAGE] == 0);
    EXPECT_ERR(do_mremap(p, 4 * PAGE, 6 * PAGE, 0, NULL), ENOMEM);
    munmap(p, 8 * PAGE);
}

/* As Linux, which leaves them apart when the one grows down to the other. */
static void growing_up_leaves_apart_what_grew_down(void)
{
    char *p = mmap(NULL, 12 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

    munmap(p + 10 * PAGE, 2 * PAGE);
    munmap(p + 2 * PAGE, 4 * PAGE);
    EXPECT_IS(probe(p + 2 * PAGE, PROBE_WRITE).sig, 0);
    EXPECT(do_mremap(p + 6 * PAGE, 4 * PAGE, 5 * PAGE, 0, NULL) == (long)(p + 6 * PAGE));
    EXPECT_ERR(do_mremap(p, 4 * PAGE, 13 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT); /* two areas */
    munmap(p, 12 * PAGE);
}

static void moving_takes_the_bytes_along(void)
{
    char *p = map_private(8);

    for (int i = 0; i < 2; i++)
        p[i * PAGE] = 'a' + i;
    char *q = (char *)do_mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, NULL);
    EXPECT(q != p && q[0] == 'a' && q[PAGE] == 'b' && q[63 * PAGE] == 0);
    EXPECT(probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT(!probe(p + 2 * PAGE, PROBE_WRITE).sig);
    munmap(q, 64 * PAGE);
    munmap(p, 8 * PAGE);
}

static void fixed_replaces_what_was_there(void)
{
    char *p = map_private(2), *q = map_private(4);

    p[0] = 'a';
    q[PAGE] = 'x';
    EXPECT(do_mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == (long)(q + PAGE));
    EXPECT(q[PAGE] == 'a');
    EXPECT(probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT(!probe(p + PAGE, PROBE_READ).sig);
    munmap(p, 2 * PAGE);
    munmap(q, 4 * PAGE);
}

static void dontunmap_leaves_an_empty_mapping(void)
{
    char *p = map_private(2);

    p[0] = 'a';
    p[PAGE] = 'b';
    char *q = (char *)do_mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    EXPECT(q != p && q[0] == 'a' && q[PAGE] == 'b');
    EXPECT(p[0] == 0 && p[PAGE] == 0);
    munmap(p, 2 * PAGE);
    munmap(q, 2 * PAGE);
}

static void shrinking_ends_where_memory_does(void)
{
    char *p = map(4, MAP_PRIVATE | MAP_ANONYMOUS, -1);

    munmap(p + 3 * PAGE, PAGE);
    EXPECT_ERR(do_mremap(p, 1UL << 60, PAGE, 0, NULL), EINVAL);
    EXPECT_ERR(do_mremap(p, 1UL << 60, PAGE, MREMAP_MAYMOVE, NULL), EINVAL);
    p[2 * PAGE] = 1;
    EXPECT_IS(do_mremap(p, 4 * PAGE, PAGE, 0, NULL), p); /* over the area's end */
    EXPECT(probe(p + 2 * PAGE, PROBE_READ).sig == SIGSEGV);
    munmap(p, PAGE);
}

static void shared_memory_can_be_had_twice(void)
{
    char *p = map(2, MAP_SHARED | MAP_ANONYMOUS, -1);

    p[PAGE] = 'b';
    char *q = (char *)do_mremap(p + PAGE, 0, PAGE, MREMAP_MAYMOVE, NULL);
    EXPECT(q[0] == 'b');
    q[1] = 'c';
    EXPECT(p[PAGE + 1] == 'c');
    munmap(p, 2 * PAGE);
    EXPECT(q[1] == 'c');
    EXPECT_ERR(do_mremap(q, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q), EFAULT);
    EXPECT(probe(q, PROBE_READ).sig == SIGSEGV); /* its place was cleared for itself */
}

static void files_move_with_their_offset(void)
{
    int fd = memfd_create("m", 0);

    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    char *p = map(4, MAP_SHARED, fd);
    for (int i = 0; i < 4; i++)
        p[i * PAGE] = 'a' + i;
    char *q = (char *)do_mremap(p + 2 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
                                NULL);
    EXPECT(q[0] == 'c' && q[PAGE] == 'd');
    EXPECT(p[2 * PAGE] == 'c'); /* it comes from the file again */
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT(probe(q, PROBE_READ).sig == SIGBUS);
    munmap(p, 4 * PAGE);
    munmap(q, 2 * PAGE);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(arguments_are_checked),
    TEST(shrinking_gives_the_tail_back),
    TEST(growing_in_place_needs_room),
    TEST(growing_up_leaves_apart_what_grew_down),
    TEST(moving_takes_the_bytes_along),
    TEST(fixed_replaces_what_was_there),
    TEST(dontunmap_leaves_an_empty_mapping),
    TEST(shrinking_ends_where_memory_does),
    TEST(shared_memory_can_be_had_twice),
    TEST(files_move_with_their_offset),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
