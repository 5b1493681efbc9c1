/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_sched.c - who may run where, and policies
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  the tree lock (rank TASKS) while another task is named.
 * Always: (1) there is one policy, SCHED_OTHER; the others of its kind are accepted as it.
 * Source: sched(7), sched_setaffinity(2), getcpu(2).
 * Tour:   after kernel/sched.c.
 */
#include "process.h"
#include "syscall.h"
#include <asm/cpu.h>
#include <asm/uaccess.h>
#include <uapi/errno.h>
#include <uapi/sched.h>
#include <uapi/stat.h>

#define RT_PRIORITY_MAX 99
#define SLICE_TOLD_NS   3000000

int64_t sys_sched_yield(void)
{
    sched_yield();
    return 0;
}

/* tasks_lock held. */
static struct task *self_or(int tid)
{
    return tid ? task_named(tid) : task_current();
}

static int64_t task_exists(int tid)
{
    if (tid < 0)
        return -EINVAL;
    tasks_lock();
    bool exists = self_or(tid);
    tasks_unlock();
    return exists ? 0 : -ESRCH;
}

int64_t sys_sched_getaffinity(int pid, size_t len, user_addr_t out)
{
    uint64_t mask = sched_all_cpus();

    if (len * 8 < nr_cpus() || len % sizeof(mask))
        return -EINVAL;
    tasks_lock();
    const struct task *task = self_or(pid);
    if (task)
        mask &= task->sched.affinity;
    tasks_unlock();
    if (!task)
        return -ESRCH;
    int err = copy_to_user(out, &mask, sizeof(mask));
    return err ? err : (int64_t)sizeof(mask);
}

/* Is @task of the same user, or may this one change any? */
static bool may_schedule(const struct task *task)
{
    uint32_t me = cred_current()->user.effective;

    return task == task_current() || me == task->cred->user.effective ||
           me == task->cred->user.real || capable(CAP_SYS_NICE);
}

int64_t sys_sched_setaffinity(int pid, size_t len, user_addr_t in)
{
    uint64_t mask = 0;

    if (copy_from_user(&mask, in, min(len, sizeof(mask))))
        return -EFAULT;
    mask &= sched_all_cpus();
    struct task *me = task_current();
    tasks_lock();
    struct task *task = self_or(pid);
    int err = !task ? -ESRCH : !may_schedule(task) ? -EPERM : !mask ? -EINVAL : 0;
    if (!err && task != me)
        sched_set_affinity(task, mask);
    tasks_unlock();
    if (!err && task == me)
        sched_set_affinity(me, mask); /* may move at once: no lock is held */
    return err;
}

int64_t sys_getcpu(user_addr_t cpu_out, user_addr_t node_out)
{
    uint32_t cpu = cpu_id(), node = 0;

    if (cpu_out.raw && copy_to_user(cpu_out, &cpu, sizeof(cpu)))
        return -EFAULT;
    return node_out.raw ? copy_to_user(node_out, &node, sizeof(node)) : 0;
}

/* Policies */

static bool is_realtime(int policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_known(int policy)
{
    return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ||
           is_realtime(policy);
}

int64_t sys_sched_getscheduler(int pid)
{
    return task_exists(pid);
}

static int64_t policy_set(int pid, int policy, user_addr_t param)
{
    int32_t priority;

    if (!param.raw || pid < 0)
        return -EINVAL;
    if (copy_from_user(&priority, param, sizeof(priority)))
        return -EFAULT;
    int64_t err = task_exists(pid);
    if (err)
        return err;
    if (!is_known(policy) || priority < 0 || priority > RT_PRIORITY_MAX ||
        is_realtime(policy) != (priority > 0))
        return -EINVAL;
    return is_realtime(policy) ? -EPERM : 0;
}

int64_t sys_sched_setscheduler(int pid, int policy, user_addr_t param)
{
    return policy < 0 ? -EINVAL : policy_set(pid, policy & ~SCHED_RESET_ON_FORK, param);
}

int64_t sys_sched_setparam(int pid, user_addr_t param)
{
    return policy_set(pid, SCHED_OTHER, param);
}

int64_t sys_sched_getparam(int pid, user_addr_t out)
{
    int32_t priority = 0;
    int64_t err = out.raw ? task_exists(pid) : -EINVAL;
    return err ? err : copy_to_user(out, &priority, sizeof(priority));
}

int64_t sys_sched_get_priority_max(int policy)
{
    return !is_known(policy) ? -EINVAL : is_realtime(policy) ? RT_PRIORITY_MAX : 0;
}

int64_t sys_sched_get_priority_min(int policy)
{
    return !is_known(policy) ? -EINVAL : is_realtime(policy) ? 1 : 0;
}

int64_t sys_sched_rr_get_interval(int pid, user_addr_t out)
{
    struct uapi_timespec t = {0, SLICE_TOLD_NS};
    int64_t err = task_exists(pid);
    return err ? err : copy_to_user(out, &t, sizeof(t));
}

/* The call tells 20 - nice, so that it is never negative. */
int64_t sys_getpriority(int which, int who)
{
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    int64_t err = which == PRIO_PROCESS ? task_exists(who) : 0;
    return err ? -ESRCH : 20;
}

int64_t sys_setpriority(int which, int who, int nice)
{
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    (void)nice; /* accepted: everybody is equal */
    int64_t err = which == PRIO_PROCESS ? task_exists(who) : 0;
    return err ? -ESRCH : 0;
}
