/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/smp.h - what the rest of arch needs of smp.c
 *
 * Room:   arch, private.
 * Owns:   the data between smp.c and trampoline.asm.
 * Locks:  none.
 * Always: (1) one processor starts at a time.
 * Source: Intel SDM 3A, "Multiple-Processor Management".
 * Tour:   with arch/x86_64/smp.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The code a processor starts in: position independent, copied to a page below 1 MiB. */
extern const char trampoline_start[], trampoline_end[];

/* The last bytes of that code: what smp.c fills in; the layout is trampoline.asm's. */
struct trampoline_data {
    uint32_t root; /* CR3: physical, below 4 GiB */
    uint32_t efer;
    uint64_t stack_top;
    uint64_t entry; /* a kernel address: gets the argument, never returns */
    uint64_t argument;
};

/* Run what other CPUs asked this one to run; interrupt context. */
void smp_call_answer(void);

struct trap_frame;

/* An NMI came: is it the one that stops this CPU? Then count it, and never come back. @frame is
 * what smp_stopped_at() says. */
void smp_stop_if_told(const struct trap_frame *frame);
