/* SPDX-License-Identifier: MIT */
/*
 * tests/user/splice.c - pages that go through pipes: splice, tee, vmsplice; and what copies files
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2).
 * Tour:   after tests/user/pipes.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RW  (PROT_READ | PROT_WRITE)
#define NOW SPLICE_F_NONBLOCK

static int from[2], to[2], file;
static char buf[1 << 18], seen[1 << 18];

/* Two pipes, and a file of 10000 bytes. */
static void open_all(void)
{
    EXPECT_IS(pipe(from), 0);
    EXPECT_IS(pipe(to), 0);
    file = memfd_create("splice", MFD_ALLOW_SEALING);
    for (int i = 0; i < 10000; i++)
        buf[i] = (char)(i * 7 + i / 256);
    EXPECT_IS(write(file, buf, 10000), 10000);
    EXPECT_IS(lseek(file, 0, SEEK_SET), 0);
}

static void close_all(void)
{
    for (int i = 0; i < 2; i++) {
        close(from[i]);
        close(to[i]);
    }
    close(file);
}

static int bytes_in(int fd)
{
    int bytes = -1;

    return ioctl(fd, FIONREAD, &bytes) < 0 ? -errno : bytes;
}

/* The next @len bytes of @fd are those of buf from @offset on. */
static bool reads(int fd, size_t offset, size_t len)
{
    return read(fd, seen, len) == (ssize_t)len && !memcmp(seen, buf + offset, len);
}

static void a_file_goes_into_a_pipe(void)
{
    off_t at = 5000;

    open_all();
    EXPECT_IS(splice(file, NULL, to[1], NULL, 100, 0), 100);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 100);
    EXPECT(reads(to[0], 0, 100));
    EXPECT_IS(splice(file, &at, to[1], NULL, 1 << 20, 0), 5000);
    EXPECT_IS(at, 10000);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 100);
    EXPECT(reads(to[0], 5000, 5000));
    EXPECT_IS(splice(file, &at, to[1], NULL, 10, 0), 0);
    EXPECT_IS(ftruncate(file, 20000), 0);
    EXPECT_IS(splice(file, &at, to[1], NULL, 10000, 0), 10000);
    EXPECT_IS(read(to[0], seen, sizeof seen), 10000);
    EXPECT(seen[0] == 0 && !memcmp(seen, seen + 1, 9999));
    close_all();
}

static void a_pipe_goes_into_a_file(void)
{
    off_t at = 3;

    open_all();
    EXPECT_IS(write(from[1], "hello", 5), 5);
    EXPECT_IS(splice(from[0], NULL, file, &at, 100, 0), 5);
    EXPECT_IS(at, 8);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 0);
    EXPECT_IS(pread(file, seen, 6, 3), 6);
    EXPECT(!memcmp(seen, "hello", 5) && seen[5] == buf[8]);
    EXPECT_IS(write(from[1], "you", 3), 3);
    EXPECT_IS(splice(from[0], NULL, file, NULL, 2, 0), 2);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 2);
    EXPECT_IS(bytes_in(from[0]), 1);
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_ERR(splice(from[0], NULL, file, NULL, 2, 0), EPERM);
    EXPECT_IS(bytes_in(from[0]), 1);
    close_all();
}

static void a_pipe_goes_into_a_pipe(void)
{
    open_all();
    EXPECT_IS(write(from[1], buf, 6000), 6000);
    EXPECT_IS(splice(from[0], NULL, to[1], NULL, 5000, 0), 5000);
    EXPECT_IS(bytes_in(from[0]), 1000);
    EXPECT_IS(bytes_in(to[0]), 5000);
    EXPECT_IS(write(from[1], buf + 6000, 100), 100);
    EXPECT_IS(splice(from[0], NULL, to[1], NULL, 1 << 20, 0), 1100);
    EXPECT_IS(write(to[1], buf + 6100, 50), 50);
    EXPECT(reads(to[0], 0, 6150));
    EXPECT_ERR(splice(from[0], NULL, to[1], NULL, 10, NOW), EAGAIN);
    while (write(to[1], buf, 4096) == 4096 && bytes_in(to[0]) < 65536)
        ;
    EXPECT_IS(write(from[1], "x", 1), 1);
    EXPECT_ERR(splice(from[0], NULL, to[1], NULL, 10, NOW), EAGAIN);
    EXPECT_IS(read(to[0], seen, sizeof seen), 65536);
    EXPECT_IS(read(from[0], seen, 1), 1);
    close(from[1]);
    EXPECT_IS(splice(from[0], NULL, to[1], NULL, 10, 0), 0);
    close_all();
}

