/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mount.c - mounting, what a mount allows, and a tmpfs that is full
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   a directory in /tmp while it runs, and what it mounts below it.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root; (2) a test unmounts what it
 *             mounted, so that none depends on another.
 * Source: mount(2), umount(2), tmpfs(5), statfs(2), proc_pid_mounts(5), chroot(2).
 * Tour:   after tests/user/files.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define KIB 1024

static int create(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    if (write(fd, text, strlen(text)) < 0)
        return -1;
    return fd;
}

static bool tmpfs_at(const char *dir, const char *options)
{
    mkdir(dir, 0755);
    return mount("none", dir, "tmpfs", 0, options) == 0;
}

static dev_t device_of(const char *name)
{
    struct stat st = {0};

    return stat(name, &st) < 0 ? 0 : st.st_dev;
}

static void mount_checks_in_linux_order(void)
{
    close(create("file", "x"));
    mkdir("m", 0755);
    EXPECT_ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
    EXPECT_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
    EXPECT_ERR(mount("none", "m", NULL, 0, NULL), EINVAL);
    EXPECT_ERR(mount("none", "file", "tmpfs", 0, NULL), ENOTDIR);
    EXPECT_ERR(mount("none", "file/x", "tmpfs", 0, NULL), ENOTDIR);
    EXPECT_ERR(mount("none", "m", "tmpfs", 0, "size=many"), EINVAL);
    EXPECT_ERR(mount("none", "m", "tmpfs", 0, "nosuchoption"), EINVAL);
    EXPECT_ERR(mount("none", "m", "tmpfs", 0, "nosuch=1"), EINVAL);
    EXPECT_ERR(mount("none", "m", "tmpfs", 0, "mode=9"), EINVAL);
    EXPECT_ERR(mount("none", (char *)1, "tmpfs", 0, NULL), EFAULT);
    EXPECT_ERR(mount("none", "m", (char *)1, 0, NULL), EFAULT);
    EXPECT_ERR(mount((char *)1, "m", "tmpfs", 0, NULL), EFAULT);
    EXPECT_ERR(mount("none", "m", "tmpfs", 0, (void *)1), EFAULT);
    EXPECT_ERR(mount("none", "m", "tmpfs", MS_REMOUNT, NULL), EINVAL);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_BIND, NULL), EINVAL);
    EXPECT_ERR(mount("", "m", NULL, MS_BIND, NULL), EINVAL);
    EXPECT_ERR(mount("missing", "m", NULL, MS_BIND, NULL), ENOENT);
    EXPECT_ERR(mount("file", "m", NULL, MS_BIND, NULL), ENOTDIR);
    EXPECT_ERR(mount("m", "file", NULL, MS_BIND, NULL), ENOTDIR);
    EXPECT_ERR(mount("m", "m", NULL, MS_MOVE, NULL), EINVAL);
    EXPECT_ERR(mount("none", "m", NULL, MS_PRIVATE, NULL), EINVAL);
    EXPECT_ERR(mount("none", "m", NULL, MS_PRIVATE | MS_SLAVE, NULL), EINVAL);
    EXPECT_ERR(umount("missing"), ENOENT);
    EXPECT_ERR(umount("m"), EINVAL);
    EXPECT_ERR(umount("file"), EINVAL);
    EXPECT_ERR(umount2("m", 0x100), EINVAL);
    EXPECT_ERR(umount2("missing", 0x100), EINVAL);
    unlink("file");
    rmdir("m");
}

