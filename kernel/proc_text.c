/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_text.c - the files of /proc/PID: maps, comm, cmdline, limits
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  tasks_lock for one look at a process; mmap_lock (reading) while areas are written down.
 * Always: (1) what comes from one look belongs together; two looks may differ.
 * Source: proc_pid_maps(5), proc_pid_stat(5), proc_pid_status(5).
 * Tour:   after kernel/proc_pid.c.
 */
#include "proc.h"

#include "fs.h"
#include "oom.h"
#include "task.h"
#include "text_file.h"
#include <lib/format.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define MAPS_PATH_AT     72 /* the column before a path of maps */
#define MAPS_NUMBERS_MAX 100
#define CMDLINE_MAX      (64 * KIB)

/* maps */

static int object_path(struct object *object, char *path, size_t size)
{
    struct inode *inode = inode_of_object(object);
    if (inode && inode->dentry)
        return dentry_path(inode->dentry, path, size);
    return snprintf(path, size, "%s",
                    object_is_hugetlb(object) ? "/anon_hugepage (deleted)" : "/dev/zero (deleted)");
}

int proc_area_name(const struct vma *vma, char *path, size_t size)
{
    if (vma->object)
        return max(object_path(vma->object, path, size), 0);
    if (vma->flags & VM_HEAP)
        return snprintf(path, size, "[heap]");
    return vma->flags & VM_STACK ? snprintf(path, size, "[stack]") : 0;
}

/* "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", but there may be very many of these lines. */
static void add_area_numbers(struct text *t, const struct vma *vma)
{
    const struct inode *inode = vma->object ? inode_of_object(vma->object) : NULL;
    char *at = text_add_begin(t, MAPS_NUMBERS_MAX);

    if (!at)
        return;
    at = format_hex(at, vma->start, 8);
    *at++ = '-';
    at = format_hex(at, vma->end, 8);
    *at++ = ' ';
    *at++ = vma->flags & VM_READ ? 'r' : '-';
    *at++ = vma->flags & VM_WRITE ? 'w' : '-';
    *at++ = vma->flags & VM_EXEC ? 'x' : '-';
    *at++ = vma->flags & VM_SHARED ? 's' : 'p';
    *at++ = ' ';
    at = format_hex(at, vma->object ? vma->pgoff << PAGE_SHIFT : 0, 8);
    memcpy(at, " 00:", 4);
    at = format_hex(at + 4, vma->object ? inode_device(inode) : 0, 2);
    *at++ = ' ';
    at = format_decimal(at, inode ? inode->ino : 0);
    *at++ = ' ';
    text_add_end(t, at);
}

void proc_add_area(struct text *t, struct vma *vma, char *path, size_t size)
{
    size_t start = t->len;

    add_area_numbers(t, vma);
    if (proc_area_name(vma, path, size) > 0) {
        int pad = MAPS_PATH_AT - (int)(t->len - start);
        text_add(t, "%*s %s", max(pad, 0), "", path);
    }
    text_add_bytes(t, "\n", 1);
}

int proc_memory(const struct dentry *dentry, struct mm **out)
{
    int pid = proc_pid(dentry->parent);

    *out = proc_mm(pid);
    return *out || proc_exists(pid) ? 0 : -ESRCH;
}

int proc_add_areas(struct text *t, struct dentry *dentry, proc_area_fn add)
{
    struct mm *mm;
    int err = proc_memory(dentry, &mm);
    t->next = mm ? t->next : TEXT_END;
    if (!mm)
        return err;
    char *path = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!path) {
        mm_put(mm);
        return -ENOMEM;
    }
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, t->next);
    for (; vma && t->len < TEXT_PIECE; vma = vma_next(vma)) {
        add(t, vma, path, PATH_MAX);
        t->next = vma->end;
    }
    if (!vma)
        t->next = TEXT_END;
    rwsem_read_unlock(&mm->mmap_lock, reader);
    kmem_free(path);
    mm_put(mm);
    return 0;
}

static int show_maps(struct text *t, struct dentry *dentry)
{
    return proc_add_areas(t, dentry, proc_add_area);
}

/* comm */

static int show_comm(struct text *t, struct dentry *dentry)
{
    char name[TASK_NAME_MAX];

    tasks_lock();
    const struct process *process = proc_process(proc_pid(dentry->parent));
    const struct task *task = proc_task(proc_pid(dentry->parent));
    strlcpy(name, task ? task->name : process ? process->last_name : "", sizeof(name));
    tasks_unlock();
    text_add(t, "%s\n", name);
    return process ? 0 : -ESRCH;
}

/* A task's name is its own process's to change. */
static int store_comm(struct dentry *dentry, const char *name, size_t len)
{
    tasks_lock();
    struct task *task = proc_task(proc_pid(dentry->parent));
    int err = !task ? -ESRCH : task->process != process_current() ? -EINVAL : 0;
    if (!err)
        strlcpy(task->name, name, min(len + 1, sizeof(task->name)));
    tasks_unlock();
    return err;
}

/* cmdline, auxv */

/* As much as there is of @len bytes of a program's memory. */
static int add_memory(struct text *t, struct mm *mm, uint64_t at, size_t len)
{
    char *bytes = kmem_alloc(max(len, 1UL), SLAB_ALLOC_PLAIN);
    if (!bytes)
        return -ENOMEM;
    int64_t got = mm_access(mm, at, bytes, len, ACCESS_READ, false);
    if (got > 0)
        text_add_bytes(t, bytes, got);
    kmem_free(bytes);
    return 0;
}

