/* SPDX-License-Identifier: MIT */
/*
 * kernel/task.h - processes and their threads
 *
 * Room:   kernel.
 * Owns:   struct process and struct task.
 * Locks:  tasks_lock (rank TASKS) for the family tree and the table of pids [t]; a process's
 *         signal lock (rank SIGNAL) [s]; its CPU's run queue [q]; the task itself alone [c].
 * Always: (1) a process lives until its parent waited for it; a task is freed by the process;
 *         (2) a task's pid is unique among all tasks; the first task's is the process's, too.
 * Source: clone(2), wait(2), credentials(7).
 * Tour:   after kernel/main.c; then kernel/sched.c, kernel/process.c.
 */
#pragma once

#include "files.h"
#include "sched.h"
#include "signal.h"
#include <asm/context.h>
#include <lib/list.h>
#include <mm/mm.h>
#include <uapi/resource.h>

#define TASK_NAME_MAX 16

struct rlimit {
    uint64_t soft, hard;
};

struct process {
    int pid;
    _Atomic uint32_t refcount;    /* one per task, one of the parent's tree until reaped */
    struct process *parent;       /* [t] */
    struct list_node children;    /* [t] */
    struct list_node sibling;     /* on parent->children [t] */
    struct list_node all_node;    /* on the list of all [t] */
    struct list_node tasks;       /* [t] */
    unsigned nr_tasks;            /* alive [t] */
    int pgid, sid;                /* [t] */
    bool zombie;                  /* nothing is left but the status [t] */
    bool exiting;                 /* exit_group() was called [t] */
    bool stop_reported;           /* wait4() told of the stop already [t] */
    int exit_signal;              /* sent to the parent at the end: SIGCHLD, or 0 [I] */
    uint32_t status;              /* as wait(2) encodes it [t] */
    struct wait_queue child_exit; /* parents wait here */
    struct signal_state signals;  /* handlers and what is pending for the process [s] */
    struct rlimit limits[RLIM_NLIMITS];
    struct dentry *cwd;
    struct dentry *exe;
    uint32_t umask;
    struct wait_queue *vfork_done; /* the parent that waits until we exec or exit */
};

struct task {
    struct context context;
    struct process *process; /* NULL: a kernel thread */
    struct mm *mm;           /* NULL: a kernel thread */
    struct files *files;
    int tid;
    char name[TASK_NAME_MAX];
    struct list_node process_node; /* on process->tasks [t] */
    struct list_node table_node;   /* in the hash of tids [t] */
    struct schedulable sched;      /* [q] */
    struct task_signals signals;   /* mask and what is pending for this task [s] */
    uint64_t clear_child_tid;      /* user address, written 0 at exit [c] */
    uint64_t set_child_tid;        /* user address, written at the start [c] */
    uint64_t robust_list;          /* [c] */
    void (*thread_fn)(void *);     /* of a kernel thread [I] */
    void *thread_arg;              /* [I] */
    struct restart_block restart;  /* an interrupted call that goes on differently [c] */
};

/* The running task's process; NULL in a kernel thread. */
static inline struct process *process_current(void)
{
    return task_current()->process;
}

/* kernel/process.c */

void process_boot_init(void);

/* A kernel thread: runs fn(arg), IRQs on, until that returns. 0 or -ENOMEM. */
int __must_check kernel_thread(const char *name, void (*fn)(void *), void *arg, struct task **out);

/* The first process: pid 1, runs @fn in its own task. */
int __must_check process_create_init(void (*fn)(void *), void *arg);

/* The running task ends. Status as wait(2) encodes it; @group: all its siblings, too. */
_Noreturn void task_exit(uint32_t status, bool group);

struct process *process_find(int pid);  /* tasks_lock held */
struct task *task_find(int tid);        /* tasks_lock held */
struct process *process_after(int pid); /* the one with the next higher pid; tasks_lock held */
void tasks_lock(void);
void tasks_unlock(void);
void process_get(struct process *process);
void process_put(struct process *process);

/* Free a dead task; by the scheduler, IRQs off. */
void task_free(struct task *task);

/* Process 1 has ended: report its status and leave the machine. kernel/main.c */
_Noreturn void machine_shutdown(uint32_t status);

/* Everybody who waits for @process's vfork goes on. */
void vfork_finished(struct process *process);
