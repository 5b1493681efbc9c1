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
    return process_current()->pid;
}

int64_t sys_gettid(void)
{
    return task_current()->tid;
}

int64_t sys_getppid(void)
{
    struct process *me = process_current();
    return me->pid == 1 ? 0 : READ_ONCE(me->parent)->pid;
}

int64_t sys_set_tid_address(uint64_t at)
{
    task_current()->clear_child_tid = at;
    return task_current()->tid;
}

static struct process *self_or(int pid)
{
    return pid == 0 ? process_current() : process_find(pid);
}

int64_t sys_getpgid(int pid)
{
    tasks_lock();
    struct process *p = self_or(pid);
    int64_t result = p ? p->pgid : -ESRCH;
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
    int64_t result = p ? p->sid : -ESRCH;
    tasks_unlock();
    return result;
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
        p->pgid = pgid ? pgid : p->pid;
    tasks_unlock();
    return result;
}

int64_t sys_setsid(void)
{
    struct process *me = process_current(), *p;
    int64_t result = me->pid;

    tasks_lock();
    for_each_process(p)
    {
        if (p->pgid == me->pid)
            result = -EPERM;
    }
    if (result > 0)
        me->sid = me->pgid = me->pid;
    tasks_unlock();
    return result;
}

bool group_is_orphaned(int pgid)
{
    struct process *p;
    for_each_process(p)
    {
        const struct process *parent = p->parent;
        if (p->pgid == pgid && !p->zombie && parent != p && parent->pid != 1 &&
            parent->pgid != pgid && parent->sid == p->sid)
            return false;
    }
    return true;
}
