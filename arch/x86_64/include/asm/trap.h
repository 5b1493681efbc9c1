/* SPDX-License-Identifier: MIT */
/*
 * asm/trap.h - the registers a trap leaves on the kernel stack
 *
 * Room:   arch, public face.
 * Owns:   struct trap_frame; its offsets are asserted against arch/x86_64/entry.asm.
 * Locks:  none: a frame belongs to the task whose kernel stack it lies on.
 * Always: (1) every way into the kernel builds this same frame;
 *         (2) it sits at the top of the stack.
 * Source: Intel SDM 3A, "64-Bit Mode Stack Frame"; AMD64 APM 2, "SYSCALL and SYSRET".
 * Tour:   before arch/x86_64/entry.asm.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t orig_rax; /* system call number, or -1 - vector for traps */
    uint64_t error;    /* the CPU's error code, or 0 */
    uint64_t rip, cs, rflags, rsp, ss;
};

#define TRAP_DIVIDE        0
#define TRAP_DEBUG         1
#define TRAP_NMI           2
#define TRAP_BREAKPOINT    3
#define TRAP_OVERFLOW      4
#define TRAP_INVALID_OP    6
#define TRAP_NO_DEVICE     7
#define TRAP_DOUBLE_FAULT  8
#define TRAP_STACK         12
#define TRAP_GENERAL       13
#define TRAP_PAGE_FAULT    14
#define TRAP_FP            16
#define TRAP_ALIGNMENT     17
#define TRAP_MACHINE_CHECK 18
#define TRAP_SIMD          19

/* Why an access was refused: the page-fault error code in words. */
#define FAULT_PRESENT  (1 << 0) /* the walk ended at a leaf that refused */
#define FAULT_WRITE    (1 << 1)
#define FAULT_USER     (1 << 2) /* the access came from ring 3 */
#define FAULT_RESERVED (1 << 3)
#define FAULT_EXEC     (1 << 4)
#define FAULT_PKEY     (1 << 5)

/* Segments of ring 3, as frames carry them. */
#define USER_DATA_SELECTOR 0x1b
#define USER_CODE_SELECTOR 0x23

static inline bool trap_from_user(const struct trap_frame *f)
{
    return f->cs & 3; /* the ring: 3, or the kernel's 0 */
}

static inline unsigned trap_vector(const struct trap_frame *f)
{
    return (unsigned)(-1 - (int64_t)f->orig_rax);
}
