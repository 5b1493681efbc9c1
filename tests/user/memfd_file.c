/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_file.c - a memfd as a file: offsets, holes, sizes, short copies
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: read(2), write(2), pread(2), lseek(2), ftruncate(2), fstat(2).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int file(void)
{
    return memfd_create("file", 0);
}

static off_t size_of(int fd)
{
    struct stat st = {0};

    return fstat(fd, &st) < 0 ? -1 : st.st_size;
}

static void writing_extends_and_moves_the_offset(void)
{
    int fd = file();
    char buf[8] = "";

    EXPECT_IS(write(fd, "abc", 3), 3);
    EXPECT_IS(write(fd, "def", 3), 3);
    EXPECT_IS(size_of(fd), 6);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 6);
    EXPECT_IS(read(fd, buf, 8), 0);
    EXPECT_IS(lseek(fd, 2, SEEK_SET), 2);
    EXPECT_IS(read(fd, buf, 8), 4);
    EXPECT(!memcmp(buf, "cdef", 4));
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 6);
    close(fd);
}

static void pread_and_pwrite_leave_the_offset(void)
{
    int fd = file();
    char buf[4] = "";

    EXPECT_IS(pwrite(fd, "xyz", 3, 10), 3);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_IS(size_of(fd), 13);
    EXPECT_IS(pread(fd, buf, 4, 11), 2);
    EXPECT(!memcmp(buf, "yz", 2));
    EXPECT_IS(pread(fd, buf, 4, 13), 0);
    EXPECT_IS(pread(fd, buf, 4, 1 << 20), 0);
    EXPECT_ERR(pread(fd, buf, 4, -1), EINVAL);
    EXPECT_ERR(pwrite(fd, buf, 4, -1), EINVAL);
    close(fd);
}

static void holes_read_as_zero(void)
{
    int fd = file();
    char buf[PAGE * 3];
    size_t dirty = 0;

    EXPECT_IS(pwrite(fd, "end", 3, 5 * PAGE), 3);
    memset(buf, 'x', sizeof buf);
    EXPECT_IS(pread(fd, buf, sizeof buf, 100), sizeof buf);
    for (size_t i = 0; i < sizeof buf; i++)
        dirty += buf[i] != 0;
    EXPECT_IS(dirty, 0);
    close(fd);
}

static void lseek_checks_its_arguments(void)
{
    int fd = file();

    EXPECT_IS(ftruncate(fd, 100), 0);
    EXPECT_IS(lseek(fd, -10, SEEK_END), 90);
    EXPECT_IS(lseek(fd, 20, SEEK_CUR), 110);
    EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT_ERR(lseek(fd, -111, SEEK_CUR), EINVAL);
    EXPECT_ERR(lseek(fd, 0, 9), EINVAL);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 110);
    EXPECT_IS(lseek(fd, LONG_MAX, SEEK_SET), LONG_MAX);
    EXPECT_ERR(lseek(fd, 1, SEEK_CUR), EINVAL);
    close(fd);
}

static void seeking_finds_data_and_holes(void)
{
    int fd = file();

    EXPECT_IS(ftruncate(fd, 4 * PAGE), 0);
    EXPECT_IS(pwrite(fd, "d", 1, 2 * PAGE + 5), 1);
    long data = lseek(fd, 0, SEEK_DATA);
    if (data == -1 && errno == EINVAL)
        SKIP("no SEEK_DATA");
    EXPECT_IS(data, 2 * PAGE);
    EXPECT_IS(lseek(fd, 0, SEEK_HOLE), 0);
    EXPECT_IS(lseek(fd, 2 * PAGE, SEEK_HOLE), 3 * PAGE);
    EXPECT_ERR(lseek(fd, 3 * PAGE, SEEK_DATA), ENXIO);
    EXPECT_ERR(lseek(fd, 4 * PAGE, SEEK_HOLE), ENXIO);
    close(fd);
}

static void ftruncate_checks_its_arguments(void)
{
    int fd = file();

    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_ERR(ftruncate(999, 0), EBADF);
    EXPECT_IS(ftruncate(fd, 5), 0);
    EXPECT_IS(size_of(fd), 5);
    EXPECT_IS(ftruncate(fd, LONG_MAX), 0);
    EXPECT_IS(size_of(fd), LONG_MAX);
    EXPECT_IS(ftruncate(fd, 0), 0);
    close(fd);
}

