/* SPDX-License-Identifier: MIT */
/*
 * kernel/signal.c - sending signals, and building the frame a handler runs on
 *
 * Room:   kernel.
 * Owns:   struct queued_signal; the frame on the user's stack.
 * Locks:  see kernel/signal.h. User memory is touched with no lock held.
 * Always: (1) a handler's frame is checked again on rt_sigreturn: it may have been edited;
 *         (2) a frame that does not fit on the stack kills with SIGSEGV.
 * Source: sigaction(2), sigreturn(2); System V AMD64 psABI, "The Stack Frame" (red zone).
 * Tour:   after kernel/signal.h.
 */
#include "signal.h"

#include "syscall.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/uaccess.h>
#include <base/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

struct queued_signal {
    struct list_node node;
    struct uapi_siginfo info;
};

#define UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))
#define STOP_SET    (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define IGNORED_SET (sigmask(SIGCHLD) | sigmask(SIGURG) | sigmask(SIGWINCH) | sigmask(SIGCONT))
#define CORE_SET                                                                                  \
    (sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) | sigmask(SIGBUS) | \
     sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGXCPU) | sigmask(SIGXFSZ) | sigmask(SIGSYS))

#define RED_ZONE 128

void pending_init(struct pending *pending)
{
    pending->mask = 0;
    list_init(&pending->queue);
}

void pending_drop(struct pending *pending)
{
    struct queued_signal *q, *after;
    list_for_each_safe (q, after, &pending->queue, node) {
        list_del(&q->node);
        kmem_free(q);
    }
    pending->mask = 0;
}

void signals_init(struct signal_state *state)
{
    memset(state, 0, sizeof(*state));
    spin_lock_init(&state->lock, LOCK_RANK_SIGNAL);
    pending_init(&state->shared);
}

static bool ignored(const struct signal_state *state, int signo)
{
    uint64_t handler = state->action[signo - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(signo) & IGNORED_SET));
}

/* signal_state.lock held. */
static int queue_signal(struct pending *to, const struct uapi_siginfo *info)
{
    if (info->signo < 32 && (to->mask & sigmask(info->signo)))
        return 0; /* claim 2 */
    struct queued_signal *q = kmem_alloc(sizeof(*q), 0);
    if (!q && info->signo >= 32)
        return -EAGAIN;
    if (q) {
        q->info = *info;
        list_add_tail(&q->node, &to->queue);
    }
    to->mask |= sigmask(info->signo); /* even when its details are lost for want of memory */
    return 0;
}

static void remove_pending(struct pending *from, uint64_t set)
{
    struct queued_signal *q, *after;
    from->mask &= ~set;
    list_for_each_safe (q, after, &from->queue, node) {
        if (set & sigmask(q->info.signo)) {
            list_del(&q->node);
            kmem_free(q);
        }
    }
}

/* SIGCONT and the stop signals cancel each other at once. signal_state.lock held. */
static void stop_and_cont(struct process *process, int signo)
{
    struct signal_state *state = &process->signals;
    struct task *task;

    if (signo == SIGCONT) {
        remove_pending(&state->shared, STOP_SET);
        atomic_store(&state->stop_signal, 0);
    } else if (sigmask(signo) & STOP_SET) {
        remove_pending(&state->shared, sigmask(SIGCONT));
        return;
    } else if (signo == SIGKILL) {
        atomic_store(&state->stop_signal, 0);
    } else {
        return;
    }
    list_for_each_entry (task, &process->tasks, process_node)
        task_wake(task, WAKE_STOPPED);
}

