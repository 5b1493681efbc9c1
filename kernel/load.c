/* SPDX-License-Identifier: MIT */
/*
 * kernel/load.c - how busy the machine is, and with what: a tick on each CPU that has work
 *
 * Room:   kernel.
 * Owns:   each CPU's tick, what the ticks saw, the load averages.
 * Locks:  the averages' own (rank TIMER); tasks_lock while tasks are counted.
 * Always: (1) see load.h; (2) what a task ran since the last tick that met it counts as the
 *             program's or as the kernel's, by where that tick met it.
 * Source: proc_loadavg(5); Linux kernel/sched/loadavg.c, cputime.c (behaviour).
 * Tour:   after kernel/sched.c; kernel/proc_machine.c shows it.
 */
#include "load.h"

#include "process.h"
#include <asm/cpu.h>
#include <asm/time.h>

#define TICK_NS   10000000UL
#define SAMPLE_NS 5000000000UL

static struct cpu_load {
    struct timer tick;
    bool in_program;             /* the interrupt that fires the tick came from ring 3 */
    uint64_t user_ns, system_ns; /* attributed */
} __aligned(CACHE_LINE_SIZE) cpu_loads[MAX_CPUS];

/* Ticks. */

static void attribute(uint64_t *user_ns, uint64_t *system_ns, uint64_t busy_ns, bool user)
{
    uint64_t known = *user_ns + *system_ns;
    if (busy_ns > known)
        *(user ? user_ns : system_ns) += busy_ns - known;
}

static void sample_if_due(void);

static void tick(struct timer *timer)
{
    struct cpu_load *load = container_of(timer, struct cpu_load, tick);
    struct task *task = task_current();
    bool user = load->in_program;

    if (sched_is_idle(task))
        return; /* load_cpu_busy() begins again */
    struct schedulable *s = &task->sched;
    attribute(&s->user_ns, &s->system_ns, sched_run_ns(task), user);
    attribute(&load->user_ns, &load->system_ns, clock_ns() - sched_idle_ns(cpu_id()), user);
    sample_if_due();
    timer_start(timer, clock_ns() + TICK_NS);
}

void load_cpu_busy(void)
{
    struct cpu_load *load = &cpu_loads[cpu_id()];
    if (load->tick.armed)
        return;
    load->tick.fire = tick;
    timer_start(&load->tick, clock_ns() + TICK_NS);
}

void load_interrupted(bool in_program)
{
    cpu_loads[cpu_id()].in_program = in_program;
}

void load_cpu_times(unsigned cpu, struct cpu_times *out)
{
    *out = (struct cpu_times){.user_ns = READ_ONCE(cpu_loads[cpu].user_ns),
                              .system_ns = READ_ONCE(cpu_loads[cpu].system_ns),
                              .idle_ns = sched_idle_ns(cpu)};
}

/* Averages */

static spinlock_t averages_lock = SPINLOCK_INIT(LOCK_RANK_TIMER);
static uint64_t averages[3], next_sample_ns = SAMPLE_NS;
static _Atomic bool sampling;

/* Over 1, 5, 15 minutes: e to the power of -5/60, -5/300, -5/900, times LOAD_ONE. */
static const uint64_t decays[3] = {1884, 2014, 2037};

static void fold_in(uint64_t active)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t sum = averages[i] * decays[i] + active * (LOAD_ONE - decays[i]);
        averages[i] = (sum + (active >= averages[i] ? LOAD_ONE - 1 : 0)) >> LOAD_SHIFT;
    }
}

/* Samples that nobody took were of an idle machine. Returns whether one is due now. */
static bool catch_up(uint64_t now)
{
    if (now < next_sample_ns)
        return false;
    for (uint64_t missed = (now - next_sample_ns) / SAMPLE_NS; missed; missed--) {
        fold_in(0);
        next_sample_ns += SAMPLE_NS;
    }
    next_sample_ns += SAMPLE_NS;
    return true;
}

struct load_now load_now(void)
{
    struct load_now now = {0};
    struct process *p;
    struct task *task;

    tasks_lock();
    for_each_process(p)
    {
        list_for_each_entry (task, &p->tasks, process_node) {
            enum task_state state = READ_ONCE(task->sched.state);
            now.runnable += state == TASK_RUNNABLE;
            now.blocked += state == TASK_BLOCKED;
            now.all++;
        }
    }
    tasks_unlock();
    return now;
}

uint64_t load_nr_faults(void)
{
    const struct process *p;
    uint64_t sum = 0;

    tasks_lock();
    for_each_process(p) sum += usage_of_process(p).faults + p->children_usage.faults;
    tasks_unlock();
    return sum;
}

static void sample(struct deferred *work)
{
    struct load_now now = load_now();
    (void)work;

    irq_flags_t flags = spin_lock_irqsave(&averages_lock);
    if (catch_up(clock_ns()))
        fold_in((now.runnable + now.blocked) * LOAD_ONE);
    spin_unlock_irqrestore(&averages_lock, flags);
    atomic_store(&sampling, false);
}

static void sample_if_due(void)
{
    static struct deferred work = {.run = sample};

    if (clock_ns() >= READ_ONCE(next_sample_ns) && !atomic_exchange(&sampling, true))
        sched_defer(&work);
}

void load_averages(uint64_t out[3])
{
    irq_flags_t flags = spin_lock_irqsave(&averages_lock);
    if (clock_ns() >= next_sample_ns + SAMPLE_NS && catch_up(clock_ns()))
        fold_in(0);
    for (unsigned i = 0; i < 3; i++)
        out[i] = averages[i];
    spin_unlock_irqrestore(&averages_lock, flags);
}
