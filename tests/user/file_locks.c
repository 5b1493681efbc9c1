/* SPDX-License-Identifier: MIT */
/*
 * tests/user/file_locks.c - advisory locks: of records, of open files, of whole files
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a file in /tmp.
 * Locks:  the ones it tests.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: fcntl(2), "Advisory record locking"; flock(2).
 * Tour:   after tests/user/files.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#define NAME "/tmp/bulla-locks"

static int fd; /* of the file, which has 100 bytes */

static struct flock range(short type, off_t start, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int lock(int cmd, short type, off_t start, off_t len)
{
    struct flock l = range(type, start, len);
    return fcntl(fd, cmd, &l);
}

/* What is in the way of a lock for writing, as a child sees it: type, start, len, in one number. */
static long seen_by_child(off_t start, off_t len)
{
    int to[2];
    struct flock l = range(F_WRLCK, start, len);

    EXPECT_IS(pipe(to), 0);
    if (fork() == 0) {
        fcntl(fd, F_GETLK, &l);
        _exit(write(to[1], &l, sizeof(l)) != sizeof(l));
    }
    EXPECT_IS(read(to[0], &l, sizeof(l)), sizeof(l));
    wait(NULL);
    close(to[0]);
    close(to[1]);
    if (l.l_type == F_UNLCK)
        return -1;
    EXPECT_IS(l.l_pid, getpid());
    EXPECT_IS(l.l_whence, SEEK_SET);
    return l.l_type * 1000000L + l.l_start * 1000 + l.l_len;
}

#define READS(start, len)  (F_RDLCK * 1000000L + (start)*1000 + (len))
#define WRITES(start, len) (F_WRLCK * 1000000L + (start)*1000 + (len))

/* The result of @what in a child: 0, or errno. */
static int in_child(int (*what)(void))
{
    int status;

    fflush(stdout);
    if (fork() == 0)
        _exit(what() < 0 ? errno : 0);
    wait(&status);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int write_first(void)
{
    return lock(F_SETLK, F_WRLCK, 0, 1);
}

static int read_first(void)
{
    return lock(F_SETLK, F_RDLCK, 0, 1);
}

static void readers_share_and_a_writer_does_not(void)
{
    EXPECT_IS(lock(F_SETLK, F_RDLCK, 0, 10), 0);
    EXPECT_IS(in_child(read_first), 0);
    EXPECT_IS(in_child(write_first), EAGAIN);
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 10), 0);
    EXPECT_IS(in_child(read_first), EAGAIN);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    EXPECT_IS(in_child(write_first), 0);
    EXPECT_IS(write_first(), 0); /* a process that ended kept nothing */
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
}

static void locks_split_and_join(void)
{
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 10, 30), 0);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 20, 10), 0);
    EXPECT_IS(seen_by_child(0, 0), WRITES(10, 10));
    EXPECT_IS(seen_by_child(20, 10), -1);
    EXPECT_IS(seen_by_child(20, 0), WRITES(30, 10));
    EXPECT_IS(lock(F_SETLK, F_RDLCK, 15, 10), 0);
    EXPECT_IS(seen_by_child(15, 10), READS(15, 10));
    EXPECT_IS(seen_by_child(0, 12), WRITES(10, 5));
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 15, 15), 0);
    EXPECT_IS(seen_by_child(0, 0), WRITES(10, 30));
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 40, 0), 0);
    EXPECT_IS(seen_by_child(0, 0), WRITES(10, 0));
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    EXPECT_IS(seen_by_child(0, 0), -1);
}

