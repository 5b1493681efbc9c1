/* SPDX-License-Identifier: MIT */
/*
 * kernel/oom.h - when there is no memory left
 *
 * Room:   kernel.
 * Owns:   nothing; see oom.c.
 * Locks:  see oom.c.
 * Always: -
 * Source: proc_pid_oom_score_adj(5).
 * Tour:   with kernel/oom.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process;

#define OOM_ADJ_MIN (-1000) /* never */
#define OOM_ADJ_MAX 1000

/**
 * oom_make_room() - a fault of the running task found no memory
 * Drops what programs can lose, or kills the process that has the most, or waits for one that was.
 * Context: task, IRQs on; sleeps, but not for long: locks may be held.
 * Return: true: try again. False: this task has to do without: it is dying, or the last one.
 */
bool oom_make_room(void);

/* How likely @process is chosen, 0 .. 2000; tasks_lock held. */
uint64_t oom_score(const struct process *process);
