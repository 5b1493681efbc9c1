/* SPDX-License-Identifier: MIT */
/*
 * tests/user/mempolicy.c - memory policies on a machine with one node
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18, with one node.
 * Source: mbind(2), set_mempolicy(2), get_mempolicy(2), migrate_pages(2), move_pages(2).
 * Tour:   with kernel/mempolicy.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include "smaps.h"
#include <sys/wait.h>

#define RW PROT_READ | PROT_WRITE

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, WEIGHTED };
enum { BALANCING = 1 << 13, RELATIVE = 1 << 14, STATIC = 1 << 15 };
enum { NODE = 1, ADDR = 2, ALLOWED = 4 };

static unsigned long none[16], first[16] = {1}, second[16] = {2}, both[16] = {3};

static long bind_to(void *p, size_t len, unsigned mode, const void *nodes, unsigned long nr,
                    unsigned flags)
{
    return syscall(SYS_mbind, p, len, mode, nodes, nr, flags);
}

static long set_policy(unsigned mode, const void *nodes, unsigned long nr)
{
    return syscall(SYS_set_mempolicy, mode, nodes, nr);
}

static long get_policy(int *mode, void *nodes, unsigned long nr, void *p, unsigned long flags)
{
    return syscall(SYS_get_mempolicy, mode, nodes, nr, p, flags);
}

static long migrate(pid_t pid, unsigned long nr, const void *from, const void *to)
{
    return syscall(SYS_migrate_pages, pid, nr, from, to);
}

static long move(pid_t pid, unsigned long nr, void *const *pages, const int *nodes, int *status,
                 int flags)
{
    return syscall(SYS_move_pages, pid, nr, pages, nodes, status, flags);
}

static bool have_policies(void)
{
    int mode;
    return get_policy(&mode, NULL, 0, NULL, 0) == 0 &&
           access("/sys/devices/system/node/node1", F_OK) < 0;
}

#define NEED_POLICIES                                    \
    do {                                                 \
        if (!have_policies())                            \
            SKIP("no policies, or more nodes than one"); \
    } while (0)

static char *map(size_t pages)
{
    char *p = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
    return p;
}

static void areas_keep_their_policy(void)
{
    NEED_POLICIES;
    char *p = map(4);
    unsigned long nodes[16];
    int mode = -1;

    EXPECT_IS(maps_count(p, 4 * PAGE), 1);
    EXPECT_IS(bind_to(p + PAGE, PAGE, BIND, first, 64, 0), 0);
    EXPECT_IS(maps_count(p, 4 * PAGE), 3);
    memset(nodes, 0xff, sizeof(nodes));
    EXPECT_IS(get_policy(&mode, nodes, 1024, p + PAGE, ADDR), 0);
    EXPECT(mode == BIND && nodes[0] == 1 && nodes[1] == 0 && nodes[15] == 0);
    EXPECT_IS(get_policy(&mode, NULL, 0, p, ADDR), 0);
    EXPECT_IS(mode, DEFAULT);
    EXPECT_IS(get_policy(&mode, NULL, 0, p + PAGE, ADDR | NODE), 0);
    EXPECT_IS(mode, 0); /* the node of its page, which is there now */
    EXPECT_IS(bind_to(p, 3 * PAGE, BIND, first, 64, 0), 0);
    EXPECT_IS(maps_count(p, 4 * PAGE), 2);
    EXPECT_IS(bind_to(p, 4 * PAGE, DEFAULT, NULL, 0, 0), 0);
    EXPECT_IS(maps_count(p, 4 * PAGE), 1);
    EXPECT_IS(bind_to(p, PAGE, LOCAL, NULL, 0, 0), 0);
    EXPECT_IS(get_policy(&mode, nodes, 64, p, ADDR), 0);
    EXPECT(mode == LOCAL && nodes[0] == 0);
    munmap(p, 4 * PAGE);
}

