/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/crew.c - kernel threads that work at the same time
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) when crew_join() returns true no thread of the crew is left.
 * Source: -
 * Tour:   with tests/kernel/crew.h.
 */
#include "crew.h"

#include "kernel/task.h"
#include <asm/time.h>

#define SECOND (1000 * 1000 * 1000UL)

static void crew_member(void *arg)
{
    struct crew *crew = arg;

    unsigned who = atomic_fetch_add(&crew->there, 1);
    if (crew->everywhere)
        sched_set_affinity(task_current(), 1UL << who);
    while (atomic_load(&crew->there) < crew->size) /* work begins when all are there */
        cpu_relax();
    crew->work(crew, who);
    atomic_fetch_add(&crew->finished, 1);
}

static uint64_t nr_tasks(void)
{
    struct slab_cache *cache;

    for (unsigned i = 0; (cache = slab_cache_nth(i)); i++)
        if (!strcmp(cache->name, "task"))
            return slab_objects_in_use(cache);
    EXPECT(false, "no cache of tasks");
    return 0;
}

static bool add_member(struct crew *crew)
{
    struct task *task;

    return EXPECT(kernel_thread("crew", crew_member, crew, &task) == 0);
}

bool crew_start(struct crew *crew)
{
    uint64_t deadline = clock_ns() + 60 * SECOND;

    crew->tasks_before = nr_tasks();
    crew->size = nr_cpus() - 1;
    for (unsigned i = 0; i < crew->size; i++) {
        if (!add_member(crew))
            return false;
        while (atomic_load(&crew->there) <= i && clock_ns() < deadline)
            cpu_relax(); /* its CPU is busy now: the next one goes elsewhere */
    }
    return true;
}

static bool is_there(const struct crew *crew)
{
    return atomic_load(&crew->finished) < crew->size || nr_tasks() != crew->tasks_before;
}

static bool was_good(const struct crew *crew)
{
    return EXPECT(atomic_load(&crew->finished) == crew->size, "%u of %u came back",
                  atomic_load(&crew->finished), crew->size) &&
           EXPECT(atomic_load(&crew->wrong) == 0, "%u wrong", atomic_load(&crew->wrong));
}

bool crew_join(struct crew *crew)
{
    uint64_t deadline = clock_ns() + 60 * SECOND;

    while (is_there(crew) && clock_ns() < deadline)
        cpu_relax();
    return was_good(crew);
}

bool crew_run(struct crew *crew)
{
    return crew_start(crew) && crew_join(crew);
}

bool crew_run_everywhere(struct crew *crew)
{
    crew->tasks_before = nr_tasks();
    crew->size = nr_cpus();
    crew->everywhere = true;
    for (unsigned i = 0; i < crew->size; i++)
        if (!add_member(crew))
            return false;
    while (is_there(crew)) {
        schedule();
        cpu_relax(); /* in QEMU's turns it is the others' turn then */
    }
    return was_good(crew);
}
