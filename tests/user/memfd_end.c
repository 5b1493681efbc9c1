/* SPDX-License-Identifier: MIT */
/*
 * tests/user/memfd_end.c - a file without names ends with the last that leads to it, at once
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none; on a machine where others use shared memory by the tens of MiB, it may fail.
 * Always: (1) whatever keeps a file keeps all of it; what keeps one page, in a pipe, only that.
 * Source: memfd_create(2), unix(7) SCM_RIGHTS, proc_meminfo(5) Shmem.
 * Tour:   after tests/user/memfd_links.c and tests/user/scm.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define RW       (PROT_READ | PROT_WRITE)
#define FILE_LEN (32UL << 20)
#define NOISE    (8L << 10) /* KiB of others' shared memory, more or less */
#define HUGE     (2UL << 20)

static long kib_before;

/* KiB of shared memory that came since memory() was called last. */
static long kib_more(void)
{
    return meminfo("Shmem") - kib_before;
}

static bool is_there(void)
{
    return kib_more() > (long)(FILE_LEN >> 10) - NOISE;
}

static bool is_gone(void)
{
    return kib_more() < NOISE;
}

/* A large file, all of it there. */
static int memory(void)
{
    int fd = memfd_create("end", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    kib_before = meminfo("Shmem");
    EXPECT_IS(fallocate(fd, 0, 0, FILE_LEN), 0);
    EXPECT(is_there());
    return fd;
}

static void last_descriptor_ends_it(void)
{
    int fd = memory(), twin = dup(fd);
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int name = open(path, O_PATH);
    close(fd);
    EXPECT(is_there());
    close(twin);
    EXPECT(is_there());
    close(name);
    EXPECT(is_gone());
}

static void last_mapping_ends_it(void)
{
    int fd = memory();
    char *p = mmap(NULL, FILE_LEN, RW, MAP_SHARED, fd, 0);

    p[FILE_LEN - 1] = 'e';
    close(fd);
    EXPECT(is_there());
    EXPECT_IS(munmap(p, FILE_LEN - PAGE), 0);
    EXPECT(is_there()); /* a page of it is mapped, so all of it could be */
    EXPECT(p[FILE_LEN - 1] == 'e');
    EXPECT_IS(munmap(p + FILE_LEN - PAGE, PAGE), 0);
    EXPECT(is_gone());
}

static void private_mapping_keeps_it_too(void)
{
    int fd = memory();
    char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

    p[0] = 'c'; /* a page of its own now, but others of the file may follow */
    close(fd);
    EXPECT(is_there());
    EXPECT_IS(munmap(p, PAGE), 0);
    EXPECT(is_gone());
}

static void last_process_ends_it(void)
{
    int fd = memory(), ends[2];
    void *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    char byte;

    EXPECT_IS(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(fd); /* what is left to it is the mapping */
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    munmap(p, PAGE);
    close(fd);
    EXPECT(is_there());
    close(ends[0]);
    close(ends[1]);
    EXPECT_IS(waitpid(child, NULL, 0), child);
    EXPECT(is_gone());
}

static void page_in_a_pipe_keeps_no_more_than_itself(void)
{
    int fd = memory(), ends[2];
    char byte = 0;
    loff_t from = 0;

    EXPECT_IS(pipe(ends), 0);
    EXPECT_IS(pwrite(fd, "p", 1, 0), 1);
    EXPECT_IS(splice(fd, &from, ends[1], NULL, PAGE, 0), PAGE);
    close(fd);
    EXPECT(is_gone());
    EXPECT_IS(read(ends[0], &byte, 1), 1);
    EXPECT(byte == 'p');
    close(ends[0]);
    close(ends[1]);
}

static void page_of_a_mapping_in_a_pipe_too(void)
{
    int fd = memory(), ends[2];
    char *p = mmap(NULL, FILE_LEN, RW, MAP_SHARED, fd, 0), byte = 0;
    struct iovec page = {p, PAGE};

    EXPECT_IS(pipe(ends), 0);
    p[0] = 'v';
    EXPECT_IS(vmsplice(ends[1], &page, 1, 0), PAGE);
    munmap(p, FILE_LEN);
    close(fd);
    EXPECT(is_gone());
    EXPECT_IS(read(ends[0], &byte, 1), 1);
    EXPECT(byte == 'v');
    close(ends[0]);
    close(ends[1]);
}

static void send_fd(int to, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {
        {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec byte = {"f", 1};
    struct msghdr m = {.msg_iov = &byte,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(sizeof(int))};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    EXPECT_IS(sendmsg(to, &m, 0), 1);
}

static void message_on_its_way_keeps_it(void)
{
    int fd = memory(), ends[2];

    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    send_fd(ends[0], fd);
    close(fd);
    EXPECT(is_there());
    close(ends[0]);
    EXPECT(is_there());
    close(ends[1]);
    EXPECT(is_gone());
}

static void message_that_is_read_without_room_lets_it_go(void)
{
    int fd = memory(), ends[2];
    char byte;

    EXPECT_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    send_fd(ends[0], fd);
    close(fd);
    EXPECT(is_there());
    EXPECT_IS(read(ends[1], &byte, 1), 1);
    EXPECT(is_gone());
    close(ends[0]);
    close(ends[1]);
}

static void truncation_gives_back_at_once(void)
{
    int fd = memory();

    EXPECT_IS(ftruncate(fd, 0), 0);
    EXPECT(is_gone());
    EXPECT_IS(fallocate(fd, 0, 0, FILE_LEN), 0);
    EXPECT(is_there());
    EXPECT_IS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FILE_LEN), 0);
    EXPECT(is_gone());
    close(fd);
}

static void huge_pages_come_back_to_the_pool(void)
{
    long before = meminfo("HugePages_Free");
    int fd = memfd_create("pool", MFD_HUGETLB);

    if (fd < 0 || before < 2)
        SKIP("no huge pages");
    EXPECT_IS(ftruncate(fd, 2 * HUGE), 0);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    p[0] = p[HUGE] = 'h';
    close(fd);
    EXPECT_IS(meminfo("HugePages_Free"), before - 2);
    EXPECT_IS(munmap(p, HUGE), 0);
    EXPECT_IS(meminfo("HugePages_Free"), before - 2);
    EXPECT_IS(munmap(p + HUGE, HUGE), 0);
    EXPECT_IS(meminfo("HugePages_Free"), before);
    EXPECT_IS(meminfo("HugePages_Rsvd"), 0);
}

static const struct ktap_test tests[] = {
    TEST(last_descriptor_ends_it),
    TEST(last_mapping_ends_it),
    TEST(private_mapping_keeps_it_too),
    TEST(last_process_ends_it),
    TEST(page_in_a_pipe_keeps_no_more_than_itself),
    TEST(page_of_a_mapping_in_a_pipe_too),
    TEST(message_on_its_way_keeps_it),
    TEST(message_that_is_read_without_room_lets_it_go),
    TEST(truncation_gives_back_at_once),
    TEST(huge_pages_come_back_to_the_pool),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
