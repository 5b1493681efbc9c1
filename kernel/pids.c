/* SPDX-License-Identifier: MIT */
/*
 * kernel/pids.c - numbers: processes, groups, sessions
 *
 * Room:   kernel.
 * Owns:   nothing; the tree is kernel/process.c's.
 * Locks:  the tree lock (rank TASKS).
 * Always: (1) a group's members are in one session.
 * Source: credentials(7), setpgid(2), setsid(2).
 * Tour:   after kernel/process.c.
 */
#include "process.h"
#include "syscall.h"
#include <uapi/errno.h>

int64_t sys_getpid(void)
{
    return pid_here(process_current()->pid);
}

int64_t sys_gettid(void)
{
    return pid_here(task_current()->tid);
}

int64_t sys_getppid(void)
{
    struct process *me = process_current();
    return me == init_process ? 0 : pid_here(READ_ONCE(me->parent)->pid);
}

int64_t sys_set_tid_address(uint64_t at)
{
    task_current()->clear_child_tid = at;
    return pid_here(task_current()->tid);
}

static struct process *self_or(int pid)
{
    return pid == 0 ? process_current() : process_named(pid);
}

int64_t sys_getpgid(int pid)
{
    tasks_lock();
    struct process *p = self_or(pid);
    int64_t result = p ? pid_in(process_current()->ns, p->pgid) : -ESRCH;
    tasks_unlock();
    return result;
}

int64_t sys_getpgrp(void)
{
    return sys_getpgid(0);
}

int64_t sys_getsid(int pid)
{
    tasks_lock();
    struct process *p = self_or(pid);
    int64_t result = p ? pid_in(process_current()->ns, p->sid) : -ESRCH;
    tasks_unlock();
    return result;
}

/* Its own group, or one that is there in its session. tasks_lock held. */
static int join_group(struct process *joining, int pgid)
{
    int before = joining->pgid;
    bool there = joining->pid == pgid;
    struct process *p;

    for_each_process(p) there |= p->pgid == pgid && p->sid == joining->sid;
    if (!there)
        return -EPERM;
    joining->pgid = pgid;
    pid_ns_forget(before);
    return 0;
}

int64_t sys_setpgid(int pid, int pgid)
{
    struct process *me = process_current();
    int64_t result = 0;

    if (pgid < 0)
        return -EINVAL;
    tasks_lock();
    struct process *p = self_or(pid);
    if (!p || (p != me && p->parent != me))
        result = -ESRCH;
    else if (p->sid == p->pid || p->sid != me->sid)
        result = -EPERM;
    else
        result = join_group(p, pgid ? pid_meant(pgid) : p->pid);
    tasks_unlock();
    return result;
}

int64_t sys_setsid(void)
{
    struct process *me = process_current(), *p;
    tasks_lock();
    int64_t result = pid_in(me->ns, me->pid);
    int group = me->pgid, session = me->sid;
    for_each_process(p)
    {
        if (p->pgid == me->pid)
            result = -EPERM;
    }
    if (result > 0) {
        me->sid = me->pgid = me->pid;
        pid_ns_forget(group);
        pid_ns_forget(session);
    }
    tasks_unlock();
    return result;
}

bool group_is_orphaned(int pgid)
{
    struct process *p;
    for_each_process(p)
    {
        const struct process *parent = p->parent;
        if (p->pgid == pgid && !p->zombie && parent != p && !pid_ns_is_init(parent) &&
            parent->pgid != pgid && parent->sid == p->sid)
            return false;
    }
    return true;
}
