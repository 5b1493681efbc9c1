/* SPDX-License-Identifier: MIT */
/*
 * tests/user/files.c - names, descriptors, pipes and poll
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp while it runs.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root.
 * Source: open(2), rename(2), symlink(7), pipe(7), poll(2), fcntl(2), proc(5).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static int create(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    if (write(fd, text, strlen(text)) < 0)
        return -1;
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st = {0};

    return fstat(fd, &st) < 0 ? -1 : st.st_size;
}

static bool holds(const char *name, const char *text)
{
    char buf[256] = "";
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, buf, sizeof buf - 1);

    close(fd);
    return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void names_come_and_go(void)
{
    EXPECT_IS(mkdir("d", 0755), 0);
    EXPECT_ERR(mkdir("d", 0755), EEXIST);
    EXPECT_ERR(mkdir("/", 0755), EEXIST);
    EXPECT_ERR(mkdir("missing/d", 0755), ENOENT);
    EXPECT_ERR(mkdir("", 0755), ENOENT);
    close(create("d/f", "x"));
    EXPECT_ERR(rmdir("d"), ENOTEMPTY);
    EXPECT_ERR(rmdir("d/f"), ENOTDIR);
    EXPECT_ERR(unlink("d"), EISDIR);
    EXPECT_ERR(unlink("d/g"), ENOENT);
    EXPECT_ERR(rmdir("d/."), EINVAL);
    EXPECT_ERR(mkdir("d/f/x", 0755), ENOTDIR);
    EXPECT_ERR(open("d/f/", O_RDONLY), ENOTDIR);
    EXPECT_IS(unlink("d/f"), 0);
    EXPECT_IS(rmdir("d/"), 0);
    EXPECT_ERR(rmdir("d"), ENOENT);
}

static void long_names_are_refused(void)
{
    char name[PATH_MAX + 10];

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    EXPECT_ERR(mkdir(name, 0755), ENAMETOOLONG);
    name[255] = '\0';
    EXPECT_IS(mkdir(name, 0755), 0);
    EXPECT_IS(rmdir(name), 0);
    for (size_t i = 0; i + 1 < sizeof name; i += 2)
        memcpy(name + i, "./", 2);
    name[PATH_MAX] = '\0';
    EXPECT_ERR(open(name, O_RDONLY), ENAMETOOLONG);
    name[PATH_MAX - 1] = '\0';
    int fd = open(name, O_RDONLY);
    EXPECT(fd >= 0);
    close(fd);
}

static void open_checks_its_flags(void)
{
    close(create("f", "text"));
    mkdir("d", 0755);
    symlink("f", "l");
    EXPECT_ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    EXPECT_ERR(open("l", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    EXPECT_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_ERR(open("d", O_RDWR), EISDIR);
    EXPECT_ERR(open("d", O_RDONLY | O_CREAT, 0600), EISDIR);
    EXPECT_ERR(open("missing", O_RDWR), ENOENT);
    EXPECT_ERR(open("new/", O_RDWR | O_CREAT, 0600), EISDIR);
    int fd = open("l", O_RDWR | O_TRUNC);
    EXPECT_IS(size_of(fd), 0);
    close(fd);
    unlink("l");
    unlink("f");
    rmdir("d");
}

static void descriptors_are_the_lowest_free(void)
{
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = dup(a);

    EXPECT(b == a + 1 && c == a + 2);
    close(b);
    EXPECT_IS(dup(a), b);
    EXPECT_IS(fcntl(a, F_DUPFD, 100), 100);
    EXPECT_IS(fcntl(a, F_DUPFD_CLOEXEC, 100), 101);
    EXPECT_IS(fcntl(100, F_GETFD), 0);
    EXPECT_IS(fcntl(101, F_GETFD), FD_CLOEXEC);
    EXPECT_IS(dup2(a, 101), 101);
    EXPECT_IS(fcntl(101, F_GETFD), 0);
    EXPECT_IS(dup2(a, a), a);
    EXPECT_ERR(dup3(a, a, 0), EINVAL);
    EXPECT_ERR(dup2(999, 5), EBADF);
    EXPECT_ERR(dup2(a, -1), EBADF);
    EXPECT_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
    close(100);
    close(101);
    close(a);
    close(b);
    close(c);
}

static void access_modes_are_kept(void)
{
    char byte = 'x';
    int r = open("f", O_RDONLY | O_CREAT, 0600), w = open("f", O_WRONLY | O_APPEND);

    EXPECT_ERR(write(r, &byte, 1), EBADF);
    EXPECT_ERR(read(w, &byte, 1), EBADF);
    EXPECT_ERR(ftruncate(r, 5), EINVAL);
    EXPECT_IS(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_IS(fcntl(w, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
    EXPECT_IS(fcntl(w, F_SETFL, O_NONBLOCK), 0);
    EXPECT_IS(fcntl(w, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_NONBLOCK);
    close(r);
    close(w);
    unlink("f");
}

static void appending_goes_to_the_end(void)
{
    int fd = create("f", "abc"), end = open("f", O_WRONLY | O_APPEND);

    EXPECT_IS(lseek(end, 0, SEEK_SET), 0);
    EXPECT_IS(write(end, "def", 3), 3);
    EXPECT_IS(lseek(end, 0, SEEK_CUR), 6);
    EXPECT_IS(pwrite(end, "g", 1, 0), 1); /* a bug that Linux keeps */
    EXPECT(holds("f", "abcdefg"));
    close(fd);
    close(end);
    unlink("f");
}

