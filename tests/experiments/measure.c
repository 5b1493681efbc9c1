/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/measure.c - repeats, sorts and prints what an experiment measures
 *
 * Room:   tests/experiments.
 * Owns:   the samples of the row that is being measured.
 * Locks:  none.
 * Always: (1) each repetition is three: an empty body, the thing, and the thing once more.
 * Source: docs/tlb-lab.md has the format of the lines.
 * Tour:   after tests/experiments/measure.h.
 */
#include "measure.h"

#include <stddef.h>

#define REPS         31
#define REPS_MAX     1001
#define WARM_UP_REPS 3

enum { EMPTY, THING, CONTROL, SORTS };

static uint64_t samples[SORTS][REPS_MAX];
static unsigned reps = REPS;
static const struct experiment *now;

uint64_t lab_clock_before(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* RDTSCP waits for what came before it; where there is none LFENCE does. */
uint64_t lab_clock_after(void)
{
    uint32_t lo, hi, aux;

    if (!lab_has_rdtscp())
        return lab_clock_before();
    __asm__ volatile("rdtscp\n\tlfence" : "=a"(lo), "=d"(hi), "=c"(aux)::"memory");
    return (uint64_t)hi << 32 | lo;
}

uint32_t lab_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void lab_begin(const struct experiment *e)
{
    now = e;
    lab_print("lab|experiment|%s|%s|%s|%s", e->name, e->title, e->x_axis,
              e->unit ? e->unit : "ticks");
    lab_print("lab|means|%s|bare|%s", e->name, e->bare);
    lab_print("lab|means|%s|virt|%s", e->name, e->virt);
    lab_print("lab|means|%s|emulated|%s", e->name,
              e->emulated ? e->emulated : "QEMU's cost, not a CPU's.");
}

static void nothing(void *arg)
{
    (void)arg;
}

static void call(void (*step)(void *arg), void *arg)
{
    if (step)
        step(arg);
}

static uint64_t ticks_of(const struct lab_probe *p, void (*body)(void *arg))
{
    uint64_t flags = p->irqs_on ? 0 : lab_undisturbed_begin();

    uint64_t start = lab_clock_before();
    body(p->arg);
    uint64_t ticks = lab_clock_after() - start;
    if (!p->irqs_on)
        lab_undisturbed_end(flags);
    return ticks;
}

static uint64_t repeat(const struct lab_probe *p)
{
    call(p->prepare, p->arg);
    uint64_t figure = p->sample ? p->sample(p->arg) : ticks_of(p, p->body);
    call(p->settle, p->arg);
    return figure / (p->per ? p->per : 1);
}

static void take_samples(const struct lab_probe *p)
{
    for (unsigned i = 0; i < WARM_UP_REPS; i++)
        repeat(p);
    for (unsigned i = 0; i < reps; i++) {
        samples[EMPTY][i] = p->sample ? 0 : ticks_of(p, nothing);
        samples[THING][i] = repeat(p);
        samples[CONTROL][i] = repeat(p);
    }
}

static void sort(uint64_t *v)
{
    for (unsigned i = 1; i < reps; i++) {
        uint64_t x = v[i];
        unsigned at = i;
        for (; at && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
}

static uint64_t percentile(const uint64_t *sorted, unsigned percent)
{
    return sorted[(reps - 1) * percent / 100];
}

void lab_measure(const struct lab_probe *p)
{
    const uint64_t *s = samples[THING];

    take_samples(p);
    for (unsigned sort_of = 0; sort_of < SORTS; sort_of++)
        sort(samples[sort_of]);
    lab_print("lab|row|%s|%s|%lu|%u|%lu|%lu|%lu|%lu|%lu|%lu|%lu|%s", now->name, p->series, p->x,
              reps, s[0], percentile(s, 50), percentile(s, 90), percentile(s, 99), s[reps - 1],
              percentile(samples[CONTROL], 50), percentile(samples[EMPTY], 50),
              p->note ? p->note : "");
}

void lab_count(const char *series, uint64_t x, uint64_t value, const char *note)
{
    lab_print("lab|row|%s|%s|%lu|1|%lu|%lu|%lu|%lu|%lu|||%s", now->name, series, x, value, value,
              value, value, value, note ? note : "");
}

void lab_absent(const char *series, uint64_t x, const char *why)
{
    lab_print("lab|row|%s|%s|%lu|0||||||||%s", now->name, series, x, why);
}

void lab_reps_set(uint64_t wanted)
{
    reps = wanted < 2 ? 2 : wanted > REPS_MAX ? REPS_MAX : (unsigned)wanted;
}
