/* SPDX-License-Identifier: MIT */
/*
 * tests/user/madvise.c - madvise, mlock, mlockall, and huge pages without a descriptor
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, as root.
 * Source: madvise(2), mlock(2), mlockall(2).
 * Tour:   after tests/user/munmap.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/wait.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define RW PROT_READ | PROT_WRITE

static char *map(size_t pages, int prot, int flags)
{
    return mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static void dontneed_gives_zeros(void)
{
    char *p = map(3, RW, MAP_PRIVATE);

    p[0] = p[PAGE] = p[2 * PAGE] = 'x';
    EXPECT_IS(madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
    EXPECT(p[0] == 'x' && p[PAGE] == 0 && p[2 * PAGE] == 'x');
    EXPECT_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_IS(madvise(p, 0, MADV_DONTNEED), 0);
    EXPECT_ERR(madvise(p, PAGE, 12345), EINVAL);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    EXPECT(p[0] == 0 && p[2 * PAGE] == 0); /* done all the same */
    munmap(p, 3 * PAGE);
}

static void dontneed_of_shared_memory_keeps_it(void)
{
    char *p = map(1, RW, MAP_SHARED);

    p[0] = 'x';
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT(p[0] == 'x');
    munmap(p, PAGE);
}

static void remove_punches_a_hole(void)
{
    char *shared = map(2, RW, MAP_SHARED), *private = map(1, RW, MAP_PRIVATE);

    shared[0] = shared[PAGE] = 'x';
    EXPECT_IS(madvise(shared, PAGE, MADV_REMOVE), 0);
    EXPECT(shared[0] == 0 && shared[PAGE] == 'x');
    EXPECT_ERR(madvise(private, PAGE, MADV_REMOVE), EINVAL);
    mprotect(shared, PAGE, PROT_READ);
    EXPECT_IS(madvise(shared, PAGE, MADV_REMOVE), 0); /* it could be made writable again */
    munmap(shared, 2 * PAGE);
    munmap(private, PAGE);
}

static void free_is_for_private_memory(void)
{
    char *shared = map(1, RW, MAP_SHARED), *private = map(1, RW, MAP_PRIVATE);

    EXPECT_IS(madvise(private, PAGE, MADV_FREE), 0);
    private[0] = 'y'; /* what is written afterwards stays */
    EXPECT(private[0] == 'y');
    EXPECT_ERR(madvise(shared, PAGE, MADV_FREE), EINVAL);
    munmap(shared, PAGE);
    munmap(private, PAGE);
}

/* Run in a child: its exit status. */
static int in_child(int (*what)(char *), char *p)
{
    int status;
    pid_t pid = fork();

    if (!pid)
        _exit(what(p));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int first_byte(char *p)
{
    return p[0];
}

static int is_gone(char *p)
{
    return probe(p, PROBE_READ).sig == SIGSEGV;
}

static void fork_obeys_advice(void)
{
    char *p = map(1, RW, MAP_PRIVATE), *shared = map(1, RW, MAP_SHARED);

    p[0] = 'x';
    EXPECT_IS(madvise(p, PAGE, MADV_WIPEONFORK), 0);
    EXPECT_IS(in_child(first_byte, p), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_KEEPONFORK), 0);
    EXPECT_IS(in_child(first_byte, p), 'x');
    EXPECT_IS(madvise(p, PAGE, MADV_DONTFORK), 0);
    EXPECT_IS(in_child(is_gone, p), 1);
    EXPECT_IS(madvise(p, PAGE, MADV_DOFORK), 0);
    EXPECT_IS(in_child(first_byte, p), 'x');
    EXPECT_ERR(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL);
    munmap(p, PAGE);
    munmap(shared, PAGE);
}

static void populate_faults_in(void)
{
    unsigned char in_memory[4] = {0};
    char *p = map(4, RW, MAP_PRIVATE), *none = map(1, PROT_NONE, MAP_PRIVATE);

    EXPECT_IS(madvise(p, 2 * PAGE, MADV_POPULATE_WRITE), 0);
    EXPECT_IS(mincore(p, 4 * PAGE, in_memory), 0);
    EXPECT(in_memory[0] == 1 && in_memory[1] == 1 && in_memory[2] == 0);
    EXPECT_IS(madvise(p + 2 * PAGE, PAGE, MADV_POPULATE_READ), 0);
    EXPECT_ERR(madvise(none, PAGE, MADV_POPULATE_READ), EINVAL);
    mprotect(p, PAGE, PROT_READ);
    EXPECT_ERR(madvise(p, PAGE, MADV_POPULATE_WRITE), EINVAL);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(madvise(p, 2 * PAGE, MADV_POPULATE_READ), ENOMEM);
    munmap(p, 4 * PAGE);
    munmap(none, PAGE);
}

static void locks_are_checked_and_kept(void)
{
    unsigned char in_memory = 0;
    char *p = map(3, RW, MAP_PRIVATE);

    EXPECT_IS(mlock(p + 1, 1), 0);
    EXPECT_IS(mincore(p, PAGE, &in_memory), 0);
    EXPECT(in_memory == 1);
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_IS(munlock(p, PAGE), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    EXPECT_IS(syscall(SYS_mlock2, p, PAGE, 1), 0);
    EXPECT_ERR(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(mlock(p, 3 * PAGE), ENOMEM);
    EXPECT_ERR(munlock(p, 3 * PAGE), ENOMEM);
    EXPECT_ERR(mlockall(0), EINVAL);
    EXPECT_ERR(mlockall(8), EINVAL);
    EXPECT_ERR(mlockall(MCL_ONFAULT), EINVAL);
    EXPECT_IS(mlockall(MCL_CURRENT), 0);
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_IS(munlockall(), 0);
    EXPECT_IS(madvise(p, PAGE, MADV_DONTNEED), 0);
    munmap(p, 3 * PAGE);
}

static const struct ktap_test tests[] = {
    TEST(dontneed_gives_zeros),       TEST(dontneed_of_shared_memory_keeps_it),
    TEST(remove_punches_a_hole),      TEST(free_is_for_private_memory),
    TEST(fork_obeys_advice),          TEST(populate_faults_in),
    TEST(locks_are_checked_and_kept),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
