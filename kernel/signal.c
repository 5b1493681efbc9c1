/* SPDX-License-Identifier: MIT */
/*
 * kernel/signal.c - signals sent, pending, taken and acted upon
 *
 * Room:   kernel.
 * Owns:   struct queued_signal; who of a process takes its signals; stopping and continuing.
 * Locks:  see kernel/signal.h. Senders hold the tree lock (rank TASKS) around the signal lock.
 * Always: (1) while a signal is pending for a process, and one of its tasks lets it through, such a
 *             task is notified, or on its way to ring 3.
 * Source: signal(7), sigaction(2).
 * Tour:   after kernel/signal.h; then kernel/sigframe.c, kernel/sys_signal.c.
 */
#include "signal.h"
#include "poll.h"

#include "coredump.h"
#include "process.h"
#include "ptrace.h"
#include "syscall.h"
#include <base/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/syscall.h>

struct queued_signal {
    struct list_node node;
    struct uapi_siginfo info;
};

#define STOP_SET     (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define IGNORED_SET  (sigmask(SIGCHLD) | sigmask(SIGURG) | sigmask(SIGWINCH) | sigmask(SIGCONT))
#define REALTIME_MIN 32
#define CORE_SET                                                                                  \
    (sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) | sigmask(SIGBUS) | \
     sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGXCPU) | sigmask(SIGXFSZ) | sigmask(SIGSYS))

bool signals_are_polled;

void pending_init(struct pending *pending)
{
    pending->mask = 0;
    list_init(&pending->queue);
}

static unsigned remove_pending(struct pending *from, uint64_t set)
{
    struct queued_signal *q, *after;
    unsigned nr = 0;

    from->mask &= ~set;
    list_for_each_safe (q, after, &from->queue, node) {
        if (set & sigmask(q->info.signo)) {
            list_del(&q->node);
            kmem_free(q);
            nr++;
        }
    }
    return nr;
}

void pending_drop(struct pending *pending)
{
    remove_pending(pending, ~0UL);
}

void signals_init(struct signal_state *state)
{
    spin_lock_init(&state->lock, LOCK_RANK_SIGNAL);
    pending_init(&state->shared);
}

bool signal_is_ignored(const struct signal_state *state, int signo)
{
    uint64_t handler = state->action[signo - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(signo) & IGNORED_SET));
}

/* signal_state.lock held. */
static int queue_signal(struct process *process, struct pending *to,
                        const struct uapi_siginfo *info)
{
    struct signal_state *state = &process->signals;
    bool realtime = info->signo >= REALTIME_MIN;

    if (!realtime && (to->mask & sigmask(info->signo)))
        return 0; /* signal.h, claim 2 */
    bool room = state->nr_queued < process->limits[RLIMIT_SIGPENDING].soft;
    struct queued_signal *q = room ? kmem_alloc(sizeof(*q), 0) : NULL;
    if (!q && realtime && info->code != SI_USER)
        return -EAGAIN;
    if (q) {
        q->info = *info;
        list_add_tail(&q->node, &to->queue);
        state->nr_queued++;
    }
    to->mask |= sigmask(info->signo); /* even when its details are lost for want of memory */
    return 0;
}

void signal_drop_pending(struct process *process, uint64_t set)
{
    struct signal_state *state = &process->signals;
    struct task *task;

    state->nr_queued -= remove_pending(&state->shared, set);
    list_for_each_entry (task, &process->tasks, process_node)
        state->nr_queued -= remove_pending(&task->signals.pending, set);
}

static bool lets_through(const struct task *task, int signo)
{
    uint64_t bit = sigmask(signo);
    return !(task->signals.blocked & bit) || (task->signals.waiting_for & bit);
}

/* Make @task look at its signals soon, wherever it is. */
static void notify(struct task *task, unsigned states)
{
    WRITE_ONCE(task->signals.notified, true);
    task_wake(task, states);
    sched_kick_task(task);
}