static void tee_leaves_what_it_shows(void)
{
    open_all();
    EXPECT_IS(write(from[1], buf, 6000), 6000);
    EXPECT_IS(tee(from[0], to[1], 5000, 0), 5000);
    EXPECT_IS(bytes_in(from[0]), 6000);
    EXPECT_IS(write(from[1], buf + 6000, 100), 100);
    EXPECT_IS(write(to[1], buf + 5000, 10), 10);
    EXPECT(reads(to[0], 0, 5010));
    EXPECT(reads(from[0], 0, 6100));
    EXPECT_ERR(tee(from[0], to[1], 10, NOW), EAGAIN);
    EXPECT_IS(tee(from[0], to[1], 0, 0), 0);
    EXPECT_ERR(tee(from[0], from[1], 10, 0), EINVAL);
    EXPECT_ERR(tee(file, to[1], 10, 0), EINVAL);
    EXPECT_ERR(tee(from[1], to[1], 10, 0), EBADF);
    EXPECT_ERR(tee(from[0], to[1], 10, 16), EINVAL);
    EXPECT_ERR(tee(99, to[1], 10, 0), EBADF);
    close_all();
}

static void vmsplice_shows_memory_as_it_becomes(void)
{
    char *memory = mmap(NULL, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec iov[2] = {{memory + 4000, 200}, {memory, 3}};

    open_all();
    memset(memory, 'a', 8192);
    EXPECT_IS(vmsplice(to[1], iov, 2, 0), 203);
    memory[4000] = 'b'; /* the page is shared with the pipe, not copied */
    EXPECT_IS(read(to[0], seen, sizeof seen), 203);
    EXPECT(seen[0] == 'b' && seen[1] == 'a' && seen[202] == 'a');
    EXPECT_IS(vmsplice(to[1], iov, 1, SPLICE_F_GIFT), 200);
    munmap(memory, 8192);
    EXPECT_IS(read(to[0], seen, sizeof seen), 200);
    EXPECT(seen[0] == 'b' && seen[199] == 'a');
    close_all();
}

/* What a child took of shared memory does not change with what the parent writes later. */
static void a_pipe_keeps_nobody_elses_secrets(void)
{
    char *memory = mmap(NULL, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec iov = {memory, 16};
    int status = -1;

    open_all();
    strcpy(memory, "public");
    pid_t child = fork();
    if (child == 0) {
        bool sent = vmsplice(to[1], &iov, 1, 0) == 16;
        munmap(memory, 4096);
        _exit(!sent);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    strcpy(memory, "secret");
    EXPECT_IS(read(to[0], seen, 16), 16);
    EXPECT(!strcmp(seen, "public"));
    munmap(memory, 4096);
    close_all();
}

static void untouched_memory_is_zeros(void)
{
    char *memory = mmap(NULL, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec iov = {memory, 8192};

    open_all();
    EXPECT_IS(vmsplice(to[1], &iov, 1, 0), 8192);
    memory[0] = 'x';
    EXPECT_IS(read(to[0], seen, sizeof seen), 8192);
    EXPECT(seen[0] == 0 && !memcmp(seen, seen + 1, 8191));
    munmap(memory, 8192);
    close_all();
}

static void vmsplice_fills_a_pipe_and_empties_it(void)
{
    char *memory = mmap(NULL, 1 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec iov = {memory, 1 << 20}, out = {seen, 100};

    open_all();
    EXPECT_IS(vmsplice(to[1], &iov, 1, 0), 65536);
    EXPECT_ERR(vmsplice(to[1], &iov, 1, NOW), EAGAIN);
    EXPECT_IS(vmsplice(to[0], &out, 1, 0), 100);
    EXPECT_IS(read(to[0], seen, sizeof seen), 65436);
    EXPECT_ERR(vmsplice(to[0], &out, 1, NOW), EAGAIN);
    munmap(memory, 1 << 20);
    close_all();
}

static void memory_that_cannot_be_read_is_refused(void)
{
    char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec iov = {none, 4096};

    open_all();
    EXPECT_ERR(vmsplice(to[1], &iov, 1, 0), EFAULT);
    mprotect(none, 4096, RW);
    iov.iov_len = 8192;
    EXPECT_IS(vmsplice(to[1], &iov, 1, 0), 4096);
    EXPECT_ERR(vmsplice(file, &iov, 1, 0), EBADF);
    EXPECT_ERR(vmsplice(to[1], &iov, 1, 32), EINVAL);
    EXPECT_ERR(vmsplice(to[1], (void *)8, 1, 0), EFAULT);
    EXPECT_ERR(vmsplice(to[1], &iov, 1025, 0), EINVAL);
    EXPECT_ERR(vmsplice(99, &iov, 1, 0), EBADF);
    EXPECT_IS(vmsplice(to[1], &iov, 0, 0), 0);
    munmap(none, 8192);
    close_all();
}

static void secret_memory_does_not_go_into_pipes(void)
{
    int fd = (int)syscall(447 /* memfd_secret */, 0);
    struct iovec iov;

    if (fd < 0)
        SKIP("no memfd_secret");
    open_all();
    EXPECT_IS(ftruncate(fd, 4096), 0);
    char *secret = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
    EXPECT(secret != MAP_FAILED);
    secret[0] = 'x';
    iov = (struct iovec){secret, 4096};
    EXPECT_ERR(vmsplice(to[1], &iov, 1, 0), EFAULT);
    EXPECT_IS(bytes_in(to[0]), 0);
    munmap(secret, 4096);
    close(fd);
    close_all();
}

static void spliced_files_are_seen_as_they_become(void)
{
    off_t at = 0;

    open_all();
    EXPECT_IS(splice(file, &at, to[1], NULL, 10, 0), 10);
    EXPECT_IS(pwrite(file, "Z", 1, 0), 1);
    EXPECT_IS(read(to[0], seen, 10), 10);
    EXPECT_IS(seen[0], 'Z');
    at = 4096;
    EXPECT_IS(splice(file, &at, to[1], NULL, 10, 0), 10);
    EXPECT_IS(ftruncate(file, 0), 0);
    EXPECT(reads(to[0], 4096, 10));
    close_all();
}

/* Every place of a pipe had bytes that more could be put behind; then it has a file's page. */
static void what_is_spliced_is_not_written_to(void)
{
    off_t at = 4096;

    open_all();
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK), 0);
    for (int i = 0; i < 16; i++)
        EXPECT_IS(write(to[1], seen, 4096), 4096);
    EXPECT_IS(read(to[0], seen, sizeof seen), 65536);
    EXPECT_IS(splice(file, &at, to[1], NULL, 1, 0), 1);
    EXPECT_IS(write(to[1], "overwritten", 11), 11);
    EXPECT_IS(tee(to[0], from[1], 12, 0), 12);
    EXPECT_IS(write(from[1], "again", 5), 5);
    EXPECT_IS(pread(file, seen, 10000, 0), 10000);
    EXPECT(!memcmp(seen, buf, 10000));
    EXPECT(reads(to[0], 4096, 1));
    EXPECT_IS(read(to[0], seen, 100), 11);
    EXPECT(!memcmp(seen, "overwritten", 11));
    EXPECT_IS(read(from[0], seen, 100), 17);
    close_all();
}

static void pages_in_pipes_are_not_sealed(void)
{
    off_t at = 0;
    struct iovec iov;

    open_all();
    EXPECT_IS(splice(file, &at, to[1], NULL, 10, 0), 10);
    EXPECT_ERR(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_GROW), 0);
    char *map = mmap(NULL, 8192, RW, MAP_SHARED, file, 0); /* the refusal left nothing behind */
    EXPECT(map != MAP_FAILED);
    EXPECT_IS(read(to[0], seen, 10), 10);
    if (map == MAP_FAILED) { /* the pipe stays empty: nobody may wait for it */
        close_all();
        return;
    }
    iov = (struct iovec){map + 4096, 10};
    EXPECT_IS(vmsplice(to[1], &iov, 1, 0), 10);
    munmap(map, 8192);
    EXPECT_ERR(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    EXPECT(reads(to[0], 4096, 10));
    EXPECT_IS(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_IS(splice(file, &at, to[1], NULL, 10, 0), 10);
    EXPECT(reads(to[0], 10, 10));
    close_all();
}

static void sockets_and_devices_take_part(void)
{
    int pair[2], zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_WRONLY);

    open_all();
    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_IS(write(from[1], buf, 100), 100);
    EXPECT_IS(splice(from[0], NULL, pair[0], NULL, 100, 0), 100);
    EXPECT_IS(splice(pair[1], NULL, to[1], NULL, 1000, 0), 100);
    EXPECT(reads(to[0], 0, 100));
    EXPECT_ERR(splice(pair[1], NULL, to[1], NULL, 1000, NOW), EAGAIN);
    EXPECT_IS(splice(zero, NULL, to[1], NULL, 5000, 0), 5000);
    EXPECT_IS(splice(to[0], NULL, null, NULL, 5000, 0), 5000);
    EXPECT_IS(sendfile(pair[0], file, NULL, 20000), 10000);
    EXPECT_IS(read(pair[1], seen, sizeof seen), 10000);
    EXPECT(!memcmp(seen, buf, 10000));
    close(zero);
    close(null);
    close(pair[0]);
    close(pair[1]);
    close_all();
}

static void some_files_take_no_part(void)
{
    int event = eventfd(5, 0), epoll = epoll_create1(0),
        status = open("/proc/self/status", O_RDONLY);
    int fds[] = {event, epoll, status};

    open_all();
    EXPECT_IS(write(from[1], buf, 8), 8);
    for (int i = 0; i < 3; i++) {
        EXPECT_ERR(splice(fds[i], NULL, to[1], NULL, 8, NOW), EINVAL);
        EXPECT_ERR(sendfile(to[1], fds[i], NULL, 8), EINVAL);
        close(fds[i]);
    }
    event = eventfd(0, 0);
    EXPECT_ERR(splice(from[0], NULL, event, NULL, 8, 0), EINVAL);
    EXPECT_IS(bytes_in(from[0]), 8);
    close(event);
    close_all();
}

/* Huge pages of a pool go into pipes as memory, not as files. */
static void huge_pages_are_spliced_from_memory(void)
{
    int huge = memfd_create("huge", MFD_HUGETLB);
    struct iovec iov;

    if (huge >= 0 && ftruncate(huge, 2 << 20) < 0)
        SKIP("no huge pages");
    char *memory = huge < 0 ? MAP_FAILED : mmap(NULL, 2 << 20, RW, MAP_SHARED, huge, 0);
    if (memory == MAP_FAILED)
        SKIP("no huge pages");
    open_all();
    memory[500000] = 'x';
    EXPECT_ERR(splice(huge, NULL, to[1], NULL, 8, 0), EINVAL);
    iov = (struct iovec){memory + 499999, 5000};
    EXPECT_IS(vmsplice(to[1], &iov, 1, 0), 5000);
    munmap(memory, 2 << 20);
    close(huge);
    EXPECT_IS(read(to[0], seen, sizeof seen), 5000);
    EXPECT(seen[0] == 0 && seen[1] == 'x' && seen[2] == 0);
    close_all();
}

static void splice_looks_at_its_arguments_in_order(void)
{
    off_t at = -1;
    int directory = open("/tmp", O_RDONLY), appends = open("/tmp", O_TMPFILE | O_RDWR, 0600);

    open_all();
    signal(SIGPIPE, SIG_IGN);
    EXPECT_IS(write(from[1], "x", 1), 1);
    EXPECT_IS(splice(99, NULL, 98, NULL, 0, 99), 0);
    EXPECT_ERR(splice(99, NULL, 98, NULL, 1, 16), EINVAL);
    EXPECT_ERR(splice(99, NULL, to[1], NULL, 1, 0), EBADF);
    EXPECT_ERR(splice(from[0], NULL, 99, NULL, 1, 0), EBADF);
    EXPECT_ERR(splice(from[0], &at, to[1], NULL, 1, 0), ESPIPE);
    EXPECT_ERR(splice(from[0], NULL, to[1], &at, 1, 0), ESPIPE);
    EXPECT_ERR(splice(from[0], NULL, from[1], NULL, 1, 0), EINVAL);
    EXPECT_ERR(splice(from[1], NULL, to[1], NULL, 1, 0), EBADF);
    EXPECT_ERR(splice(file, NULL, file, NULL, 1, 0), EINVAL);
    EXPECT_ERR(splice(from[0], NULL, file, &at, 1, 0), EINVAL);
    EXPECT_ERR(splice(file, (void *)8, to[1], NULL, 1, 0), EFAULT);
    EXPECT_ERR(splice(directory, NULL, to[1], NULL, 1, 0), EINVAL);
    EXPECT_IS(fcntl(appends, F_SETFL, O_APPEND), 0);
    EXPECT_ERR(splice(from[0], NULL, appends, NULL, 1, 0), EINVAL);
    close(to[0]);
    EXPECT_ERR(splice(from[0], NULL, to[1], NULL, 1, 0), EPIPE);
    EXPECT_ERR(splice(file, NULL, to[1], NULL, 1, 0), EPIPE);
    EXPECT_IS(bytes_in(from[0]), 1);
    close(directory);
    close(appends);
    close_all();
}

static void sendfile_fills_pipes_and_files(void)
{
    off_t at = 100;
    int other = memfd_create("other", 0);

    open_all();
    EXPECT_IS(sendfile(to[1], file, &at, 50), 50);
    EXPECT_IS(at, 150);
    EXPECT(reads(to[0], 100, 50));
    EXPECT_IS(sendfile(other, file, NULL, 1 << 20), 10000);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 10000);
    EXPECT_IS(lseek(other, 0, SEEK_CUR), 10000);
    EXPECT_IS(sendfile(other, file, NULL, 10), 0);
    EXPECT_ERR(sendfile(other, to[0], NULL, 10), EINVAL);
    EXPECT_ERR(sendfile(other, to[0], &at, 10), ESPIPE);
    EXPECT_ERR(sendfile(to[0], file, NULL, 10), EBADF);
    EXPECT_ERR(sendfile(to[1], from[1], NULL, 10), EBADF);
    EXPECT_ERR(sendfile(99, file, NULL, 10), EBADF);
    EXPECT_ERR(sendfile(other, 99, NULL, 10), EBADF);
    EXPECT_IS(fcntl(other, F_SETFL, O_APPEND), 0);
    EXPECT_ERR(sendfile(other, file, NULL, 10), EINVAL);
    close(other);
    close_all();
}

static void ranges_are_copied_between_files(void)
{
    off_t in = 10, out = 5;
    int other = memfd_create("other", 0), directory = open("/tmp", O_RDONLY);

    open_all();
    EXPECT_IS(copy_file_range(file, &in, other, &out, 100, 0), 100);
    EXPECT(in == 110 && out == 105);
    EXPECT_IS(lseek(other, 0, SEEK_END), 105);
    EXPECT_IS(pread(other, seen, 100, 5), 100);
    EXPECT(!memcmp(seen, buf + 10, 100));
    EXPECT_IS(copy_file_range(file, NULL, other, NULL, 1 << 20, 0), 10000);
    EXPECT_IS(lseek(file, 0, SEEK_CUR), 10000);
    EXPECT_IS(copy_file_range(file, NULL, other, NULL, 10, 0), 0);
    in = 0;
    out = 50;
    EXPECT_ERR(copy_file_range(file, &in, file, &out, 100, 0), EINVAL);
    EXPECT_IS(copy_file_range(file, &in, file, &out, 50, 0), 50);
    EXPECT_ERR(copy_file_range(file, &in, other, &out, 10, 1), EINVAL);
    EXPECT_ERR(copy_file_range(to[0], NULL, other, NULL, 10, 0), EINVAL);
    EXPECT_ERR(copy_file_range(directory, NULL, other, NULL, 10, 0), EISDIR);
    int elsewhere = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    EXPECT_ERR(copy_file_range(file, &in, elsewhere, NULL, 10, 0), EXDEV);
    close(elsewhere);
    EXPECT_ERR(copy_file_range(99, NULL, other, NULL, 10, 0), EBADF);
    EXPECT_ERR(copy_file_range(file, &in, other, &out, SIZE_MAX, 0), EOVERFLOW);
    in = INT64_MAX - 5;
    EXPECT_IS(copy_file_range(file, &in, other, &out, 10, 0), 0);
    in = -100;
    EXPECT_ERR(copy_file_range(file, &in, other, &out, 10, 0), EINVAL);
    EXPECT_ERR(copy_file_range(file, &in, other, &out, 100, 0), EOVERFLOW);
    close(directory);
    close(other);
    close_all();
}

static const struct ktap_test tests[] = {
    TEST(a_file_goes_into_a_pipe),
    TEST(a_pipe_goes_into_a_file),
    TEST(a_pipe_goes_into_a_pipe),
    TEST(tee_leaves_what_it_shows),
    TEST(vmsplice_shows_memory_as_it_becomes),
    TEST(a_pipe_keeps_nobody_elses_secrets),
    TEST(untouched_memory_is_zeros),
    TEST(vmsplice_fills_a_pipe_and_empties_it),
    TEST(memory_that_cannot_be_read_is_refused),
    TEST(secret_memory_does_not_go_into_pipes),
    TEST(spliced_files_are_seen_as_they_become),
    TEST(what_is_spliced_is_not_written_to),
    TEST(pages_in_pipes_are_not_sealed),
    TEST(sockets_and_devices_take_part),
    TEST(some_files_take_no_part),
    TEST(huge_pages_are_spliced_from_memory),
    TEST(splice_looks_at_its_arguments_in_order),
    TEST(sendfile_fills_pipes_and_files),
    TEST(ranges_are_copied_between_files),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
