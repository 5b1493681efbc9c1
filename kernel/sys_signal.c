/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_signal.c - the calls with which a program arranges its signals
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  the tree lock (rank TASKS) and the signal lock where others' signals are touched.
 * Always: (1) SIGKILL and SIGSTOP stay unblocked and unhandled, whatever a program asks for.
 * Source: sigaction(2), sigprocmask(2), sigsuspend(2), sigwaitinfo(2), sigaltstack(2).
 * Tour:   after kernel/signal.c.
 */
#include "clock.h"
#include "syscall.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <uapi/errno.h>

#define SA_KNOWN                                                                               \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | \
     SA_RESTART | SA_NODEFER | SA_RESETHAND)

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
    tasks_lock();
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    before = state->action[signo - 1];
    if (new.raw) {
        action.mask &= ~UNBLOCKABLE;
        action.flags &= SA_KNOWN;
        state->action[signo - 1] = action;
        if (signal_is_ignored(state, signo))
            signal_drop_pending(process_current(), sigmask(signo));
    }
    spin_unlock_irqrestore(&state->lock, flags);
    tasks_unlock();
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
        if (how == SIG_BLOCK)
            signal_set_blocked(before | (set & ~UNBLOCKABLE));
        else if (how == SIG_UNBLOCK)
            signal_set_blocked(before & ~set);
        else if (how == SIG_SETMASK)
            signal_set_blocked(set);
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

/* Until a signal comes. */
static void wait_for_signal(void)
{
    struct task *task = task_current();

    while (!signal_pending_current()) {
        WRITE_ONCE(task->sched.state, TASK_WAITING);
        atomic_thread_fence(memory_order_seq_cst);
        if (!signal_pending_current())
            schedule();
        WRITE_ONCE(task->sched.state, TASK_RUNNABLE);
    }
}

int64_t sys_pause(void)
{
    wait_for_signal();
    return -ERESTARTNOHAND;
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
    signal_set_blocked(set);
    wait_for_signal();
    return -ERESTARTNOHAND;
}

int signal_wait(uint64_t set, uint64_t end_ns, struct uapi_siginfo *info)
{
    struct task *task = task_current();
    int signo = 0;

    task->signals.waiting_for = set; /* senders notify us although it is blocked */
    atomic_thread_fence(memory_order_seq_cst);
    for (;;) {
        signo = signal_dequeue(task, ~set, info);
        if (!signo && signal_pending_current())
            signo = -EINTR;
        uint64_t now = clock_ns();
        if (!signo && now >= end_ns)
            signo = -EAGAIN;
        if (signo)
            break;
        sched_sleep_for_signal(set, end_ns - now);
    }
    task->signals.waiting_for = 0;
    return signo;
}

int64_t sys_rt_sigtimedwait(user_addr_t uset, user_addr_t info_out, user_addr_t timeout,
                            size_t set_size)
{
    struct uapi_siginfo info;
    uint64_t set, ns = INT64_MAX;

    if (set_size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, uset, sizeof(set)))
        return -EFAULT;
    int err = timeout.raw ? timespec_read(timeout, &ns) : 0;
    if (err)
        return err;
    int signo = signal_wait(set & ~UNBLOCKABLE, clock_ns() + ns, &info);
    if (signo > 0 && info_out.raw && copy_to_user(info_out, &info, sizeof(info)))
        return -EFAULT;
    return signo;
}

static int alt_stack_check(struct uapi_stack *stack)
{
    uint32_t mode = stack->flags & ~SS_AUTODISARM;

    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
        return -EINVAL;
    if (mode == SS_DISABLE)
        stack->sp = stack->size = 0;
    else if (stack->size < MINSIGSTKSZ)
        return -ENOMEM;
    stack->flags &= SS_DISABLE | (int32_t)SS_AUTODISARM;
    return 0;
}

int64_t sys_sigaltstack(user_addr_t new, user_addr_t old)
{
    struct task *task = task_current();
    struct uapi_stack before = task->signals.alt_stack, stack;
    bool on = signal_on_alt_stack(task, user_frame()->rsp);

    before.flags |= on ? SS_ONSTACK : 0;
    if (new.raw) {
        if (copy_from_user(&stack, new, sizeof(stack)))
            return -EFAULT;
        int err = on ? -EPERM : alt_stack_check(&stack);
        if (err)
            return err;
        task->signals.alt_stack = stack;
    }
    return old.raw ? copy_to_user(old, &before, sizeof(before)) : 0;
}
