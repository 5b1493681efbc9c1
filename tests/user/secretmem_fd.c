/* SPDX-License-Identifier: MIT */
/*
 * tests/user/secretmem_fd.c - the descriptor of secret memory: what it is, what it refuses
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: memfd_secret(2); Linux secretmem.c, observed as root.
 * Tour:   after tests/user/secret.h; then tests/user/secretmem_map.c.
 */
#define _GNU_SOURCE
#include "../../include/uapi/stat.h"
#include "secret.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define SECRETMEM_MAGIC 0x5345434d

/* A secret file of two pages, and bytes to move. */
static int fd;
static char bytes[64];

static bool have_file(void)
{
    fd = secret_file(2);
    return fd >= 0;
}

#define WITH_FILE                    \
    do {                             \
        if (!have_file())            \
            SKIP("no memfd_secret"); \
    } while (0)

static void only_cloexec_is_a_flag(void)
{
    fd = secret(O_CLOEXEC);
    NEED_SECRET(fd);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    EXPECT_ERR(secret(1), EINVAL);
    EXPECT_ERR(secret(1u << 30), EINVAL);
    EXPECT_ERR(secret(O_CLOEXEC | O_NONBLOCK), EINVAL);
}

static void a_new_file_is_empty_and_private_to_its_owner(void)
{
    struct stat st = {0};

    fd = secret(0);
    NEED_SECRET(fd);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_mode, S_IFREG | 0600);
    EXPECT_IS(st.st_size, 0);
    EXPECT_IS(st.st_nlink, 1);
    EXPECT_IS(st.st_uid, geteuid());
    EXPECT_IS(st.st_blksize, PAGE);
    EXPECT_IS(fcntl(fd, F_GETFL), O_RDWR | 0100000 /* O_LARGEFILE */);
    EXPECT_IS(fcntl(fd, F_GETFD), 0);
    close(fd);
}

static void it_has_a_name_that_leads_nowhere(void)
{
    char name[64] = "";
    struct statfs fs = {0};

    WITH_FILE;
    EXPECT(readlink(proc_name(fd), name, sizeof name - 1) > 0);
    EXPECT(!strcmp(name, "/secretmem (deleted)"));
    EXPECT_IS(fstatfs(fd, &fs), 0);
    EXPECT_IS(fs.f_type, SECRETMEM_MAGIC);
    EXPECT_IS(fs.f_bsize, PAGE);
    close(fd);
}

static void read_and_write_are_refused(void)
{
    struct iovec part = {bytes, sizeof bytes};

    WITH_FILE;
    EXPECT_ERR(read(fd, bytes, 64), EINVAL);
    EXPECT_ERR(write(fd, bytes, 64), EINVAL);
    EXPECT_ERR(read(fd, bytes, 0), EINVAL);
    EXPECT_ERR(write(fd, bytes, 0), EINVAL);
    EXPECT_ERR(readv(fd, &part, 1), EINVAL);
    EXPECT_ERR(writev(fd, &part, 1), EINVAL);
    close(fd);
}

static void it_has_no_position(void)
{
    struct iovec part = {bytes, sizeof bytes};

    WITH_FILE;
    EXPECT_ERR(pread(fd, bytes, 64, 0), ESPIPE);
    EXPECT_ERR(pwrite(fd, bytes, 64, 0), ESPIPE);
    EXPECT_ERR(preadv(fd, &part, 1, 0), ESPIPE);
    EXPECT_ERR(pwritev(fd, &part, 1, 0), ESPIPE);
    EXPECT_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
    EXPECT_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
    EXPECT_ERR(lseek(fd, 0, SEEK_DATA), ESPIPE);
    EXPECT_ERR(syscall(SYS_preadv2, fd, &part, 1L, -1L, -1L, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_pwritev2, fd, &part, 1L, -1L, -1L, 0L), EINVAL);
    EXPECT_ERR(syscall(SYS_pwritev2, fd, &part, 1L, 0L, 0L, 0L), ESPIPE);
    close(fd);
}

