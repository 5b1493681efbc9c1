/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_links.c - /proc/self/fd/N of a memfd: what it says, and opening it again
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_create(2), proc_pid_fd(5), open(2), openat2(2).
 * Tour:   after tests/user/memfd_create.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define USER           1234
#define NO_MAGIC_LINKS 2 /* RESOLVE_NO_MAGICLINKS */
#define LARGE_FILE     0100000
#define STATUS_FLAGS   (O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH | LARGE_FILE)
#define FILE_LEN       100

static const char *link_of(int fd)
{
    static char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static bool link_says(int fd, const char *text)
{
    char target[512] = "";

    return readlink(link_of(fd), target, sizeof target - 1) == (ssize_t)strlen(text) &&
           !strcmp(target, text);
}

static int memory(unsigned flags)
{
    int fd = memfd_create("links", flags);

    EXPECT_IS(ftruncate(fd, FILE_LEN), 0);
    EXPECT_IS(pwrite(fd, "first", 5, 0), 5);
    return fd;
}

/* 0 or errno. */
static int error_of_open(int fd, int flags)
{
    int again = open(link_of(fd), flags, 0600);
    int error = again < 0 ? errno : 0;

    close(again);
    return error;
}

static void link_tells_the_name(void)
{
    static const char *const names[] = {"",          "a",        "with blank", "/s/l/a/s/h",
                                        "new\nline", "\xff\xfe", "(deleted)"};
    char expected[300], name[250];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int fd = memfd_create(names[i], 0);
        snprintf(expected, sizeof expected, "/memfd:%s (deleted)", names[i]);
        EXPECT(link_says(fd, expected));
        close(fd);
    }
    memset(name, 'n', 249);
    name[249] = '\0';
    int fd = memfd_create(name, 0);
    snprintf(expected, sizeof expected, "/memfd:%s (deleted)", name);
    EXPECT(link_says(fd, expected));
    close(fd);
}

static void link_is_a_link_to_a_file_without_names(void)
{
    int fd = memory(0);
    struct stat of_link, file, through;

    EXPECT_IS(lstat(link_of(fd), &of_link), 0);
    EXPECT(S_ISLNK(of_link.st_mode) && of_link.st_size == 64);
    EXPECT_IS(fstat(fd, &file), 0);
    EXPECT_IS(stat(link_of(fd), &through), 0);
    EXPECT(file.st_ino == through.st_ino && file.st_dev == through.st_dev);
    EXPECT_IS(file.st_nlink, 0);
    EXPECT_IS(file.st_mode, S_IFREG | 0777);
    EXPECT_IS(file.st_uid, geteuid());
    EXPECT_IS(file.st_size, FILE_LEN);
    EXPECT_ERR(link(link_of(fd), "/dev/shm/bulla-link"), EXDEV);
    EXPECT_ERR(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "/dev/shm/bulla-link", AT_SYMLINK_FOLLOW),
               EXDEV);
    close(fd);
}

static unsigned rights_of_link(int fd)
{
    struct stat st = {0};

    EXPECT_IS(lstat(link_of(fd), &st), 0);
    return st.st_mode & 0777;
}

static unsigned rights_of_mode(int mode)
{
    static const unsigned rights[] = {[O_RDONLY] = 0500, [O_WRONLY] = 0300, [O_RDWR] = 0700};
    return mode & O_PATH ? 0 : rights[mode & O_ACCMODE];
}

static void each_mode_can_be_opened(void)
{
    static const int modes[] = {O_RDONLY, O_WRONLY,          O_RDWR,
                                O_PATH,   O_RDWR | O_APPEND, O_WRONLY | O_NONBLOCK};
    int fd = memory(MFD_ALLOW_SEALING);

    EXPECT_IS(fcntl(fd, F_GETFL) & STATUS_FLAGS, O_RDWR | LARGE_FILE);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        int again = open(link_of(fd), modes[i]);
        EXPECT(again >= 0 && again != fd);
        int large = modes[i] & O_PATH ? 0 : LARGE_FILE;
        EXPECT_IS(fcntl(again, F_GETFL) & STATUS_FLAGS, modes[i] | large);
        EXPECT(link_says(again, "/memfd:links (deleted)"));
        EXPECT_IS(rights_of_link(again), rights_of_mode(modes[i]));
        close(again);
    }
    close(fd);
}

