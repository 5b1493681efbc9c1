/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/gup_test.h - the ioctls of debugfs' gup_test: keeping pages by address
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: Linux mm/gup_test.h (numbers); its selftests gup_test, gup_longterm, cow.
 * Tour:   with kernel/gup_test.c.
 */
#pragma once

#include <stdint.h>

#define GUP_FAST_BENCHMARK     0xc0506701U /* _IOWR('g', 1, struct uapi_gup_test), and so on */
#define PIN_FAST_BENCHMARK     0xc0506702U
#define PIN_LONGTERM_BENCHMARK 0xc0506703U
#define GUP_BASIC_TEST         0xc0506704U
#define PIN_BASIC_TEST         0xc0506705U
#define DUMP_USER_PAGES_TEST   0xc0506706U

#define PIN_LONGTERM_TEST_START 0x40186707U /* _IOW('g', 7, struct uapi_pin_longterm_test) */
#define PIN_LONGTERM_TEST_STOP  0x6708U
#define PIN_LONGTERM_TEST_READ  0x40086709U /* _IOW('g', 9, uint64_t): where to */

#define GUP_TEST_DUMPED                  8
#define GUP_TEST_FLAG_DUMP_PAGES_USE_PIN 0x1
#define PIN_LONGTERM_TEST_FLAG_USE_WRITE 0x1
#define PIN_LONGTERM_TEST_FLAG_USE_FAST  0x2

#define FOLL_WRITE 0x1 /* of gup_flags */

struct uapi_gup_test {
    uint64_t get_delta_usec, put_delta_usec;
    uint64_t addr, size; /* size: out: up to where it got */
    uint32_t nr_pages_per_call;
    uint32_t gup_flags, test_flags;
    uint32_t which_pages[GUP_TEST_DUMPED]; /* from 1; 0: none */
};

struct uapi_pin_longterm_test {
    uint64_t addr, size;
    uint32_t flags;
};

_Static_assert(sizeof(struct uapi_gup_test) == 0x50, "with its padding");
_Static_assert(sizeof(struct uapi_pin_longterm_test) == 0x18, "with its padding");
