/* SPDX-License-Identifier: MIT */
/*
 * tests/user/names.c - names that are wrong: too long, of the wrong kind, in a circle, or gone
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp while it runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root; (2) a call that is refused changes
 *             nothing, and keeps no descriptor.
 * Source: path_resolution(7); ERRORS of open(2), link(2), rename(2), unlink(2), rmdir(2), ...
 * Tour:   after tests/user/files.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/stat.h"
#include "ktap.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#endif

/* openat2(2), which libc does not know. */
struct open_how {
    uint64_t flags, mode, resolve;
};

enum {
    RESOLVE_NO_XDEV = 1,
    RESOLVE_NO_MAGICLINKS = 2,
    RESOLVE_NO_SYMLINKS = 4,
    RESOLVE_BENEATH = 8,
    RESOLVE_IN_ROOT = 16
};

static char name255[256], name256[257], path4095[4096], path4096[4097];

static int create(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    if (write(fd, text, strlen(text)) < 0)
        return -1;
    return fd;
}

static void make(const char *name)
{
    close(create(name, name));
}

static bool holds(const char *name, const char *text)
{
    char buf[64] = "";
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, buf, sizeof(buf) - 1);

    close(fd);
    return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void fill_names(void)
{
    memset(name255, 'n', 255);
    memset(name256, 'n', 256);
    memset(path4096, '/', 4096);
    memset(path4095, '/', 4095);
    memcpy(path4095 + 4095 - 5, "/file", 5);
    memcpy(path4096 + 4096 - 5, "/file", 5);
}

