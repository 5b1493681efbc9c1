/* SPDX-License-Identifier: MIT */
/*
 * tests/user/process.c - fork, exec, wait: what is copied, what is shared, what is told
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: fork(2), execve(2), wait4(2), clone(2).
 * Tour:   after tests/user/ktap.h.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sys/mman.h>
#include <sys/wait.h>

#define RW (PROT_READ | PROT_WRITE)

static const char *self; /* the path of this program */

static void *map(int flags)
{
    void *p = mmap(NULL, PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int wait_for(pid_t child)
{
    int status = -1;

    EXPECT_IS(waitpid(child, &status, 0), child);
    return status;
}

static void private_memory_is_copied(void)
{
    volatile int *p = map(MAP_PRIVATE), on_stack = 1;

    *p = 1;
    pid_t child = fork();
    if (child == 0) {
        bool old = *p == 1 && on_stack == 1;
        *p = on_stack = 2;
        _exit(old && *p == 2 ? 0 : 1);
    }
    EXPECT_IS(wait_for(child), 0);
    EXPECT(*p == 1 && on_stack == 1);
    *p = 3; /* the last owner writes in place */
    EXPECT_IS(*p, 3);
    munmap((void *)p, PAGE);
}

static void parent_writes_after_fork_stay_its_own(void)
{
    volatile char *p = map(MAP_PRIVATE), *flag = map(MAP_SHARED);

    p[0] = 'a';
    pid_t child = fork();
    if (child == 0) {
        while (!flag[0])
            ;
        _exit(p[0] == 'a' ? 0 : 1);
    }
    p[0] = 'b';
    flag[0] = 1;
    EXPECT_IS(wait_for(child), 0);
    munmap((void *)p, PAGE);
    munmap((void *)flag, PAGE);
}

static void shared_memory_is_shared(void)
{
    volatile int *p = map(MAP_SHARED);
    int fd = memfd_create("process", 0);

    EXPECT_IS(ftruncate(fd, PAGE), 0);
    volatile int *q = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    pid_t child = fork();
    if (child == 0) {
        *p = 11;
        *q = 12;
        _exit(0);
    }
    EXPECT_IS(wait_for(child), 0);
    EXPECT(*p == 11 && *q == 12);
    munmap((void *)p, PAGE);
    munmap((void *)q, PAGE);
    close(fd);
}

static void rights_are_inherited(void)
{
    char *p = map(MAP_PRIVATE);

    p[0] = 1;
    mprotect(p, PAGE, PROT_READ);
    pid_t child = fork();
    if (child == 0) {
        *(volatile char *)p = 2;
        _exit(0);
    }
    int status = wait_for(child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    munmap(p, PAGE);
}

static void descriptors_share_their_offset_with_the_child(void)
{
    int fd = memfd_create("process", 0);

    EXPECT_IS(write(fd, "abcdef", 6), 6);
    EXPECT_IS(lseek(fd, 2, SEEK_SET), 2);
    pid_t child = fork();
    if (child == 0) {
        lseek(fd, 1, SEEK_CUR);
        close(fd);
        _exit(0);
    }
    EXPECT_IS(wait_for(child), 0);
    EXPECT_IS(lseek(fd, 0, SEEK_CUR), 3);
    close(fd);
}

static void exit_status_is_one_byte(void)
{
    static const int codes[] = {0, 1, 77, 255, 256, 300};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(codes[i]);
        int status = wait_for(child);
        EXPECT(WIFEXITED(status));
        EXPECT_IS(WEXITSTATUS(status), codes[i] & 255);
    }
}

static void death_by_fault_is_told(void)
{
    volatile char *volatile nowhere = (char *)16;
    pid_t child = fork();

    if (child == 0) {
        *nowhere = 1;
        _exit(0);
    }
    int status = wait_for(child);
    EXPECT(WIFSIGNALED(status));
    EXPECT_IS(WTERMSIG(status), SIGSEGV);
    child = fork();
    if (child == 0) {
        __asm__ volatile("ud2");
        _exit(0);
    }
    EXPECT_IS(WTERMSIG(wait_for(child)), SIGILL);
}

static void waiting_for_nobody_is_told(void)
{
    int status;

    EXPECT_ERR(wait4(-1, &status, 0, NULL), ECHILD);
    EXPECT_ERR(wait4(getpid(), &status, 0, NULL), ECHILD);
    EXPECT_ERR(wait4(-1, &status, 0x100, NULL), EINVAL);
}

static void identities_differ(void)
{
    pid_t me = getpid(), child = fork();

    if (child == 0)
        _exit(getppid() == me && getpid() != me ? 0 : 1);
    EXPECT(child > 0 && child != me);
    EXPECT_IS(wait_for(child), 0);
}

static void execve_says_why_not(void)
{
    char *args[] = {"x", NULL}, *env[] = {NULL};

    EXPECT_ERR(execve("/no/such/file", args, env), ENOENT);
    EXPECT_ERR(execve("/etc/passwd", args, env), EACCES);
    EXPECT_ERR(execve("/etc/passwd/x", args, env), ENOTDIR);
    EXPECT_ERR(execve("/etc", args, env), EACCES);
    EXPECT_ERR(execve("", args, env), ENOENT);
    EXPECT_ERR(syscall(SYS_execve, NULL, args, env), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, self, 8L, env), EFAULT);
}

static void many_children_come_and_go(void)
{
    int fine = 0;

    for (int i = 0; i < 100; i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0)
            _exit(i & 127);
        fine += waitpid(child, &status, 0) == child && WEXITSTATUS(status) == (i & 127);
    }
    EXPECT_IS(fine, 100);
}

static void children_may_live_at_the_same_time(void)
{
    enum { CHILDREN = 8 };
    volatile unsigned *shared = map(MAP_SHARED);
    unsigned private = 7;

    for (unsigned i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            for (int n = 0; n < 1000; n++)
                __atomic_fetch_add(shared, 1, __ATOMIC_RELAXED);
            private += i;
            _exit(private == 7 + i ? 0 : 1);
        }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status = -1;

        EXPECT(waitpid(-1, &status, 0) > 0);
        EXPECT_IS(status, 0);
    }
    EXPECT_IS(*shared, CHILDREN * 1000);
    munmap((void *)shared, PAGE);
}

static const struct ktap_test tests[] = {
    TEST(private_memory_is_copied),
    TEST(parent_writes_after_fork_stay_its_own),
    TEST(shared_memory_is_shared),
    TEST(rights_are_inherited),
    TEST(descriptors_share_their_offset_with_the_child),
    TEST(exit_status_is_one_byte),
    TEST(death_by_fault_is_told),
    TEST(waiting_for_nobody_is_told),
    TEST(identities_differ),
    TEST(execve_says_why_not),
    TEST(many_children_come_and_go),
    TEST(children_may_live_at_the_same_time),
};

int main(int argc, char **argv)
{
    (void)argc;
    self = argv[0];
    return KTAP_MAIN(tests);
}