/* Claim 1: one task that takes @signo; the first one if it will. */
static void notify_one(struct process *process, int signo)
{
    struct task *task;
    list_for_each_entry (task, &process->tasks, process_node) {
        if (lets_through(task, signo)) {
            notify(task, WAKE_SIGNAL);
            return;
        }
    }
}

static void notify_all(struct process *process, unsigned states)
{
    struct task *task;
    list_for_each_entry (task, &process->tasks, process_node)
        notify(task, states);
}

/* SIGCONT and the stop signals cancel each other at once. True: it was stopped and goes on. */
static bool stop_and_cont(struct process *process, int signo)
{
    struct signal_state *state = &process->signals;

    if (sigmask(signo) & STOP_SET) {
        signal_drop_pending(process, sigmask(SIGCONT));
        return false;
    }
    if (signo != SIGCONT && signo != SIGKILL)
        return false;
    state->stop_taken = false;
    if (signo == SIGCONT)
        signal_drop_pending(process, STOP_SET);
    bool was_stopped = atomic_exchange(&state->stop_signal, 0);
    if (was_stopped)
        notify_all(process, WAKE_STOPPED);
    if (!was_stopped || signo == SIGKILL)
        return false;
    bool told = process->stop_told;
    process->stop_told = process->stop_reported = false;
    process->continued = told;
    return told;
}

/* Process 1 of a namespace is immune to what it does not handle, but for SIGKILL and SIGSTOP from
 * outside. */
static bool is_immune(const struct process *process, const struct uapi_siginfo *info)
{
    const struct process *me = process_current();
    bool deadly = sigmask(info->signo) & (sigmask(SIGKILL) | sigmask(SIGSTOP));

    if (process == init_process || !pid_ns_is_init(process) ||
        process->signals.action[info->signo - 1].handler != SIG_DFL)
        return false;
    return !deadly || (info->code != SI_KERNEL && me && pid_ns_contains(process->ns, me->ns));
}

/* tasks_lock held. */
static int send(struct process *process, struct task *only, const struct uapi_siginfo *info)
{
    struct signal_state *state = &process->signals;
    int signo = info->signo, err = 0;

    if (list_empty(&process->tasks))
        return 0;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    bool continued = stop_and_cont(process, signo);
    const struct task *judge =
        only ? only : list_first_entry(&process->tasks, struct task, process_node);
    bool ignored = signal_is_ignored(state, signo) || is_immune(process, info);
    bool kept = !ignored || !lets_through(judge, signo) ||
                (judge->signals.blocked & sigmask(signo)) || ptrace_wants(judge, signo);
    if (kept) {
        err = queue_signal(process, only ? &only->signals.pending : &state->shared, info);
        if (signo == SIGKILL)
            notify_all(process, WAKE_SIGNAL | WAKE_STOPPED);
        else if (!only)
            notify_one(process, signo);
        else if (lets_through(only, signo))
            notify(only, WAKE_SIGNAL);
    }
    spin_unlock_irqrestore(&state->lock, flags);
    if (kept && READ_ONCE(signals_are_polled))
        poll_wake();
    if (continued)
        signal_child_changed(process, CLD_CONTINUED, SIGCONT);
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
    if (queue_signal(task->process, &task->signals.pending, info))
        task->signals.pending.mask |= bit;
    spin_unlock_irqrestore(&state->lock, flags);
    sched_add_exit_work(task);
}

void signal_force_segv(int signo)
{
    struct signal_state *state = &process_current()->signals;
    struct uapi_siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    if (signo == SIGSEGV)
        state->action[SIGSEGV - 1].handler = SIG_DFL;
    spin_unlock_irqrestore(&state->lock, flags);
    signal_force(&info);
}

/* Must the task do something about its process before it goes on? */
static bool process_wants(const struct task *task)
{
    return task_is_ended(task) || atomic_load(&task->process->signals.stop_signal);
}

