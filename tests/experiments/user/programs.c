/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/programs.c - runs the programs, and counts whom they interrupted
 *
 * Room:   user.
 * Owns:   the threads.
 * Locks:  none.
 * Always: (1) no thread begins before all are there.
 * Source: Linux Documentation/filesystems/proc.rst, "interrupts".
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#include <stdatomic.h>

#define COUNTED_RUNS 10UL

static const struct program *running;
static _Atomic unsigned ready;
static _Atomic bool go;

static void *work(void *arg)
{
    atomic_fetch_add(&ready, 1);
    while (!atomic_load(&go))
        sched_yield();
    for (unsigned i = 0; i < running->operations; i++)
        running->work((unsigned)(uintptr_t)arg);
    return NULL;
}

uint64_t program_run(const struct program *program, unsigned nr_threads)
{
    pthread_t threads[PROGRAM_THREADS];

    running = program;
    if (program->begin)
        program->begin(nr_threads);
    atomic_store(&ready, 0);
    atomic_store(&go, false);
    for (uintptr_t i = 0; i < nr_threads; i++)
        MUST(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    while (atomic_load(&ready) < nr_threads)
        sched_yield();
    uint64_t start = lab_clock_before();
    atomic_store(&go, true);
    for (unsigned i = 0; i < nr_threads; i++)
        pthread_join(threads[i], NULL);
    uint64_t ticks = lab_clock_after() - start;
    if (program->end)
        program->end(nr_threads);
    return ticks;
}

struct sample {
    const struct program *program;
    unsigned threads;
};

static uint64_t sample(void *arg)
{
    const struct sample *s = arg;
    return program_run(s->program, s->threads) / s->program->operations;
}

void program_measure(const struct program *program)
{
    for (unsigned nr = 1; nr <= nr_cpus() && nr <= PROGRAM_THREADS; nr *= 2) {
        struct sample s = {program, nr};
        struct lab_probe p = {.x = nr, .sample = sample, .arg = &s};
        measure_by_policy(&p);
    }
}

/* The figures of all CPUs in "TLB: 1 2 3 what it is". */
static uint64_t figures_of(const char *line)
{
    uint64_t sum = 0;
    char *rest;

    for (;;) {
        uint64_t figure = strtoull(line, &rest, 10);
        if (rest == line)
            return sum;
        sum += figure;
        line = rest;
    }
}

uint64_t program_interrupts(void)
{
    FILE *file = fopen("/proc/interrupts", "r");
    char line[4096];
    uint64_t sum = 0;

    MUST(file);
    while (fgets(line, sizeof(line), file)) {
        char *kind = strstr(line, "TLB:");
        sum += kind ? figures_of(kind + 4) : 0;
    }
    fclose(file);
    return sum;
}

static void count(const struct program *program, uint64_t x)
{
    unsigned threads = nr_cpus() < PROGRAM_THREADS ? nr_cpus() : PROGRAM_THREADS;

    program_run(program, threads); /* what is the first time only */
    uint64_t before = program_interrupts();
    for (unsigned i = 0; i < COUNTED_RUNS; i++)
        program_run(program, threads);
    uint64_t taken = program_interrupts() - before;
    uint64_t operations = COUNTED_RUNS * program->operations * threads;
    lab_count(policy_name(), x, taken * 1000 / operations, program->name);
}

EXPERIMENT(
    program_interrupts,
    .title = "Interrupts of 1000 operations of each program, a thread on each CPU",
    .x_axis = "1 files, 2 allocator, 3 collector, 4 shell, 5 snapshot", .unit = "interrupts",
    .bare = "Counts of /proc/interrupts, TLB; how the threads meet makes them vary a little.",
    .virt = "Counts, as on bare metal.", .emulated = "Counts, as on bare metal.")
{
    static const struct program *const all[] = {
        &program_files, &program_allocator, &program_collector, &program_shell, &program_snapshot};

    for (unsigned i = 0; policy_use(i); i++)
        for (unsigned n = 0; n < sizeof(all) / sizeof(all[0]); n++)
            count(all[n], n + 1);
}
