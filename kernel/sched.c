/* SPDX-License-Identifier: MIT */
/*
 * kernel/sched.c - run queues, one per CPU: who ran least is next; idle CPUs steal; timers
 *
 * Room:   kernel.
 * Owns:   which task a CPU runs.
 * Locks:  queue.lock (rank RUN_QUEUE), IRQs off; one at a time.
 * Always: (1) a runnable task that does not run is on exactly one queue;
 *         (2) a task is switched to only after the CPU it left has saved it (on_cpu);
 *         (3) a waker that finds the task still running only changes its state;
 *         (4) no CPU stays idle while a task waits: whoever enqueues looks for idle CPUs after it,
 *             whoever goes idle says so first and then looks for tasks.
 * Source: Linux Documentation/scheduler/sched-design-CFS.rst, for the life of on_rq and on_cpu.
 * Tour:   after kernel/task.h.
 */
#include "sched.h"

#include "load.h"
#include "quiet.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/smp.h>
#include <asm/time.h>
#include <asm/tlb.h>
#include <base/panic.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define SLICE_NS (10 * 1000 * 1000UL)
#define BONUS_NS (6 * 1000 * 1000UL)
#define AHEAD_NS (1 * 1000 * 1000UL) /* who is so far ahead of the running task replaces it */
#define TICK_NS  (4 * 1000 * 1000UL) /* how exactly timers that count CPU time are watched */

struct run_queue {
    spinlock_t lock;
    struct list_node tasks; /* waiting for the CPU, by fair_ns */
    uint64_t floor_ns;      /* the largest fair_ns that was ever chosen */
    unsigned nr;
    uint64_t nr_switches; /* [this CPU] */
    struct task *idle;
    bool resched;        /* the running task should call schedule() [this CPU] */
    _Atomic bool idling; /* halted, or about to */
    spinlock_t timer_lock;
    struct list_node timers;      /* soonest first */
    struct timer *_Atomic firing; /* its fire() runs now */
    struct list_node deferred;    /* struct deferred [this CPU, IRQs off] */
} __aligned(CACHE_LINE_SIZE);

static struct run_queue queues[MAX_CPUS];
static struct task idle_tasks[MAX_CPUS];

static struct run_queue *my_queue(void)
{
    return &queues[cpu_id()];
}

/* @task comes from another queue, or from sleep: claim 4. */
static void queue_add(struct run_queue *q, struct task *task)
{
    struct list_node *pos = q->tasks.prev;

    task->sched.cpu = q - queues;
    while (pos != &q->tasks &&
           list_entry(pos, struct task, sched.node)->sched.fair_ns > task->sched.fair_ns)
        pos = pos->prev;
    list_add(&task->sched.node, pos);
    q->nr++;
}

static struct task *queue_take(struct run_queue *q)
{
    if (list_empty(&q->tasks))
        return NULL;
    struct task *task = list_first_entry(&q->tasks, struct task, sched.node);
    list_del(&task->sched.node);
    q->nr--;
    q->floor_ns = max(q->floor_ns, task->sched.fair_ns);
    return task;
}

/* Claim 4. Places are comparable within a queue only: @from's floor becomes @to's. */
static void fair_move(struct task *task, const struct run_queue *from, const struct run_queue *to)
{
    uint64_t floor = READ_ONCE(to->floor_ns), old = READ_ONCE(from->floor_ns);
    uint64_t behind = task->sched.fair_ns > old ? task->sched.fair_ns - old : 0;
    uint64_t ahead = old > task->sched.fair_ns ? min(old - task->sched.fair_ns, BONUS_NS) : 0;
    task->sched.fair_ns = floor + behind > ahead ? floor + behind - ahead : 0;
}

uint64_t sched_all_cpus(void)
{
    return nr_cpus() == 64 ? ~0UL : (1UL << nr_cpus()) - 1;
}

static bool may_use(const struct task *task, unsigned cpu)
{
    return READ_ONCE(task->sched.affinity) >> cpu & 1;
}

/*
 * Where a task that wakes up goes: its old CPU's cache, unless only others are idle. A task that
 * its CPU has not saved yet stays there: so no CPU ever waits for another to finish a switch.
 */
static unsigned place_for(const struct task *task)
{
    unsigned cpu = task->sched.cpu;
    if (atomic_load(&task->sched.on_cpu))
        return cpu;
    if (may_use(task, cpu) && atomic_load(&queues[cpu].idling))
        return cpu;
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (may_use(task, i) && atomic_load(&queues[i].idling) && !READ_ONCE(queues[i].nr))
            return i;
    return may_use(task, cpu) ? cpu : (unsigned)__builtin_ctzl(READ_ONCE(task->sched.affinity));
}

