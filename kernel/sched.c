/* SPDX-License-Identifier: MIT */
/*
 * kernel/sched.c - run queues, one per CPU, round robin; idle CPUs steal; one-shot timers
 *
 * Room:   kernel.
 * Owns:   which task a CPU runs.
 * Locks:  queue.lock (rank RUN_QUEUE), IRQs off; one at a time.
 * Always: (1) a runnable task that does not run is on exactly one queue;
 *         (2) a task is switched to only after the CPU it left has saved it (on_cpu);
 *         (3) a waker that finds the task still running only changes its state;
 *         (4) no CPU stays idle while a task waits: whoever enqueues looks for idle CPUs afterwards,
 *             whoever goes idle says so first and then looks for tasks.
 * Source: Linux Documentation/scheduler/sched-design-CFS.rst, for the life of on_rq and on_cpu.
 * Tour:   after kernel/task.h.
 */
#include "sched.h"

#include "task.h"
#include <asm/cpu.h>
#include <asm/smp.h>
#include <asm/time.h>
#include <asm/tlb.h>
#include <base/panic.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define SLICE_NS (10 * 1000 * 1000UL)

struct run_queue {
    spinlock_t lock;
    struct list_node tasks; /* waiting for the CPU */
    unsigned nr;
    struct task *idle;
    bool resched;        /* the running task should call schedule() [this CPU] */
    _Atomic bool idling; /* halted, or about to */
    spinlock_t timer_lock;
    struct list_node timers; /* soonest first */
} __aligned(CACHE_LINE_SIZE);

static struct run_queue queues[MAX_CPUS];
static struct task idle_tasks[MAX_CPUS];

static struct run_queue *my_queue(void)
{
    return &queues[cpu_id()];
}

static void queue_add(struct run_queue *q, struct task *task)
{
    task->sched.cpu = q - queues;
    list_add_tail(&task->sched.node, &q->tasks);
    q->nr++;
}

static struct task *queue_take(struct run_queue *q)
{
    if (list_empty(&q->tasks))
        return NULL;
    struct task *task = list_first_entry(&q->tasks, struct task, sched.node);
    list_del(&task->sched.node);
    q->nr--;
    return task;
}

/*
 * Where a task that wakes up goes: its old CPU's cache, unless only others are idle. A task that
 * its CPU has not saved yet stays there: so no CPU ever waits for another to finish a switch.
 */
static unsigned place_for(const struct task *task)
{
    unsigned cpu = task->sched.cpu;
    if (atomic_load(&task->sched.on_cpu) || atomic_load(&queues[cpu].idling))
        return cpu;
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (atomic_load(&queues[i].idling))
            return i;
    return cpu;
}

/* The next interrupt this CPU needs: its first timer, or the end of the slice if others wait. */
static void timer_rearm(struct run_queue *q)
{
    irq_flags_t flags = spin_lock_irqsave(&q->timer_lock);
    uint64_t when = ~0UL, now = clock_ns();
    if (!list_empty(&q->timers))
        when = list_first_entry(&q->timers, struct timer, node)->when_ns;
    if (READ_ONCE(q->nr) && !q->resched)
        when = min(when, task_current()->sched.slice_end_ns);
    if (when != ~0UL)
        timer_arm(when > now ? when - now : 0);
    spin_unlock_irqrestore(&q->timer_lock, flags);
}

/* A CPU that went idle while place_for() looked has seen no work: let it look again. */
static void wake_thief(void)
{
    for (unsigned i = 0; i < nr_cpus(); i++) {
        if (atomic_load(&queues[i].idling)) {
            smp_reschedule(i);
            return;
        }
    }
}

static bool somebody_waits(void)
{
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (READ_ONCE(queues[i].nr))
            return true;
    return false;
}

static void enqueue(struct task *task, unsigned cpu)
{
    struct run_queue *q = &queues[cpu];
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    queue_add(q, task);
    spin_unlock_irqrestore(&q->lock, flags);
    if (cpu != cpu_id())
        smp_reschedule(cpu);
    else
        timer_rearm(q); /* somebody else wants this CPU now */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load(&q->idling))
        wake_thief();
}

void sched_start(struct task *task)
{
    task->sched.state = TASK_RUNNABLE;
    task->sched.queued = true;
    task->sched.cpu = cpu_id();
    enqueue(task, place_for(task));
}

