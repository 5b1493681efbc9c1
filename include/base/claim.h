/* SPDX-License-Identifier: MIT */
/*
 * include/base/claim.h - one numbered truth that vm_check() tests
 *
 * Room:   base: the checkers of arch, mm and kernel say broken claims in one way.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a broken claim is printed with its number before the checker returns.
 * Source: trust.md section 2, for the numbers.
 * Tour:   before mm/check.c.
 */
#pragma once

#include <base/log.h>
#include <uapi/errno.h>

/* In a checker: unless @cond holds, print claim @number and return -EUCLEAN. */
#define CLAIM(cond, number, fmt, ...)                               \
    do {                                                            \
        if (!(cond)) {                                              \
            log_error("vm_check: " number ": " fmt, ##__VA_ARGS__); \
            return -EUCLEAN;                                        \
        }                                                           \
    } while (0)
