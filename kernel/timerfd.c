/* SPDX-License-Identifier: MIT */
/*
 * kernel/timerfd.c - timers that are read: timerfd_create, timerfd_settime, timerfd_gettime
 *
 * Room:   kernel.
 * Owns:   struct clock_file.
 * Locks:  setting (mutex, rank INODE) while it is set; lock (spin, rank SIGNAL, IRQs off) for all.
 * Always: (1) a periodic timer that fired waits until somebody looks: then what passed meanwhile is
 *             counted, so that no period is too short.
 * Source: timerfd_create(2).
 * Tour:   after kernel/timer.c, kernel/eventfd.c.
 */
#include "clock.h"
#include "cred.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "text_file.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/misc.h>

#define TFD_TIMER_ABSTIME       1
#define TFD_TIMER_CANCEL_ON_SET 2 /* the clock is never set */

struct clock_file {
    struct mutex setting;
    spinlock_t lock;
    struct timer timer;
    struct wait_queue waiters;
    int clock;
    unsigned flags;             /* as it was set */
    uint64_t due_ns, period_ns; /* by clock_ns(); due 0: not set */
    uint64_t ticks;             /* not read yet */
    bool fired;                 /* since ticks were counted last */
};

static const struct file_ops timerfd_ops;

static struct clock_file *timer_of(const struct file *f)
{
    return (struct clock_file *)f->inode->private;
}

static void fire(struct timer *timer)
{
    struct clock_file *t = container_of(timer, struct clock_file, timer);

    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    t->fired |= t->due_ns != 0; /* else it is just being set anew */
    t->ticks += t->due_ns != 0;
    spin_unlock_irqrestore(&t->lock, flags);
    wake_all(&t->waiters);
    poll_wake();
}

/* Claim 1. lock held. */
static void catch_up(struct clock_file *t)
{
    uint64_t now = clock_ns();

    if (!t->fired)
        return;
    t->fired = false;
    if (!t->period_ns) {
        t->due_ns = 0;
        return;
    }
    uint64_t missed = now > t->due_ns ? (now - t->due_ns) / t->period_ns : 0;
    t->ticks += missed;
    t->due_ns += (missed + 1) * t->period_ns;
    timer_start(&t->timer, t->due_ns);
}

/* What a read gets: 0: nothing yet. */
static uint64_t take(struct clock_file *t)
{
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    catch_up(t);
    uint64_t got = t->ticks;
    t->ticks = 0;
    spin_unlock_irqrestore(&t->lock, flags);
    return got;
}

static int64_t timerfd_read(struct file *f, struct object_copy *copy, size_t len, uint64_t *pos)
{
    struct clock_file *t = timer_of(f);
    uint64_t got;
    (void)pos;

    if (len < sizeof(got))
        return -EINVAL;
    while (!(got = take(t))) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(&t->waiters, READ_ONCE(t->ticks)))
            return -ERESTARTSYS;
    }
    return copy->copy(copy, &got, 0, sizeof(got)) ? -EFAULT : (int64_t)sizeof(got);
}

static unsigned timerfd_poll(struct file *f)
{
    return READ_ONCE(timer_of(f)->ticks) ? POLLIN | POLLRDNORM : 0;
}

struct countdown {
    uint64_t left_ns, period_ns;
};

/* lock held. */
static struct countdown countdown_now(struct clock_file *t)
{
    uint64_t now = clock_ns();

    catch_up(t);
    return (struct countdown){t->due_ns > now ? t->due_ns - now : 0, t->period_ns};
}

static void timerfd_tell(struct file *f, struct text *t)
{
    struct clock_file *c = timer_of(f);

    irq_flags_t flags = spin_lock_irqsave(&c->lock);
    struct countdown s = countdown_now(c);
    uint64_t ticks = c->ticks;
    spin_unlock_irqrestore(&c->lock, flags);
    text_add(t, "clockid: %d\nticks: %lu\nsettime flags: 0%o\n", c->clock, ticks, c->flags);
    text_add(t, "it_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n", s.left_ns / NS_PER_SEC,
             s.left_ns % NS_PER_SEC, s.period_ns / NS_PER_SEC, s.period_ns % NS_PER_SEC);
}