/* tasks_lock is held by callers, so that process->tasks stays. */
static int send(struct process *process, struct task *only, const struct uapi_siginfo *info)
{
    struct signal_state *state = &process->signals;
    int signo = info->signo, err = 0;
    struct task *task;

    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    stop_and_cont(process, signo);
    bool blocked = only && (only->signals.blocked & sigmask(signo));
    if (!ignored(state, signo) || blocked)
        err = queue_signal(only ? &only->signals.pending : &state->shared, info);
    list_for_each_entry (task, &process->tasks, process_node) {
        bool wants = (!only || only == task) && !(task->signals.blocked & sigmask(signo));
        if (wants || signo == SIGKILL)
            task_wake(task, WAKE_SIGNAL | (signo == SIGKILL ? WAKE_STOPPED : 0));
    }
    spin_unlock_irqrestore(&state->lock, flags);
    return err;
}

int signal_send_process(struct process *process, const struct uapi_siginfo *info)
{
    return send(process, NULL, info);
}

int signal_send_task(struct task *task, const struct uapi_siginfo *info)
{
    return send(task->process, task, info);
}

void signal_force(const struct uapi_siginfo *info)
{
    struct task *task = task_current();
    struct signal_state *state = &task->process->signals;
    uint64_t bit = sigmask(info->signo);

    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    struct uapi_sigaction *action = &state->action[info->signo - 1];
    if ((task->signals.blocked & bit) || action->handler == SIG_IGN) {
        action->handler = SIG_DFL;
        task->signals.blocked &= ~bit;
    }
    queue_signal(&task->signals.pending, info);
    spin_unlock_irqrestore(&state->lock, flags);
}

bool signal_pending_current(void)
{
    struct task *task = task_current();
    if (!task->process)
        return false;
    uint64_t pending =
        READ_ONCE(task->signals.pending.mask) | READ_ONCE(task->process->signals.shared.mask);
    return (pending & ~task->signals.blocked) || READ_ONCE(task->process->exiting) ||
           atomic_load(&task->process->signals.stop_signal);
}

/* Take the most urgent deliverable signal out; 0: none. signal_state.lock held. */
static int dequeue_from(struct pending *from, uint64_t blocked, struct uapi_siginfo *info)
{
    uint64_t ready = from->mask & ~blocked;
    struct queued_signal *q;

    if (!ready)
        return 0;
    /* Signals of faults first: their handler must see the state that caused them. */
    uint64_t faults = ready & (sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) |
                               sigmask(SIGTRAP) | sigmask(SIGFPE) | sigmask(SIGSYS));
    int signo = __builtin_ctzl(faults ? faults : ready) + 1;
    bool found = false, more = false;
    *info = (struct uapi_siginfo){.signo = signo};
    list_for_each_entry (q, &from->queue, node) {
        if (q->info.signo != signo)
            continue;
        if (found) {
            more = true;
            break;
        }
        *info = q->info;
        found = true;
    }
    if (found) {
        list_for_each_entry (q, &from->queue, node) {
            if (q->info.signo == signo) {
                list_del(&q->node);
                kmem_free(q);
                break;
            }
        }
    }
    if (!more)
        from->mask &= ~sigmask(signo);
    return signo;
}

int signal_dequeue(struct task *task, uint64_t blocked, struct uapi_siginfo *info)
{
    struct signal_state *state = &task->process->signals;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    int signo = dequeue_from(&task->signals.pending, blocked, info);
    if (!signo)
        signo = dequeue_from(&state->shared, blocked, info);
    spin_unlock_irqrestore(&state->lock, flags);
    return signo;
}