static void ranges_begin_anywhere(void)
{
    struct flock l = range(F_WRLCK, -10, 5);

    l.l_whence = SEEK_END;
    EXPECT_IS(fcntl(fd, F_SETLK, &l), 0);
    EXPECT_IS(seen_by_child(0, 0), WRITES(90, 5));
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    EXPECT_IS(lseek(fd, 50, SEEK_SET), 50);
    l = range(F_WRLCK, 10, -20);
    l.l_whence = SEEK_CUR;
    EXPECT_IS(fcntl(fd, F_SETLK, &l), 0);
    EXPECT_IS(seen_by_child(0, 0), WRITES(40, 20));
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    EXPECT_ERR(lock(F_SETLK, F_WRLCK, -1, 0), EINVAL);
    EXPECT_ERR(lock(F_SETLK, F_WRLCK, 5, -6), EINVAL);
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 5, -5), 0);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    EXPECT_ERR(lock(F_SETLK, F_WRLCK, INT64_MAX, 2), EOVERFLOW);
    EXPECT_IS(lock(F_SETLK, F_WRLCK, INT64_MAX, 1), 0);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    l.l_whence = 3;
    EXPECT_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
    EXPECT_ERR(lock(F_SETLK, 3, 0, 0), EINVAL);
    EXPECT_ERR(lock(F_GETLK, F_UNLCK, 0, 0), EINVAL);
    EXPECT_ERR(fcntl(fd, F_SETLK, 1), EFAULT);
    EXPECT_ERR(fcntl(-1, F_SETLK, &l), EBADF);
}

static void rights_of_the_descriptor_count(void)
{
    int keep = fd, status;

    if (fork() == 0) {
        fd = open(NAME, O_RDONLY);
        EXPECT_ERR(lock(F_SETLK, F_WRLCK, 0, 1), EBADF);
        EXPECT_IS(lock(F_SETLK, F_RDLCK, 0, 1), 0);
        fd = open(NAME, O_WRONLY);
        EXPECT_ERR(lock(F_SETLK, F_RDLCK, 0, 1), EBADF);
        EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 1), 0);
        fd = open(NAME, O_PATH);
        EXPECT_ERR(lock(F_SETLK, F_RDLCK, 0, 1), EBADF);
        EXPECT_ERR(flock(fd, LOCK_SH), EBADF);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    fd = keep;
}

static void any_close_gives_them_back(void)
{
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 0), 0);
    EXPECT_IS(in_child(write_first), EAGAIN);
    close(open(NAME, O_RDONLY));
    EXPECT_IS(in_child(write_first), 0);
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 0), 0);
    int other = open(NAME, O_RDONLY);
    EXPECT_IS(dup2(0, other), other);
    EXPECT_IS(in_child(write_first), 0);
    close(other);
}

/* Wait until the child sleeps in its call. */
static void wait_until_asleep(pid_t child)
{
    char path[64], state = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", child);
    for (int i = 0; i < 5000 && state != 'S'; i++) {
        FILE *f = fopen(path, "r");
        if (!f || fscanf(f, "%*d %*s %c", &state) != 1)
            state = 0;
        fclose(f);
        usleep(1000);
    }
    usleep(20000);
}

static void waiting_ends_with_the_lock_or_a_signal(void)
{
    int status;

    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 10), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(lock(F_SETLKW, F_WRLCK, 5, 1) < 0 ? errno : 0);
    wait_until_asleep(child);
    EXPECT_IS(waitpid(child, &status, WNOHANG), 0);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 10), 0);
    wait(&status);
    EXPECT_IS(status, 0);
    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 10), 0);
    child = fork();
    if (child == 0)
        _exit(lock(F_SETLKW, F_WRLCK, 5, 1) < 0 ? errno : 0);
    wait_until_asleep(child);
    kill(child, SIGTERM);
    wait(&status);
    EXPECT_IS(status, SIGTERM);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 10), 0);
}