static void timerfd_free(struct inode *inode)
{
    struct clock_file *t = (struct clock_file *)inode->private;

    timer_stop(&t->timer);
    kmem_free(t);
}

static const struct file_ops timerfd_ops = {
    .read = timerfd_read,
    .poll = timerfd_poll,
    .tell = timerfd_tell,
    .no_seek = true,
};

static int timerfd_create(int clock, unsigned flags, struct file **out)
{
    struct clock_file *t = kmem_alloc(sizeof(*t), SLAB_ALLOC_ZERO);

    if (!t)
        return -ENOMEM;
    int err = file_create_anonymous("anon_inode:[timerfd]", 0600, &timerfd_ops,
                                    O_RDWR | (flags & O_NONBLOCK), out);
    if (err) {
        kmem_free(t);
        return err;
    }
    mutex_init(&t->setting);
    spin_lock_init(&t->lock, LOCK_RANK_WAIT); /* taken by an interrupt */
    wait_queue_init(&t->waiters);
    t->timer.fire = fire;
    t->clock = clock;
    (*out)->inode->private = (uint64_t)t;
    (*out)->inode->release = timerfd_free;
    return 0;
}

int64_t sys_timerfd_create(int clock, unsigned flags)
{
    bool wakes = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
    struct file *file;

    if ((flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK)) ||
        (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && !wakes))
        return -EINVAL;
    if (wakes && !capable(CAP_WAKE_ALARM))
        return -EPERM;
    int err = timerfd_create(clock, flags, &file);
    return err ? err : fd_install(file, 0, flags & O_CLOEXEC);
}

/* The file of a descriptor, with a reference: -EBADF, -EINVAL. */
static int timerfd_get(int fd, struct file **out)
{
    struct file *file = file_of(fd);
    int err = !file ? -EBADF : file->ops != &timerfd_ops ? -EINVAL : 0;

    if (err && file)
        file_put(file);
    else
        *out = file;
    return err;
}

/* From here on it counts nothing, and nobody starts it again. Returns how it was set. */
static struct countdown take_away(struct clock_file *t)
{
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    struct countdown old = countdown_now(t);
    t->due_ns = t->ticks = 0;
    t->fired = false;
    spin_unlock_irqrestore(&t->lock, flags);
    timer_stop(&t->timer);
    return old;
}

static void set(struct clock_file *t, const struct countdown *new, unsigned how)
{
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    t->flags = how;
    t->period_ns = new->period_ns;
    if (new->left_ns) {
        t->due_ns = how & TFD_TIMER_ABSTIME ? clock_to_monotonic(t->clock, new->left_ns)
                                            : clock_ns() + new->left_ns;
        t->due_ns = max(t->due_ns, 1UL);
        timer_start(&t->timer, t->due_ns);
    }
    spin_unlock_irqrestore(&t->lock, flags);
}

static int countdown_write(const struct countdown *s, user_addr_t out)
{
    struct uapi_timespec v[2] = {timespec_of(s->period_ns), timespec_of(s->left_ns)};
    return copy_to_user(out, v, sizeof(v));
}

int64_t sys_timerfd_settime(int fd, unsigned how, user_addr_t in, user_addr_t out)
{
    struct uapi_timespec v[2];
    struct countdown new;
    struct file *file;

    if (copy_from_user(v, in, sizeof(v)))
        return -EFAULT;
    if ((how & ~(unsigned)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) ||
        timespec_parse(&v[0], &new.period_ns) || timespec_parse(&v[1], &new.left_ns))
        return -EINVAL;
    int err = timerfd_get(fd, &file);
    if (err)
        return err;
    struct clock_file *t = timer_of(file);
    mutex_lock(&t->setting);
    struct countdown old = take_away(t);
    set(t, &new, how);
    mutex_unlock(&t->setting);
    file_put(file);
    return out.raw ? countdown_write(&old, out) : 0;
}

int64_t sys_timerfd_gettime(int fd, user_addr_t out)
{
    struct file *file;
    int err = timerfd_get(fd, &file);
    if (err)
        return err;
    struct clock_file *t = timer_of(file);
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    struct countdown now = countdown_now(t);
    spin_unlock_irqrestore(&t->lock, flags);
    file_put(file);
    return countdown_write(&now, out);
}