static void path_descriptors_only_name(void)
{
    char byte;
    struct stat st;
    int fd = create("f", "x"), path = open("f", O_PATH);

    EXPECT_ERR(read(path, &byte, 1), EBADF);
    EXPECT_ERR(lseek(path, 0, SEEK_SET), EBADF);
    EXPECT_ERR(syscall(SYS_fchmod, path, 0600), EBADF); /* musl helps itself by /proc */
    EXPECT_IS(fstat(path, &st), 0);
    EXPECT_IS(st.st_size, 1);
    EXPECT_IS(fcntl(path, F_GETFL) & O_PATH, O_PATH);
    close(path);
    close(fd);
    unlink("f");
}

static void rename_replaces_as_posix_says(void)
{
    close(create("a", "A"));
    close(create("b", "B"));
    mkdir("d", 0755);
    mkdir("e", 0755);
    EXPECT_IS(rename("a", "b"), 0);
    EXPECT(holds("b", "A") && access("a", F_OK) < 0);
    EXPECT_IS(rename("b", "b"), 0);
    EXPECT_ERR(rename("b", "d"), EISDIR);
    EXPECT_ERR(rename("d", "b"), ENOTDIR);
    EXPECT_ERR(rename("d", "d/x"), EINVAL);
    EXPECT_ERR(rename("missing", "x"), ENOENT);
    EXPECT_IS(rename("d", "e"), 0);
    EXPECT_IS(rename("b", "e/b"), 0);
    mkdir("d", 0755);
    EXPECT_ERR(rename("d", "e"), ENOTEMPTY);
    EXPECT(holds("e/b", "A"));
    unlink("e/b");
    rmdir("e");
    rmdir("d");
}

static void links_are_followed_to_a_limit(void)
{
    char buf[64] = "";

    mkdir("d", 0755);
    close(create("d/f", "far"));
    EXPECT_IS(symlink("d", "l"), 0);
    EXPECT_IS(symlink("../l/f", "d/back"), 0);
    EXPECT(holds("l/back", "far"));
    EXPECT_IS(readlink("l", buf, sizeof buf), 1);
    EXPECT_IS(readlink("d/back", buf, 4), 4);
    EXPECT(!memcmp(buf, "../l", 4));
    EXPECT_ERR(readlink("d", buf, sizeof buf), EINVAL);
    EXPECT_ERR(symlink("x", "l"), EEXIST);
    EXPECT_ERR(symlink("", "m"), ENOENT);
    EXPECT_IS(symlink("loop2", "loop1"), 0);
    EXPECT_IS(symlink("loop1", "loop2"), 0);
    EXPECT_ERR(open("loop1", O_RDONLY), ELOOP);
    EXPECT_ERR(open("l/f/x", O_RDONLY), ENOTDIR);
    struct stat st;
    EXPECT_IS(lstat("l", &st), 0);
    EXPECT(S_ISLNK(st.st_mode) && st.st_size == 1);
    EXPECT_IS(stat("l/", &st), 0);
    EXPECT(S_ISDIR(st.st_mode));
    unlink("loop1");
    unlink("loop2");
    unlink("l");
    unlink("d/back");
    unlink("d/f");
    rmdir("d");
}

static void removed_files_live_while_open(void)
{
    char path[64], link[PATH_MAX] = "";
    int fd = create("gone", "still here");
    struct stat st;

    EXPECT_IS(unlink("gone"), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_nlink, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    EXPECT(readlink(path, link, sizeof link - 1) > 0);
    EXPECT(strstr(link, "/gone (deleted)"));
    int again = open(path, O_RDONLY);
    char buf[16] = "";
    EXPECT_IS(read(again, buf, 15), 10);
    EXPECT(!strcmp(buf, "still here"));
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 10); /* two open files, one inode */
    close(again);
    close(fd);
}

