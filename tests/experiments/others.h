/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/others.h - what the other CPUs do while this one measures
 *
 * Room:   tests/experiments.
 * Owns:   struct lab_others.
 * Locks:  none.
 * Always: (1) after lab_others_end() they are idle again, and have nothing loaded for it.
 * Source: tests/kernel/crew.h.
 * Tour:   after tests/experiments/flush.h.
 */
#pragma once

#include "kit.h"
#include <asm/pgtable.h>

enum lab_state {
    LAB_HALTED,  /* waits for an interrupt, the space loaded and unused: lazy */
    LAB_KERNEL,  /* runs in the kernel, interrupts on, the space in use */
    LAB_IRQ_OFF, /* the same, but most of the time with interrupts off */
    LAB_STATES
};

const char *lab_state_name(enum lab_state state);

/* CPUs 1 .. @nr get @pgt and do that; the others stay halted without it. False: they did not come.
 */
bool lab_others_begin(struct pgtable *pgt, uint64_t nr, enum lab_state state);
void lab_others_end(void);

/* The longest time since the last call that the other CPUs in LAB_KERNEL were held up. Ticks. */
uint64_t lab_others_longest_gap(void);

/* Set the kernel's policy and ceiling; and as they were. */
void lab_settings_begin(unsigned policy, uint64_t ceiling);
void lab_settings_end(void);
