/* SPDX-License-Identifier: MIT */
/*
 * kernel/process.c - the family tree: clone, exit, wait
 *
 * Room:   kernel.
 * Owns:   the table of tasks, parents and children.
 * Locks:  the tree lock (rank TASKS); signal locks and run queues inside.
 * Always: (1) a process whose last task ended is a zombie until its parent waited;
 *         (2) children of a dead parent belong to process 1;
 *         (3) a dead task's stack is freed by whoever runs next on its CPU.
 * Source: clone(2), _exit(2), wait(2).
 * Tour:   after kernel/task.h; then kernel/exec.c.
 */
#include "fs.h"
#include "futex.h"
#include "syscall.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/power.h>
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/sched.h>

#define TABLE_SIZE 256
#define TID_MAX    32768

static spinlock_t tree_lock = SPINLOCK_INIT(LOCK_RANK_TASKS);
static struct list_node table[TABLE_SIZE]; /* tasks by tid */
static struct list_node all_processes = LIST_INIT(all_processes);
static struct slab_cache task_cache;
static struct process *init_process;
static int last_tid;

void tasks_lock(void)
{
    spin_lock(&tree_lock);
}

void tasks_unlock(void)
{
    spin_unlock(&tree_lock);
}

void process_boot_init(void)
{
    slab_cache_init(&task_cache, "task", sizeof(struct task), CACHE_LINE_SIZE);
    for (unsigned i = 0; i < TABLE_SIZE; i++)
        list_init(&table[i]);
}

struct task *task_find(int tid)
{
    struct task *task;
    list_for_each_entry (task, &table[tid % TABLE_SIZE], table_node) {
        if (task->tid == tid)
            return task;
    }
    return NULL;
}

static bool tid_taken(int tid)
{
    struct process *p;
    if (task_find(tid))
        return true;
    /* A zombie has no task any more but keeps its number. */
    list_for_each_entry (p, &all_processes, all_node) {
        if (p->pid == tid || p->pgid == tid || p->sid == tid)
            return true;
    }
    return false;
}

static int tid_new(void)
{
    do {
        last_tid = last_tid == TID_MAX ? 2 : last_tid + 1;
    } while (tid_taken(last_tid));
    return last_tid;
}

struct process *process_find(int pid)
{
    struct process *p;
    list_for_each_entry (p, &all_processes, all_node) {
        if (p->pid == pid)
            return p;
    }
    return NULL;
}

struct process *process_after(int pid)
{
    struct process *p, *next = NULL;
    list_for_each_entry (p, &all_processes, all_node) {
        if (p->pid > pid && (!next || p->pid < next->pid))
            next = p;
    }
    return next;
}

void process_get(struct process *process)
{
    atomic_fetch_add(&process->refcount, 1);
}

void process_put(struct process *process)
{
    if (atomic_fetch_sub(&process->refcount, 1) != 1)
        return;
    pending_drop(&process->signals.shared);
    kmem_free(process);
}

/* Tasks */

static struct task *task_alloc(void)
{
    struct task *task = slab_alloc(&task_cache, SLAB_ALLOC_ZERO);
    if (!task)
        return NULL;
    list_init(&task->process_node);
    list_init(&task->table_node);
    list_init(&task->sched.node);
    pending_init(&task->signals.pending);
    task->signals.alt_stack.flags = SS_DISABLE;
    return task;
}

/* Claim 3. IRQs off. */
void task_free(struct task *task)
{
    struct process *process = task->process;

    pending_drop(&task->signals.pending);
    context_destroy(&task->context);
    slab_free(&task_cache, task);
    if (process)
        process_put(process);
}

/* The running task never runs again. */
static _Noreturn void task_die(void)
{
    irq_disable();
    WRITE_ONCE(task_current()->sched.state, TASK_DEAD);
    schedule();
    panic("claim: a dead task does not run");
}

static void kernel_thread_start(void *arg)
{
    struct task *task = arg;

    sched_finish_switch();
    irq_enable();
    task->thread_fn(task->thread_arg);
    task_die();
}