static void others_may_not_mount(void)
{
    int status = 0;

    EXPECT(tmpfs_at("m", NULL));
    if (fork() == 0) {
        if (setuid(1000))
            _exit(1);
        EXPECT_ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
        EXPECT_ERR(mount("none", "m", "nosuchfs", 0, NULL), EPERM);
        EXPECT_ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
        EXPECT_ERR(umount("m"), EPERM);
        EXPECT_ERR(umount("missing"), ENOENT);
        EXPECT_ERR(umount2("m", 0x100), EINVAL);
        EXPECT_ERR(chroot("m"), EPERM);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    umount("m");
    rmdir("m");
}

static void a_mount_is_a_file_system_of_its_own(void)
{
    struct statfs fs = {0};
    struct stat up = {0}, here = {0};

    close(create("file", "outside"));
    mkdir("m", 0755);
    close(create("m/hidden", "x"));
    EXPECT(tmpfs_at("m", "size=1m,nr_inodes=100,mode=711,uid=5,gid=6"));
    EXPECT_ERR(open("m/hidden", O_RDONLY), ENOENT);
    EXPECT(device_of("m") != device_of("."));
    EXPECT_IS(stat("m/..", &up), 0);
    EXPECT_IS(stat(".", &here), 0);
    EXPECT(up.st_ino == here.st_ino && up.st_dev == here.st_dev);
    EXPECT_IS(stat("m", &here), 0);
    EXPECT_IS(here.st_mode, S_IFDIR | 0711);
    EXPECT(here.st_uid == 5 && here.st_gid == 6);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_type == 0x01021994 && fs.f_bsize == 4096);
    EXPECT(fs.f_blocks == 256 && fs.f_bfree == 256 && fs.f_bavail == 256);
    EXPECT(fs.f_files == 100 && fs.f_ffree == 99);
    close(create("m/f", "inside"));
    EXPECT_IS(statfs("m/f", &fs), 0);
    EXPECT(fs.f_bfree == 255 && fs.f_ffree == 98);
    EXPECT_ERR(rename("m/f", "f"), EXDEV);
    EXPECT_ERR(rename("file", "m/g"), EXDEV);
    EXPECT_ERR(link("m/f", "f"), EXDEV);
    EXPECT_ERR(link("file", "m/g"), EXDEV);
    EXPECT_ERR(rmdir("m"), EBUSY);
    EXPECT_ERR(rename("m", "n"), EBUSY);
    EXPECT_ERR(unlink("m"), EISDIR);
    EXPECT_ERR(mkdir("m", 0755), EEXIST);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(unlink("m/hidden"), 0);
    EXPECT_ERR(open("m/f", O_RDONLY), ENOENT);
    unlink("file");
    EXPECT_IS(rmdir("m"), 0);
}

static uint64_t free_blocks(const char *name)
{
    struct statfs fs = {0};

    return statfs(name, &fs) < 0 ? 0 : fs.f_bfree;
}

static void a_full_tmpfs_takes_what_fits(void)
{
    static char bytes[64 * KIB];

    EXPECT(tmpfs_at("m", "size=40k"));
    int fd = create("m/f", "");
    memset(bytes, 'a', sizeof(bytes));
    EXPECT_IS(write(fd, bytes, sizeof(bytes)), 40 * KIB);
    EXPECT_ERR(write(fd, bytes, 1), ENOSPC);
    EXPECT_ERR(pwrite(fd, bytes, 1, 1 << 20), ENOSPC);
    EXPECT_IS(lseek(fd, 0, SEEK_END), 40 * KIB);
    EXPECT_IS(free_blocks("m"), 0);
    EXPECT_IS(pwrite(fd, "bb", 2, 8191), 2);
    EXPECT_IS(pread(fd, bytes, sizeof(bytes), 0), 40 * KIB);
    EXPECT(bytes[8190] == 'a' && bytes[8191] == 'b' && bytes[8192] == 'b' && bytes[8193] == 'a');
    int other = open("m/g", O_RDWR | O_CREAT, 0644);
    EXPECT(other >= 0);
    EXPECT_ERR(write(other, "x", 1), ENOSPC);
    EXPECT_IS(ftruncate(fd, 10 * KIB), 0);
    EXPECT_IS(free_blocks("m"), 7);
    EXPECT_IS(write(other, bytes, 6000), 6000);
    EXPECT_IS(free_blocks("m"), 5);
    EXPECT_IS(unlink("m/f"), 0);
    EXPECT_IS(free_blocks("m"), 5);
    close(fd);
    EXPECT_IS(free_blocks("m"), 8);
    close(other);
    umount("m");
    rmdir("m");
}