bool task_wake(struct task *task, unsigned states)
{
    for (;;) {
        unsigned cpu = READ_ONCE(task->sched.cpu);
        struct run_queue *q = &queues[cpu];
        irq_flags_t flags = spin_lock_irqsave(&q->lock);
        if (task->sched.cpu != cpu) {
            spin_unlock_irqrestore(&q->lock, flags);
            continue; /* it moved to another queue meanwhile */
        }
        bool wake = states & (1U << task->sched.state);
        bool put = wake && !task->sched.queued;
        if (wake)
            task->sched.state = TASK_RUNNABLE;
        if (put)
            task->sched.queued = true; /* ours now: nobody else will enqueue it */
        spin_unlock_irqrestore(&q->lock, flags);
        if (put)
            enqueue(task, place_for(task));
        return wake;
    }
}

/* From the longest other queue. */
static struct task *steal(struct run_queue *thief)
{
    struct run_queue *longest = NULL;
    for (unsigned i = 0; i < nr_cpus(); i++) {
        struct run_queue *q = &queues[i];
        if (q != thief && READ_ONCE(q->nr) > (longest ? READ_ONCE(longest->nr) : 0))
            longest = q;
    }
    if (!longest)
        return NULL;
    struct task *task, *found = NULL;
    spin_lock(&longest->lock);
    list_for_each_entry (task, &longest->tasks, sched.node) {
        if (atomic_load(&task->sched.on_cpu))
            continue; /* its CPU still has its registers */
        found = task;
        list_del(&task->sched.node);
        longest->nr--;
        task->sched.cpu = thief - queues;
        break;
    }
    spin_unlock(&longest->lock);
    return found;
}

static void account(struct task *from, struct task *to)
{
    uint64_t now = clock_ns();
    from->sched.run_ns += now - from->sched.started_ns;
    to->sched.started_ns = now;
    to->sched.slice_end_ns = now + SLICE_NS;
}

/* The first thing a task does after it was switched to: the one before is saved now. */
static void switched_from(struct task *from)
{
    bool dead = from->sched.state == TASK_DEAD;
    atomic_store_explicit(&from->sched.on_cpu, false, memory_order_release);
    if (dead)
        task_free(from);
}

static struct task *left_task[MAX_CPUS]; /* by CPU: who was switched away from last */

void sched_finish_switch(void)
{
    switched_from(left_task[cpu_id()]);
}

static void switch_to(struct task *from, struct task *to)
{
    ASSERT(!atomic_load_explicit(&to->sched.on_cpu, memory_order_acquire), "claim 2");
    atomic_store(&to->sched.on_cpu, true);
    account(from, to);
    left_task[cpu_id()] = from;
    if (my_queue()->nr)
        timer_rearm(my_queue());
    tlb_switch(to->mm ? &to->mm->pgtable : &kernel_pgtable);
    context_switch(&from->context, &to->context, to);
    sched_finish_switch(); /* perhaps on another CPU, much later */
}

void schedule(void)
{
    irq_flags_t flags = irq_save();
    struct run_queue *q = my_queue();
    struct task *from = task_current();

    q->resched = false;
    spin_lock(&q->lock);
    bool goes_on = from->sched.state == TASK_RUNNABLE;
    if (!goes_on)
        from->sched.queued = false;
    else if (from != q->idle)
        queue_add(q, from);
    struct task *to = queue_take(q);
    spin_unlock(&q->lock);

    if (!to)
        to = steal(q);
    if (!to)
        to = q->idle;
    if (to != from)
        switch_to(from, to);
    else
        to->sched.slice_end_ns = clock_ns() + SLICE_NS;
    irq_restore(flags);
}

bool sched_wanted(void)
{
    return my_queue()->resched;
}

void sched_init_cpu(unsigned cpu)
{
    struct run_queue *q = &queues[cpu];
    struct task *idle = &idle_tasks[cpu];

    spin_lock_init(&q->lock, LOCK_RANK_RUN_QUEUE);
    spin_lock_init(&q->timer_lock, LOCK_RANK_TIMER);
    list_init(&q->tasks);
    list_init(&q->timers);
    strlcpy(idle->name, "idle", sizeof(idle->name));
    idle->sched.queued = true;
    atomic_store(&idle->sched.on_cpu, true);
    idle->sched.cpu = cpu;
    q->idle = idle;
    task_set_current(idle);
}

