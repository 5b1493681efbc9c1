/* SPDX-License-Identifier: MIT */
/*
 * kernel/clone.c - a new task, in this process or in one of its own: clone, clone3, fork, vfork
 *
 * Room:   kernel.
 * Owns:   what a child gets from its parent.
 * Locks:  the tree lock (rank TASKS) when the child joins the tree.
 * Always: (1) until it joins the tree nobody can find the child, and everything can be undone.
 * Source: clone(2), vfork(2).
 * Tour:   after kernel/process.c; then kernel/exit.c.
 */
#include "fs.h"
#include "pidfd.h"
#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <base/log.h>
#include <lib/string.h>
#include <uapi/errno.h>
#include <uapi/sched.h>
#include <upcalls.h>

/* Where a cloned task begins: as if its own system call had returned 0. */
static void cloned_task_start(void *arg)
{
    struct task *task = arg;
    struct trap_frame *frame = context_frame(&task->context);

    sched_finish_switch();
    irq_enable();
    if (task->set_child_tid) {
        int tid = pid_here(task->tid);
        if (copy_to_user(user(task->set_child_tid), &tid, sizeof(tid)))
            log_debug("clone: the child's tid could not be stored");
    }
    upcall_exit(frame);
    return_to_user(frame);
}

struct clone_args {
    uint64_t flags, stack, tls, parent_tid, child_tid;
    uint64_t pidfd; /* where the descriptor is told */
    int exit_signal;
};

#define CLONE_KNOWN                                                                           \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |        \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_SYSVSEM |        \
     CLONE_VFORK | CLONE_DETACHED | CLONE_IO | CLONE_PARENT | CLONE_UNTRACED | CLONE_PTRACE | \
     CLONE_CLEAR_SIGHAND | CLONE_NEWPID | CLONE_PIDFD)

static int check_flags(uint64_t flags)
{
    if (flags & ~(uint64_t)CLONE_KNOWN)
        return -EINVAL;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
        return -EINVAL; /* a descriptor stands for a whole process */
    if ((flags & CLONE_PARENT) && pid_ns_is_init(process_current()))
        return -EINVAL; /* nobody would wait for it */
    bool elsewhere = task_current()->ns_for_children != process_current()->ns;
    if (elsewhere && (flags & (CLONE_THREAD | CLONE_NEWPID)))
        return -EINVAL;
    if ((flags & CLONE_THREAD) && (flags & CLONE_NEWPID))
        return -EINVAL;
    return (flags & CLONE_NEWPID) && !capable(CAP_SYS_ADMIN) ? -EPERM : 0;
}