static void mbind_refuses_as_linux_does(void)
{
    NEED_POLICIES;
    char *p = map(8);

    EXPECT_ERR(bind_to(p, PAGE, DEFAULT, first, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, BIND, none, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, BIND, second, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, BIND, first, 1, 0), EINVAL); /* no bit is told */
    EXPECT_IS(bind_to(p, PAGE, BIND, first, 2, 0), 0);
    EXPECT_IS(bind_to(p, PAGE, BIND, both, 64, 0), 0);
    EXPECT_IS(bind_to(p, PAGE, PREFERRED, NULL, 0, 0), 0);
    EXPECT_IS(bind_to(p, PAGE, INTERLEAVE, first, 64, 0), 0);
    EXPECT_ERR(bind_to(p, PAGE, LOCAL, first, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, -1, first, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p + 1, PAGE, BIND, first, 64, 0), EINVAL);
    EXPECT_IS(bind_to(p, 0, BIND, second, 64, 0), 0); /* nothing to do */
    EXPECT_ERR(bind_to(p, -PAGE, BIND, first, 64, 0), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, BIND, first, 64, 8), EINVAL);
    EXPECT_ERR(bind_to(p, PAGE, BIND, (void *)8, 64, 0), EFAULT);
    EXPECT_ERR(bind_to(p, PAGE, BIND, first, 40000, 0), EINVAL);
    EXPECT_IS(bind_to(p, PAGE, BIND | STATIC, first, 64, 0), 0);
    EXPECT_IS(bind_to(p, PAGE, BIND | RELATIVE, second, 64, 0), 0);
    EXPECT_ERR(bind_to(p, PAGE, BIND | STATIC | RELATIVE, first, 64, 0), EINVAL);
    munmap(p + 4 * PAGE, PAGE);
    EXPECT_ERR(bind_to(p, 8 * PAGE, BIND, first, 64, 0), EFAULT);
    EXPECT_ERR(bind_to((void *)PAGE, PAGE, BIND, first, 64, 0), EFAULT);
    EXPECT_IS(bind_to(p, 8 * PAGE, DEFAULT, NULL, 0, 0), 0); /* a gap is no reason */
    munmap(p, 8 * PAGE);
}

static void tasks_keep_theirs(void)
{
    NEED_POLICIES;
    unsigned long nodes[16];
    int mode, status;

    EXPECT_IS(set_policy(BIND, first, 64), 0);
    EXPECT_IS(get_policy(&mode, nodes, 1024, NULL, 0), 0);
    EXPECT(mode == BIND && nodes[0] == 1);
    pid_t pid = fork();
    if (!pid) {
        get_policy(&mode, NULL, 0, NULL, 0);
        _exit(mode);
    }
    waitpid(pid, &status, 0);
    EXPECT_IS(WEXITSTATUS(status), BIND);
    EXPECT_IS(set_policy(BIND | STATIC, first, 64), 0);
    EXPECT_IS(get_policy(&mode, nodes, 1024, NULL, 0), 0);
    EXPECT(mode == (BIND | STATIC) && nodes[0] == 1);
    EXPECT_IS(set_policy(INTERLEAVE | RELATIVE, second, 64), 0);
    EXPECT_IS(get_policy(&mode, nodes, 1024, NULL, 0), 0);
    EXPECT(mode == (INTERLEAVE | RELATIVE) && nodes[0] == 2);
    EXPECT_IS(get_policy(&mode, NULL, 0, NULL, NODE), 0);
    EXPECT_IS(set_policy(PREFERRED, NULL, 0), 0);
    EXPECT_IS(get_policy(&mode, NULL, 0, NULL, 0), 0);
    EXPECT_IS(mode, LOCAL);
    EXPECT_ERR(set_policy(BIND, second, 64), EINVAL);
    EXPECT_ERR(set_policy(BIND, none, 64), EINVAL);
    EXPECT_ERR(set_policy(DEFAULT, first, 64), EINVAL);
    EXPECT_ERR(set_policy(LOCAL, first, 64), EINVAL);
    EXPECT_ERR(set_policy(77, NULL, 0), EINVAL);
    EXPECT_ERR(set_policy(BIND, (void *)8, 64), EFAULT);
    EXPECT_IS(set_policy(DEFAULT, NULL, 0), 0);
}

