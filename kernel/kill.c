/* SPDX-License-Identifier: MIT */
/*
 * kernel/kill.c - signals that programs send: kill, tgkill, sigqueue
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  the tree lock (rank TASKS).
 * Always: (1) only the kernel can say that the kernel sent it, except to oneself.
 * Source: kill(2), tgkill(2), rt_sigqueueinfo(2).
 * Tour:   after kernel/signal.c.
 */
#include "pidfd.h"
#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>

static int send_to(struct process *p, int signo)
{
    struct uapi_siginfo info = {.signo = signo,
                                .code = SI_USER,
                                .pid = pid_in(p->ns, process_current()->pid),
                                .uid = cred_current()->user.real};
    if (!cred_may_signal(p, signo))
        return -EPERM;
    return signo ? signal_send_process(p, &info) : 0;
}

void signal_broken_pipe(void)
{
    struct process *me = process_current();
    struct uapi_siginfo info = {.signo = SIGPIPE,
                                .code = SI_USER,
                                .pid = pid_here(me->pid),
                                .uid = cred_current()->user.real};

    tasks_lock();
    int err = signal_send_task(task_current(), &info);
    tasks_unlock();
    (void)err; /* a standard signal is always kept */
}

static bool is_meant(const struct process *p, int pid)
{
    const struct process *me = process_current();
    if (pid == 0)
        return p->pgid == me->pgid;
    if (pid != -1)
        return p->pgid == pid_meant(-pid);
    return p != me->ns->init && p != me && pid_ns_contains(me->ns, p->ns);
}

/* One success is enough; who sends to everybody passes over those it may not send to. */
static int64_t send_to_all(int pid, int signo)
{
    int64_t result = -ESRCH;
    struct process *p;

    for_each_process(p)
    {
        if (!is_meant(p, pid))
            continue;
        int err = send_to(p, signo);
        if (!err || !result || (err == -EPERM && pid == -1))
            result = 0;
        else
            result = err;
    }
    return result;
}

/* One of the process's tasks may be named instead of the process. */
static struct process *process_of(int tid)
{
    struct process *process = process_named(tid);
    struct task *task = process ? NULL : task_named(tid);
    return task ? task->process : process;
}

int64_t sys_kill(int pid, int signo)
{
    int64_t result = -ESRCH;
    struct process *p;

    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    tasks_lock();
    if (pid > 0) {
        p = process_of(pid);
        result = p ? send_to(p, signo) : -ESRCH;
    } else {
        result = send_to_all(pid, signo);
    }
    tasks_unlock();
    return result;
}

int signal_send_group(int pgid, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_KERNEL};
    struct process *p;
    int found = 0;

    tasks_lock();
    for_each_process(p)
    {
        if (p->pgid == pgid && !p->zombie) {
            signal_send_process(p, &info);
            found++;
        }
    }
    tasks_unlock();
    return found;
}

/* The receiver calls the sender by its own number. */
static int send_task(struct task *task, struct uapi_siginfo *info)
{
    if (info->code == SI_TKILL) {
        info->pid = pid_in(task->process->ns, process_current()->pid);
        info->uid = cred_current()->user.real;
    }
    return signal_send_task(task, info);
}

/* @pid -1: of any process. */
static int64_t send_to_task(int pid, int tid, struct uapi_siginfo *info)
{
    int64_t result = -ESRCH;

    tasks_lock();
    struct task *task = task_named(tid);
    if (task && (pid < 0 || task->process->pid == pid_meant(pid)))
        result = !cred_may_signal(task->process, info->signo) ? -EPERM
                 : info->signo                                ? send_task(task, info)
                                                              : 0;
    tasks_unlock();
    return result;
}

int64_t sys_tgkill(int pid, int tid, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_TKILL};

    if (pid <= 0 || tid <= 0 || signo < 0 || signo > SIGNALS)
        return -EINVAL;
    return send_to_task(pid, tid, &info);
}

int64_t sys_tkill(int tid, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_TKILL};

    if (tid <= 0 || signo < 0 || signo > SIGNALS)
        return -EINVAL;
    return send_to_task(-1, tid, &info);
}

/* The program's own siginfo_t. Claim 1. */
static int info_read(user_addr_t from, int pid, int signo, struct uapi_siginfo *info)
{
    if (copy_from_user(info, from, sizeof(*info)))
        return -EFAULT;
    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    info->signo = signo;
    bool pretends = info->code >= 0 || info->code == SI_TKILL;
    return pretends && pid != pid_here(process_current()->pid) ? -EPERM : 0;
}

int64_t sys_rt_sigqueueinfo(int pid, int signo, user_addr_t from)
{
    struct uapi_siginfo info;
    int err = info_read(from, pid, signo, &info);
    if (err)
        return err;
    tasks_lock();
    struct process *p = process_of(pid);
    if (!p)
        err = -ESRCH;
    else if (!cred_may_signal(p, signo))
        err = -EPERM;
    else
        err = signo ? signal_send_process(p, &info) : 0;
    tasks_unlock();
    return err;
}

int64_t sys_rt_tgsigqueueinfo(int pid, int tid, int signo, user_addr_t from)
{
    struct uapi_siginfo info;
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int err = info_read(from, pid, signo, &info);
    return err ? err : send_to_task(pid, tid, &info);
}

/* Whom a descriptor's process stands for. */
enum scope { SCOPE_PROCESS, SCOPE_TASK = 1, SCOPE_PROCESS_TOO = 2, SCOPE_GROUP = 4 };

/* Its group, if it leads one. tasks_lock held. */
static int send_to_group_of(const struct process *leader, int signo)
{
    int result = -ESRCH;
    struct process *p;

    for_each_process(p)
    {
        if (p->pgid != leader->pid)
            continue;
        int err = send_to(p, signo);
        result = result ? err : result;
    }
    return result;
}

static int send_through(struct process *p, int signo, const struct uapi_siginfo *info,
                        unsigned scope)
{
    if (p->gone)
        return -ESRCH;
    if (scope == SCOPE_GROUP)
        return send_to_group_of(p, signo);
    if (!info)
        return send_to(p, signo);
    if (!cred_may_signal(p, signo))
        return -EPERM;
    return signo ? signal_send_process(p, info) : 0;
}

static int scope_check(unsigned scope)
{
    return scope == SCOPE_PROCESS || scope == SCOPE_TASK || scope == SCOPE_PROCESS_TOO ||
                   scope == SCOPE_GROUP
               ? 0
               : -EINVAL;
}

/* Claim 1, for whoever names the process by a descriptor. */
static int told_info(const struct process *p, user_addr_t from, int signo,
                     struct uapi_siginfo *info)
{
    if (copy_from_user(info, from, sizeof(*info)))
        return -EFAULT;
    if (info->signo != signo)
        return -EINVAL;
    bool pretends = info->code >= 0 || info->code == SI_TKILL;
    return pretends && p != process_current() ? -EPERM : 0;
}

int64_t sys_pidfd_send_signal(int fd, int signo, user_addr_t from, unsigned scope)
{
    struct uapi_siginfo info;
    struct process *p;

    int err = scope_check(scope);
    if (!err)
        err = pidfd_get(fd, &p, NULL);
    if (err)
        return err;
    if (from.raw)
        err = told_info(p, from, signo, &info);
    if (!err && (signo < 0 || signo > SIGNALS))
        err = -EINVAL;
    if (!err) {
        tasks_lock();
        err = send_through(p, signo, from.raw ? &info : NULL, scope);
        tasks_unlock();
    }
    process_put(p);
    return err;
}
