/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/memory.c - makes a program's memory, and drops it
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  those of what it calls.
 * Always: (1) each page was written, and is in this CPU's reach.
 * Source: -
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

void lab_memory_make(void *memory)
{
    struct lab_memory *m = memory;

    m->mm = kit_mm();
    REQUIRE(m->mm && kit_map(m->mm, 0, m->nr, m->flags ? m->flags : LAB_SMALL) == 0);
    for (uint64_t i = 0; i < m->nr; i++)
        kit_write(m->mm, i, i);
    kit_load(m->mm);
}

void lab_memory_write(void *memory)
{
    const struct lab_memory *m = memory;

    for (uint64_t i = 0; i < m->nr; i++)
        EXPECT(mm_fault(m->mm, user(AT(i)), ACCESS_WRITE) == FAULT_RESOLVED);
}

void lab_memory_drop(void *memory)
{
    struct lab_memory *m = memory;

    kit_unload();
    if (m->child)
        mm_put(m->child);
    if (m->mm)
        mm_put(m->mm);
    m->mm = m->child = NULL;
}
