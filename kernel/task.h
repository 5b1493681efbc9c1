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

#include "cred.h"
#include "files.h"
#include "pid_ns.h"
#include "ptrace.h"
#include "rseq.h"
#include "sched.h"
#include "signal.h"
#include "timer.h"
#include <asm/context.h>
#include <lib/list.h>
#include <mm/mm.h>
#include <uapi/resource.h>

#define TASK_NAME_MAX 16

struct rlimit {
    uint64_t soft, hard;
};

/* What getrusage(2) tells. */
struct usage {
    uint64_t run_ns, system_ns; /* all, and that part of it which is known to be the kernel's */
    uint64_t faults, waits, preemptions, max_pages;
};

struct process {
    int pid;                   /* in the first namespace, as all numbers here: pid_ns.h */
    struct pid_ns *ns;         /* [I] */
    _Atomic uint32_t refcount; /* one per task, one of the parent's tree until reaped */
    struct process *parent;    /* [t] */
    struct list_node children; /* [t] */
    struct list_node sibling;  /* on parent->children [t] */
    struct list_node all_node; /* on the list of all [t] */
    struct list_node tasks;    /* [t] */
    struct list_node tracees;  /* tasks that it traces [t] */
    unsigned nr_tasks;         /* alive [t] */
    int pgid, sid;             /* [t] */
    bool zombie;               /* nothing is left but the status [t] */
    bool gone;                 /* not even that: its number may be another's [t] */
    bool has_pidfd;            /* there is, or was, a descriptor of it [a] */
    bool exiting;              /* exit_group() was called [t] */
    unsigned nr_stopped;       /* tasks that a stop signal holds [t] */
    bool stop_told;            /* the parent got its SIGCHLD for this stop [t] */
    bool stop_reported;        /* wait4() told of the stop already [t] */
    bool continued;            /* since it was stopped, and wait4() did not tell yet [t] */
    struct task *exec_task;    /* in execve(): all others end [t] */
    struct wait_queue exec_wait;
    uint32_t leader_status;        /* of the first task, if it ended by itself [t] */
    int exit_signal;               /* sent to the parent at the end: SIGCHLD, or 0 [t] */
    uint32_t status;               /* as wait(2) encodes it [t] */
    char last_name[TASK_NAME_MAX]; /* of its first task, or who ended after that [t] */
    struct wait_queue child_exit;  /* parents wait here */
    struct signal_state signals;   /* handlers and what is pending for the process [s] */
    struct rlimit limits[RLIM_NLIMITS];
    uint64_t born_ns;            /* by clock_ns() [I] */
    _Atomic uint64_t run_ns;     /* of all its tasks, dead ones too [a] */
    struct usage usage;          /* of dead tasks [t] */
    struct usage children_usage; /* of children that were waited for [t] */
    struct process_timers timers;
    uint32_t membarrier;          /* registered commands [a] */
    uint64_t auxv_at, auxv_bytes; /* user address, for core files [c] */
    uint32_t personality;         /* personality(2) [c] */
    bool no_dump;                 /* prctl(PR_SET_DUMPABLE, 0) [a] */
    int oom_adj;                  /* oom_score_adj [a] */
    bool oom_chosen;              /* killed for its memory [t] */
    bool subreaper;               /* prctl(PR_SET_CHILD_SUBREAPER) [t] */
    struct place cwd, root;       /* [t], and change under fs_lock, too */
    struct place exe;             /* no dentry: none [t] */
    struct list_node sem_undos;   /* kernel/sysv_sem.c */
    uint32_t umask;
    struct wait_queue *vfork_done; /* the parent that waits until we exec or exit */
};

