/* SPDX-License-Identifier: MIT */
/*
 * asm/context.h - what a CPU keeps of a task: stack, user registers, FPU state
 *
 * Room:   arch, public face.
 * Owns:   struct context, kernel stacks, the switch from one to another, XSAVE areas.
 * Locks:  the scheduler's: a context is switched to by one CPU at a time, IRQs off.
 * Always: (1) a context that does not run has all its state saved in it;
 *         (2) every kernel stack has an unmapped guard page below it.
 * Source: System V AMD64 psABI, "Registers"; Intel SDM 1, "Managing State Using XSAVE".
 * Tour:   before kernel/sched.c, arch/x86_64/context.asm.
 */
#pragma once

#include <asm/trap.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <stddef.h>
#include <uapi/ptrace.h>

#define KSTACK_SIZE (4 * PAGE_SIZE)

/* First in struct task, so that the entry code sees what it must ask before and after a call. */
struct context {
    _Atomic bool exit_work;    /* upcall_exit() may find something to do [a] */
    _Atomic bool calls_traced; /* system calls go through upcall_syscall() [a] */
    uint64_t kernel_rsp;       /* saved stack pointer while not running */
    void *kstack;              /* lowest usable address [I] */
    uint64_t fs_base;          /* user FS.base and GS.base while not running */
    uint64_t gs_base;
    void *fpu; /* XSAVE area, 64-byte aligned; NULL for kernel threads */
    uint32_t pkru;
    uint64_t fpu_written; /* components that the area ever had: the others of it are zeros */
};

struct task;

/* The task that runs on this CPU, set by context_switch(). Arch does not look inside. */
static inline struct task *task_current(void)
{
    struct task *task;
    __asm__("movq %%gs:16, %0" : "=r"(task)); /* struct cpu.task: who asks is always the same */
    return task;
}

/* Name the task that runs on this CPU: for idle tasks, which nobody switched to. */
static inline void task_set_current(struct task *task)
{
    __asm__ volatile("movq %0, %%gs:16" ::"r"(task) : "memory");
}

/**
 * context_init_kernel() - a context that will start in fn(arg) on a new stack
 * Return: 0, or -ENOMEM with nothing allocated.
 */
int __must_check context_init_kernel(struct context *c, void (*fn)(void *), void *arg);

/* The same with an FPU area, for a task that will reach ring 3. */
int __must_check context_init_user(struct context *c, void (*fn)(void *), void *arg);

/* Copy the FPU state, FS and GS bases and PKRU of the running task into @to (fork). */
void context_copy_user_state(struct context *to);

/* Back to the state of a new program: FPU reset, bases 0, PKRU as at exec. Running task only. */
void context_reset_user_state(struct context *c);

/* The running task's own state, as a switch would save it. */
void context_save_user_state(struct context *c);

/* The user's registers of a context that does not run, or was just saved. */
void context_registers_get(const struct context *c, struct uapi_user_regs *out);

/* Its FPU registers in FXSAVE's form, FXSAVE_BYTES long. Set: -EINVAL for reserved bits. */
void context_fpu_legacy_get(const struct context *c, void *out);
int __must_check context_fpu_legacy_set(struct context *c, const void *image);

/* The same of all that XSAVE knows, fpu_size() bytes, PKRU among it. Set: -EINVAL for what XRSTOR
 * would refuse. */
void context_xstate_get(const struct context *c, void *out);
int __must_check context_xstate_set(struct context *c, const void *image);

/* Wipe and free stack and FPU area. Not the one that runs. */
void context_destroy(struct context *c);

/* Is the lowest word of its stack still what was put there? Debug builds. */
bool context_is_sound(const struct context *c);

/* Memory of all kernel stacks: those in use, and those that wait for the next task. */
uint64_t kstack_total_bytes(void);

/* The frame at the top of a context's stack, where its user registers are. */
struct trap_frame *context_frame(const struct context *c);

/**
 * context_switch() - stop running @from, run @to; returns when somebody switches back
 * Context: IRQs off. @task becomes task_current().
 */
void context_switch(struct context *from, struct context *to, struct task *task);

/* Leave the kernel for ring 3 with the registers in the frame at the top of this stack. */
_Noreturn void return_to_user(struct trap_frame *frame);

/* A signal handler starts with the FPU and PKRU of a new program. Running task only. */
void user_state_for_handler(void);

/* arch_prctl(): bases of the running task. */
void user_fs_base_set(uint64_t base);
uint64_t user_fs_base(void);
void user_gs_base_set(uint64_t base);
uint64_t user_gs_base(void);

/* Size in bytes of the FPU image as signal frames carry it, and copying it. Running task only. */
size_t fpu_size(void);
uint64_t fpu_features(void); /* XCR0: the components in it; 0 without XSAVE */
void fpu_save_to(void *image);

/* Of @image, an XSAVE image, only what FXSAVE would have written counts: the rest is as at exec. */
void fpu_image_keep_legacy(void *image);

/* @image is checked: reserved bits are refused. 0 or -EINVAL with nothing changed. */
int __must_check fpu_restore_from(void *image);
