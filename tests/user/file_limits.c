/* SPDX-License-Identifier: MIT */
/*
 * tests/user/file_limits.c - the last byte a file can have, and who may not have so many
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   RLIMIT_FSIZE, in a child.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, but for SEEK_DATA and SEEK_HOLE in the last
 *             page that a file can have: there its sums overflow, and are not asked for here.
 * Source: write(2), ftruncate(2), fallocate(2), copy_file_range(2), setrlimit(2) RLIMIT_FSIZE.
 * Tour:   after tests/user/memfd_file.c, tests/user/splice.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define RW   (PROT_READ | PROT_WRITE)
#define TIB  (1L << 40)
#define HUGE (2L << 20)

static char bytes[4] = "abc";

static int file(long size)
{
    int fd = memfd_create("limits", 0);

    EXPECT_IS(ftruncate(fd, size), 0);
    return fd;
}

static struct stat stat_of(int fd)
{
    struct stat st = {0};

    EXPECT_IS(fstat(fd, &st), 0);
    return st;
}

static bool is_of(int fd, long size, long pages)
{
    struct stat st = stat_of(fd);
    return st.st_size == size && st.st_blocks == pages * 8;
}

static void last_byte_is_below_2_to_63(void)
{
    int fd = file(LONG_MAX);

    EXPECT(is_of(fd, LONG_MAX, 0));
    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_ERR(pwrite(fd, bytes, 3, LONG_MAX), EINVAL);
    EXPECT_ERR(pwrite(fd, bytes, 3, LONG_MAX - 2), EINVAL);
    EXPECT_ERR(pread(fd, bytes, 3, LONG_MAX - 2), EINVAL);
    EXPECT_IS(pwrite(fd, bytes, 3, LONG_MAX - 3), 3);
    EXPECT_IS(pread(fd, bytes, 3, LONG_MAX - 3), 3);
    EXPECT(is_of(fd, LONG_MAX, 1));
    EXPECT_IS(lseek(fd, 0, SEEK_END), LONG_MAX);
    EXPECT_ERR(write(fd, bytes, 1), EINVAL);
    EXPECT_ERR(read(fd, bytes, 1), EINVAL);
    EXPECT_IS(write(fd, bytes, 0), 0);
    EXPECT_ERR(lseek(fd, 1, SEEK_CUR), EINVAL);
    EXPECT_ERR(lseek(fd, 1, SEEK_END), EINVAL);
    EXPECT_ERR(fallocate(fd, 0, LONG_MAX - 5, 10), EFBIG);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT(is_of(fd, 0, 0));
    close(fd);
}

static void mappings_end_a_page_earlier(void)
{
    int fd = file(LONG_MAX);
    long last = (LONG_MAX & ~(long)(PAGE - 1)) - (long)PAGE; /* that can be mapped */
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, last);

    EXPECT(p != MAP_FAILED);
    if (p == MAP_FAILED)
        return;
    p[7] = 'l';
    EXPECT_IS(pread(fd, bytes, 1, last + 7), 1);
    EXPECT(bytes[0] == 'l');
    munmap(p, PAGE);
    p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, last);
    EXPECT(p == MAP_FAILED && errno == EOVERFLOW);
    EXPECT_ERR(syscall(SYS_mmap, NULL, PAGE, RW, MAP_SHARED, fd, -PAGE), EOVERFLOW);
    close(fd);
}

static void holes_of_many_tib_cost_nothing(void)
{
    int fd = file(4 * TIB);

    EXPECT_IS(pwrite(fd, bytes, 3, 2 * TIB + 1), 3);
    EXPECT_IS(pwrite(fd, bytes, 1, 3 * TIB - 1), 1);
    EXPECT(is_of(fd, 4 * TIB, 2));
    EXPECT_IS(lseek(fd, 0, SEEK_DATA), 2 * TIB);
    EXPECT_IS(lseek(fd, 2 * TIB, SEEK_HOLE), 2 * TIB + (long)PAGE);
    EXPECT_IS(lseek(fd, 2 * TIB + (long)PAGE, SEEK_DATA), 3 * TIB - (long)PAGE);
    EXPECT_ERR(lseek(fd, 3 * TIB, SEEK_DATA), ENXIO);
    char *p = mmap(NULL, 4 * TIB, RW, MAP_SHARED | MAP_NORESERVE, fd, 0);
    EXPECT(p != MAP_FAILED);
    EXPECT(p[2 * TIB + 1] == bytes[0]);
    p[TIB] = 1;
    EXPECT(is_of(fd, 4 * TIB, 3));
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * TIB), 0);
    EXPECT(is_of(fd, 4 * TIB, 0));
    EXPECT(p[TIB] == 0);
    munmap(p, 4 * TIB);
    close(fd);
}

