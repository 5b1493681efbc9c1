/* SPDX-License-Identifier: MIT */
/*
 * tests/user/pid_ns.c - PID namespaces: who sees whom, by which number, what ends with process 1
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output. Needs root.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: pid_namespaces(7), clone(2), unshare(2).
 * Tour:   after tests/user/process.c; then kernel/pid_ns.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <sched.h>
#include <sys/mman.h>

/* What processes of a test tell each other, whatever they call themselves. */
static volatile struct shared {
    int number[8], count, stage;
} * shared;

static pid_t clone_with(unsigned long flags)
{
    fflush(stdout);
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int status_of(pid_t child)
{
    int status = -1;

    return waitpid(child, &status, 0) == child ? status : -1;
}

/* Run @body as process 1 of a new namespace. What wait() tells, or -1. */
static int in_namespace(int (*body)(void))
{
    pid_t child = clone_with(CLONE_NEWPID);

    if (child == 0)
        _exit(body());
    return child < 0 ? -1 : status_of(child);
}

static void wait_for_stage(int stage)
{
    while (shared->stage < stage)
        usleep(1000);
}

static int first_steps(void)
{
    EXPECT_IS(getpid(), 1);
    EXPECT_IS(syscall(SYS_gettid), 1);
    EXPECT_IS(getppid(), 0);
    EXPECT_IS(getpgid(0), 0);
    EXPECT_IS(getsid(0), 0);
    EXPECT_IS(setsid(), 1);
    EXPECT_IS(getpgid(0), 1);
    EXPECT_IS(getsid(1), 1);
    EXPECT_ERR(kill(2, 0), ESRCH);
    EXPECT_ERR(kill(-1, SIGTERM), ESRCH);
    EXPECT_ERR(getpgid(2), ESRCH);
    return ktap_failed;
}

static void the_first_of_a_namespace_is_process_1(void)
{
    EXPECT_IS(in_namespace(first_steps), 0);
}

static int number_children(void)
{
    for (int i = 2; i < 6; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(getpid() == i && getppid() == 1 ? i : 99);
        EXPECT_IS(child, i);
        EXPECT_IS(status_of(child), i << 8);
    }
    return ktap_failed;
}

static void numbers_begin_anew(void)
{
    EXPECT_IS(in_namespace(number_children), 0);
}

static int inner(void)
{
    shared->number[1] = getpid();
    return getpid() == 1 && getppid() == 0 ? 5 : 99;
}

static int outer(void)
{
    shared->number[0] = getpid();
    return in_namespace(inner) == 5 << 8 ? 6 : 98;
}

static void namespaces_can_be_nested(void)
{
    EXPECT_IS(in_namespace(outer), 6 << 8);
    EXPECT_IS(shared->number[0], 1);
    EXPECT_IS(shared->number[1], 1);
}

static int nest(void)
{
    int status = in_namespace(nest);
    return WIFEXITED(status) ? WEXITSTATUS(status) + 1 : errno == ENOSPC ? 0 : 99;
}

static void nesting_has_an_end(void)
{
    EXPECT_IS(in_namespace(nest), 31 << 8);
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    shared->number[signo == SIGCHLD] = info->si_pid;
    shared->count++;
}

static void catch (int signo)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(signo, &sa, NULL);
}

static int signals_inside(void)
{
    siginfo_t info = {0};

    catch (SIGUSR1);
    catch (SIGCHLD);
    pid_t child = fork();
    if (child == 0)
        _exit(kill(1, SIGUSR1));
    while (shared->count < 2)
        usleep(1000);
    EXPECT_IS(shared->number[0], 2);
    EXPECT_IS(shared->number[1], 2);
    EXPECT_IS(waitid(P_PID, 2, &info, WEXITED), 0);
    EXPECT_IS(info.si_pid, 2);
    return ktap_failed;
}

static void signals_name_their_sender_as_the_receiver_does(void)
{
    EXPECT_IS(in_namespace(signals_inside), 0);
}

static int wait_for_usr1(void)
{
    catch (SIGUSR1);
    shared->stage = 1;
    wait_for_stage(2);
    return shared->number[0] == 0 ? 4 : 99;
}

