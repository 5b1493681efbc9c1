/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/time.c - the clock, and the next interrupt of this CPU
 *
 * Room:   arch.
 * Owns:   the rates of the time stamp counter and of the local APIC's timer.
 * Locks:  none: a rate is published as a whole; one CPU refines it, once.
 * Always: (1) a refined rate begins at a moment that still lies ahead when it is published, with
 *             the value the rough rate reaches there;
 *         (2) so whoever reads the counter under the rough rate reads it before that moment.
 * Source: Intel SDM 3B, "Time-Stamp Counter"; SDM 3A, "APIC Timer"; SDM 2A, "CPUID", leaf 15H.
 * Tour:   after arch/x86_64/reference_clock.c, before kernel/sched.c.
 */
#include <asm/time.h>

#include "apic.h"
#include "cmos.h"
#include "insn.h"
#include "reference_clock.h"
#include <asm/cpu.h>
#include <asm/machine.h>
#include <asm/spinlock.h>
#include <base/log.h>

#define NS_PER_S     1000000000UL
#define MEASURE_NS   20000UL    /* how long boot waits for a first measurement: 2 % at worst */
#define REFINE_NS    20000000UL /* so much later a reading makes it 0.002 %, without waiting */
#define AHEAD_NS     1000000UL  /* claim 1 */
#define HZ_MIN       10000000UL
#define HZ_MAX       20000000000UL
#define HZ_UNKNOWN   1000000000UL
#define DELTA_NS_MAX (3600 * NS_PER_S)

/* Fixed point: 32 bits before the point, 32 behind it. */
typedef uint64_t ratio_t;

static uint64_t ratio_apply(uint64_t n, ratio_t r)
{
    return (unsigned __int128)n * r >> 32;
}

/* How the clock goes from some moment on. */
struct rate {
    uint64_t tsc, ns; /* that moment */
    ratio_t ns_per_tick;
    ratio_t ticks_per_ns;
    uint64_t hz;
};

static struct rate rough, refined;
static const struct rate *_Atomic current; /* NULL: before time_init() */

/* ROUGH ----> BUSY ----> DONE, or back to ROUGH when the reference has wrapped meanwhile. */
enum refinement { REFINEMENT_DONE, REFINEMENT_ROUGH, REFINEMENT_BUSY };

static _Atomic enum refinement refinement;

static const struct reference_clock *reference;
static ratio_t apic_ticks_per_tsc;
static uint64_t boot_epoch_ns;

/* Two counters at the same moment, as nearly as they can be read. */
struct sample {
    uint64_t tsc;
    uint32_t reference;
};

static struct sample first_sample;

static struct rate rate_from(uint64_t hz, uint64_t tsc, uint64_t ns)
{
    return (struct rate){.tsc = tsc,
                         .ns = ns,
                         .ns_per_tick = (NS_PER_S << 32) / hz,
                         .ticks_per_ns = (hz / NS_PER_S << 32) + (hz % NS_PER_S << 32) / NS_PER_S,
                         .hz = hz};
}

static uint64_t rate_ns(const struct rate *r, uint64_t tsc)
{
    if (r == &refined && tsc < r->tsc)
        r = &rough;
    return r->ns + (tsc > r->tsc ? ratio_apply(tsc - r->tsc, r->ns_per_tick) : 0);
}

/* Of three tries the quickest: a busy host or firmware may take its time in the others. */
static struct sample sample_take(void)
{
    struct sample best = {0};
    uint64_t best_width = ~0UL;

    for (unsigned n = 0; n < 3; n++) {
        uint64_t before = tsc_read_ordered();
        uint32_t value = reference->read();
        uint64_t width = tsc_read_ordered() - before;
        if (width < best_width) {
            best_width = width;
            best = (struct sample){.tsc = before + width / 2, .reference = value};
        }
    }
    return best;
}

static uint64_t reference_ns(const struct sample *from, const struct sample *to)
{
    return ((to->reference - from->reference) & reference->mask) * NS_PER_S / reference->hz;
}

static uint64_t hz_between(const struct sample *from, const struct sample *to)
{
    return (to->tsc - from->tsc) * reference->hz /
           ((to->reference - from->reference) & reference->mask);
}

/* Measure the counter against the reference, and the local timer against the counter. */
static uint64_t measure(void)
{
    uint32_t edge = reference->read();
    while (reference->read() == edge)
        cpu_relax();

    apic_timer_set(~0U);
    uint32_t apic_start = apic_timer_left();
    uint64_t apic_start_tsc = tsc_read_ordered();
    first_sample = sample_take();
    struct sample last;
    do
        last = sample_take();
    while (reference_ns(&first_sample, &last) < MEASURE_NS);
    uint64_t apic_ticks = apic_start - apic_timer_left();
    apic_ticks_per_tsc = (apic_ticks << 32) / (tsc_read_ordered() - apic_start_tsc);
    apic_timer_set(0);
    return hz_between(&first_sample, &last);
}

