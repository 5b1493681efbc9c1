/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/reference_clock.h - a counter whose rate is known, to measure others against
 *
 * Room:   arch, private.
 * Owns:   the choice: ACPI's PM timer, the event timer (HPET), or the old interval timer (PIT).
 * Locks:  none: reading the PIT takes three accesses, so one CPU at a time.
 * Always: (1) the counter ticks: one that stands still is not chosen.
 * Source: ACPI, "Power Management Timer"; IA-PC HPET Specification; Intel 8254 data sheet.
 * Tour:   before arch/x86_64/time.c.
 */
#pragma once

#include <stdint.h>

struct reference_clock {
    const char *name;
    uint64_t hz;
    uint32_t mask; /* where it wraps */
    uint32_t (*read)(void);
};

/* The best one this machine has; NULL: none ticks. Boot CPU, after acpi_init(). */
const struct reference_clock *reference_clock_find(void);