static int show_cmdline(struct text *t, struct dentry *dentry)
{
    struct mm *mm;
    int err = proc_memory(dentry, &mm);
    if (!mm)
        return err;
    err = add_memory(t, mm, mm->arg_start, min(mm->arg_end - mm->arg_start, CMDLINE_MAX));
    mm_put(mm);
    return err;
}

static int show_auxv(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    const struct process *process = proc_process(proc_pid(dentry->parent));
    uint64_t at = process ? process->auxv_at : 0, len = process ? process->auxv_bytes : 0;
    tasks_unlock();
    struct mm *mm;
    int err = proc_memory(dentry, &mm);
    if (!mm)
        return err;
    err = add_memory(t, mm, at, len);
    mm_put(mm);
    return err;
}

/* limits */

static void add_limit(struct text *t, uint64_t value)
{
    if (value == RLIM_INFINITY)
        text_add(t, "%-20s ", "unlimited");
    else
        text_add(t, "%-20lu ", value);
}

static int show_limits(struct text *t, struct dentry *dentry)
{
    static const struct {
        const char *name, *unit;
    } names[RLIM_NLIMITS] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", NULL},
        {"Max realtime priority", NULL}, {"Max realtime timeout", "us"},
    };
    struct rlimit limits[RLIM_NLIMITS];

    tasks_lock();
    const struct process *process = proc_process(proc_pid(dentry->parent));
    if (process)
        memcpy(limits, process->limits, sizeof(limits));
    tasks_unlock();
    if (!process)
        return -ESRCH;
    text_add(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
        text_add(t, "%-25s ", names[i].name);
        add_limit(t, limits[i].soft);
        add_limit(t, limits[i].hard);
        if (names[i].unit)
            text_add(t, "%-10s", names[i].unit);
        text_add(t, "\n");
    }
    return 0;
}

/* What is the same for everybody here */

static int show_wchan(struct text *t, struct dentry *dentry)
{
    text_add(t, "0");
    return proc_exists(proc_pid(dentry->parent)) ? 0 : -ESRCH;
}

static int show_cgroup(struct text *t, struct dentry *dentry)
{
    text_add(t, "0::/\n");
    return proc_exists(proc_pid(dentry->parent)) ? 0 : -ESRCH;
}

static int show_personality(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    const struct process *process = proc_process(proc_pid(dentry->parent));
    uint32_t personality = process ? process->personality : 0;
    tasks_unlock();
    text_add(t, "%08x\n", personality);
    return process ? 0 : -ESRCH;
}

/* oom_score, oom_score_adj */

static int show_oom_score(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    struct process *process = proc_process(proc_pid(dentry->parent));
    uint64_t score = process ? oom_score(process) : 0;
    tasks_unlock();
    text_add(t, "%lu\n", score);
    return process ? 0 : -ESRCH;
}

static int show_oom_adj(struct text *t, struct dentry *dentry)
{
    tasks_lock();
    struct process *process = proc_process(proc_pid(dentry->parent));
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
    struct process *process = proc_process(proc_pid(dentry->parent));
    int err = process ? 0 : -ESRCH;
    if (process && adj < process->oom_adj && !capable(CAP_SYS_RESOURCE))
        err = -EACCES;
    if (!err)
        process->oom_adj = adj;
    tasks_unlock();
    return err;
}

int proc_open_memory(struct dentry *dentry)
{
    int err = proc_may_look(dentry);
    struct mm *mm = err ? NULL : proc_mm(proc_pid(dentry->parent));
    if (mm)
        mm_put(mm);
    return err ? err : mm ? 0 : -ESRCH;
}

static const struct text_kind maps = {"maps", 0444, .open = proc_may_look, .show_piece = show_maps},
                              comm = {"comm", 0644, .show = show_comm, .store_text = store_comm},
                              cmdline = {"cmdline", 0444, .show = show_cmdline},
                              auxv = {"auxv", 0400, .open = proc_open_memory, .show = show_auxv},
                              limits = {"limits", 0444, .show = show_limits},
                              wchan = {"wchan", 0444, .show = show_wchan},
                              cgroup = {"cgroup", 0444, .show = show_cgroup},
                              personality = {"personality", 0400, .open = proc_may_look,
                                             .show = show_personality},
                              oom_score_file = {"oom_score", 0444, .show = show_oom_score},
                              oom_adj_file = {"oom_score_adj", 0644, .show = show_oom_adj,
                                              .store_for = store_oom_adj};

const struct text_kind *const proc_files_of_process[] = {
    &maps,
    &proc_stat,
    &proc_status,
    &proc_statm,
    &comm,
    &cmdline,
    &proc_environ,
    &auxv,
    &limits,
    &wchan,
    &cgroup,
    &personality,
    &proc_smaps,
    &proc_smaps_rollup,
    &proc_numa_maps,
    &proc_mounts,
    &proc_mountinfo,
    &oom_score_file,
    &oom_adj_file,
    &proc_pagemap,
    &proc_clear_refs,
    &proc_mem,
};
const unsigned proc_nr_files = ARRAY_SIZE(proc_files_of_process);
