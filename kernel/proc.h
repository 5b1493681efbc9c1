/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc.h - the parts of /proc: the machine, each process, and what it says of itself
 *
 * Room:   kernel.
 * Owns:   nothing; see proc.c, proc_pid.c and proc_text.c.
 * Locks:  as those.
 * Always: -
 * Source: proc(5).
 * Tour:   with kernel/proc.c.
 */
#pragma once

#include "fs.h"
#include "text_file.h"

struct cred;
struct mm;
struct vma;

/* Make @proc a directory of processes, with "self" in it. Boot. */
void proc_pid_boot_init(struct dentry *proc);

/* kernel/proc_net.c */
void proc_net_boot_init(struct dentry *proc);

/* Directories below /proc/PID carry the pid in their inode; below /proc/PID/task/TID the tid, and
 * that they are of this one task. */
#define PROC_OF_TASK (1UL << 32)

static inline int proc_pid(const struct dentry *dir)
{
    return (int)dir->inode->private;
}

static inline bool proc_is_of_task(const struct dentry *dir)
{
    return dir->inode->private & PROC_OF_TASK;
}

/* The process of this number, or the one that has a task of it. tasks_lock held. */
struct process *proc_process(int tid);

/* The task of this number while it lives, or another of its process, or NULL. tasks_lock held. */
struct task *proc_task(int tid);

/* Is the process still there, if only for its parent? */
bool proc_exists(int pid);

/* The memory of a process, with a reference; NULL: it is gone. */
struct mm *proc_mm(int pid);

/* The same for the file @dentry in its directory. 0 with NULL: it has ended; -ESRCH: it is gone. */
int __must_check proc_memory(const struct dentry *dentry, struct mm **out);

/* Who a process is, with a reference; root if it is gone. */
const struct cred *proc_cred(int pid);

/* For text_kind.open of what lies in /proc/PID: may the running task look into the process?
 * 0, -EACCES or -ESRCH. */
int __must_check proc_may_look(struct dentry *dentry);

/* proc_text.c: what lies in /proc/PID. */
extern const struct text_kind *const proc_files_of_process[];
extern const unsigned proc_nr_files;

/* For text_kind.open of what is there only as long as the process has memory; proc_may_look(), or
 * -ESRCH. */
int __must_check proc_open_memory(struct dentry *dentry);

/* The line of an area in maps and smaps; @path: room for its name. */
void proc_add_area(struct text *t, struct vma *vma, char *path, size_t size);

/* What stands behind an area; its length, 0 for none. */
int proc_area_name(const struct vma *vma, char *path, size_t size);

/* @add for each area of the process whose file @dentry is. 0 or -ENOMEM. */
typedef void (*proc_area_fn)(struct text *t, struct vma *vma, char *path, size_t size);
int proc_add_areas(struct text *t, struct dentry *dentry, proc_area_fn add);

/* proc_smaps.c, proc_memory.c, proc_status.c */
extern const struct text_kind proc_smaps, proc_smaps_rollup, proc_numa_maps, proc_pagemap,
    proc_clear_refs, proc_mem, proc_environ, proc_stat, proc_status, proc_statm;

/* pagemap_scan.c: the ioctl of pagemap, on the memory that it is open on. */
int64_t pagemap_scan(struct mm *mm, user_addr_t arg);

/* proc_fd.c, proc_map_files.c */
extern const struct dynamic_dir proc_fd_dir, proc_fdinfo_dir, proc_map_files_dir;

/* For the directories below /proc/PID: what a name means as a number without sign, blanks or
 * leading zeros, or -1; an entry with a number for its name; a link; dynamic_dir.exists. */
int proc_number(const char *name);
void proc_entry_number(struct dir_entry *out, int number, uint8_t type);
int __must_check proc_link_create(struct dentry *dir, const char *name, magic_link follow,
                                  uint64_t private, struct dentry **out);
bool proc_dir_exists(const struct dentry *dir);

/* proc_mounts.c */
extern const struct text_kind proc_mounts, proc_mountinfo;

/* proc_meminfo.c, proc_machine.c, proc_kpage.c: files of /proc, and of a node of /sys; the last of
 * each has no name. */
extern const struct text_kind proc_meminfo_files[], node_meminfo_files[], proc_machine_files[],
    proc_kpage_files[];

/* thp_files.c: the files below /sys/kernel/mm (boot), transparent_hugepage=, lines of vmstat. */
void thp_boot_files(struct dentry *mm);
void thp_boot_option(const char *cmdline);
void thp_add_vmstat(struct text *t);

/* secret_files.c: the same of secretmem and secretmem.pool_*=. */
void secret_boot_files(struct dentry *mm);
void secret_boot_options(const char *cmdline);
void secret_add_vmstat(struct text *t);
