/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_status.c - /proc/PID/stat, status and statm: one look at a process, or at one task
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  tasks_lock for one look; the signal lock inside; mmap_lock (reading) for huge pages.
 * Always: (1) what comes from one look belongs together; two looks may differ;
 *         (2) in /proc/PID times, faults and switches are those of all tasks, in task/TID of one.
 * Source: proc_pid_stat(5), proc_pid_status(5), proc_pid_statm(5).
 * Tour:   after kernel/proc_text.c.
 */
#include "files.h"
#include "proc.h"
#include "task.h"
#include "text_file.h"
#include "tty.h"
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/usage.h>
#include <uapi/errno.h>

#define PAGE_KIB           (PAGE_SIZE / KIB)
#define NS_PER_TICK        10000000UL
#define MEMORY_NODE_GROUPS 32 /* of 32 nodes each, as Linux prints them */

struct snapshot {
    char name[TASK_NAME_MAX];
    char state;
    int tgid, tid, ppid, pgid, sid, tracer, exit_signal;
    int tty, tty_pgrp;
    unsigned nr_tasks, cpu, nr_levels;
    int ids[PID_NS_LEVELS][4]; /* per namespace: tgid, tid, pgid, sid */
    uint32_t umask, nr_queued, status;
    uint64_t born_ns, affinity, rss_limit, queue_limit;
    struct usage usage, children;
    uint64_t pending, shared_pending, blocked, ignored, caught;
};

static char state_letter(const struct process *process, const struct task *task)
{
    if (!task)
        return 'Z';
    if (task->trace.stop_code)
        return 't';
    if (atomic_load(&process->signals.stop_signal))
        return 'T';
    switch (task->sched.state) {
    case TASK_RUNNABLE:
        return 'R';
    case TASK_BLOCKED:
        return 'D';
    default:
        return 'S';
    }
}

static void snapshot_signals(struct snapshot *s, const struct process *process)
{
    for (int signo = 1; signo <= SIGNALS; signo++) {
        uint64_t handler = process->signals.action[signo - 1].handler;
        if (handler == SIG_IGN)
            s->ignored |= sigmask(signo);
        else if (handler != SIG_DFL)
            s->caught |= sigmask(signo);
    }
    s->shared_pending = process->signals.shared.mask;
    s->nr_queued = process->signals.nr_queued;
    s->queue_limit = process->limits[RLIMIT_SIGPENDING].soft;
}

/* What each namespace calls it, the innermost last. */
static void snapshot_names(struct snapshot *s, const struct process *process)
{
    const struct pid_ns *ns = process->ns;

    s->nr_levels = ns->level + 1;
    for (; ns; ns = ns->parent) {
        int names[4] = {pid_in(ns, s->tgid), pid_in(ns, s->tid), pid_in(ns, s->pgid),
                        pid_in(ns, s->sid)};
        memcpy(s->ids[ns->level], names, sizeof(names));
    }
}

static void snapshot_task(struct snapshot *s, const struct task *task)
{
    strlcpy(s->name, task->name, sizeof(s->name));
    s->cpu = task->sched.cpu;
    s->affinity = task->sched.affinity & sched_all_cpus();
    s->tracer = task->trace.tracer ? task->trace.tracer->pid : 0;
    s->pending = task->signals.pending.mask;
    s->blocked = task->signals.blocked;
}

static void snapshot_process(struct snapshot *s, const struct process *process,
                             const struct task *task)
{
    *s = (struct snapshot){
        .state = state_letter(process, task),
        .tgid = process->pid,
        .tid = process->pid,
        .ppid = process->pid == 1 ? 0 : process->parent->pid,
        .pgid = process->pgid,
        .sid = process->sid,
        .exit_signal = process->exit_signal,
        .nr_tasks = process->nr_tasks,
        .umask = process->umask,
        .status = process->zombie ? process->status : 0,
        .born_ns = process->born_ns,
        .affinity = sched_all_cpus(),
        .rss_limit = process->limits[RLIMIT_RSS].soft,
        .usage = usage_of_process(process),
        .children = process->children_usage,
    };
    strlcpy(s->name, process->last_name, sizeof(s->name));
    snapshot_signals(s, process);
    if (task)
        snapshot_task(s, task);
}

/* @of_task: of this one task of the process. */
static void snapshot_fill(struct snapshot *s, const struct process *process, struct task *of_task)
{
    const struct task *task = of_task;
    if (!task && !list_empty(&process->tasks))
        task = list_first_entry(&process->tasks, struct task, process_node);
    snapshot_process(s, process, task);
    if (of_task) {
        s->tid = of_task->tid;
        s->born_ns = of_task->born_ns;
        s->usage = usage_of_task(of_task);
    }
    snapshot_names(s, process);
}

static int snapshot_take(struct snapshot *s, const struct dentry *dir)
{
    int tid = proc_pid(dir);

    tasks_lock();
    struct process *process = proc_process(tid);
    struct task *of_task = proc_is_of_task(dir) ? task_find(tid) : NULL;
    bool there = process && (of_task || !proc_is_of_task(dir));
    if (there)
        snapshot_fill(s, process, of_task);
    tasks_unlock();
    if (there)
        s->tty = tty_of_session(s->sid, &s->tty_pgrp);
    return there ? 0 : -ESRCH;
}

