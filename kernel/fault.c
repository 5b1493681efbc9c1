/* SPDX-License-Identifier: MIT */
/*
 * kernel/fault.c - what an exception means to a program
 *
 * Room:   kernel.
 * Owns:   the translation from exceptions to signals, and the timer's and console's up-call.
 * Locks:  none.
 * Always: (1) a fault that mm can resolve is never seen by the program;
 *         (2) si_code and si_addr are Linux's.
 * Source: sigaction(2), "The si_code field"; Intel SDM 3A, "Interrupt and Exception Handling".
 * Tour:   after arch/x86_64/trap.c; mm/fault.c does the work.
 */
#include "load.h"
#include "oom.h"
#include "syscall.h"
#include "task.h"
#include "tty.h"
#include <asm/pkey.h>
#include <mm/userfault.h>
#include <uapi/errno.h>
#include <upcalls.h>

static enum fault_access access_of(uint64_t error)
{
    if (error & FAULT_WRITE)
        return ACCESS_WRITE;
    return error & FAULT_EXEC ? ACCESS_EXEC : ACCESS_READ;
}

/* Does the key of the area at @address, which becomes *@key, refuse the access to the program? */
static bool key_refuses(uint64_t address, uint64_t error, int *key)
{
    *key = mm_pkey_at(task_current()->mm, address);
    if (*key == NO_PKEY || (error & FAULT_EXEC))
        return false;
    return (error & FAULT_PKEY) || pkey_refuses(*key, error & FAULT_WRITE);
}

static void key_signal(uint64_t address, int key)
{
    struct uapi_siginfo info = {
        .signo = SIGSEGV, .code = SEGV_PKUERR, .addr = address, .pkey = key};
    signal_force(&info);
}

static __cold void page_fault_signal(enum fault_result result, uint64_t address)
{
    struct uapi_siginfo info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .addr = address};

    switch (result) {
    case FAULT_RESOLVED:
    case FAULT_ASKED:
        return;
    case FAULT_NO_MEMORY: /* nothing is left to give */
        info = (struct uapi_siginfo){.signo = SIGKILL, .code = SI_KERNEL};
        break;
    case FAULT_BEYOND:
        info.signo = SIGBUS;
        info.code = BUS_ADRERR;
        break;
    case FAULT_POISONED:
        info.signo = SIGBUS;
        info.code = BUS_MCEERR_AR;
        info.addr_lsb = PAGE_SHIFT;
        break;
    case FAULT_NO_RIGHT:
        info.code = SEGV_ACCERR;
        break;
    case FAULT_NO_AREA:
        break;
    }
    signal_force(&info);
}

/* A program answers; user code is interrupted by every signal. */
static enum fault_result page_fault_ask(const struct trap_frame *frame, uint64_t address)
{
    struct userfault_question q = {
        .addr = address, .access = access_of(frame->error), .by_kernel = !trap_from_user(frame)};
    return mm_userfault_ask(task_current()->mm, &q);
}

/* mm does not resolve it as it is. Try again, if memory was all that it lacked. */
static __cold bool page_fault_failed(struct trap_frame *frame, uint64_t address,
                                     enum fault_result result)
{
    struct mm *mm = task_current()->mm;
    int key;

    if (mm && key_refuses(address, frame->error, &key)) {
        if (trap_from_user(frame))
            key_signal(address, key);
        return false;
    }
    while (result == FAULT_NO_MEMORY && oom_make_room())
        result = mm_fault(mm, user(address), access_of(frame->error));
    if (result == FAULT_ASKED)
        result = page_fault_ask(frame, address);
    if (result == FAULT_RESOLVED)
        return true;
    if (trap_from_user(frame))
        page_fault_signal(result, address);
    return false;
}

/* The key is asked first: what it refuses is not made present. */
static __cold enum fault_result keyed_fault(struct mm *mm, uint64_t address, uint64_t error)
{
    int key;
    bool refused = key_refuses(address, error, &key);

    if (key == NO_PKEY && mm_stack_grow(mm, address))
        refused = key_refuses(address, error, &key);
    if (refused)
        return FAULT_NO_RIGHT;
    return mm_fault(mm, user(address), access_of(error));
}

/* A key refuses. Or the tables are broken, and nothing can be known of them. */
static __cold enum fault_result refused_fault(uint64_t error, uint64_t address)
{
    ASSERT(!(error & FAULT_RESERVED),
           "V3: the walk to %#lx found a reserved bit: a table that was freed?", address);
    return FAULT_NO_RIGHT;
}

static inline bool page_fault(struct trap_frame *frame, uint64_t address)
{
    struct task *task = task_current();
    enum fault_result result;

    task->nr_faults++;
    if (unlikely(frame->error & (FAULT_PKEY | FAULT_RESERVED)))
        result = refused_fault(frame->error, address);
    else if (unlikely(!task->mm) || unlikely(address >= USER_END))
        result = FAULT_NO_AREA;
    else if (unlikely(READ_ONCE(task->mm->keyed)))
        result = keyed_fault(task->mm, address, frame->error);
    else
        result = mm_fault(task->mm, user(address), access_of(frame->error));
    return likely(result == FAULT_RESOLVED) || page_fault_failed(frame, address, result);
}

static __cold void exception_signal(struct trap_frame *frame)
{
    struct uapi_siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

    switch (trap_vector(frame)) {
    case TRAP_DIVIDE:
        info = (struct uapi_siginfo){.signo = SIGFPE, .code = FPE_INTDIV, .addr = frame->rip};
        break;
    case TRAP_DEBUG:
        info = (struct uapi_siginfo){.signo = SIGTRAP, .code = TRAP_TRACE, .addr = frame->rip};
        break;
    case TRAP_BREAKPOINT:
        info.signo = SIGTRAP;
        break;
    case TRAP_INVALID_OP:
        info = (struct uapi_siginfo){.signo = SIGILL, .code = ILL_ILLOPN, .addr = frame->rip};
        break;
    case TRAP_FP:
    case TRAP_SIMD:
        info = (struct uapi_siginfo){.signo = SIGFPE, .code = FPE_FLTINV, .addr = frame->rip};
        break;
    case TRAP_ALIGNMENT:
        info = (struct uapi_siginfo){.signo = SIGBUS, .code = BUS_ADRALN};
        break;
    }
    signal_force(&info);
}

size_t upcall_copyable(uint64_t address, size_t len_bytes)
{
    struct mm *mm = task_current()->mm;
    return mm ? mm_copyable(mm, address, len_bytes) : len_bytes;
}

bool upcall_fault(struct trap_frame *frame, uint64_t address)
{
    bool resolved = false;

    if (trap_vector(frame) == TRAP_PAGE_FAULT)
        resolved = page_fault(frame, address);
    else
        exception_signal(frame);
    if (trap_from_user(frame))
        upcall_exit(frame);
    return resolved;
}

void upcall_interrupt(struct trap_frame *frame, enum interrupt what)
{
    switch (what) {
    case INTERRUPT_TIMER:
        load_interrupted(trap_from_user(frame));
        sched_timer();
        break;
    case INTERRUPT_RESCHEDULE:
        sched_kick();
        break;
    case INTERRUPT_CONSOLE:
        tty_interrupt();
        break;
    }
    if (trap_from_user(frame))
        upcall_exit(frame);
}