static void fallocate_takes_all_or_nothing(void)
{
    char byte = 'x';

    EXPECT(tmpfs_at("m", "size=40k"));
    int fd = create("m/f", "");
    EXPECT_IS(pwrite(fd, &byte, 1, 5 * 4096), 1);
    EXPECT_IS(free_blocks("m"), 9);
    EXPECT_ERR(fallocate(fd, 0, 0, 44 * KIB), ENOSPC);
    EXPECT_IS(free_blocks("m"), 9);
    EXPECT_IS(lseek(fd, 0, SEEK_END), 5 * 4096 + 1);
    EXPECT_IS(fallocate(fd, 0, 0, 40 * KIB), 0);
    EXPECT_IS(free_blocks("m"), 0);
    EXPECT_IS(pread(fd, &byte, 1, 5 * 4096), 1);
    EXPECT_IS(byte, 'x');
    EXPECT_IS(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 8 * KIB), 0);
    EXPECT_IS(free_blocks("m"), 2);
    close(fd);
    umount("m");
    rmdir("m");
}

static void a_page_that_does_not_fit_gives_sigbus(void)
{
    EXPECT(tmpfs_at("m", "size=12k"));
    int fd = create("m/f", ""), pages = 0;
    EXPECT_IS(ftruncate(fd, 64 * KIB), 0);
    char *map = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    while (pages < 16 && probe(map + pages * 4096, PROBE_WRITE).sig == 0)
        pages++;
    EXPECT_IS(pages, 3);
    EXPECT_IS(probe(map + 3 * 4096, PROBE_WRITE).sig, SIGBUS);
    EXPECT_IS(madvise(map + 4096, 4096, MADV_REMOVE), 0);
    EXPECT_IS(free_blocks("m"), 1);
    EXPECT_IS(probe(map + 9 * 4096, PROBE_WRITE).sig, 0);
    EXPECT_IS(free_blocks("m"), 0);
    EXPECT_ERR(umount("m"), EBUSY);
    close(fd);
    EXPECT_ERR(umount("m"), EBUSY);
    munmap(map, 64 * KIB);
    EXPECT_IS(umount("m"), 0);
    rmdir("m");
}

static void a_tmpfs_has_so_many_inodes(void)
{
    EXPECT(tmpfs_at("m", "nr_inodes=4"));
    EXPECT_IS(mkdir("m/a", 0755), 0);
    EXPECT_IS(close(open("m/b", O_CREAT | O_RDWR, 0644)), 0);
    EXPECT_IS(symlink("b", "m/c"), 0);
    EXPECT_ERR(open("m/d", O_CREAT | O_RDWR, 0644), ENOSPC);
    EXPECT_ERR(mkdir("m/d", 0755), ENOSPC);
    EXPECT_ERR(symlink("b", "m/d"), ENOSPC);
    EXPECT_ERR(mknod("m/d", S_IFREG | 0644, 0), ENOSPC);
    EXPECT_ERR(open("m", O_TMPFILE | O_RDWR, 0644), ENOSPC);
    EXPECT_ERR(link("m/b", "m/d"), ENOSPC);
    EXPECT_IS(rename("m/b", "m/d"), 0);
    EXPECT_IS(unlink("m/c"), 0);
    EXPECT_IS(mkdir("m/b", 0755), 0);
    umount("m");
    rmdir("m");
}

static void limits_change_while_it_is_mounted(void)
{
    struct statfs fs = {0};

    EXPECT(tmpfs_at("m", "size=40k,nr_inodes=10"));
    int fd = create("m/f", "");
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(fallocate(fd, 0, 0, 20 * KIB), 0);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "size=16k"), EINVAL);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "nr_inodes=1"), EINVAL);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "size=1g,nosuch=1"), EINVAL);
    EXPECT_ERR(mount(NULL, "m/f", NULL, MS_REMOUNT, "size=1g"), EINVAL);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT, "size=80k"), 0);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_blocks == 20 && fs.f_bfree == 15 && fs.f_files == 10);
    close(fd);
    umount("m");
    EXPECT(tmpfs_at("m", "size=0"));
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT_IS(fs.f_blocks, 0);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "size=1m"), EINVAL);
    umount("m");
    rmdir("m");
}

