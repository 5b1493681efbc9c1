/* SPDX-License-Identifier: MIT */
/*
 * kernel/clock.c - what time it is, for whom, and sleeping until then
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  the tree lock (rank TASKS) where CPU time of tasks is added up.
 * Always: (1) an interrupted sleep goes on until the same moment, not for the same time.
 * Source: clock_gettime(2), clock_nanosleep(2), getrusage(2), times(2).
 * Tour:   after arch/x86_64/time.c.
 */
#include "clock.h"

#include "process.h"
#include "syscall.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <uapi/errno.h>
#include <uapi/misc.h>

#define SECONDS_MAX 9000000000UL /* of what fits into 64 bits of nanoseconds */

/* A clock with a number in it: clock_getcpuclockid(3). */
#define CPU_CLOCK_ID(clock)        (~((clock) >> 3))
#define CPU_CLOCK_IS_THREAD(clock) ((clock)&4)
#define CPU_CLOCK_KIND(clock)      ((clock)&3)
#define CPU_CLOCK_KIND_RUN         2 /* 0, 1: split by mode; not told apart */

struct uapi_timespec timespec_of(uint64_t ns)
{
    return (struct uapi_timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
}

int timespec_parse(const struct uapi_timespec *t, uint64_t *ns)
{
    if (t->sec < 0 || t->nsec < 0 || t->nsec >= (int64_t)NS_PER_SEC)
        return -EINVAL;
    *ns = min((uint64_t)t->sec, SECONDS_MAX) * NS_PER_SEC + t->nsec;
    return 0;
}

int timespec_read(user_addr_t from, uint64_t *ns)
{
    struct uapi_timespec t;
    return copy_from_user(&t, from, sizeof(t)) ? -EFAULT : timespec_parse(&t, ns);
}

int deadline_read(user_addr_t timeout, uint64_t *end_ns)
{
    uint64_t ns;

    *end_ns = UINT64_MAX;
    if (!timeout.raw)
        return 0;
    int err = timespec_read(timeout, &ns);
    if (!err)
        *end_ns = clock_ns() + ns;
    return err;
}

bool clock_is_cpu(int clock)
{
    return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static uint64_t own_process_ns(void)
{
    tasks_lock();
    uint64_t ns = process_run_ns(process_current());
    tasks_unlock();
    return ns;
}

/* The clock of some process, or of a task of this one. */
static int cpu_clock_now(int clock, uint64_t *ns)
{
    int id = CPU_CLOCK_ID(clock), err = 0;

    if (CPU_CLOCK_KIND(clock) > CPU_CLOCK_KIND_RUN)
        return -EINVAL;
    tasks_lock();
    if (CPU_CLOCK_IS_THREAD(clock)) {
        const struct task *task = id ? task_named(id) : task_current();
        if (task && task->process == process_current())
            *ns = sched_run_ns(task);
        else
            err = -EINVAL;
    } else {
        const struct process *process = id ? process_named(id) : process_current();
        if (process)
            *ns = process_run_ns(process);
        else
            err = -EINVAL;
    }
    tasks_unlock();
    return err;
}

int clock_now(int clock, uint64_t *ns)
{
    if (clock < 0)
        return cpu_clock_now(clock, ns);
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        *ns = clock_boot_epoch_ns() + clock_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = clock_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = own_process_ns();
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = sched_run_ns(task_current());
        return 0;
    default:
        return -EINVAL;
    }
}

uint64_t clock_to_monotonic(int clock, uint64_t ns)
{
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    uint64_t epoch = wall ? clock_boot_epoch_ns() : 0;
    return ns > epoch ? ns - epoch : 0;
}

int64_t sys_clock_gettime(int clock, user_addr_t out)
{
    uint64_t ns;
    int err = clock_now(clock, &ns);
    struct uapi_timespec t = timespec_of(err ? 0 : ns);
    return err ? err : copy_to_user(out, &t, sizeof(t));
}

int64_t sys_clock_getres(int clock, user_addr_t out)
{
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    struct uapi_timespec t = {0, coarse ? 4000000 : 1};
    uint64_t ns;
    int err = clock_now(clock, &ns);
    return err ? err : out.raw ? copy_to_user(out, &t, sizeof(t)) : 0;
}

int64_t sys_gettimeofday(user_addr_t tv, user_addr_t tz)
{
    uint64_t ns = clock_boot_epoch_ns() + clock_ns();
    int64_t t[2] = {ns / NS_PER_SEC, ns % NS_PER_SEC / NS_PER_US};
    int64_t err = tv.raw ? copy_to_user(tv, t, sizeof(t)) : 0;
    if (!err && tz.raw && clear_user(tz, 8))
        err = -EFAULT;
    return err;
}

int64_t sys_time(user_addr_t out)
{
    int64_t now = (clock_boot_epoch_ns() + clock_ns()) / NS_PER_SEC;
    return out.raw && copy_to_user(out, &now, sizeof(now)) ? -EFAULT : now;
}

/* Sleeping */

/* Until clock_ns() is @end_ns: 0, or a restart after a signal, with what is left at @left. */
static int64_t sleep_until(uint64_t end_ns, uint64_t left);

static int64_t sleep_restart(struct restart_block *block)
{
    return sleep_until(block->end_ns, block->sleep.left_at);
}

static int64_t sleep_until(uint64_t end_ns, uint64_t left_at)
{
    uint64_t now = clock_ns(), left = now < end_ns ? sched_sleep(end_ns - now) : 0;
    if (!left)
        return 0;
    struct uapi_timespec t = timespec_of(left);
    if (left_at && copy_to_user(user(left_at), &t, sizeof(t)))
        return -EFAULT;
    task_current()->restart =
        (struct restart_block){.fn = sleep_restart, .end_ns = end_ns, .sleep.left_at = left_at};
    return -ERESTART_RESTARTBLOCK;
}

int64_t sys_restart_syscall(void)
{
    struct restart_block *block = &task_current()->restart;
    return block->fn ? block->fn(block) : -EINTR;
}

/* CPU time passes only while others of the process run: look every now and then. */
static int64_t sleep_cpu_time(int clock, uint64_t end_ns)
{
    for (;;) {
        uint64_t now;
        int err = clock_now(clock, &now);
        if (err || now >= end_ns)
            return err;
        if (sched_sleep(max(end_ns - now, NS_PER_TICK / 10)))
            return -EINTR;
    }
}

int64_t sys_clock_nanosleep(int clock, int flags, user_addr_t request, user_addr_t left)
{
    uint64_t now, ns;

    int err = clock_now(clock, &now);
    if (err)
        return err;
    if (clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL; /* it would never end */
    if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
        clock == CLOCK_MONOTONIC_COARSE)
        return -EOPNOTSUPP;
    err = timespec_read(request, &ns);
    if (err)
        return err;
    bool absolute = flags & TIMER_ABSTIME;
    if (clock_is_cpu(clock))
        return sleep_cpu_time(clock, absolute ? ns : now + ns);
    if (!absolute)
        return sleep_until(clock_ns() + ns, left.raw);
    uint64_t end = clock_to_monotonic(clock, ns), start = clock_ns();
    return end > start && sched_sleep(end - start) ? -ERESTARTNOHAND : 0;
}

int64_t sys_nanosleep(user_addr_t request, user_addr_t left)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, left);
}

