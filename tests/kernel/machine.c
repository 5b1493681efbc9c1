/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/machine.c - clock, calls between CPUs, names in backtraces
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) nothing here depends on how fast the machine is, only on order.
 * Source: asm/smp.h, asm/time.h, asm/backtrace.h.
 * Tour:   with arch/x86_64/smp.c and time.c.
 */
#include <asm/backtrace.h>
#include <asm/cpu.h>
#include <asm/memory_layout.h>
#include <asm/smp.h>
#include <asm/spinlock.h>
#include <asm/time.h>
#include <asm/tlb.h>
#include <base/ktest.h>
#include <base/panic.h>
#include <lib/string.h>
#include <stdatomic.h>

#define MS          1000000UL
#define CALLS       200
#define CLOCK_READS 2000

static _Atomic unsigned calls[MAX_CPUS];
static uint64_t seen_ns[MAX_CPUS];

static void count_call(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls[cpu_id()], 1);
}

static void read_clock(void *arg)
{
    (void)arg;
    seen_ns[cpu_id()] = clock_ns();
}

static void call_back(void *arg)
{
    if (cpu_id() == 1 && !atomic_exchange((_Atomic bool *)arg, true))
        smp_reschedule(0);
}

KTEST(smp_call_runs_once_on_every_other_cpu)
{
    memset(calls, 0, sizeof(calls));
    for (unsigned i = 0; i < CALLS; i++)
        smp_call_others(count_call, NULL);
    EXPECT_EQ(calls[cpu_id()], 0);
    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
        if (cpu != cpu_id())
            EXPECT(calls[cpu] == CALLS, "cpu=%u calls=%u", cpu, calls[cpu]);
}

KTEST(smp_call_survives_an_interrupt_in_the_other_direction)
{
    _Atomic bool sent = false;

    if (nr_cpus() == 1) {
        ktest_skip("needs two CPUs");
        return;
    }
    smp_call_others(call_back, &sent);
    EXPECT(atomic_load(&sent));
}

/* Both counters at one moment: again, if the host took this CPU away in between. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
    for (unsigned n = 0; n < 1000; n++) {
        *tsc = tsc_read();
        *ns = clock_ns();
        if (tsc_read() - *tsc < tsc_hz() / 20000)
            return;
    }
}

KTEST(clock_goes_on_and_never_back)
{
    uint64_t start_tsc, start, end_tsc, end;

    read_both(&start_tsc, &start);
    for (uint64_t last = start; last < start + 30 * MS;) { /* the rate is refined within */
        uint64_t now = clock_ns();
        REQUIRE(now >= last, "%lu after %lu", now, last);
        last = now;
    }
    read_both(&end_tsc, &end);
    uint64_t ticks = end_tsc - start_tsc, expected = tsc_hz() / 1000000 * ((end - start) / 1000);
    EXPECT(ticks > expected / 2 && ticks < expected * 2, "%lu ticks in %lu ns", ticks, end - start);
}

KTEST(clocks_of_all_cpus_agree)
{
    for (unsigned i = 0; i < CLOCK_READS / nr_cpus(); i++) {
        uint64_t before = clock_ns();
        smp_call_others(read_clock, NULL);
        uint64_t after = clock_ns();
        for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
            if (cpu != cpu_id())
                REQUIRE(seen_ns[cpu] >= before && seen_ns[cpu] <= after,
                        "cpu %u saw %lu between %lu and %lu", cpu, seen_ns[cpu], before, after);
    }
}

KTEST(wall_clock_is_plausible)
{
    uint64_t years = clock_boot_epoch_ns() / 1000000000 / 31556952;
    EXPECT(years >= 50 && years < 150, "%lu years since 1970", years);
}

KTEST(delay_is_as_long_as_asked)
{
    uint64_t start = clock_ns();
    delay_ns(MS);
    uint64_t passed = clock_ns() - start;
    EXPECT(passed >= MS - MS / 10, "%lu ns", passed);
}

KTEST(kernel_flush_is_answered_by_every_cpu)
{
    uint64_t handled = tlb_events(TLB_REMOTE_HANDLED);

    tlb_flush_kernel((void *)PAGE_ARRAY_BASE, (void *)(PAGE_ARRAY_BASE + PAGE_SIZE));
    EXPECT_EQ(tlb_events(TLB_REMOTE_HANDLED) - handled, nr_cpus() - 1);
}

KTEST(symbols_are_found_by_any_address_inside)
{
    uint64_t offset = 77;

    EXPECT(!strcmp(symbol_name((uint64_t)smp_call_others, &offset), "smp_call_others"));
    EXPECT_EQ(offset, 0);
    EXPECT(!strcmp(symbol_name((uint64_t)smp_call_others + 1, &offset), "smp_call_others"));
    EXPECT_EQ(offset, 1);
    EXPECT(!strcmp(symbol_name(0, &offset), "?"));
    EXPECT(!strcmp(symbol_name((uint64_t)&seen_ns, &offset), "?"));
    EXPECT_EQ(offset, 0);
}

static __cold void planted_panic(void)
{
    panic("planted");
}

static __cold void planted_caller(void)
{
    planted_panic();
    __asm__ volatile(""); /* no tail call may hide this function */
}

KTEST_PANICS(panic_names_its_callers, "planted_caller+0x")
{
    planted_caller();
}

static __cold void planted_fault(void)
{
    *(volatile char *)KMAP_BASE = 0; /* the guard page of the first stack */
}

static __cold void planted_leaf_caller(void)
{
    planted_fault();
    __asm__ volatile("");
}

KTEST_PANICS(panic_of_a_fault_names_the_function, "planted_fault+0x")
{
    planted_leaf_caller();
}

KTEST_PANICS(panic_of_a_fault_names_the_caller_of_a_function_without_frame,
             "planted_leaf_caller+0x")
{
    planted_leaf_caller();
}

KTEST_PANICS(panic_of_a_fault_shows_the_level_that_refused, "<- refused here")
{
    planted_leaf_caller();
}

static __cold void planted_nmi(void)
{
    __asm__ volatile("int $2");
}

KTEST_PANICS(nmi_names_what_it_interrupted, "planted_nmi+0x")
{
    planted_nmi();
}

static void panic_or_hang(void *arg)
{
    (void)arg;
    if (cpu_id() == 1)
        planted_panic();
    for (;;)
        cpu_relax();
}

/* One waits for an answer, some hang in an interrupt: only an NMI reaches those. */
KTEST_PANICS(panic_stops_cpus_that_hang_with_interrupts_off, "panic on CPU 1: planted")
{
    if (nr_cpus() == 1)
        ktest_skip("needs two CPUs");
    else
        smp_call_others(panic_or_hang, NULL);
}
