/* SPDX-License-Identifier: MIT */
/*
 * kernel/sched.h - who runs, who waits
 *
 * Room:   kernel.
 * Owns:   run queues, wait queues, timers, work that interrupts leave for later.
 * Locks:  a run queue's lock (rank RUN_QUEUE), a wait queue's (rank WAIT), timers (rank TIMER).
 * Always: (1) a task gives up its CPU only in schedule(): the kernel is not preempted;
 *         (2) between wait_prepare() and schedule() no wake-up is lost.
 * Source: docs/locking.md.
 * Tour:   after asm/context.h.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/list.h>
#include <stdbool.h>
#include <stdint.h>

struct task;

enum task_state {
    TASK_RUNNABLE, /* runs, or is on a run queue */
    TASK_WAITING,  /* for an event or a signal */
    TASK_BLOCKED,  /* for a lock: signals do not wake it */
    TASK_STOPPED,  /* until SIGCONT or SIGKILL */
    TASK_DEAD
};

/* The scheduler's part of a task. */
struct schedulable {
    enum task_state state; /* under the run queue's lock; also set by the task itself */
    struct list_node node; /* on a run queue */
    unsigned cpu;          /* whose run queue it is on, or was last */
    bool queued;           /* runs or is on a run queue */
    _Atomic bool on_cpu;   /* its registers are in a CPU, not in its context yet */
    bool misplaced;        /* leaves this CPU, which it may not use, for a queue of another */
    uint64_t affinity;     /* the CPUs it may use */
    uint64_t slice_end_ns;
    uint64_t fair_ns;            /* its place in the queue: how long it ran, with those that wait */
    uint64_t run_ns;             /* time spent running */
    uint64_t user_ns, system_ns; /* of that, what ticks saw: load.c */
    uint64_t started_ns;
    uint64_t nr_waits, nr_preemptions; /* how often it gave up the CPU, or had to */
};

struct wait_queue {
    spinlock_t lock;
    struct list_node waiters;
};

struct waiter {
    struct list_node node;
    struct task *task;
};

void wait_queue_init(struct wait_queue *q);

/**
 * wait_prepare() - from now on a wake-up of @q will make schedule() return
 * The pattern: prepare; if the condition does not hold yet, schedule(); finish; look again.
 */
void wait_prepare(struct wait_queue *q, struct waiter *w, enum task_state state);
void wait_finish(struct wait_queue *q, struct waiter *w);
void wake_all(struct wait_queue *q);
void wake_one(struct wait_queue *q);

/* Wait until @cond holds: 0, or -EINTR when @ended, which a signal makes true, holds instead. */
#define wait_event_unless(q, cond, ended)         \
    ({                                            \
        int _err = 0;                             \
        while (!(cond)) {                         \
            struct waiter _w;                     \
            wait_prepare((q), &_w, TASK_WAITING); \
            bool _holds = (cond);                 \
            bool _signal = (ended);               \
            if (!_holds && !_signal)              \
                schedule();                       \
            wait_finish((q), &_w);                \
            if (!_holds && _signal) {             \
                _err = -EINTR;                    \
                break;                            \
            }                                     \
        }                                         \
        _err;                                     \
    })

/* The same, ended by any signal that is there. */
#define wait_event_interruptible(q, cond) wait_event_unless(q, cond, signal_pending_current())

/* Make a waiting task runnable. False: it was not in one of @states. */
bool task_wake(struct task *task, unsigned states);

#define WAKE_ANY     (1U << TASK_WAITING | 1U << TASK_BLOCKED)
#define WAKE_SIGNAL  (1U << TASK_WAITING)
#define WAKE_STOPPED (1U << TASK_STOPPED)

/* Give up the CPU; returns when somebody chose this task again. IRQs as they were. */
void schedule(void);

/* Behind everybody who waits for this CPU. */
void sched_yield(void);

/* A new task may run. */
void sched_start(struct task *task);

/* There is something that @task must do, or look at, before it returns to ring 3: upcall_exit()
 * finds out what. Set after whatever it will look at was written. */
void sched_add_exit_work(struct task *task);

/* The same; and if @task runs on another CPU, make it pass upcall_exit() soon. */
void sched_kick_task(struct task *task);

/* Let @task use only the CPUs of @mask, one of which must be there; it moves if it has to. */
void sched_set_affinity(struct task *task, uint64_t mask);

/* All CPUs that run. */
uint64_t sched_all_cpus(void);

/* Add up the running task's time until now, for its process. */
void sched_account(void);

/* How long @task has run, up to now. */
uint64_t sched_run_ns(const struct task *task);

/* Put the running task to sleep for @ns: 0, or what was left when a signal came. */
uint64_t sched_sleep(uint64_t ns);

/* The same, whatever signals come. */
void sched_pause(uint64_t ns);

/* The same, until a signal comes that ends the task: 0, or -EINTR. */
int sched_pause_killable(uint64_t ns);

/* The same as sched_sleep(), ended by any wake-up: the caller looks at why it came.
 * @set: signals that end it. */
void sched_sleep_for_signal(uint64_t set, uint64_t ns);

/* For load.c: is it a CPU's idle task, how long was a CPU idle, how often did it switch? */
bool sched_is_idle(const struct task *task);
uint64_t sched_idle_ns(unsigned cpu);
uint64_t sched_nr_switches(unsigned cpu);

/* Before the first task: the boot CPU's idle task is who runs now. */
void sched_init_cpu(unsigned cpu);

/* Is a task that could run on no CPU? */
bool sched_somebody_waits(void);

/* This CPU has nothing else to do, ever. */
_Noreturn void sched_idle_loop(void);

/* From the timer's and the rescheduling interrupt. IRQs off. */
void sched_timer(void);
void sched_kick(void);
bool sched_wanted(void);

/* Work that an interrupt leaves for a moment when locks may be taken: this CPU's next return to
 * ring 3, or its next idle moment. IRQs on, no locks held. */
struct deferred {
    struct list_node node;
    void (*run)(struct deferred *work);
};

/* IRQs off. @work is not on a list yet. */
void sched_defer(struct deferred *work);
bool sched_has_deferred(void);
void sched_run_deferred(void);

/* The first call of a new task, as it starts: the task before it is saved. */
void sched_finish_switch(void);

/* One-shot timers. */
struct timer {
    struct list_node node;
    uint64_t when_ns;                  /* by clock_ns() */
    void (*fire)(struct timer *timer); /* IRQs off; may arm again */
    unsigned cpu;
    bool armed;
};

void timer_start(struct timer *timer, uint64_t when_ns);

/* False: it fired already or was never armed. After this it does not run any more: waits for a
 * fire() on another CPU. Context: no lock held that fire() takes. */
bool timer_stop(struct timer *timer);
