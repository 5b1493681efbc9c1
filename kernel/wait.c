/* SPDX-License-Identifier: MIT */
/*
 * kernel/wait.c - wait4 and waitid: what became of the children
 *
 * Room:   kernel.
 * Owns:   the one look at all children, and the reaping of zombies.
 * Locks:  the tree lock (rank TASKS).
 * Always: (1) an event is told to one waiter, unless WNOWAIT leaves it for the next.
 * Source: wait(2), waitid(2), ptrace(2).
 * Tour:   after kernel/exit.c.
 */
#include "pidfd.h"
#include "process.h"
#include "ptrace.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>
#include <uapi/sched.h>

struct wait_request {
    int which, id; /* P_PID etc. */
    int options;
    const struct process *only; /* this child, whatever its number; NULL: any */
};

struct wait_result {
    int pid, code, status; /* CLD_EXITED etc., and the exit code or signal */
    struct usage usage;
    struct process *reaped; /* to be put */
};

static bool id_matches(const struct wait_request *r, int pid, int pgid)
{
    if (r->which == P_PID)
        return pid == r->id;
    return r->which == P_ALL || pgid == r->id;
}

static bool wanted(const struct wait_request *r, const struct process *child)
{
    bool clone_child = child->exit_signal != SIGCHLD;
    bool kind = (r->options & WALL) || clone_child == !!(r->options & WCLONE);
    if (r->only && r->only != child)
        return false;
    return kind && id_matches(r, child->pid, child->pgid);
}

static void tell_end(const struct process *child, struct wait_result *out)
{
    int signo = child->status & 0x7f;
    out->code = !signo ? CLD_EXITED : child->status & 0x80 ? CLD_DUMPED : CLD_KILLED;
    out->status = signo ? signo : (int)(child->status >> 8 & 0xff);
}

/* One zombie out of the tree; its parent inherits what it used. */
static void reap(struct process *child, struct wait_result *out)
{
    struct process *me = process_current();

    usage_add(&me->children_usage, &out->usage);
    usage_add(&me->children_usage, &child->children_usage);
    process_unlink(child);
    out->reaped = child;
}

/* What is there to tell of @child, as asked: CLD_EXITED etc. into @out, or false. */
static bool has_news(const struct wait_request *r, const struct process *child,
                     struct wait_result *out)
{
    if (child->zombie) {
        tell_end(child, out);
        return r->options & WEXITED;
    }
    if ((r->options & WSTOPPED) && child->stop_told && !child->stop_reported) {
        out->code = CLD_STOPPED;
        out->status = atomic_load(&child->signals.stop_signal);
        return true;
    }
    out->code = CLD_CONTINUED;
    out->status = SIGCONT;
    return (r->options & WCONTINUED) && child->continued;
}

/* Claim 1, for one child. tasks_lock held. */
static bool look_at(const struct wait_request *r, struct process *child, struct wait_result *out)
{
    bool keep = r->options & WNOWAIT;

    if (!has_news(r, child, out))
        return false;
    out->pid = pid_in(process_current()->ns, child->pid);
    out->usage = usage_of_process(child);
    out->reaped = NULL;
    if (keep)
        return true;
    if (child->zombie)
        reap(child, out);
    else if (out->code == CLD_STOPPED)
        child->stop_reported = true;
    else
        child->continued = false;
    return true;
}

/* A task that this process traces and that has stopped. tasks_lock held. */
static bool look_at_traced(const struct wait_request *r, struct task *task, struct wait_result *out)
{
    struct trace *trace = &task->trace;
    if (!trace->stop_code || trace->reported)
        return false;
    *out = (struct wait_result){.pid = pid_in(process_current()->ns, task->tid),
                                .code = CLD_TRAPPED,
                                .status = trace->stop_code,
                                .usage = usage_of_process(task->process)};
    trace->reported = !(r->options & WNOWAIT);
    return true;
}

/* One look: 1 and the result, 0: not yet, -ECHILD. */
static int wait_once(const struct wait_request *r, struct wait_result *out)
{
    struct process *me = process_current(), *child;
    struct task *task;
    int result = -ECHILD;

    tasks_lock();
    list_for_each_entry (task, &me->tracees, trace.node) {
        if ((r->only && r->only != task->process) || !id_matches(r, task->tid, task->process->pgid))
            continue;
        result = look_at_traced(r, task, out);
        if (result == 1)
            goto found;
    }
    list_for_each_entry (child, &me->children, sibling) {
        if (!wanted(r, child))
            continue;
        result = look_at(r, child, out);
        if (result == 1)
            goto found;
    }
found:
    tasks_unlock();
    return result;
}

