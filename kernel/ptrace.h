/* SPDX-License-Identifier: MIT */
/*
 * kernel/ptrace.h - one process watches and steers the tasks of another
 *
 * Room:   kernel.
 * Owns:   struct trace.
 * Locks:  the tree lock (rank TASKS) for all of it.
 * Always: (1) registers and memory of a tracee are touched only while it is stopped for its tracer.
 * Source: ptrace(2).
 * Tour:   with kernel/ptrace.c.
 */
#pragma once

#include <lib/addr.h>
#include <lib/list.h>
#include <stdbool.h>
#include <stdint.h>
#include <uapi/ptrace.h>
#include <uapi/signal.h>

struct process;
struct task;
struct trap_frame;

/* Of a task that is traced, or could be. */
struct trace {
    struct process *tracer; /* NULL: nobody; it lives as long as it is named here */
    struct list_node node;  /* on tracer->tracees */
    uint32_t options;       /* PTRACE_O_TRACESYSGOOD etc. */
    int stop_code;          /* stopped: what wait() tells, a signal or SIGTRAP | 0x80; 0: runs */
    bool reported;          /* wait() told already */
    int deliver;            /* the signal to go on with */
    struct uapi_siginfo info;
};

/* The running task takes a signal: its tracer decides. Returns the signal to act on, or 0. */
int ptrace_signal(struct trap_frame *frame, struct uapi_siginfo *info);

/* Before and after a system call. */
void ptrace_syscall(struct trap_frame *frame);

/* After execve. */
void ptrace_exec(void);

/* Does the tracer want to see this signal, though the program ignores it? */
bool ptrace_wants(const struct task *task, int signo);

/* A tracee of ours that is stopped, and all its registers saved, or NULL. tasks_lock held. */
struct task *ptrace_stopped(int tid);

/* New registers for it: 0, or -EIO: a program could not have them. */
int __must_check ptrace_registers_set(struct task *task, const struct uapi_user_regs *r);

/* PTRACE_GETREGSET, PTRACE_SETREGSET. kernel/ptrace_regset.c */
int64_t ptrace_regset(int tid, bool writes, uint64_t set, user_addr_t iovec);

/* A task ends, and perhaps its process's life as a tracer. tasks_lock held. */
void ptrace_exit(struct task *task);
