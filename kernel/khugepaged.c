/* SPDX-License-Identifier: MIT */
/*
 * kernel/khugepaged.c - the thread that makes huge pages of small ones, at its own pace
 *
 * Room:   kernel.
 * Owns:   the thread, and when it sleeps.
 * Locks:  none while it scans.
 * Always: (1) it exists from the first moment at which the policy wants huge pages;
 *         (2) it sleeps without a timer as long as no address space can have huge pages, or its
 *             pace is KHUGEPAGED_NEVER;
 *         (3) between two steps it holds nothing, and stands when the machine is to be quiet.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Khugepaged controls".
 * Tour:   after mm/collapse_scan.c, kernel/worker.h.
 */
#include "khugepaged.h"

#include "worker.h"
#include <base/log.h>
#include <mm/thp.h>
#include <uapi/errno.h>

struct khugepaged_pace khugepaged_pace = {
    .scan_sleep_ms = 10000, .alloc_sleep_ms = 60000, .pages_to_scan = 4096};

static struct worker worker = WORKER_INIT(worker);

static void wake(void)
{
    worker_call(&worker);
}

static bool scans_at_all(void)
{
    return thp_scan_wanted() && READ_ONCE(khugepaged_pace.scan_sleep_ms) != KHUGEPAGED_NEVER;
}

/* As many pages as the pace says, but no address space twice. Returns how long to sleep. */
static uint64_t scan(void)
{
    uint64_t looked = 0;
    unsigned ends = 0; /* of the list of address spaces */

    while (looked < READ_ONCE(khugepaged_pace.pages_to_scan) && ends < 2 && scans_at_all()) {
        int64_t nr = thp_scan();
        if (nr == -ENOMEM)
            return READ_ONCE(khugepaged_pace.alloc_sleep_ms);
        looked += nr;
        ends += !nr;
        worker_let_others();
    }
    return READ_ONCE(khugepaged_pace.scan_sleep_ms);
}

static void thread(void *arg)
{
    (void)arg;
    for (;;) {
        worker_begin(&worker);
        if (!scans_at_all()) {
            worker_rest(&worker, 0);
            continue;
        }
        uint64_t ms = scan();
        if (ms)
            worker_rest(&worker, ms);
        else
            worker_let_others();
    }
}

int khugepaged_settings_changed(void)
{
    if (READ_ONCE(thp_mode) != THP_NEVER && worker_start(&worker, "khugepaged", thread))
        return -ENOMEM;
    wake();
    return 0;
}

void khugepaged_boot_init(void)
{
    thp_scan_boot_init(wake);
    if (khugepaged_settings_changed())
        log_warn("no memory for khugepaged");
}
