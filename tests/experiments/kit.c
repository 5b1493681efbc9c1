/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/kit.c - starts the experiments, and what the kernel has for measuring
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is undisturbed has IRQs off.
 * Source: docs/boot.md has the options.
 * Tour:   after tests/experiments/measure.c; then tests/experiments/machine.c.
 */
#include "kit.h"

#include "machine.h"
#include "others.h"
#include <asm/spinlock.h>
#include <base/lab.h>
#include <lib/format.h>
#include <lib/parse.h>

void lab_print(const char *fmt, ...)
{
    char text[280];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ktest_note("%s", text);
}

bool lab_has_rdtscp(void)
{
    return cpu_has(CPU_RDTSCP);
}

uint64_t lab_undisturbed_begin(void)
{
    return irq_save();
}

void lab_undisturbed_end(uint64_t flags)
{
    irq_restore(flags);
}

void lab_start(const char *cmdline)
{
    char names[128];

    if (parse_option(cmdline, "lab", names, sizeof(names)))
        return;
    lab_reps_set(parse_option_or(cmdline, "lab.reps", 31));
    lab_machine_print(cmdline);
    lab_others_begin(NULL, 0, LAB_HALTED); /* what caches keep of threads, they keep from here on */
    lab_others_end();
    ktest_run(cmdline, names);
}
