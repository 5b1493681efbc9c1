/* SPDX-License-Identifier: MIT */
/*
 * include/upcalls.h - the ways in which the machine calls the kernel
 *
 * Room:   contract between arch/ (the caller) and kernel/ (the one who answers).
 * Owns:   nothing.
 * Locks:  none held at the call.
 * Always: (1) these are all; (2) on the way back to ring 3 each ends in the kernel's exit work
 *         (signals, rescheduling), so that there is one place for it.
 * Source: design.md section 3.
 * Tour:   between arch/x86_64/trap.c and kernel/syscall.c, kernel/fault.c.
 */
#pragma once

#include <asm/trap.h>
#include <stddef.h>

/**
 * upcall_fault() - a page fault, or any other exception of a program
 * @frame: trap_vector(frame) tells which
 * @address: the refused address for page faults, else 0
 * Context: IRQs on if they were on. From the kernel's own code only page faults on user addresses
 *          arrive here; arch panics on everything else itself.
 * Return:  true: go on at frame->rip. false: the kernel's own access failed; use its fixup.
 */
bool upcall_fault(struct trap_frame *frame, uint64_t address);

/**
 * upcall_copyable() - which part of the loaded address space may be copied from or to?
 * Asked only where uaccess_ask() was said. Context: IRQs on; may sleep.
 * Return: how many bytes from @address on, at most @len_bytes.
 */
size_t upcall_copyable(uint64_t address, size_t len_bytes);

typedef int64_t (*syscall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

#define SYSCALL_ENTRIES 512

/* System calls by number, made by the entry code with IRQs on; NULL: there is none. */
extern const syscall_fn syscall_table[SYSCALL_ENTRIES];

/* A system call that is traced, or none: number in orig_rax, result into rax. IRQs on. */
void upcall_syscall(struct trap_frame *frame);

/**
 * upcall_exit() - all that is done between the kernel and ring 3: rescheduling, signals
 * Called when context.exit_work of the task says so. Context: IRQs off; on in between.
 * Return: false: @frame is as before. true: look at all of it.
 */
bool upcall_exit(struct trap_frame *frame);

enum interrupt { INTERRUPT_TIMER, INTERRUPT_RESCHEDULE, INTERRUPT_CONSOLE };

/* An interrupt that means something to the kernel. IRQs off; already acknowledged. */
void upcall_interrupt(struct trap_frame *frame, enum interrupt what);
