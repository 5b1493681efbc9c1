/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/reference_clock.c - PM timer, HPET and PIT, as counters
 *
 * Room:   arch.
 * Owns:   these three devices.
 * Locks:  none; see reference_clock.h.
 * Always: (1) of reference_clock.h.
 * Source: ACPI, "Power Management Timer"; IA-PC HPET Specification; Intel 8254 data sheet.
 * Tour:   after arch/x86_64/reference_clock.h.
 */
#include "reference_clock.h"

#include "acpi.h"
#include "insn.h"
#include <asm/machine.h>
#include <stddef.h>

#define PM_TIMER_HZ 3579545
#define PIT_HZ      1193182
#define FS_PER_S    1000000000000000UL

#define TICK_READS_MAX 1000 /* any of them ticks within this many reads */

static uint32_t pm_timer_read(void)
{
    return inl(acpi_info.fadt.pm_timer);
}

#define HPET_CAPABILITIES  0x000 /* upper half: femtoseconds per tick */
#define HPET_CONFIGURATION 0x010
#define HPET_COUNTER       0x0f0
#define HPET_ENABLE        1
#define HPET_WINDOW_BYTES  0x400
#define HPET_PERIOD_MAX    100000000 /* by the specification */

static volatile char *hpet;

static uint32_t hpet_read(void)
{
    return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

/* Its rate; 0: there is none. */
static uint64_t hpet_start(void)
{
    if (!acpi_info.hpet.raw)
        return 0;
    hpet = device_map(acpi_info.hpet, HPET_WINDOW_BYTES);
    if (!hpet)
        return 0;
    uint32_t period = *(volatile uint64_t *)(hpet + HPET_CAPABILITIES) >> 32;
    if (period == 0 || period > HPET_PERIOD_MAX)
        return 0;
    *(volatile uint32_t *)(hpet + HPET_CONFIGURATION) |= HPET_ENABLE;
    return FS_PER_S / period;
}

#define PIT_CHANNEL_0 0x40
#define PIT_COMMAND   0x43
#define PIT_RATE      0x34 /* channel 0, low byte then high byte, counts 65536 down for ever */
#define PIT_LATCH     0x00 /* hold channel 0's count for the next two reads */

static uint32_t pit_read(void)
{
    outb(PIT_COMMAND, PIT_LATCH);
    uint32_t low = inb(PIT_CHANNEL_0);
    return -(low | (uint32_t)inb(PIT_CHANNEL_0) << 8); /* it counts down */
}

static void pit_start(void)
{
    outb(PIT_COMMAND, PIT_RATE);
    outb(PIT_CHANNEL_0, 0);
    outb(PIT_CHANNEL_0, 0);
}

static bool ticks(const struct reference_clock *clock)
{
    uint32_t first = clock->read();

    for (unsigned n = 0; n < TICK_READS_MAX; n++)
        if ((clock->read() ^ first) & clock->mask)
            return true;
    return false;
}

const struct reference_clock *reference_clock_find(void)
{
    static struct reference_clock clock;

    if (acpi_info.fadt.pm_timer) {
        uint32_t mask = acpi_info.fadt.pm_timer_32bit ? 0xffffffff : 0xffffff;
        clock = (struct reference_clock){"PM timer", PM_TIMER_HZ, mask, pm_timer_read};
        if (ticks(&clock))
            return &clock;
    }
    uint64_t hpet_hz = hpet_start();
    if (hpet_hz) {
        clock = (struct reference_clock){"HPET", hpet_hz, 0xffffffff, hpet_read};
        if (ticks(&clock))
            return &clock;
    }
    pit_start();
    clock = (struct reference_clock){"PIT", PIT_HZ, 0xffff, pit_read};
    return ticks(&clock) ? &clock : NULL;
}
