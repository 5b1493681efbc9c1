/* SPDX-License-Identifier: MIT */
/*
 * tests/user/file_flags.c - what one read or write may ask for by itself: preadv2, pwritev2
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: preadv2(2), fcntl(2) F_SETFL.
 * Tour:   after tests/user/memfd_file.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define HIPRI     0x001
#define DSYNC     0x002
#define SYNC      0x004
#define NOWAIT    0x008
#define APPEND    0x010
#define NOAPPEND  0x020
#define ATOMIC    0x040
#define DONTCACHE 0x080
#define OWN       (-1L) /* at the file's own offset */
#define FILE_LEN  1000L

static char bytes[16] = "0123456789abcde";

static long put(int fd, long pos, unsigned flags)
{
    struct iovec v[2] = {{bytes, 6}, {bytes + 6, 4}};
    return syscall(SYS_pwritev2, fd, v, 2L, pos, 0L, flags);
}

static long get(int fd, long pos, unsigned flags)
{
    static char into[16];
    struct iovec v[2] = {{into, 6}, {into + 6, 4}};
    return syscall(SYS_preadv2, fd, v, 2L, pos, 0L, flags);
}

static int file(void)
{
    int fd = memfd_create("flags", 0);

    EXPECT_IS(ftruncate(fd, FILE_LEN), 0);
    return fd;
}

static long size_of(int fd)
{
    struct stat st = {0};
    return fstat(fd, &st) ? -1 : st.st_size;
}

static void known_flags_are_taken(void)
{
    static const unsigned taken[] = {0, HIPRI, DSYNC, SYNC, HIPRI | DSYNC | SYNC};
    int fd = file();

    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        EXPECT_IS(put(fd, 100, taken[i]), 10);
        EXPECT_IS(get(fd, 100, taken[i]), 10);
    }
    EXPECT_IS(size_of(fd), FILE_LEN);
    close(fd);
}

static void others_are_not(void)
{
    static const unsigned refused[] = {NOWAIT, ATOMIC, 1U << 20, 1U << 31, ATOMIC | HIPRI};
    int fd = file();

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        EXPECT_ERR(put(fd, 0, refused[i]), EOPNOTSUPP);
        EXPECT_ERR(get(fd, 0, refused[i]), EOPNOTSUPP);
    }
    if (!linux_before(6, 14)) {
        EXPECT_ERR(put(fd, 0, DONTCACHE), EOPNOTSUPP);
        EXPECT_ERR(put(fd, 0, APPEND | NOAPPEND), EINVAL);
    }
    EXPECT_ERR(put(99, 0, 1U << 20), EBADF);
    close(fd);
}

static void offset_is_the_files_own_at_minus_one(void)
{
    int fd = file();

    EXPECT_IS(put(fd, OWN, 0), 10);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 10);
    EXPECT_IS(get(fd, OWN, HIPRI), 10);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 20);
    EXPECT_ERR(put(fd, -2, 0), EINVAL);
    EXPECT_ERR(get(fd, -2, 0), EINVAL);
    EXPECT_ERR(pwritev(fd, NULL, 0, -1), EINVAL);
    close(fd);
}

static void one_write_goes_to_the_end(void)
{
    int fd = file();

    EXPECT_IS(put(fd, 0, APPEND), 10);
    EXPECT_IS(size_of(fd), FILE_LEN + 10);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_IS(put(fd, OWN, APPEND), 10);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), FILE_LEN + 20);
    EXPECT_IS(get(fd, 0, APPEND), 10); /* means nothing to who reads */
    EXPECT_IS(put(fd, 0, 0), 10);
    EXPECT_IS(size_of(fd), FILE_LEN + 20);
    close(fd);
}

static void one_write_does_not(void)
{
    int fd = file();

    if (linux_before(6, 9))
        SKIP("there was no such flag");
    EXPECT_IS(fcntl(fd, F_SETFL, O_APPEND), 0);
    EXPECT_IS(put(fd, 0, 0), 10);
    EXPECT_IS(size_of(fd), FILE_LEN + 10);
    EXPECT_IS(put(fd, 0, NOAPPEND), 10);
    EXPECT_IS(size_of(fd), FILE_LEN + 10);
    close(fd);
}

static void pipes_need_not_be_waited_for(void)
{
    int ends[2];

    if (linux_before(6, 4))
        SKIP("pipes were not among those that can be asked so");
    EXPECT_IS(pipe(ends), 0);
    EXPECT_ERR(get(ends[0], 0, 0), ESPIPE);
    EXPECT_ERR(put(ends[1], 0, 0), ESPIPE);
    EXPECT_ERR(get(ends[0], OWN, NOWAIT), EAGAIN);
    EXPECT_IS(put(ends[1], OWN, NOWAIT), 10);
    EXPECT_IS(get(ends[0], OWN, NOWAIT), 10);
    EXPECT_ERR(get(ends[0], OWN, NOWAIT), EAGAIN);
    close(ends[1]);
    EXPECT_IS(get(ends[0], OWN, NOWAIT), 0);
    close(ends[0]);
}

static void huge_files_are_only_read(void)
{
    int fd = memfd_create("flags", MFD_HUGETLB);

    if (fd < 0)
        SKIP("no huge pages");
    EXPECT_IS(ftruncate(fd, 2 << 20), 0);
    EXPECT_ERR(put(fd, 0, 0), EINVAL);
    EXPECT_ERR(put(fd, 0, 1U << 20), EINVAL);
    if (!linux_before(6, 5))
        EXPECT_ERR(pwritev(fd, (void *)8, 1, 0), EINVAL);
    EXPECT_IS(get(fd, 0, HIPRI), 10);
    EXPECT_ERR(get(fd, 0, NOWAIT), EOPNOTSUPP);
    close(fd);
}

static void status_flags_that_can_be_set(void)
{
    int fd = memfd_create("flags", 0), large = 0100000;

    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR | large);
    EXPECT_IS(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_NOATIME | O_TRUNC | O_WRONLY), 0);
    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR | large | O_APPEND | O_NONBLOCK | O_NOATIME);
    EXPECT_IS(fcntl(fd, F_SETFL, 0), 0);
    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR | large);
    close(fd);
}

static void nothing_is_behind_memory(void)
{
    int fd = file(), ends[2];

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(fsync(fd), 0);
    EXPECT_IS(fdatasync(fd), 0);
    EXPECT_IS(syncfs(fd), 0);
    EXPECT_ERR(syncfs(99), EBADF);
    EXPECT_IS(syscall(SYS_sync_file_range, fd, 0L, 100L, 7), 0);
    EXPECT_ERR(syscall(SYS_sync_file_range, fd, 0L, 100L, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_sync_file_range, fd, -1L, 100L, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_sync_file_range, ends[0], 0L, 1L, 0), ESPIPE);
    EXPECT_IS(readahead(fd, 0, 100), 0);
    EXPECT_ERR(readahead(ends[0], 0, 1), EINVAL);
    EXPECT_ERR(readahead(ends[1], 0, 1), EBADF);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(known_flags_are_taken),
    TEST(others_are_not),
    TEST(offset_is_the_files_own_at_minus_one),
    TEST(one_write_goes_to_the_end),
    TEST(one_write_does_not),
    TEST(pipes_need_not_be_waited_for),
    TEST(huge_files_are_only_read),
    TEST(status_flags_that_can_be_set),
    TEST(nothing_is_behind_memory),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
