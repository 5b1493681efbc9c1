/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/programs.h - small programs that forget as large ones do
 *
 * Room:   user.
 * Owns:   struct program.
 * Locks:  none.
 * Always: (1) threads share the address space, and nothing else that waits.
 * Source: docs/tlb-lab.md, "In a program".
 * Tour:   after tests/experiments/user/kit.h; then program_*.c.
 */
#pragma once

#include "kit.h"

struct program {
    const char *name;
    void (*begin)(unsigned nr_threads); /* or NULL: nothing is needed before */
    void (*work)(unsigned thread);      /* one operation of that thread */
    void (*end)(unsigned nr_threads);   /* or NULL */
    unsigned operations;                /* of each thread, at a time */
};

#define PROGRAM_THREADS 64

/* A row for each policy and number of threads: ticks from the first to the last of all threads, for
 * one operation of one of them. */
void program_measure(const struct program *program);

/* All threads do their operations once. Returns the ticks that took. */
uint64_t program_run(const struct program *program, unsigned nr_threads);

/* Interrupts for shootdowns that all CPUs have taken since the machine booted. */
uint64_t program_interrupts(void);

/* The same work on both kernels, each from an experiment of its own. */
extern const struct program program_files, program_allocator, program_collector, program_shell,
    program_snapshot;