static void splice_moves_nothing_either_way(void)
{
    int pipe_ends[2];
    loff_t at = 0;

    WITH_FILE;
    EXPECT_IS(pipe(pipe_ends), 0);
    EXPECT_ERR(splice(fd, NULL, pipe_ends[1], NULL, 64, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_ERR(splice(fd, &at, pipe_ends[1], NULL, 64, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_IS(write(pipe_ends[1], bytes, 8), 8);
    EXPECT_ERR(splice(pipe_ends[0], NULL, fd, NULL, 8, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_ERR(splice(pipe_ends[0], NULL, fd, &at, 8, SPLICE_F_NONBLOCK), EINVAL);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close(fd);
}

static void files_are_not_copied_to_or_from_it(void)
{
    int other = memfd_create("other", 0);
    loff_t a = 0, b = 0;
    off_t at = 0;

    WITH_FILE;
    EXPECT_IS(write(other, bytes, 64), 64);
    EXPECT_ERR(sendfile(other, fd, NULL, 64), EINVAL);
    EXPECT_ERR(sendfile(other, fd, &at, 64), ESPIPE);
    EXPECT_ERR(sendfile(fd, other, &at, 64), EINVAL);
    EXPECT_ERR(copy_file_range(fd, &a, other, &b, 64, 0), EXDEV);
    EXPECT_ERR(copy_file_range(other, &a, fd, &b, 64, 0), EXDEV);
    EXPECT_ERR(copy_file_range(fd, &a, fd, &b, 64, 0), EINVAL);
    close(other);
    close(fd);
}

static void the_size_is_set_once(void)
{
    struct stat st = {0};

    fd = secret(0);
    NEED_SECRET(fd);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_IS(ftruncate(fd, 2 * PAGE), 0);
    EXPECT_ERR(ftruncate(fd, 2 * PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 4 * PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, PAGE), EINVAL);
    EXPECT_ERR(ftruncate(fd, 0), EINVAL);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, 2 * PAGE);
    close(fd);
}

/* From nothing to @size. */
static void size_once(off_t size, int error)
{
    struct stat st = {0};

    fd = secret(0);
    if (error)
        EXPECT_ERR(ftruncate(fd, size), error);
    else
        EXPECT_IS(ftruncate(fd, size), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_size, error ? 0 : size);
    if (!error) {
        EXPECT_ERR(ftruncate(fd, size + 1), EINVAL);
        EXPECT_ERR(ftruncate(fd, 0), EINVAL);
    }
    close(fd);
}

static void any_size_is_a_size(void)
{
    NEED_SECRET(secret(0));
    size_once(1, 0);
    size_once(PAGE - 1, 0);
    size_once(PAGE + 1, 0);
    size_once(1L << 40, 0);
    size_once(0x7fffffffffffffffL - PAGE, 0);
}

static void it_can_be_sized_by_name(void)
{
    fd = secret(0);
    NEED_SECRET(fd);
    EXPECT_IS(truncate(proc_name(fd), PAGE), 0);
    EXPECT_ERR(truncate(proc_name(fd), PAGE), EINVAL);
    EXPECT_ERR(truncate(proc_name(fd), 0), EINVAL);
    close(fd);
}

static void it_is_not_opened_again(void)
{
    static const int modes[] = {O_RDONLY,         O_WRONLY,           O_RDWR,
                                O_RDWR | O_TRUNC, O_RDONLY | O_CREAT, O_RDWR | O_DIRECT};

    WITH_FILE;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        EXPECT_ERR(open(proc_name(fd), modes[i], 0600), ENXIO);
    EXPECT_ERR(open(proc_name(fd), O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_ERR(open(proc_name(fd), O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    close(fd);
}

static void it_can_be_named_without_opening(void)
{
    struct stat st;

    WITH_FILE;
    int path = open(proc_name(fd), O_PATH);
    EXPECT(path >= 0);
    EXPECT_ERR(read(path, bytes, 1), EBADF);
    EXPECT_ERR(ftruncate(path, PAGE), EBADF);
    EXPECT_ERR(syscall(SYS_mmap, 0L, PAGE, PROT_READ, MAP_SHARED, path, 0L), EBADF);
    EXPECT_IS(fstat(path, &st), 0);
    EXPECT_ERR(open(proc_name(path), O_RDONLY), ENXIO);
    close(path);
    close(fd);
}

static void strangers_may_not_even_ask(void)
{
    EXPECT_IS(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    become_nobody();
    EXPECT_ERR(fchmod(fd, 0777), EPERM);
    EXPECT_ERR(fchown(fd, NOBODY, NOBODY), EPERM);
    EXPECT_ERR(futimens(fd, (struct timespec[2]){{1, 0}, {1, 0}}), EPERM);
    EXPECT_ERR(truncate(proc_name(fd), 0), EACCES);
    EXPECT_ERR(open(proc_name(fd), O_RDONLY), EACCES);
    EXPECT_ERR(open(proc_name(fd), O_RDWR), EACCES);
    EXPECT_ERR(access(proc_name(fd), R_OK), EACCES);
    EXPECT_IS(access(proc_name(fd), F_OK), 0);
}

static void other_users_may_not_even_ask(void)
{
    NEED_ROOT;
    WITH_FILE;
    in_child(strangers_may_not_even_ask);
    close(fd);
}

static void its_owner_may_change_mode_and_times(void)
{
    struct stat st = {0};

    WITH_FILE;
    EXPECT_IS(fchmod(fd, 0640), 0);
    EXPECT_IS(futimens(fd, (struct timespec[2]){{5, 0}, {6, 0}}), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_mode, S_IFREG | 0640);
    EXPECT_IS(st.st_atim.tv_sec, 5);
    EXPECT_IS(st.st_mtim.tv_sec, 6);
    EXPECT_IS(fchmod(fd, 0777), 0);
    close(fd);
}

static void root_may_give_it_away(void)
{
    struct stat st = {0};

    NEED_ROOT;
    WITH_FILE;
    EXPECT_IS(fchown(fd, NOBODY, NOBODY), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(st.st_uid, NOBODY);
    EXPECT_IS(st.st_gid, NOBODY);
    close(fd);
}

static void it_is_never_run(void)
{
    char *argv[] = {"secret", NULL};

    WITH_FILE;
    EXPECT_IS(fchmod(fd, 0777), 0);
    EXPECT_ERR(syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH), EACCES);
    EXPECT_ERR(execve(proc_name(fd), argv, argv + 1), EACCES);
    EXPECT_ERR(access(proc_name(fd), X_OK), EACCES);
    close(fd);
}

static void it_gets_no_name(void)
{
    WITH_FILE;
    EXPECT_ERR(linkat(fd, "", AT_FDCWD, "/dev/shm/bulla-secret", AT_EMPTY_PATH), EXDEV);
    EXPECT_ERR(
        linkat(AT_FDCWD, proc_name(fd), AT_FDCWD, "/dev/shm/bulla-secret", AT_SYMLINK_FOLLOW),
        EXDEV);
    close(fd);
}

static void nothing_is_written_back(void)
{
    WITH_FILE;
    EXPECT_ERR(fsync(fd), EINVAL);
    EXPECT_ERR(fdatasync(fd), EINVAL);
    EXPECT_ERR(syscall(SYS_fallocate, fd, 0, 0L, PAGE), EOPNOTSUPP);
    EXPECT_ERR(syscall(SYS_fallocate, fd, 3 /* punch a hole */, 0L, PAGE), EOPNOTSUPP);
    EXPECT_ERR(syscall(SYS_fallocate, fd, 0, 0L, 0L), EINVAL);
    close(fd);
}

static void advice_is_taken_and_forgotten(void)
{
    WITH_FILE;
    EXPECT_IS(posix_fadvise(fd, 0, PAGE, POSIX_FADV_WILLNEED), 0);
    EXPECT_IS(posix_fadvise(fd, 0, PAGE, POSIX_FADV_DONTNEED), 0);
    EXPECT_IS(posix_fadvise(fd, 0, PAGE, 99), EINVAL);
    EXPECT_ERR(readahead(fd, 0, PAGE), EINVAL);
    EXPECT_IS(sync_file_range(fd, 0, PAGE, 0), 0);
    close(fd);
}

static void it_has_no_seals(void)
{
    WITH_FILE;
    EXPECT_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EINVAL);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, 0), EINVAL);
    close(fd);
}

static void it_can_be_locked_as_any_file(void)
{
    struct flock all = {.l_type = F_WRLCK};

    WITH_FILE;
    EXPECT_IS(flock(fd, LOCK_EX | LOCK_NB), 0);
    EXPECT_IS(flock(fd, LOCK_UN), 0);
    EXPECT_IS(fcntl(fd, F_SETLK, &all), 0);
    EXPECT_IS(fcntl(fd, F_GETLK, &all), 0);
    EXPECT_IS(all.l_type, F_UNLCK);
    EXPECT_IS(fcntl(fd, F_SETLK, &all), 0);
    close(fd);
}

static void status_flags_are_those_of_a_file(void)
{
    WITH_FILE;
    EXPECT_IS(fcntl(fd, F_SETFL, O_APPEND), 0);
    EXPECT_IS(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    EXPECT_IS(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    EXPECT_ERR(fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
    EXPECT_ERR(fcntl(fd, F_GETPIPE_SZ), EBADF);
    close(fd);
}

static void no_device_answers(void)
{
    WITH_FILE;
    EXPECT_ERR(ioctl(fd, TCGETS, bytes), ENOTTY);
    EXPECT_ERR(ioctl(fd, 0x1234, bytes), ENOTTY);
    EXPECT_ERR(ioctl(fd, FIONREAD, bytes), ENOTTY);
    EXPECT_IS(ioctl(fd, FIOCLEX), 0);
    EXPECT_IS(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void it_is_always_ready_and_never_waited_for(void)
{
    struct pollfd p = {.events = POLLIN | POLLOUT};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);

    WITH_FILE;
    p.fd = fd;
    EXPECT_IS(poll(&p, 1, 0), 1);
    EXPECT_IS(p.revents, POLLIN | POLLOUT);
    EXPECT_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), EPERM);
    close(epoll);
    close(fd);
}

static void it_has_no_attributes(void)
{
    WITH_FILE;
    if (fgetxattr(fd, "user.a", bytes, 64) < 0 && errno == ENOSYS)
        SKIP("no file has");
    EXPECT_ERR(fgetxattr(fd, "user.a", bytes, 64), EOPNOTSUPP);
    EXPECT_ERR(fsetxattr(fd, "user.a", bytes, 1, 0), EOPNOTSUPP);
    close(fd);
}

static void statx_says_what_fstat_says(void)
{
    struct uapi_statx x = {0};
    struct stat st = {0};

    WITH_FILE;
    EXPECT_IS(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x), 0);
    EXPECT_IS(fstat(fd, &st), 0);
    EXPECT_IS(x.mode, st.st_mode);
    EXPECT_IS(x.size, 2 * PAGE);
    EXPECT_IS(x.ino, st.st_ino);
    EXPECT_IS(x.blocks, 0);
    close(fd);
}

static void two_files_are_two(void)
{
    struct stat a = {0}, b = {0};

    WITH_FILE;
    int other = secret_file(1), same = dup(fd);
    EXPECT_IS(fstat(fd, &a), 0);
    EXPECT_IS(fstat(other, &b), 0);
    EXPECT(a.st_ino != b.st_ino);
    EXPECT_IS(a.st_dev, b.st_dev);
    EXPECT_IS(fstat(same, &b), 0);
    EXPECT_IS(a.st_ino, b.st_ino);
    close(other);
    close(same);
    close(fd);
}

static void a_closed_descriptor_is_none(void)
{
    WITH_FILE;
    int same = dup(fd);
    close(fd);
    EXPECT_ERR(ftruncate(fd, PAGE), EBADF);
    EXPECT_ERR(ftruncate(same, PAGE), EINVAL);
    close(same);
}

static const struct ktap_test tests[] = {
    TEST(only_cloexec_is_a_flag),
    TEST(a_new_file_is_empty_and_private_to_its_owner),
    TEST(it_has_a_name_that_leads_nowhere),
    TEST(read_and_write_are_refused),
    TEST(it_has_no_position),
    TEST(splice_moves_nothing_either_way),
    TEST(files_are_not_copied_to_or_from_it),
    TEST(the_size_is_set_once),
    TEST(any_size_is_a_size),
    TEST(it_can_be_sized_by_name),
    TEST(it_is_not_opened_again),
    TEST(it_can_be_named_without_opening),
    TEST(other_users_may_not_even_ask),
    TEST(its_owner_may_change_mode_and_times),
    TEST(root_may_give_it_away),
    TEST(it_is_never_run),
    TEST(it_gets_no_name),
    TEST(nothing_is_written_back),
    TEST(advice_is_taken_and_forgotten),
    TEST(it_has_no_seals),
    TEST(it_can_be_locked_as_any_file),
    TEST(status_flags_are_those_of_a_file),
    TEST(no_device_answers),
    TEST(it_is_always_ready_and_never_waited_for),
    TEST(it_has_no_attributes),
    TEST(statx_says_what_fstat_says),
    TEST(two_files_are_two),
    TEST(a_closed_descriptor_is_none),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