static int wait_for(const struct wait_request *r, struct wait_result *out)
{
    struct process *me = process_current();

    for (;;) {
        struct waiter w;
        wait_prepare(&me->child_exit, &w, TASK_WAITING);
        int result = wait_once(r, out);
        bool again = result == 0 && !(r->options & WNOHANG);
        if (again && !signal_pending_current())
            schedule();
        wait_finish(&me->child_exit, &w);
        if (!again) {
            if (result == 1 && out->reaped)
                process_put(out->reaped);
            return result;
        }
        if (signal_pending_current())
            return -ERESTARTSYS;
    }
}

/* As wait(2) encodes it. */
static uint32_t status_word(const struct wait_result *r)
{
    switch (r->code) {
    case CLD_EXITED:
        return r->status << 8;
    case CLD_KILLED:
        return r->status;
    case CLD_DUMPED:
        return r->status | 0x80;
    case CLD_CONTINUED:
        return 0xffff;
    default:
        return r->status << 8 | 0x7f;
    }
}

static int meant(int nr)
{
    tasks_lock();
    int tid = pid_meant(nr);
    tasks_unlock();
    return tid;
}

int64_t sys_wait4(int pid, user_addr_t status_out, int options, user_addr_t rusage)
{
    struct wait_request r = {.which = P_ALL, .options = options | WEXITED};
    struct wait_result result;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid > 0)
        r = (struct wait_request){P_PID, meant(pid), r.options, NULL};
    else if (pid != -1)
        r = (struct wait_request){P_PGID, pid ? meant(-pid) : process_current()->pgid, r.options,
                                  NULL};
    int err = wait_for(&r, &result);
    if (err != 1)
        return err;
    uint32_t status = status_word(&result);
    if (status_out.raw && copy_to_user(status_out, &status, sizeof(status)))
        return -EFAULT;
    if (rusage.raw && usage_write(&result.usage, rusage))
        return -EFAULT;
    return result.pid;
}

static int check_waitid(int which, int id, int options)
{
    if ((options &
         ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WALL | WCLONE)) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    if (which != P_ALL && which != P_PID && which != P_PGID && which != P_PIDFD)
        return -EINVAL;
    return (which == P_PIDFD && id < 0) || (which == P_PID && id <= 0) ||
                   (which == P_PGID && id < 0)
               ? -EINVAL
               : 0;
}

/* The words that waitid(2) sets; what lies between them stays as it was. */
static int waitid_info_write(const struct wait_result *r, user_addr_t out)
{
    struct uapi_siginfo info = {0};
    if (r)
        info = (struct uapi_siginfo){
            .signo = SIGCHLD, .code = r->code, .pid = r->pid, .status = r->status};
    int err = copy_to_user(out, &info, 3 * sizeof(int32_t));
    return err ? err
               : copy_to_user(user(out.raw + offsetof(struct uapi_siginfo, pid)), &info.pid,
                              3 * sizeof(int32_t));
}

/* For the process that a descriptor stands for. */
static int wait_for_pidfd(struct wait_request *r, int fd, struct wait_result *result)
{
    struct process *process;
    uint32_t flags;

    int err = pidfd_get(fd, &process, &flags);
    if (err)
        return err;
    bool impatient = (flags & O_NONBLOCK) && !(r->options & WNOHANG);
    r->which = P_ALL;
    r->options |= impatient ? WNOHANG : 0;
    r->only = process;
    err = wait_for(r, result);
    process_put(process);
    return !err && impatient ? -EAGAIN : err;
}

int64_t sys_waitid(int which, int id, user_addr_t info, int options, user_addr_t rusage)
{
    struct wait_request r = {which, id, options, NULL};
    struct wait_result result;

    int err = check_waitid(which, id, options);
    if (err)
        return err;
    if (which == P_PIDFD) {
        err = wait_for_pidfd(&r, id, &result);
    } else {
        r.id = which == P_PGID && !id ? process_current()->pgid : meant(id);
        err = wait_for(&r, &result);
    }
    if (err < 0)
        return err;
    if (err == 1 && rusage.raw && usage_write(&result.usage, rusage))
        return -EFAULT;
    return info.raw ? waitid_info_write(err == 1 ? &result : NULL, info) : 0;
}
