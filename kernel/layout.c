/* SPDX-License-Identifier: MIT */
/*
 * kernel/layout.c - where the parts of a program lie: stack, mappings, heap; guessed by nobody
 *
 * Room:   kernel.
 * Owns:   kernel.randomize_va_space.
 * Locks:  none; the address space is nobody else's yet.
 * Always: (1) the stack can grow to its limit before it meets what mmap placed;
 *         (2) as many bits are random as on Linux: 22 of the stack's page, 28 of mappings'.
 * Source: personality(2); setrlimit(2), RLIMIT_STACK; Linux's behaviour on x86-64.
 * Tour:   from kernel/exec.c; then mm/map.c, which searches from here.
 */
#include "layout.h"

#include "random.h"
#include "task.h"
#include <mm/mm.h>
#include <uapi/errno.h>
#include <uapi/personality.h>

#define STACK_TOP         USER_END
#define STACK_RANDOM_BITS 22
#define MAP_RANDOM_BITS   28
#define HEAP_RANDOM_BYTES GIGA_SIZE
#define STACK_SKEW_BYTES  8192
#define STACK_GAP_MIN     (128 * MIB)        /* kept for a stack with a low limit */
#define STACK_GAP_MAX     (USER_END / 6 * 5) /* of one with a high limit */
#define APART_BASE \
    (USER_END / 3 * 2) /* program with a loader; heap of one without that lies among mappings */
#define UPWARDS_BASE (USER_END / 3) /* where the old search for a place begins */

static enum randomize randomize = RANDOMIZE_HEAP;

enum randomize layout_randomize(void)
{
    return READ_ONCE(randomize);
}

int layout_randomize_set(uint64_t how)
{
    if (how > RANDOMIZE_HEAP)
        return -EINVAL;
    WRITE_ONCE(randomize, how);
    return 0;
}

static bool is_random(void)
{
    return layout_randomize() && !(process_current()->personality & ADDR_NO_RANDOMIZE);
}

static uint64_t random_pages(unsigned bits)
{
    return (random_number() & ((1UL << bits) - 1)) << PAGE_SHIFT;
}

/* Claim 1. */
static uint64_t stack_gap(const struct mm *mm, bool random)
{
    uint64_t pad = STACK_GUARD_GAP + (random ? PAGE_SIZE << STACK_RANDOM_BITS : 0);
    uint64_t gap = mm->limits.stack;

    if (gap + pad > gap)
        gap += pad;
    return min(max(gap, STACK_GAP_MIN), STACK_GAP_MAX);
}

void layout_choose(struct mm *mm)
{
    bool random = is_random();
    uint64_t shift = random ? random_pages(MAP_RANDOM_BITS) : 0;

    mm->stack_top = STACK_TOP - (random ? random_pages(STACK_RANDOM_BITS) : 0);
    mm->mmap_top = round_up(USER_END - stack_gap(mm, random) - shift, PAGE_SIZE);
    mm->mmap_bottom = round_up(UPWARDS_BASE, PAGE_SIZE) + shift;
    mm->mmap_upwards = process_current()->personality & ADDR_COMPAT_LAYOUT;
}

/* @from, or a page up to 1 GiB above it. */
static void place_heap(struct mm *mm, uint64_t from)
{
    if (is_random() && layout_randomize() == RANDOMIZE_HEAP)
        from = round_down(from + random_number() % HEAP_RANDOM_BYTES, PAGE_SIZE);
    mm->brk_start = mm->brk = from;
}

void layout_place_heap(struct mm *mm)
{
    bool leaves_gap = is_random() && layout_randomize() == RANDOMIZE_HEAP;
    place_heap(mm, round_up(mm->brk, PAGE_SIZE) + (leaves_gap ? PAGE_SIZE : 0));
}

uint64_t layout_program_place(void)
{
    return round_up(APART_BASE, PAGE_SIZE) + (is_random() ? random_pages(MAP_RANDOM_BITS) : 0);
}

void layout_place_heap_apart(struct mm *mm)
{
    place_heap(mm, round_up(APART_BASE, PAGE_SIZE));
}

uint64_t layout_stack_skew(void)
{
    return is_random() ? random_number() % STACK_SKEW_BYTES : 0;
}
