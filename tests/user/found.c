/* SPDX-License-Identifier: MIT */
/*
 * tests/user/found.c - what random sequences of calls once found
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: tests/user/differ, tests/user/fuzz; mlockall(2), mremap(2), madvise(2), open(2).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define ARENA  ((char *)0x20000000000UL)
#define AT(n)  (ARENA + (n)*PAGE)
#define MCL_ON 4 /* MCL_ONFAULT */

static char *map(int page, int pages, int prot, int flags, int fd)
{
    return mmap(AT(page), (size_t)pages * PAGE, prot, flags | MAP_FIXED, fd, 0);
}

static void unmap_all(void)
{
    munmap(ARENA, 400 * PAGE);
}

/* Presence of pages as a number: bit n is page n. */
static unsigned present(int page, int pages)
{
    unsigned char vec[16] = {0};
    unsigned bits = 0;

    EXPECT_IS(mincore(AT(page), (size_t)pages * PAGE, vec), 0);
    for (int i = 0; i < pages; i++)
        bits |= (unsigned)(vec[i] & 1) << i;
    return bits;
}

static void mlockall_fills_what_is_there_and_what_comes(void)
{
    map(0, 3, RW, ANON, -1);
    EXPECT_IS(mlockall(MCL_CURRENT), 0);
    EXPECT_IS(present(0, 3), 7);
    EXPECT_IS(mlockall(MCL_FUTURE), 0);
    map(4, 2, PROT_READ, ANON, -1);
    EXPECT_IS(present(4, 2), 3);
    EXPECT_IS(mlockall(MCL_FUTURE | MCL_ON), 0);
    map(8, 2, RW, ANON | MAP_POPULATE | MAP_LOCKED, -1);
    EXPECT_IS(present(8, 2), 0);
    munlockall();
    unmap_all();
}

static void mprotect_fills_each_locked_area_by_itself(void)
{
    int fd = memfd_create("empty", 0);

    map(0, 1, PROT_READ, MAP_PRIVATE, fd); /* beyond its end: cannot be filled */
    map(1, 2, PROT_READ, ANON, -1);
    EXPECT_ERR(mlock(AT(0), 3 * PAGE), ENOMEM);
    EXPECT_IS(madvise(AT(1), 2 * PAGE, 24 /* DONTNEED_LOCKED */), 0);
    EXPECT_IS(present(1, 2), 0);
    EXPECT_IS(mprotect(AT(0), 3 * PAGE, RW), 0);
    EXPECT_IS(present(1, 2), 3);
    close(fd);
    unmap_all();
}

static void child_does_not_inherit_how_locks_fill(void)
{
    int status = -1;

    map(0, 4, RW, ANON, -1);
    EXPECT_IS(mprotect(AT(1), PAGE, PROT_READ), 0);
    EXPECT_IS(syscall(SYS_mlock2, AT(0), 4 * PAGE, 1 /* ONFAULT */), 0);
    pid_t child = fork();
    if (child == 0) {
        int before = maps_count(AT(0), 4 * PAGE);
        munlockall();
        _exit(before == 3 && maps_count(AT(0), 4 * PAGE) == 3 && mlock(AT(0), PAGE) == 0 &&
                      (present(0, 1) & 1)
                  ? 0
                  : 1);
    }
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 0);
    unmap_all();
}

static void what_moves_merges_before_its_old_place_is_unlocked(void)
{
    map(0, 12, PROT_NONE, ANON, -1);
    EXPECT_IS(munmap(AT(0), 6 * PAGE), 0);
    EXPECT_IS(syscall(SYS_mlock2, AT(6), 6 * PAGE, 1), 0);
    EXPECT(mremap(AT(8), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | 4 /* DONTUNMAP */,
                  AT(4)) == AT(4));
    EXPECT_IS(maps_count(AT(0), 12 * PAGE), 1);
    unmap_all();
}

static void memory_that_a_write_extends_can_be_its_source(void)
{
    int fd = memfd_create("itself", 0);

    EXPECT_IS(ftruncate(fd, (off_t)PAGE), 0);
    map(0, 2, PROT_READ, MAP_SHARED, fd);
    EXPECT_IS(pwrite(fd, AT(0), 2 * PAGE, (off_t)PAGE - 100), 2 * PAGE);
    close(fd);
    unmap_all();
}