int kernel_thread(const char *name, void (*fn)(void *), void *arg, struct task **out)
{
    struct task *task = task_alloc();
    if (!task)
        return -ENOMEM;
    task->thread_fn = fn;
    task->thread_arg = arg;
    int err = context_init_kernel(&task->context, kernel_thread_start, task);
    if (err) {
        slab_free(&task_cache, task);
        return err;
    }
    strlcpy(task->name, name, sizeof(task->name));
    if (out)
        *out = task;
    sched_start(task);
    return 0;
}

static void table_add(struct task *task)
{
    list_add(&task->table_node, &table[task->tid % TABLE_SIZE]);
    list_add_tail(&task->process_node, &task->process->tasks);
    task->process->nr_tasks++;
}

/* A process without tasks yet. */
static struct process *process_alloc(void)
{
    struct process *p = kmem_alloc(sizeof(*p), SLAB_ALLOC_ZERO);
    if (!p)
        return NULL;
    atomic_store(&p->refcount, 1);
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->tasks);
    list_init(&p->all_node);
    wait_queue_init(&p->child_exit);
    signals_init(&p->signals);
    return p;
}

int process_create_init(void (*fn)(void *), void *arg)
{
    static const struct {
        unsigned which;
        uint64_t soft, hard;
    } finite[] = {{RLIMIT_STACK, 8 * MIB, RLIM_INFINITY},
                  {RLIMIT_CORE, 0, RLIM_INFINITY},
                  {RLIMIT_NOFILE, FILES_MAX, FILES_MAX},
                  {RLIMIT_MEMLOCK, 8 * MIB, 8 * MIB},
                  {RLIMIT_NPROC, TID_MAX / 2, TID_MAX / 2}};
    struct process *p = process_alloc();
    struct task *task = task_alloc();
    int err = -ENOMEM;

    if (!p || !task)
        goto free_both;
    for (unsigned i = 0; i < RLIM_NLIMITS; i++)
        p->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    for (unsigned i = 0; i < ARRAY_SIZE(finite); i++)
        p->limits[finite[i].which] = (struct rlimit){finite[i].soft, finite[i].hard};
    err = files_create(&task->files);
    if (err)
        goto free_both;
    err = context_init_user(&task->context, fn, arg);
    if (err)
        goto free_files;
    p->umask = 022;
    p->cwd = fs_root;
    dentry_get(fs_root);
    task->process = p;
    process_get(p);
    strlcpy(task->name, "init", sizeof(task->name));
    tasks_lock();
    p->pid = p->pgid = p->sid = task->tid = last_tid = 1;
    p->parent = p;
    list_add(&p->all_node, &all_processes);
    table_add(task);
    init_process = p;
    tasks_unlock();
    sched_start(task);
    return 0;

free_files:
    files_put(task->files);
free_both:
    kmem_free(p);
    slab_free(&task_cache, task);
    return err;
}

/* clone */

/* Where a cloned task begins: as if its own system call had returned 0. */
static void cloned_task_start(void *arg)
{
    struct task *task = arg;
    struct trap_frame *frame = context_frame(&task->context);

    sched_finish_switch();
    irq_enable();
    if (task->set_child_tid) {
        int tid = task->tid;
        if (copy_to_user(user(task->set_child_tid), &tid, sizeof(tid)))
            log_debug("clone: the child's tid could not be stored");
    }
    exit_to_user(frame);
    return_to_user(frame);
}

struct clone_args {
    uint64_t flags, stack, tls, parent_tid, child_tid;
    int exit_signal;
};

#define CLONE_KNOWN                                                                    \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_SYSVSEM | \
     CLONE_VFORK | CLONE_DETACHED | CLONE_IO | CLONE_PARENT | CLONE_UNTRACED | CLONE_PTRACE)

static int check_flags(uint64_t flags)
{
    if (flags & ~(uint64_t)CLONE_KNOWN)
        return -EINVAL;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    return 0;
}