/* The next interrupt this CPU needs: its first timer, or the end of the slice if others wait. */
static void timer_rearm(struct run_queue *q)
{
    irq_flags_t flags = spin_lock_irqsave(&q->timer_lock);
    uint64_t when = ~0UL, now = clock_ns();
    if (!list_empty(&q->timers))
        when = list_first_entry(&q->timers, struct timer, node)->when_ns;
    struct task *task = task_current();
    if (READ_ONCE(q->nr) && !q->resched)
        when = min(when, task->sched.slice_end_ns);
    if (task->process && process_counts_cpu_time(task->process))
        when = min(when, now + TICK_NS);
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

/* The running task gives this CPU up as soon as it can. */
static void resched(struct run_queue *q)
{
    q->resched = true;
    sched_add_exit_work(task_current());
}

bool sched_somebody_waits(void)
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
    fair_move(task, &queues[task->sched.cpu], q);
    queue_add(q, task);
    spin_unlock_irqrestore(&q->lock, flags);
    if (cpu != cpu_id()) {
        smp_reschedule(cpu);
        return;
    }
    const struct schedulable *running = &task_current()->sched;
    uint64_t ran = clock_ns() - running->started_ns;
    if (task->sched.fair_ns + AHEAD_NS < running->fair_ns + ran)
        resched(q);
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
    task->sched.fair_ns = my_queue()->floor_ns;
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

/* What @thief may take from @q, whose lock is held. */
static struct task *loot(struct run_queue *q, unsigned thief)
{
    struct task *task;
    list_for_each_entry (task, &q->tasks, sched.node) {
        if (!atomic_load(&task->sched.on_cpu) && may_use(task, thief)) /* else: not saved yet */
            return task;
    }
    return NULL;
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
    spin_lock(&longest->lock);
    struct task *task = loot(longest, thief - queues);
    if (task) {
        list_del(&task->sched.node);
        longest->nr--;
        fair_move(task, longest, thief);
        task->sched.cpu = thief - queues;
    }
    spin_unlock(&longest->lock);
    return task;
}

/* The time that @task ran since this was last asked. On its own CPU, IRQs off. */
static void account_run(struct task *task, uint64_t now)
{
    uint64_t ran = now - task->sched.started_ns;
    task->sched.run_ns += ran;
    task->sched.fair_ns += ran;
    task->sched.started_ns = now;
    if (task->process)
        atomic_fetch_add_explicit(&task->process->run_ns, ran, memory_order_relaxed);
}

void sched_account(void)
{
    irq_flags_t flags = irq_save();
    account_run(task_current(), clock_ns());
    irq_restore(flags);
}

uint64_t sched_run_ns(const struct task *task)
{
    irq_flags_t flags = irq_save();
    uint64_t ns = READ_ONCE(task->sched.run_ns), started = READ_ONCE(task->sched.started_ns);
    uint64_t now = clock_ns();
    irq_restore(flags);
    return atomic_load(&task->sched.on_cpu) && now > started ? ns + now - started : ns;
}

static void account(struct task *from, struct task *to)
{
    uint64_t now = clock_ns();
    account_run(from, now);
    to->sched.started_ns = now;
    to->sched.slice_end_ns = now + SLICE_NS;
}

/* The first thing a task does after it was switched to: the one before is saved now. */
static void switched_from(struct task *from)
{
    bool dead = from->sched.state == TASK_DEAD, misplaced = from->sched.misplaced;
    from->sched.misplaced = false;
    atomic_store_explicit(&from->sched.on_cpu, false, memory_order_release);
    if (misplaced)
        enqueue(from, place_for(from));
    else if (dead)
        task_free(from);
}

static struct task *left_task[MAX_CPUS]; /* by CPU: who was switched away from last */

void sched_finish_switch(void)
{
    struct task *task = task_current();

    switched_from(left_task[cpu_id()]);
    sched_add_exit_work(task); /* it knows nothing of this CPU, nor of what happened meanwhile */
    if (READ_ONCE(my_queue()->nr) || (task->process && process_counts_cpu_time(task->process)))
        timer_rearm(my_queue());
}

static void switch_to(struct task *from, struct task *to)
{
    ASSERT(!atomic_load_explicit(&to->sched.on_cpu, memory_order_acquire), "claim 2");
    if (sched_is_idle(from))
        load_cpu_busy();
    my_queue()->nr_switches++;
    atomic_store(&to->sched.on_cpu, true);
    account(from, to);
    left_task[cpu_id()] = from;
    rseq_switched(to);
    to->mm ? tlb_switch(&to->mm->pgtable) : tlb_idle();
    context_switch(&from->context, &to->context, to);
    sched_finish_switch(); /* perhaps on another CPU, much later */
}

/* The next task of @q that may run here; those that may not any more go elsewhere. */
static struct task *take_next(struct run_queue *q, struct task *from)
{
    for (;;) {
        spin_lock(&q->lock);
        struct task *to = queue_take(q);
        spin_unlock(&q->lock);
        if (!to || may_use(to, q - queues))
            return to;
        if (to == from)
            from->sched.misplaced = true; /* once it is saved */
        else
            enqueue(to, place_for(to));
    }
}

void schedule(void)
{
    irq_flags_t flags = irq_save();
    struct run_queue *q = my_queue();
    struct task *from = task_current();

    q->resched = false;
    account_run(from, clock_ns());
    spin_lock(&q->lock);
    bool goes_on = from->sched.state == TASK_RUNNABLE;
    if (!goes_on)
        from->sched.queued = false;
    else if (from != q->idle)
        queue_add(q, from);
    spin_unlock(&q->lock);

    struct task *to = take_next(q, from);
    if (!to)
        to = steal(q);
    if (!to)
        to = q->idle;
    if (to != from) {
        goes_on ? from->sched.nr_preemptions++ : from->sched.nr_waits++;
        switch_to(from, to);
    } else {
        to->sched.slice_end_ns = clock_ns() + SLICE_NS;
        timer_rearm(q);
    }
    irq_restore(flags);
}

void sched_add_exit_work(struct task *task)
{
    atomic_store_explicit(&task->context.exit_work, true, memory_order_release);
}

void sched_kick_task(struct task *task)
{
    sched_add_exit_work(task);
    unsigned cpu = READ_ONCE(task->sched.cpu);
    if (task != task_current() && atomic_load(&task->sched.on_cpu))
        smp_reschedule(cpu);
}

/* Off the queue of a CPU that it may not use any more. */
static bool take_off_queue(struct task *task)
{
    for (;;) {
        unsigned cpu = READ_ONCE(task->sched.cpu);
        struct run_queue *q = &queues[cpu];
        irq_flags_t flags = spin_lock_irqsave(&q->lock);
        bool same = task->sched.cpu == cpu;
        bool take = same && !may_use(task, cpu) && !list_empty(&task->sched.node) &&
                    !atomic_load(&task->sched.on_cpu);
        if (take) {
            list_del(&task->sched.node);
            q->nr--;
        }
        spin_unlock_irqrestore(&q->lock, flags);
        if (same)
            return take;
    }
}

void sched_set_affinity(struct task *task, uint64_t mask)
{
    WRITE_ONCE(task->sched.affinity, mask);
    atomic_thread_fence(memory_order_seq_cst);
    if (take_off_queue(task))
        enqueue(task, place_for(task));
    else if (task == task_current() && !may_use(task, cpu_id()))
        schedule();
    else
        sched_kick_task(task);
}

void sched_yield(void)
{
    struct run_queue *q = my_queue();
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    if (!list_empty(&q->tasks)) {
        uint64_t last = list_entry(q->tasks.prev, struct task, sched.node)->sched.fair_ns;
        task_current()->sched.fair_ns = max(task_current()->sched.fair_ns, last);
    }
    spin_unlock_irqrestore(&q->lock, flags);
    schedule();
}

bool sched_is_idle(const struct task *task)
{
    return task >= idle_tasks && task < idle_tasks + MAX_CPUS;
}

uint64_t sched_idle_ns(unsigned cpu)
{
    return sched_run_ns(&idle_tasks[cpu]);
}

uint64_t sched_nr_switches(unsigned cpu)
{
    return READ_ONCE(queues[cpu].nr_switches);
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
    list_init(&q->deferred);
    strlcpy(idle->name, "idle", sizeof(idle->name));
    idle->sched.queued = true;
    atomic_store(&idle->sched.on_cpu, true);
    idle->sched.cpu = cpu;
    idle->sched.affinity = 1UL << cpu;
    q->idle = idle;
    task_set_current(idle);
}

_Noreturn void sched_idle_loop(void)
{
    struct run_queue *q = my_queue();
    for (;;) {
        irq_enable();
        sched_run_deferred();
        schedule();
        quiet_idle();
        irq_disable();
        atomic_store(&q->idling, true);
        if (!sched_somebody_waits() && !q->resched && list_empty(&q->deferred) &&
            !quiet_is_wanted()) /* it may have left quiet_idle() for work that another took */
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
    while (q != my_queue() && atomic_load(&q->firing) == timer)
        cpu_relax();
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
        atomic_store(&q->firing, timer);
        spin_unlock(&q->timer_lock);
        if (DEBUG >= 1)
            lock_debug_acquire(timer, LOCK_RANK_INTERRUPT);
        timer->fire(timer);
        if (DEBUG >= 1)
            lock_debug_release(timer, LOCK_RANK_INTERRUPT);
        spin_lock(&q->timer_lock);
        atomic_store(&q->firing, NULL);
    }
    spin_unlock(&q->timer_lock);
}

/* Somebody waits here while a CPU is idle that saw nothing to steal when it last looked. */
static void call_thief(const struct run_queue *q)
{
    for (unsigned i = 0; READ_ONCE(q->nr) && i < nr_cpus(); i++) {
        if (atomic_load(&queues[i].idling)) {
            smp_reschedule(i);
            return;
        }
    }
}

void sched_timer(void)
{
    struct run_queue *q = my_queue();
    struct task *task = task_current();

    timers_run(q);
    if (q->nr && clock_ns() >= task->sched.slice_end_ns) {
        resched(q);
        call_thief(q);
    }
    if (task->process && process_counts_cpu_time(task->process)) {
        account_run(task, clock_ns());
        cpu_timers_tick(task->process);
    }
    timer_rearm(q);
}

/* Deferred work */

void sched_defer(struct deferred *work)
{
    list_add_tail(&work->node, &my_queue()->deferred);
    sched_add_exit_work(task_current());
}

bool sched_has_deferred(void)
{
    return !list_empty(&my_queue()->deferred);
}

void sched_run_deferred(void)
{
    for (;;) {
        irq_flags_t flags = irq_save();
        struct list_node *list = &my_queue()->deferred;
        struct deferred *work = NULL;
        if (!list_empty(list)) {
            work = list_first_entry(list, struct deferred, node);
            list_del(&work->node);
        }
        irq_restore(flags);
        if (!work)
            return;
        work->run(work);
    }
}

/* The rescheduling interrupt: something was put on this CPU's queue. */
void sched_kick(void)
{
    resched(my_queue());
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

void sched_pause(uint64_t ns)
{
    struct sleep_timer sleep = {.timer.fire = sleep_over, .task = task_current()};
    uint64_t end = clock_ns() + ns;

    while (clock_ns() < end) {
        WRITE_ONCE(task_current()->sched.state, TASK_BLOCKED);
        timer_start(&sleep.timer, end);
        schedule();
        timer_stop(&sleep.timer);
    }
}

int sched_pause_killable(uint64_t ns)
{
    struct sleep_timer sleep = {.timer.fire = sleep_over, .task = task_current()};
    uint64_t end = clock_ns() + ns;
    bool fatal = false;

    while (!fatal && clock_ns() < end) {
        WRITE_ONCE(task_current()->sched.state, TASK_WAITING);
        timer_start(&sleep.timer, end);
        atomic_thread_fence(memory_order_seq_cst);
        fatal = signal_fatal_current();
        if (!fatal)
            schedule();
        WRITE_ONCE(task_current()->sched.state, TASK_RUNNABLE);
        timer_stop(&sleep.timer);
    }
    return fatal ? -EINTR : 0;
}

void sched_sleep_for_signal(uint64_t set, uint64_t ns)
{
    struct task *task = task_current();
    struct sleep_timer sleep = {.timer.fire = sleep_over, .task = task};
    uint64_t end = clock_ns() + ns;

    WRITE_ONCE(task->sched.state, TASK_WAITING);
    timer_start(&sleep.timer, end);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t pending =
        READ_ONCE(task->signals.pending.mask) | READ_ONCE(task->process->signals.shared.mask);
    if (!(pending & set) && !signal_pending_current())
        schedule();
    WRITE_ONCE(task->sched.state, TASK_RUNNABLE);
    timer_stop(&sleep.timer);
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
    atomic_thread_fence(memory_order_seq_cst); /* the caller looks at its condition after this */
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
