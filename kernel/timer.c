/* SPDX-License-Identifier: MIT */
/*
 * kernel/timer.c - timers of a process: setitimer(2), alarm(2), timer_create(2)
 *
 * Room:   kernel.
 * Owns:   struct process_timer.
 * Locks:  see kernel/timer.h. The clock's interrupt only notes that a timer is due; what follows
 *         needs the tree lock (rank TASKS), and is deferred.
 * Always: (1) a timer that is armed, or whose deferred work is on a list, has a reference for that;
 *         (2) deferred work looks at the clock again: a timer set anew meanwhile is not due.
 * Source: timer_create(2), setitimer(2), timer_getoverrun(2).
 * Tour:   after kernel/clock.c, kernel/signal.c.
 */
#include "timer.h"

#include "clock.h"
#include "process.h"
#include "syscall.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/misc.h>
#include <uapi/timer.h>

#define ITIMER_ID  -1 /* of those that setitimer() made */
#define TIMERS_MAX 1024

/* [I] fixed at creation  [s] the process's signal lock  [a] atomic */
struct process_timer {
    struct list_node node; /* on process_timers.list [s] */
    struct timer timer;    /* for clocks that show the time */
    struct deferred work;
    _Atomic uint32_t refcount;  /* [a] */
    _Atomic bool work_pending;  /* [a] */
    struct process *process;    /* a reference [I] */
    int id, clock;              /* [I] */
    int notify, signo, tid;     /* tid 0: any task [I] */
    uint64_t value;             /* for siginfo [I] */
    bool armed;                 /* [s] */
    bool sent;                  /* its signal was sent, and not taken yet [s] */
    uint64_t due_ns, period_ns; /* by clock_ns(), or in CPU time [s] */
    int overrun;                /* of the last signal that was taken [s] */
};

