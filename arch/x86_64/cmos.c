/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/cmos.c - the battery-backed clock
 *
 * Room:   arch.
 * Owns:   the CMOS ports; the calendar.
 * Locks:  none: boot CPU.
 * Always: (1) a reading is believed when two in a row are equal.
 * Source: Motorola MC146818 data sheet; POSIX, "Seconds Since the Epoch".
 * Tour:   before arch/x86_64/time.c.
 */
#include "cmos.h"

#include "insn.h"
#include <asm/spinlock.h>
#include <lib/string.h>

#define CMOS_SELECT   0x70
#define CMOS_VALUE    0x71
#define CMOS_STATUS_A 0x0a
#define CMOS_STATUS_B 0x0b
#define A_UPDATING    0x80
#define B_24_HOURS    0x02
#define B_BINARY      0x04
#define HOUR_PM       0x80

#define UPDATE_READS_MAX 20000 /* an update takes 2 ms, a read some 1 us at least where it counts */
#define READINGS_MAX     4

/* Second, minute, hour, day, month, year: the order of cmos_decode(). */
static const uint8_t registers_read[6] = {0, 2, 4, 7, 8, 9};

static uint8_t cmos_read(uint8_t n)
{
    outb(CMOS_SELECT, n);
    return inb(CMOS_VALUE);
}

static unsigned from_bcd(uint8_t v)
{
    return (v >> 4) * 10 + (v & 15);
}

struct calendar cmos_decode(const uint8_t registers[6], uint8_t status_b)
{
    unsigned v[6];

    for (unsigned i = 0; i < 6; i++) {
        uint8_t raw = registers[i];
        if (i == 2)
            raw &= ~HOUR_PM;
        v[i] = status_b & B_BINARY ? raw : from_bcd(raw);
    }
    if (!(status_b & B_24_HOURS))
        v[2] = v[2] % 12 + (registers[2] & HOUR_PM ? 12 : 0);
    return (struct calendar){.second = v[0],
                             .minute = v[1],
                             .hour = v[2],
                             .day = v[3],
                             .month = v[4],
                             .year = v[5] + (v[5] < 70 ? 2000 : 1900)};
}

uint64_t calendar_seconds(const struct calendar *c)
{
    static const uint16_t days_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned past = c->year - 1;
    uint64_t days = (c->year - 1970) * 365UL;

    days += past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    days += days_before[(c->month - 1) % 12] + c->day - 1;
    bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
    if (leap && c->month > 2)
        days++;
    return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

static void read_registers(uint8_t registers[6])
{
    for (unsigned n = 0; cmos_read(CMOS_STATUS_A) & A_UPDATING && n < UPDATE_READS_MAX; n++)
        cpu_relax();
    for (unsigned i = 0; i < 6; i++)
        registers[i] = cmos_read(registers_read[i]);
}

uint64_t cmos_seconds(void)
{
    uint8_t now[6], before[6];

    read_registers(now);
    for (unsigned n = 0; n < READINGS_MAX; n++) {
        memcpy(before, now, sizeof(now));
        read_registers(now);
        if (!memcmp(before, now, sizeof(now)))
            break;
    }
    struct calendar c = cmos_decode(now, cmos_read(CMOS_STATUS_B));
    return calendar_seconds(&c);
}
