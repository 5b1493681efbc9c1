/* SPDX-License-Identifier: MIT */
/*
 * kernel/load.h - how busy the machine is, and with what
 *
 * Room:   kernel.
 * Owns:   struct cpu_times.
 * Locks:  none to be held.
 * Always: (1) an idle machine is not woken for this: no sample is taken, and none is missed.
 * Source: proc_stat(5), proc_loadavg(5).
 * Tour:   after kernel/sched.h; then kernel/load.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct task;

/* What a CPU did since it was started. What ran since the last tick is not in it yet. */
struct cpu_times {
    uint64_t user_ns, system_ns, idle_ns;
};

void load_cpu_times(unsigned cpu, struct cpu_times *out);

/* How many tasks wanted to run, on average over 1, 5 and 15 minutes, times LOAD_ONE. */
#define LOAD_SHIFT 11
#define LOAD_ONE   (1UL << LOAD_SHIFT)
void load_averages(uint64_t out[3]);

/* Tasks that run or wait for a CPU, or for a lock. Takes tasks_lock. */
struct load_now {
    unsigned runnable, blocked, all;
};
struct load_now load_now(void);

/* Page faults of all tasks that are, or that somebody waited for. Takes tasks_lock. */
uint64_t load_nr_faults(void);

/* From the scheduler: this CPU stops being idle; its timer fires, while a program ran or the kernel
 * did. IRQs off. */
void load_cpu_busy(void);
void load_interrupted(bool in_program);
