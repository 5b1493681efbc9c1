/* SPDX-License-Identifier: MIT */
/*
 * kernel/ptrace.c - one process watches and steers the tasks of another
 *
 * Room:   kernel.
 * Owns:   the stops of tracees, and what a tracer may do during one.
 * Locks:  the tree lock (rank TASKS); a stopped tracee's registers are the tracer's.
 * Always: (1) SIGKILL ends every stop; (2) what a tracer writes into registers leaves ring 3 as
 *         safe as before: segments stay, and of RFLAGS only what a program could set itself.
 * Source: ptrace(2).
 * Tour:   after kernel/wait.c, mm/access.c.
 */
#include "ptrace.h"

#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>
#include <uapi/ptrace.h>

#define RFLAGS_TRAP     0x100UL
#define RFLAGS_USER     0x40dd5UL /* CF PF AF ZF SF TF DF OF AC */
#define SYSCALL_MARK    0x80      /* in the stop's code: PTRACE_O_TRACESYSGOOD */
#define OPTIONS_KNOWN   (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)
#define USER_AREA_BYTES 912 /* struct user */

bool ptrace_wants(const struct task *task, int signo)
{
    return task->trace.tracer && signo != SIGKILL;
}

/* Stopping: the tracee's side */

static void tell_tracer(const struct task *task)
{
    struct uapi_siginfo info = {.signo = SIGCHLD,
                                .code = CLD_TRAPPED,
                                .pid = task->tid,
                                .status = task->trace.stop_code & 0x7f};
    struct process *tracer = task->trace.tracer;
    if (!(tracer->signals.action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
        signal_send_process(tracer, &info);
    wake_all(&tracer->child_exit);
}

static bool is_killed(const struct task *task)
{
    uint64_t pending =
        READ_ONCE(task->signals.pending.mask) | READ_ONCE(task->process->signals.shared.mask);
    return task_is_ended(task) || (pending & sigmask(SIGKILL));
}

/* Claim 1. tasks_lock held: true, and the task is about to sleep, while the stop lasts. */
static bool stop_lasts(struct task *task)
{
    bool lasts = task->trace.stop_code && task->trace.tracer && !is_killed(task);
    if (lasts)
        WRITE_ONCE(task->sched.state, TASK_STOPPED);
    else
        task->trace.stop_code = 0;
    return lasts;
}

/* Stop with @code until the tracer lets go: the signal that it goes on with. */
static int stop(int code, const struct uapi_siginfo *info)
{
    struct task *task = task_current();
    struct trace *trace = &task->trace;

    tasks_lock();
    trace->stop_code = code;
    trace->reported = false;
    trace->info = *info;
    trace->deliver = 0;
    bool lasts = stop_lasts(task);
    if (lasts)
        tell_tracer(task);
    else
        trace->deliver = code & 0x7f;
    tasks_unlock();
    while (lasts) {
        schedule();
        tasks_lock();
        lasts = stop_lasts(task);
        tasks_unlock();
    }
    return trace->deliver;
}

int ptrace_signal(struct trap_frame *frame, struct uapi_siginfo *info)
{
    struct task *task = task_current();
    int signo = stop(info->signo, info);

    (void)frame;
    if (!signo)
        return 0;
    if (signo == task->trace.info.signo)
        *info = task->trace.info;
    else
        *info = (struct uapi_siginfo){.signo = signo, .code = SI_USER};
    if (!(task->signals.blocked & sigmask(signo)))
        return signo;
    tasks_lock();
    int err = signal_send_task(task, info); /* it waits like any blocked signal */
    tasks_unlock();
    return err ? signo : 0;
}

void ptrace_syscall(struct trap_frame *frame)
{
    struct task *task = task_current();
    struct uapi_siginfo info = {.signo = SIGTRAP, .code = SIGTRAP, .pid = task->tid};
    bool marked = task->trace.options & PTRACE_O_TRACESYSGOOD;

    (void)frame;
    info.code |= marked ? SYSCALL_MARK : 0;
    int signo = stop(SIGTRAP | (marked ? SYSCALL_MARK : 0), &info);
    if (!signo)
        return;
    info = (struct uapi_siginfo){.signo = signo, .code = SI_USER};
    tasks_lock();
    if (signal_send_task(task, &info))
        task->trace.deliver = 0;
    tasks_unlock();
}

void ptrace_exec(void)
{
    struct task *task = task_current();
    struct uapi_siginfo info = {.signo = SIGTRAP, .code = SI_USER, .pid = task->process->pid};

    tasks_lock();
    if (task->trace.tracer && signal_send_task(task, &info))
        task->trace.reported = true;
    tasks_unlock();
}

/* Beginning and end */

static void link_tracer(struct task *task, struct process *tracer)
{
    task->trace = (struct trace){.tracer = tracer};
    list_init(&task->trace.node);
    list_add_tail(&task->trace.node, &tracer->tracees);
}

/* tasks_lock held. */
static void let_go(struct task *task)
{
    list_del(&task->trace.node);
    task->trace.tracer = NULL;
    task->trace.stop_code = 0;
    atomic_store(&task->context.calls_traced, false);
    context_frame(&task->context)->rflags &= ~RFLAGS_TRAP;
    task_wake(task, WAKE_STOPPED);
}

void ptrace_exit(struct task *task)
{
    struct process *process = task->process;
    struct uapi_siginfo kill = {.signo = SIGKILL, .code = SI_KERNEL};

    if (task->trace.tracer)
        let_go(task);
    while (process->nr_tasks == 1 && !list_empty(&process->tracees)) {
        struct task *tracee = list_first_entry(&process->tracees, struct task, trace.node);
        bool dies = tracee->trace.options & PTRACE_O_EXITKILL;
        let_go(tracee);
        if (dies)
            signal_send_process(tracee->process, &kill);
    }
}

static int64_t trace_me(void)
{
    struct task *task = task_current();
    int64_t err = -EPERM;

    tasks_lock();
    if (!task->trace.tracer) {
        link_tracer(task, task->process->parent);
        err = 0;
    }
    tasks_unlock();
    return err;
}

static int64_t attach(int tid)
{
    struct uapi_siginfo info = {.signo = SIGSTOP, .code = SI_KERNEL};
    int64_t err = 0;

    tasks_lock();
    struct task *task = task_named(tid);
    if (!task || !task->process)
        err = -ESRCH;
    else if (task->process == process_current() || task->trace.tracer ||
             !cred_may_access(task, ACCESS_AS_REAL))
        err = -EPERM;
    if (!err) {
        link_tracer(task, process_current());
        err = signal_send_task(task, &info);
        task_wake(task, WAKE_STOPPED); /* from a stop of its group to ours */
    }
    tasks_unlock();
    return err;
}

/* During a stop: the tracer's side */

struct task *ptrace_stopped(int tid)
{
    struct task *task = task_named(tid);
    if (!task || task->trace.tracer != process_current() || !task->trace.stop_code)
        return NULL;
    while (atomic_load(&task->sched.on_cpu))
        cpu_relax();
    return task;
}

/* Claim 2. */
int ptrace_registers_set(struct task *task, const struct uapi_user_regs *r)
{
    struct trap_frame *f = context_frame(&task->context);

    if (r->rip >= USER_END || r->fs_base >= USER_END || r->gs_base >= USER_END)
        return -EIO;
    f->r15 = r->r15, f->r14 = r->r14, f->r13 = r->r13, f->r12 = r->r12, f->rbp = r->rbp;
    f->rbx = r->rbx, f->r11 = r->r11, f->r10 = r->r10, f->r9 = r->r9, f->r8 = r->r8;
    f->rax = r->rax, f->rcx = r->rcx, f->rdx = r->rdx, f->rsi = r->rsi, f->rdi = r->rdi;
    f->orig_rax = r->orig_rax, f->rip = r->rip, f->rsp = r->rsp;
    f->rflags = (f->rflags & ~RFLAGS_USER) | (r->rflags & RFLAGS_USER);
    task->context.fs_base = r->fs_base;
    task->context.gs_base = r->gs_base;
    return 0;
}

/* Let it run: @signo is delivered. tasks_lock held. */
static int64_t resume(struct task *task, int request, uint64_t signo)
{
    struct trap_frame *frame = context_frame(&task->context);

    if (signo > SIGNALS)
        return -EIO;
    if (request == PTRACE_SINGLESTEP)
        frame->rflags |= RFLAGS_TRAP;
    else
        frame->rflags &= ~RFLAGS_TRAP;
    atomic_store(&task->context.calls_traced, request == PTRACE_SYSCALL);
    task->trace.deliver = signo;
    if (request == PTRACE_DETACH) {
        let_go(task);
    } else {
        task->trace.stop_code = 0;
        task_wake(task, WAKE_STOPPED);
    }
    return 0;
}

/* What of @task a request reads or writes, one buffer for all kinds. */
union transfer {
    struct uapi_user_regs registers;
    struct uapi_siginfo info;
    uint8_t fpu[FXSAVE_BYTES];
};

static size_t transfer_size(int request)
{
    switch (request) {
    case PTRACE_GETREGS:
    case PTRACE_SETREGS:
        return sizeof(struct uapi_user_regs);
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        return FXSAVE_BYTES;
    default:
        return sizeof(struct uapi_siginfo);
    }
}

/* tasks_lock held; @t is filled or used. */
static int64_t transfer(struct task *task, int request, union transfer *t)
{
    switch (request) {
    case PTRACE_GETREGS:
        context_registers_get(&task->context, &t->registers);
        return 0;
    case PTRACE_SETREGS:
        return ptrace_registers_set(task, &t->registers);
    case PTRACE_GETFPREGS:
        context_fpu_legacy_get(&task->context, t->fpu);
        return 0;
    case PTRACE_SETFPREGS:
        return context_fpu_legacy_set(&task->context, t->fpu);
    case PTRACE_GETSIGINFO:
        t->info = task->trace.info;
        return 0;
    default:
        task->trace.info = t->info;
        return 0;
    }
}

static bool is_transfer(int request)
{
    return (request >= PTRACE_GETREGS && request <= PTRACE_SETFPREGS) ||
           request == PTRACE_GETSIGINFO || request == PTRACE_SETSIGINFO;
}

static int64_t do_transfer(int tid, int request, uint64_t data)
{
    bool writes =
        request == PTRACE_SETREGS || request == PTRACE_SETFPREGS || request == PTRACE_SETSIGINFO;
    size_t size = transfer_size(request);
    union transfer t;

    if (writes && copy_from_user(&t, user(data), size))
        return -EFAULT;
    tasks_lock();
    struct task *task = ptrace_stopped(tid);
    int64_t err = task ? transfer(task, request, &t) : -ESRCH;
    tasks_unlock();
    return err || writes ? err : copy_to_user(user(data), &t, size);
}

/* The memory of a stopped tracee, with a reference; NULL: it is none. */
static struct mm *tracee_memory(int tid)
{
    tasks_lock();
    struct task *task = ptrace_stopped(tid);
    struct mm *mm = task ? task->mm : NULL;
    if (mm)
        mm_get(mm);
    tasks_unlock();
    return mm;
}

/* A word of the tracee's memory: breakpoints go into text, so rights do not count. */
static int64_t peek_or_poke(int tid, int request, uint64_t addr, uint64_t data)
{
    bool poke = request == PTRACE_POKETEXT || request == PTRACE_POKEDATA;
    uint64_t word = data;

    struct mm *mm = tracee_memory(tid);
    if (!mm)
        return -ESRCH;
    int64_t n = mm_access(mm, addr, &word, sizeof(word), poke ? ACCESS_WRITE : ACCESS_READ, true);
    mm_put(mm);
    if (n != sizeof(word))
        return -EIO;
    return poke ? 0 : copy_to_user(user(data), &word, sizeof(word));
}

/* A word of struct user: the registers; there are no debug registers, they read as 0. */
static int64_t peek_user(int tid, uint64_t offset, uint64_t data)
{
    struct uapi_user_regs registers;
    uint64_t word = 0;

    if (!is_aligned(offset, sizeof(word)) || offset >= USER_AREA_BYTES)
        return -EIO;
    tasks_lock();
    struct task *task = ptrace_stopped(tid);
    if (task)
        context_registers_get(&task->context, &registers);
    tasks_unlock();
    if (!task)
        return -ESRCH;
    if (offset < sizeof(registers))
        word = ((const uint64_t *)&registers)[offset / sizeof(word)];
    return copy_to_user(user(data), &word, sizeof(word));
}

static int64_t control(int tid, int request, uint64_t data)
{
    struct uapi_siginfo kill = {.signo = SIGKILL, .code = SI_USER};
    int64_t err = -EIO;

    tasks_lock();
    struct task *task = ptrace_stopped(tid);
    if (!task)
        err = -ESRCH;
    else if (request == PTRACE_KILL)
        err = signal_send_process(task->process, &kill);
    else if (request == PTRACE_SETOPTIONS && (data & ~(uint64_t)OPTIONS_KNOWN))
        err = -EINVAL;
    else if (request == PTRACE_SETOPTIONS)
        err = 0, task->trace.options = data;
    else if (request == PTRACE_CONT || request == PTRACE_SINGLESTEP || request == PTRACE_SYSCALL ||
             request == PTRACE_DETACH)
        err = resume(task, request, data);
    tasks_unlock();
    return err;
}

int64_t sys_ptrace(int64_t request, int tid, uint64_t addr, uint64_t data)
{
    switch (request) {
    case PTRACE_TRACEME:
        return trace_me();
    case PTRACE_ATTACH:
        return attach(tid);
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        return peek_or_poke(tid, request, addr, data);
    case PTRACE_PEEKUSER:
        return peek_user(tid, addr, data);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        return ptrace_regset(tid, request == PTRACE_SETREGSET, addr, user(data));
    default:
        return is_transfer(request) ? do_transfer(tid, request, data) : control(tid, request, data);
    }
}