/* A child process like this one, without its task. */
static int process_copy(struct process **out)
{
    struct process *me = process_current(), *p = process_alloc();
    if (!p)
        return -ENOMEM;
    memcpy(p->limits, me->limits, sizeof(p->limits));
    memcpy(p->signals.action, me->signals.action, sizeof(p->signals.action));
    p->cwd = me->cwd;
    dentry_get(p->cwd);
    p->exe = me->exe;
    if (p->exe)
        dentry_get(p->exe);
    p->umask = me->umask;
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
    strlcpy(task->name, me->name, sizeof(task->name));
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
    slab_free(&task_cache, task);
    return err;
}

/* Into the tree; from here on others can see it. */
static void adopt(struct task *task, struct process *process, const struct clone_args *a)
{
    struct process *me = process_current();

    tasks_lock();
    task->tid = tid_new();
    task->process = process;
    process_get(process);
    if (process != me) {
        process->pid = task->tid;
        process->pgid = me->pgid;
        process->sid = me->sid;
        process->exit_signal = a->exit_signal;
        process->parent = a->flags & CLONE_PARENT ? me->parent : me;
        list_add_tail(&process->sibling, &process->parent->children);
        list_add_tail(&process->all_node, &all_processes);
    }
    table_add(task);
    tasks_unlock();
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

static int64_t do_clone(const struct clone_args *a)
{
    struct process *process = process_current();
    struct wait_queue vfork_queue;
    struct task *task;

    int err = check_flags(a->flags);
    if (err)
        return err;
    err = task_copy(a, &task);
    if (err)
        return err;
    if (!(a->flags & CLONE_THREAD)) {
        err = process_copy(&process);
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
    adopt(task, process, a);
    int tid = task->tid;
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
    return do_clone(&(struct clone_args){.flags = flags & ~0xffUL,
                                         .exit_signal = flags & 0xff,
                                         .stack = stack,
                                         .parent_tid = parent_tid,
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
                                         .child_tid = u.child_tid,
                                         .tls = u.tls});
}

/* exit */

void signal_child_changed(struct process *child, int code, int status)
{
    struct process *parent = child->parent;
    struct uapi_siginfo info = {
        .signo = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED ? child->exit_signal
                                                                                : SIGCHLD,
        .code = code,
        .pid = child->pid,
        .status = status,
    };
    if (info.signo)
        signal_send_process(parent, &info);
    wake_all(&parent->child_exit);
}

static void notify_parent(struct process *p)
{
    int signo = p->status & 0x7f;
    if (signo)
        signal_child_changed(p, p->status & 0x80 ? CLD_DUMPED : CLD_KILLED, signo);
    else
        signal_child_changed(p, CLD_EXITED, p->status >> 8 & 0xff);
}

/* Will the parent wait for it? tasks_lock held. */
static bool parent_ignores(const struct process *p)
{
    const struct uapi_sigaction *a = &p->parent->signals.action[SIGCHLD - 1];
    return p->exit_signal == SIGCHLD && (a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT));
}

static void unlink_from_tree(struct process *p)
{
    list_del(&p->sibling);
    list_del(&p->all_node);
}

/* The last task of @p is gone. tasks_lock held. True: nobody waits, drop the tree's reference. */
static bool process_becomes_zombie(struct process *p)
{
    while (!list_empty(&p->children)) { /* claim 2 */
        struct process *child = list_first_entry(&p->children, struct process, sibling);
        list_del(&child->sibling);
        child->parent = init_process;
        list_add_tail(&child->sibling, &init_process->children);
        if (child->zombie)
            notify_parent(child);
    }
    p->zombie = true;
    bool nobody = parent_ignores(p);
    if (nobody)
        unlink_from_tree(p);
    notify_parent(p);
    return nobody;
}

/* Tell all tasks of this process to end with @status, unless that happened already. */
static void kill_siblings(struct process *p, uint32_t status)
{
    struct task *task;
    tasks_lock();
    if (!p->exiting) {
        p->status = status;
        WRITE_ONCE(p->exiting, true);
        list_for_each_entry (task, &p->tasks, process_node)
            task_wake(task, WAKE_SIGNAL | WAKE_STOPPED);
    }
    tasks_unlock();
}

static void release_memory(struct task *task)
{
    struct mm *mm = task->mm;
    if (task->clear_child_tid) {
        uint32_t zero = 0;
        if (!copy_to_user(user(task->clear_child_tid), &zero, sizeof(zero)))
            futex_wake_address(task->clear_child_tid, 1);
    }
    irq_flags_t flags = irq_save();
    tasks_lock(); /* who looks at another process's memory does it under this lock */
    task->mm = NULL;
    tasks_unlock();
    tlb_switch(&kernel_pgtable);
    irq_restore(flags);
    mm_put(mm);
}

_Noreturn void task_exit(uint32_t status, bool group)
{
    struct task *task = task_current();
    struct process *p = task->process;

    if (group)
        kill_siblings(p, status);
    if (p->pid == 1 && (group || p->nr_tasks == 1))
        machine_shutdown(p->exiting ? p->status : status);
    release_memory(task);
    struct files *files = task->files;

    tasks_lock();
    task->files = NULL;
    tasks_unlock();
    files_put(files);

    tasks_lock();
    list_del(&task->process_node);
    list_del(&task->table_node);
    bool last = --p->nr_tasks == 0;
    tasks_unlock();
    if (last) {
        vfork_finished(p);
        tasks_lock();
        struct dentry *cwd = p->cwd, *exe = p->exe;
        p->cwd = p->exe = NULL;
        tasks_unlock();
        dentry_put(cwd);
        if (exe)
            dentry_put(exe);
        tasks_lock();
        if (!p->exiting)
            p->status = status;
        bool nobody = process_becomes_zombie(p);
        tasks_unlock();
        if (nobody)
            process_put(p);
    }
    task_die();
}

int64_t sys_exit(int code)
{
    task_exit((code & 0xff) << 8, false);
}

int64_t sys_exit_group(int code)
{
    task_exit((code & 0xff) << 8, true);
}

/* wait */

static bool wanted(const struct process *child, int pid)
{
    if (pid > 0)
        return child->pid == pid;
    if (pid == 0)
        return child->pgid == process_current()->pgid;
    return pid == -1 || child->pgid == -pid;
}

/* Take one zombie out of the tree. tasks_lock held. */
static struct process *find_child(int pid, bool *any)
{
    struct process *child, *zombie = NULL;
    *any = false;
    list_for_each_entry (child, &process_current()->children, sibling) {
        if (!wanted(child, pid))
            continue;
        *any = true;
        if (child->zombie && !zombie)
            zombie = child;
    }
    return zombie;
}

static struct process *find_stopped(int pid)
{
    struct process *child;
    list_for_each_entry (child, &process_current()->children, sibling) {
        if (wanted(child, pid) && atomic_load(&child->signals.stop_signal) && !child->stop_reported)
            return child;
    }
    return NULL;
}

/* One look: a pid with its status, 0 for "not yet", -ECHILD. */
static int64_t wait_once(int pid, int options, uint32_t *status)
{
    bool any;
    tasks_lock();
    struct process *child = find_child(pid, &any);
    if (child) {
        int64_t result = child->pid;
        *status = child->status;
        unlink_from_tree(child);
        tasks_unlock();
        process_put(child);
        return result;
    }
    int64_t result = any ? 0 : -ECHILD;
    child = options & WUNTRACED ? find_stopped(pid) : NULL;
    if (child) {
        child->stop_reported = true;
        *status = atomic_load(&child->signals.stop_signal) << 8 | 0x7f;
        result = child->pid;
    }
    tasks_unlock();
    return result;
}

int64_t sys_wait4(int pid, user_addr_t status_out, int options, user_addr_t rusage)
{
    struct process *me = process_current();
    uint32_t status = 0;
    int64_t result;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
        return -EINVAL;
    for (;;) {
        struct waiter w;
        wait_prepare(&me->child_exit, &w, TASK_WAITING);
        result = wait_once(pid, options, &status);
        bool again = result == 0 && !(options & WNOHANG);
        if (again && !signal_pending_current())
            schedule();
        wait_finish(&me->child_exit, &w);
        if (!again)
            break;
        if (signal_pending_current())
            return -ERESTARTSYS;
    }
    if (result > 0 && status_out.raw && copy_to_user(status_out, &status, sizeof(status)))
        return -EFAULT;
    if (result > 0 && rusage.raw && clear_user(rusage, 144))
        return -EFAULT;
    return result;
}

/* Numbers and groups */

int64_t sys_getpid(void)
{
    return process_current()->pid;
}

int64_t sys_gettid(void)
{
    return task_current()->tid;
}

int64_t sys_getppid(void)
{
    struct process *me = process_current();
    return me->pid == 1 ? 0 : READ_ONCE(me->parent)->pid;
}

int64_t sys_set_tid_address(uint64_t at)
{
    task_current()->clear_child_tid = at;
    return task_current()->tid;
}

static struct process *self_or(int pid)
{
    return pid == 0 ? process_current() : process_find(pid);
}

int64_t sys_getpgid(int pid)
{
    tasks_lock();
    struct process *p = self_or(pid);
    int64_t result = p ? p->pgid : -ESRCH;
    tasks_unlock();
    return result;
}

int64_t sys_getpgrp(void)
{
    return sys_getpgid(0);
}

int64_t sys_getsid(int pid)
{
    tasks_lock();
    struct process *p = self_or(pid);
    int64_t result = p ? p->sid : -ESRCH;
    tasks_unlock();
    return result;
}

int64_t sys_setpgid(int pid, int pgid)
{
    struct process *me = process_current();
    int64_t result = 0;

    if (pgid < 0)
        return -EINVAL;
    tasks_lock();
    struct process *p = self_or(pid);
    if (!p || (p != me && p->parent != me))
        result = -ESRCH;
    else if (p->sid == p->pid || p->sid != me->sid)
        result = -EPERM;
    else
        p->pgid = pgid ? pgid : p->pid;
    tasks_unlock();
    return result;
}

int64_t sys_setsid(void)
{
    struct process *me = process_current(), *p;
    int64_t result = me->pid;

    tasks_lock();
    list_for_each_entry (p, &all_processes, all_node) {
        if (p->pgid == me->pid)
            result = -EPERM;
    }
    if (result > 0)
        me->sid = me->pgid = me->pid;
    tasks_unlock();
    return result;
}

/* kill */

static int send_to(struct process *p, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_USER, .pid = process_current()->pid};
    return signo && !p->zombie ? signal_send_process(p, &info) : 0;
}

