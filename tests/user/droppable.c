/* SPDX-License-Identifier: MIT */
/*
 * tests/user/droppable.c - memory that may be lost, and who is to end when there is none
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: mmap(2), madvise(2), mlock(2), proc_pid_oom_score_adj(5).
 * Tour:   after tests/user/ktap.h; then tests/user/oom/eat.c, which really runs out of memory.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define MAP_SYNC 0x80000
#define RW       (PROT_READ | PROT_WRITE)

static char *map_as(int flags)
{
    return mmap(NULL, 4 * PAGE, RW, flags, -1, 0);
}

static void droppable_memory_is_private_and_anonymous(void)
{
    int fd = memfd_create("droppable", 0);
    char *p = map_as(MAP_DROPPABLE | MAP_ANONYMOUS);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(p != MAP_FAILED && !strcmp(maps_rights(p), "rw-p"));
    EXPECT_ERR((long)mmap(NULL, PAGE, RW, MAP_DROPPABLE, fd, 0), EINVAL);
    EXPECT_ERR((long)map_as(MAP_DROPPABLE | MAP_SHARED | MAP_ANONYMOUS), EINVAL);
    EXPECT_ERR((long)map_as(MAP_DROPPABLE | MAP_LOCKED | MAP_ANONYMOUS), EINVAL);
    EXPECT_ERR((long)map_as(MAP_DROPPABLE | MAP_HUGETLB | MAP_ANONYMOUS), EINVAL);
    EXPECT_ERR((long)map_as(MAP_DROPPABLE | MAP_GROWSDOWN | MAP_ANONYMOUS), EINVAL);
    munmap(p, 4 * PAGE);
    close(fd);
}

static void droppable_memory_is_not_inherited(void)
{
    char *p = map_as(MAP_DROPPABLE | MAP_ANONYMOUS);
    int status = -1;

    memset(p, 1, 4 * PAGE);
    if (fork() == 0)
        _exit(p[0] | p[PAGE]);
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_IS(p[0], 1);
    EXPECT_ERR(madvise(p, PAGE, MADV_KEEPONFORK), EINVAL);
    EXPECT_ERR(madvise(p, PAGE, MADV_DODUMP), EINVAL);
    EXPECT_IS(madvise(p, PAGE, MADV_WIPEONFORK), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(p[0], 0);
    munmap(p, 4 * PAGE);
}

static void locking_droppable_memory_does_nothing(void)
{
    char *p = map_as(MAP_DROPPABLE | MAP_ANONYMOUS);
    long before = 0, after = 0;
    char text[8192];

    if (slurp("/proc/self/status", text, sizeof text) > 0)
        sscanf(strstr(text, "VmLck:"), "VmLck: %ld", &before);
    EXPECT_IS(mlock(p, 4 * PAGE), 0);
    if (slurp("/proc/self/status", text, sizeof text) > 0)
        sscanf(strstr(text, "VmLck:"), "VmLck: %ld", &after);
    EXPECT_IS(after, before);
    EXPECT_IS(munlock(p, 4 * PAGE), 0);
    munmap(p, 4 * PAGE);
}

static void unknown_kinds_of_sharing_are_refused(void)
{
    int fd = memfd_create("droppable", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    for (int type = 0; type < 16; type++) {
        bool good = type == MAP_SHARED || type == MAP_PRIVATE || type == MAP_SHARED_VALIDATE;
        void *p = mmap(NULL, PAGE, RW, type, fd, 0);

        EXPECT((p != MAP_FAILED) == good && (good || errno == EINVAL));
        good = type == MAP_SHARED || type == MAP_PRIVATE || type == MAP_DROPPABLE;
        p = mmap(NULL, PAGE, RW, type | MAP_ANONYMOUS, -1, 0);
        EXPECT((p != MAP_FAILED) == good && (good || errno == EINVAL));
    }
    close(fd);
}

static void shared_validate_refuses_what_it_does_not_know(void)
{
    const int known = MAP_SHARED_VALIDATE | MAP_32BIT | MAP_POPULATE | MAP_NORESERVE | MAP_STACK;
    int fd = memfd_create("droppable", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(mmap(NULL, PAGE, RW, known, fd, 0) != MAP_FAILED);
    EXPECT_ERR((long)mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
    EXPECT_ERR((long)mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x800000, fd, 0), EOPNOTSUPP);
    EXPECT(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_SYNC, fd, 0) != MAP_FAILED);
    close(fd);
}

/* Write @text to the score of this process. */
static ssize_t score_adjust(const char *text)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR);
    ssize_t n = write(fd, text, strlen(text));
    int error = errno;

    close(fd);
    errno = error;
    return n;
}

static void the_score_is_a_number_within_bounds(void)
{
    char text[16];
    int status = -1;

    EXPECT_ERR(score_adjust("1001"), EINVAL);
    EXPECT_ERR(score_adjust("-1001"), EINVAL);
    EXPECT_ERR(score_adjust("x"), EINVAL);
    EXPECT_IS(score_adjust("300\n"), 4);
    EXPECT(slurp("/proc/self/oom_score_adj", text, sizeof text) > 0 && !strcmp(text, "300\n"));
    if (fork() == 0)
        _exit(slurp("/proc/self/oom_score_adj", text, sizeof text) < 0 || strcmp(text, "300\n"));
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT(slurp("/proc/self/oom_score", text, sizeof text) > 0 && atoi(text) >= 860);
    EXPECT_IS(score_adjust("0"), 1);
}

static const struct ktap_test tests[] = {
    TEST(droppable_memory_is_private_and_anonymous),     TEST(droppable_memory_is_not_inherited),
    TEST(locking_droppable_memory_does_nothing),         TEST(unknown_kinds_of_sharing_are_refused),
    TEST(shared_validate_refuses_what_it_does_not_know), TEST(the_score_is_a_number_within_bounds),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
