/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/trap.c - what to do about an exception
 *
 * Room:   arch.
 * Owns:   the decision: the kernel's own fault, a program's fault, or the end.
 * Locks:  none.
 * Always: (1) a fault in the kernel outside the exception table is a panic, with the walk printed;
 *         (2) IRQs are switched on for programs' faults before anything that may wait.
 * Source: Intel SDM 3A, "Interrupt and Exception Handling".
 * Tour:   after arch/x86_64/entry.asm, before kernel/fault.c.
 */
#include "entry.h"
#include "insn.h"
#include "percpu.h"
#include "smp.h"
#include "tlb_local.h"
#include <asm/context.h>
#include <asm/machine.h>
#include <asm/memory_layout.h>
#include <asm/spinlock.h>
#include <base/log.h>
#include <base/panic.h>
#include <upcalls.h>

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "FRAME_SIZE");
_Static_assert(sizeof(struct trap_frame) % 16 == 0, "stacks stay aligned");
_Static_assert(offsetof(struct trap_frame, rbp) == 4 * 8, "FRAME_RBP");
_Static_assert(offsetof(struct trap_frame, rbx) == 5 * 8, "FRAME_RBX");
_Static_assert(offsetof(struct trap_frame, r11) == 6 * 8, "FRAME_R11");
_Static_assert(offsetof(struct trap_frame, rax) == 10 * 8, "FRAME_RAX");
_Static_assert(offsetof(struct trap_frame, orig_rax) == 15 * 8, "FRAME_ORIG_RAX");
_Static_assert(offsetof(struct trap_frame, rip) == 17 * 8, "FRAME_RIP");
_Static_assert(offsetof(struct trap_frame, rsp) == 20 * 8, "FRAME_RSP");
_Static_assert(SYSCALL_ENTRIES == 512, "percpu.inc");
_Static_assert(offsetof(struct context, exit_work) == 0, "TASK_EXIT_WORK");
_Static_assert(offsetof(struct context, calls_traced) == 1, "TASK_TRACED");

/* Where an access of the kernel to user memory may fault, and where to go on; uaccess.asm. */
struct ex_table_entry {
    uint64_t fault, fixup;
};

extern const struct ex_table_entry __ex_table_start[], __ex_table_end[];

static const struct ex_table_entry *ex_table_find(uint64_t rip)
{
    for (const struct ex_table_entry *e = __ex_table_start; e < __ex_table_end; e++)
        if (e->fault == rip)
            return e;
    return NULL;
}

static const char *const trap_names[32] = {
    [TRAP_DIVIDE] = "divide error",
    [TRAP_DEBUG] = "debug exception",
    [TRAP_NMI] = "non-maskable interrupt",
    [TRAP_BREAKPOINT] = "breakpoint",
    [TRAP_OVERFLOW] = "overflow",
    [5] = "bound range exceeded",
    [TRAP_INVALID_OP] = "invalid opcode",
    [TRAP_NO_DEVICE] = "no FPU",
    [TRAP_DOUBLE_FAULT] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [TRAP_STACK] = "stack fault",
    [TRAP_GENERAL] = "general protection fault",
    [TRAP_PAGE_FAULT] = "page fault",
    [TRAP_FP] = "x87 floating-point error",
    [TRAP_ALIGNMENT] = "alignment check",
    [TRAP_MACHINE_CHECK] = "machine check",
    [TRAP_SIMD] = "SIMD floating-point error",
};

/* The error code of a page fault as a sentence. */
static const char *fault_reason(uint64_t error)
{
    if (error & FAULT_RESERVED)
        return "a reserved bit is set in a page-table entry: a table that was freed?";
    if (error & FAULT_PKEY)
        return "refused by a protection key";
    if (!(error & FAULT_PRESENT))
        return "nothing is mapped there";
    if (error & FAULT_EXEC)
        return error & FAULT_USER ? "the page may not be executed"
                                  : "not executable for the kernel (NX or SMEP)";
    if (error & FAULT_WRITE)
        return "the page may not be written";
    return error & FAULT_USER ? "the page belongs to the kernel"
                              : "the page is the user's and SMAP is shut";
}

static _Noreturn void die(struct trap_frame *frame, uint64_t address)
{
    unsigned vector = trap_vector(frame);
    const char *name = vector < 32 && trap_names[vector] ? trap_names[vector] : "exception";

    panic_set_frame(frame);
    if (vector == TRAP_PAGE_FAULT) {
        log_error("kernel %s of %#lx: %s",
                  frame->error & FAULT_EXEC    ? "jump to"
                  : frame->error & FAULT_WRITE ? "write"
                                               : "read",
                  address, fault_reason(frame->error));
        walk_print(address);
    }
    panic("%s in the kernel, error code %#lx, rip %#lx", name, frame->error, frame->rip);
}

/* Apart: a program's fault saves no registers for it. */
static __no_inline void kernel_fault(struct trap_frame *frame, uint64_t address)
{
    bool user_address = trap_vector(frame) == TRAP_PAGE_FAULT && address < KERNEL_HALF;
    const struct ex_table_entry *entry = ex_table_find(frame->rip);

    if (!entry)
        die(frame, address);
    if (user_address && tlb_follow_root(address))
        return;
    if (user_address && irq_flags_enabled(frame->rflags)) {
        irq_enable();
        bool resolved = uaccess_may_fault(address) && upcall_fault(frame, address);
        irq_disable();
        if (resolved)
            return;
    }
    frame->rip = entry->fixup;
}

void trap_dispatch(struct trap_frame *frame)
{
    unsigned vector = trap_vector(frame);
    uint64_t address = vector == TRAP_PAGE_FAULT ? read_cr2() : 0;

    if (vector >= 32) {
        interrupt_dispatch(frame, vector);
    } else if (trap_from_user(frame)) {
        irq_enable();
        upcall_fault(frame, address); /* returns with IRQs off, exit work done */
    } else {
        kernel_fault(frame, address);
    }
}

void trap_dispatch_ist(struct trap_frame *frame)
{
    if (trap_vector(frame) == TRAP_NMI)
        smp_stop_if_told(frame);
    die(frame, 0);
}