void signals_exec(struct process *process)
{
    struct signal_state *state = &process->signals;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    for (unsigned i = 0; i < SIGNALS; i++) {
        uint64_t handler = state->action[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;
        state->action[i] = (struct uapi_sigaction){.handler = handler};
    }
    spin_unlock_irqrestore(&state->lock, flags);
    task_current()->signals.alt_stack = (struct uapi_stack){.flags = SS_DISABLE};
}

/* The frame */

static bool on_alt_stack(const struct task *task, uint64_t sp)
{
    const struct uapi_stack *alt = &task->signals.alt_stack;
    return !(alt->flags & SS_DISABLE) && sp > alt->sp && sp - alt->sp <= alt->size;
}

static uint64_t frame_top(const struct task *task, const struct uapi_sigaction *action,
                          uint64_t rsp)
{
    const struct uapi_stack *alt = &task->signals.alt_stack;
    if ((action->flags & SA_ONSTACK) && !(alt->flags & SS_DISABLE) && alt->size &&
        !on_alt_stack(task, rsp))
        return alt->sp + alt->size;
    return rsp - RED_ZONE;
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

/* The FPU image at @at, with the words that tell its size. */
static int fpu_image_write(uint64_t at)
{
    size_t size = fpu_size();
    uint8_t *image = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_ZERO); /* page aligned */
    if (!image)
        return -EFAULT;
    fpu_save_to(image);
    if (cpu_has(CPU_XSAVE)) {
        struct uapi_fpx_sw_bytes words = {
            .magic1 = FP_XSTATE_MAGIC1,
            .extended_size = size + 4,
            .xfeatures = fpu_features(),
            .xstate_size = size,
        };
        memcpy(image + FPX_SW_BYTES_OFFSET, &words, sizeof(words));
    }
    int err = copy_to_user(user(at), image, size);
    uint32_t magic2 = FP_XSTATE_MAGIC2;
    if (!err && cpu_has(CPU_XSAVE))
        err = copy_to_user(user(at + size), &magic2, sizeof(magic2));
    memset(image, 0, PAGE_SIZE);
    kmem_free(image);
    return err;
}

static int frame_build(struct trap_frame *f, const struct uapi_sigaction *action,
                       const struct uapi_siginfo *info, uint64_t mask)
{
    struct task *task = task_current();
    uint64_t top = frame_top(task, action, f->rsp);
    uint64_t fpu = round_down(top - fpu_size() - 4, 64);
    uint64_t at = round_down(fpu - sizeof(struct uapi_sigframe), 16) - 8; /* as after a CALL */
    struct uapi_sigframe frame = {.restorer = action->restorer, .info = *info};

    if (!(action->flags & SA_RESTORER))
        return -EFAULT; /* x86-64 has no other way back */
    frame.uc.flags =
        UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (cpu_has(CPU_XSAVE) ? UC_FP_XSTATE : 0);
    frame.uc.stack = task->signals.alt_stack;
    if (!(frame.uc.stack.flags & SS_DISABLE) && on_alt_stack(task, f->rsp))
        frame.uc.stack.flags |= SS_ONSTACK;
    context_save(&frame.uc.context, f, info, mask);
    frame.uc.context.fpstate = fpu;
    frame.uc.sigmask = mask;
    int err = fpu_image_write(fpu);
    if (!err)
        err = copy_to_user(user(at), &frame, sizeof(frame));
    if (err)
        return err;

    f->rip = action->handler;
    f->rsp = at;
    f->rdi = info->signo;
    f->rsi = at + offsetof(struct uapi_sigframe, info);
    f->rdx = at + offsetof(struct uapi_sigframe, uc);
    f->rax = 0;
    f->rflags &= ~0x500UL; /* DF and TF */
    user_state_for_handler();
    return 0;
}

/* A system call that a signal interrupted: again, or EINTR? */
static void restart_call(struct trap_frame *f, const struct uapi_sigaction *action)
{
    if ((int64_t)f->orig_rax < 0)
        return;
    int64_t result = f->rax;
    bool again = result == -ERESTARTNOINTR ||
                 (result == -ERESTARTSYS && (!action || (action->flags & SA_RESTART)));
    if (again) {
        f->rax = f->orig_rax;
        f->rip -= 2; /* the length of SYSCALL */
    } else if (result == -ERESTARTSYS) {
        f->rax = -EINTR;
    }
    f->orig_rax = -1UL; /* decided */
}

/* What was killed, by what, where: one line. */
static void report_death(const struct trap_frame *f, const struct uapi_siginfo *info)
{
    static const char *const names[] = {
        [SIGILL] = "SIGILL", [SIGTRAP] = "SIGTRAP", [SIGBUS] = "SIGBUS",
        [SIGFPE] = "SIGFPE", [SIGSEGV] = "SIGSEGV", [SIGSYS] = "SIGSYS"};
    struct task *task = task_current();
    if (info->code <= 0 || info->signo >= (int)ARRAY_SIZE(names) || !names[info->signo])
        return; /* somebody sent it: not a fault */
    log_warn("%s[%d]: killed by %s at address %#lx, rip %#lx, rsp %#lx", task->name, task->tid,
             names[info->signo], info->addr, f->rip, f->rsp);
}

static void stop_current(int signo)
{
    struct process *process = process_current();

    tasks_lock();
    atomic_store(&process->signals.stop_signal, signo);
    signal_child_changed(process, CLD_STOPPED, signo);
    tasks_unlock();
    while (atomic_load(&process->signals.stop_signal) && !READ_ONCE(process->exiting)) {
        WRITE_ONCE(task_current()->sched.state, TASK_STOPPED);
        if (atomic_load(&process->signals.stop_signal))
            schedule();
        WRITE_ONCE(task_current()->sched.state, TASK_RUNNABLE);
    }
}

static void default_action(const struct trap_frame *f, const struct uapi_siginfo *info)
{
    uint64_t bit = sigmask(info->signo);
    struct process *process = process_current();

    if (bit & IGNORED_SET)
        return;
    if (process->pid == 1 && info->code <= 0)
        return; /* process 1 gets only what it handles: kill(2) */
    if (bit & STOP_SET) {
        stop_current(info->signo);
        return;
    }
    report_death(f, info);
    task_exit(info->signo | (bit & CORE_SET && process->limits[RLIMIT_CORE].soft ? 0x80 : 0), true);
}

void signal_deliver(struct trap_frame *f)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct uapi_siginfo info;

    if (READ_ONCE(process->exiting))
        task_exit(process->status, false);
    if (atomic_load(&process->signals.stop_signal))
        stop_current(atomic_load(&process->signals.stop_signal));
    int signo = signal_dequeue(task, task->signals.blocked, &info);
    if (!signo) {
        restart_call(f, NULL);
        if (task->signals.restore_mask) {
            task->signals.restore_mask = false;
            task->signals.blocked = task->signals.saved_mask;
        }
        return;
    }

    irq_flags_t flags = spin_lock_irqsave(&process->signals.lock);
    struct uapi_sigaction *slot = &process->signals.action[signo - 1];
    struct uapi_sigaction action = *slot;
    if (action.handler != SIG_DFL && action.handler != SIG_IGN && (action.flags & SA_RESETHAND))
        slot->handler = SIG_DFL;
    spin_unlock_irqrestore(&process->signals.lock, flags);

    if (action.handler == SIG_IGN)
        return;
    if (action.handler == SIG_DFL) {
        default_action(f, &info);
        return;
    }
    restart_call(f, &action);
    uint64_t mask = task->signals.restore_mask ? task->signals.saved_mask : task->signals.blocked;
    task->signals.restore_mask = false;
    if (frame_build(f, &action, &info, mask)) {
        log_warn("%s[%d]: no room for a signal frame at %#lx", task->name, task->tid, f->rsp);
        task_exit(SIGSEGV, true);
    }
    task->signals.blocked |= action.mask & ~UNBLOCKABLE;
    if (!(action.flags & SA_NODEFER))
        task->signals.blocked |= sigmask(signo);
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
    f->orig_rax = -1UL; /* nothing to restart */
}