/* What the hypervisor or the CPU itself says. 0: nothing. */
static uint64_t hz_told(void)
{
    if (cpu_has(CPU_HYPERVISOR) && cpuid(0x40000000, 0).eax >= 0x40000010)
        return cpuid(0x40000010, 0).eax * 1000UL;
    if (cpuid(0, 0).eax < 0x15)
        return 0;
    struct cpuid r = cpuid(0x15, 0); /* TSC rate = crystal ECX * EBX / EAX */
    return r.eax ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

/* What is told counts if it is near what is measured: emulators repeat what a real model says. */
static uint64_t hz_find(void)
{
    uint64_t told = hz_told();

    reference = reference_clock_find();
    if (!reference) {
        log_warn("time: nothing to measure the time stamp counter against");
        return told ? told : HZ_UNKNOWN;
    }
    uint64_t measured = measure();
    if (told > measured - measured / 20 && told < measured + measured / 20)
        return told;
    atomic_store(&refinement, REFINEMENT_ROUGH);
    return measured;
}

void time_init(void)
{
    uint64_t hz = min(max(hz_find(), HZ_MIN), HZ_MAX);

    rough = rate_from(hz, tsc_read(), 0);
    atomic_store(&current, &rough);
    boot_epoch_ns = cmos_seconds() * NS_PER_S - clock_ns();
    log_info("time: %lu MHz, %s%s", hz / 1000000, reference ? "checked against the " : "unchecked",
             reference ? reference->name : "");
}

/* Enough time has passed since the first sample for a second one to tell the rate well. */
static __cold void refine(uint64_t tsc)
{
    enum refinement expected = REFINEMENT_ROUGH;
    uint64_t passed_ns = ratio_apply(tsc - first_sample.tsc, rough.ns_per_tick);
    uint64_t wrap_ns = reference->mask * NS_PER_S / reference->hz;

    if (!atomic_compare_exchange_strong(&refinement, &expected, REFINEMENT_BUSY))
        return;
    irq_flags_t flags = irq_save();
    struct sample now = sample_take();
    if (passed_ns > wrap_ns / 2) {
        first_sample = now; /* nobody asked in time: who knows how often it wrapped */
        atomic_store(&refinement, REFINEMENT_ROUGH);
    } else {
        uint64_t start = now.tsc + ratio_apply(AHEAD_NS, rough.ticks_per_ns);
        uint64_t hz = min(max(hz_between(&first_sample, &now), HZ_MIN), HZ_MAX);
        refined = rate_from(hz, start, rate_ns(&rough, start));
        atomic_store(&current, &refined);
        atomic_store(&refinement, REFINEMENT_DONE);
    }
    irq_restore(flags);
}

static bool refinement_is_due(uint64_t tsc)
{
    return atomic_load_explicit(&refinement, memory_order_relaxed) == REFINEMENT_ROUGH &&
           tsc > first_sample.tsc &&
           ratio_apply(tsc - first_sample.tsc, rough.ns_per_tick) >= REFINE_NS;
}

/* By a rate that may get better soon; 0 while there is none. */
static __cold uint64_t unrefined_ns(const struct rate *r, uint64_t tsc)
{
    if (!r)
        return 0;
    if (refinement_is_due(tsc))
        refine(tsc);
    return rate_ns(r, tsc);
}

uint64_t clock_ns(void)
{
    const struct rate *r;
    uint64_t tsc;

    do {
        r = atomic_load(&current);
        tsc = tsc_read_ordered();
    } while (atomic_load(&current) != r); /* claim 2 */
    return likely(r == &refined) ? rate_ns(r, tsc) : unrefined_ns(r, tsc);
}

uint64_t tsc_hz(void)
{
    return atomic_load(&current)->hz;
}

uint64_t clock_boot_epoch_ns(void)
{
    return boot_epoch_ns;
}

static uint64_t tsc_ticks(uint64_t ns)
{
    return ratio_apply(min(ns, DELTA_NS_MAX), atomic_load(&current)->ticks_per_ns);
}

void timer_arm(uint64_t delta_ns)
{
    uint64_t ticks = max(tsc_ticks(delta_ns), 1UL);

    if (cpu_has(CPU_TSC_DEADLINE)) {
        apic_timer_set_deadline(tsc_read() + ticks);
    } else {
        /* Longer than the counter is wide: it comes early, and the caller arms it again. */
        uint64_t count = ratio_apply(ticks, apic_ticks_per_tsc);
        apic_timer_set(min(max(count, 1UL), 0xffffffffUL));
    }
}

void timer_cancel(void)
{
    if (cpu_has(CPU_TSC_DEADLINE))
        apic_timer_set_deadline(0);
    else
        apic_timer_set(0);
}

void delay_ns(uint64_t ns)
{
    uint64_t start = tsc_read(), ticks = tsc_ticks(ns);

    while (tsc_read() - start < ticks)
        cpu_relax();
}
