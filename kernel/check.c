/* SPDX-License-Identifier: MIT */
/*
 * kernel/check.c - are tasks what their heads claim? And when everything is checked
 *
 * Room:   kernel.
 * Owns:   the checks V29, V30 of tasks; when the last check was.
 * Locks:  none: the machine stands still.
 * Always: (1) checks change nothing.
 * Source: trust.md section 2.
 * Tour:   after kernel/quiet.c; with mm/check.c.
 */
#include "process.h"
#include "quiet.h"
#include "sealed.h"
#include <asm/time.h>
#include <base/claim.h>
#include <base/log.h>
#include <base/panic.h>
#include <uapi/errno.h>

#define NS_PER_MS 1000000UL

static _Atomic uint64_t next_check_ns = ~0UL;
static uint64_t check_every_ns;

static int check_task(const struct process *p, struct task *task)
{
    CLAIM(task->process == p, "V30", "task %d of process %d says it is of another", task->tid,
          p->pid);
    CLAIM(task_find(task->tid) == task, "V30", "task %d is not found by its number", task->tid);
    CLAIM(context_is_sound(&task->context), "V30", "task %d has written past its stack's end",
          task->tid);
    CLAIM(task->sched.state != TASK_DEAD, "V30", "dead task %d is among its process's", task->tid);
    CLAIM(!task->mm || !rwsem_is_held(&task->mm->mmap_lock), "V29",
          "task %d: somebody sleeps and holds its mmap_lock", task->tid);
    return 0;
}

static int check_process(const struct process *p)
{
    const struct process *child;
    struct task *task;
    unsigned nr = 0;
    int err = 0;

    list_for_each_entry (task, &p->tasks, process_node) {
        nr++;
        err = err ? err : check_task(p, task);
    }
    CLAIM(nr == p->nr_tasks, "V30", "process %d: %u tasks, %u counted", p->pid, nr, p->nr_tasks);
    CLAIM(!p->zombie || !nr, "V30", "zombie %d has tasks", p->pid);
    CLAIM(process_find(p->pid) == p, "V30", "process %d is not found by its number", p->pid);
    list_for_each_entry (child, &p->children, sibling)
        CLAIM(child->parent == p, "V30", "%d is a child of %d, but knows another parent",
              child->pid, p->pid);
    return err;
}

static int tasks_check(void)
{
    struct process *p;
    int err = 0;

    tasks_lock();
    for_each_process(p) err = err ? err : check_process(p);
    tasks_unlock();
    return err;
}

static int check_all(void)
{
    int err = tasks_check();
    if (!err)
        err = sealed_check();
    return err ? err : vm_check();
}

void machine_check(void)
{
    if (!quiet_begin())
        return;
    int err = check_all();
    ASSERT(!err, "what vm_check said is broken");
    quiet_end();
}

int machine_check_last(void)
{
    return quiet_begin() ? check_all() : -EUCLEAN;
}

void machine_check_often(uint64_t ms)
{
    check_every_ns = ms * NS_PER_MS;
    atomic_store(&next_check_ns, clock_ns());
}

void machine_check_after_exit(void)
{
    uint64_t next = atomic_load(&next_check_ns);

    if (clock_ns() < next || !atomic_compare_exchange_strong(&next_check_ns, &next, ~0UL))
        return;
    machine_check();
    atomic_store(&next_check_ns, clock_ns() + check_every_ns);
}
