/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/measure.h - what an experiment is, in the kernel and in a program
 *
 * Room:   tests/experiments. Linked into the lab kernel, and into the static program beside it.
 * Owns:   struct experiment, struct lab_probe.
 * Locks:  none. One experiment at a time.
 * Always: (1) a row is made of lab_reps repetitions, after some that are thrown away, each beside
 *             an empty body and the same thing once more, which is the A/A control;
 *         (2) what cannot be measured here has a row that says why.
 * Source: docs/tlb-lab.md; Paoloni, "How to Benchmark Code Execution Times" (Intel, 2010).
 * Tour:   before tests/experiments/kit.h and tests/experiments/user/kit.h.
 */
#pragma once

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
    "An interrupt may leave the guest, and a CPU of the guest may not run: mostly the host's " \
    "cost."

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

/* Print the experiment's lines; rows are its own from here on. */
void lab_begin(const struct experiment *experiment);

void lab_measure(const struct lab_probe *probe);

/* A row that is one exact number. */
void lab_count(const char *series, uint64_t x, uint64_t value, const char *note);

/* A row that could not be measured. */
void lab_absent(const char *series, uint64_t x, const char *why);

/* At least 2; 31 unless it is set. */
void lab_reps_set(uint64_t reps);

/* @nr is 8, 16, 32 ... 4096. */
#define LAB_FOR_SIZES(nr, from, to) for (uint64_t nr = (from); nr <= (to); nr *= 2)

/* The clock, fenced: nothing of the body begins before the first, nor ends after the second. */
uint64_t lab_clock_before(void);
uint64_t lab_clock_after(void);

/* A number of a fixed sequence that looks random. */
uint32_t lab_random(uint32_t *state);

/* What the kernel and the program have each of their own. */
void lab_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool lab_has_rdtscp(void);
uint64_t lab_undisturbed_begin(void);
void lab_undisturbed_end(uint64_t flags);
