/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_misc.c - small calls: names, limits, clocks, sleeping, identity
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  as noted.
 * Always: (1) there is one user, root, until files have owners that matter.
 * Source: the man page of each call.
 * Tour:   as needed.
 */
#include "random.h"
#include "syscall.h"
#include <asm/cpu.h>
#include <asm/power.h>
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>
#include <uapi/misc.h>
#include <uapi/stat.h>

#define NS_PER_SEC 1000000000UL

int64_t sys_uname(user_addr_t out)
{
    static const struct uapi_utsname name = {
        .sysname = "Linux",
        .nodename = "bulla",
        .release = BULLA_RELEASE,
        .version = "#1 SMP",
        .machine = "x86_64",
        .domainname = "(none)",
    };
    return copy_to_user(out, &name, sizeof(name));
}

int64_t sys_arch_prctl(int code, uint64_t addr)
{
    uint64_t base;

    switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (addr >= USER_END)
            return -EPERM;
        code == ARCH_SET_FS ? user_fs_base_set(addr) : user_gs_base_set(addr);
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        base = code == ARCH_GET_FS ? user_fs_base() : user_gs_base();
        return copy_to_user(user(addr), &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

/* Limits that mm enforces are told to it. */
static void limit_changed(struct process *process, unsigned which)
{
    struct mm *mm = task_current()->mm;
    uint64_t soft = process->limits[which].soft;

    if (process != process_current())
        return; /* another process's mm learns of it at its next exec */
    if (which == RLIMIT_AS)
        mm->limits.address_space = soft;
    else if (which == RLIMIT_DATA)
        mm->limits.data = soft;
    else if (which == RLIMIT_STACK)
        mm->limits.stack = soft;
    else if (which == RLIMIT_MEMLOCK)
        mm->limits.locked = soft;
}

int64_t sys_prlimit64(int pid, unsigned which, user_addr_t new, user_addr_t old)
{
    struct rlimit limit, before;
    int64_t err = 0;

    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    if (new.raw && copy_from_user(&limit, new, sizeof(limit)))
        return -EFAULT;
    if (new.raw && limit.soft > limit.hard)
        return -EINVAL;
    tasks_lock();
    struct process *process = pid ? process_find(pid) : process_current();
    if (process) {
        before = process->limits[which];
        if (new.raw) {
            process->limits[which] = limit;
            limit_changed(process, which);
        }
    }
    tasks_unlock();
    if (!process)
        return -ESRCH;
    if (old.raw)
        err = copy_to_user(old, &before, sizeof(before));
    return err;
}

int64_t sys_getrlimit(unsigned which, user_addr_t out)
{
    return sys_prlimit64(0, which, user(0), out);
}

int64_t sys_setrlimit(unsigned which, user_addr_t in)
{
    return sys_prlimit64(0, which, in, user(0));
}

int64_t sys_getrandom(user_addr_t buf, size_t len, unsigned flags)
{
    char bytes[256];
    size_t done = 0;

    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    len = min(len, 0x7ffff000UL);
    while (done < len) {
        size_t chunk = min(len - done, sizeof(bytes));
        random_bytes(bytes, chunk);
        if (copy_to_user(user(buf.raw + done), bytes, chunk))
            return done ? (int64_t)done : -EFAULT;
        done += chunk;
    }
    return done;
}

/* Clocks */

static int clock_now(int clock, uint64_t *ns)
{
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
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = task_current()->sched.run_ns + clock_ns() - task_current()->sched.started_ns;
        return 0;
    default:
        return -EINVAL;
    }
}

static struct uapi_timespec timespec_of(uint64_t ns)
{
    return (struct uapi_timespec){ns / NS_PER_SEC, ns % NS_PER_SEC};
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
    uint64_t ns;
    struct uapi_timespec t = {0, 1};
    int err = clock_now(clock, &ns);
    return err ? err : out.raw ? copy_to_user(out, &t, sizeof(t)) : 0;
}

int64_t sys_gettimeofday(user_addr_t tv, user_addr_t tz)
{
    uint64_t ns = clock_boot_epoch_ns() + clock_ns();
    int64_t t[2] = {ns / NS_PER_SEC, ns % NS_PER_SEC / 1000};
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

int64_t sys_clock_nanosleep(int clock, int flags, user_addr_t request, user_addr_t left)
{
    struct uapi_timespec t;
    uint64_t now;

    int err = clock_now(clock, &now);
    if (err)
        return err;
    if (copy_from_user(&t, request, sizeof(t)))
        return -EFAULT;
    if (t.sec < 0 || t.nsec < 0 || t.nsec >= (int64_t)NS_PER_SEC)
        return -EINVAL;
    uint64_t ns = min((uint64_t)t.sec, 9000000000UL) * NS_PER_SEC + t.nsec;
    if (flags & TIMER_ABSTIME)
        ns = ns > now ? ns - now : 0;
    if (!ns)
        return 0;
    uint64_t rest = sched_sleep(ns);
    if (!rest)
        return 0;
    t = timespec_of(rest);
    if (!(flags & TIMER_ABSTIME) && left.raw && copy_to_user(left, &t, sizeof(t)))
        return -EFAULT;
    return -EINTR;
}

int64_t sys_nanosleep(user_addr_t request, user_addr_t left)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, left);
}