static uint64_t own_ready(const struct task *task)
{
    return READ_ONCE(task->signals.pending.mask) & ~task->signals.blocked;
}

static uint64_t shared_ready(const struct task *task)
{
    return READ_ONCE(task->process->signals.shared.mask) & ~task->signals.blocked;
}

bool signal_pending_current(void)
{
    struct task *task = task_current();
    if (!task->process)
        return false;
    return own_ready(task) || (READ_ONCE(task->signals.notified) && shared_ready(task)) ||
           process_wants(task);
}

bool signal_fatal_current(void)
{
    struct task *task = task_current();
    uint64_t ready = own_ready(task) | shared_ready(task);
    bool fatal = task_is_ended(task) || (ready & sigmask(SIGKILL));

    ready &= task->trace.tracer ? 0 : ~(STOP_SET | IGNORED_SET | CORE_SET);
    for (; !fatal && ready; ready &= ready - 1)
        fatal = task->process->signals.action[__builtin_ctzl(ready)].handler == SIG_DFL;
    return fatal;
}

bool signal_work_current(void)
{
    struct task *task = task_current();
    return own_ready(task) || shared_ready(task) || process_wants(task);
}

/* What is pending for the process, and @leaver does not take any more, is another's. */
static void retarget(const struct task *leaver, uint64_t set)
{
    struct process *process = leaver->process;
    uint64_t ready = process->signals.shared.mask & set;
    struct task *task;

    list_for_each_entry (task, &process->tasks, process_node) {
        if (!ready)
            return;
        if (task == leaver || !(ready & ~task->signals.blocked))
            continue;
        ready &= task->signals.blocked;
        notify(task, WAKE_SIGNAL);
    }
}

void signal_set_blocked(uint64_t blocked)
{
    struct task *task = task_current();
    struct signal_state *state = &task->process->signals;
    bool alone = READ_ONCE(task->process->nr_tasks) == 1;

    blocked &= ~UNBLOCKABLE;
    uint64_t added = blocked & ~task->signals.blocked, removed = task->signals.blocked & ~blocked;
    if (alone || !(READ_ONCE(state->shared.mask) & added)) {
        task->signals.blocked = blocked;
    } else {
        tasks_lock();
        irq_flags_t flags = spin_lock_irqsave(&state->lock);
        task->signals.blocked = blocked;
        retarget(task, added);
        spin_unlock_irqrestore(&state->lock, flags);
        tasks_unlock();
    }
    if (!removed)
        return; /* what waits has been waiting before, or waits for this task no more */
    WRITE_ONCE(task->signals.notified, true);
    sched_add_exit_work(task);
}

void signal_mask_begin(uint64_t blocked)
{
    struct task_signals *signals = &task_current()->signals;
    signals->saved_mask = signals->blocked;
    signal_set_blocked(blocked);
}

void signal_mask_end(bool interrupted)
{
    struct task_signals *signals = &task_current()->signals;
    if (!interrupted) {
        signal_set_blocked(signals->saved_mask);
        return;
    }
    signals->restore_mask = true; /* once the handler's frame has it */
    sched_add_exit_work(task_current());
}

void signal_task_exits(struct task *task)
{
    struct signal_state *state = &task->process->signals;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    state->nr_queued -= remove_pending(&task->signals.pending, ~0UL);
    retarget(task, ~task->signals.blocked);
    spin_unlock_irqrestore(&state->lock, flags);
}

/* Taking */

static struct queued_signal *find_queued(const struct pending *from, int signo,
                                         const struct queued_signal *after)
{
    struct queued_signal *q;
    bool started = !after;
    list_for_each_entry (q, &from->queue, node) {
        if (started && q->info.signo == signo)
            return q;
        started |= q == after;
    }
    return NULL;
}

/* Take the most urgent deliverable signal out; 0: none. signal_state.lock held. */
static int dequeue_from(struct process *process, struct pending *from, uint64_t blocked,
                        struct uapi_siginfo *info)
{
    uint64_t ready = from->mask & ~blocked;