static void circle_of_waiters_is_refused(void)
{
    int status;

    EXPECT_IS(lock(F_SETLK, F_WRLCK, 0, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        lock(F_SETLK, F_WRLCK, 1, 1);
        _exit(lock(F_SETLKW, F_WRLCK, 0, 1) < 0 ? errno : 0);
    }
    wait_until_asleep(child);
    EXPECT_ERR(lock(F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
    EXPECT_IS(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    wait(&status);
    EXPECT_IS(status, 0);
}

static void open_files_have_locks_of_their_own(void)
{
    int other = open(NAME, O_RDWR), copy = dup(fd);
    struct flock l = range(F_WRLCK, 0, 10);

    EXPECT_IS(fcntl(fd, F_OFD_SETLK, &l), 0);
    EXPECT_IS(fcntl(copy, F_OFD_SETLK, &l), 0);
    EXPECT_ERR(fcntl(other, F_OFD_SETLK, &l), EAGAIN);
    EXPECT_ERR(lock(F_SETLK, F_WRLCK, 0, 1), EAGAIN); /* the process is somebody else too */
    EXPECT_IS(fcntl(other, F_OFD_GETLK, &l), 0);
    EXPECT(l.l_type == F_WRLCK && l.l_start == 0 && l.l_len == 10 && l.l_pid == -1);
    EXPECT_ERR(fcntl(other, F_OFD_SETLK, &l), EINVAL); /* l_pid must be 0 */
    close(copy);
    l = range(F_WRLCK, 0, 10);
    EXPECT_ERR(fcntl(other, F_OFD_SETLK, &l), EAGAIN);
    l = range(F_UNLCK, 0, 0);
    EXPECT_IS(fcntl(fd, F_OFD_SETLK, &l), 0);
    close(other);
}

static void whole_files_are_locked_apart_from_records(void)
{
    int other = open(NAME, O_RDONLY), copy = dup(fd), status;

    EXPECT_IS(flock(fd, LOCK_EX), 0);
    EXPECT_ERR(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    EXPECT_IS(flock(copy, LOCK_SH | LOCK_NB), 0); /* it is the same open file */
    EXPECT_IS(flock(other, LOCK_SH | LOCK_NB), 0);
    EXPECT_ERR(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    EXPECT_IS(flock(fd, LOCK_EX | LOCK_NB), 0); /* .. and gave up what it had */
    EXPECT_IS(in_child(write_first), 0);
    EXPECT_ERR(flock(fd, LOCK_SH | LOCK_EX), EINVAL);
    EXPECT_ERR(flock(fd, 0), EINVAL);
    EXPECT_ERR(flock(-1, LOCK_SH), EBADF);
    pid_t child = fork();
    if (child == 0)
        _exit(flock(other, LOCK_EX) < 0 ? errno : 0);
    wait_until_asleep(child);
    EXPECT_IS(flock(copy, LOCK_UN), 0);
    wait(&status);
    EXPECT_IS(status, 0);
    EXPECT_ERR(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK); /* the child's file is still open here */
    close(other);
    EXPECT_IS(flock(fd, LOCK_SH | LOCK_NB), 0);
    close(copy);
}

/* Two processes add to a number in the file, each under the lock. */
static void lock_keeps_writers_apart(void)
{
    long number = 0;

    EXPECT_IS(pwrite(fd, &number, sizeof(number), 0), sizeof(number));
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            for (int n = 0; n < 200; n++) {
                lock(F_SETLKW, F_WRLCK, 0, 8);
                if (pread(fd, &number, sizeof(number), 0) == sizeof(number))
                    number++;
                if (n % 50 == 0)
                    sched_yield();
                if (pwrite(fd, &number, sizeof(number), 0) != sizeof(number))
                    _exit(1);
                lock(F_SETLK, F_UNLCK, 0, 8);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    EXPECT_IS(pread(fd, &number, sizeof(number), 0), sizeof(number));
    EXPECT_IS(number, 400);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(readers_share_and_a_writer_does_not),
        TEST(locks_split_and_join),
        TEST(ranges_begin_anywhere),
        TEST(rights_of_the_descriptor_count),
        TEST(any_close_gives_them_back),
        TEST(waiting_ends_with_the_lock_or_a_signal),
        TEST(circle_of_waiters_is_refused),
        TEST(open_files_have_locks_of_their_own),
        TEST(whole_files_are_locked_apart_from_records),
        TEST(lock_keeps_writers_apart),
    };

    fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, 100) < 0)
        return 1;
    int failed = KTAP_MAIN(tests);
    unlink(NAME);
    return failed;
}
