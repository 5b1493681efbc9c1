/* SPDX-License-Identifier: MIT */
/*
 * tests/user/tracing.c - one process in another: process_vm_readv, process_vm_writev, ptrace, core
 *
 * Room:   tests/user. The same binary runs on Linux and on Bulla, with equal output.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every expectation was seen on Linux 6.18.
 * Source: process_vm_readv(2), ptrace(2), core(5).
 * Tour:   after tests/user/signals.c.
 */
#define _GNU_SOURCE
#include "ktap.h"
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define RW (PROT_READ | PROT_WRITE)

static long word = 1111; /* private: each process has its own */
static const long constant = 3333;

static pid_t child_that_waits(void (*first)(void))
{
    pid_t child = fork();

    if (child == 0) {
        if (first)
            first();
        for (;;)
            pause();
    }
    return child;
}

static void end(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGKILL);
}

static struct iovec vec(const void *base, size_t len)
{
    return (struct iovec){(void *)base, len};
}

static void memory_of_another_is_read_and_written(void)
{
    long mine = 0, both[2] = {0, 0};
    pid_t child = child_that_waits(NULL);
    struct iovec local = vec(&mine, 8), remote = vec(&word, 8);

    word = 2222; /* the child has its own */
    EXPECT_IS(process_vm_readv(child, &local, 1, &remote, 1, 0), 8);
    EXPECT_IS(mine, 1111);
    mine = 4444;
    EXPECT_IS(process_vm_writev(child, &local, 1, &remote, 1, 0), 8);
    mine = 0;
    EXPECT_IS(process_vm_readv(child, &local, 1, &remote, 1, 0), 8);
    EXPECT_IS(mine, 4444);
    EXPECT_IS(word, 2222);
    word = 1111;
    /* Pieces need not match. */
    struct iovec pieces[2] = {vec(&both[0], 4), vec((char *)both + 4, 12)};
    struct iovec twice[2] = {vec(&word, 8), vec(&constant, 8)};
    EXPECT_IS(process_vm_readv(child, pieces, 2, twice, 2, 0), 16);
    EXPECT(both[0] == 4444 && both[1] == 3333);
    end(child);
}

static void copies_end_where_memory_does(void)
{
    static char buffer[3 * PAGE];
    char *two = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(two + PAGE, PAGE);
    two[0] = 'a';
    pid_t child = child_that_waits(NULL);
    struct iovec local = vec(buffer, 2 * PAGE), remote = vec(two, 2 * PAGE);
    EXPECT_IS(process_vm_readv(child, &local, 1, &remote, 1, 0), PAGE);
    remote = vec(two + PAGE, PAGE);
    EXPECT_ERR(process_vm_readv(child, &local, 1, &remote, 1, 0), EFAULT);
    remote = vec(&constant, 8);
    EXPECT_ERR(process_vm_writev(child, &local, 1, &remote, 1, 0), EFAULT);
    EXPECT_ERR(process_vm_readv(99999, &local, 1, &remote, 1, 0), ESRCH);
    EXPECT_ERR(process_vm_readv(child, &local, 1, &remote, 1, 1), EINVAL);
    EXPECT_ERR(process_vm_readv(child, &local, 1025, &remote, 1, 0), EINVAL);
    EXPECT_IS(process_vm_readv(child, &local, 0, &remote, 1, 0), 0);
    EXPECT_IS(process_vm_readv(child, &local, 1, &remote, 0, 0), 0);
    local = vec((void *)8, 8);
    EXPECT_ERR(process_vm_readv(child, &local, 1, &remote, 1, 0), EFAULT);
    end(child);
    munmap(two, PAGE);
}

