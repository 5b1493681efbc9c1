/* SPDX-License-Identifier: MIT */
/*
 * tests/user/text_busy.c - what runs is not written, and what is being written does not run
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   files called /dev/shm/bulla-busy*.
 * Locks:  none.
 * Always: (1) a program that runs here is a copy of this one, which waits until it is told to end.
 * Source: execve(2), open(2), truncate(2): ETXTBSY. Observed on Linux 6.18.
 * Tour:   with kernel/running.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/stat.h>

#define NAME   "/dev/shm/bulla-busy"
#define SCRIPT NAME "-script"

extern char **environ;

/* A program that was started; it ends when @end is closed. */
struct runner {
    pid_t pid;
    int end;
};

/* The bytes of this program go to @fd. */
static void copy_to(int fd)
{
    static char bytes[65536];
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    while ((n = read(self, bytes, sizeof bytes)) > 0)
        EXPECT_IS(write(fd, bytes, (size_t)n), n);
    close(self);
}

static void file_make(void)
{
    int fd = open(NAME, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);

    EXPECT(fd >= 0);
    copy_to(fd);
    close(fd);
}

static int memory_make(void)
{
    int fd = memfd_create("busy", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    EXPECT(fd >= 0);
    copy_to(fd);
    return fd;
}

/* Called for "@file wait": says that it is there, and waits. */
static int wait_to_end(void)
{
    char byte = 'r';
    return write(1, &byte, 1) != 1 || read(0, &byte, 1) != 0;
}

/* Start @path, or what @fd is if that is NULL, and wait until it runs. */
static struct runner start(const char *path, int fd)
{
    char *argv[] = {"busy", "wait", NULL}, byte = 0;
    int in[2], out[2];

    EXPECT_IS(pipe2(in, O_CLOEXEC), 0);
    EXPECT_IS(pipe2(out, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        syscall(SYS_execveat, path ? AT_FDCWD : fd, path ? path : "", argv, environ,
                path ? 0 : AT_EMPTY_PATH);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    EXPECT_IS(read(out[0], &byte, 1), 1);
    close(out[0]);
    return (struct runner){child, in[1]};
}

static void end(struct runner r)
{
    int status = -1;

    close(r.end);
    EXPECT_IS(waitpid(r.pid, &status, 0), r.pid);
    EXPECT_IS(status, 0);
}

/* errno of starting it and letting it end at once; 0. */
static int error_of_start(const char *path, int fd)
{
    char *argv[] = {"busy", "nothing", NULL};
    int status = -1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_execveat, path ? AT_FDCWD : fd, path ? path : "", argv, environ,
                path ? 0 : AT_EMPTY_PATH);
        _exit(errno);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

/* 0 or errno. */
static int error_of_open(const char *path, int flags)
{
    int fd = open(path, flags);
    int error = fd < 0 ? errno : 0;

    close(fd);
    return error;
}

static const char *link_of(int fd)
{
    static char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void expect_busy(const char *path)
{
    EXPECT_IS(error_of_open(path, O_WRONLY), ETXTBSY);
    EXPECT_IS(error_of_open(path, O_RDWR), ETXTBSY);
    EXPECT_IS(error_of_open(path, O_RDWR | O_TRUNC), ETXTBSY);
    EXPECT_IS(error_of_open(path, O_RDONLY | O_TRUNC), ETXTBSY);
    EXPECT_ERR(truncate(path, 0), ETXTBSY);
    EXPECT_IS(error_of_open(path, O_RDONLY), 0);
    EXPECT_IS(error_of_open(path, O_PATH), 0);
}

static void what_runs_is_not_written(void)
{
    char exe[64];

    file_make();
    struct runner r = start(NAME, -1);
    expect_busy(NAME);
    snprintf(exe, sizeof exe, "/proc/%d/exe", r.pid);
    expect_busy(exe);
    EXPECT_IS(chmod(NAME, 0700), 0);
    EXPECT_IS(error_of_start(NAME, -1), 0); /* it may run once more */
    EXPECT_IS(error_of_open(NAME, O_WRONLY), ETXTBSY);
    end(r);
    EXPECT_IS(error_of_open(NAME, O_WRONLY), 0);
    EXPECT_IS(truncate(NAME, 0), 0);
    unlink(NAME);
}

static void own_text_is_not_written(void)
{
    expect_busy("/proc/self/exe");
}

static void what_is_open_for_writing_does_not_run(void)
{
    file_make();
    int fd = open(NAME, O_WRONLY | O_CLOEXEC), twin = dup(fd);
    EXPECT_IS(error_of_start(NAME, -1), ETXTBSY);
    close(fd);
    EXPECT_IS(error_of_start(NAME, -1), ETXTBSY);
    close(twin);
    EXPECT_IS(error_of_start(NAME, -1), 0);
    fd = open(NAME, O_RDONLY | O_CLOEXEC);
    EXPECT_IS(error_of_start(NAME, -1), 0);
    close(fd);
    unlink(NAME);
}

static void rights_are_looked_at_first(void)
{
    file_make();
    EXPECT_IS(chmod(NAME, 0600), 0);
    int fd = open(NAME, O_WRONLY | O_CLOEXEC);
    EXPECT_IS(error_of_start(NAME, -1), EACCES);
    close(fd);
    unlink(NAME);
}

static void what_was_mapped_to_write_may_run(void)
{
    file_make();
    int fd = open(NAME, O_RDWR | O_CLOEXEC);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    close(fd);
    EXPECT_IS(error_of_start(NAME, -1), ETXTBSY); /* the mapping keeps the open file */
    munmap(p, PAGE);
    EXPECT_IS(error_of_start(NAME, -1), 0);
    unlink(NAME);
}

static void children_keep_it_busy(void)
{
    file_make();
    struct runner r = start(NAME, -1);
    EXPECT_IS(kill(r.pid, SIGUSR1), 0); /* it leaves a child behind, which waits */
    EXPECT_IS(waitpid(r.pid, NULL, 0), r.pid);
    EXPECT_IS(error_of_open(NAME, O_WRONLY), ETXTBSY);
    close(r.end);
    while (error_of_open(NAME, O_WRONLY) == ETXTBSY)
        usleep(1000);
    EXPECT_IS(error_of_start(NAME, -1), 0);
    unlink(NAME);
}

static void leave_child(int sig)
{
    (void)sig;
    if (fork())
        _exit(0);
}

static void scripts_are_busy_while_they_are_read(void)
{
    file_make();
    int fd = open(SCRIPT, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
    dprintf(fd, "#!%s wait\n", NAME);
    EXPECT_IS(error_of_start(SCRIPT, -1), ETXTBSY);
    close(fd);
    fd = open(NAME, O_WRONLY | O_CLOEXEC);
    EXPECT_IS(error_of_start(SCRIPT, -1), ETXTBSY); /* its interpreter is */
    close(fd);
    struct runner r = start(SCRIPT, -1);
    EXPECT_IS(error_of_open(SCRIPT, O_WRONLY), 0);
    EXPECT_IS(error_of_open(NAME, O_WRONLY), ETXTBSY);
    end(r);
    unlink(SCRIPT);
    unlink(NAME);
}

/* The descriptor that memfd_create() gave does not count as open for writing. */
static void memory_runs_though_its_maker_can_write(void)
{
    int fd = memory_make();

    struct runner r = start(NULL, fd);
    expect_busy(link_of(fd));
    EXPECT_IS(pwrite(fd, "\177", 1, 0), 1);
    end(r);
    int again = open(link_of(fd), O_RDWR | O_CLOEXEC);
    EXPECT(again >= 0);
    EXPECT_IS(error_of_start(NULL, fd), ETXTBSY);
    EXPECT_IS(error_of_start(link_of(fd), -1), ETXTBSY);
    close(again);
    EXPECT_IS(error_of_start(NULL, fd), 0);
    close(fd);
}

static void sealed_memory_may_be_opened_to_write(void)
{
    int fd = memory_make();

    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
    EXPECT_IS(error_of_open(link_of(fd), O_RDWR), 0);
    struct runner r = start(NULL, fd);
    EXPECT_IS(error_of_open(link_of(fd), O_RDWR), ETXTBSY);
    EXPECT_IS(error_of_open(link_of(fd), O_RDONLY | O_TRUNC), ETXTBSY); /* before the seal */
    end(r);
    EXPECT_IS(error_of_open(link_of(fd), O_RDONLY | O_TRUNC), EPERM);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(what_runs_is_not_written),
    TEST(own_text_is_not_written),
    TEST(what_is_open_for_writing_does_not_run),
    TEST(rights_are_looked_at_first),
    TEST(what_was_mapped_to_write_may_run),
    TEST(children_keep_it_busy),
    TEST(scripts_are_busy_while_they_are_read),
    TEST(memory_runs_though_its_maker_can_write),
    TEST(sealed_memory_may_be_opened_to_write),
};

int main(int argc, char **argv)
{
    signal(SIGUSR1, leave_child);
    if (argc > 1 && !strcmp(argv[1], "wait"))
        return wait_to_end();
    if (argc > 1 && !strcmp(argv[1], "nothing"))
        return 0;
    return KTAP_MAIN(tests);
}