/* status */

static const char *state_name(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
    case 't':
        return "tracing stop";
    case 'Z':
        return "zombie";
    default:
        return "sleeping";
    }
}

static void add_ids(struct text *t, const char *name, const struct ids *ids)
{
    text_add(t, "%s:\t%u\t%u\t%u\t%u\n", name, ids->real, ids->effective, ids->saved, ids->fs);
}

static void add_names(struct text *t, const struct snapshot *s)
{
    static const char *const names[] = {"NStgid", "NSpid", "NSpgid", "NSsid"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        text_add(t, "%s:", names[i]);
        for (unsigned level = 0; level < s->nr_levels; level++)
            text_add(t, "\t%d", s->ids[level][i]);
        text_add(t, "\n");
    }
}

static void add_identity(struct text *t, const struct snapshot *s, const struct cred *cred)
{
    text_add(t, "Name:\t%s\n", s->name);
    if (s->state != 'Z')
        text_add(t, "Umask:\t%04o\n", s->umask);
    text_add(t, "State:\t%c (%s)\n", s->state, state_name(s->state));
    text_add(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", s->tgid, s->tid,
             s->ppid, s->tracer);
    add_ids(t, "Uid", &cred->user);
    add_ids(t, "Gid", &cred->group);
    text_add(t, "FDSize:\t%u\nGroups:\t", s->state == 'Z' ? 0 : FILES_MAX);
    for (uint32_t i = 0; i < cred->nr_groups; i++)
        text_add(t, "%u ", cred->groups[i]);
    text_add(t, "%s\n", cred->nr_groups ? "" : " ");
    add_names(t, s);
    text_add(t, "Kthread:\t0\n");
}

static void add_kib(struct text *t, const char *name, uint64_t pages)
{
    text_add(t, "%s:\t%8lu kB\n", name, pages * PAGE_KIB);
}

/* What an address space has resident; pages of the pool are counted apart. */
struct resident {
    uint64_t anon, object, hugetlb;
};

static struct resident resident_of(struct mm *mm)
{
    int64_t anon, object;
    uint64_t hugetlb = mm_hugetlb_pages(mm);

    mm_rss(mm, &anon, &object);
    return (struct resident){max(anon, 0L), max(object - (int64_t)hugetlb, 0L), hugetlb};
}

static uint64_t code_pages(const struct mm *mm)
{
    return (round_up(mm->end_code, PAGE_SIZE) - round_down(mm->start_code, PAGE_SIZE)) >>
           PAGE_SHIFT;
}

static void add_memory(struct text *t, struct mm *mm)
{
    struct resident r = resident_of(mm);
    uint64_t code = code_pages(mm), peak = mm_rss_peak(mm) - r.hugetlb;

    add_kib(t, "VmPeak", max(mm->peak_pages, mm->total_pages));
    add_kib(t, "VmSize", mm->total_pages);
    add_kib(t, "VmLck", mm->locked_pages);
    add_kib(t, "VmPin", 0);
    add_kib(t, "VmHWM", max(peak, r.anon + r.object));
    add_kib(t, "VmRSS", r.anon + r.object);
    add_kib(t, "RssAnon", r.anon);
    add_kib(t, "RssFile", 0); /* all files are of tmpfs */
    add_kib(t, "RssShmem", r.object);
    add_kib(t, "VmData", mm->kind_pages[AREA_DATA]);
    add_kib(t, "VmStk", mm->kind_pages[AREA_STACK]);
    add_kib(t, "VmExe", code);
    add_kib(t, "VmLib", mm->kind_pages[AREA_CODE] - min(code, mm->kind_pages[AREA_CODE]));
    add_kib(t, "VmPTE", atomic_load(&mm->pgtable.nr_tables) - 1);
    add_kib(t, "VmSwap", 0);
    add_kib(t, "HugetlbPages", r.hugetlb);
    text_add(t, "CoreDumping:\t0\nTHP_enabled:\t%d\nuntag_mask:\t%#lx\n", !mm->thp_disabled, ~0UL);
}

static void add_signals(struct text *t, const struct snapshot *s)
{
    text_add(t, "Threads:\t%u\nSigQ:\t%u/%lu\n", s->nr_tasks, s->nr_queued, s->queue_limit);
    text_add(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s->pending,
             s->shared_pending, s->blocked);
    text_add(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s->ignored, s->caught);
}

static void add_capabilities(struct text *t, const struct cred *cred)
{
    text_add(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", cred->inheritable,
             cred->permitted, cred->effective);
    text_add(t, "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n", cred->bounding,
             cred->ambient, cred->no_new_privs);
    text_add(t, "Seccomp:\t0\nSeccomp_filters:\t0\n");
}

