/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/protect.c - taking a right from pages, and giving it back
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what only grows is not flushed: a CPU that knows less faults and looks again.
 * Source: Amit, Tai, Wei, EuroSys 2020: upgrades without a flush, 10,458 to 2,505 cycles.
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"

static void to_read_only(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_protect(m->mm, AT(0), lab_memory_bytes(m), VM_READ, 0) == 0);
}

static void to_writable(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_protect(m->mm, AT(0), lab_memory_bytes(m), VM_READ | VM_WRITE, 0) == 0);
}

static void make_read_only(void *memory)
{
    lab_memory_make(memory);
    to_read_only(memory);
}

EXPERIMENT(protect, .title = "mprotect down and up", .x_axis = "pages touched",
           .bare = "Down needs a flush, up none.", .virt = LAB_VIRT_LOCAL)
{
    LAB_FOR_SIZES (nr, 1, 512) {
        struct lab_memory m = {.nr = nr};
        struct lab_probe p = {.series = "down, flushed",
                              .x = nr,
                              .prepare = lab_memory_make,
                              .body = to_read_only,
                              .settle = lab_memory_drop,
                              .arg = &m,
                              .irqs_on = true};
        lab_measure(&p);
        p.series = "up, not flushed";
        p.prepare = make_read_only;
        p.body = to_writable;
        lab_measure(&p);
    }
}
