/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/crew.h - kernel threads that work at the same time
 *
 * Room:   tests/kernel.
 * Owns:   struct crew.
 * Locks:  none.
 * Always: (1) work begins when all are there.
 * Source: design.md section 10, ring 3.
 * Tour:   with tests/kernel/smp.c.
 */
#pragma once

#include "kit.h"

struct crew {
    void (*work)(struct crew *crew, unsigned who);
    struct mm *mm;
    struct object *object;
    _Atomic unsigned there, finished;
    _Atomic unsigned wrong;
    unsigned size;
    bool everywhere;
    uint64_t tasks_before;
};

/* One thread per CPU but this one, which waits with interrupts on. False: something was wrong, or
 * they did not come back in time: the test has failed. */
bool crew_run(struct crew *crew);

/* One thread per CPU, @who is the CPU's number, and this task gives way: for work that may wait,
 * and that takes as long as it takes. */
bool crew_run_everywhere(struct crew *crew);

/* The two halves of crew_run(), for a caller who has something to do meanwhile. */
bool crew_start(struct crew *crew);
bool crew_join(struct crew *crew);