/* What was used */

struct usage usage_of_task(const struct task *task)
{
    return (struct usage){.run_ns = sched_run_ns(task),
                          .system_ns = READ_ONCE(task->sched.system_ns),
                          .faults = task->nr_faults,
                          .waits = task->sched.nr_waits,
                          .preemptions = task->sched.nr_preemptions};
}

void usage_add(struct usage *sum, const struct usage *more)
{
    sum->run_ns += more->run_ns;
    sum->system_ns += more->system_ns;
    sum->faults += more->faults;
    sum->waits += more->waits;
    sum->preemptions += more->preemptions;
    sum->max_pages = max(sum->max_pages, more->max_pages);
}

void usage_peak(struct process *process, const struct mm *mm)
{
    process->usage.max_pages = max(process->usage.max_pages, mm_rss_peak(mm));
}

struct usage usage_of_process(const struct process *process)
{
    struct usage sum = process->usage;
    const struct task *task;

    list_for_each_entry (task, &process->tasks, process_node) {
        struct usage more = usage_of_task(task);
        usage_add(&sum, &more);
    }
    sum.run_ns = process_run_ns(process);
    return sum;
}

int usage_write(const struct usage *usage, user_addr_t out)
{
    uint64_t system = usage->system_ns, user = usage->run_ns - system;
    struct uapi_rusage u = {
        .utime = {user / NS_PER_SEC, user % NS_PER_SEC / NS_PER_US},
        .stime = {system / NS_PER_SEC, system % NS_PER_SEC / NS_PER_US},
        .maxrss = usage->max_pages * (PAGE_SIZE / KIB),
        .minflt = usage->faults,
        .nvcsw = usage->waits,
        .nivcsw = usage->preemptions,
    };
    return copy_to_user(out, &u, sizeof(u));
}

int64_t sys_getrusage(int who, user_addr_t out)
{
    struct process *me = process_current();
    struct usage usage;

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    tasks_lock();
    usage_peak(me, task_current()->mm);
    if (who == RUSAGE_SELF)
        usage = usage_of_process(me);
    else if (who == RUSAGE_CHILDREN)
        usage = me->children_usage;
    else
        usage = usage_of_task(task_current());
    if (who == RUSAGE_THREAD)
        usage.max_pages = me->usage.max_pages;
    tasks_unlock();
    return usage_write(&usage, out);
}

int64_t sys_times(user_addr_t out)
{
    struct process *me = process_current();

    tasks_lock();
    struct usage own = usage_of_process(me), children = me->children_usage;
    tasks_unlock();
    int64_t t[4] = {(own.run_ns - own.system_ns) / NS_PER_TICK, own.system_ns / NS_PER_TICK,
                    (children.run_ns - children.system_ns) / NS_PER_TICK,
                    children.system_ns / NS_PER_TICK};
    if (out.raw && copy_to_user(out, t, sizeof(t)))
        return -EFAULT;
    return clock_ns() / NS_PER_TICK;
}
