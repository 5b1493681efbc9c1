/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/memory.h - a program's memory, touched and loaded, for calls of mm/
 *
 * Room:   tests/experiments.
 * Owns:   struct lab_memory.
 * Locks:  none.
 * Always: (1) a repetition gets a new address space, and leaves none.
 * Source: tests/kernel/kit.h.
 * Tour:   after tests/experiments/kit.h.
 */
#pragma once

#include "kit.h"
#include "tests/kernel/kit.h"

#define LAB_SMALL (RW | VM_NOHUGEPAGE)

struct lab_memory {
    uint64_t nr;    /* pages */
    uint32_t flags; /* enum vm_flags; 0: RW, small pages */
    uint64_t part;  /* pages that the body works on; 0: all */
    struct mm *mm, *child;
};

/* Steps of a probe, with a struct lab_memory as their argument: memory that is touched and loaded
 * here; its end, and that of a child. */
void lab_memory_make(void *memory);
void lab_memory_drop(void *memory);

/* A body: each page is faulted in for writing. */
void lab_memory_write(void *memory);

/* Bytes that the body works on. */
static inline uint64_t lab_memory_bytes(const struct lab_memory *m)
{
    return (m->part ? m->part : m->nr) * PAGE_SIZE;
}
