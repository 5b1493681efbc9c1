/* SPDX-License-Identifier: MIT */
/*
 * kernel/exit.c - how tasks and processes end
 *
 * Room:   kernel.
 * Owns:   the way from the last instruction to the zombie.
 * Locks:  the tree lock (rank TASKS); signal locks and run queues inside.
 * Always: (1) a process whose last task ended is a zombie until its parent waited;
 *         (2) children of a dead parent belong to process 1, or to an ancestor that asked for them.
 * Source: _exit(2), exit_group(2), get_robust_list(2), prctl(2).
 * Tour:   after kernel/clone.c; then kernel/wait.c.
 */
#include "clock.h"
#include "fs.h"
#include "futex.h"
#include "pidfd.h"
#include "process.h"
#include "ptrace.h"
#include "quiet.h"
#include "syscall.h"
#include <asm/tlb.h>
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define MEMBERS_PAUSE_NS 1000000 /* between looks at who is left of a namespace */

uint64_t process_run_ns(const struct process *process)
{
    uint64_t ns = atomic_load(&process->run_ns);
    const struct task *task;

    list_for_each_entry (task, &process->tasks, process_node)
        ns += sched_run_ns(task) - READ_ONCE(task->sched.run_ns);
    return ns;
}

void signal_child_changed(struct process *child, int code, int status)
{
    struct process *parent = child->parent;
    bool ended = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
    struct uapi_siginfo info = {
        .signo = ended ? child->exit_signal : SIGCHLD,
        .code = code,
        .pid = pid_in(parent->ns, child->pid),
        .status = status,
        .utime = process_run_ns(child) / NS_PER_TICK,
    };
    const struct uapi_sigaction *action = &parent->signals.action[SIGCHLD - 1];
    bool told = ended || !(action->flags & SA_NOCLDSTOP);
    if (info.signo && told)
        signal_send_process(parent, &info);
    wake_all(&parent->child_exit);
}

void process_notify_parent(struct process *p)
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

/* @member ends, or loses @parent, which linked its group to the rest of their session. Stopped
 * members of a group that nobody can continue any more are sent on their way. */
static void orphans_continue(const struct process *member, const struct process *parent)
{
    struct uapi_siginfo hup = {.signo = SIGHUP, .code = SI_KERNEL};
    struct uapi_siginfo cont = {.signo = SIGCONT, .code = SI_KERNEL};
    bool stopped = false;
    int pgid = member->pgid;
    struct process *p;

    if (parent->pgid == pgid || parent->sid != member->sid)
        return;
    for_each_process(p) stopped |= p->pgid == pgid && atomic_load(&p->signals.stop_signal);
    if (!stopped || !group_is_orphaned(pgid))
        return;
    for_each_process(p)
    {
        if (p->pgid == pgid && !p->zombie) {
            signal_send_process(p, &hup);
            signal_send_process(p, &cont);
        }
    }
}

static struct process *new_parent(const struct process *p)
{
    struct process *heir = pid_ns_is_init(p) ? NULL : p->ns->init;

    for (struct process *a = p->parent; a != heir && a->ns == p->ns && a != init_process;
         a = a->parent)
        if (a->subreaper && !a->zombie)
            return a;
    for (const struct pid_ns *ns = p->ns; !heir; ns = ns->parent)
        heir = ns->init != p ? ns->init : NULL;
    return heir;
}

static void send_parent_death_signals(struct process *child)
{
    struct task *task;
    list_for_each_entry (task, &child->tasks, process_node) {
        struct uapi_siginfo info = {.signo = task->parent_death_signal, .code = SI_USER};
        if (info.signo)
            signal_send_process(child, &info);
    }
}

/* tasks_lock held; what is put at the end may wait for memory, so the caller does it. */
static void give_children_away(struct process *p, struct list_node *dead)
{
    struct process *heir = new_parent(p);

    while (!list_empty(&p->children)) {
        struct process *child = list_first_entry(&p->children, struct process, sibling);
        list_del(&child->sibling);
        child->parent = heir;
        child->exit_signal = SIGCHLD;
        list_add_tail(&child->sibling, &heir->children);
        send_parent_death_signals(child);
        if (child->zombie && parent_ignores(child)) {
            process_unlink(child);
            list_add_tail(&child->sibling, dead);
        } else if (child->zombie) {
            process_notify_parent(child);
        }
        orphans_continue(child, p);
    }
}

/* Everybody in @p's namespace but itself ends, or has ended: is told to, and reaped. How many are
 * left. tasks_lock held. */
static unsigned end_members(struct process *p, struct list_node *dead)
{
    struct uapi_siginfo info = {.signo = SIGKILL, .code = SI_KERNEL};
    struct process *member, *next;
    unsigned living = 0;

    for_each_process(member)
    {
        if (member == p || member->zombie || !pid_ns_contains(p->ns, member->ns))
            continue;
        signal_send_process(member, &info);
        living++;
    }
    list_for_each_safe (member, next, &p->children, sibling) {
        if (member->zombie) {
            process_unlink(member);
            list_add_tail(&member->sibling, dead);
        }
    }
    return living;
}

