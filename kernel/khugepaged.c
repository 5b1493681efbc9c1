/* SPDX-License-Identifier: MIT */
/*
 * kernel/khugepaged.c - the thread that makes huge pages of small ones, at its own pace
 *
 * Room:   kernel.
 * Owns:   the thread, and when it sleeps.
 * Locks:  work.lock (rank WAIT) round going to sleep; none while it scans.
 * Always: (1) it exists from the first moment at which the policy wants huge pages;
 *         (2) it sleeps without a timer as long as no address space can have huge pages;
 *         (3) between two steps it holds nothing, and stands when the machine is to be quiet.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Khugepaged controls".
 * Tour:   after mm/collapse_scan.c.
 */
#include "khugepaged.h"

#include "quiet.h"
#include "task.h"
#include <asm/time.h>
#include <base/log.h>
#include <mm/thp.h>
#include <stdatomic.h>
#include <uapi/errno.h>

#define NS_PER_MS 1000000UL

struct khugepaged_pace khugepaged_pace = {
    .scan_sleep_ms = 10000, .alloc_sleep_ms = 60000, .pages_to_scan = 4096};

static _Atomic bool exists, woken;
static struct wait_queue work = {.lock = SPINLOCK_INIT(LOCK_RANK_WAIT),
                                 .waiters = LIST_INIT(work.waiters)};

static void wake(void)
{
    atomic_store(&woken, true);
    wake_all(&work);
}

static void wake_by_timer(struct timer *timer)
{
    (void)timer;
    wake();
}

/* Until somebody wakes it; for @ms at most, if that is not 0. */
static void rest(uint64_t ms)
{
    struct timer timer = {.fire = wake_by_timer};
    struct waiter w;

    wait_prepare(&work, &w, TASK_BLOCKED);
    if (ms)
        timer_start(&timer, clock_ns() + ms * NS_PER_MS);
    if (!atomic_load(&woken))
        schedule();
    wait_finish(&work, &w);
    if (ms)
        timer_stop(&timer);
}

/* The kernel is not preempted: whoever works on and on must ask. */
static void let_others(void)
{
    sched_yield();
    if (quiet_is_wanted())
        quiet_wait();
}

/* As many pages as the pace says, but no address space twice. Returns how long to sleep. */
static uint64_t scan(void)
{
    uint64_t looked = 0;
    unsigned ends = 0; /* of the list of address spaces */

    while (looked < READ_ONCE(khugepaged_pace.pages_to_scan) && ends < 2 && thp_scan_wanted()) {
        int64_t nr = thp_scan();
        if (nr == -ENOMEM)
            return READ_ONCE(khugepaged_pace.alloc_sleep_ms);
        looked += nr;
        ends += !nr;
        let_others();
    }
    return READ_ONCE(khugepaged_pace.scan_sleep_ms);
}

static void thread(void *arg)
{
    (void)arg;
    for (;;) {
        atomic_store(&woken, false);
        if (!thp_scan_wanted()) {
            rest(0);
            continue;
        }
        uint64_t ms = scan();
        if (ms)
            rest(ms);
        else
            let_others();
    }
}

int khugepaged_settings_changed(void)
{
    if (READ_ONCE(thp_mode) != THP_NEVER && !atomic_exchange(&exists, true) &&
        kernel_thread("khugepaged", thread, NULL, NULL)) {
        atomic_store(&exists, false);
        return -ENOMEM;
    }
    wake();
    return 0;
}

void khugepaged_boot_init(void)
{
    thp_scan_boot_init(wake);
    if (khugepaged_settings_changed())
        log_warn("no memory for khugepaged");
}