static void the_current_directory_moves(void)
{
    char before[PATH_MAX], path[PATH_MAX];

    EXPECT(getcwd(before, sizeof before));
    mkdir("d", 0755);
    mkdir("d/e", 0755);
    EXPECT_IS(chdir("d/e"), 0);
    EXPECT(getcwd(path, sizeof path) && !strcmp(path + strlen(path) - 4, "/d/e"));
    EXPECT_ERR(syscall(SYS_getcwd, path, 1L), ERANGE);
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_IS(rename("../../d", "../../moved"), 0);
    EXPECT(getcwd(path, sizeof path) && !strcmp(path + strlen(path) - 8, "/moved/e"));
    EXPECT_IS(rmdir("../e"), 0);
    EXPECT_ERR(syscall(SYS_getcwd, path, sizeof path), ENOENT);
    EXPECT_ERR(mkdir("x", 0755), ENOENT);
    EXPECT_IS(chdir(before), 0);
    EXPECT_IS(fchdir(fd), 0);
    EXPECT_IS(chdir(".."), 0);
    EXPECT_ERR(chdir("/dev/null"), ENOTDIR);
    close(fd);
    EXPECT_IS(chdir(before), 0);
    rmdir("moved");
}

static void directories_list_each_name_once(void)
{
    enum { FILES = 300 };
    int seen = 0, dots = 0, wrong = 0;
    char name[32];

    mkdir("many", 0755);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "many/file-%d", i);
        close(create(name, ""));
    }
    DIR *dir = opendir("many");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.') {
            dots++;
            continue;
        }
        seen++;
        wrong += e->d_type != DT_REG || strncmp(e->d_name, "file-", 5);
        snprintf(name, sizeof name, "many/%.20s", e->d_name);
        wrong += unlink(name) < 0; /* while the directory is being read */
    }
    closedir(dir);
    EXPECT(seen == FILES && dots == 2 && wrong == 0);
    EXPECT_IS(rmdir("many"), 0);
    int fd = open("/dev/null", O_RDONLY);
    EXPECT_ERR(syscall(SYS_getdents64, fd, name, sizeof name), ENOTDIR);
    close(fd);
    fd = open("/", O_RDONLY);
    EXPECT_ERR(syscall(SYS_getdents64, fd, name, 1L), EINVAL);
    EXPECT_ERR(read(fd, name, 1), EISDIR);
    close(fd);
}

static void modes_are_masked_and_changed(void)
{
    struct stat st;
    mode_t before = umask(027);
    int fd = open("f", O_RDWR | O_CREAT, 0777);

    EXPECT(fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 0750));
    EXPECT_IS(fchmod(fd, 04711), 0);
    EXPECT(stat("f", &st) == 0 && st.st_mode == (S_IFREG | 04711));
    EXPECT_IS(chmod("f", 0600), 0);
    EXPECT_ERR(access("f", X_OK), EACCES);
    EXPECT_IS(access("f", R_OK | W_OK), 0);
    EXPECT_ERR(access("f", 8), EINVAL);
    EXPECT_IS(umask(before), 027);
    struct timespec times[2] = {{1, 2}, {3, 4}};
    EXPECT_IS(futimens(fd, times), 0);
    EXPECT(fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 3 && st.st_mtim.tv_nsec == 4);
    EXPECT_IS(truncate("f", 77), 0);
    EXPECT_IS(size_of(fd), 77);
    EXPECT_ERR(truncate("f", -1), EINVAL);
    EXPECT_ERR(truncate("/", 0), EISDIR);
    close(fd);
    unlink("f");
}

static void vectors_are_one_transfer(void)
{
    char a[4] = "", b[8] = "";
    struct iovec out[] = {{"abc", 3}, {"", 0}, {"defgh", 5}}, in[] = {{a, 2}, {b, 8}};
    int fd = create("f", "");

    EXPECT_IS(writev(fd, out, 3), 8);
    EXPECT_IS(preadv(fd, in, 2, 1), 7);
    EXPECT(!memcmp(a, "bc", 2) && !memcmp(b, "defgh", 5));
    EXPECT_IS(pwritev(fd, out, 1, 100), 3);
    EXPECT_IS(size_of(fd), 103);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 8);
    EXPECT_ERR(writev(fd, out, -1), EINVAL);
    EXPECT_ERR(writev(fd, out, 1025), EINVAL);
    out[1].iov_len = (size_t)-1;
    EXPECT_ERR(writev(fd, out, 3), EINVAL);
    EXPECT_ERR(syscall(SYS_readv, fd, 8L, 1L), EFAULT);
    close(fd);
    unlink("f");
}

