/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pipes.c - pipes: their room, in bytes and in parts; pipes with a name
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a named pipe below /tmp.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: pipe(7), fifo(7), open(2), mknod(2), fcntl(2).
 * Tour:   after tests/user/files.c; then tests/user/splice.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

static int ends[2];
static char buf[1 << 20], path[64];

static void open_pipe(int flags)
{
    EXPECT_IS(pipe2(ends, flags), 0);
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

    poll(&p, 1, 0);
    return p.revents;
}

static int bytes_in(int fd)
{
    int bytes = -1;

    return ioctl(fd, FIONREAD, &bytes) < 0 ? -errno : bytes;
}

/* How many writes of @len bytes go in. */
static int writes_until_full(size_t len)
{
    int nr = 0;

    while (write(ends[1], buf, len) == (ssize_t)len)
        nr++;
    return errno == EAGAIN ? nr : -1;
}

static void room_is_in_parts_of_a_page(void)
{
    static const struct {
        size_t len;
        int writes;
    } cases[] = {{1, 65536}, {4096, 16}, {3000, 16}, {2048, 32}, {1365, 48}, {4095, 16}};

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_pipe(O_NONBLOCK);
        EXPECT_IS(writes_until_full(cases[i].len), cases[i].writes);
        EXPECT_IS(bytes_in(ends[0]), (long)cases[i].len * cases[i].writes);
        EXPECT_IS(ready(ends[1]), 0);
        EXPECT_IS(ready(ends[0]), POLLIN);
        close_pipe();
    }
}

static void reading_part_of_a_page_makes_no_room(void)
{
    open_pipe(O_NONBLOCK);
    EXPECT_IS(writes_until_full(4096), 16);
    EXPECT_IS(read(ends[0], buf, 4095), 4095);
    EXPECT_IS(ready(ends[1]), 0);
    EXPECT_ERR(write(ends[1], "x", 1), EAGAIN);
    EXPECT_IS(read(ends[0], buf, 1), 1);
    EXPECT_IS(ready(ends[1]), POLLOUT);
    EXPECT_IS(write(ends[1], buf, 5000), 4096);
    close_pipe();
}

static void large_writes_go_in_as_far_as_they_can(void)
{
    open_pipe(O_NONBLOCK);
    EXPECT_IS(write(ends[1], "abc", 3), 3);
    EXPECT_IS(write(ends[1], buf, 100000), 15 * 4096 + 100000 % 4096);
    EXPECT_IS(read(ends[0], buf, sizeof buf), 3 + 15 * 4096 + 100000 % 4096);
    EXPECT_ERR(read(ends[0], buf, 1), EAGAIN);
    close_pipe();
}

static void the_size_can_be_changed(void)
{
    open_pipe(O_NONBLOCK);
    EXPECT_IS(fcntl(ends[0], F_GETPIPE_SZ), 65536);
    EXPECT_IS(fcntl(ends[0], F_SETPIPE_SZ, 100000), 131072);
    EXPECT_IS(writes_until_full(4096), 32);
    EXPECT_ERR(fcntl(ends[1], F_SETPIPE_SZ, 65536), EBUSY);
    EXPECT_IS(read(ends[0], buf, 31 * 4096), 31 * 4096);
    EXPECT_IS(fcntl(ends[1], F_SETPIPE_SZ, 0), 4096);
    EXPECT_IS(fcntl(ends[1], F_GETPIPE_SZ), 4096);
    EXPECT_ERR(write(ends[1], "x", 1), EAGAIN);
    EXPECT_IS(read(ends[0], buf, sizeof buf), 4096);
    EXPECT_IS(writes_until_full(1), 4096);
    EXPECT_ERR(fcntl(ends[1], F_SETPIPE_SZ, 0x80000001U), EINVAL);
    EXPECT_ERR(fcntl(0, F_GETPIPE_SZ), EBADF);
    EXPECT_ERR(fcntl(0, F_SETPIPE_SZ, 4096), EBADF);
    EXPECT_ERR(fcntl(99, F_GETPIPE_SZ), EBADF);
    close_pipe();
}