struct task {
    struct context context;
    struct process *process; /* NULL: a kernel thread */
    struct mm *mm;           /* NULL: a kernel thread */
    struct files *files;
    const struct cred *cred;          /* who it is; another one by cred_commit() [t] */
    const struct cred *cred_override; /* files are asked as this one, unless NULL [c] */
    struct pid_ns *ns_for_children;   /* where they are born: unshare(2) [c] */
    int tid;
    char name[TASK_NAME_MAX];
    struct list_node process_node;      /* on process->tasks [t] */
    struct list_node table_node;        /* in the hash of tids [t] */
    struct schedulable sched;           /* [q] */
    struct task_signals signals;        /* mask and what is pending for this task [s] */
    uint64_t clear_child_tid;           /* user address, written 0 at exit [c] */
    uint64_t set_child_tid;             /* user address, written at the start [c] */
    uint64_t robust_list;               /* [c] */
    struct rseq rseq;                   /* [c] */
    struct trace trace;                 /* [t] */
    uint32_t mempolicy;                 /* set_mempolicy(2)'s: told again, nothing more [c] */
    uint64_t nr_faults;                 /* [c] */
    uint64_t born_ns;                   /* [I] */
    int parent_death_signal;            /* prctl(PR_SET_PDEATHSIG) [c] */
    void (*thread_fn)(void *);          /* of a kernel thread [I] */
    void *thread_arg;                   /* [I] */
    struct restart_block restart;       /* an interrupted call that goes on differently [c] */
    struct list_node *dropped_messages; /* it is at freeing these: kernel/socket_send.c [c] */
};

/* Its semaphores are as if it had never been: kernel/sysv_sem.c. */
void sem_process_exit(struct process *process);

/* The running task's process; NULL in a kernel thread. */
static inline struct process *process_current(void)
{
    return task_current()->process;
}

/* What the running program calls the task of this number. Takes tasks_lock, if it has to look. */
static inline int pid_here(int tid)
{
    return likely(!process_current()->ns->level) ? tid : pid_here_below(tid);
}

/* Has the scheduler to look at the clock for the sake of this process? */
static inline bool process_counts_cpu_time(const struct process *process)
{
    return atomic_load_explicit(&process->timers.nr_cpu_armed, memory_order_relaxed) > 0;
}

/* @task was chosen to run: what its rseq area says about the CPU may be wrong now. */
static inline void rseq_switched(struct task *task)
{
    task->rseq.stale = task->rseq.address != 0;
}

/* kernel/process.c */

void process_boot_init(void);

/* A kernel thread: runs fn(arg), IRQs on, until that returns. 0 or -ENOMEM. */
int __must_check kernel_thread(const char *name, void (*fn)(void *), void *arg, struct task **out);

/* The first process: pid 1, runs @fn in its own task. */
int __must_check process_create_init(void (*fn)(void *), void *arg);

/* The CPU time of a process, of all its tasks up to now; tasks_lock held. */
uint64_t process_run_ns(const struct process *process);

/* Wait until the running task is the only one of its process, and has its pid for a tid. 0, or
 * -EAGAIN: the process is being ended. kernel/exit.c */
int __must_check process_become_single(void);

/* Must the running task end as soon as it can? */
static inline bool task_is_ended(const struct task *task)
{
    const struct process *p = task->process;
    return READ_ONCE(p->exiting) || (READ_ONCE(p->exec_task) && p->exec_task != task);
}

/* The running task ends. Status as wait(2) encodes it; @group: all its siblings, too. */
_Noreturn void task_exit(uint32_t status, bool group);

struct process *process_find(int pid);  /* tasks_lock held */
struct task *task_find(int tid);        /* tasks_lock held */
struct process *process_after(int pid); /* the one with the next higher pid; tasks_lock held */
/* Some task of @process that has not begun to end, or NULL; tasks_lock held. */
struct task *process_living_task(const struct process *process);
void tasks_lock(void);
void tasks_unlock(void);
void process_get(struct process *process);
void process_put(struct process *process);

/* The task's number becomes @tid; tasks_lock held. */
void task_rename(struct task *task, int tid);

/* kernel/clock.c: what was used, and writing it as struct rusage. tasks_lock held for the first. */
struct usage usage_of_process(const struct process *process);
struct usage usage_of_task(const struct task *task);
void usage_add(struct usage *sum, const struct usage *more);
void usage_peak(struct process *process, const struct mm *mm);
int __must_check usage_write(const struct usage *usage, user_addr_t out);

/* Free a dead task; by the scheduler, IRQs off. */
void task_free(struct task *task);

/* Process 1 has ended: report its status and leave the machine. kernel/main.c */
_Noreturn void machine_shutdown(uint32_t status);

/* Everybody who waits for @process's vfork goes on. */
void vfork_finished(struct process *process);
