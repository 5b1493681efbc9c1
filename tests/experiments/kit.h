/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/kit.h - how an experiment is written, and how its time is taken
 *
 * Room:   tests/experiments. An experiment is a kernel test that prints rows.
 * Owns:   EXPERIMENT(), struct lab_probe.
 * Locks:  none. Experiments run in task context on the boot CPU, one at a time.
 * Always: (1) a row is made of lab_reps repetitions, after some that are thrown away, each beside
 *             an empty body and the same thing once more, which is the A/A control;
 *         (2) what cannot be measured on this CPU has a row that says why.
 * Source: docs/tlb-lab.md; Paoloni, "How to Benchmark Code Execution Times" (Intel, 2010).
 * Tour:   before the other files of tests/experiments; then kit.c, space.h, flush.h, others.h.
 */
#pragma once

#include <asm/cpu.h>
#include <base/ktest.h>
#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct experiment {
    const char *name, *title, *x_axis;
    const char *unit;     /* NULL: ticks of the time-stamp counter */
    const char *bare;     /* what a figure means on bare metal */
    const char *virt;     /* .. under hardware virtualisation */
    const char *emulated; /* .. under an emulator; NULL: QEMU's cost, not a CPU's */
};

#define LAB_VIRT_LOCAL                                                                         \
    "As bare metal where the hypervisor leaves these instructions to the guest; a miss walks " \
    "two sets of tables."
#define LAB_VIRT_IPI                                                                           \
    "An interrupt may leave the guest, and a CPU of the guest may not be running: mostly the " \
    "host's."

/* EXPERIMENT(instruction_cost, .title = "...", ...) { what it does } */
#define EXPERIMENT(id, ...)                                                        \
    static const struct experiment experiment_##id = {.name = #id, ##__VA_ARGS__}; \
    static void measure_##id(void);                                                \
    KTEST(id)                                                                      \
    {                                                                              \
        lab_begin(&experiment_##id);                                               \
        measure_##id();                                                            \
    }                                                                              \
    static void measure_##id(void)

void lab_begin(const struct experiment *experiment);

/* One row. */
struct lab_probe {
    const char *series;
    uint64_t x;
    void (*prepare)(void *arg);    /* before each repetition, not measured; or NULL */
    void (*body)(void *arg);       /* what is measured */
    uint64_t (*sample)(void *arg); /* or what gives the figure itself, instead of body */
    void (*settle)(void *arg);     /* after each repetition, not measured; or NULL */
    void *arg;
    uint64_t per; /* a repetition does it so many times: the figure is for one; 0 is 1 */
    bool irqs_on; /* the body may be interrupted: it waits for other CPUs */
    const char *note;
};

void lab_measure(const struct lab_probe *probe);

/* A row that is one exact number. */
void lab_count(const char *series, uint64_t x, uint64_t value, const char *note);

/* A row that could not be measured. */
void lab_absent(const char *series, uint64_t x, const char *why);

/* The next of 8, 16, 32 ... 4096. */
#define LAB_FOR_SIZES(nr, from, to) for (uint64_t nr = (from); nr <= (to); nr *= 2)

/* The clock, fenced: nothing of the body begins before the first, or is unfinished at the second.
 */
uint64_t lab_clock_before(void);
uint64_t lab_clock_after(void);

/* A word of a fixed sequence that looks random. */
uint32_t lab_random(uint32_t *state);