static void copies_end_at_the_last_byte(void)
{
    int from = file(PAGE), to = file(0), ends[2];
    loff_t in = 0, out = LONG_MAX - 10;

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], bytes, 3), 3);
    EXPECT_IS(copy_file_range(from, &in, to, &out, 50, 0), 10);
    EXPECT(in == 10 && out == LONG_MAX);
    EXPECT_ERR(copy_file_range(from, &in, to, &out, 50, 0), EFBIG);
    EXPECT_ERR(splice(ends[0], NULL, to, &out, 1, 0), EINVAL);
    out = LONG_MAX - 1;
    EXPECT_IS(splice(ends[0], NULL, to, &out, 1, 0), 1);
    EXPECT_IS(lseek(to, LONG_MAX - 5, SEEK_SET), LONG_MAX - 5);
    in = 0;
    EXPECT_ERR(sendfile(to, from, &in, 10), EINVAL);
    EXPECT_IS(sendfile(to, from, &in, 5), 5);
    in = LONG_MAX;
    EXPECT_ERR(sendfile(to, from, &in, 1), EINVAL);
    in = 0;
    EXPECT_ERR(sendfile(to, from, &in, (size_t)-1), EINVAL);
    EXPECT_IS(sendfile(to, from, &in, 0), 0);
    EXPECT_ERR(sendfile(99, 99, (off_t *)8, 0), EFAULT);
    close(from);
    close(to);
    close(ends[0]);
    close(ends[1]);
}

static void limits_of_a_child(void)
{
    struct rlimit limit = {3 * PAGE, RLIM_INFINITY};
    int fd = file(0), from = file(PAGE), ends[2];
    loff_t in = 0, out = 3 * PAGE - 1;

    signal(SIGXFSZ, SIG_IGN);
    EXPECT_IS(setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(write(ends[1], bytes, 3), 3);
    EXPECT_IS(ftruncate(fd, 3 * PAGE), 0);
    EXPECT_ERR(ftruncate(fd, 3 * PAGE + 1), EFBIG);
    EXPECT_ERR(fallocate(fd, 0, 0, 4 * PAGE), EFBIG);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * PAGE), EFBIG);
    EXPECT_IS(pwrite(fd, bytes, 3, 3 * PAGE - 1), 1);
    EXPECT_ERR(pwrite(fd, bytes, 3, 3 * PAGE), EFBIG);
    EXPECT_IS(pwrite(fd, bytes, 0, 3 * PAGE), 0);
    EXPECT_IS(splice(ends[0], NULL, fd, &out, 3, 0), 1);
    EXPECT_ERR(splice(ends[0], NULL, fd, &out, 3, 0), EFBIG);
    out = 3 * PAGE - 2;
    EXPECT_IS(copy_file_range(from, &in, fd, &out, 10, 0), 2);
    EXPECT_ERR(copy_file_range(from, &in, fd, &out, 10, 0), EFBIG);
    limit.rlim_cur = PAGE;
    EXPECT_IS(setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0); /* what it has it may lose */
    EXPECT_ERR(ftruncate(fd, 3 * PAGE), EFBIG);
    EXPECT_ERR(pwrite(fd, bytes, 1, PAGE), EFBIG);
    EXPECT_IS(fallocate(fd, 0, 0, 2 * PAGE), 0); /* no growth */
    char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    p[2 * PAGE - 1] = 1; /* nor is this */
}

static void limit_on_size_stops_growth_only(void)
{
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        limits_of_a_child();
        signal(SIGXFSZ, SIG_DFL);
        fflush(stdout);
        _exit(ktap_failed);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
}

static void who_grows_beyond_gets_a_signal(void)
{
    struct rlimit limit = {PAGE, RLIM_INFINITY};
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_FSIZE, &limit);
        int fd = memfd_create("limits", 0);
        _exit(pwrite(fd, bytes, 1, PAGE) != 0);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void huge_files_have_whole_pages(void)
{
    int fd = memfd_create("limits", MFD_HUGETLB);

    if (fd < 0)
        SKIP("no huge pages");
    EXPECT_ERR(ftruncate(fd, LONG_MAX), EINVAL);
    EXPECT_IS(ftruncate(fd, LONG_MAX & ~(HUGE - 1)), 0);
    EXPECT_ERR(ftruncate(fd, HUGE + 1), EINVAL);
    EXPECT_IS(stat_of(fd).st_size, LONG_MAX & ~(HUGE - 1));
    EXPECT_IS(stat_of(fd).st_blksize, HUGE);
    EXPECT_IS(stat_of(fd).st_blocks, 0);
    EXPECT_IS(ftruncate(fd, HUGE), 0);
    EXPECT_ERR(lseek(fd, -1, SEEK_DATA), EINVAL);
    EXPECT_IS(lseek(fd, -1, SEEK_HOLE), HUGE);
    EXPECT_ERR(lseek(fd, HUGE, SEEK_HOLE), ENXIO);
    close(fd);
}

static void refused_writes_show_in_the_times(void)
{
    int fd = memfd_create("limits", MFD_ALLOW_SEALING);

    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    struct timespec before = stat_of(fd).st_mtim;
    usleep(20000);
    EXPECT_IS(pwrite(fd, bytes, 0, 0), 0);
    EXPECT_IS(stat_of(fd).st_mtim.tv_nsec, before.tv_nsec);
    EXPECT_ERR(pwrite(fd, bytes, 1, 0), EPERM);
    EXPECT(stat_of(fd).st_mtim.tv_nsec != before.tv_nsec);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(last_byte_is_below_2_to_63),      TEST(mappings_end_a_page_earlier),
    TEST(holes_of_many_tib_cost_nothing),  TEST(copies_end_at_the_last_byte),
    TEST(limit_on_size_stops_growth_only), TEST(who_grows_beyond_gets_a_signal),
    TEST(huge_files_have_whole_pages),     TEST(refused_writes_show_in_the_times),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