static const int itimer_clocks[ITIMERS] = {CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                           CLOCK_PROCESS_CPUTIME_ID};
static const int itimer_signals[ITIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

static void timer_put(struct process_timer *t)
{
    if (atomic_fetch_sub(&t->refcount, 1) != 1)
        return;
    process_put(t->process);
    kmem_free(t);
}

/* What the timer's clock shows, in the unit of due_ns. tasks_lock held. */
static uint64_t timer_now(const struct process_timer *t)
{
    const struct task *task;

    if (!clock_is_cpu(t->clock))
        return clock_ns();
    if (t->clock != CLOCK_THREAD_CPUTIME_ID)
        return process_run_ns(t->process);
    task = task_find(t->tid);
    return task ? sched_run_ns(task) : 0;
}

/* From here on it is watched. Signal lock held, not armed. */
static void arm(struct process_timer *t)
{
    t->armed = true;
    if (clock_is_cpu(t->clock)) {
        atomic_fetch_add(&t->process->timers.nr_cpu_armed, 1);
    } else {
        atomic_fetch_add(&t->refcount, 1); /* claim 1 */
        timer_start(&t->timer, t->due_ns);
    }
}

/* Signal lock held. */
static void disarmed(struct process_timer *t)
{
    t->armed = false;
    if (clock_is_cpu(t->clock))
        atomic_fetch_sub(&t->process->timers.nr_cpu_armed, 1);
}

/* The first time after @now that is a whole number of periods after the last; how many passed. */
static int advance(struct process_timer *t, uint64_t now)
{
    uint64_t missed = now > t->due_ns ? (now - t->due_ns) / t->period_ns : 0;
    t->due_ns += (missed + 1) * t->period_ns;
    return min(missed, (uint64_t)INT32_MAX);
}

static int timer_send(struct process_timer *t)
{
    struct uapi_siginfo info = {.signo = t->signo, .code = SI_KERNEL};

    if (t->id != ITIMER_ID)
        info = (struct uapi_siginfo){
            .signo = t->signo, .code = SI_TIMER, .pid = t->id, .value = t->value};
    if (t->notify != SIGEV_THREAD_ID)
        return signal_send_process(t->process, &info);
    struct task *task = task_find(t->tid);
    return task && task->process == t->process ? signal_send_task(task, &info) : 0;
}

/* Does the signal come back to timers_signal_taken()? Else nobody sets a periodic timer again. */
static bool signal_waits(const struct process_timer *t)
{
    return t->notify != SIGEV_NONE && !clock_is_cpu(t->clock);
}

/* Claim 2. tasks_lock held. */
static void timer_look(struct process_timer *t)
{
    struct signal_state *state = &t->process->signals;
    uint64_t now = timer_now(t);

    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    bool due = t->armed && now >= t->due_ns;
    if (due) {
        disarmed(t);
        t->sent = t->notify != SIGEV_NONE;
        if (t->period_ns && !signal_waits(t)) {
            t->overrun = advance(t, now);
            arm(t);
        }
    }
    spin_unlock_irqrestore(&state->lock, flags);
    if (due && t->notify != SIGEV_NONE && timer_send(t))
        t->sent = false;
}

static void timer_work(struct deferred *work)
{
    struct process_timer *t = container_of(work, struct process_timer, work);

    atomic_store(&t->work_pending, false);
    tasks_lock();
    timer_look(t);
    tasks_unlock();
    timer_put(t);
}

/* The clock's interrupt. */
static void timer_fire(struct timer *timer)
{
    struct process_timer *t = container_of(timer, struct process_timer, timer);
    if (atomic_exchange(&t->work_pending, true))
        atomic_fetch_sub(&t->refcount, 1); /* the work that waits has one, too: not the last */
    else
        sched_defer(&t->work);
}

/* CPU time */

static void cpu_timers_work(struct deferred *work)
{
    struct process_timers *timers = container_of(work, struct process_timers, cpu_work);
    struct process *process = container_of(timers, struct process, timers);
    struct process_timer *t, *after;

    atomic_store(&timers->cpu_work_pending, false);
    tasks_lock();
    for (unsigned i = 0; i < ITIMERS; i++)
        if (timers->itimer[i] && clock_is_cpu(timers->itimer[i]->clock))
            timer_look(timers->itimer[i]);
    list_for_each_safe (t, after, &timers->list, node) {
        if (clock_is_cpu(t->clock))
            timer_look(t);
    }
    tasks_unlock();
    process_put(process);
}

void cpu_timers_tick(struct process *process)
{
    if (atomic_exchange(&process->timers.cpu_work_pending, true))
        return;
    process_get(process);
    sched_defer(&process->timers.cpu_work);
}

/* The signal was taken */

static struct process_timer *timer_find(struct process *process, int id)
{
    struct process_timer *t;
    list_for_each_entry (t, &process->timers.list, node) {
        if (t->id == id)
            return t;
    }
    return NULL;
}

void timers_signal_taken(struct process *process, struct uapi_siginfo *info)
{
    struct process_timer *t = NULL;

    if (info->code == SI_TIMER)
        t = timer_find(process, info->pid);
    else if (info->signo == SIGALRM && info->code == SI_KERNEL)
        t = process->timers.itimer[ITIMER_REAL];
    if (!t || !t->sent)
        return;
    t->sent = false;
    if (t->period_ns && !t->armed) {
        t->overrun = advance(t, clock_ns());
        arm(t);
    }
    if (info->code == SI_TIMER)
        info->uid = t->overrun;
}

/* Life */

void timers_init(struct process_timers *timers)
{
    mutex_init(&timers->setting);
    list_init(&timers->list);
    timers->cpu_work.run = cpu_timers_work;
}

static struct process_timer *timer_new(int id, int clock)
{
    struct process_timer *t = kmem_alloc(sizeof(*t), SLAB_ALLOC_ZERO);
    if (!t)
        return NULL;
    atomic_store(&t->refcount, 1);
    list_init(&t->node);
    t->timer.fire = timer_fire;
    t->work.run = timer_work;
    t->process = process_current();
    process_get(t->process);
    t->id = id;
    t->clock = clock;
    return t;
}

/* It does not fire any more. timers.setting held, or the process has ended. */
static void timer_disarm(struct process_timer *t)
{
    struct signal_state *state = &t->process->signals;

    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    bool was = t->armed;
    if (was)
        disarmed(t);
    t->sent = false;
    spin_unlock_irqrestore(&state->lock, flags);
    if (was && !clock_is_cpu(t->clock) && timer_stop(&t->timer))
        timer_put(t);
}

static void timer_delete(struct process_timer *t)
{
    struct signal_state *state = &t->process->signals;

    timer_disarm(t);
    tasks_lock(); /* cpu_timers_work() walks the list under it */
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    list_del(&t->node);
    spin_unlock_irqrestore(&state->lock, flags);
    tasks_unlock();
    timer_put(t);
}

void timers_exec(struct process *process)
{
    struct process_timers *timers = &process->timers;
    mutex_lock(&timers->setting);
    while (!list_empty(&timers->list))
        timer_delete(list_first_entry(&timers->list, struct process_timer, node));
    timers->next_id = 0;
    mutex_unlock(&timers->setting);
}

void timers_exit(struct process *process)
{
    struct process_timers *timers = &process->timers;

    timers_exec(process);
    for (unsigned i = 0; i < ITIMERS; i++) {
        struct process_timer *t = timers->itimer[i];
        if (!t)
            continue;
        timer_disarm(t);
        tasks_lock();
        irq_flags_t flags = spin_lock_irqsave(&process->signals.lock);
        timers->itimer[i] = NULL;
        spin_unlock_irqrestore(&process->signals.lock, flags);
        tasks_unlock();
        timer_put(t);
    }
}

/* Setting */

struct setting {
    uint64_t left_ns, period_ns;
};

static struct setting setting_now(const struct process_timer *t)
{
    tasks_lock();
    uint64_t now = timer_now(t);
    tasks_unlock();
    struct setting s = {.period_ns = t->period_ns};
    if (t->armed)
        s.left_ns = t->due_ns > now ? t->due_ns - now : 1;
    else if (t->sent && t->period_ns) /* runs on when the signal is taken */
        s.left_ns = t->period_ns - (now > t->due_ns ? now - t->due_ns : 0) % t->period_ns;
    return s;
}

/* @absolute: s->left_ns is a time of the clock. timers.setting held. */
static void timer_set(struct process_timer *t, const struct setting *s, bool absolute)
{
    struct signal_state *state = &t->process->signals;

    timer_disarm(t);
    tasks_lock();
    uint64_t now = timer_now(t);
    irq_flags_t flags = spin_lock_irqsave(&state->lock);
    t->period_ns = s->period_ns;
    t->overrun = 0;
    if (s->left_ns) {
        t->due_ns = !absolute                ? now + s->left_ns
                    : clock_is_cpu(t->clock) ? s->left_ns
                                             : clock_to_monotonic(t->clock, s->left_ns);
        arm(t);
    }
    spin_unlock_irqrestore(&state->lock, flags);
    tasks_unlock();
    if (clock_is_cpu(t->clock))
        schedule(); /* sets this CPU's clock */
}

/* itimers */

static struct process_timer *itimer_get(int which)
{
    struct process_timers *timers = &process_current()->timers;
    if (!timers->itimer[which]) {
        struct process_timer *t = timer_new(ITIMER_ID, itimer_clocks[which]);
        if (t) {
            t->notify = SIGEV_SIGNAL;
            t->signo = itimer_signals[which];
        }
        timers->itimer[which] = t;
    }
    return timers->itimer[which];
}

static int itimer_exchange(int which, const struct setting *new, struct setting *old)
{
    struct process_timers *timers = &process_current()->timers;
    int err = 0;

    *old = (struct setting){0};
    mutex_lock(&timers->setting);
    if (timers->itimer[which])
        *old = setting_now(timers->itimer[which]);
    if (new && (new->left_ns || timers->itimer[which])) {
        struct process_timer *t = itimer_get(which);
        if (t)
            timer_set(t, new, false);
        else
            err = -ENOMEM;
    }
    mutex_unlock(&timers->setting);
    return err;
}

struct itimerval {
    int64_t period[2], left[2]; /* seconds, microseconds */
};

static int itimerval_parse(const struct itimerval *v, struct setting *out)
{
    struct uapi_timespec left = {v->left[0], v->left[1] * NS_PER_US};
    struct uapi_timespec period = {v->period[0], v->period[1] * NS_PER_US};

    if ((uint64_t)v->left[1] >= 1000000 || (uint64_t)v->period[1] >= 1000000)
        return -EINVAL;
    int err = timespec_parse(&left, &out->left_ns);
    return err ? err : timespec_parse(&period, &out->period_ns);
}

static int itimerval_write(const struct setting *s, user_addr_t out)
{
    uint64_t left = s->left_ns && s->left_ns < NS_PER_US ? NS_PER_US : s->left_ns;
    struct itimerval v = {
        .period = {s->period_ns / NS_PER_SEC, s->period_ns % NS_PER_SEC / NS_PER_US},
        .left = {left / NS_PER_SEC, left % NS_PER_SEC / NS_PER_US},
    };
    return copy_to_user(out, &v, sizeof(v));
}

int64_t sys_getitimer(int which, user_addr_t out)
{
    struct setting s;
    if (which < 0 || which >= ITIMERS)
        return -EINVAL;
    int err = itimer_exchange(which, NULL, &s);
    return err ? err : itimerval_write(&s, out);
}

int64_t sys_setitimer(int which, user_addr_t in, user_addr_t out)
{
    struct itimerval v = {0};
    struct setting new, old;

    if (in.raw && copy_from_user(&v, in, sizeof(v)))
        return -EFAULT;
    int err = itimerval_parse(&v, &new);
    if (!err && (which < 0 || which >= ITIMERS))
        err = -EINVAL;
    if (!err)
        err = itimer_exchange(which, &new, &old);
    return err ? err : out.raw ? itimerval_write(&old, out) : 0;
}

int64_t sys_alarm(unsigned seconds)
{
    struct setting new = {.left_ns = seconds * NS_PER_SEC}, old;
    int err = itimer_exchange(ITIMER_REAL, &new, &old);
    if (err || !old.left_ns)
        return 0;
    uint64_t rounded = (old.left_ns + NS_PER_SEC / 2) / NS_PER_SEC;
    return max(rounded, 1UL); /* 0 would say that there was none */
}

/* POSIX timers */

static int check_clock(int clock)
{
    uint64_t ns;
    if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
        clock == CLOCK_MONOTONIC_COARSE)
        return -EOPNOTSUPP;
    return clock_now(clock, &ns);
}