static void senders_from_outside_have_no_number(void)
{
    shared->number[0] = 77;
    pid_t child = clone_with(CLONE_NEWPID);
    if (child == 0)
        _exit(wait_for_usr1());
    wait_for_stage(1);
    EXPECT_IS(kill(child, SIGUSR1), 0);
    while (!shared->count)
        usleep(1000);
    shared->stage = 2;
    EXPECT_IS(status_of(child), 4 << 8);
}

static int be_immune(void)
{
    EXPECT_IS(kill(1, SIGTERM), 0);
    EXPECT_IS(kill(1, SIGKILL), 0);
    EXPECT_IS(kill(getpid(), SIGUSR2), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(kill(1, SIGKILL) || kill(1, SIGSTOP) || kill(1, SIGHUP));
    EXPECT_IS(status_of(child), 0);
    shared->stage = 1;
    wait_for_stage(2);
    return ktap_failed;
}

static void process_1_is_immune_from_inside_only(void)
{
    pid_t child = clone_with(CLONE_NEWPID);
    if (child == 0)
        _exit(be_immune());
    wait_for_stage(1);
    EXPECT_IS(kill(child, SIGTERM), 0);
    usleep(20000);
    EXPECT_IS(waitpid(child, NULL, WNOHANG), 0);
    EXPECT_IS(kill(child, SIGKILL), 0);
    EXPECT_IS(status_of(child), SIGKILL);
    EXPECT_IS(shared->stage, 1);
}

static int crash(void)
{
    *(volatile int *)NULL = 1;
    return 0;
}

static void process_1_can_crash(void)
{
    EXPECT_IS(in_namespace(crash) & 0x7f, SIGSEGV);
}

static int adopt(void)
{
    int status = -1;

    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            while (getppid() != 1)
                usleep(1000);
            _exit(7);
        }
        _exit(0);
    }
    EXPECT_IS(status_of(child), 0);
    EXPECT_IS(wait(&status), 3);
    EXPECT_IS(status, 7 << 8);
    return ktap_failed;
}

static void orphans_go_to_process_1(void)
{
    EXPECT_IS(in_namespace(adopt), 0);
}

static int leave_many(void)
{
    for (int i = 0; i < 5; i++)
        if (fork() == 0) {
            pid_t nested = i == 2 ? clone_with(CLONE_NEWPID) : fork();
            (void)nested;
            __sync_fetch_and_add(&shared->count, 1);
            for (;;)
                pause();
        }
    while (shared->count < 10)
        usleep(1000);
    return 3;
}