int64_t sys_sched_yield(void)
{
    schedule();
    return 0;
}

int64_t sys_sched_getaffinity(int pid, size_t len, user_addr_t out)
{
    uint64_t mask = nr_cpus() == 64 ? ~0UL : (1UL << nr_cpus()) - 1;

    tasks_lock();
    bool exists = pid == 0 || task_find(pid);
    tasks_unlock();
    if (!exists)
        return -ESRCH;
    if (len < sizeof(mask) || len % sizeof(mask))
        return -EINVAL;
    int err = copy_to_user(out, &mask, sizeof(mask));
    return err ? err : (int64_t)sizeof(mask);
}

int64_t sys_set_robust_list(uint64_t head, size_t len)
{
    if (len != 24)
        return -EINVAL;
    task_current()->robust_list = head;
    return 0;
}

/* Identity */

int64_t sys_getuid(void)
{
    return 0;
}

int64_t sys_getgroups(int size, user_addr_t list)
{
    uint32_t root = 0;
    if (size < 0)
        return -EINVAL;
    if (size && copy_to_user(list, &root, sizeof(root)))
        return -EFAULT;
    return 1;
}

int64_t sys_prctl(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct task *task = task_current();
    char name[TASK_NAME_MAX] = "";

    (void)a3, (void)a4, (void)a5;
    switch (option) {
    case PR_SET_NAME: {
        long len = copy_string_from_user(name, user(a2), sizeof(name));
        if (len < 0 && len != -ENAMETOOLONG)
            return len;
        name[TASK_NAME_MAX - 1] = '\0';
        strlcpy(task->name, name, sizeof(task->name));
        return 0;
    }
    case PR_GET_NAME:
        return copy_to_user(user(a2), task->name, sizeof(task->name));
    default:
        return -EINVAL;
    }
}

int64_t sys_sysinfo(user_addr_t out)
{
    struct page_counts pages;
    page_counts(&pages);
    struct uapi_sysinfo info = {
        .uptime = clock_ns() / NS_PER_SEC,
        .totalram = pages.total,
        .freeram = pages.free,
        .procs = 1,
        .mem_unit = PAGE_SIZE,
    };
    return copy_to_user(out, &info, sizeof(info));
}

int64_t sys_getrusage(int who, user_addr_t out)
{
    int64_t usage[18] = {0};
    uint64_t ns = task_current()->sched.run_ns + clock_ns() - task_current()->sched.started_ns;

    if (who < -1 || who > 1)
        return -EINVAL;
    if (who != -1) {
        usage[0] = ns / NS_PER_SEC;
        usage[1] = ns % NS_PER_SEC / 1000;
    }
    return copy_to_user(out, usage, sizeof(usage));
}

int64_t sys_times(user_addr_t out)
{
    uint64_t ns = task_current()->sched.run_ns + clock_ns() - task_current()->sched.started_ns;
    int64_t t[4] = {ns / 10000000};
    if (out.raw && copy_to_user(out, t, sizeof(t)))
        return -EFAULT;
    return clock_ns() / 10000000;
}

int64_t sys_reboot(unsigned magic1, unsigned magic2, unsigned cmd)
{
    if (magic1 != REBOOT_MAGIC1 || (magic2 != REBOOT_MAGIC2 && magic2 != REBOOT_MAGIC2A &&
                                    magic2 != REBOOT_MAGIC2B && magic2 != REBOOT_MAGIC2C))
        return -EINVAL;
    switch (cmd) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF:
        return 0;
    case REBOOT_POWER_OFF:
    case REBOOT_HALT:
        machine_shutdown(0);
    case REBOOT_RESTART:
        machine_reset();
    default:
        return -EINVAL;
    }
}
