/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/cmos.h - the battery-backed clock
 *
 * Room:   arch, private.
 * Owns:   nothing; see cmos.c.
 * Locks:  none: boot CPU.
 * Always: -
 * Source: Motorola MC146818 data sheet.
 * Tour:   with arch/x86_64/cmos.c.
 */
#pragma once

#include <stdint.h>

/* A date and a time of day, in UTC. */
struct calendar {
    unsigned year, month, day; /* 1970 .., 1 .. 12, 1 .. 31 */
    unsigned hour, minute, second;
};

/* Seconds since the first of January 1970. */
uint64_t calendar_seconds(const struct calendar *c);

/* What the registers mean. @status_b: register B, which tells their format. */
struct calendar cmos_decode(const uint8_t registers[6], uint8_t status_b);

/* Seconds since 1970, now. May wait 2 ms for an update to pass. */
uint64_t cmos_seconds(void);
