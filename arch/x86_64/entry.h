/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/entry.h - the labels of entry.asm, and the C they call
 *
 * Room:   arch, private.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) vectors 0..31 are exceptions, then the interrupts listed here.
 * Source: Intel SDM 3A, "Exception and Interrupt Vectors".
 * Tour:   with arch/x86_64/entry.asm.
 */
#pragma once

#include <asm/trap.h>

#define VECTOR_TIMER      0x20
#define VECTOR_CONSOLE    0x21
#define VECTOR_RESCHEDULE 0x22
#define VECTOR_TLB        0x23
#define VECTOR_CALL       0x24
#define VECTOR_SPURIOUS   0x2f /* low four bits set: what old local APICs insist on */
#define VECTORS           0x30

/* Entry points, one per vector, in order. */
extern const uint64_t entry_vectors[VECTORS];

void entry_syscall(void);
void entry_syscall_compat(void);

/* Every exception and interrupt, with the frame on the stack: arch/x86_64/trap.c */
void trap_dispatch(struct trap_frame *frame);

/* May the kernel have the page that its copy touched faulted in? IRQs on. arch/x86_64/uaccess.c */
bool uaccess_may_fault(uint64_t address);

/* NMI, double fault, machine check: on stacks of their own. */
void trap_dispatch_ist(struct trap_frame *frame);

/* An interrupt of the local APIC: arch/x86_64/apic.c */
void interrupt_dispatch(struct trap_frame *frame, unsigned vector);