/* What @event asks for, into @t. */
static int event_apply(struct process_timer *t, const struct uapi_sigevent *event)
{
    if (event->notify != SIGEV_NONE && (event->signo <= 0 || event->signo > SIGNALS))
        return -EINVAL;
    if (event->notify != SIGEV_NONE && event->notify != SIGEV_SIGNAL &&
        event->notify != SIGEV_THREAD && event->notify != SIGEV_THREAD_ID)
        return -EINVAL;
    if (event->notify == SIGEV_THREAD_ID) {
        tasks_lock();
        const struct task *task = task_named(event->tid);
        bool ours = task && task->process == process_current();
        int tid = ours ? task->tid : 0;
        tasks_unlock();
        if (!ours)
            return -EINVAL;
        t->tid = tid;
    } else if (t->clock == CLOCK_THREAD_CPUTIME_ID) {
        t->tid = task_current()->tid;
    }
    t->notify = event->notify;
    t->signo = event->signo;
    t->value = event->value;
    return 0;
}

/* On the list, with a number of its own. timers.setting held. */
static int timer_register(struct process_timer *t)
{
    struct process_timers *timers = &process_current()->timers;

    if (timers->next_id >= TIMERS_MAX) {
        unsigned nr = 0;
        struct process_timer *other;
        list_for_each_entry (other, &timers->list, node)
            nr++;
        if (nr >= TIMERS_MAX)
            return -EAGAIN;
    }
    t->id = timers->next_id;
    timers->next_id = timers->next_id == INT32_MAX ? 0 : timers->next_id + 1;
    tasks_lock();
    irq_flags_t flags = spin_lock_irqsave(&t->process->signals.lock);
    list_add_tail(&t->node, &timers->list);
    spin_unlock_irqrestore(&t->process->signals.lock, flags);
    tasks_unlock();
    return 0;
}

