/* SPDX-License-Identifier: MIT */
/*
 * include/base/panic.h - broken invariants, and nothing else
 *
 * Room:   base: contracts every room above lib may call; the code is kernel/panic.c.
 * Owns:   panic() and the assertion tiers.
 * Locks:  none; panic() stops the other CPUs and breaks the console lock.
 * Always: (1) user input and lack of memory never reach panic();
 *         (2) an assertion quotes the claim it makes and prints the values it saw.
 * Source: design.md section 5.
 * Tour:   with include/base/log.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>

#ifndef DEBUG
#define DEBUG 0
#endif

/* Print the broken claim, registers and a backtrace; stop every CPU; leave with exit status 126. */
_Noreturn void panic(const char *fmt, ...) __printf(1, 2);

/* Always on. ASSERT(a < b, "a=%lu b=%lu", a, b) */
#define ASSERT(cond, ...)                                             \
    do {                                                              \
        if (unlikely(!(cond)))                                        \
            assert_failed(#cond, __FILE__, __LINE__, "" __VA_ARGS__); \
    } while (0)

/* On with DEBUG >= 1: for checks on hot paths. */
#define DEBUG_ASSERT(cond, ...)          \
    do {                                 \
        if (DEBUG >= 1)                  \
            ASSERT(cond, ##__VA_ARGS__); \
    } while (0)

_Noreturn __cold void assert_failed(const char *claim, const char *file, int line, const char *fmt,
                                    ...) __printf(4, 5);

struct trap_frame;

/* The registers that panic() prints: of the trap that is being handled on this CPU. */
void panic_set_frame(const struct trap_frame *frame);

/* Did some CPU panic? The others stop when they are told so. */
bool panic_in_progress(void);
