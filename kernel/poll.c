/* SPDX-License-Identifier: MIT */
/*
 * kernel/poll.c - poll: which of many files are ready
 *
 * Room:   kernel.
 * Owns:   the copy of the program's list while it waits.
 * Locks:  none of its own.
 * Always: (1) whoever polls is on the queue before it looks, so that no change is missed.
 * Source: poll(2).
 * Tour:   after kernel/poll.h.
 */
#include "poll.h"

#include "clock.h"
#include "files.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <mm/slab.h>

#define NS_PER_MS    1000000UL
#define READY_ALWAYS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)

struct wait_queue poll_queue;
_Atomic uint64_t poll_changes;

void poll_boot_init(void)
{
    wait_queue_init(&poll_queue);
}

static void limit_reached(struct timer *timer)
{
    task_wake(container_of(timer, struct time_limit, timer)->task, WAKE_ANY);
}

void time_limit_start(struct time_limit *limit, uint64_t end_ns)
{
    *limit =
        (struct time_limit){.timer.fire = limit_reached, .task = task_current(), .end_ns = end_ns};
    if (end_ns != UINT64_MAX)
        timer_start(&limit->timer, end_ns);
}

bool time_limit_over(const struct time_limit *limit)
{
    return limit->end_ns != UINT64_MAX && clock_ns() >= limit->end_ns;
}

void time_limit_stop(struct time_limit *limit)
{
    if (limit->end_ns != UINT64_MAX)
        timer_stop(&limit->timer);
}

static int16_t poll_one(const struct uapi_pollfd *p)
{
    struct file *f = p->fd < 0 ? NULL : fd_get(p->fd);
    if (!f)
        return p->fd < 0 ? 0 : POLLNVAL;
    unsigned ready = f->ops->poll ? f->ops->poll(f) : READY_ALWAYS;
    file_put(f);
    return ready & (p->events | POLLERR | POLLHUP);
}

static unsigned poll_all(struct uapi_pollfd *fds, unsigned nr)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < nr; i++) {
        fds[i].revents = poll_one(&fds[i]);
        ready += fds[i].revents != 0;
    }
    return ready;
}

static int64_t poll_until(user_addr_t ufds, unsigned nr, uint64_t end_ns)
{
    size_t bytes = nr * sizeof(struct uapi_pollfd);
    unsigned ready = 0;

    if (nr > FILES_MAX)
        return -EINVAL;
    struct uapi_pollfd *fds = kmem_alloc(max(bytes, 1UL), SLAB_ALLOC_PLAIN);
    if (!fds)
        return -ENOMEM;
    int64_t err = copy_from_user(fds, ufds, bytes);
    if (!err)
        err = wait_event_until(&poll_queue, (ready = poll_all(fds, nr)) > 0, end_ns);
    if (err == -ETIME)
        err = 0;
    if (!err)
        err = copy_to_user(ufds, fds, bytes);
    kmem_free(fds);
    return err ? err : ready;
}

int64_t sys_poll(user_addr_t fds, unsigned nr, int timeout_ms)
{
    return poll_until(fds, nr, timeout_ms < 0 ? UINT64_MAX : clock_ns() + timeout_ms * NS_PER_MS);
}

int64_t sys_ppoll(user_addr_t fds, unsigned nr, user_addr_t timeout, user_addr_t mask,
                  size_t mask_size)
{
    uint64_t end_ns, set;

    int err = deadline_read(timeout, &end_ns);
    if (err)
        return err;
    if (!mask.raw)
        return poll_until(fds, nr, end_ns);
    if (mask_size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    signal_mask_begin(set);
    int64_t result = poll_until(fds, nr, end_ns);
    signal_mask_end(result == -EINTR);
    return result;
}
