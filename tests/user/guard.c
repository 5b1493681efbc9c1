/* SPDX-License-Identifier: MIT */
/*
 * tests/user/guard.c - guard pages without mappings of their own
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: madvise(2), MADV_GUARD_INSTALL (Linux 6.13).
 * Tour:   after tests/user/madvise.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/wait.h>

#define GUARD_INSTALL 102
#define GUARD_REMOVE  103
#define RW            PROT_READ | PROT_WRITE

static char *map(size_t pages, int flags)
{
    return mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);
}

static bool have_guards(void)
{
    char *p = map(1, MAP_PRIVATE);
    bool have = madvise(p, PAGE, GUARD_INSTALL) == 0;

    munmap(p, PAGE);
    return have;
}

#define NEED_GUARDS            \
    do {                       \
        if (!have_guards())    \
            SKIP("no guards"); \
    } while (0)

static void guarded_pages_fault(void)
{
    NEED_GUARDS;
    char *p = map(3, MAP_PRIVATE);

    p[0] = p[PAGE] = p[2 * PAGE] = 'x';
    EXPECT_IS(madvise(p + PAGE, PAGE, GUARD_INSTALL), 0);
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGSEGV);
    EXPECT(probe(p + PAGE, PROBE_WRITE).sig == SIGSEGV);
    EXPECT_IS(probe(p + PAGE, PROBE_READ).code, SEGV_MAPERR);
    EXPECT(p[0] == 'x' && p[2 * PAGE] == 'x');
    EXPECT_IS(madvise(p + PAGE, PAGE, GUARD_INSTALL), 0);
    EXPECT_IS(madvise(p, 3 * PAGE, GUARD_REMOVE), 0);
    EXPECT(p[0] == 'x' && p[PAGE] == 0); /* what was there is gone */
    munmap(p, 3 * PAGE);
}

static void guards_outlive_other_advice(void)
{
    NEED_GUARDS;
    unsigned char in_memory = 1;
    char *p = map(2, MAP_PRIVATE);

    EXPECT_IS(madvise(p, PAGE, GUARD_INSTALL), 0);
    EXPECT_IS(madvise(p, 2 * PAGE, MADV_DONTNEED), 0);
    EXPECT(probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(mprotect(p, PAGE, PROT_READ), 0);
    EXPECT_IS(mprotect(p, PAGE, RW), 0);
    EXPECT(probe(p, PROBE_READ).sig == SIGSEGV);
    EXPECT_IS(mincore(p, PAGE, &in_memory), 0);
    EXPECT_IS(in_memory, 0);
    munmap(p, PAGE);
    EXPECT(mmap(p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
    EXPECT(p[0] == 0); /* a new mapping has none */
    munmap(p, 2 * PAGE);
}

static bool child_meets_guard(char *p)
{
    int status;
    pid_t pid = fork();

    if (!pid)
        _exit(probe(p, PROBE_READ).sig == SIGSEGV);
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status) == 1;
}

static void guards_are_inherited(void)
{
    NEED_GUARDS;
    int fd = memfd_create("guard", 0);
    char *p = map(1, MAP_PRIVATE);

    EXPECT_IS(madvise(p, PAGE, GUARD_INSTALL), 0);
    EXPECT(child_meets_guard(p));
    munmap(p, PAGE);
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0); /* of a file, and no page is its own */
    EXPECT_IS(madvise(p, PAGE, GUARD_INSTALL), 0);
    EXPECT(child_meets_guard(p));
    munmap(p, PAGE);
    close(fd);
}

static void guards_want_ordinary_memory(void)
{
    NEED_GUARDS;
    char *p = map(2, MAP_PRIVATE);

    EXPECT_ERR(madvise(p + 1, PAGE, GUARD_INSTALL), EINVAL);
    EXPECT_IS(mlock(p, PAGE), 0);
    EXPECT_ERR(madvise(p, PAGE, GUARD_INSTALL), EINVAL);
    EXPECT_IS(munlock(p, PAGE), 0);
    munmap(p, PAGE);
    EXPECT_ERR(madvise(p, 2 * PAGE, GUARD_INSTALL), ENOMEM);
    EXPECT(probe(p + PAGE, PROBE_READ).sig == SIGSEGV); /* done all the same */
    munmap(p, 2 * PAGE);
}

static void the_kernel_obeys_guards(void)
{
    NEED_GUARDS;
    int pipes[2];
    char *p = map(1, MAP_PRIVATE);

    EXPECT_IS(pipe(pipes), 0);
    EXPECT_IS(madvise(p, PAGE, GUARD_INSTALL), 0);
    EXPECT_ERR(write(pipes[1], p, 1), EFAULT);
    close(pipes[0]);
    close(pipes[1]);
    munmap(p, PAGE);
}

static const struct ktap_test tests[] = {
    TEST(guarded_pages_fault),     TEST(guards_outlive_other_advice),
    TEST(guards_are_inherited),    TEST(guards_want_ordinary_memory),
    TEST(the_kernel_obeys_guards),
};

int main(void)
{
    return KTAP_MAIN(tests);
}