int64_t sys_kill(int pid, int signo)
{
    struct process *me = process_current(), *p;
    int64_t result = -ESRCH;

    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    tasks_lock();
    list_for_each_entry (p, &all_processes, all_node) {
        bool hit = pid > 0     ? p->pid == pid
                   : pid == 0  ? p->pgid == me->pgid
                   : pid == -1 ? p->pid != 1 && p != me
                               : p->pgid == -pid;
        if (hit)
            result = send_to(p, signo);
    }
    tasks_unlock();
    return result;
}

int signal_send_group(int pgid, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_KERNEL};
    struct process *p;
    int found = 0;

    tasks_lock();
    list_for_each_entry (p, &all_processes, all_node) {
        if (p->pgid == pgid && !p->zombie) {
            signal_send_process(p, &info);
            found++;
        }
    }
    tasks_unlock();
    return found;
}

int64_t sys_tgkill(int pid, int tid, int signo)
{
    struct uapi_siginfo info = {.signo = signo, .code = SI_TKILL, .pid = process_current()->pid};
    int64_t result = -ESRCH;

    if (tid <= 0 || pid == 0 || signo < 0 || signo > SIGNALS)
        return -EINVAL;
    tasks_lock();
    struct task *task = task_find(tid);
    if (task && (pid < 0 || task->process->pid == pid))
        result = signo ? signal_send_task(task, &info) : 0;
    tasks_unlock();
    return result;
}

int64_t sys_tkill(int tid, int signo)
{
    return sys_tgkill(-1, tid, signo);
}
