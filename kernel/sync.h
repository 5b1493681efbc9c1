/* SPDX-License-Identifier: MIT */
/*
 * kernel/sync.h - a mutex that nobody waits for, in line
 *
 * Room:   kernel, private to sync.c and rwsem.c.
 * Owns:   what the word of a free, and of an uncontended mutex is.
 * Locks:  -
 * Always: as kernel/sync.c says.
 * Source: -
 * Tour:   with kernel/sync.c.
 */
#pragma once

#include "task.h"
#include <base/mutex.h>

/* Take it if it is free. */
static inline bool mutex_take_free(struct mutex *m)
{
    uintptr_t free = 0;
    return atomic_compare_exchange_strong_explicit(&m->word, &free, (uintptr_t)task_current(),
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Give it back if nobody waits. */
static inline bool mutex_give_free(struct mutex *m)
{
    uintptr_t word = (uintptr_t)task_current();
    return atomic_compare_exchange_strong_explicit(&m->word, &word, 0, memory_order_release,
                                                   memory_order_relaxed);
}
