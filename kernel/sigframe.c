/* SPDX-License-Identifier: MIT */
/*
 * kernel/sigframe.c - the frame a handler runs on, and the way back from it
 *
 * Room:   kernel.
 * Owns:   the frame on the user's stack.
 * Locks:  none: user memory is touched with no lock held.
 * Always: (1) a handler's frame is checked again on rt_sigreturn: it may have been edited;
 *         (2) a frame that does not fit on the stack leaves the registers as they were.
 * Source: sigaction(2), sigreturn(2); System V AMD64 psABI, "The Stack Frame" (red zone).
 * Tour:   after kernel/signal.c.
 */
#include "syscall.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/pkey.h>
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define RED_ZONE      128
#define CLEARED_FLAGS 0x10500UL /* a handler begins without DF, TF and RF */

bool signal_on_alt_stack(const struct task *task, uint64_t sp)
{
    const struct uapi_stack *alt = &task->signals.alt_stack;
    if (alt->flags & (int32_t)SS_AUTODISARM)
        return false; /* it was given up when it was entered */
    return !(alt->flags & SS_DISABLE) && sp > alt->sp && sp - alt->sp <= alt->size;
}

static uint64_t frame_top(const struct task *task, const struct uapi_sigaction *action,
                          uint64_t rsp, bool *enters_alt)
{
    const struct uapi_stack *alt = &task->signals.alt_stack;
    *enters_alt = (action->flags & SA_ONSTACK) && !(alt->flags & SS_DISABLE) && alt->size &&
                  !signal_on_alt_stack(task, rsp);
    return *enters_alt ? alt->sp + alt->size : rsp - RED_ZONE;
}

static void context_save(struct uapi_sigcontext *c, const struct trap_frame *f,
                         const struct uapi_siginfo *info, uint64_t mask)
{
    *c = (struct uapi_sigcontext){
        .r8 = f->r8,
        .r9 = f->r9,
        .r10 = f->r10,
        .r11 = f->r11,
        .r12 = f->r12,
        .r13 = f->r13,
        .r14 = f->r14,
        .r15 = f->r15,
        .rdi = f->rdi,
        .rsi = f->rsi,
        .rbp = f->rbp,
        .rbx = f->rbx,
        .rdx = f->rdx,
        .rax = f->rax,
        .rcx = f->rcx,
        .rsp = f->rsp,
        .rip = f->rip,
        .rflags = f->rflags,
        .cs = f->cs,
        .ss = f->ss,
        .oldmask = mask,
    };
    if ((int64_t)f->orig_rax < 0) {
        c->trapno = trap_vector(f);
        c->err = f->error;
    }
    if (info->signo == SIGSEGV || info->signo == SIGBUS)
        c->cr2 = info->addr;
}

/* The FPU image, with the words that tell its size; NULL: no memory. */
static uint8_t *fpu_image_make(void)
{
    size_t size = fpu_size();
    uint8_t *image = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_ZERO); /* page aligned */
    if (!image)
        return NULL;
    fpu_save_to(image);
    if (cpu_has(CPU_XSAVE)) {
        struct uapi_fpx_sw_bytes words = {
            .magic1 = FP_XSTATE_MAGIC1,
            .extended_size = size + sizeof(uint32_t),
            .xfeatures = fpu_features(),
            .xstate_size = size,
        };
        memcpy(image + FPX_SW_BYTES_OFFSET, &words, sizeof(words));
    }
    return image;
}

static int fpu_image_write(const uint8_t *image, uint64_t at)
{
    size_t size = fpu_size();
    int err = copy_to_user(user(at), image, size);
    uint32_t magic2 = FP_XSTATE_MAGIC2;
    if (!err && cpu_has(CPU_XSAVE))
        err = copy_to_user(user(at + size), &magic2, sizeof(magic2));
    return err;
}

/* All of it, wherever the stack is: the handler's may be of a key that only the handler opens. */
static int frame_write(const struct uapi_sigframe *frame, uint64_t at)
{
    uint8_t *image = fpu_image_make();
    if (!image)
        return -EFAULT;
    uint32_t keys = pkeys_open();
    int err = fpu_image_write(image, frame->uc.context.fpstate);
    if (!err)
        err = copy_to_user(user(at), frame, sizeof(*frame));
    if (err)
        pkeys_restore(keys);
    memset(image, 0, PAGE_SIZE);
    kmem_free(image);
    return err;
}