static void guards_are_bad_addresses_to_populate(void)
{
    map(0, 2, RW, ANON, -1);
    if (madvise(AT(0), PAGE, 102 /* GUARD_INSTALL */) < 0)
        SKIP("no guards");
    EXPECT_ERR(madvise(AT(0), PAGE, 22 /* POPULATE_READ */), EFAULT);
    unmap_all();
}

static long vm_read(const void *from, void *to, size_t len)
{
    struct iovec local = {to, len}, remote = {(void *)from, len};

    return syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

static void strangers_read_only_what_may_be_read(void)
{
    char word[8];

    map(0, 1, PROT_WRITE, ANON, -1);
    EXPECT_ERR(vm_read(AT(0), word, 8), EFAULT);
    EXPECT_IS(present(0, 1), 0);
    unmap_all();
}

static void stacks_do_not_grow_for_strangers(void)
{
    char word[8];

    map(300, 2, RW, ANON | MAP_GROWSDOWN, -1);
    EXPECT_ERR(vm_read(AT(298), word, 8), EFAULT);
    EXPECT_IS(probe(AT(298), PROBE_READ).sig, 0);
    EXPECT_IS(vm_read(AT(298), word, 8), 8);
    unmap_all();
}

static void stacks_grow_up_to_memory_that_nobody_can_touch(void)
{
    map(300, 2, RW, ANON | MAP_GROWSDOWN, -1);
    map(290, 2, PROT_READ, ANON, -1);
    EXPECT_IS(probe(AT(295), PROBE_WRITE).sig, SIGSEGV);
    EXPECT_IS(mprotect(AT(290), 2 * PAGE, PROT_NONE), 0);
    EXPECT_IS(probe(AT(295), PROBE_WRITE).sig, 0);
    unmap_all();
}

static void place_is_looked_at_before_the_file(void)
{
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

    EXPECT_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    map(0, 1, RW, ANON, -1);
    EXPECT(mmap(AT(0), PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED);
    EXPECT_IS(errno, EEXIST);
    EXPECT(mmap(AT(0), PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED);
    EXPECT_IS(errno, EPERM);
    EXPECT(mmap(AT(9), PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, fd, 0) ==
           MAP_FAILED);
    EXPECT_IS(errno, EOPNOTSUPP);
    close(fd);
    unmap_all();
}

static void nothing_grows_upwards(void)
{
    EXPECT_ERR(syscall(SYS_mprotect, AT(0), PAGE, PROT_READ | 0x02000000), ENOMEM);
    map(0, 1, RW, ANON, -1);
    EXPECT_ERR(syscall(SYS_mprotect, AT(0), PAGE, PROT_READ | 0x02000000), EINVAL);
    unmap_all();
}

/* What the kind of a file keeps belongs to who made it: a second file would have nothing. */
static void open_again(int fd)
{
    char name[64];

    EXPECT(fd >= 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    EXPECT_ERR(open(name, O_RDONLY), ENXIO);
    EXPECT_ERR(open(name, O_RDWR), ENXIO);
    close(fd);
}

static void files_without_a_place_are_not_opened_again(void)
{
    sigset_t none;

    sigemptyset(&none);
    open_again(epoll_create1(0));
    open_again(eventfd(0, 0));
    open_again(signalfd(-1, &none, 0));
    open_again(timerfd_create(CLOCK_MONOTONIC, 0));
    open_again((int)syscall(SYS_userfaultfd, 0));
    open_again(socket(AF_UNIX, SOCK_STREAM, 0));
}

static const struct ktap_test tests[] = {
    TEST(mlockall_fills_what_is_there_and_what_comes),
    TEST(mprotect_fills_each_locked_area_by_itself),
    TEST(child_does_not_inherit_how_locks_fill),
    TEST(what_moves_merges_before_its_old_place_is_unlocked),
    TEST(memory_that_a_write_extends_can_be_its_source),
    TEST(guards_are_bad_addresses_to_populate),
    TEST(strangers_read_only_what_may_be_read),
    TEST(stacks_do_not_grow_for_strangers),
    TEST(stacks_grow_up_to_memory_that_nobody_can_touch),
    TEST(place_is_looked_at_before_the_file),
    TEST(nothing_grows_upwards),
    TEST(files_without_a_place_are_not_opened_again),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
