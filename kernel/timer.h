/* SPDX-License-Identifier: MIT */
/*
 * kernel/timer.h - timers of a process: setitimer(2), alarm(2), timer_create(2)
 *
 * Room:   kernel.
 * Owns:   struct process_timers.
 * Locks:  the process's signal lock (rank SIGNAL) for all fields of its timers; .setting (mutex)
 *         keeps two calls from setting at the same time.
 * Always: (1) a periodic timer whose signal was sent runs on when the signal is taken: who does not
 *             take signals is not flooded with them.
 * Source: timer_create(2), setitimer(2).
 * Tour:   with kernel/timer.c.
 */
#pragma once

#include "sched.h"
#include <base/mutex.h>
#include <stdatomic.h>
#include <uapi/signal.h>

struct process;
struct process_timer;

#define ITIMERS 3

struct process_timers {
    struct mutex setting;
    struct list_node list;                 /* of timer_create(), by rising id */
    struct process_timer *itimer[ITIMERS]; /* made when they are first set */
    int next_id;
    _Atomic int nr_cpu_armed; /* timers that count CPU time, and wait for some */
    struct deferred cpu_work;
    _Atomic bool cpu_work_pending;
};

void timers_init(struct process_timers *timers);

/* execve deletes what timer_create() made; the end of a process everything. */
void timers_exec(struct process *process);
void timers_exit(struct process *process);

/* A signal that a timer sent is taken: what is periodic runs on. Signal lock held. */
void timers_signal_taken(struct process *process, struct uapi_siginfo *info);

/* From the timer interrupt, while a task of @process runs. IRQs off. */
void cpu_timers_tick(struct process *process);