static void sendfile_copies_within_the_kernel(void)
{
    int from = create("f", "0123456789"), to = create("g", ""), fds[2];
    off_t at = 2;
    char buf[16];

    EXPECT_IS(sendfile(to, from, &at, 5), 5);
    EXPECT_IS(at, 7);
    EXPECT_IS(lseek(from, 1, SEEK_SET), 1);
    EXPECT_IS(sendfile(to, from, NULL, 100), 9);
    EXPECT_IS(lseek(from, 0, SEEK_CUR), 10);
    EXPECT_IS(sendfile(to, from, NULL, 100), 0);
    EXPECT(holds("g", "23456123456789"));
    EXPECT_IS(pipe(fds), 0);
    at = 0;
    EXPECT_IS(sendfile(fds[1], from, &at, 4), 4);
    EXPECT_IS(read(fds[0], buf, sizeof buf), 4);
    close(fds[0]);
    close(fds[1]);
    close(from);
    close(to);
    unlink("f");
    unlink("g");
}

static void pipes_carry_bytes_in_order(void)
{
    int fds[2];
    char buf[16] = "";
    static char big[100 * 1024], back[sizeof big];

    EXPECT_IS(pipe(fds), 0);
    EXPECT_IS(write(fds[1], "one", 3), 3);
    EXPECT_IS(write(fds[1], "two", 3), 3);
    EXPECT_IS(read(fds[0], buf, 4), 4);
    EXPECT(!memcmp(buf, "onet", 4));
    EXPECT_IS(read(fds[0], buf, sizeof buf), 2);
    EXPECT_ERR(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
    EXPECT_ERR(pread(fds[0], buf, 1, 0), ESPIPE);
    EXPECT_ERR(write(fds[0], "x", 1), EBADF);
    EXPECT_ERR(read(fds[1], buf, 1), EBADF);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
    if (fork() == 0) {
        close(fds[0]);
        _exit(write(fds[1], big, sizeof big) == sizeof big ? 0 : 1);
    }
    close(fds[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(fds[0], back + got, 1000)) > 0 && got + 1000 < sizeof back;)
        got += (size_t)n;
    int status;
    close(fds[0]);
    wait(&status);
    EXPECT(!memcmp(big, back, got) && got > 64 * 1024);
}

static void pipes_end_with_their_last_end(void)
{
    int fds[2];
    char byte;

    EXPECT_IS(pipe(fds), 0);
    EXPECT_IS(write(fds[1], "x", 1), 1);
    close(fds[1]);
    EXPECT_IS(read(fds[0], &byte, 1), 1);
    EXPECT_IS(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    EXPECT_IS(pipe(fds), 0);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        ssize_t n = write(fds[1], "x", 1);
        _exit(n < 0);
    }
    int status = 0;
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    close(fds[1]);
}

static void full_pipes_refuse_small_writes_whole(void)
{
    int fds[2];
    static char page[4096];
    size_t total = 0;

    EXPECT_IS(pipe2(fds, O_NONBLOCK), 0);
    EXPECT_ERR(read(fds[0], page, 1), EAGAIN);
    for (ssize_t n; (n = write(fds[1], page, sizeof page)) > 0;)
        total += (size_t)n;
    EXPECT_IS(total, 65536);
    EXPECT_ERR(write(fds[1], "x", 1), EAGAIN);
    EXPECT_IS(read(fds[0], page, 4096), 4096);
    EXPECT_IS(write(fds[1], page, sizeof page), 4096);
    EXPECT_ERR(pipe2(fds, 0x1234), EINVAL);
    close(fds[0]);
    close(fds[1]);
}

static int poll_one(int fd, int events, int timeout)
{
    struct pollfd p = {fd, (short)events, 0};
    int n = poll(&p, 1, timeout);

    return n < 0 ? -1 : n == 0 ? 0 : p.revents;
}

static void poll_tells_what_can_be_done(void)
{
    int fds[2];

    EXPECT_IS(pipe(fds), 0);
    EXPECT_IS(poll_one(fds[0], POLLIN, 0), 0);
    EXPECT_IS(poll_one(fds[1], POLLOUT, 0), POLLOUT);
    EXPECT_IS(poll_one(fds[0], POLLIN, 20), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
    }
    EXPECT_IS(poll_one(fds[0], POLLIN, -1), POLLIN);
    waitpid(child, NULL, 0);
    close(fds[1]);
    EXPECT_IS(poll_one(fds[0], POLLIN, -1), POLLIN | POLLHUP);
    EXPECT_IS(poll_one(999, POLLIN, -1), POLLNVAL);
    EXPECT_IS(poll_one(-1, POLLIN, 0), 0);
    close(fds[0]);
    int fd = memfd_create("poll", 0);
    EXPECT_IS(poll_one(fd, POLLIN | POLLOUT, -1), POLLIN | POLLOUT);
    close(fd);
}

static void devices_do_their_one_thing(void)
{
    char buf[64];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    int random = open("/dev/urandom", O_RDONLY);

    memset(buf, 'x', sizeof buf);
    EXPECT_IS(read(null, buf, sizeof buf), 0);
    EXPECT_IS(write(null, buf, sizeof buf), sizeof buf);
    EXPECT_IS(read(zero, buf, sizeof buf), sizeof buf);
    EXPECT(buf[0] == 0 && buf[63] == 0);
    EXPECT_IS(write(zero, buf, 5), 5);
    EXPECT_IS(read(random, buf, sizeof buf), sizeof buf);
    EXPECT(memchr(buf, 0, sizeof buf) != buf || buf[1] || buf[2] || buf[3]);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    EXPECT(p != MAP_FAILED && p[0] == 0);
    munmap(p, PAGE);
    close(null);
    close(zero);
    close(random);
}

static bool maps_have(const char *text)
{
    char line[512];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");

    while (f && fgets(line, sizeof line, f))
        found |= strstr(line, text) && strstr(line, text) == line + 73;
    if (f)
        fclose(f);
    return found;
}

static void maps_name_what_is_mapped(void)
{
    int fd = memfd_create("named", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    EXPECT(maps_have("/memfd:named (deleted)\n"));
    EXPECT(maps_have("[stack]\n"));
    munmap(p, PAGE);
    EXPECT(!maps_have("/memfd:named (deleted)\n"));
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(maps_have("/dev/zero (deleted)\n"));
    munmap(p, PAGE);
}

static void mounts_of_the_kernel_have_no_blocks(void)
{
    struct statfs fs;
    int fd = open("/proc/self/status", O_RDONLY);

    EXPECT_IS(statfs("/proc", &fs), 0);
    EXPECT(fs.f_type == 0x9fa0 && fs.f_blocks == 0 && fs.f_bsize == PAGE);
    EXPECT_IS(fstatfs(fd, &fs), 0);
    EXPECT(fs.f_type == 0x9fa0 && fs.f_blocks == 0);
    EXPECT_IS(statfs("/sys", &fs), 0);
    EXPECT(fs.f_type == 0x62656572 && fs.f_blocks == 0);
    EXPECT_IS(statfs("/dev/shm", &fs), 0);
    EXPECT(fs.f_type == 0x01021994 && fs.f_blocks > 0 && fs.f_bfree <= fs.f_blocks);
    close(fd);
}

static const struct ktap_test tests[] = {
    TEST(mounts_of_the_kernel_have_no_blocks),
    TEST(names_come_and_go),
    TEST(long_names_are_refused),
    TEST(open_checks_its_flags),
    TEST(descriptors_are_the_lowest_free),
    TEST(access_modes_are_kept),
    TEST(appending_goes_to_the_end),
    TEST(path_descriptors_only_name),
    TEST(rename_replaces_as_posix_says),
    TEST(links_are_followed_to_a_limit),
    TEST(removed_files_live_while_open),
    TEST(the_current_directory_moves),
    TEST(directories_list_each_name_once),
    TEST(modes_are_masked_and_changed),
    TEST(vectors_are_one_transfer),
    TEST(sendfile_copies_within_the_kernel),
    TEST(pipes_carry_bytes_in_order),
    TEST(pipes_end_with_their_last_end),
    TEST(full_pipes_refuse_small_writes_whole),
    TEST(poll_tells_what_can_be_done),
    TEST(devices_do_their_one_thing),
    TEST(maps_name_what_is_mapped),
};

int main(void)
{
    char dir[] = "/tmp/files-XXXXXX";

    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    int status = KTAP_MAIN(tests);
    if (chdir("/") < 0 || rmdir(dir) < 0)
        printf("# something was left behind\n");
    return status;
}