_Noreturn void sched_idle_loop(void)
{
    struct run_queue *q = my_queue();
    for (;;) {
        irq_enable();
        schedule();
        irq_disable();
        atomic_store(&q->idling, true);
        if (!somebody_waits() && !q->resched)
            cpu_idle();
        atomic_store(&q->idling, false);
    }
}

/* Timers */

void timer_start(struct timer *timer, uint64_t when_ns)
{
    struct run_queue *q = my_queue();
    struct list_node *pos;

    irq_flags_t flags = spin_lock_irqsave(&q->timer_lock);
    timer->when_ns = when_ns;
    timer->cpu = q - queues;
    timer->armed = true;
    list_for_each (pos, &q->timers) {
        if (list_entry(pos, struct timer, node)->when_ns > when_ns)
            break;
    }
    list_add_tail(&timer->node, pos);
    spin_unlock_irqrestore(&q->timer_lock, flags);
    timer_rearm(q);
}

bool timer_stop(struct timer *timer)
{
    struct run_queue *q = &queues[timer->cpu];
    irq_flags_t flags = spin_lock_irqsave(&q->timer_lock);
    bool was = timer->armed;
    if (was)
        list_del(&timer->node);
    timer->armed = false;
    spin_unlock_irqrestore(&q->timer_lock, flags);
    return was;
}

static void timers_run(struct run_queue *q)
{
    spin_lock(&q->timer_lock);
    while (!list_empty(&q->timers)) {
        struct timer *timer = list_first_entry(&q->timers, struct timer, node);
        if (timer->when_ns > clock_ns())
            break;
        list_del(&timer->node);
        timer->armed = false;
        spin_unlock(&q->timer_lock);
        timer->fire(timer);
        spin_lock(&q->timer_lock);
    }
    spin_unlock(&q->timer_lock);
}

void sched_timer(void)
{
    struct run_queue *q = my_queue();

    timers_run(q);
    if (q->nr && clock_ns() >= task_current()->sched.slice_end_ns)
        q->resched = true;
    timer_rearm(q);
}

/* The rescheduling interrupt: something was put on this CPU's queue. */
void sched_kick(void)
{
    my_queue()->resched = true;
}

struct sleep_timer {
    struct timer timer;
    struct task *task;
};

static void sleep_over(struct timer *timer)
{
    task_wake(container_of(timer, struct sleep_timer, timer)->task, WAKE_ANY);
}

uint64_t sched_sleep(uint64_t ns)
{
    struct sleep_timer sleep = {.timer.fire = sleep_over, .task = task_current()};
    uint64_t end = clock_ns() + ns;

    for (;;) {
        task_current()->sched.state = TASK_WAITING;
        timer_start(&sleep.timer, end);
        if (!signal_pending_current())
            schedule();
        task_current()->sched.state = TASK_RUNNABLE;
        timer_stop(&sleep.timer);
        uint64_t now = clock_ns();
        if (now >= end)
            return 0;
        if (signal_pending_current())
            return end - now;
    }
}

/* Wait queues */

void wait_queue_init(struct wait_queue *q)
{
    spin_lock_init(&q->lock, LOCK_RANK_WAIT);
    list_init(&q->waiters);
}

void wait_prepare(struct wait_queue *q, struct waiter *w, enum task_state state)
{
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    w->task = task_current();
    list_add_tail(&w->node, &q->waiters);
    WRITE_ONCE(w->task->sched.state, state);
    spin_unlock_irqrestore(&q->lock, flags);
}

void wait_finish(struct wait_queue *q, struct waiter *w)
{
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    WRITE_ONCE(w->task->sched.state, TASK_RUNNABLE);
    list_del(&w->node);
    spin_unlock_irqrestore(&q->lock, flags);
}

static void wake_some(struct wait_queue *q, unsigned max)
{
    struct waiter *w;
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    list_for_each_entry (w, &q->waiters, node) {
        if (!max--)
            break;
        task_wake(w->task, WAKE_ANY);
    }
    spin_unlock_irqrestore(&q->lock, flags);
}

void wake_all(struct wait_queue *q)
{
    wake_some(q, ~0U);
}

void wake_one(struct wait_queue *q)
{
    wake_some(q, 1);
}