/* Has the user as many tasks as it may? Others than root are counted when it matters. */
static bool user_has_room(void)
{
    const struct cred *me = cred_current();
    uint64_t most = process_current()->limits[RLIMIT_NPROC].soft, nr = 0;
    struct process *p;

    if (!me->user.real || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
        return true;
    tasks_lock();
    for_each_process(p)
    {
        const struct task *task = process_living_task(p);
        if (task && task->cred->user.real == me->user.real)
            nr += p->nr_tasks;
    }
    tasks_unlock();
    return nr < most;
}

/* Where a child is born, with a reference. */
static int namespace_copy(uint64_t flags, struct pid_ns **out)
{
    struct pid_ns *ns = task_current()->ns_for_children;

    if (flags & CLONE_NEWPID)
        return pid_ns_create(ns, out);
    pid_ns_get(ns);
    *out = ns;
    return 0;
}

/* A child process like this one, without its task. */
static int process_copy(uint64_t flags, struct process **out)
{
    struct process *me = process_current(), *p = process_alloc();
    if (!p)
        return -ENOMEM;
    int err = namespace_copy(flags, &p->ns);
    if (err) {
        process_put(p);
        return err;
    }
    memcpy(p->limits, me->limits, sizeof(p->limits));
    memcpy(p->signals.action, me->signals.action, sizeof(p->signals.action));
    if (flags & CLONE_CLEAR_SIGHAND)
        signals_clear_handlers(&p->signals);
    p->membarrier = me->membarrier;
    p->personality = me->personality;
    p->oom_adj = me->oom_adj;
    p->no_dump = me->no_dump;
    p->umask = me->umask;
    process_copy_places(p, me);
    *out = p;
    return 0;
}

static int task_copy(const struct clone_args *a, struct task **out)
{
    struct task *me = task_current(), *task = task_alloc();
    if (!task)
        return -ENOMEM;

    int err = context_init_user(&task->context, cloned_task_start, task);
    if (err)
        goto free_task;
    if (a->flags & CLONE_FILES) {
        task->files = me->files;
        files_get(task->files);
    } else {
        err = files_copy(me->files, &task->files);
        if (err)
            goto free_context;
    }
    if (a->flags & CLONE_VM) {
        task->mm = me->mm;
        mm_get(task->mm);
        if (a->flags & CLONE_THREAD)
            mm_begin_threads(task->mm);
    } else {
        err = mm_fork(me->mm, &task->mm);
        if (err)
            goto free_files;
    }
    context_copy_user_state(&task->context);
    struct trap_frame *frame = context_frame(&task->context);
    *frame = *context_frame(&me->context);
    frame->rax = 0;
    if (a->stack)
        frame->rsp = a->stack;
    if (a->flags & CLONE_SETTLS)
        task->context.fs_base = a->tls;
    memcpy(task->name, me->name, sizeof(task->name));
    cred_put(task->cred);
    task->cred = cred_get(me->cred);
    task->sched.affinity = me->sched.affinity;
    task->mempolicy = me->mempolicy;
    if (!(a->flags & CLONE_VM))
        task->rseq = me->rseq;
    task->signals.blocked = me->signals.blocked;
    if (!(a->flags & CLONE_VM) || (a->flags & CLONE_VFORK))
        task->signals.alt_stack = me->signals.alt_stack;
    task->clear_child_tid = a->flags & CLONE_CHILD_CLEARTID ? a->child_tid : 0;
    task->set_child_tid = a->flags & CLONE_CHILD_SETTID ? a->child_tid : 0;
    *out = task;
    return 0;

free_files:
    files_put(task->files);
free_context:
    context_destroy(&task->context);
free_task:
    task_dealloc(task);
    return err;
}

/* Into the tree, where others can see it; *@told: what the parent calls it. Not when this process
 * is being ended, or has to take a signal first: a group that forks must not outrun its killer. */
static int adopt(struct task *task, struct process *process, const struct clone_args *a, int *told)
{
    struct process *me = process_current();

    tasks_lock();
    if (signal_work_current() || !tids_are_left()) {
        tasks_unlock();
        return tids_are_left() ? -ERESTARTNOINTR : -EAGAIN;
    }
    task->tid = tid_new();
    int err = pid_ns_name(process->ns, task->tid);
    if (err) {
        tasks_unlock();
        return err;
    }
    *told = pid_in(me->ns, task->tid);
    task->ns_for_children = process->ns;
    pid_ns_get(process->ns);
    task->process = process;
    process_get(process);
    if (process != me) {
        process->pid = task->tid;
        process->pgid = me->pgid;
        process->sid = me->sid;
        process->parent = a->flags & CLONE_PARENT ? me->parent : me;
        process->exit_signal = a->flags & CLONE_PARENT ? me->exit_signal : a->exit_signal;
        if (!process->ns->init)
            process->ns->init = process;
        process_link(process);
    }
    task_publish(task);
    tasks_unlock();
    return 0;
}

/* Nobody saw it. */
static void abandon(struct task *task, struct process *process)
{
    files_put(task->files);
    mm_put(task->mm);
    task->process = NULL;
    task_free(task);
    if (process == process_current())
        return;
    process_put_places(process);
    process_put(process);
}

/* Nothing ends this wait early: the child is using our memory and stack. */
static void vfork_wait(struct process *child, struct wait_queue *queue)
{
    for (;;) {
        struct waiter w;
        wait_prepare(queue, &w, TASK_BLOCKED);
        bool done = READ_ONCE(child->vfork_done) == NULL;
        if (!done)
            schedule();
        wait_finish(queue, &w);
        if (done)
            return;
    }
}

/* A descriptor of the child, which nobody else can find yet, for the program at @at. */
static int tell_pidfd(struct process *child, uint64_t at, int *fd)
{
    *fd = pidfd_create(child, 0);
    if (*fd < 0)
        return *fd;
    return copy_to_user(user(at), fd, sizeof(*fd));
}

static int64_t do_clone(const struct clone_args *a)
{
    struct process *process = process_current();
    struct wait_queue vfork_queue;
    struct task *task;
    int tid;

    int err = check_flags(a->flags);
    if (!err && !user_has_room())
        err = -EAGAIN;
    if (err)
        return err;
    err = task_copy(a, &task);
    if (err)
        return err;
    if (!(a->flags & CLONE_THREAD)) {
        err = process_copy(a->flags, &process);
        if (err) {
            files_put(task->files);
            mm_put(task->mm);
            task_free(task);
            return err;
        }
    }
    bool vfork = a->flags & CLONE_VFORK;
    if (vfork) {
        wait_queue_init(&vfork_queue);
        process->vfork_done = &vfork_queue;
    }
    int fd = -1;
    err = a->flags & CLONE_PIDFD ? tell_pidfd(process, a->pidfd, &fd) : 0;
    if (!err)
        err = adopt(task, process, a, &tid);
    if (err) {
        if (fd >= 0)
            fd_close(fd);
        abandon(task, process);
        return err;
    }
    if ((a->flags & CLONE_PARENT_SETTID) && copy_to_user(user(a->parent_tid), &tid, sizeof(tid)))
        log_debug("clone: the tid could not be stored");
    if (vfork)
        process_get(process);
    sched_start(task);
    if (vfork) {
        vfork_wait(process, &vfork_queue);
        process_put(process);
    }
    return tid;
}

void vfork_finished(struct process *process)
{
    struct wait_queue *queue = process->vfork_done;
    if (!queue)
        return;
    irq_flags_t flags = spin_lock_irqsave(&queue->lock);
    WRITE_ONCE(process->vfork_done,
               NULL); /* the queue lies on the parent's stack: not after this */
    struct waiter *w;
    list_for_each_entry (w, &queue->waiters, node)
        task_wake(w->task, WAKE_ANY);
    spin_unlock_irqrestore(&queue->lock, flags);
}

int64_t sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
                  uint64_t tls)
{
    if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
        return -EINVAL; /* both would be told at one place */
    return do_clone(&(struct clone_args){.flags = flags & ~0xffUL,
                                         .exit_signal = flags & 0xff,
                                         .stack = stack,
                                         .parent_tid = parent_tid,
                                         .pidfd = parent_tid,
                                         .child_tid = child_tid,
                                         .tls = tls});
}

int64_t sys_fork(void)
{
    return do_clone(&(struct clone_args){.exit_signal = SIGCHLD});
}

int64_t sys_vfork(void)
{
    return do_clone(&(struct clone_args){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

int64_t sys_clone3(user_addr_t args, size_t size)
{
    struct uapi_clone_args u = {0};

    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (copy_from_user(&u, args, min(size, sizeof(u))))
        return -EFAULT;
    if (u.exit_signal > SIGNALS || (u.flags & 0xff) || u.set_tid_size ||
        (u.stack == 0) != (u.stack_size == 0))
        return -EINVAL;
    return do_clone(&(struct clone_args){.flags = u.flags,
                                         .exit_signal = u.exit_signal,
                                         .stack = u.stack ? u.stack + u.stack_size : 0,
                                         .parent_tid = u.parent_tid,
                                         .pidfd = u.pidfd,
                                         .child_tid = u.child_tid,
                                         .tls = u.tls});
}