int sigframe_build(struct trap_frame *f, const struct uapi_sigaction *action,
                   const struct uapi_siginfo *info, uint64_t mask)
{
    struct task *task = task_current();
    bool was_on_alt = signal_on_alt_stack(task, f->rsp), enters_alt;
    uint64_t top = frame_top(task, action, f->rsp, &enters_alt);
    uint64_t fpu = round_down(top - fpu_size() - 4, 64);
    uint64_t at = round_down(fpu - sizeof(struct uapi_sigframe), 16) - 8; /* as after a CALL */
    struct uapi_sigframe frame = {.restorer = action->restorer, .info = *info};

    if (!(action->flags & SA_RESTORER))
        return -EFAULT; /* x86-64 has no other way back */
    if ((enters_alt || was_on_alt) && at < task->signals.alt_stack.sp)
        return -EFAULT; /* it would overflow into whatever lies below */
    frame.uc.flags =
        UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (cpu_has(CPU_XSAVE) ? UC_FP_XSTATE : 0);
    frame.uc.stack = task->signals.alt_stack;
    if (was_on_alt)
        frame.uc.stack.flags |= SS_ONSTACK;
    context_save(&frame.uc.context, f, info, mask);
    frame.uc.context.fpstate = fpu;
    frame.uc.sigmask = mask;
    int err = frame_write(&frame, at);
    if (err)
        return err;
    if (task->signals.alt_stack.flags & (int32_t)SS_AUTODISARM)
        task->signals.alt_stack = (struct uapi_stack){.flags = SS_DISABLE};

    f->rip = action->handler;
    f->rsp = at;
    f->rdi = info->signo;
    f->rsi = at + offsetof(struct uapi_sigframe, info);
    f->rdx = at + offsetof(struct uapi_sigframe, uc);
    f->rax = 0;
    f->rflags &= ~CLEARED_FLAGS;
    user_state_for_handler();
    return 0;
}

static void context_restore(struct trap_frame *f, const struct uapi_sigcontext *c)
{
    const uint64_t user_flags = 0x40dd5; /* CF PF AF ZF SF TF DF OF AC */
    f->r8 = c->r8, f->r9 = c->r9, f->r10 = c->r10, f->r11 = c->r11;
    f->r12 = c->r12, f->r13 = c->r13, f->r14 = c->r14, f->r15 = c->r15;
    f->rdi = c->rdi, f->rsi = c->rsi, f->rbp = c->rbp, f->rbx = c->rbx;
    f->rdx = c->rdx, f->rax = c->rax, f->rcx = c->rcx, f->rsp = c->rsp;
    f->rip = c->rip;
    f->rflags = (f->rflags & ~user_flags) | (c->rflags & user_flags);
    f->orig_rax = -1UL;                  /* nothing to restart */
    sched_add_exit_work(task_current()); /* all registers are other ones now */
}

/* Does the frame carry a whole XSAVE image? Else only its first 512 bytes count. */
static bool image_is_whole(const uint8_t *image, uint64_t at)
{
    struct uapi_fpx_sw_bytes words;
    uint32_t magic2;

    memcpy(&words, image + FPX_SW_BYTES_OFFSET, sizeof(words));
    return words.magic1 == FP_XSTATE_MAGIC1 && words.xstate_size == fpu_size() &&
           !copy_from_user(&magic2, user(at + words.xstate_size), sizeof(magic2)) &&
           magic2 == FP_XSTATE_MAGIC2;
}

static int fpu_image_read(uint64_t at)
{
    uint8_t *image = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_ZERO);
    if (!image)
        return -ENOMEM;
    int err = is_aligned(at, 64) ? copy_from_user(image, user(at), fpu_size()) : -EFAULT;
    if (!err && cpu_has(CPU_XSAVE) && !image_is_whole(image, at))
        fpu_image_keep_legacy(image);
    if (!err)
        err = fpu_restore_from(image);
    kmem_free(image);
    return err;
}

/* As if sigaltstack() was called; what that would refuse is left alone. */
static void alt_stack_restore(struct task *task, struct uapi_stack stack)
{
    uint32_t mode = stack.flags & ~SS_AUTODISARM;
    if (mode & ~(SS_DISABLE | SS_ONSTACK))
        return;
    if (mode & SS_DISABLE)
        stack.sp = stack.size = 0;
    else if (stack.size < MINSIGSTKSZ)
        return;
    stack.flags &= SS_DISABLE | (int32_t)SS_AUTODISARM;
    task->signals.alt_stack = stack;
}

int64_t sys_rt_sigreturn(void)
{
    struct uapi_sigframe frame;
    struct task *task = task_current();
    struct trap_frame *f = user_frame();

    int err = copy_from_user(&frame, user(f->rsp - 8), sizeof(frame));
    if (!err && frame.uc.context.rip >= USER_END)
        err = -EFAULT;
    if (!err && frame.uc.context.fpstate)
        err = fpu_image_read(frame.uc.context.fpstate);
    if (err) {
        signal_force_segv(0);
        return -EFAULT;
    }
    signal_set_blocked(frame.uc.sigmask);
    alt_stack_restore(task, frame.uc.stack);
    context_restore(f, &frame.uc.context);
    return f->rax;
}