static void shrinking_forgets_the_tail(void)
{
    int fd = file();
    char buf[8];

    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memset(p, 'q', 2 * PAGE);
    EXPECT_IS(ftruncate(fd, 10), 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_IS(pread(fd, buf, 8, 6), 8);
    EXPECT(!memcmp(buf, "qqqq\0\0\0\0", 8));
    EXPECT(p[9] == 'q' && p[10] == 0 && p[PAGE - 1] == 0 && p[PAGE] == 0);
    munmap(p, 2 * PAGE);
    close(fd);
}

static void shrinking_takes_pages_out_of_mappings(void)
{
    int fd = file();

    EXPECT_IS(ftruncate(fd, 3 * PAGE), 0);
    char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    shared[2 * PAGE] = 's';
    private[2 * PAGE] = 'p'; /* a copy of its own */
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    EXPECT(!probe(shared, PROBE_READ).sig);
    EXPECT(probe(shared + PAGE, PROBE_READ).sig == SIGBUS);
    EXPECT(probe(shared + 2 * PAGE, PROBE_WRITE).sig == SIGBUS);
    EXPECT(probe(private + 2 * PAGE, PROBE_READ).sig == SIGBUS); /* the copy goes too */
    munmap(shared, 3 * PAGE);
    munmap(private, 3 * PAGE);
    close(fd);
}

static void bytes_past_the_end_in_its_page_are_not_in_the_file(void)
{
    int fd = file();
    char buf[200];

    EXPECT_IS(ftruncate(fd, 100), 0);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[150] = 'x';
    EXPECT_IS(pread(fd, buf, 200, 0), 100);
    /* What growing shows there differs: POSIX wants zeroes, tmpfs of Linux 6.18 shows the 'x'. */
    munmap(p, PAGE);
    close(fd);
}

static void duplicates_share_the_offset(void)
{
    int fd = file(), twin = dup(fd);

    EXPECT_IS(write(fd, "abc", 3), 3);
    EXPECT_IS(lseek(twin, 0, SEEK_CUR), 3);
    EXPECT_IS(write(twin, "d", 1), 1);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 4);
    close(fd);
    EXPECT_IS(size_of(twin), 4);
    close(twin);
}

static void bad_descriptors_are_told(void)
{
    char byte = 0;

    EXPECT_ERR(read(999, &byte, 1), EBADF);
    EXPECT_ERR(write(-1, &byte, 1), EBADF);
    EXPECT_ERR(lseek(999, 0, SEEK_SET), EBADF);
    EXPECT_ERR(close(999), EBADF);
    EXPECT_ERR(dup(999), EBADF);
}

static void bad_buffers_are_told(void)
{
    int fd = file();

    EXPECT_IS(write(fd, "abc", 3), 3);
    EXPECT_ERR(syscall(SYS_pread64, fd, 8L, 3L, 0L), EFAULT);
    EXPECT_ERR(syscall(SYS_pwrite64, fd, 8L, 3L, 0L), EFAULT);
    EXPECT_ERR(syscall(SYS_pwrite64, fd, 0xffffffff80000000, 3L, 0L), EFAULT);
    EXPECT_IS(syscall(SYS_pread64, fd, 8L, 3L, 3L), 0); /* nothing to copy */
    EXPECT_IS(syscall(SYS_pread64, fd, 8L, 0L, 0L), 0);
    EXPECT_IS(size_of(fd), 3);
    close(fd);
}

static void lengths_across_pages_are_exact(void)
{
    int fd = file();
    static char big[3 * PAGE + 123];

    memset(big, 'b', sizeof big);
    EXPECT_IS(write(fd, big, sizeof big), sizeof big);
    EXPECT_IS(size_of(fd), sizeof big);
    EXPECT_IS(pwrite(fd, "c", 1, 0), 1);
    EXPECT_IS(size_of(fd), sizeof big);
    EXPECT_IS(pread(fd, big, sizeof big, 0), sizeof big);
    EXPECT(big[0] == 'c' && big[1] == 'b' && big[sizeof big - 1] == 'b');
    close(fd);
}

static void blocks_count_what_is_there(void)
{
    int fd = file();
    struct stat st = {0};

    EXPECT_IS(ftruncate(fd, 8 * PAGE), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blocks, 0);
    EXPECT_IS(pwrite(fd, "x", 1, 3 * PAGE), 1);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blocks, 8);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_blocks, 0);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(writing_extends_and_moves_the_offset),
    TEST(pread_and_pwrite_leave_the_offset),
    TEST(holes_read_as_zero),
    TEST(lseek_checks_its_arguments),
    TEST(seeking_finds_data_and_holes),
    TEST(ftruncate_checks_its_arguments),
    TEST(shrinking_forgets_the_tail),
    TEST(shrinking_takes_pages_out_of_mappings),
    TEST(bytes_past_the_end_in_its_page_are_not_in_the_file),
    TEST(duplicates_share_the_offset),
    TEST(bad_descriptors_are_told),
    TEST(bad_buffers_are_told),
    TEST(lengths_across_pages_are_exact),
    TEST(blocks_count_what_is_there),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
