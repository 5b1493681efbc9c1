/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/kit.h - how an experiment in the kernel is written
 *
 * Room:   tests/experiments. An experiment is a kernel test that prints rows.
 * Owns:   EXPERIMENT().
 * Locks:  none. Experiments run in task context on the boot CPU, one at a time.
 * Always: (1) as tests/experiments/measure.h.
 * Source: docs/tlb-lab.md.
 * Tour:   after tests/experiments/measure.h; then kit.c, space.h, flush.h, others.h.
 */
#pragma once

#include "measure.h"

#include <asm/cpu.h>
#include <base/ktest.h>
#include <lib/compiler.h>

/* EXPERIMENT(instruction_cost, .title = "...", ...) { what it does } */
#define EXPERIMENT(id, ...)                                                        \
    static const struct experiment experiment_##id = {.name = #id, ##__VA_ARGS__}; \
    static void measure_##id(void);                                                \
    KTEST(id)                                                                      \
    {                                                                              \
        lab_begin(&experiment_##id);                                               \
        measure_##id();                                                            \
    }                                                                              \
    static void measure_##id(void)