static int fpu_image_read(uint64_t at)
{
    uint8_t *image = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_ZERO);
    if (!image)
        return -ENOMEM;
    int err = is_aligned(at, 64) ? copy_from_user(image, user(at), fpu_size()) : -EFAULT;
    if (!err)
        err = fpu_restore_from(image);
    kmem_free(image);
    return err;
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
        struct uapi_siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};
        signal_force(&info);
        return -EFAULT;
    }
    task->signals.blocked = frame.uc.sigmask & ~UNBLOCKABLE;
    frame.uc.stack.flags &= SS_DISABLE;
    task->signals.alt_stack = frame.uc.stack;
    context_restore(f, &frame.uc.context);
    return f->rax;
}

int64_t sys_rt_sigaction(int signo, user_addr_t new, user_addr_t old, size_t set_size)
{
    struct signal_state *state = &process_current()->signals;
    struct uapi_sigaction action, before;

    if (set_size != sizeof(uint64_t) || signo < 1 || signo > SIGNALS)
        return -EINVAL;
    if (new.raw && (sigmask(signo) & UNBLOCKABLE))
        return -EINVAL;
    if (new.raw && copy_from_user(&action, new, sizeof(action)))
        return -EFAULT;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    before = state->action[signo - 1];
    if (new.raw) {
        action.mask &= ~UNBLOCKABLE;
        state->action[signo - 1] = action;
        if (ignored(state, signo))
            remove_pending(&state->shared, sigmask(signo));
    }
    spin_unlock_irqrestore(&state->lock, flags);
    return old.raw ? copy_to_user(old, &before, sizeof(before)) : 0;
}

