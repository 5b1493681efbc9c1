/* SPDX-License-Identifier: MIT */
/*
 * kernel/layout.h - where the parts of a program lie
 *
 * Room:   kernel.
 * Owns:   nothing; see layout.c.
 * Locks:  none; the address space is nobody else's yet.
 * Always: -
 * Source: personality(2); Linux Documentation/admin-guide/sysctl/kernel.rst, randomize_va_space.
 * Tour:   with kernel/exec.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mm;

/* kernel.randomize_va_space: what differs from run to run. */
enum randomize {
    RANDOMIZE_NOTHING,
    RANDOMIZE_MAPS, /* stack and mappings */
    RANDOMIZE_HEAP  /* and the break */
};

/* The set one: 0 or -EINVAL. */
enum randomize layout_randomize(void);
int layout_randomize_set(uint64_t how);

/* Choose mm's stack_top and where mmap searches, for a program that the running task begins. */
void layout_choose(struct mm *mm);

/* Where a program that can lie anywhere lies if it has a loader: below all mappings. */
uint64_t layout_program_place(void);

/* mm->brk is behind the last segment (of a program that lies apart from mappings): the heap begins
 * there, or somewhere after it. */
void layout_place_heap(struct mm *mm);

/* The heap of a program that lies among the mappings: far from where mappings are made. */
void layout_place_heap_apart(struct mm *mm);

/* How far below the strings the first stack frame begins, in bytes: a different cache set for each
 * program. */
uint64_t layout_stack_skew(void);
