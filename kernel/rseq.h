/* SPDX-License-Identifier: MIT */
/*
 * kernel/rseq.h - restartable sequences: a program's short per-CPU critical sections
 *
 * Room:   kernel.
 * Owns:   struct rseq.
 * Locks:  none: the task alone.
 * Always: (1) a task that was switched away from, or gets a signal, never goes on inside a critical
 *             section: it goes on at the section's abort address.
 * Source: rseq(2) of librseq; Linux include/uapi/linux/rseq.h (layout).
 * Tour:   with kernel/rseq.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trap_frame;

/* What a task registered. */
struct rseq {
    uint64_t address; /* of struct uapi_rseq; 0: none */
    uint32_t len, signature;
    bool stale; /* it ran elsewhere meanwhile, or not at all */
};

/* Before ring 3, and before a signal's frame is built: claim 1, and the CPU's number. SIGSEGV is
 * forced when the area cannot be used. Context: IRQs on. */
void rseq_update(struct trap_frame *frame);