int64_t sys_timer_create(int clock, user_addr_t event_at, user_addr_t id_out)
{
    struct uapi_sigevent event = {.notify = SIGEV_SIGNAL, .signo = SIGALRM};
    struct process_timers *timers = &process_current()->timers;

    int err = check_clock(clock);
    if (err)
        return err;
    if (event_at.raw && copy_from_user(&event, event_at, sizeof(event)))
        return -EFAULT;
    struct process_timer *t = timer_new(0, clock);
    if (!t)
        return -EAGAIN;
    err = event_apply(t, &event);
    mutex_lock(&timers->setting);
    if (!err && !event_at.raw)
        t->value = timers->next_id;
    if (!err)
        err = timer_register(t);
    if (err) {
        timer_put(t);
    } else if (copy_to_user(id_out, &t->id, sizeof(t->id))) {
        timer_delete(t);
        err = -EFAULT;
    }
    mutex_unlock(&timers->setting);
    return err;
}

/* The timer with timers.setting held, or NULL. */
static struct process_timer *timer_lock(int id)
{
    struct process *me = process_current();
    mutex_lock(&me->timers.setting);
    struct process_timer *t = timer_find(me, id);
    if (!t)
        mutex_unlock(&me->timers.setting);
    return t;
}

static void timer_unlock(void)
{
    mutex_unlock(&process_current()->timers.setting);
}