int64_t sys_rt_sigprocmask(int how, user_addr_t new, user_addr_t old, size_t set_size)
{
    struct task *task = task_current();
    uint64_t before = task->signals.blocked, set;

    if (set_size != sizeof(set))
        return -EINVAL;
    if (new.raw) {
        if (copy_from_user(&set, new, sizeof(set)))
            return -EFAULT;
        set &= ~UNBLOCKABLE;
        if (how == SIG_BLOCK)
            task->signals.blocked |= set;
        else if (how == SIG_UNBLOCK)
            task->signals.blocked &= ~set;
        else if (how == SIG_SETMASK)
            task->signals.blocked = set;
        else
            return -EINVAL;
    }
    return old.raw ? copy_to_user(old, &before, sizeof(before)) : 0;
}

int64_t sys_rt_sigpending(user_addr_t set, size_t set_size)
{
    struct task *task = task_current();
    uint64_t pending =
        (task->signals.pending.mask | task->process->signals.shared.mask) & task->signals.blocked;
    return set_size > sizeof(pending) ? -EINVAL : copy_to_user(set, &pending, set_size);
}

int64_t sys_rt_sigsuspend(user_addr_t mask, size_t set_size)
{
    struct task *task = task_current();
    uint64_t set;

    if (set_size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    task->signals.saved_mask = task->signals.blocked;
    task->signals.restore_mask = true;
    task->signals.blocked = set & ~UNBLOCKABLE;
    while (!signal_pending_current()) {
        WRITE_ONCE(task->sched.state, TASK_WAITING);
        atomic_thread_fence(memory_order_seq_cst);
        if (!signal_pending_current())
            schedule();
        WRITE_ONCE(task->sched.state, TASK_RUNNABLE);
    }
    return -EINTR;
}

int64_t sys_sigaltstack(user_addr_t new, user_addr_t old)
{
    struct task *task = task_current();
    struct uapi_stack before = task->signals.alt_stack, stack;
    bool on = on_alt_stack(task, user_frame()->rsp);

    if (!(before.flags & SS_DISABLE) && on)
        before.flags |= SS_ONSTACK;
    if (new.raw) {
        if (copy_from_user(&stack, new, sizeof(stack)))
            return -EFAULT;
        if (on)
            return -EPERM;
        if (stack.flags & ~(SS_DISABLE | SS_ONSTACK))
            return -EINVAL;
        if (stack.flags & SS_DISABLE)
            stack = (struct uapi_stack){.flags = SS_DISABLE};
        else if (stack.size < MINSIGSTKSZ)
            return -ENOMEM;
        stack.flags &= SS_DISABLE;
        task->signals.alt_stack = stack;
    }
    return old.raw ? copy_to_user(old, &before, sizeof(before)) : 0;
}
