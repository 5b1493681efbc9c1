/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_text.c - the files of /proc/PID: maps, status, stat, cmdline
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  tasks_lock for one look at a process; mmap_lock (reading) while areas are written down.
 * Always: (1) what comes from one look belongs together; two looks may differ.
 * Source: proc_pid_maps(5), proc_pid_stat(5), proc_pid_status(5).
 * Tour:   after kernel/proc_pid.c.
 */
#include "proc.h"

#include "files.h"
#include "fs.h"
#include "oom.h"
#include "task.h"
#include "text_file.h"
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define PAGE_KIB     (PAGE_SIZE / KIB)
#define MAPS_PATH_AT 72 /* the column before a path of maps */
#define CMDLINE_MAX  (64 * KIB)
#define NS_PER_TICK  10000000UL

/* maps */

static int object_path(struct object *object, char *path, size_t size)
{
    struct inode *inode = inode_of_object(object);
    if (inode && inode->dentry)
        return dentry_path(inode->dentry, path, size);
    return snprintf(path, size, "%s",
                    object->ops == &hugetlb_ops ? "/anon_hugepage (deleted)"
                                                : "/dev/zero (deleted)");
}

/* What stands behind an area; its length, 0 for none. */
static int area_name(const struct vma *vma, char *path, size_t size)
{
    if (vma->object)
        return max(object_path(vma->object, path, size), 0);
    if (vma->flags & VM_HEAP)
        return snprintf(path, size, "[heap]");
    return vma->flags & VM_STACK ? snprintf(path, size, "[stack]") : 0;
}

void proc_add_area(struct text *t, struct vma *vma, char *path, size_t size)
{
    const struct inode *inode = vma->object ? inode_of_object(vma->object) : NULL;
    uint64_t offset = vma->object ? vma->pgoff << PAGE_SHIFT : 0;
    size_t start = t->len;

    text_add(t, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", vma->start, vma->end,
             vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
             vma->flags & VM_EXEC ? 'x' : '-', vma->flags & VM_SHARED ? 's' : 'p', offset,
             vma->object ? 1 : 0, inode ? inode->ino : 0);
    if (area_name(vma, path, size) > 0) {
        int pad = MAPS_PATH_AT - (int)(t->len - start);
        text_add(t, "%*s %s", max(pad, 0), "", path);
    }
    text_add(t, "\n");
}

int proc_add_areas(struct text *t, struct dentry *dentry, proc_area_fn add)
{
    struct mm *mm = proc_mm(proc_pid(dentry->parent));
    if (!mm)
        return 0;
    char *path = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!path) {
        mm_put(mm);
        return -ENOMEM;
    }
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma))
        add(t, vma, path, PATH_MAX);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    kmem_free(path);
    mm_put(mm);
    return 0;
}

static int show_maps(struct text *t, struct dentry *dentry)
{
    return proc_add_areas(t, dentry, proc_add_area);
}

/* status, stat */

/* What one look under tasks_lock tells. */
struct snapshot {
    char name[TASK_NAME_MAX];
    char state;
    int pid, ppid, pgid, sid, exit_signal;
    unsigned nr_tasks, cpu;
    uint32_t umask;
    uint64_t run_ns, pending, shared_pending, blocked, ignored, caught;
};

static char state_letter(const struct process *process, const struct task *task)
{
    if (process->zombie || !task)
        return 'Z';
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
}

static void snapshot_fill(struct snapshot *s, const struct process *process)
{
    const struct task *task = list_empty(&process->tasks)
                                  ? NULL
                                  : list_first_entry(&process->tasks, struct task, process_node);

    *s = (struct snapshot){
        .state = state_letter(process, task),
        .pid = process->pid,
        .ppid = process->pid == 1 ? 0 : process->parent->pid,
        .pgid = process->pgid,
        .sid = process->sid,
        .exit_signal = process->exit_signal,
        .nr_tasks = process->nr_tasks,
        .umask = process->umask,
    };
    snapshot_signals(s, process);
    if (!task)
        return;
    strlcpy(s->name, task->name, sizeof(s->name));
    s->run_ns = task->sched.run_ns;
    s->cpu = task->sched.cpu;
    s->pending = task->signals.pending.mask;
    s->blocked = task->signals.blocked;
}

static int snapshot_take(struct snapshot *s, int pid)
{
    tasks_lock();
    struct process *process = process_find(pid);
    if (process)
        snapshot_fill(s, process);
    tasks_unlock();
    return process ? 0 : -ESRCH;
}

