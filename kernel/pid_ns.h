/* SPDX-License-Identifier: MIT */
/*
 * kernel/pid_ns.h - PID namespaces: who is called by which number, and by whom
 *
 * Room:   kernel.
 * Owns:   struct pid_ns.
 * Locks:  tasks_lock [t], unless said otherwise.
 * Always: (1) inside the kernel a task, a group, a session is named by its number in the first
 *             namespace; another number is looked up where a program says or is told one.
 * Source: pid_namespaces(7).
 * Tour:   after kernel/process.h; then kernel/pid_ns.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dentry;
struct process;
struct task;

#define PID_NS_LEVELS 32 /* how deep they can be nested */

struct pid_ns {
    struct pid_ns *parent; /* NULL: the first [I] */
    unsigned level;        /* of the first: 0 [I] */
    uint64_t id;           /* "pid:[ID]" [I] */
    _Atomic uint32_t refcount;
    struct process *init;          /* its process 1; NULL: not there yet, or no more [t] */
    bool dead;                     /* process 1 has ended: nobody is born in it [t] */
    int last;                      /* the last number given out [t] */
    _Atomic unsigned memfd_noexec; /* what it says itself: kernel/memfd_noexec.c [a] */
};

extern struct pid_ns first_pid_ns;

/* A namespace below @parent. 0, -ENOSPC (too deep), -ENOMEM. No lock. */
int __must_check pid_ns_create(struct pid_ns *parent, struct pid_ns **out);
void pid_ns_get(struct pid_ns *ns);
void pid_ns_put(struct pid_ns *ns);

/* What /proc/PID/ns/pid stands for; takes over the reference on @ns. 0 or -ENOMEM. */
int __must_check pid_ns_dentry(struct pid_ns *ns, struct dentry **out);

/* Is @ns @outer, or somewhere below it? */
bool pid_ns_contains(const struct pid_ns *outer, const struct pid_ns *ns);

/* Is @process the process 1 of its namespace? */
bool pid_ns_is_init(const struct process *process);

/* The task of number @tid gets one in @ns and in all above it. 0, or -ENOMEM: that or dead. */
int __must_check pid_ns_name(struct pid_ns *ns, int tid);

/* Nobody may be called @tid any more: if that is so, its other numbers are free. */
void pid_ns_forget(int tid);

/* What programs in @ns call @tid; 0: they cannot see it. */
int pid_in(const struct pid_ns *ns, int tid);

/* What the running program means by @nr; a number that nobody has where it means nobody. */
int pid_meant(int nr);

/* What the running program, not in the first namespace, calls @tid: pid_here() asks. Takes
 * tasks_lock. */
int pid_here_below(int tid);

/* task_find() and process_find() by the number that the running program says. */
struct task *task_named(int nr);
struct process *process_named(int nr);