static void get_mempolicy_refuses_as_linux_does(void)
{
    NEED_POLICIES;
    unsigned long nodes[16];
    char *p = map(1);
    int mode;

    EXPECT_IS(get_policy(&mode, nodes, 1024, NULL, ALLOWED), 0);
    EXPECT(mode == 0 && nodes[0] == 1);
    EXPECT_ERR(get_policy(&mode, nodes, 1024, NULL, ALLOWED | ADDR), EINVAL);
    EXPECT_ERR(get_policy(&mode, NULL, 0, p, 0), EINVAL);
    EXPECT_ERR(get_policy(&mode, NULL, 0, NULL, ADDR), EFAULT);
    EXPECT_ERR(get_policy(&mode, NULL, 0, (void *)PAGE, ADDR | NODE), EFAULT);
    EXPECT_ERR(get_policy(&mode, NULL, 0, NULL, NODE), EINVAL);
    EXPECT_ERR(get_policy(&mode, NULL, 0, NULL, 8), EINVAL);
    EXPECT_ERR(get_policy((int *)8, NULL, 0, NULL, 0), EFAULT);
    EXPECT_ERR(get_policy(&mode, (void *)8, 1024, NULL, 0), EFAULT);
    EXPECT_IS(get_policy(NULL, NULL, 0, NULL, 0), 0);
    munmap(p, PAGE);
}

static void pages_are_on_the_node(void)
{
    NEED_POLICIES;
    char *p = map(4);
    void *pages[5] = {p, p + PAGE, p + 2 * PAGE + 5, p + 3 * PAGE, (void *)PAGE};
    int status[5], zeros[5] = {0}, wrong[5] = {0, 1};

    p[0] = p[2 * PAGE] = 1;
    look(p + 3 * PAGE);
    for (int flags = 0; flags <= 2; flags += 2) {
        memset(status, 77, sizeof(status));
        EXPECT_IS(move(0, 5, pages, flags ? zeros : NULL, status, flags), 0);
        EXPECT(status[0] == 0 && status[1] == -ENOENT && status[2] == 0 && status[3] == -EFAULT &&
               status[4] == -EFAULT);
    }
    memset(status, 77, sizeof(status));
    EXPECT_ERR(move(0, 5, pages, wrong, status, 2), ENODEV);
    EXPECT(status[0] == 0 && status[1] == 0x4d4d4d4d);
    EXPECT_IS(move(0, 0, pages, zeros, status, 2), 0);
    EXPECT_ERR(move(0, 1, (void *)8, zeros, status, 2), EFAULT);
    EXPECT_ERR(move(0, 1, pages, (void *)8, status, 2), EFAULT);
    EXPECT_ERR(move(0, 1, pages, zeros, (void *)8, 2), EFAULT);
    EXPECT_ERR(move(0, 1, pages, zeros, status, 1), EINVAL);
    EXPECT_ERR(move(-1, 1, pages, zeros, status, 2), ESRCH);
    EXPECT_IS(move(getpid(), 1, pages, NULL, status, 0), 0);
    munmap(p, 4 * PAGE);
}

static void there_is_nowhere_to_migrate(void)
{
    NEED_POLICIES;
    EXPECT_IS(migrate(0, 64, first, first), 0);
    EXPECT_IS(migrate(0, 64, second, first), 0);
    EXPECT_IS(migrate(0, 64, none, first), 0);
    EXPECT_ERR(migrate(0, 64, first, none), EINVAL);
    if (geteuid() == 0)
        EXPECT_ERR(migrate(0, 64, first, second), EINVAL);
    EXPECT_ERR(migrate(-1, 64, first, first), ESRCH);
    EXPECT_ERR(migrate(0, 64, (void *)8, first), EFAULT);
    EXPECT_ERR(migrate(0, 64, first, (void *)8), EFAULT);
    EXPECT_ERR(migrate(0, 0, first, first), EINVAL);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(areas_keep_their_policy), TEST(mbind_refuses_as_linux_does),
        TEST(tasks_keep_theirs),       TEST(get_mempolicy_refuses_as_linux_does),
        TEST(pages_are_on_the_node),   TEST(there_is_nowhere_to_migrate),
    };
    return KTAP_MAIN(tests);
}