/* The other end of the pipe is closed when nobody has it any more. */
static void nobody_survives_process_1(void)
{
    int fds[2];
    char byte;

    EXPECT_IS(pipe(fds), 0);
    EXPECT_IS(in_namespace(leave_many), 3 << 8);
    close(fds[1]);
    EXPECT_IS(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

static int unshare_steps(void)
{
    pid_t me = getpid();

    EXPECT_IS(unshare(CLONE_NEWPID), 0);
    EXPECT_IS(getpid(), me);
    EXPECT_ERR(unshare(CLONE_NEWPID), EINVAL);
    EXPECT_ERR(clone_with(CLONE_NEWPID), EINVAL);
    EXPECT_ERR(clone_with(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD), EINVAL);
    pid_t first = fork();
    if (first == 0) {
        shared->number[0] = getpid();
        wait_for_stage(1);
        _exit(0);
    }
    pid_t second = fork();
    if (second == 0) {
        shared->number[1] = getpid();
        shared->number[2] = getppid();
        _exit(0);
    }
    EXPECT_IS(status_of(second), 0);
    EXPECT_IS(shared->number[1], 2);
    EXPECT_IS(shared->number[2], 0);
    shared->stage = 1;
    EXPECT_IS(status_of(first), 0);
    EXPECT_IS(shared->number[0], 1);
    EXPECT_ERR(fork(), ENOMEM);
    return ktap_failed;
}

static void unshare_is_for_children(void)
{
    pid_t child = clone_with(0);
    if (child == 0)
        _exit(unshare_steps());
    EXPECT_IS(status_of(child), 0);
}

static void flags_that_contradict_are_refused(void)
{
    EXPECT_ERR(clone_with(CLONE_NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD), EINVAL);
    EXPECT_ERR(unshare(0x1), EINVAL);
    EXPECT_IS(unshare(0), 0);
    EXPECT_IS(unshare(CLONE_FILES), 0);
}

/* Its end of the line is a number: two links say the same if it is the same namespace. */
static bool same_namespace(const char *a, const char *b)
{
    char text[2][64] = {"", ""};

    EXPECT(readlink(a, text[0], 63) > 0 && readlink(b, text[1], 63) > 0);
    return !strncmp(text[0], "pid:[", 5) && !strcmp(text[0], text[1]);
}

static int enter(void)
{
    char path[64];

    pid_t first = clone_with(CLONE_NEWPID);
    if (first == 0) {
        wait_for_stage(1);
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%d/ns/pid", first);
    EXPECT(!same_namespace(path, "/proc/self/ns/pid"));
    int there = open(path, O_RDONLY), here = open("/proc/self/ns/pid", O_RDONLY);
    EXPECT_ERR(setns(there, 0x40000000), EINVAL);
    EXPECT_ERR(setns(0, CLONE_NEWPID), EINVAL);
    EXPECT_IS(setns(there, CLONE_NEWPID), 0);
    EXPECT(same_namespace(path, "/proc/self/ns/pid_for_children"));
    pid_t second = fork();
    if (second == 0)
        _exit(getpid() == 2 && getppid() == 0 && setns(here, 0) == -1 && errno == EINVAL ? 0 : 1);
    EXPECT_IS(status_of(second), 0);
    EXPECT_IS(setns(here, 0), 0);
    EXPECT(same_namespace("/proc/self/ns/pid", "/proc/self/ns/pid_for_children"));
    shared->stage = 1;
    EXPECT_IS(status_of(first), 0);
    return ktap_failed;
}

static void children_can_be_born_elsewhere(void)
{
    pid_t child = clone_with(0);
    if (child == 0)
        _exit(enter());
    EXPECT_IS(status_of(child), 0);
}

static int groups_inside(void)
{
    pid_t a = fork(), b;

    if (a == 0)
        for (;;)
            pause();
    b = fork();
    if (b == 0)
        for (;;)
            pause();
    EXPECT_IS(setpgid(a, a), 0);
    EXPECT_IS(setpgid(b, a), 0);
    EXPECT_IS(getpgid(b), a);
    EXPECT_ERR(setpgid(b, 77), EPERM);
    EXPECT_IS(kill(-a, SIGTERM), 0);
    EXPECT_IS(waitpid(-a, NULL, 0) + waitpid(-a, NULL, 0), a + b);
    EXPECT_ERR(kill(-a, 0), ESRCH);
    if (fork() == 0)
        for (;;)
            pause();
    EXPECT_IS(kill(-1, SIGKILL), 0);
    EXPECT_IS(wait(NULL), 4);
    return ktap_failed;
}

static void groups_have_numbers_too(void)
{
    EXPECT_IS(in_namespace(groups_inside), 0);
}

static const struct ktap_test tests[] = {
    TEST(the_first_of_a_namespace_is_process_1),
    TEST(numbers_begin_anew),
    TEST(namespaces_can_be_nested),
    TEST(nesting_has_an_end),
    TEST(signals_name_their_sender_as_the_receiver_does),
    TEST(senders_from_outside_have_no_number),
    TEST(process_1_is_immune_from_inside_only),
    TEST(process_1_can_crash),
    TEST(orphans_go_to_process_1),
    TEST(nobody_survives_process_1),
    TEST(unshare_is_for_children),
    TEST(flags_that_contradict_are_refused),
    TEST(groups_have_numbers_too),
    TEST(children_can_be_born_elsewhere),
};

int main(void)
{
    int failures = 0;

    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = clone_with(CLONE_NEWPID);
    if (child == 0)
        _exit(0);
    if (child < 0) {
        printf("KTAP version 1\n1..0 # SKIP not root\n");
        return 0;
    }
    status_of(child);
    printf("KTAP version 1\n1..%zu\n", sizeof tests / sizeof tests[0]);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        memset((void *)shared, 0, sizeof *shared);
        ktap_failed = false;
        tests[i].run();
        printf("%s %zu %s\n", ktap_failed ? "not ok" : "ok", i + 1, tests[i].name);
        failures += ktap_failed;
    }
    return failures ? 1 : 0;
}
