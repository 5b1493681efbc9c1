/* SPDX-License-Identifier: MIT */
/*
 * kernel/oom.c - out of memory: one process ends so that the others go on
 *
 * Room:   kernel.
 * Owns:   the choice of that process.
 * Locks:  tasks_lock to look and to kill; mmap_lock of others for reading. One CPU at a time.
 * Always: (1) process 1 is not chosen while there is another; nor is who has oom_score_adj -1000;
 *         (2) nobody else is chosen before the chosen one is gone, or had time enough for that;
 *         (3) its private pages are taken at once: it may be held up by what waits for memory;
 *         (4) nobody ends while there are hidden pages that nobody uses, or what programs can lose.
 * Source: proc_pid_oom_score_adj(5); Linux mm/oom_kill.c (behaviour).
 * Tour:   after mm/reclaim.c, kernel/fault.c.
 */
#include "oom.h"

#include "process.h"
#include <asm/time.h>
#include <base/log.h>
#include <mm/limbo.h>
#include <mm/page.h>
#include <mm/secretmem.h>

#define NS_PER_MS      1000000UL
#define GONE_WITHIN_NS (1000 * NS_PER_MS) /* a victim that is not gone by then is given up */
#define PAUSE_NS       (2 * NS_PER_MS)

#define SCORE_NEVER INT64_MIN

static _Atomic bool busy;           /* claim 2 */
static struct process *victim;      /* with a reference; by who is busy */
static uint64_t victim_deadline_ns; /* by clock_ns() */

static uint64_t machine_pages(void)
{
    struct page_counts pages;
    page_counts(&pages);
    return pages.total;
}

/* The pages that would be free without it, and what its owner thinks of that. tasks_lock held. */
static int64_t badness(const struct process *process, uint64_t total)
{
    const struct task *task = process_living_task(process);
    int64_t anon, file;

    if (!task || process->zombie || process->oom_chosen || process->oom_adj == OOM_ADJ_MIN)
        return SCORE_NEVER;
    mm_rss(task->mm, &anon, &file);
    return anon + file + (int64_t)task->mm->pgtable.nr_tables +
           process->oom_adj * (int64_t)total / OOM_ADJ_MAX;
}

uint64_t oom_score(const struct process *process)
{
    uint64_t total = machine_pages();
    int64_t points = badness(process, total);

    if (points == SCORE_NEVER)
        return 0;
    return max(1000 + points * 1000 / (int64_t)total, 0L) * 2 / 3;
}

static bool is_dying(const struct task *task)
{
    uint64_t pending =
        READ_ONCE(task->signals.pending.mask) | READ_ONCE(task->process->signals.shared.mask);
    return task_is_ended(task) || (pending & sigmask(SIGKILL));
}

/* Claim 1. With a reference, or NULL. tasks_lock held. */
static struct process *choose(void)
{
    uint64_t total = machine_pages();
    int64_t most = SCORE_NEVER;
    struct process *p, *chosen = NULL;

    for_each_process(p)
    {
        int64_t points = p == init_process ? SCORE_NEVER : badness(p, total);
        if (points > most) {
            most = points;
            chosen = p;
        }
    }
    if (chosen)
        process_get(chosen);
    return chosen;
}

static void report(const struct process *process, const struct task *task)
{
    const struct task *me = task_current();
    int64_t anon, file;

    mm_rss(task->mm, &anon, &file);
    log_warn(
        "out of memory for %s[%d]: killed %s[%d], %ld kB of its own, %ld kB of objects, %lu kB "
        "of tables, oom_score_adj %d",
        me->name, me->tid, task->name, process->pid, anon * (int64_t)(PAGE_SIZE / KIB),
        file * (int64_t)(PAGE_SIZE / KIB), task->mm->pgtable.nr_tables * (PAGE_SIZE / KIB),
        process->oom_adj);
}

/* End @chosen and who else lives in its memory; tasks_lock held. Its memory, with a reference. */
static struct mm *kill(struct process *chosen)
{
    struct uapi_siginfo info = {.signo = SIGKILL, .code = SI_KERNEL};
    const struct task *task = process_living_task(chosen);
    struct process *p;

    if (!task)
        return NULL; /* it ends by itself */
    struct mm *mm = task->mm;
    report(chosen, task);
    mm_get(mm);
    for_each_process(p)
    {
        const struct task *other = process_living_task(p);
        if (p == init_process || !other || other->mm != mm)
            continue;
        p->oom_chosen = true;
        signal_send_process(p, &info);
    }
    return mm;
}

/* What programs said they can lose. How many pages that were. */
static uint64_t drop_all(void)
{
    uint64_t dropped = 0;

    for (int pid = 0;;) {
        tasks_lock();
        struct process *p = process_after(pid);
        const struct task *task = p ? process_living_task(p) : NULL;
        struct mm *mm = task ? task->mm : NULL;
        pid = p ? p->pid : 0;
        if (mm)
            mm_get(mm);
        tasks_unlock();
        if (!p)
            return dropped;
        if (mm) {
            dropped += mm_drop(mm);
            mm_put(mm);
        }
    }
}

static bool victim_is_still_ending(void)
{
    if (!victim)
        return false;
    if (!READ_ONCE(victim->zombie) && clock_ns() < victim_deadline_ns)
        return true;
    process_put(victim);
    victim = NULL;
    return false;
}

/* Claim 3. False: there is nobody to choose. */
static bool choose_and_kill(void)
{
    tasks_lock();
    struct process *chosen = choose();
    struct mm *mm = chosen ? kill(chosen) : NULL;
    tasks_unlock();
    if (!chosen)
        return false;
    victim = chosen;
    victim_deadline_ns = clock_ns() + GONE_WITHIN_NS;
    if (mm) {
        mm_reap(mm);
        mm_put(mm);
    }
    return true;
}

bool oom_make_room(void)
{
    bool again = true;

    if (is_dying(task_current()))
        return false;
    if (!atomic_exchange(&busy, true)) {
        if (!limbo_drain() && !secret_pool_shrink() && !drop_all() && !victim_is_still_ending())
            again = choose_and_kill();
        atomic_store(&busy, false);
    }
    if (is_dying(task_current()))
        return false;
    if (again)
        sched_pause(PAUSE_NS);
    return again;
}
