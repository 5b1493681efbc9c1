/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_misc.c - small calls: names, limits
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  as noted.
 * Always: -
 * Source: the man page of each call.
 * Tour:   as needed.
 */
#include "clock.h"
#include "load.h"
#include "process.h"
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
#include <uapi/personality.h>
#include <uapi/prctl.h>

#define NOFILE_MAX   (1U << 20)        /* fs.nr_open */
#define LOAD_TO_USER (16 - LOAD_SHIFT) /* sysinfo(2) has 16 bits behind the point */

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

/* May the running task see and change the limits of @process? tasks_lock held. */
static bool may_limit(const struct process *process)
{
    const struct cred *me = cred_current();
    const struct task *task = process_living_task(process);
    const struct cred *other = task ? task->cred : cred_root();

    return process == process_current() || capable(CAP_SYS_RESOURCE) ||
           (ids_are_all(&other->user, me->user.real) && ids_are_all(&other->group, me->group.real));
}

/* Limits that mm enforces are told to it. tasks_lock held. */
static void limit_changed(struct process *process, unsigned which)
{
    const struct task *task = process_living_task(process);
    uint64_t soft = process->limits[which].soft;

    if (!task)
        return;
    struct mm *mm = task->mm;
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
    struct process *process = pid ? process_named(pid) : process_current();
    if (!process)
        err = -ESRCH;
    else if (!may_limit(process))
        err = -EPERM;
    else
        before = process->limits[which];
    if (!err && new.raw) {
        if (limit.hard > before.hard && !capable(CAP_SYS_RESOURCE))
            err = -EPERM;
        else if (which == RLIMIT_NOFILE && limit.hard > NOFILE_MAX)
            err = -EPERM;
    }
    if (!err && new.raw) {
        process->limits[which] = limit;
        limit_changed(process, which);
    }
    tasks_unlock();
    if (!err && old.raw)
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

int64_t sys_personality(uint32_t wanted)
{
    struct process *me = process_current();
    uint32_t before = me->personality;

    if (wanted != PERSONALITY_ASK)
        me->personality = wanted;
    return before;
}

static int64_t name_set(user_addr_t from)
{
    char name[TASK_NAME_MAX] = "";
    long len = copy_string_from_user(name, from, sizeof(name));

    if (len < 0 && len != -ENAMETOOLONG)
        return len;
    name[TASK_NAME_MAX - 1] = '\0';
    strlcpy(task_current()->name, name, TASK_NAME_MAX);
    return 0;
}

static int64_t subreaper_get(user_addr_t out)
{
    int32_t is = process_current()->subreaper;
    return copy_to_user(out, &is, sizeof(is));
}

/* Once chosen they stay. */
static int64_t mdwe_set(uint64_t bits)
{
    if ((bits & ~(uint64_t)(PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT)) ||
        bits == PR_MDWE_NO_INHERIT)
        return -EINVAL;
    return mm_set_mdwe(task_current()->mm, bits);
}

int64_t sys_prctl(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct task *task = task_current();
    struct process *me = task->process;

    switch (option) {
    case PR_SET_PDEATHSIG:
        if (a2 > SIGNALS)
            return -EINVAL;
        task->parent_death_signal = a2;
        return 0;
    case PR_GET_PDEATHSIG:
        return copy_to_user(user(a2), &task->parent_death_signal, sizeof(int32_t));
    case PR_GET_DUMPABLE:
        return !me->no_dump;
    case PR_SET_DUMPABLE:
        if (a2 > 1)
            return -EINVAL;
        me->no_dump = !a2;
        return 0;
    case PR_SET_NAME:
        return name_set(user(a2));
    case PR_GET_NAME:
        return copy_to_user(user(a2), task->name, sizeof(task->name));
    case PR_SET_CHILD_SUBREAPER:
        me->subreaper = a2;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return subreaper_get(user(a2));
    case PR_SET_THP_DISABLE:
        if (a3 || a4 || a5)
            return -EINVAL;
        WRITE_ONCE(task->mm->thp_disabled, a2 != 0);
        return 0;
    case PR_GET_THP_DISABLE:
        return a2 || a3 || a4 || a5 ? -EINVAL : task->mm->thp_disabled;
    case PR_SET_MDWE:
        return a3 || a4 || a5 ? -EINVAL : mdwe_set(a2);
    case PR_GET_MDWE:
        return a2 || a3 || a4 || a5 ? -EINVAL : (int)mm_mdwe(task->mm);
    default:
        return prctl_cred(option, a2, a3, a4, a5);
    }
}

int64_t sys_sysinfo(user_addr_t out)
{
    struct page_counts pages;
    uint64_t loads[3];

    page_counts(&pages);
    load_averages(loads);
    struct uapi_sysinfo info = {
        .uptime = clock_ns() / NS_PER_SEC,
        .loads = {loads[0] << LOAD_TO_USER, loads[1] << LOAD_TO_USER, loads[2] << LOAD_TO_USER},
        .totalram = pages.total,
        .freeram = pages.free,
        .sharedram = pages.frames[PAGE_OBJECT],
        .procs = load_now().all,
        .mem_unit = PAGE_SIZE,
    };
    return copy_to_user(out, &info, sizeof(info));
}

int64_t sys_reboot(unsigned magic1, unsigned magic2, unsigned cmd)
{
    if (!capable(CAP_SYS_BOOT))
        return -EPERM;
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
