/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/clock.c - what the clock itself costs, and how well it repeats
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) nothing is measured: all other rows contain this much, and their column "empty" says
 *         it.
 * Source: Paoloni, "How to Benchmark Code Execution Times" (Intel, 2010).
 * Tour:   after tests/experiments/kit.h.
 */
#include "kit.h"

#include <asm/time.h>

static void nothing(void *arg)
{
    (void)arg;
}

static void read_plain(void *arg)
{
    *(uint64_t *)arg = tsc_read();
}

static void read_fenced(void *arg)
{
    *(uint64_t *)arg = lab_clock_after();
}

EXPERIMENT(clock, .title = "The clock", .x_axis = "body",
           .bare = "Two fenced readings and a call; a fence waits for what is under way.",
           .virt = "The same, unless the hypervisor intercepts RDTSC: then some 1000 cycles.")
{
    uint64_t out;

    lab_measure(&(struct lab_probe){.series = "empty", .body = nothing});
    lab_measure(&(struct lab_probe){.series = "rdtsc", .body = read_plain, .arg = &out});
    lab_measure(&(struct lab_probe){.series = "fenced", .body = read_fenced, .arg = &out});
}
