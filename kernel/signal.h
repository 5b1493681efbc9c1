/* SPDX-License-Identifier: MIT */
/*
 * kernel/signal.h - signals: sent, pending, delivered
 *
 * Room:   kernel.
 * Owns:   pending signals and handlers.
 * Locks:  the process's signal_state.lock (rank SIGNAL) for all of it. A task alone changes its
 *         mask.
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

#define UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))

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
    bool stop_taken;              /* a stop signal was taken, and no SIGCONT came since */
    uint32_t nr_queued;           /* details kept, of all its tasks, too */
};

/* Per task. */
struct task_signals {
    uint64_t blocked;
    uint64_t saved_mask; /* restore after sigsuspend's handler */
    bool restore_mask;
    bool stopped;         /* counted in process.nr_stopped [t] */
    bool notified;        /* chosen to take the signals that are pending for the process */
    uint64_t waiting_for; /* in rt_sigtimedwait() */
    struct pending pending;
    struct uapi_stack alt_stack;
};

/* How an interrupted call goes on when no handler ran: restart_syscall(2). */
struct restart_block {
    int64_t (*fn)(struct restart_block *block);
    uint64_t end_ns; /* by clock_ns() */
    union {
        struct {              /* nanosleep */
            uint64_t left_at; /* user address; 0: none */
        } sleep;
        struct { /* futex */
            uint64_t address;
            uint32_t expected, bitset;
            bool private;
        } futex;
    };
};

/* Results of an interrupted call that never reach the program. */
#define ERESTARTSYS           512 /* again, if SA_RESTART or no handler; else EINTR */
#define ERESTARTNOINTR        513 /* always again */
#define ERESTARTNOHAND        514 /* again if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* the same, by task.restart */

static inline bool signal_is_restart(int64_t result)
{
    return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
           result == -ERESTART_RESTARTBLOCK;
}

/* @state: all zeros before, but for its actions, which are the caller's affair. */
void signals_init(struct signal_state *state);

/* Handlers back to default; what is ignored stays so. Signal lock held, or nobody else sees it. */
void signals_clear_handlers(struct signal_state *state);

/* Would it do nothing if it came? Signal lock held. */
bool signal_is_ignored(const struct signal_state *state, int signo);

/* Signals of @set that are pending for the process or any of its tasks are gone; tasks_lock and
 * signal lock held. */
void signal_drop_pending(struct process *process, uint64_t set);
void pending_init(struct pending *pending);
void pending_drop(struct pending *pending);

/* To a process or one of its tasks. 0, -ESRCH never; -EAGAIN: no memory to queue it. */
int signal_send_process(struct process *process, const struct uapi_siginfo *info);
int signal_send_task(struct task *task, const struct uapi_siginfo *info);

/* To every process of a group, by the kernel (a terminal's ^C); returns how many there were. */
int signal_send_group(int pgid, int signo);

/* The running task did this to itself: delivered even if blocked or ignored (then it kills). */
void signal_force(const struct uapi_siginfo *info);

/* The running task wrote where nobody reads any more: SIGPIPE. */
void signal_broken_pipe(void);

/* Take one of @set, or wait for it until clock_ns() is @end_ns: its number, -EAGAIN, -EINTR.
 * kernel/sys_signal.c */
int signal_wait(uint64_t set, uint64_t end_ns, struct uapi_siginfo *info);

/* Was there ever a file by which programs poll for signals? Then poll(2) hears of each. */
extern bool signals_are_polled;

/* Is something to be delivered to the running task? Then whoever waits stops waiting. */
bool signal_pending_current(void);

/* Does what is there end the running task, whatever it does next? What leaves a core file, or what
 * a tracer may keep, does not count. */
bool signal_fatal_current(void);

/* Has signal_deliver() something to do on the way to ring 3? */
bool signal_work_current(void);

/* The running task changes its mask: others take what it leaves. */
void signal_set_blocked(uint64_t blocked);

/* While a call waits, another mask counts; the handler that interrupted it runs under that one. */
void signal_mask_begin(uint64_t blocked);
void signal_mask_end(bool interrupted);

/* @task will not take signals of its process any more; tasks_lock held. */
void signal_task_exits(struct task *task);

/* All tasks that are stopped, if the last of them just stopped or ended: tell the parent.
 * tasks_lock held. */
void signal_check_stopped(struct process *process);

/* Take a pending signal that is not in @blocked; returns its number, or 0. */
int signal_dequeue(struct task *task, uint64_t blocked, struct uapi_siginfo *info);

/* Before going back to ring 3: deliver one signal, if any. @frame is changed. */
void signal_deliver(struct trap_frame *frame);

/* The frame of a handler: kernel/sigframe.c. 0, or -EFAULT when it does not fit; @frame is left. */
int __must_check sigframe_build(struct trap_frame *frame, const struct uapi_sigaction *action,
                                const struct uapi_siginfo *info, uint64_t mask);

/* Is @sp on the task's alternate stack? */
bool signal_on_alt_stack(const struct task *task, uint64_t sp);

/* A signal that cannot be delivered as its handler wants kills, or goes to SIGSEGV's handler. */
void signal_force_segv(int signo);

/* Handlers back to default, as execve does. */
void signals_exec(struct process *process);

/* Give a stopped process's or task's signal SIGCHLD to the parent. tasks_lock held. */
void signal_child_changed(struct process *child, int code, int status);