static const char *state_name(char letter)
{
    switch (letter) {
    case 'R':
        return "running";
    case 'D':
        return "disk sleep";
    case 'T':
        return "stopped";
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

static void add_status_ids(struct text *t, int pid)
{
    const struct cred *cred = proc_cred(pid);

    add_ids(t, "Uid", &cred->user);
    add_ids(t, "Gid", &cred->group);
    text_add(t, "FDSize:\t%u\nGroups:\t", FILES_MAX);
    for (uint32_t i = 0; i < cred->nr_groups; i++)
        text_add(t, "%u ", cred->groups[i]);
    text_add(t, "\n");
    cred_put(cred);
}

static void add_status_capabilities(struct text *t, int pid)
{
    const struct cred *cred = proc_cred(pid);

    text_add(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", cred->inheritable,
             cred->permitted, cred->effective);
    text_add(t, "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\n", cred->bounding,
             cred->ambient, cred->no_new_privs);
    cred_put(cred);
}

static void add_status_memory(struct text *t, struct mm *mm)
{
    int64_t anon, file;

    mm_rss(mm, &anon, &file);

    text_add(t, "VmPeak:\t%8lu kB\n", max(mm->peak_pages, mm->total_pages) * PAGE_KIB);
    text_add(t, "VmSize:\t%8lu kB\n", mm->total_pages * PAGE_KIB);
    text_add(t, "VmLck:\t%8lu kB\n", mm->locked_pages * PAGE_KIB);
    text_add(t, "VmPin:\t%8lu kB\n", 0UL);
    text_add(t, "VmHWM:\t%8lu kB\n", mm_rss_peak(mm) * PAGE_KIB);
    text_add(t, "VmRSS:\t%8lu kB\n", (anon + file) * PAGE_KIB);
    text_add(t, "RssAnon:\t%8lu kB\n", anon * PAGE_KIB);
    text_add(t, "RssFile:\t%8lu kB\n", file * PAGE_KIB);
    text_add(t, "VmData:\t%8lu kB\n", mm->kind_pages[AREA_DATA] * PAGE_KIB);
    text_add(t, "VmStk:\t%8lu kB\n", mm->kind_pages[AREA_STACK] * PAGE_KIB);
    uint64_t code = round_up(mm->end_code, PAGE_SIZE) - round_down(mm->start_code, PAGE_SIZE);
    text_add(t, "VmExe:\t%8lu kB\n", code / KIB);
    text_add(t, "VmLib:\t%8lu kB\n", mm->kind_pages[AREA_CODE] * PAGE_KIB - code / KIB);
    text_add(t, "VmPTE:\t%8lu kB\n", (atomic_load(&mm->pgtable.nr_tables) - 1) * PAGE_KIB);
    text_add(t, "VmSwap:\t%8lu kB\n", 0UL);
}

static int show_status(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    int pid = proc_pid(dentry->parent);

    int err = snapshot_take(&s, pid);
    if (err)
        return err;
    text_add(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\n", s.name, s.umask, s.state,
             state_name(s.state));
    text_add(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s.pid, s.pid, s.ppid);
    add_status_ids(t, pid);
    struct mm *mm = proc_mm(pid);
    if (mm) {
        add_status_memory(t, mm);
        mm_put(mm);
    }
    text_add(t, "Threads:\t%u\n", s.nr_tasks);
    text_add(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s.pending, s.shared_pending,
             s.blocked);
    text_add(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s.ignored, s.caught);
    add_status_capabilities(t, pid);
    return 0;
}

/* The fields of stat that are about memory; zeros for a zombie. */
struct memory_snapshot {
    uint64_t size_bytes, rss_pages, start_code, end_code, stack_top, start_data, end_data;
    uint64_t brk_start, arg_start, arg_end, env_start, env_end;
};

static void memory_take(struct memory_snapshot *m, int pid)
{
    int64_t anon, file;
    struct mm *mm = proc_mm(pid);

    *m = (struct memory_snapshot){0};
    if (!mm)
        return;
    mm_rss(mm, &anon, &file);
    *m = (struct memory_snapshot){
        .size_bytes = mm->total_pages * PAGE_SIZE,
        .rss_pages = anon + file,
        .start_code = mm->start_code,
        .end_code = mm->end_code,
        .stack_top = mm->stack_top,
        .start_data = mm->start_data,
        .end_data = mm->end_data,
        .brk_start = mm->brk_start,
        .arg_start = mm->arg_start,
        .arg_end = mm->arg_end,
        .env_start = mm->env_start,
        .env_end = mm->env_end,
    };
    mm_put(mm);
}

static int show_stat(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    struct memory_snapshot m;
    int pid = proc_pid(dentry->parent);

    int err = snapshot_take(&s, pid);
    if (err)
        return err;
    memory_take(&m, pid);
    text_add(t, "%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 ", s.pid, s.name, s.state, s.ppid, s.pgid,
             s.sid);
    text_add(t, "%lu 0 0 0 20 0 %u 0 0 ", s.run_ns / NS_PER_TICK, s.nr_tasks);
    text_add(t, "%lu %lu %lu ", m.size_bytes, m.rss_pages, MM_NO_LIMIT);
    text_add(t, "%lu %lu %lu 0 0 ", m.start_code, m.end_code, m.stack_top);
    text_add(t, "%lu %lu %lu %lu 0 0 0 ", s.pending, s.blocked, s.ignored, s.caught);
    text_add(t, "%d %u 0 0 0 0 0 ", s.exit_signal, s.cpu);
    text_add(t, "%lu %lu %lu %lu %lu %lu %lu 0\n", m.start_data, m.end_data, m.brk_start,
             m.arg_start, m.arg_end, m.env_start, m.env_end);
    return 0;
}

static int show_comm(struct text *t, struct dentry *dentry)
{
    struct snapshot s;
    int err = snapshot_take(&s, proc_pid(dentry->parent));
    if (!err)
        text_add(t, "%s\n", s.name);
    return err;
}

/* cmdline */

/* Work with another address space for a while; returns the one before. */
static struct mm *mm_use(struct mm *mm)
{
    struct task *me = task_current();
    irq_flags_t flags = irq_save();
    tasks_lock();
    struct mm *before = me->mm;
    me->mm = mm;
    tasks_unlock();
    tlb_switch(&mm->pgtable);
    irq_restore(flags);
    return before;
}

/* Bytes of another process's memory; how many could be had. */
static size_t mm_read(struct mm *mm, uint64_t at, char *bytes, size_t len)
{
    struct mm *mine = mm_use(mm);
    size_t left = copy_from_user_partial(bytes, user(at), len);
    mm_use(mine);
    return len - left;
}

static int show_cmdline(struct text *t, struct dentry *dentry)
{
    struct mm *mm = proc_mm(proc_pid(dentry->parent));
    if (!mm)
        return 0;
    size_t len = min(mm->arg_end - mm->arg_start, CMDLINE_MAX);
    char *bytes = kmem_alloc(max(len, 1UL), SLAB_ALLOC_PLAIN);
    if (bytes)
        text_add_bytes(t, bytes, mm_read(mm, mm->arg_start, bytes, len));
    kmem_free(bytes);
    mm_put(mm);
    return bytes ? 0 : -ENOMEM;
}

/* oom_score, oom_score_adj */

static int show_oom_score(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    struct process *process = process_find(proc_pid(dentry->parent));
    uint64_t score = process ? oom_score(process) : 0;
    tasks_unlock();
    text_add(t, "%lu\n", score);
    return process ? 0 : -ESRCH;
}

static int show_oom_adj(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    struct process *process = process_find(proc_pid(dentry->parent));
    int adj = process ? process->oom_adj : 0;
    tasks_unlock();
    text_add(t, "%d\n", adj);
    return process ? 0 : -ESRCH;
}

static int store_oom_adj(struct dentry *dentry, int64_t adj)
{
    if (adj < OOM_ADJ_MIN || adj > OOM_ADJ_MAX)
        return -EINVAL;
    tasks_lock();
    struct process *process = process_find(proc_pid(dentry->parent));
    int err = process ? 0 : -ESRCH;
    if (process && adj < process->oom_adj && !capable(CAP_SYS_RESOURCE))
        err = -EACCES;
    if (!err)
        process->oom_adj = adj;
    tasks_unlock();
    return err;
}

static const struct text_kind maps = {"maps", 0444, .open = proc_may_look, .show = show_maps},
                              stat = {"stat", 0444, .show = show_stat},
                              status = {"status", 0444, .show = show_status},
                              comm = {"comm", 0444, .show = show_comm},
                              cmdline = {"cmdline", 0444, .show = show_cmdline},
                              oom_score_file = {"oom_score", 0444, .show = show_oom_score},
                              oom_adj_file = {"oom_score_adj", 0644, .show = show_oom_adj,
                                              .store_for = store_oom_adj};

const struct text_kind *const proc_files_of_process[NR_PROC_FILES] = {
    &maps,
    &stat,
    &status,
    &comm,
    &cmdline,
    &proc_smaps,
    &proc_smaps_rollup,
    &proc_mounts,
    &proc_mountinfo,
    &oom_score_file,
    &oom_adj_file,
    &proc_pagemap,
    &proc_clear_refs,
    &proc_mem,
};