/* Everything that would change what lies in the directory. */
static void expect_read_only(int error)
{
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

    EXPECT_ERR(open("m/f", O_WRONLY), error);
    EXPECT_ERR(open("m/f", O_RDWR), error);
    EXPECT_ERR(open("m/f", O_RDONLY | O_TRUNC), error);
    EXPECT_ERR(open("m/new", O_CREAT | O_RDONLY, 0644), error);
    EXPECT_ERR(open("m/f", O_CREAT | O_EXCL | O_RDONLY, 0644), EEXIST);
    EXPECT_IS(close(open("m/f", O_CREAT | O_RDONLY, 0644)), 0);
    EXPECT_ERR(open("m", O_TMPFILE | O_RDWR, 0644), error);
    EXPECT_ERR(mkdir("m/new", 0755), error);
    EXPECT_ERR(mkdir("m/f", 0755), EEXIST);
    EXPECT_ERR(rmdir("m/d"), error);
    EXPECT_ERR(rmdir("m/missing"), error);
    EXPECT_ERR(unlink("m/f"), error);
    EXPECT_ERR(rename("m/f", "m/g"), error);
    EXPECT_ERR(rename("m/missing", "m/g"), error);
    EXPECT_ERR(link("m/f", "m/g"), error);
    EXPECT_ERR(symlink("x", "m/g"), error);
    EXPECT_ERR(mknod("m/g", S_IFREG | 0644, 0), error);
    EXPECT_ERR(truncate("m/f", 0), error);
    EXPECT_ERR(chmod("m/f", 0600), error);
    EXPECT_ERR(chown("m/f", 1, 1), error);
    EXPECT_ERR(utimensat(AT_FDCWD, "m/f", now, 0), error);
    EXPECT_ERR(access("m/f", W_OK), error);
    EXPECT_ERR(access("m", W_OK), error);
    EXPECT_IS(access("m/f", R_OK), 0);
    EXPECT_ERR(access("m/missing", W_OK), ENOENT);
    int fd = open("m/f", O_RDONLY);
    EXPECT_ERR(fchmod(fd, 0600), error);
    EXPECT_ERR(fchown(fd, 1, 1), error);
    EXPECT_ERR(futimens(fd, now), error);
    close(fd);
    fd = open("m/null", O_RDWR);
    EXPECT_IS(write(fd, "x", 1), 1);
    close(fd);
}

static void what_is_read_only_stays_as_it_is(void)
{
    struct statfs fs = {0};

    EXPECT(tmpfs_at("m", NULL));
    int fd = create("m/f", "contents");
    mkdir("m/d", 0755);
    EXPECT_IS(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
    EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
    close(fd);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_read_only(EROFS);
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_flags & 1);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT, NULL), 0);
    EXPECT_IS(chmod("m/f", 0600), 0);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    expect_read_only(EROFS);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL), 0);
    EXPECT_IS(unlink("m/f"), 0);
    umount("m");
    EXPECT_IS(mount("none", "m", "tmpfs", MS_RDONLY, NULL), 0);
    EXPECT_ERR(mkdir("m/d", 0755), EROFS);
    umount("m");
    EXPECT_IS(mount("none", "m", "tmpfs", 0, "ro"), 0);
    EXPECT_ERR(mkdir("m/d", 0755), EROFS);
    umount("m");
    rmdir("m");
}

static bool copy_file(const char *from, const char *to)
{
    char bytes[4096];
    ssize_t n = 1;
    int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0755);

    while (in >= 0 && out >= 0 && (n = read(in, bytes, sizeof(bytes))) > 0)
        if (write(out, bytes, n) != n)
            break;
    close(in);
    close(out);
    return n == 0;
}