static void other_ways_to_open_are_refused(void)
{
    int fd = memory(0);

    EXPECT_IS(error_of_open(fd, O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_IS(error_of_open(fd, O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_IS(error_of_open(fd, O_RDWR | O_CREAT), 0);
    EXPECT_IS(error_of_open(fd, O_RDWR | O_CREAT | O_EXCL), EEXIST);
    EXPECT_IS(error_of_open(fd, O_RDWR | O_TMPFILE), ENOTDIR);
    uint64_t how[3] = {O_RDONLY, 0, NO_MAGIC_LINKS};
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, link_of(fd), how, sizeof how), ELOOP);
    EXPECT_ERR(openat(fd, "", O_RDONLY), ENOENT);
    EXPECT_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    close(fd);
}

static void what_is_opened_again_has_its_own_offset(void)
{
    int fd = memory(0), again = open(link_of(fd), O_RDWR), twin = dup(fd);
    char bytes[6] = "";

    EXPECT_IS(read(fd, bytes, 2), 2);
    EXPECT_IS(lseek(again, 0, SEEK_CUR), 0);
    EXPECT_IS(lseek(twin, 0, SEEK_CUR), 2);
    EXPECT_IS(write(again, "FIRST", 5), 5);
    EXPECT_IS(pread(fd, bytes, 5, 0), 5);
    EXPECT(!strcmp(bytes, "FIRST"));
    close(fd);
    close(twin);
    EXPECT_IS(pread(again, bytes, 5, 0), 5); /* what it is does not depend on who opened it */
    close(again);
}

static void mode_says_what_may_be_done(void)
{
    int fd = memory(MFD_ALLOW_SEALING);
    int reader = open(link_of(fd), O_RDONLY), writer = open(link_of(fd), O_WRONLY);
    int name = open(link_of(fd), O_PATH);
    char byte;

    EXPECT_ERR(write(reader, "x", 1), EBADF);
    EXPECT_ERR(ftruncate(reader, 1), EINVAL);
    EXPECT_ERR(fallocate(reader, 0, 0, 1), EBADF);
    EXPECT_ERR(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    EXPECT_IS(fcntl(reader, F_GET_SEALS), 0);
    EXPECT(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED && errno == EACCES);
    EXPECT_ERR(read(writer, &byte, 1), EBADF);
    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writer, 0) == MAP_FAILED && errno == EACCES);
    EXPECT_IS(fcntl(writer, F_ADD_SEALS, F_SEAL_GROW), 0);
    EXPECT_IS(fcntl(reader, F_GET_SEALS), F_SEAL_GROW);
    EXPECT_ERR(fcntl(name, F_GET_SEALS), EBADF);
    EXPECT_ERR(fcntl(name, F_ADD_SEALS, 0), EBADF);
    EXPECT_ERR(ftruncate(name, 1), EBADF);
    EXPECT_ERR(syscall(SYS_fchmod, name, 0), EBADF);
    close(fd);
    close(reader);
    close(writer);
    close(name);
}

static void truncating_open_empties_it(void)
{
    int fd = memory(MFD_ALLOW_SEALING);
    struct stat st;

    EXPECT_IS(error_of_open(fd, O_RDONLY | O_TRUNC), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(ftruncate(fd, FILE_LEN), 0);
    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    EXPECT_IS(error_of_open(fd, O_RDWR | O_TRUNC), EPERM);
    EXPECT_ERR(truncate(link_of(fd), 0), EPERM);
    EXPECT_IS(truncate(link_of(fd), 2 * FILE_LEN), 0);
    EXPECT_IS(error_of_open(fd, O_RDWR), 0);
    close(fd);
}

static void appending_open_appends(void)
{
    int fd = memory(0), again = open(link_of(fd), O_WRONLY | O_APPEND);
    struct stat st;

    EXPECT_IS(write(again, "tail", 4), 4);
    EXPECT_IS(pwrite(again, "tail", 4, 0), 4); /* at the end all the same */
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, FILE_LEN + 8);
    close(again);
    close(fd);
}

static void rights_are_asked_when_it_is_opened_again(void)
{
    int status = -1, fd = memory(0);

    if (geteuid())
        SKIP("needs root");
    EXPECT_IS(fchmod(fd, 0444), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        EXPECT_IS(setuid(USER), 0);
        EXPECT_IS(prctl(PR_SET_DUMPABLE, 1), 0);
        EXPECT_IS(error_of_open(fd, O_RDONLY), 0);
        EXPECT_IS(error_of_open(fd, O_RDWR), EACCES);
        EXPECT_IS(error_of_open(fd, O_WRONLY), EACCES);
        EXPECT_IS(error_of_open(fd, O_RDONLY | O_TRUNC), EACCES);
        EXPECT_IS(error_of_open(fd, O_PATH), 0);
        EXPECT_ERR(truncate(link_of(fd), 0), EACCES);
        EXPECT_IS(pwrite(fd, "x", 1, 0), 1); /* it was opened before */
        EXPECT_ERR(fchmod(fd, 0666), EPERM);
        fflush(stdout);
        _exit(ktap_failed);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    close(fd);
}

static void others_open_it_through_the_process(void)
{
    int fd = memory(0), status = -1;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char bytes[6] = "";
        close(fd);
        int theirs = open(path, O_RDWR);
        EXPECT_IS(read(theirs, bytes, 5), 5);
        EXPECT(!strcmp(bytes, "first"));
        EXPECT_IS(pwrite(theirs, "child", 5, 0), 5);
        fflush(stdout);
        _exit(ktap_failed);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    char bytes[6] = "";
    EXPECT_IS(pread(fd, bytes, 5, 0), 5);
    EXPECT(!strcmp(bytes, "child"));
    close(fd);
    EXPECT_ERR(open(path, O_RDONLY), ENOENT);
}

static const struct ktap_test tests[] = {
    TEST(link_tells_the_name),
    TEST(link_is_a_link_to_a_file_without_names),
    TEST(each_mode_can_be_opened),
    TEST(other_ways_to_open_are_refused),
    TEST(what_is_opened_again_has_its_own_offset),
    TEST(mode_says_what_may_be_done),
    TEST(truncating_open_empties_it),
    TEST(appending_open_appends),
    TEST(rights_are_asked_when_it_is_opened_again),
    TEST(others_open_it_through_the_process),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
