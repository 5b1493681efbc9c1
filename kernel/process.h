/* SPDX-License-Identifier: MIT */
/*
 * kernel/process.h - the family tree, for those who change it: clone, exit, wait, kill
 *
 * Room:   kernel, private to these files and kernel/process.c.
 * Owns:   nothing.
 * Locks:  tasks_lock (rank TASKS) for everything here but allocation.
 * Always: (1) a process is on the list of all from clone until somebody waited for it.
 * Source: clone(2), wait(2).
 * Tour:   with kernel/process.c.
 */
#pragma once

#include "task.h"

extern struct list_node all_processes;
extern struct process *init_process;

#define for_each_process(p) list_for_each_entry (p, &all_processes, all_node)

/* Zeroed but for what must never be zero; not in the tree yet. NULL: no memory. */
struct task *task_alloc(void);
void task_dealloc(struct task *task); /* one whose context was not made */
struct process *process_alloc(void);  /* the actions of its signals are anything yet */

/* Where a new process is, and what it runs: as @from. And the end of that. */
void process_copy_places(struct process *process, const struct process *from);
void process_put_places(struct process *process);

/* Has anybody, or a group, or a session, this number? */
bool tid_taken(int tid);

/* A number that nobody has; there is one if tids_are_left(). */
int tid_new(void);
bool tids_are_left(void);

/* How many tasks there ever were, and the number of the last. Takes tasks_lock. */
uint64_t tasks_born(int *last);

/* task->tid and task->process are set: others may find it now. */
void task_publish(struct task *task);
void task_unpublish(struct task *task);

/* The running task never runs again. */
_Noreturn void task_die(void);

/* Into the tree, below process.parent. */
void process_link(struct process *process);

/* Out of the tree: its number is free. The caller drops the tree's reference afterwards. */
void process_unlink(struct process *process);

/* SIGCHLD, and who waits is woken. */
void process_notify_parent(struct process *process);

/* Would the members of this group, if they stopped, have nobody to continue them? */
bool group_is_orphaned(int pgid);
