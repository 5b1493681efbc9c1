/* SPDX-License-Identifier: MIT */
/*
 * kernel/poll.h - waiting for files to become ready, and waiting with a limit
 *
 * Room:   kernel.
 * Owns:   the one queue on which everybody waits who polls.
 * Locks:  the queue's own.
 * Always: (1) what makes a file ready wakes its own waiters and calls poll_wake().
 * Source: poll(2).
 * Tour:   with kernel/poll.c; used by kernel/tty.c and kernel/pipe.c.
 */
#pragma once

#include "sched.h"
#include "signal.h"
#include <stdatomic.h>
#include <uapi/errno.h>
#include <uapi/poll.h>

extern struct wait_queue poll_queue;
extern _Atomic uint64_t poll_changes; /* how often some file's state changed */

void poll_boot_init(void);

/* Some file's state has changed. Any context. */
static inline void poll_wake(void)
{
    atomic_fetch_add(&poll_changes, 1);
    wake_all(&poll_queue);
}

/* A limit to a wait: when it is over, the waiting task is woken. */
struct time_limit {
    struct timer timer;
    struct task *task;
    uint64_t end_ns; /* by clock_ns(); UINT64_MAX: none */
};

void time_limit_start(struct time_limit *limit, uint64_t end_ns);
bool time_limit_over(const struct time_limit *limit);
void time_limit_stop(struct time_limit *limit);

/* Wait on @q until @cond holds: 0, -EINTR when a signal came first, -ETIME at the limit's end. */
#define wait_event_until(q, cond, end_ns)                                                         \
    ({                                                                                            \
        struct time_limit _limit;                                                                 \
        int _err = 0;                                                                             \
        time_limit_start(&_limit, (end_ns));                                                      \
        while (!_err) {                                                                           \
            struct waiter _w;                                                                     \
            wait_prepare((q), &_w, TASK_WAITING);                                                 \
            bool _holds = (cond);                                                                 \
            if (!_holds)                                                                          \
                _err = time_limit_over(&_limit) ? -ETIME : signal_pending_current() ? -EINTR : 0; \
            if (!_holds && !_err)                                                                 \
                schedule();                                                                       \
            wait_finish((q), &_w);                                                                \
            if (_holds)                                                                           \
                break;                                                                            \
        }                                                                                         \
        time_limit_stop(&_limit);                                                                 \
        _err;                                                                                     \
    })
