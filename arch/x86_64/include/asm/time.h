/* SPDX-License-Identifier: MIT */
/*
 * asm/time.h - the clock and the next interrupt of this CPU
 *
 * Room:   arch, public face.
 * Owns:   the time stamp counter's rate, the local APIC timer, the wall clock at boot.
 * Locks:  none; the rate is set once and refined once.
 * Always: (1) clock_ns() never goes back on one CPU, and not visibly between CPUs.
 * Source: Intel SDM 3B, "Time-Stamp Counter"; SDM 3A, "APIC Timer"; ACPI, "PM Timer".
 * Tour:   before kernel/sched.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

static inline uint64_t tsc_read(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* In program order with the loads around it. */
static inline uint64_t tsc_read_ordered(void)
{
    __asm__ volatile("lfence" ::: "memory");
    uint64_t tsc = tsc_read();
    __asm__ volatile("lfence" ::: "memory");
    return tsc;
}

/* Measure the rates against a clock of known frequency; wants ACPI parsed. */
void time_init(void);

uint64_t tsc_hz(void);

/* Nanoseconds since time_init(); 0 before. Any context. */
uint64_t clock_ns(void);

/* Nanoseconds since 1970 at the moment clock_ns() was 0, from the CMOS clock. */
uint64_t clock_boot_epoch_ns(void);

/* Raise INTERRUPT_TIMER on this CPU once, after @delta_ns (0: as soon as possible). It may come a
 * few percent early, and at the latest after some seconds: look at the clock, and arm again. */
void timer_arm(uint64_t delta_ns);
void timer_cancel(void);

/* Busy wait, for hardware that wants pauses. */
void delay_ns(uint64_t ns);
