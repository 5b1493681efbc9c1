/* SPDX-License-Identifier: MIT */
/*
 * kernel/process.c - processes and tasks: the table of them, made and given back
 *
 * Room:   kernel.
 * Owns:   the table of tasks, the list of processes, their numbers.
 * Locks:  the tree lock (rank TASKS); signal locks and run queues inside.
 * Always: (1) a number is free again when no task, process, group or session has it;
 *         (2) a dead task's stack is freed by whoever runs next on its CPU.
 * Source: clone(2), credentials(7).
 * Tour:   after kernel/task.h; then kernel/clone.c, kernel/exit.c, kernel/wait.c.
 */
#include "process.h"

#include "fs.h"
#include "pidfd.h"
#include "running.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/time.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define TABLE_SIZE 256
#define TID_MAX    32768
#define KNOWN_MAX  (TID_MAX / 4) /* tasks, and processes, each of which may keep three numbers */
#define QUEUED_MAX 4096          /* signals that wait for a process */

static spinlock_t tree_lock = SPINLOCK_INIT(LOCK_RANK_TASKS);
static struct list_node table[TABLE_SIZE]; /* tasks by tid */
struct list_node all_processes = LIST_INIT(all_processes);
static struct slab_cache task_cache;
struct process *init_process;
static int last_tid;
static uint64_t nr_births;
static unsigned nr_known_tasks, nr_known_processes; /* in the table, on the list */

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

/* Programs name any number, negative ones too. */
static struct list_node *bucket_of(int tid)
{
    return &table[(unsigned)tid % TABLE_SIZE];
}

struct task *task_find(int tid)
{
    struct task *task;
    list_for_each_entry (task, bucket_of(tid), table_node) {
        if (task->tid == tid)
            return task;
    }
    return NULL;
}

bool tid_taken(int tid)
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

uint64_t tasks_born(int *last)
{
    tasks_lock();
    uint64_t nr = nr_births;
    *last = last_tid;
    tasks_unlock();
    return nr;
}

bool tids_are_left(void)
{
    return nr_known_tasks < KNOWN_MAX && nr_known_processes < KNOWN_MAX;
}

int tid_new(void)
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

struct task *process_living_task(const struct process *process)
{
    struct task *task;
    list_for_each_entry (task, &process->tasks, process_node) {
        if (task->mm && task->files)
            return task;
    }
    return NULL;
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
    pid_ns_put(process->ns);
    kmem_free(process);
}

/* Tasks */

struct task *task_alloc(void)
{
    struct task *task = slab_alloc(&task_cache, SLAB_ALLOC_ZERO);
    if (!task)
        return NULL;
    list_init(&task->process_node);
    list_init(&task->table_node);
    list_init(&task->sched.node);
    list_init(&task->trace.node);
    pending_init(&task->signals.pending);
    task->signals.alt_stack.flags = SS_DISABLE;
    task->sched.affinity = ~0UL;
    task->born_ns = clock_ns();
    task->cred = cred_get(cred_root());
    return task;
}

void task_dealloc(struct task *task)
{
    cred_put(task->cred);
    slab_free(&task_cache, task);
}

/* Claim 2. IRQs off. */
void task_free(struct task *task)
{
    struct process *process = task->process;

    ASSERT(list_empty(&task->signals.pending.queue), "claim: task_exit() dropped what was pending");
    context_destroy(&task->context);
    pid_ns_put(task->ns_for_children);
    task_dealloc(task);
    if (process)
        process_put(process);
}

_Noreturn void task_die(void)
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
        task_dealloc(task);
        return err;
    }
    strlcpy(task->name, name, sizeof(task->name));
    if (out)
        *out = task;
    sched_start(task);
    return 0;
}

void task_publish(struct task *task)
{
    list_add(&task->table_node, bucket_of(task->tid));
    list_add_tail(&task->process_node, &task->process->tasks);
    task->process->nr_tasks++;
    nr_known_tasks++;
    nr_births++;
}

void task_unpublish(struct task *task)
{
    list_del(&task->process_node);
    list_del(&task->table_node);
    task->process->nr_tasks--;
    nr_known_tasks--;
    pid_ns_forget(task->tid);
}

void process_link(struct process *p)
{
    list_add_tail(&p->sibling, &p->parent->children);
    list_add_tail(&p->all_node, &all_processes);
    nr_known_processes++;
}

void process_unlink(struct process *p)
{
    WRITE_ONCE(p->gone, true);
    list_del(&p->sibling);
    list_del(&p->all_node);
    nr_known_processes--;
    pidfd_changed(p);
    pid_ns_forget(p->pid);
    pid_ns_forget(p->pgid);
    pid_ns_forget(p->sid);
}

void task_rename(struct task *task, int tid)
{
    int before = task->tid;

    list_del(&task->table_node);
    task->tid = tid;
    list_add(&task->table_node, bucket_of(tid));
    pid_ns_forget(before);
}

struct process *process_alloc(void)
{
    struct process *p = kmem_alloc(sizeof(*p), SLAB_ALLOC_PLAIN);
    if (!p)
        return NULL;
    char *rest = (char *)p->signals.action + sizeof(p->signals.action);
    memset(p, 0, offsetof(struct process, signals.action));
    memset(rest, 0, (size_t)((char *)(p + 1) - rest));
    atomic_store(&p->refcount, 1);
    p->born_ns = clock_ns();
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->tasks);
    list_init(&p->all_node);
    wait_queue_init(&p->child_exit);
    wait_queue_init(&p->exec_wait);
    timers_init(&p->timers);
    list_init(&p->tracees);
    list_init(&p->sem_undos);
    signals_init(&p->signals);
    return p;
}

void process_copy_places(struct process *p, const struct process *from)
{
    tasks_lock();
    p->cwd = from->cwd;
    p->root = from->root;
    p->exe = from->exe;
    place_get(&p->cwd);
    place_get(&p->root);
    if (p->exe.dentry)
        exe_get(&p->exe);
    tasks_unlock();
}

void process_put_places(struct process *p)
{
    tasks_lock();
    struct place cwd = p->cwd, root = p->root, exe = p->exe;
    p->cwd = p->root = p->exe = (struct place){0};
    tasks_unlock();
    place_put(&cwd);
    place_put(&root);
    if (exe.dentry)
        exe_put(&exe);
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
                  {RLIMIT_NPROC, TID_MAX / 2, TID_MAX / 2},
                  {RLIMIT_SIGPENDING, QUEUED_MAX, QUEUED_MAX},
                  {RLIMIT_NICE, 0, 0},
                  {RLIMIT_RTPRIO, 0, 0},
                  {RLIMIT_MSGQUEUE, 819200, 819200}};
    struct process *p = process_alloc();
    struct task *task = task_alloc();
    int err = -ENOMEM;

    if (!p || !task)
        goto free_both;
    memset(p->signals.action, 0, sizeof(p->signals.action));
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
    p->cwd = p->root = place_root();
    place_get(&p->cwd);
    place_get(&p->root);
    task->process = p;
    process_get(p);
    p->ns = task->ns_for_children = &first_pid_ns;
    pid_ns_get(p->ns);
    pid_ns_get(p->ns);
    strlcpy(task->name, "init", sizeof(task->name));
    tasks_lock();
    p->pid = p->pgid = p->sid = task->tid = last_tid = 1;
    p->parent = p;
    list_add(&p->all_node, &all_processes);
    task_publish(task);
    init_process = first_pid_ns.init = p;
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