static void add_cpu_list(struct text *t, uint64_t mask)
{
    const char *before = "";

    for (unsigned first = 0; first < 64; first++) {
        unsigned last = first;
        if (!(mask >> first & 1))
            continue;
        while (last < 63 && (mask >> (last + 1) & 1))
            last++;
        text_add(t, last > first ? "%s%u-%u" : "%s%u", before, first, last);
        before = ",";
        first = last;
    }
    text_add(t, "\n");
}

static void add_placement(struct text *t, const struct snapshot *s)
{
    text_add(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", s->affinity);
    add_cpu_list(t, s->affinity);
    text_add(t, "Mems_allowed:\t");
    for (unsigned i = 1; i < MEMORY_NODE_GROUPS; i++)
        text_add(t, "00000000,");
    text_add(t, "00000001\nMems_allowed_list:\t0\n");
    text_add(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", s->usage.waits,
             s->usage.preemptions);
}

static int show_status(struct text *t, struct dentry *dentry)
{
    int pid = proc_pid(dentry->parent);
    struct snapshot s;

    int err = snapshot_take(&s, dentry->parent);
    if (err)
        return err;
    const struct cred *cred = proc_cred(pid);
    struct mm *mm = proc_mm(pid);
    add_identity(t, &s, cred);
    if (mm) {
        add_memory(t, mm);
        mm_put(mm);
    }
    add_signals(t, &s);
    add_capabilities(t, cred);
    add_placement(t, &s);
    cred_put(cred);
    return 0;
}

/* stat */

/* Where things lie in memory is told to those who may look: to others that there is a program. */
static void add_places(struct text *t, const struct mm *mm, bool may_look)
{
    if (mm && may_look)
        text_add(t, "%lu %lu %lu 0 0 ", mm->start_code, mm->end_code, mm->stack_top);
    else
        text_add(t, "%d %d 0 0 0 ", mm ? 1 : 0, mm ? 1 : 0);
}

static void add_more_places(struct text *t, const struct mm *mm, bool may_look)
{
    if (mm && may_look)
        text_add(t, "%lu %lu %lu %lu %lu %lu %lu ", mm->start_data, mm->end_data, mm->brk_start,
                 mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
    else
        text_add(t, "0 0 0 0 0 0 0 ");
}

static uint64_t user_ticks(const struct usage *u)
{
    return (u->run_ns - min(u->system_ns, u->run_ns)) / NS_PER_TICK;
}

static void add_stat(struct text *t, const struct snapshot *s, struct mm *mm, bool may_look)
{
    struct resident r = mm ? resident_of(mm) : (struct resident){0};

    text_add(t, "%d (%s) %c %d %d %d %d %d 0 ", s->tid, s->name, s->state, s->ppid, s->pgid, s->sid,
             s->tty, s->tty_pgrp);
    text_add(t, "%lu %lu 0 0 ", s->usage.faults, s->children.faults);
    text_add(t, "%lu %lu %lu %lu ", user_ticks(&s->usage), s->usage.system_ns / NS_PER_TICK,
             user_ticks(&s->children), s->children.system_ns / NS_PER_TICK);
    text_add(t, "20 0 %u 0 %lu ", s->nr_tasks, s->born_ns / NS_PER_TICK);
    text_add(t, "%lu %lu %lu ", mm ? mm->total_pages * PAGE_SIZE : 0, r.anon + r.object,
             s->rss_limit);
    add_places(t, mm, may_look);
    text_add(t, "%lu %lu %lu %lu 0 0 0 ", s->pending & INT32_MAX, s->blocked & INT32_MAX,
             s->ignored & INT32_MAX, s->caught & INT32_MAX);
    text_add(t, "%d %u 0 0 0 0 0 ", s->exit_signal, s->cpu);
    add_more_places(t, mm, may_look);
    text_add(t, "%u\n", may_look ? s->status : 0);
}

static int show_stat(struct text *t, struct dentry *dentry)
{
    struct snapshot s;

    int err = snapshot_take(&s, dentry->parent);
    if (err)
        return err;
    struct mm *mm = proc_mm(proc_pid(dentry->parent));
    add_stat(t, &s, mm, !proc_may_look(dentry));
    if (mm)
        mm_put(mm);
    return 0;
}

/* statm */

static int show_statm(struct text *t, struct dentry *dentry)
{
    int pid = proc_pid(dentry->parent);
    struct mm *mm = proc_mm(pid);

    if (!mm && !proc_exists(pid))
        return -ESRCH;
    struct resident r = mm ? resident_of(mm) : (struct resident){0};
    text_add(t, "%lu %lu %lu %lu 0 %lu 0\n", mm ? mm->total_pages : 0, r.anon + r.object, r.object,
             mm ? code_pages(mm) : 0,
             mm ? mm->kind_pages[AREA_DATA] + mm->kind_pages[AREA_STACK] : 0);
    if (mm)
        mm_put(mm);
    return 0;
}

const struct text_kind proc_stat = {"stat", 0444, .show = show_stat},
                       proc_status = {"status", 0444, .show = show_status},
                       proc_statm = {"statm", 0444, .show = show_statm};
