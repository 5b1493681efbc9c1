/* SPDX-License-Identifier: MIT */
/*
 * kernel/signal.h - signals: sent, pending, delivered
 *
 * Room:   kernel.
 * Owns:   pending signals and handlers.
 * Locks:  the process's signal_state.lock (rank SIGNAL) for all of it, masks included.
 * Always: (1) SIGKILL and SIGSTOP are never blocked, ignored or handled;
 *         (2) a signal below 32 is pending at most once per target.
 * Source: signal(7), sigaction(2).
 * Tour:   after kernel/task.h; then kernel/signal.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/list.h>
#include <stdint.h>
#include <uapi/signal.h>

struct process;
struct task;
struct trap_frame;

static inline uint64_t sigmask(int signo)
{
    return 1UL << (signo - 1);
}

struct pending {
    uint64_t mask;
    struct list_node queue; /* struct queued_signal */
};

/* Per process. */
struct signal_state {
    spinlock_t lock;
    struct uapi_sigaction action[SIGNALS];
    struct pending shared;
    _Atomic uint32_t stop_signal; /* the process is stopped by this; 0: it runs */
};

/* Per task. */
struct task_signals {
    uint64_t blocked;
    uint64_t saved_mask; /* restore after sigsuspend's handler */
    bool restore_mask;
    struct pending pending;
    struct uapi_stack alt_stack;
};

/* What restarts an interrupted nanosleep. */
struct restart_block {
    uint64_t end_ns;
};

/* Results of an interrupted call that never reach the program. */
#define ERESTARTSYS    512 /* again, if SA_RESTART or no handler; else EINTR */
#define ERESTARTNOINTR 513 /* always again */

void signals_init(struct signal_state *state);
void pending_init(struct pending *pending);
void pending_drop(struct pending *pending);

/* To a process or one of its tasks. 0, -ESRCH never; -EAGAIN: no memory to queue it. */
int signal_send_process(struct process *process, const struct uapi_siginfo *info);
int signal_send_task(struct task *task, const struct uapi_siginfo *info);

/* To every process of a group, by the kernel (a terminal's ^C); returns how many there were. */
int signal_send_group(int pgid, int signo);

/* The running task did this to itself: delivered even if blocked or ignored (then it kills). */
void signal_force(const struct uapi_siginfo *info);

/* Is something to be delivered to the running task? */
bool signal_pending_current(void);

/* Take a pending signal that is not in @blocked; returns its number, or 0. */
int signal_dequeue(struct task *task, uint64_t blocked, struct uapi_siginfo *info);

/* Before going back to ring 3: deliver one signal, if any. @frame is changed. */
void signal_deliver(struct trap_frame *frame);

/* Handlers back to default, as execve does. */
void signals_exec(struct process *process);

/* Give a stopped process's or task's signal SIGCHLD to the parent. tasks_lock held. */
void signal_child_changed(struct process *child, int code, int status);