    if (!ready)
        return 0;
    /* Signals of faults first: their handler must see the state that caused them. */
    uint64_t faults = ready & (sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) |
                               sigmask(SIGTRAP) | sigmask(SIGFPE) | sigmask(SIGSYS));
    int signo = __builtin_ctzl(faults ? faults : ready) + 1;
    struct queued_signal *q = find_queued(from, signo, NULL);
    *info = q ? q->info : (struct uapi_siginfo){.signo = signo};
    if ((!q || !find_queued(from, signo, q)) && signo != SIGKILL) /* who dies is seen to die */
        from->mask &= ~sigmask(signo);
    if (q) {
        list_del(&q->node);
        kmem_free(q);
        process->signals.nr_queued--;
    }
    if (sigmask(signo) & STOP_SET)
        process->signals.stop_taken = true;
    timers_signal_taken(process, info);
    return signo;
}

int signal_dequeue(struct task *task, uint64_t blocked, struct uapi_siginfo *info)
{
    struct process *process = task->process;
    irq_flags_t flags = spin_lock_irqsave(&process->signals.lock);
    uint64_t pending = task->signals.pending.mask | process->signals.shared.mask;
    if (pending & ~blocked & sigmask(SIGKILL))
        blocked = ~sigmask(SIGKILL); /* whatever else happens to the dying does not matter */
    int signo = dequeue_from(process, &task->signals.pending, blocked, info);
    if (!signo)
        signo = dequeue_from(process, &process->signals.shared, blocked, info);
    spin_unlock_irqrestore(&process->signals.lock, flags);
    return signo;
}

void signals_clear_handlers(struct signal_state *state)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        uint64_t handler = state->action[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;
        state->action[i] = (struct uapi_sigaction){.handler = handler};
    }
}

void signals_exec(struct process *process)
{
    struct signal_state *state = &process->signals;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    signals_clear_handlers(state);
    spin_unlock_irqrestore(&state->lock, flags);
    task_current()->signals.alt_stack = (struct uapi_stack){.flags = SS_DISABLE};
}

/* Acting */

