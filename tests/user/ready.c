/* SPDX-License-Identifier: MIT */
/*
 * tests/user/ready.c - select, eventfd, hard links and statx: what foreign programs ask for early
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: select(2), eventfd(2), link(2), statx(2).
 * Tour:   after tests/user/ktap.h, tests/user/files.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>

/* statx(2) of libraries that have none. */
struct statx_result {
    uint32_t stx_mask, stx_blksize;
    uint64_t attributes;
    uint32_t stx_nlink, stx_uid, stx_gid;
    uint16_t stx_mode, pad;
    uint64_t stx_ino, stx_size, stx_blocks, attributes_mask;
    struct {
        int64_t tv_sec;
        uint32_t tv_nsec, pad;
    } atime, btime, ctime, stx_mtime;
    uint32_t stx_rdev_major, stx_rdev_minor, dev_major, dev_minor;
    uint64_t rest[14];
};

/* select(2) itself: libraries have their own ideas of what the timeout becomes. */
static int raw_select(int nr, fd_set *in, fd_set *out, fd_set *except, struct timeval *t)
{
    return (int)syscall(SYS_select, nr, in, out, except, t);
}

static void sets_tell_what_is_ready(void)
{
    struct timeval now = {0, 0};
    fd_set in, out;
    int p[2];

    EXPECT_IS(pipe(p), 0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    EXPECT_IS(raw_select(p[1] + 1, &in, &out, NULL, &now), 1);
    EXPECT(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    EXPECT_IS(write(p[1], "x", 1), 1);
    FD_SET(p[0], &in);
    EXPECT_IS(raw_select(p[1] + 1, &in, &out, NULL, NULL), 2);
    EXPECT(FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    EXPECT_IS(raw_select(p[0], &in, NULL, NULL, &now), 0);
    close(p[1]);
    FD_SET(p[0], &in);
    EXPECT_IS(raw_select(p[0] + 1, &in, NULL, NULL, NULL), 1);
    close(p[0]);
}

static void time_that_is_left_is_told(void)
{
    struct timeval t = {0, 20000}, long_time = {100, 0};
    fd_set in;
    int p[2];

    EXPECT_IS(pipe(p), 0);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    EXPECT_IS(raw_select(p[0] + 1, &in, NULL, NULL, &t), 0);
    EXPECT(t.tv_sec == 0 && t.tv_usec == 0 && !FD_ISSET(p[0], &in));
    EXPECT_IS(write(p[1], "x", 1), 1);
    FD_SET(p[0], &in);
    EXPECT_IS(raw_select(p[0] + 1, &in, NULL, NULL, &long_time), 1);
    EXPECT(long_time.tv_sec >= 90 && long_time.tv_sec <= 100);
    close(p[0]);
    close(p[1]);
}

static void select_refuses_nonsense(void)
{
    struct timeval negative = {-1, 0}, now = {0, 0};
    fd_set in;

    FD_ZERO(&in);
    FD_SET(60, &in);
    EXPECT_ERR(raw_select(61, &in, NULL, NULL, &now), EBADF);
    EXPECT(FD_ISSET(60, &in));
    EXPECT_ERR(raw_select(-1, NULL, NULL, NULL, &now), EINVAL);
    EXPECT_ERR(raw_select(1, NULL, NULL, NULL, &negative), EINVAL);
    EXPECT_ERR(raw_select(1, (fd_set *)8, NULL, NULL, &now), EFAULT);
    EXPECT_IS(raw_select(0, NULL, NULL, NULL, &now), 0);
}

static void nothing(int signo)
{
    (void)signo;
}

static void pselect_waits_with_another_mask(void)
{
    sigset_t usr1, none, before;

    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    signal(SIGUSR1, nothing);
    sigprocmask(SIG_BLOCK, &usr1, &before);
    raise(SIGUSR1);
    EXPECT_ERR(pselect(0, NULL, NULL, NULL, &(struct timespec){5, 0}, &none), EINTR);
    EXPECT_IS(pselect(0, NULL, NULL, NULL, &(struct timespec){0, 1000}, NULL), 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGUSR1, SIG_DFL);
}

static void eventfd_counts(void)
{
    uint64_t n = 3;
    int fd = eventfd(2, EFD_NONBLOCK);

    EXPECT_IS(write(fd, &n, 8), 8);
    EXPECT_IS(read(fd, &n, 8), 8);
    EXPECT_IS(n, 5);
    EXPECT_ERR(read(fd, &n, 8), EAGAIN);
    EXPECT_ERR(read(fd, &n, 7), EINVAL);
    n = UINT64_MAX;
    EXPECT_ERR(write(fd, &n, 8), EINVAL);
    n = UINT64_MAX - 1;
    EXPECT_IS(write(fd, &n, 8), 8);
    n = 1;
    EXPECT_ERR(write(fd, &n, 8), EAGAIN);
    close(fd);
    EXPECT_ERR(eventfd(0, 64), EINVAL);
}

static void eventfd_can_give_one_by_one(void)
{
    uint64_t n = 0;
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

    for (int i = 0; i < 2; i++) {
        EXPECT_IS(read(fd, &n, 8), 8);
        EXPECT_IS(n, 1);
    }
    EXPECT_ERR(read(fd, &n, 8), EAGAIN);
    close(fd);
}

static void eventfd_wakes_who_waits(void)
{
    uint64_t n = 7, got = 0;
    int fd = eventfd(0, 0), status = -1;
    fd_set in;

    if (fork() == 0) {
        usleep(20000);
        _exit(write(fd, &n, 8) != 8);
    }
    FD_ZERO(&in);
    FD_SET(fd, &in);
    EXPECT_IS(raw_select(fd + 1, &in, NULL, NULL, NULL), 1);
    EXPECT_IS(read(fd, &got, 8), 8);
    EXPECT_IS(got, 7);
    EXPECT(wait(&status) > 0 && status == 0);
    close(fd);
}

static nlink_t links(const char *path)
{
    struct stat st = {0};
    return lstat(path, &st) ? 0 : st.st_nlink;
}

static void a_file_can_have_two_names(void)
{
    char text[8] = "";
    int fd = open("one", O_RDWR | O_CREAT | O_TRUNC, 0600);

    EXPECT_IS(link("one", "two"), 0);
    EXPECT_IS(links("one"), 2);
    EXPECT_IS(write(fd, "hello", 5), 5);
    EXPECT(slurp("two", text, sizeof text) == 5 && !strcmp(text, "hello"));
    EXPECT_IS(rename("one", "two"), 0); /* the same file: nothing happens */
    EXPECT_IS(links("one"), 2);
    EXPECT_IS(unlink("one"), 0);
    EXPECT_IS(links("two"), 1);
    EXPECT(slurp("two", text, sizeof text) == 5 && !strcmp(text, "hello"));
    EXPECT_IS(link("two", "one"), 0);
    EXPECT_IS(unlink("two"), 0);
    EXPECT_IS(links("one"), 1);
    EXPECT_IS(unlink("one"), 0);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED && p[0] == 'h');
    munmap(p, PAGE);
    close(fd);
}

static void links_are_refused_where_they_make_no_sense(void)
{
    close(open("one", O_RDWR | O_CREAT, 0600));
    mkdir("dir", 0700);
    symlink("one", "soft");
    EXPECT_ERR(link("dir", "two"), EPERM);
    EXPECT_ERR(link("one", "dir"), EEXIST);
    EXPECT_ERR(link("none", "two"), ENOENT);
    EXPECT_ERR(link("one", "none/two"), ENOENT);
    EXPECT_ERR(linkat(AT_FDCWD, "one", AT_FDCWD, "two", 0x8000), EINVAL);
    EXPECT_IS(link("soft", "two"), 0);
    EXPECT_IS(links("soft"), 2);
    EXPECT_IS(unlink("two"), 0);
    EXPECT_IS(linkat(AT_FDCWD, "soft", AT_FDCWD, "two", AT_SYMLINK_FOLLOW), 0);
    EXPECT_IS(links("one"), 2);
    unlink("one");
    unlink("two");
    unlink("soft");
    rmdir("dir");
}

static void statx_says_what_stat_does(void)
{
    struct stat st;
    struct statx_result x = {0};
    int fd = open("one", O_RDWR | O_CREAT, 0640);

    EXPECT_IS(write(fd, "hello", 5), 5);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ff, &x), 0);
    EXPECT((x.stx_mask & 0x7ff) == 0x7ff);
    EXPECT(x.stx_ino == st.st_ino && x.stx_size == 5 && x.stx_mode == st.st_mode);
    EXPECT(x.stx_nlink == 1 && x.stx_uid == st.st_uid && x.stx_blocks == (uint64_t)st.st_blocks);
    EXPECT(x.stx_mtime.tv_sec == st.st_mtime && x.stx_blksize == (uint32_t)st.st_blksize);
    EXPECT_IS(syscall(SYS_statx, AT_FDCWD, "/dev/null", 0, 0x7ff, &x), 0);
    EXPECT(x.stx_rdev_major == 1 && x.stx_rdev_minor == 3 && S_ISCHR(x.stx_mode));
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "none", 0, 0x7ff, &x), ENOENT);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "one", 0, 0x80000000U, &x), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "one", 0x6000, 0x7ff, &x), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "one", 0, 0x7ff, (void *)8), EFAULT);
    close(fd);
    unlink("one");
}

static const struct ktap_test tests[] = {
    TEST(sets_tell_what_is_ready),
    TEST(time_that_is_left_is_told),
    TEST(select_refuses_nonsense),
    TEST(pselect_waits_with_another_mask),
    TEST(eventfd_counts),
    TEST(eventfd_can_give_one_by_one),
    TEST(eventfd_wakes_who_waits),
    TEST(a_file_can_have_two_names),
    TEST(links_are_refused_where_they_make_no_sense),
    TEST(statx_says_what_stat_does),
};

int main(void)
{
    char dir[] = "/tmp/readyXXXXXX";

    if (!mkdtemp(dir) || chdir(dir))
        return 1;
    int status = KTAP_MAIN(tests);
    rmdir(dir);
    return status;
}
