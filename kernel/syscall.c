/* SPDX-License-Identifier: MIT */
/*
 * kernel/syscall.c - from a number to a function, and the way back to ring 3
 *
 * Room:   kernel.
 * Owns:   the table of system calls.
 * Locks:  none.
 * Always: (1) an unknown number is -ENOSYS, and named once in the log;
 *         (2) whatever leads to ring 3 passes upcall_exit();
 *         (3) whoever gives a task something to do there marks it by sched_add_exit_work().
 * Source: syscalls(2).
 * Tour:   after arch/x86_64/entry.asm; then the file of the call you care about.
 */
#include "syscall.h"

#include "pidfd.h"
#include "quiet.h"
#include "sys_fs.h"
#include "sys_socket.h"
#include <base/log.h>
#include <base/panic.h>
#include <lib/bitmap.h>
#include <uapi/errno.h>
#include <uapi/syscall.h>
#include <upcalls.h>

/* All arguments travel in registers: a function takes as many of them as it declares. */
#define CALL(name)        [SYS_##name] = (syscall_fn)(void *)sys_##name
#define CALL_AS(name, fn) [SYS_##name] = (syscall_fn)(void *)fn

const syscall_fn syscall_table[SYSCALL_ENTRIES] = {
    /* memory */
    CALL(mmap), CALL(munmap), CALL(mprotect), CALL(pkey_mprotect), CALL(pkey_alloc), CALL(mseal),
    CALL(remap_file_pages), CALL(pkey_free), CALL(mremap), CALL(madvise), CALL(brk),
    CALL(memfd_create), CALL(memfd_secret), CALL(mlock), CALL(mlock2), CALL(munlock), CALL(shmget),
    CALL(shmat), CALL(shmdt), CALL(shmctl), CALL(semget), CALL(semop), CALL(semtimedop),
    CALL(semctl), CALL(mincore), CALL(msync), CALL(mlockall), CALL(munlockall), CALL(mbind),
    CALL(set_mempolicy), CALL(get_mempolicy), CALL(migrate_pages), CALL(move_pages),
    /* processes */
    CALL(clone), CALL(clone3), CALL(fork), CALL(vfork), CALL(unshare), CALL(setns), CALL(execve),
    CALL(execveat), CALL(exit), CALL(exit_group), CALL(wait4), CALL(waitid), CALL(getpid),
    CALL(gettid), CALL(getppid), CALL(set_tid_address), CALL(getpgid), CALL(getpgrp), CALL(getsid),
    CALL(setpgid), CALL(setsid), CALL(futex), CALL(set_robust_list), CALL(get_robust_list),
    CALL(rseq), CALL(membarrier), CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev),
    CALL(pidfd_open), CALL(pidfd_getfd), CALL(pidfd_send_signal), CALL(process_mrelease),
    CALL(process_madvise),
    /* signals */
    CALL(kill), CALL(tgkill), CALL(tkill), CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigpending), CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait), CALL(rt_sigreturn), CALL(sigaltstack), CALL(pause),
    CALL(restart_syscall),
    /* time, and who may run when */
    CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(nanosleep),
    CALL(clock_nanosleep), CALL(getrusage), CALL(times), CALL(alarm), CALL(getitimer),
    CALL(setitimer), CALL(timer_create), CALL(timer_settime), CALL(timer_gettime),
    CALL(timer_getoverrun), CALL(timer_delete), CALL(sched_yield), CALL(sched_getaffinity),
    CALL(sched_setaffinity), CALL(getcpu), CALL(sched_getscheduler), CALL(sched_setscheduler),
    CALL(sched_getparam), CALL(sched_setparam), CALL(sched_get_priority_max),
    CALL(sched_get_priority_min), CALL(sched_rr_get_interval), CALL(getpriority), CALL(setpriority),
    CALL(epoll_create), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
    /* everything else a program asks for */
    CALL(uname), CALL(personality), CALL(arch_prctl), CALL(prlimit64), CALL(getrlimit),
    CALL(setrlimit), CALL(getrandom), CALL(prctl), CALL(sysinfo), CALL(reboot), CALL(syslog),
    /* who asks */
    CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getresuid), CALL(getresgid),
    CALL(setuid), CALL(setgid), CALL(setreuid), CALL(setregid), CALL(setresuid), CALL(setresgid),
    CALL(setfsuid), CALL(setfsgid), CALL(getgroups), CALL(setgroups), CALL(capget), CALL(capset),
    /* files */
    SYS_FS_CALLS,
    /* sockets */
    SYS_SOCKET_CALLS};

static __cold void name_unknown(uint64_t nr)
{
    static uint64_t named[BITMAP_WORDS(SYS_MAX)];
    if (nr >= SYS_MAX || bitmap_test(named, nr))
        return;
    bitmap_set(named, nr);
    log_info("%s[%d]: system call %lu is not implemented", task_current()->name,
             task_current()->tid, nr);
}

static int64_t call(const struct trap_frame *frame)
{
    uint64_t nr = frame->orig_rax;
    syscall_fn fn = nr < SYSCALL_ENTRIES ? syscall_table[nr] : NULL;

    if (likely(fn))
        return fn(frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9);
    name_unknown(nr);
    return -ENOSYS;
}

/* A tracer that asked for it sees the task stop before and after the call, and may change both. */
static void traced_call(struct trap_frame *frame)
{
    frame->rax = -ENOSYS;
    ptrace_syscall(frame);
    frame->rax = call(frame);
    if (atomic_load(&task_current()->context.calls_traced))
        ptrace_syscall(frame);
    sched_add_exit_work(task_current());
}

void upcall_syscall(struct trap_frame *frame)
{
    if (atomic_load(&task_current()->context.calls_traced))
        traced_call(frame);
    else
        frame->rax = call(frame);
}

/* An interrupted call that no signal's delivery has decided about yet. */
static bool restart_undecided(const struct trap_frame *frame)
{
    return (int64_t)frame->orig_rax >= 0 && signal_is_restart(frame->rax);
}

/* Claim 3: the mark goes first, so that what comes after the look marks the task again. */
static __cold void do_exit_work(struct trap_frame *frame)
{
    struct task *task = task_current();

    for (;;) {
        irq_disable();
        atomic_store(&task->context.exit_work, false);
        bool signals =
            signal_work_current() || restart_undecided(frame) || task->signals.restore_mask;
        bool deferred = sched_has_deferred(), moved = task->rseq.stale, quiet = quiet_is_wanted();
        if (!signals && !moved && !deferred && !quiet && !sched_wanted())
            return;
        irq_enable();
        if (quiet && !signals) /* who is to end does so first: others may wait for its memory */
            quiet_wait();
        if (deferred)
            sched_run_deferred();
        if (sched_wanted())
            schedule();
        if (signals)
            signal_deliver(frame);
        if (task->rseq.stale)
            rseq_update(frame);
    }
}

bool upcall_exit(struct trap_frame *frame)
{
    irq_disable();
    DEBUG_ASSERT(!locks_are_held(), "V29: on the way to ring 3");
    if (likely(!atomic_load_explicit(&task_current()->context.exit_work, memory_order_acquire)))
        return false;
    irq_enable();
    do_exit_work(frame);
    return true;
}