static void noexec_nodev_and_nosuid_are_heeded(void)
{
    char *const none[] = {NULL};

    mkdir("m", 0755);
    EXPECT_IS(mount("none", "m", "tmpfs", MS_NOEXEC | MS_NODEV | MS_NOSUID, NULL), 0);
    EXPECT(copy_file("/proc/self/exe", "m/program"));
    EXPECT_ERR(execve("m/program", none, none), EACCES);
    EXPECT_ERR(access("m/program", X_OK), EACCES);
    EXPECT_IS(access("m", X_OK), 0);
    int fd = open("m/program", O_RDONLY);
    EXPECT(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    EXPECT_IS(errno, EPERM);
    void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT_ERR(mprotect(map, 4096, PROT_READ | PROT_EXEC), EACCES);
    munmap(map, 4096);
    close(fd);
    EXPECT_IS(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    EXPECT_ERR(open("m/null", O_RDWR), EACCES);
    EXPECT_IS(close(open("m/null", O_PATH)), 0);
    EXPECT_IS(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL), 0);
    EXPECT_IS(close(open("m/null", O_RDWR)), 0);
    EXPECT_IS(access("m/program", X_OK), 0);
    umount("m");
    rmdir("m");
}

static void a_bind_shows_the_same_files(void)
{
    EXPECT(tmpfs_at("m", NULL));
    mkdir("m/d", 0755);
    mkdir("m/d/sub", 0755);
    mkdir("b", 0755);
    close(create("m/d/f", "first"));
    EXPECT_IS(mount("m/d", "b", NULL, MS_BIND, NULL), 0);
    EXPECT_IS(access("b/f", F_OK), 0);
    EXPECT_IS(device_of("b"), device_of("m"));
    close(create("b/g", "second"));
    EXPECT_IS(access("m/d/g", F_OK), 0);
    EXPECT_ERR(rename("b/g", "m/h"), EXDEV);
    EXPECT_ERR(link("b/g", "m/h"), EXDEV);
    EXPECT_ERR(rmdir("m/d"), ENOTEMPTY);
    EXPECT_IS(chdir("b/sub"), 0);
    EXPECT_IS(chdir(".."), 0);
    EXPECT_IS(access("../m", F_OK), 0);
    EXPECT_IS(chdir(".."), 0);
    EXPECT_IS(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    EXPECT_ERR(unlink("b/g"), EROFS);
    EXPECT_IS(unlink("m/d/g"), 0);
    EXPECT_IS(umount("b"), 0);
    close(create("one", "outer"));
    EXPECT_IS(mount("m/d/f", "one", NULL, MS_BIND, NULL), 0);
    EXPECT_ERR(unlink("one"), EBUSY);
    EXPECT_ERR(rename("one", "two"), EBUSY);
    struct stat st = {0};
    EXPECT_IS(stat("one", &st), 0);
    EXPECT_IS(st.st_size, 5);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(close(open("one", O_RDONLY)), 0);
    EXPECT_IS(umount("one"), 0);
    EXPECT_IS(unlink("one"), 0);
    rmdir("b");
    EXPECT_IS(rmdir("m"), 0);
}

static void a_bind_can_show_what_is_mounted_below(void)
{
    EXPECT(tmpfs_at("m", NULL));
    mkdir("m/in", 0755);
    mkdir("m/out", 0755);
    mkdir("b", 0755);
    EXPECT(tmpfs_at("m/in/sub", NULL));
    EXPECT(tmpfs_at("m/in/sub/deep", NULL));
    EXPECT(tmpfs_at("m/out/other", NULL));
    close(create("m/in/sub/deep/f", "x"));
    EXPECT_IS(mount("m/in", "b", NULL, MS_BIND, NULL), 0);
    EXPECT_ERR(access("b/sub/deep", F_OK), ENOENT);
    EXPECT_IS(umount("b"), 0);
    EXPECT_IS(mount("m/in", "b", NULL, MS_BIND | MS_REC, NULL), 0);
    EXPECT_IS(access("b/sub/deep/f", F_OK), 0);
    EXPECT_ERR(umount("b"), EBUSY);
    EXPECT_IS(umount("m/in/sub/deep"), 0);
    EXPECT_IS(access("b/sub/deep/f", F_OK), 0);
    EXPECT_IS(umount2("b", MNT_DETACH), 0);
    EXPECT_IS(mount("m", "m/out", NULL, MS_BIND | MS_REC, NULL), 0);
    EXPECT_IS(access("m/out/in/sub/deep", F_OK), 0);
    EXPECT_ERR(access("m/out/out/in", F_OK), ENOENT);
    EXPECT_ERR(umount("m/out"), EBUSY);
    EXPECT_IS(umount("m/out/in/sub"), 0);
    EXPECT_IS(umount2("m", MNT_DETACH), 0);
    rmdir("b");
    EXPECT_IS(rmdir("m"), 0);
}

static void a_mount_moves(void)
{
    EXPECT(tmpfs_at("m", NULL));
    mkdir("m/d", 0755);
    mkdir("n", 0755);
    EXPECT_ERR(mount("m/d", "n", NULL, MS_MOVE, NULL), EINVAL);
    EXPECT_ERR(mount("m", "m/d", NULL, MS_MOVE, NULL), ELOOP);
    EXPECT_IS(mount("m", "n", NULL, MS_MOVE, NULL), 0);
    EXPECT_IS(access("n/d", F_OK), 0);
    EXPECT_ERR(access("m/d", F_OK), ENOENT);
    EXPECT_IS(rmdir("m"), 0);
    umount("n");
    rmdir("n");
}

static void a_mount_in_use_stays(void)
{
    EXPECT(tmpfs_at("m", NULL));
    mkdir("m/d", 0755);
    int fd = open("m", O_RDONLY);
    EXPECT_ERR(umount("m"), EBUSY);
    close(fd);
    fd = open("m/d", O_PATH);
    EXPECT_ERR(umount("m"), EBUSY);
    close(fd);
    EXPECT_IS(chdir("m/d"), 0);
    EXPECT_ERR(umount("../../m"), EBUSY);
    EXPECT_IS(chdir("../.."), 0);
    EXPECT(tmpfs_at("m/d", NULL));
    EXPECT_ERR(umount("m"), EBUSY);
    EXPECT_ERR(umount2("m", MNT_FORCE), EBUSY);
    EXPECT_ERR(umount2("m", MNT_EXPIRE), EBUSY);
    EXPECT_IS(umount("m/d"), 0);
    EXPECT_ERR(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
    EXPECT_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
    EXPECT_IS(access("m/d", F_OK), 0);
    EXPECT_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
    EXPECT_IS(umount2("m", MNT_EXPIRE), 0);
    symlink("m", "link");
    EXPECT(tmpfs_at("m", NULL));
    EXPECT_ERR(umount2("link", UMOUNT_NOFOLLOW), EINVAL);
    EXPECT_IS(umount2("link", 0), 0);
    unlink("link");
    rmdir("m");
}

static void what_is_detached_lives_on_in_who_uses_it(void)
{
    char path[128] = "", word[8] = "";

    EXPECT(tmpfs_at("m", NULL));
    EXPECT(tmpfs_at("m/d", NULL));
    int fd = create("m/d/f", "alive");
    int dir = open("m", O_RDONLY | O_DIRECTORY);
    EXPECT_IS(umount2("m", MNT_DETACH), 0);
    EXPECT_ERR(access("m/d", F_OK), ENOENT);
    EXPECT_IS(pread(fd, word, 5, 0), 5);
    EXPECT(!strcmp(word, "alive"));
    EXPECT_IS(faccessat(dir, "d", F_OK, 0), 0);
    EXPECT_ERR(faccessat(dir, "d/f", F_OK, 0), ENOENT);
    EXPECT_IS(mkdirat(dir, "new", 0755), 0);
    EXPECT_IS(faccessat(dir, "../new", F_OK, 0), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
    EXPECT_ERR(mount("none", path, "tmpfs", 0, NULL), ENOENT);
    EXPECT_ERR(umount(path), EINVAL);
    close(dir);
    char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    EXPECT(!memcmp(map, "alive", 5));
    EXPECT(maps_rights(map) && !strcmp(maps_rights(map), "r--s"));
    munmap(map, 4096);
    EXPECT_IS(rmdir("m"), 0);
}

static void mounts_lie_on_each_other(void)
{
    EXPECT(tmpfs_at("m", NULL));
    close(create("m/lower", "x"));
    EXPECT_IS(mount("none", "m", "tmpfs", 0, NULL), 0);
    EXPECT_ERR(access("m/lower", F_OK), ENOENT);
    close(create("m/upper", "x"));
    EXPECT_IS(access("m/../m/upper", F_OK), 0);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(access("m/lower", F_OK), 0);
    EXPECT_IS(umount("m"), 0);
    EXPECT_ERR(umount("m"), EINVAL);
    rmdir("m");
}

/* The line of /proc/self/@file that contains @words. */
static bool find_line(const char *file, const char *words, char *line, int size)
{
    char path[64];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/self/%s", file);
    FILE *f = fopen(path, "r");
    while (!found && f && fgets(line, size, f))
        found = strstr(line, words);
    if (f)
        fclose(f);
    return found;
}

static void proc_tells_what_is_mounted(void)
{
    char cwd[128], wanted[512], line[512];

    EXPECT(getcwd(cwd, sizeof(cwd)) != NULL);
    mkdir("with blank", 0755);
    EXPECT_IS(mount("my source", "with blank", "tmpfs", MS_NOSUID | MS_NOEXEC,
                    "size=100k,nr_inodes=7,mode=755,uid=3"),
              0);
    snprintf(wanted, sizeof(wanted),
             "my\\040source %s/with\\040blank tmpfs "
             "rw,nosuid,noexec,relatime,size=100k,nr_inodes=7,mode=755,uid=3",
             cwd);
    EXPECT(find_line("mounts", wanted, line, sizeof(line)));
    snprintf(wanted, sizeof(wanted), " / %s/with\\040blank rw,nosuid,noexec,relatime ", cwd);
    EXPECT(find_line("mountinfo", wanted, line, sizeof(line)));
    EXPECT(strstr(line, " - tmpfs my\\040source rw,size=100k,nr_inodes=7,mode=755,uid=3"));
    EXPECT_IS(mkdir("with blank/d", 0755), 0);
    mkdir("b", 0755);
    EXPECT_IS(mount("with blank/d", "b", NULL, MS_BIND, NULL), 0);
    EXPECT_IS(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL), 0);
    snprintf(wanted, sizeof(wanted), " /d %s/b ro,noatime ", cwd);
    EXPECT(find_line("mountinfo", wanted, line, sizeof(line)));
    snprintf(wanted, sizeof(wanted), "my\\040source %s/b tmpfs ro,noatime,size=100k", cwd);
    EXPECT(find_line("mounts", wanted, line, sizeof(line)));
    EXPECT_IS(chdir("b"), 0);
    snprintf(wanted, sizeof(wanted), "%s/b", cwd);
    EXPECT(getcwd(line, sizeof(line)) && !strcmp(line, wanted));
    EXPECT_IS(chdir(".."), 0);
    umount("b");
    umount("with blank");
    rmdir("with blank");
    rmdir("b");
}

static void proc_and_sysfs_are_mounted_again(void)
{
    mkdir("m", 0755);
    EXPECT_IS(mount("proc", "m", "proc", 0, NULL), 0);
    EXPECT_IS(access("m/self/status", R_OK), 0);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(mount("sysfs", "m", "sysfs", 0, NULL), 0);
    EXPECT_ERR(mount("sysfs", "m", "sysfs", 0, NULL), EBUSY);
    EXPECT_IS(access("m/kernel/mm", R_OK), 0);
    EXPECT_IS(umount("m"), 0);
    EXPECT_IS(mount("r", "m", "ramfs", 0, NULL), 0);
    struct statfs fs = {0};
    EXPECT_IS(statfs("m", &fs), 0);
    EXPECT(fs.f_type == 0x858458f6 && fs.f_blocks == 0);
    EXPECT_IS(umount("m"), 0);
    rmdir("m");
}

static void chroot_ends_all_paths(void)
{
    int status = 0;

    mkdir("jail", 0755);
    mkdir("jail/in", 0755);
    EXPECT_ERR(chroot("missing"), ENOENT);
    close(create("plain", "x"));
    EXPECT_ERR(chroot("plain"), ENOTDIR);
    unlink("plain");
    if (fork() == 0) {
        char path[64] = "";
        EXPECT_IS(chroot("jail"), 0);
        EXPECT_IS(chdir("/in"), 0);
        EXPECT(getcwd(path, sizeof(path)) && !strcmp(path, "/in"));
        EXPECT_IS(access("../../../in", F_OK), 0);
        EXPECT_ERR(access("/../jail", F_OK), ENOENT);
        EXPECT_IS(symlink("/in", "/link"), 0);
        EXPECT_IS(access("/link/../in", F_OK), 0);
        EXPECT_IS(unlink("/link"), 0);
        _exit(ktap_failed);
    }
    wait(&status);
    EXPECT_IS(status, 0);
    rmdir("jail/in");
    EXPECT_IS(rmdir("jail"), 0);
}

/* Whatever the others do meanwhile: some calls are refused, none goes wrong. */
static void come_and_go(int rounds)
{
    char line[4096];

    for (int i = 0; i < rounds; i++) {
        mount("none", "m", "tmpfs", 0, "size=64k");
        int fd = open("m/f", O_CREAT | O_RDWR, 0644), dir = open("m", O_RDONLY);
        if (write(fd, line, sizeof(line)) < 0 || faccessat(dir, "../m/f", F_OK, 0) < 0)
            errno = 0;
        mount("m", "n", NULL, MS_BIND, NULL);
        rename("m/f", "n/g");
        slurp("/proc/self/mountinfo", line, sizeof(line));
        umount2(i % 2 ? "m" : "n", i % 3 ? MNT_DETACH : 0);
        close(dir);
        close(fd);
    }
}

static void many_mount_and_unmount_at_once(void)
{
    int status = 0, done = 0;

    mkdir("m", 0755);
    mkdir("n", 0755);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            come_and_go(100);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        done += status == 0;
    EXPECT_IS(done, 4);
    while (umount2("m", MNT_DETACH) == 0 || umount2("n", MNT_DETACH) == 0)
        ;
    unlink("m/f");
    unlink("n/g");
    EXPECT_IS(rmdir("m"), 0);
    EXPECT_IS(rmdir("n"), 0);
}

static const struct ktap_test tests[] = {
    TEST(mount_checks_in_linux_order),
    TEST(others_may_not_mount),
    TEST(a_mount_is_a_file_system_of_its_own),
    TEST(a_full_tmpfs_takes_what_fits),
    TEST(fallocate_takes_all_or_nothing),
    TEST(a_page_that_does_not_fit_gives_sigbus),
    TEST(a_tmpfs_has_so_many_inodes),
    TEST(limits_change_while_it_is_mounted),
    TEST(what_is_read_only_stays_as_it_is),
    TEST(noexec_nodev_and_nosuid_are_heeded),
    TEST(a_bind_shows_the_same_files),
    TEST(a_bind_can_show_what_is_mounted_below),
    TEST(a_mount_moves),
    TEST(a_mount_in_use_stays),
    TEST(what_is_detached_lives_on_in_who_uses_it),
    TEST(mounts_lie_on_each_other),
    TEST(proc_tells_what_is_mounted),
    TEST(proc_and_sysfs_are_mounted_again),
    TEST(chroot_ends_all_paths),
    TEST(many_mount_and_unmount_at_once),
};

int main(void)
{
    char dir[] = "/tmp/mount-XXXXXX";

    umask(022);
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0 || chdir(dir) < 0)
        return 1;
    int failed = KTAP_MAIN(tests);
    if (chdir("/") < 0 || rmdir(dir) < 0)
        printf("# something is left in %s\n", dir);
    return failed;
}