/* A system call that a signal interrupted: again, or EINTR? */
static void restart_call(struct trap_frame *f, const struct uapi_sigaction *action)
{
    if ((int64_t)f->orig_rax < 0)
        return;
    int64_t result = f->rax;
    bool by_block = result == -ERESTART_RESTARTBLOCK && !action;
    bool again = result == -ERESTARTNOINTR || by_block || (result == -ERESTARTNOHAND && !action) ||
                 (result == -ERESTARTSYS && (!action || (action->flags & SA_RESTART)));
    if (again) {
        f->rax = by_block ? SYS_restart_syscall : f->orig_rax;
        f->rip -= 2; /* the length of SYSCALL */
    } else if (signal_is_restart(result)) {
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

void signal_check_stopped(struct process *process)
{
    uint32_t signo = atomic_load(&process->signals.stop_signal);
    if (!signo || process->stop_told || !process->nr_tasks ||
        process->nr_stopped < process->nr_tasks)
        return;
    process->stop_told = true;
    process->stop_reported = process->continued = false;
    signal_child_changed(process, CLD_STOPPED, signo);
}

/* Is the process stopped still? Then this task is about to wait for the end of that. */
static bool stays_stopped(struct task *task)
{
    struct process *process = task->process;

    tasks_lock();
    bool stays = atomic_load(&process->signals.stop_signal) && !task_is_ended(task);
    if (stays != task->signals.stopped)
        process->nr_stopped += stays ? 1 : -1;
    task->signals.stopped = stays;
    if (stays) {
        WRITE_ONCE(task->sched.state, TASK_STOPPED);
        signal_check_stopped(process);
    }
    tasks_unlock();
    return stays;
}

static void stop_current(void)
{
    while (stays_stopped(task_current()))
        schedule();
}

/* All tasks of the process stop; SIGCONT or SIGKILL that came meanwhile win. */
static void stop_process(int signo)
{
    struct process *process = process_current();

    tasks_lock();
    irq_flags_t flags = spin_lock_irqsave(&process->signals.lock);
    bool job_control = signo != SIGSTOP;
    bool outdone =
        !process->signals.stop_taken || (job_control && group_is_orphaned(process->pgid));
    if (!outdone) {
        process->stop_told = process->stop_reported = false;
        atomic_store(&process->signals.stop_signal, signo);
        notify_all(process, WAKE_SIGNAL);
    }
    spin_unlock_irqrestore(&process->signals.lock, flags);
    tasks_unlock();
}

static void default_action(const struct trap_frame *f, const struct uapi_siginfo *info)
{
    uint64_t bit = sigmask(info->signo);
    struct process *process = process_current();

    if (bit & IGNORED_SET)
        return;
    bool from_above = process != init_process && (bit & (sigmask(SIGKILL) | sigmask(SIGSTOP)));
    if (pid_ns_is_init(process) && info->code <= 0 && !from_above)
        return; /* process 1 gets only what it handles: kill(2) */
    if (bit & STOP_SET) {
        stop_process(info->signo);
        return;
    }
    report_death(f, info);
    bool dumped = (bit & CORE_SET) && coredump_write(f, info);
    task_exit(info->signo | (dumped ? 0x80 : 0), true);
}

/* What the program wants to happen on @signo, once. */
static struct uapi_sigaction action_take(int signo)
{
    struct signal_state *state = &process_current()->signals;
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    struct uapi_sigaction *slot = &state->action[signo - 1], action = *slot;
    if (action.handler != SIG_DFL && action.handler != SIG_IGN && (action.flags & SA_RESETHAND))
        slot->handler = SIG_DFL;
    spin_unlock_irqrestore(&state->lock, flags);
    return action;
}

static void handle(struct trap_frame *f, const struct uapi_sigaction *action,
                   const struct uapi_siginfo *info)
{
    struct task *task = task_current();

    restart_call(f, action);
    uint64_t mask = task->signals.restore_mask ? task->signals.saved_mask : task->signals.blocked;
    if (task->rseq.address)
        rseq_update(f);
    if (sigframe_build(f, action, info, mask)) {
        log_warn("%s[%d]: no room for a signal frame at %#lx", task->name, task->tid, f->rsp);
        signal_force_segv(info->signo);
        return;
    }
    task->signals.restore_mask = false;
    uint64_t self = action->flags & SA_NODEFER ? 0 : sigmask(info->signo);
    signal_set_blocked(task->signals.blocked | action->mask | self);
}

/* Nothing was pending after all. */
static void no_signal(struct trap_frame *f)
{
    struct task *task = task_current();

    task->signals.notified = false;
    restart_call(f, NULL);
    if (task->signals.restore_mask) {
        task->signals.restore_mask = false;
        signal_set_blocked(task->signals.saved_mask);
    }
}

void signal_deliver(struct trap_frame *f)
{
    struct task *task = task_current();
    struct process *process = task->process;
    struct uapi_siginfo info;

    if (READ_ONCE(process->exiting))
        task_exit(process->status, false);
    if (task_is_ended(task))
        task_exit(0, false); /* another task's execve */
    if (atomic_load(&process->signals.stop_signal))
        stop_current();
    int signo = signal_dequeue(task, task->signals.blocked, &info);
    if (signo && task->trace.tracer && signo != SIGKILL)
        signo = ptrace_signal(f, &info);
    if (!signo) {
        if (!signal_work_current())
            no_signal(f);
        return;
    }
    struct uapi_sigaction action = action_take(signo);
    if (action.handler == SIG_DFL)
        default_action(f, &info);
    else if (action.handler != SIG_IGN)
        handle(f, &action, &info);
}
