/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_cmos.c - the battery-backed clock's formats, and the calendar
 *
 * Room:   tests/host. Includes the source; ports are never touched.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the C library's calendar is the oracle.
 * Source: arch/x86_64/cmos.h.
 * Tour:   with arch/x86_64/cmos.c.
 */
#include "machine.h"

#include <time.h>

#include <arch/x86_64/cmos.c>

static void every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (time_t t = 0; t < 4102444800; t += 86400 + 3601) { /* up to 2100 */
        struct tm tm;
        gmtime_r(&t, &tm);
        struct calendar c = {.year = tm.tm_year + 1900,
                             .month = tm.tm_mon + 1,
                             .day = tm.tm_mday,
                             .hour = tm.tm_hour,
                             .minute = tm.tm_min,
                             .second = tm.tm_sec};
        assert_int_equal(calendar_seconds(&c), t);
    }
}

static void all_four_formats_mean_the_same(void **state)
{
    static const struct {
        uint8_t registers[6], status_b;
    } formats[] = {{{0x59, 0x30, 0x23, 0x31, 0x12, 0x25}, B_24_HOURS},
                   {{0x59, 0x30, 0x11 | HOUR_PM, 0x31, 0x12, 0x25}, 0},
                   {{59, 30, 23, 31, 12, 25}, B_24_HOURS | B_BINARY},
                   {{59, 30, 11 | HOUR_PM, 31, 12, 25}, B_BINARY}};
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        struct calendar c = cmos_decode(formats[i].registers, formats[i].status_b);
        assert_int_equal(calendar_seconds(&c), 1767223859); /* 2025-12-31 23:30:59 */
    }
}

static void midnight_and_noon_are_told_apart_with_12_hours(void **state)
{
    static const uint8_t midnight[6] = {0, 0, 0x12, 1, 1, 0x70};
    static const uint8_t noon[6] = {0, 0, 0x12 | HOUR_PM, 1, 1, 0x69};
    (void)state;

    assert_int_equal(cmos_decode(midnight, 0).hour, 0);
    assert_int_equal(cmos_decode(midnight, 0).year, 1970);
    assert_int_equal(cmos_decode(noon, 0).hour, 12);
    assert_int_equal(cmos_decode(noon, 0).year, 2069);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_agrees_with_the_c_library),
        cmocka_unit_test(all_four_formats_mean_the_same),
        cmocka_unit_test(midnight_and_noon_are_told_apart_with_12_hours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