static int itimerspec_write(const struct setting *s, user_addr_t out)
{
    struct uapi_timespec v[2] = {timespec_of(s->period_ns), timespec_of(s->left_ns)};
    return copy_to_user(out, v, sizeof(v));
}

int64_t sys_timer_gettime(int id, user_addr_t out)
{
    struct process_timer *t = timer_lock(id);
    if (!t)
        return -EINVAL;
    struct setting s = setting_now(t);
    timer_unlock();
    return itimerspec_write(&s, out);
}

int64_t sys_timer_settime(int id, int flags, user_addr_t in, user_addr_t out)
{
    struct setting new, old;

    if (!in.raw)
        return -EINVAL;
    int err = timespec_read(in, &new.period_ns);
    if (!err)
        err = timespec_read(user(in.raw + sizeof(struct uapi_timespec)), &new.left_ns);
    if (err)
        return err;
    struct process_timer *t = timer_lock(id);
    if (!t)
        return -EINVAL;
    old = setting_now(t);
    timer_set(t, &new, flags & TIMER_ABSTIME);
    timer_unlock();
    return out.raw ? itimerspec_write(&old, out) : 0;
}

int64_t sys_timer_getoverrun(int id)
{
    struct process_timer *t = timer_lock(id);
    if (!t)
        return -EINVAL;
    int overrun = t->overrun;
    timer_unlock();
    return overrun;
}

int64_t sys_timer_delete(int id)
{
    struct process_timer *t = timer_lock(id);
    if (!t)
        return -EINVAL;
    timer_delete(t);
    timer_unlock();
    return 0;
}