static void names_have_255_bytes_at_most(void)
{
    EXPECT_IS(close(open(name255, O_CREAT | O_RDWR, 0644)), 0);
    EXPECT_IS(access(name255, F_OK), 0);
    EXPECT_IS(unlink(name255), 0);
    EXPECT_IS(mkdir(name255, 0755), 0);
    EXPECT_IS(rmdir(name255), 0);
    EXPECT_ERR(open(name256, O_RDONLY), ENAMETOOLONG);
    EXPECT_ERR(open(name256, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
    EXPECT_ERR(mkdir(name256, 0755), ENAMETOOLONG);
    EXPECT_ERR(rmdir(name256), ENAMETOOLONG);
    EXPECT_ERR(unlink(name256), ENAMETOOLONG);
    EXPECT_ERR(access(name256, F_OK), ENAMETOOLONG);
    EXPECT_ERR(symlink("x", name256), ENAMETOOLONG);
    EXPECT_ERR(mknod(name256, S_IFREG, 0), ENAMETOOLONG);
    make("f");
    EXPECT_ERR(link("f", name256), ENAMETOOLONG);
    EXPECT_ERR(rename("f", name256), ENAMETOOLONG);
    EXPECT_ERR(rename(name256, "f"), ENAMETOOLONG);
    EXPECT_ERR(chdir(name256), ENAMETOOLONG);
    EXPECT_ERR(truncate(name256, 0), ENAMETOOLONG);
    EXPECT_IS(symlink(name256, "l"), 0);
    EXPECT_ERR(open("l", O_RDONLY), ENAMETOOLONG);
    unlink("l");
    unlink("f");
}

static void paths_have_4095_bytes_at_most(void)
{
    struct stat st;

    EXPECT_ERR(stat(path4095, &st), ENOENT);
    EXPECT_ERR(stat(path4096, &st), ENAMETOOLONG);
    EXPECT_ERR(open(path4096, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
    EXPECT_ERR(mkdir(path4096, 0755), ENAMETOOLONG);
    EXPECT_ERR(symlink(path4096, "l"), ENAMETOOLONG);
    EXPECT_IS(symlink(path4095, "l"), 0);
    EXPECT_ERR(stat("l", &st), ENOENT);
    EXPECT_IS(lstat("l", &st), 0);
    EXPECT_IS(st.st_size, 4095);
    EXPECT_IS(readlink("l", path4096, 4096), 4095);
    unlink("l");
    EXPECT_ERR(open("", O_RDONLY), ENOENT);
    EXPECT_ERR(open((char *)1, O_RDONLY), EFAULT);
    EXPECT_ERR(mkdir("", 0755), ENOENT);
    EXPECT_ERR(symlink("", "l"), ENOENT);
    EXPECT_ERR(symlink("x", ""), ENOENT);
    EXPECT_ERR(unlink(""), ENOENT);
    EXPECT_ERR(rename("", "x"), ENOENT);
    EXPECT_ERR(readlink("missing", path4096, 10), ENOENT);
    EXPECT_ERR(readlink(".", path4096, 10), EINVAL);
    EXPECT_ERR(readlink(".", path4096, 0), EINVAL);
}

static void links_that_lead_nowhere(void)
{
    struct stat st;

    EXPECT_IS(symlink("target", "l"), 0);
    EXPECT_ERR(stat("l", &st), ENOENT);
    EXPECT_IS(lstat("l", &st), 0);
    EXPECT_ERR(open("l", O_RDONLY), ENOENT);
    EXPECT_ERR(open("l", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    EXPECT_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_ERR(open("l", O_CREAT | O_RDWR | O_NOFOLLOW, 0644), ELOOP);
    EXPECT_IS(close(open("l", O_PATH | O_NOFOLLOW)), 0);
    EXPECT_ERR(open("l/", O_RDONLY), ENOENT);
    EXPECT_ERR(mkdir("l", 0755), EEXIST);
    EXPECT_ERR(mkdir("l/", 0755), EEXIST);
    EXPECT_ERR(rmdir("l"), ENOTDIR);
    EXPECT_ERR(rmdir("l/"), ENOTDIR);
    EXPECT_ERR(chdir("l"), ENOENT);
    EXPECT_ERR(truncate("l", 0), ENOENT);
    EXPECT_ERR(chmod("l", 0600), ENOENT);
    EXPECT_ERR(mknod("l", S_IFREG | 0644, 0), EEXIST);
    EXPECT_IS(close(open("l", O_CREAT | O_RDWR, 0644)), 0);
    EXPECT_IS(access("target", F_OK), 0);
    unlink("target");
    unlink("l");
    EXPECT_IS(symlink("d/target", "l"), 0);
    EXPECT_ERR(open("l", O_CREAT | O_RDWR, 0644), ENOENT);
    unlink("l");
    EXPECT_IS(symlink("target/", "l"), 0);
    EXPECT_ERR(open("l", O_CREAT | O_RDWR, 0644), EISDIR);
    unlink("l");
}

/* l0 -> f, l1 -> l0, ... */
static void chain(int length)
{
    char name[16], target[16];

    for (int i = 0; i < length; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(target, sizeof(target), i ? "l%d" : "f", i - 1);
        EXPECT_IS(symlink(target, name), 0);
    }
}

static void forty_links_are_followed(void)
{
    char name[16];

    make("f");
    chain(41);
    EXPECT_IS(access("l39", F_OK), 0);
    EXPECT_ERR(access("l40", F_OK), ELOOP);
    EXPECT_IS(close(open("l40", O_PATH | O_NOFOLLOW)), 0);
    for (int i = 0; i < 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        unlink(name);
    }
    unlink("f");
    EXPECT_IS(symlink("b", "a"), 0);
    EXPECT_IS(symlink("a", "b"), 0);
    EXPECT_IS(symlink("self/x", "self"), 0);
    EXPECT_ERR(open("a", O_RDONLY), ELOOP);
    EXPECT_ERR(open("a", O_CREAT | O_RDWR, 0644), ELOOP);
    EXPECT_ERR(open("a/x", O_CREAT | O_RDWR, 0644), ELOOP);
    EXPECT_ERR(chdir("self"), ELOOP);
    EXPECT_ERR(mkdir("a/x", 0755), ELOOP);
    EXPECT_ERR(rename("a/x", "c"), ELOOP);
    EXPECT_IS(rename("a", "c"), 0);
    EXPECT_IS(unlink("c"), 0);
    unlink("b");
    unlink("self");
}

static void a_file_is_no_directory(void)
{
    struct stat st;
    int fd = create("f", "x");

    EXPECT_ERR(open("f/x", O_RDONLY), ENOTDIR);
    EXPECT_ERR(open("f/", O_RDONLY), ENOTDIR);
    EXPECT_ERR(open("f/.", O_RDONLY), ENOTDIR);
    EXPECT_ERR(open("f/x", O_CREAT | O_RDWR, 0644), ENOTDIR);
    EXPECT_ERR(open("f/", O_CREAT | O_RDWR, 0644), EISDIR);
    EXPECT_ERR(open("new/", O_CREAT | O_RDWR, 0644), EISDIR);
    EXPECT_ERR(open("f", O_DIRECTORY), ENOTDIR);
    EXPECT_ERR(stat("f/", &st), ENOTDIR);
    EXPECT_ERR(mkdir("f/x", 0755), ENOTDIR);
    EXPECT_ERR(unlink("f/"), ENOTDIR);
    EXPECT_ERR(unlink("new/"), ENOENT);
    EXPECT_ERR(rmdir("f"), ENOTDIR);
    EXPECT_ERR(chdir("f"), ENOTDIR);
    EXPECT_ERR(fchdir(fd), ENOTDIR);
    EXPECT_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    EXPECT_ERR(openat(fd, "x", O_CREAT | O_RDWR, 0644), ENOTDIR);
    EXPECT_ERR(openat(99, "x", O_RDONLY), EBADF);
    EXPECT_ERR(openat(99, "", O_RDONLY), ENOENT);
    EXPECT_IS(faccessat(99, "/", F_OK, 0), 0);
    EXPECT_ERR(mknod("new/", S_IFREG | 0644, 0), ENOENT);
    EXPECT_ERR(symlink("x", "new/"), ENOENT);
    EXPECT_ERR(link("f", "new/"), ENOENT);
    EXPECT_ERR(symlink("x", "f/"), EEXIST);
    EXPECT_ERR(link("f", "f/"), EEXIST);
    EXPECT_ERR(link("f/", "new"), ENOTDIR);
    EXPECT_ERR(rename("f/", "new"), ENOTDIR);
    EXPECT_ERR(rename("f", "new/"), ENOTDIR);
    EXPECT_ERR(truncate(".", 0), EISDIR);
    EXPECT_ERR(truncate("f", -1), EINVAL);
    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_ERR(open(".", O_WRONLY), EISDIR);
    EXPECT_ERR(open(".", O_CREAT | O_RDONLY, 0644), EISDIR);
    EXPECT_ERR(open(".", O_RDONLY | O_TRUNC), EISDIR);
    EXPECT_ERR(open("f", O_CREAT | O_DIRECTORY, 0644), EINVAL);
    close(fd);
    unlink("f");
}

static void directories_go_when_they_are_empty(void)
{
    mkdir("d", 0755);
    mkdir("d/e", 0755);
    EXPECT_ERR(rmdir("d"), ENOTEMPTY);
    EXPECT_ERR(rmdir("d/."), EINVAL);
    EXPECT_ERR(rmdir("d/.."), ENOTEMPTY);
    EXPECT_ERR(rmdir("."), EINVAL);
    EXPECT_ERR(rmdir(".."), ENOTEMPTY);
    EXPECT_ERR(rmdir("/"), EBUSY);
    EXPECT_ERR(rmdir("missing"), ENOENT);
    EXPECT_ERR(unlink("d"), EISDIR);
    EXPECT_ERR(unlink("d/"), EISDIR);
    EXPECT_ERR(unlink("."), EISDIR);
    EXPECT_ERR(unlink(".."), EISDIR);
    EXPECT_ERR(unlink("/"), EISDIR);
    EXPECT_ERR(unlinkat(AT_FDCWD, "d", 0x1), EINVAL);
    int fd = open("d/e", O_RDONLY | O_DIRECTORY);
    EXPECT_IS(rmdir("d/e/"), 0);
    EXPECT_ERR(openat(fd, "x", O_CREAT | O_RDWR, 0644), ENOENT);
    EXPECT_ERR(mkdirat(fd, "x", 0755), ENOENT);
    EXPECT_ERR(symlinkat("x", fd, "x"), ENOENT);
    EXPECT_ERR(openat(fd, "x", O_RDONLY), ENOENT);
    EXPECT_IS(faccessat(fd, ".", F_OK, 0), 0);
    EXPECT_IS(faccessat(fd, "..", F_OK, 0), 0);
    EXPECT_IS(fchdir(fd), 0);
    char path[64];
    EXPECT(getcwd(path, sizeof(path)) == NULL && errno == ENOENT);
    EXPECT_IS(chdir("../.."), 0);
    close(fd);
    EXPECT_IS(rmdir("d"), 0);
}

static void rename_refuses_what_cannot_be(void)
{
    mkdir("d", 0755);
    mkdir("d/sub", 0755);
    mkdir("e", 0755);
    make("f");
    make("g");
    EXPECT_ERR(rename("missing", "x"), ENOENT);
    EXPECT_ERR(rename("f", "missing/x"), ENOENT);
    EXPECT_ERR(rename("d", "d/sub/x"), EINVAL);
    EXPECT_ERR(rename("d", "d/x"), EINVAL);
    EXPECT_ERR(rename("d", "d/sub"), EINVAL);
    EXPECT_ERR(rename("d/sub", "d"), ENOTEMPTY);
    EXPECT_ERR(rename("e", "d"), ENOTEMPTY);
    EXPECT_ERR(rename("d", "f"), ENOTDIR);
    EXPECT_ERR(rename("f", "d"), EISDIR);
    EXPECT_ERR(rename("f", "d/."), EBUSY);
    EXPECT_ERR(rename("f", "."), EBUSY);
    EXPECT_ERR(rename(".", "x"), EBUSY);
    EXPECT_ERR(rename("..", "x"), EBUSY);
    EXPECT_ERR(rename("/", "/proc"), EBUSY);
    EXPECT_ERR(rename("/proc", "/"), EBUSY);
    EXPECT_IS(rename("d", "d"), 0);
    EXPECT_IS(rename("f", "f"), 0);
    EXPECT_IS(rename("d/", "d/"), 0);
    EXPECT_IS(rename("d", "e/"), 0);
    EXPECT_IS(access("e/sub", F_OK), 0);
    EXPECT_IS(rename("f", "g"), 0);
    EXPECT(holds("g", "f"));
    EXPECT_IS(link("g", "h"), 0);
    EXPECT_IS(rename("g", "h"), 0);
    EXPECT_IS(access("g", F_OK), 0);
    unlink("g");
    unlink("h");
    rmdir("e/sub");
    EXPECT_IS(rmdir("e"), 0);
}

static int rename2(const char *from, const char *to, unsigned flags)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void rename_takes_flags(void)
{
    make("f");
    make("g");
    mkdir("d", 0755);
    EXPECT_ERR(rename2("f", "g", 8), EINVAL);
    EXPECT_ERR(rename2("f", "g", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
    EXPECT_ERR(rename2("f", "g", RENAME_NOREPLACE), EEXIST);
    EXPECT_ERR(rename2("f", "f", RENAME_NOREPLACE), EEXIST);
    EXPECT_ERR(rename2("missing", "g", RENAME_NOREPLACE), ENOENT);
    EXPECT_IS(rename2("f", "h", RENAME_NOREPLACE), 0);
    EXPECT_ERR(rename2("h", "missing", RENAME_EXCHANGE), ENOENT);
    EXPECT_ERR(rename2("missing", "h", RENAME_EXCHANGE), ENOENT);
    EXPECT_IS(rename2("h", "g", RENAME_EXCHANGE), 0);
    EXPECT(holds("g", "f") && holds("h", "g"));
    EXPECT_IS(rename2("d", "g", RENAME_EXCHANGE), 0);
    EXPECT(holds("d", "f"));
    EXPECT_IS(rename("h", "g/h"), 0);
    EXPECT_IS(rename2("d", "g/h", RENAME_EXCHANGE), 0);
    EXPECT(holds("g/h", "f") && holds("d", "g"));
    EXPECT_ERR(rename2("g", "g/h", RENAME_EXCHANGE), EINVAL);
    EXPECT_ERR(rename2("g/h", "g", RENAME_EXCHANGE), EINVAL);
    unlink("g/h");
    unlink("d");
    EXPECT_IS(rmdir("g"), 0);
}

static nlink_t links_of(const char *name)
{
    struct stat st = {0};

    return lstat(name, &st) < 0 ? 0 : st.st_nlink;
}

static void a_file_has_many_names(void)
{
    char path[64];
    int fd = create("f", "x");

    mkdir("d", 0755);
    symlink("f", "l");
    EXPECT_IS(link("f", "g"), 0);
    EXPECT(links_of("f") == 2 && links_of("g") == 2);
    EXPECT_ERR(link("f", "g"), EEXIST);
    EXPECT_ERR(link("missing", "h"), ENOENT);
    EXPECT_ERR(link("f", "missing/h"), ENOENT);
    EXPECT_ERR(link("d", "h"), EPERM);
    EXPECT_IS(link("l", "m"), 0);
    EXPECT_IS(links_of("m"), 2);
    EXPECT_IS(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW), 0);
    EXPECT_IS(links_of("f"), 3);
    EXPECT_ERR(linkat(AT_FDCWD, "f", AT_FDCWD, "o", 1), EINVAL);
    EXPECT_ERR(linkat(fd, "", AT_FDCWD, "o", 0), ENOENT);
    EXPECT_IS(linkat(fd, "", AT_FDCWD, "o", AT_EMPTY_PATH), 0);
    EXPECT_IS(links_of("f"), 4);
    unlink("f");
    unlink("g");
    unlink("n");
    EXPECT_IS(unlink("o"), 0);
    EXPECT_ERR(linkat(fd, "", AT_FDCWD, "o", AT_EMPTY_PATH), ENOENT);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "o", AT_SYMLINK_FOLLOW), ENOENT);
    struct stat st;
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_nlink, 0);
    close(fd);
    unlink("l");
    unlink("m");
    EXPECT_IS(rmdir("d"), 0);
}

static void a_file_without_a_name_can_get_one(void)
{
    char path[64];

    EXPECT_ERR(open(".", O_TMPFILE | O_RDONLY, 0644), EINVAL);
    EXPECT_ERR(open("missing", O_TMPFILE | O_RDWR, 0644), ENOENT);
    make("f");
    EXPECT_ERR(open("f", O_TMPFILE | O_RDWR, 0644), ENOTDIR);
    EXPECT_ERR(open("/proc", O_TMPFILE | O_RDWR, 0644), EOPNOTSUPP);
    int fd = open(".", O_TMPFILE | O_RDWR, 0640),
        other = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    struct stat st = {0};
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(st.st_nlink == 0 && st.st_mode == (S_IFREG | 0640));
    EXPECT_IS(write(fd, "text", 4), 4);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "f", AT_SYMLINK_FOLLOW), EEXIST);
    EXPECT_IS(linkat(AT_FDCWD, path, AT_FDCWD, "g", AT_SYMLINK_FOLLOW), 0);
    EXPECT(holds("g", "text"));
    EXPECT_IS(links_of("g"), 1);
    EXPECT_ERR(linkat(other, "", AT_FDCWD, "h", AT_EMPTY_PATH), ENOENT);
    unlink("g");
    EXPECT_ERR(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH), ENOENT);
    close(fd);
    close(other);
    unlink("f");
}

static void a_full_table_keeps_nothing(void)
{
    struct rlimit before, few;
    int fds[2] = {-7, -7};

    make("f");
    EXPECT_IS(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    few = before;
    few.rlim_cur = next;
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_ERR(open("f", O_RDONLY), EMFILE);
    EXPECT_ERR(open("new", O_CREAT | O_RDWR, 0644), EMFILE);
    EXPECT_ERR(access("new", F_OK), ENOENT);
    EXPECT_ERR(open("f", O_RDWR | O_TRUNC), EMFILE);
    EXPECT_ERR(open("missing", O_RDONLY), EMFILE);
    EXPECT_ERR(dup(0), EMFILE);
    EXPECT_ERR(dup2(0, next), EBADF);
    EXPECT_ERR(fcntl(0, F_DUPFD, next), EINVAL);
    EXPECT_ERR(pipe(fds), EMFILE);
    EXPECT(fds[0] == -7 && fds[1] == -7);
    EXPECT_ERR(syscall(SYS_memfd_create, "m", 0), EMFILE);
    EXPECT_ERR(syscall(SYS_eventfd2, 0, 0), EMFILE);
    EXPECT_ERR(syscall(SYS_epoll_create1, 0), EMFILE);
    few.rlim_cur = next + 1;
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_ERR(pipe(fds), EMFILE);
    EXPECT(fds[0] == -7 && fds[1] == -7);
    EXPECT_IS(dup(0), next);
    EXPECT_IS(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(next);
    EXPECT(holds("f", "f"));
    unlink("f");
}

static void descriptors_of_the_wrong_kind(void)
{
    char buf[8] = "";
    struct iovec v = {buf, sizeof(buf)};
    int fds[2], dir = open(".", O_RDONLY), path = open(".", O_PATH);

    make("f");
    int file = open("f", O_RDONLY), writer = open("f", O_WRONLY), named = open("f", O_PATH);
    EXPECT_IS(pipe(fds), 0);
    EXPECT_ERR(read(dir, buf, 1), EISDIR);
    EXPECT_ERR(pread(dir, buf, 1, 0), EISDIR);
    EXPECT_ERR(write(dir, buf, 1), EBADF);
    EXPECT_ERR(ftruncate(dir, 0), EINVAL);
    EXPECT_ERR(ftruncate(file, 0), EINVAL);
    EXPECT_ERR(ftruncate(fds[1], 0), EINVAL);
    EXPECT_ERR(ftruncate(named, 0), EBADF);
    EXPECT_ERR(write(file, buf, 1), EBADF);
    EXPECT_ERR(read(writer, buf, 1), EBADF);
    EXPECT_ERR(readv(writer, &v, 1), EBADF);
    EXPECT_ERR(read(named, buf, 1), EBADF);
    EXPECT_ERR(read(path, buf, 1), EBADF);
    EXPECT_ERR(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    EXPECT_ERR(lseek(named, 0, SEEK_SET), EBADF);
    EXPECT_ERR(lseek(file, 0, 99), EINVAL);
    EXPECT_ERR(lseek(file, -1, SEEK_SET), EINVAL);
    EXPECT_ERR(pread(fds[0], buf, 1, 0), ESPIPE);
    EXPECT_ERR(pwrite(fds[1], buf, 1, 0), ESPIPE);
    EXPECT_ERR(pread(file, buf, 1, -1), EINVAL);
    EXPECT_ERR(read(fds[1], buf, 1), EBADF);
    EXPECT_ERR(write(fds[0], buf, 1), EBADF);
    EXPECT_ERR(syscall(SYS_fchmod, named, 0600), EBADF);
    EXPECT_ERR(syscall(SYS_fchown, named, 0, 0), EBADF);
    EXPECT_ERR(fsync(named), EBADF);
    EXPECT_ERR(fsync(fds[0]), EINVAL);
    EXPECT_ERR(syscall(SYS_getdents64, file, buf, 8), ENOTDIR);
    EXPECT_ERR(syscall(SYS_getdents64, dir, buf, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_getdents64, path, buf, 8), EBADF);
    EXPECT_ERR(fallocate(file, 0, 0, 1), EBADF);
    EXPECT_ERR(fallocate(fds[1], 0, 0, 1), ESPIPE);
    EXPECT_ERR(fallocate(writer, 0, 0, 0), EINVAL);
    EXPECT_ERR(posix_fadvise(fds[0], 0, 0, 0) ? (errno = ESPIPE, -1) : 0, ESPIPE);
    EXPECT_ERR(ioctl(file, 0x12345678, 0), ENOTTY);
    EXPECT_ERR(fchdir(named), ENOTDIR);
    EXPECT_IS(fchdir(path), 0);
    EXPECT_ERR(close(99), EBADF);
    EXPECT_ERR(dup(99), EBADF);
    EXPECT_ERR(fcntl(99, F_GETFD), EBADF);
    EXPECT_ERR(fcntl(file, 9999), EINVAL);
    for (int fd = dir; fd <= fds[1]; fd++)
        close(fd);
    unlink("f");
}

static void access_asks_for_what_it_may(void)
{
    make("f");
    chmod("f", 0);
    EXPECT_IS(access("f", R_OK | W_OK), 0);
    EXPECT_ERR(access("f", X_OK), EACCES);
    EXPECT_ERR(access("f", 8), EINVAL);
    EXPECT_ERR(access("missing", F_OK), ENOENT);
    EXPECT_ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", F_OK, 1), EINVAL);
    EXPECT_IS(syscall(SYS_faccessat2, AT_FDCWD, "", F_OK, AT_EMPTY_PATH), 0);
    int fd = open("f", O_PATH);
    EXPECT_IS(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS), 0);
    EXPECT_ERR(syscall(SYS_faccessat2, fd, "", F_OK, 0), ENOENT);
    close(fd);
    symlink("missing", "l");
    EXPECT_ERR(access("l", F_OK), ENOENT);
    EXPECT_IS(syscall(SYS_faccessat2, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW), 0);
    unlink("l");
    unlink("f");
}

static void times_are_set_one_by_one(void)
{
    struct timespec t[2] = {{1000, 5}, {2000, 6}}, bad[2] = {{0, 1000000000}, {0, 0}},
                    omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}},
                    one[2] = {{7, 7}, {0, UTIME_OMIT}};
    struct stat st;

    make("f");
    symlink("f", "l");
    EXPECT_IS(utimensat(AT_FDCWD, "f", t, 0), 0);
    EXPECT_IS(stat("f", &st), 0);
    EXPECT(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5);
    EXPECT(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 6);
    EXPECT(st.st_ctim.tv_sec > 1000000);
    EXPECT_IS(utimensat(AT_FDCWD, "f", one, 0), 0);
    EXPECT_IS(stat("f", &st), 0);
    EXPECT(st.st_atim.tv_sec == 7 && st.st_mtim.tv_sec == 2000);
    EXPECT_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
    EXPECT_ERR(utimensat(AT_FDCWD, "f", t, 1), EINVAL);
    EXPECT_ERR(utimensat(AT_FDCWD, "missing", t, 0), ENOENT);
    EXPECT_IS(utimensat(AT_FDCWD, "missing", omit, 0), 0);
    EXPECT_ERR(syscall(SYS_utimensat, 99, NULL, t, 0), EBADF);
    EXPECT_ERR(syscall(SYS_utimensat, AT_FDCWD, NULL, t, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_utimensat, AT_FDCWD, "f", 1, 0), EFAULT);
    EXPECT_IS(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_IS(stat("f", &st), 0);
    EXPECT_IS(st.st_atim.tv_sec, 7);
    EXPECT_IS(lstat("l", &st), 0);
    EXPECT_IS(st.st_mtim.tv_sec, 2000);
    int fd = open("f", O_RDONLY), path = open("f", O_PATH);
    EXPECT_IS(futimens(fd, t), 0);
    EXPECT_ERR(futimens(path, t), EBADF);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_atim.tv_sec, 1000);
    close(path);
    close(fd);
    EXPECT_IS(chmod("f", 0600), 0);
    EXPECT_IS(stat("f", &st), 0);
    EXPECT(st.st_mtim.tv_sec == 2000 && st.st_ctim.tv_sec > 1000000);
    unlink("l");
    unlink("f");
}

static void statx_tells_what_is_asked(void)
{
    struct uapi_statx x = {0};
    int fd = create("f", "text");

    EXPECT_IS(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x), 0);
    EXPECT((x.mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    EXPECT(x.size == 4 && x.mode == (S_IFREG | 0644) && x.nlink == 1);
    EXPECT_IS(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &x), 0);
    EXPECT_ERR(syscall(SYS_statx, fd, "", 0, 0, &x), ENOENT);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "missing", 0, 0, &x), ENOENT);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "f", 1, 0, &x), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0, &x), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000U, &x), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, 0, (void *)1), EFAULT);
    EXPECT_ERR(syscall(SYS_statx, 99, "f", 0, 0, &x), EBADF);
    struct stat st = {0};
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT(st.st_dev == makedev(x.dev_major, x.dev_minor));
    EXPECT_IS(syscall(SYS_statx, AT_FDCWD, "/", 0, 0, &x), 0);
    EXPECT((x.attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    close(fd);
    unlink("f");
}

static int open2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {flags, mode, resolve};

    return syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

static void openat2_limits_where_a_path_leads(void)
{
    struct open_how how = {0};
    char long_how[64] = "";

    mkdir("d", 0755);
    make("d/f");
    symlink("f", "d/l");
    symlink("/", "d/root");
    symlink("../d/f", "d/up");
    int d = open("d", O_RDONLY);
    EXPECT_IS(close(open2(AT_FDCWD, "d/f", O_RDONLY, 0, 0)), 0);
    EXPECT_ERR(open2(AT_FDCWD, "d/f", O_RDONLY, 0644, 0), EINVAL);
    EXPECT_ERR(open2(AT_FDCWD, "d/f", O_RDONLY | 1UL << 40, 0, 0), EINVAL);
    EXPECT_ERR(open2(AT_FDCWD, "d/f", O_PATH | O_RDWR, 0, 0), EINVAL);
    EXPECT_ERR(open2(AT_FDCWD, "d/f", O_CREAT | O_RDWR, 010000, 0), EINVAL);
    EXPECT_ERR(open2(AT_FDCWD, "d/f", O_RDONLY, 0, 0x1000), EINVAL);
    EXPECT_ERR(syscall(SYS_openat2, d, "f", &how, 8), EINVAL);
    EXPECT_ERR(syscall(SYS_openat2, d, "f", (void *)1, sizeof(how)), EFAULT);
    EXPECT_IS(close(syscall(SYS_openat2, d, "f", long_how, sizeof(long_how))), 0);
    long_how[60] = 1;
    EXPECT_ERR(syscall(SYS_openat2, d, "f", long_how, sizeof(long_how)), E2BIG);
    EXPECT_ERR(open2(d, "l", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
    EXPECT_IS(close(open2(d, "l", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS)), 0);
    EXPECT_IS(close(open2(d, "l", O_RDONLY, 0, RESOLVE_BENEATH)), 0);
    EXPECT_ERR(open2(d, "root", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    EXPECT_ERR(open2(d, "..", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    EXPECT_ERR(open2(d, "up", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    EXPECT_ERR(open2(d, "/", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    EXPECT_IS(close(open2(d, "root", O_RDONLY, 0, RESOLVE_IN_ROOT)), 0);
    EXPECT_IS(close(open2(d, "/f", O_RDONLY, 0, RESOLVE_IN_ROOT)), 0);
    EXPECT_IS(close(open2(d, "../../f", O_RDONLY, 0, RESOLVE_IN_ROOT)), 0);
    EXPECT_ERR(open2(d, "f", O_RDONLY, 0, RESOLVE_IN_ROOT | RESOLVE_BENEATH), EINVAL);
    EXPECT_ERR(open2(AT_FDCWD, "/proc/self", O_PATH, 0, RESOLVE_NO_XDEV), EXDEV);
    EXPECT_ERR(open2(AT_FDCWD, "/proc/self/exe", O_PATH, 0, RESOLVE_NO_MAGICLINKS), ELOOP);
    EXPECT_IS(close(open2(d, "new", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH)), 0);
    close(d);
    unlink("d/new");
    unlink("d/up");
    unlink("d/root");
    unlink("d/l");
    unlink("d/f");
    EXPECT_IS(rmdir("d"), 0);
}

static const struct ktap_test tests[] = {
    TEST(names_have_255_bytes_at_most),  TEST(paths_have_4095_bytes_at_most),
    TEST(links_that_lead_nowhere),       TEST(forty_links_are_followed),
    TEST(a_file_is_no_directory),        TEST(directories_go_when_they_are_empty),
    TEST(rename_refuses_what_cannot_be), TEST(rename_takes_flags),
    TEST(a_file_has_many_names),         TEST(a_file_without_a_name_can_get_one),
    TEST(a_full_table_keeps_nothing),    TEST(descriptors_of_the_wrong_kind),
    TEST(access_asks_for_what_it_may),   TEST(times_are_set_one_by_one),
    TEST(statx_tells_what_is_asked),     TEST(openat2_limits_where_a_path_leads),
};

int main(void)
{
    char dir[] = "/tmp/names-XXXXXX";

    umask(022);
    fill_names();
    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    int failed = KTAP_MAIN(tests);
    if (chdir("/") < 0 || rmdir(dir) < 0)
        printf("# something is left in %s\n", dir);
    return failed;
}