static void put_dead(struct list_node *dead)
{
    while (!list_empty(dead)) {
        struct process *gone = list_first_entry(dead, struct process, sibling);
        list_del(&gone->sibling);
        process_put(gone);
    }
}

/* The end of process 1 is the end of its namespace. */
static void end_namespace(struct process *p)
{
    struct list_node dead;
    unsigned living;

    list_init(&dead);
    do {
        tasks_lock();
        p->ns->dead = true;
        living = end_members(p, &dead);
        tasks_unlock();
        put_dead(&dead);
        if (living)
            sched_pause(MEMBERS_PAUSE_NS);
    } while (living);
}

/* The last task of @p is gone; its own reference in the tree goes, too, if nobody will wait. */
static void process_ends(struct process *p)
{
    struct list_node dead;
    list_init(&dead);

    tasks_lock();
    if (!p->exiting)
        p->status = p->leader_status;
    give_children_away(p, &dead);
    WRITE_ONCE(p->zombie, true);
    pidfd_changed(p);
    if (parent_ignores(p)) {
        process_unlink(p);
        list_add_tail(&p->sibling, &dead);
    }
    process_notify_parent(p);
    orphans_continue(p, p->parent);
    if (pid_ns_is_init(p))
        p->ns->init = NULL;
    tasks_unlock();
    put_dead(&dead);
}

/* The others have to end; each does it on its own way to ring 3. tasks_lock held. */
static void end_others(struct process *p)
{
    struct task *task;
    list_for_each_entry (task, &p->tasks, process_node) {
        if (task == task_current())
            continue;
        task_wake(task, WAKE_SIGNAL | WAKE_STOPPED);
        sched_kick_task(task);
    }
}

/* Tell all tasks of this process to end with @status, unless that happened already. */
static void kill_siblings(struct process *p, uint32_t status)
{
    tasks_lock();
    if (!p->exiting && !(p->exec_task && p->exec_task != task_current())) {
        p->status = status;
        WRITE_ONCE(p->exiting, true);
        end_others(p);
    }
    tasks_unlock();
}

int process_become_single(void)
{
    struct task *me = task_current();
    struct process *p = me->process;

    tasks_lock();
    bool dying = p->exiting || p->exec_task;
    if (!dying) {
        WRITE_ONCE(p->exec_task, me);
        end_others(p);
    }
    tasks_unlock();
    if (dying)
        return -EAGAIN;
    for (;;) {
        struct waiter w;
        wait_prepare(&p->exec_wait, &w, TASK_BLOCKED);
        bool alone = READ_ONCE(p->nr_tasks) == 1;
        if (!alone)
            schedule();
        wait_finish(&p->exec_wait, &w);
        if (alone)
            break;
    }
    tasks_lock();
    task_rename(me, p->pid); /* the one task has the process's number */
    p->exec_task = NULL;
    p->exit_signal = SIGCHLD;
    tasks_unlock();
    return 0;
}

static void release_memory(struct task *task)
{
    struct mm *mm = task->mm;

    futex_robust_exit(task);
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

static void release_files(struct task *task)
{
    struct files *files = task->files;

    tasks_lock();
    task->files = NULL;
    tasks_unlock();
    files_put(files);
}

/* What outlives the task in its process's account. */
static void usage_keep(struct process *p, const struct task *task)
{
    struct usage used = usage_of_task(task);

    usage_add(&p->usage, &used);
}

/* Out of the tree. True: it was the last of its process. */
static bool leave_process(struct task *task, uint32_t status)
{
    struct process *p = task->process;

    tasks_lock();
    signal_task_exits(task);
    ptrace_exit(task);
    if (task->tid == p->pid)
        p->leader_status = status;
    if (task->tid == p->pid || !p->last_name[0])
        strlcpy(p->last_name, task->name, sizeof(p->last_name));
    sched_account();
    usage_keep(p, task);
    task_unpublish(task);
    bool last = p->nr_tasks == 0;
    signal_check_stopped(p);
    if (p->exec_task)
        wake_all(&p->exec_wait);
    tasks_unlock();
    return last;
}

_Noreturn void task_exit(uint32_t status, bool group)
{
    struct task *task = task_current();
    struct process *p = task->process;

    if (group)
        kill_siblings(p, status);
    if (p == init_process && (group || p->nr_tasks == 1))
        machine_shutdown(p->exiting ? p->status : status);
    usage_peak(p, task->mm);
    release_memory(task);
    release_files(task);
    if (leave_process(task, status)) {
        vfork_finished(p);
        timers_exit(p);
        sem_process_exit(p);
        process_put_places(p);
        if (pid_ns_is_init(p))
            end_namespace(p);
        process_ends(p);
        machine_check_after_exit();
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