static void a_growing_pipe_wakes_its_writer(void)
{
    int status = -1;

    open_pipe(0);
    pid_t child = fork();
    if (child == 0)
        _exit(write(ends[1], buf, 100000) != 100000);
    usleep(20000);
    EXPECT_IS(waitpid(child, &status, WNOHANG), 0);
    EXPECT_IS(fcntl(ends[0], F_SETPIPE_SZ, 1 << 17), 1 << 17);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    EXPECT_IS(bytes_in(ends[0]), 100000);
    close_pipe();
}

static void bytes_that_cannot_be_copied_stay(void)
{
    open_pipe(O_NONBLOCK);
    EXPECT_ERR(write(ends[1], (void *)8, 10), EFAULT);
    EXPECT_IS(write(ends[1], "abc", 3), 3);
    EXPECT_ERR(read(ends[0], (void *)8, 3), EFAULT);
    EXPECT_IS(read(ends[0], buf, 9), 3);
    EXPECT_IS(write(ends[1], "", 0), 0);
    EXPECT_IS(read(ends[0], buf, 0), 0);
    close_pipe();
}

static void packets_are_read_one_by_one(void)
{
    open_pipe(O_NONBLOCK | O_DIRECT);
    EXPECT_IS(write(ends[1], "abc", 3), 3);
    EXPECT_IS(write(ends[1], "de", 2), 2);
    EXPECT_IS(bytes_in(ends[0]), 5);
    EXPECT_IS(read(ends[0], buf, 2), 2);
    EXPECT_IS(read(ends[0], buf, 9), 2);
    EXPECT(!memcmp(buf, "de", 2));
    EXPECT_ERR(read(ends[0], buf, 9), EAGAIN);
    EXPECT_IS(write(ends[1], buf, 9000), 9000);
    EXPECT_IS(read(ends[0], buf, 9000), 4096);
    EXPECT_IS(read(ends[0], buf, 9000), 4096);
    EXPECT_IS(read(ends[0], buf, 9000), 808);
    EXPECT_IS(writes_until_full(1), 16);
    close_pipe();
    open_pipe(O_NONBLOCK);
    EXPECT_IS(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_DIRECT), 0);
    EXPECT_IS(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK | O_DIRECT);
    EXPECT_IS(write(ends[1], "a", 1), 1);
    EXPECT_IS(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    EXPECT_IS(write(ends[1], "bc", 2), 2);
    EXPECT_IS(read(ends[0], buf, 9), 1);
    EXPECT_IS(read(ends[0], buf, 9), 2);
    close_pipe();
    EXPECT_ERR(fcntl(0, F_SETFL, O_DIRECT), EINVAL);
}

static void calls_of_the_wrong_kind_are_refused(void)
{
    open_pipe(0);
    EXPECT_ERR(read(ends[1], buf, 1), EBADF);
    EXPECT_ERR(write(ends[0], buf, 1), EBADF);
    EXPECT_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    EXPECT_ERR(pread(ends[0], buf, 1, 0), ESPIPE);
    EXPECT_ERR(pwrite(ends[1], buf, 1, 0), ESPIPE);
    EXPECT_ERR(ftruncate(ends[1], 0), EINVAL);
    EXPECT_ERR(fsync(ends[1]), EINVAL);
    EXPECT_ERR(ioctl(ends[0], 0x5401 /* TCGETS */, buf), ENOTTY);
    EXPECT_ERR(pipe2(ends, 1), EINVAL);
    EXPECT_ERR(syscall(SYS_pipe, 8), EFAULT);
    close_pipe();
}

static void make_fifo(void)
{
    snprintf(path, sizeof path, "/tmp/fifo.%d", getpid());
    umask(022);
    EXPECT_IS(mknod(path, S_IFIFO | 0666, 0), 0);
}