static void secrets_stay_secret(void)
{
    int fd = syscall(447 /* memfd_secret */, 0), status;
    long mine = 0;

    if (fd < 0)
        SKIP("no memfd_secret");
    EXPECT_IS(ftruncate(fd, PAGE), 0);
    long *secret = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    *secret = 99;
    pid_t child = child_that_waits(NULL);
    struct iovec local = vec(&mine, 8), remote = vec(secret, 8);
    EXPECT_ERR(process_vm_readv(child, &local, 1, &remote, 1, 0), EFAULT);
    EXPECT_ERR(process_vm_writev(child, &local, 1, &remote, 1, 0), EFAULT);
    EXPECT_IS(ptrace(PTRACE_ATTACH, child, 0, 0), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    errno = 0;
    EXPECT_ERR(ptrace(PTRACE_PEEKDATA, child, secret, 0), EIO);
    EXPECT_ERR(ptrace(PTRACE_POKEDATA, child, secret, 1L), EIO);
    EXPECT_IS(mine, 0);
    end(child);
    munmap(secret, PAGE);
    close(fd);
}

static void tracers_see_and_change_memory(void)
{
    int status;
    pid_t child = child_that_waits(NULL);

    EXPECT_ERR(ptrace(PTRACE_PEEKDATA, child, &word, 0), ESRCH);
    EXPECT_IS(ptrace(PTRACE_ATTACH, child, 0, 0), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    EXPECT_ERR(ptrace(PTRACE_ATTACH, child, 0, 0), EPERM);
    errno = 0;
    EXPECT_IS(ptrace(PTRACE_PEEKDATA, child, &word, 0), 1111);
    EXPECT_IS(ptrace(PTRACE_POKEDATA, child, &word, 5555L), 0);
    EXPECT_IS(ptrace(PTRACE_PEEKDATA, child, &word, 0), 5555);
    EXPECT_IS(word, 1111);
    EXPECT_IS(ptrace(PTRACE_POKETEXT, child, &constant, 6666L), 0); /* rights do not count */
    EXPECT_IS(ptrace(PTRACE_PEEKTEXT, child, &constant, 0), 6666);
    EXPECT_IS(*(const volatile long *)&constant, 3333);
    EXPECT_ERR(ptrace(PTRACE_PEEKDATA, child, 8, 0), EIO);
    EXPECT_IS(ptrace(PTRACE_DETACH, child, 0, 0), 0);
    EXPECT_ERR(ptrace(PTRACE_PEEKDATA, child, &word, 0), ESRCH);
    EXPECT_ERR(ptrace(PTRACE_ATTACH, 99999, 0, 0), ESRCH);
    EXPECT_ERR(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    end(child);
}

static void trace_me_and_stop(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    raise(SIGUSR1);
    _exit(5);
}

static void signals_go_through_the_tracer(void)
{
    siginfo_t info;
    int status;
    pid_t child = child_that_waits(trace_me_and_stop);

    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGSTOP << 8 | 0x7f);
    EXPECT_IS(ptrace(PTRACE_CONT, child, 0, 0), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGUSR1 << 8 | 0x7f);
    EXPECT_IS(ptrace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    EXPECT(info.si_signo == SIGUSR1 && info.si_pid == child);
    EXPECT_ERR(ptrace(PTRACE_CONT, child, 0, 99), EIO);
    EXPECT_IS(ptrace(PTRACE_CONT, child, 0, 0), 0); /* SIGUSR1 is swallowed */
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 5 << 8);

    child = child_that_waits(trace_me_and_stop);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(ptrace(PTRACE_CONT, child, 0, SIGTERM), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    if (WIFSTOPPED(status)) { /* raise() blocked it: it comes again when it is let through */
        EXPECT_IS(WSTOPSIG(status), SIGTERM);
        EXPECT_IS(ptrace(PTRACE_CONT, child, 0, SIGTERM), 0);
        EXPECT_IS(waitpid(child, &status, 0), child);
    }
    EXPECT_IS(status, SIGTERM);
}

static void add_up(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    register long rbx __asm__("rbx") = 1;
    __asm__ volatile("int3; add $1, %0; add $2, %0; add $3, %0; nop" : "+r"(rbx));
    _exit(rbx == 7 ? 0 : rbx);
}

static void registers_and_single_steps(void)
{
    struct user_regs_struct r;
    struct user_fpregs_struct fpu;
    int status;
    pid_t child = child_that_waits(add_up);

    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGTRAP << 8 | 0x7f);
    EXPECT_IS(ptrace(PTRACE_GETREGS, child, 0, &r), 0);
    EXPECT_IS(r.rbx, 1);
    EXPECT(r.orig_rax == -1UL);
    for (long expected = 2, add = 2; expected <= 7; expected += add++) {
        EXPECT_IS(ptrace(PTRACE_SINGLESTEP, child, 0, 0), 0);
        EXPECT_IS(waitpid(child, &status, 0), child);
        EXPECT_IS(status, SIGTRAP << 8 | 0x7f);
        EXPECT_IS(ptrace(PTRACE_GETREGS, child, 0, &r), 0);
        EXPECT_IS(r.rbx, expected);
    }
    errno = 0;
    EXPECT_IS(ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, regs.rip), 0), r.rip);
    EXPECT_IS(ptrace(PTRACE_GETFPREGS, child, 0, &fpu), 0);
    EXPECT_IS(fpu.cwd, 0x37f);
    EXPECT_IS(ptrace(PTRACE_SETFPREGS, child, 0, &fpu), 0);
    r.rbx = 42;
    EXPECT_IS(ptrace(PTRACE_SETREGS, child, 0, &r), 0);
    EXPECT_IS(ptrace(PTRACE_CONT, child, 0, 0), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, 42 << 8);
}

static void call_getppid(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    long result = syscall(SYS_getppid);
    syscall(SYS_exit_group, result == 77 ? 0 : 1);
}

static void system_calls_are_seen(void)
{
    struct user_regs_struct r = {0};
    int status = 0, seen = 0;
    pid_t child = child_that_waits(call_getppid);

    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD), 0);
    for (int stops = 0; stops < 40 && WIFSTOPPED(status); stops++) {
        EXPECT_IS(ptrace(PTRACE_SYSCALL, child, 0, 0), 0);
        if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            break;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        ptrace(PTRACE_GETREGS, child, 0, &r);
        if (r.orig_rax == SYS_getppid && ++seen == 2) {
            EXPECT_IS(r.rax, getpid());
            r.rax = 77;
            EXPECT_IS(ptrace(PTRACE_SETREGS, child, 0, &r), 0);
        } else if (r.orig_rax == SYS_getppid) {
            EXPECT_IS(r.rax, -ENOSYS);
        }
    }
    EXPECT_IS(seen, 2);
    EXPECT_IS(status, 0);
}

static void killing_ends_a_stopped_tracee(void)
{
    int status;
    pid_t child = child_that_waits(trace_me_and_stop);

    EXPECT_IS(waitpid(child, &status, 0), child);
    end(child);
    child = child_that_waits(trace_me_and_stop);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(ptrace(PTRACE_KILL, child, 0, 0), 0);
    EXPECT_IS(waitpid(child, &status, 0), child);
    EXPECT_IS(status, SIGKILL);
}

int main(void)
{
    static const struct ktap_test tests[] = {
        TEST(memory_of_another_is_read_and_written),
        TEST(copies_end_where_memory_does),
        TEST(secrets_stay_secret),
        TEST(tracers_see_and_change_memory),
        TEST(signals_go_through_the_tracer),
        TEST(registers_and_single_steps),
        TEST(system_calls_are_seen),
        TEST(killing_ends_a_stopped_tracee),
    };

    return KTAP_MAIN(tests);
}