static void a_named_pipe_is_a_file_of_its_kind(void)
{
    struct stat st;

    make_fifo();
    EXPECT_IS(stat(path, &st), 0);
    EXPECT(S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == 0644);
    EXPECT_ERR(mkfifo(path, 0600), EEXIST);
    EXPECT_ERR(mknod("/tmp/x", S_IFDIR | 0600, 0), EPERM);
    EXPECT_ERR(mknod("/tmp/x", 0110000 | 0600, 0), EINVAL);
    EXPECT_IS(unlink(path), 0);
    EXPECT_IS(mknod(path, 0600, 0), 0);
    EXPECT_IS(stat(path, &st), 0);
    EXPECT(S_ISREG(st.st_mode));
    EXPECT_IS(unlink(path), 0);
    EXPECT_IS(mknod(path, S_IFSOCK | 0600, 0), 0);
    EXPECT_ERR(open(path, O_RDONLY), ENXIO);
    EXPECT_IS(unlink(path), 0);
}

static void each_end_waits_for_the_other(void)
{
    int status = -1;

    make_fifo();
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        int fd = open(path, O_WRONLY);
        _exit(write(fd, "hello", 5) != 5);
    }
    int fd = open(path, O_RDONLY);
    EXPECT_IS(read(fd, buf, 9), 5);
    EXPECT_IS(read(fd, buf, 9), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(fd);
    child = fork();
    if (child == 0) {
        usleep(20000);
        fd = open(path, O_RDONLY);
        _exit(read(fd, buf, 9) != 4);
    }
    fd = open(path, O_WRONLY);
    EXPECT_IS(write(fd, "back", 4), 4);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(fd);
    unlink(path);
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void opening_can_be_interrupted_or_not_wait(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {.it_value = {0, 20000}};

    make_fifo();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    EXPECT_ERR(open(path, O_RDONLY), EINTR);
    setitimer(ITIMER_REAL, &soon, NULL);
    EXPECT_ERR(open(path, O_WRONLY), EINTR);
    EXPECT_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    EXPECT(reader >= 0);
    EXPECT_IS(ready(reader), 0);
    EXPECT_IS(read(reader, buf, 1), 0);
    int writer = open(path, O_WRONLY | O_NONBLOCK);
    EXPECT(writer >= 0);
    EXPECT_ERR(read(reader, buf, 1), EAGAIN);
    EXPECT_IS(write(writer, "ab", 2), 2);
    close(writer);
    EXPECT_IS(ready(reader), POLLIN | POLLHUP);
    EXPECT_IS(read(reader, buf, 9), 2);
    EXPECT_IS(ready(reader), POLLHUP);
    writer = open(path, O_WRONLY);
    EXPECT_IS(ready(reader), 0);
    close(reader);
    EXPECT_IS(ready(writer), POLLOUT | POLLERR);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_ERR(write(writer, "x", 1), EPIPE);
    close(writer);
    unlink(path);
}

static void what_nobody_has_open_is_empty(void)
{
    make_fifo();
    int both = open(path, O_RDWR);
    EXPECT_IS(write(both, "lost", 4), 4);
    close(both);
    both = open(path, O_RDWR | O_NONBLOCK);
    EXPECT_ERR(read(both, buf, 9), EAGAIN);
    EXPECT_IS(unlink(path), 0);
    EXPECT_IS(write(both, "kept", 4), 4);
    EXPECT_IS(read(both, buf, 9), 4);
    close(both);
}

static void an_end_can_be_opened_again(void)
{
    char name[64];

    open_pipe(0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    int again = open(name, O_WRONLY);
    EXPECT(again >= 0);
    close(ends[1]);
    EXPECT_IS(write(again, "x", 1), 1);
    EXPECT_IS(read(ends[0], buf, 9), 1);
    close(again);
    EXPECT_IS(read(ends[0], buf, 9), 0);
    close(ends[0]);
}

static const struct ktap_test tests[] = {
    TEST(room_is_in_parts_of_a_page),
    TEST(reading_part_of_a_page_makes_no_room),
    TEST(large_writes_go_in_as_far_as_they_can),
    TEST(the_size_can_be_changed),
    TEST(a_growing_pipe_wakes_its_writer),
    TEST(bytes_that_cannot_be_copied_stay),
    TEST(packets_are_read_one_by_one),
    TEST(calls_of_the_wrong_kind_are_refused),
    TEST(a_named_pipe_is_a_file_of_its_kind),
    TEST(each_end_waits_for_the_other),
    TEST(opening_can_be_interrupted_or_not_wait),
    TEST(what_nobody_has_open_is_empty),
    TEST(an_end_can_be_opened_again),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
