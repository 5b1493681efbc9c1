/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/break_even.c - so many single flushes, or one of everything?
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) both pay what follows: all 512 pages are read again.
 * Source: Linux Documentation/arch/x86/tlb.rst: "there is essentially no right point to choose".
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

#define WORKING_SET 512

struct choice {
    struct lab_space space;
    uint64_t singles; /* 0: everything, by CR3 */
};

static void know(void *arg)
{
    const struct choice *c = arg;

    lab_space_chase(&c->space);
    lab_space_chase(&c->space);
}

static void flush_and_read(void *arg)
{
    const struct choice *c = arg;

    for (uint64_t i = 0; i < c->singles; i++)
        lab_flush(LAB_INVLPG, lab_space_va(&c->space, i));
    if (!c->singles)
        lab_flush(LAB_CR3, 0);
    lab_space_chase(&c->space);
}

static void row(struct choice *c, const char *series, uint64_t x, uint64_t singles)
{
    c->singles = singles;
    lab_measure(&(struct lab_probe){
        .series = series, .x = x, .prepare = know, .body = flush_and_read, .arg = c});
}

EXPERIMENT(break_even, .title = "Single flushes against one full, refill of 512 pages included",
           .x_axis = "pages to forget",
           .bare = "Where the lines cross a ceiling would lie for a program that reads 512 pages.",
           .virt = LAB_VIRT_LOCAL)
{
    struct choice c = {.space = {.level = PT_4K, .nr = WORKING_SET, .stride = 1}};

    REQUIRE(!lab_space_make(&c.space));
    lab_space_load(&c.space);
    LAB_FOR_SIZES (nr, 1, WORKING_SET) {
        row(&c, "cr3, all", nr, 0);
        row(&c, "invlpg, one by one", nr, nr);
    }
    lab_space_unload();
    lab_space_drop(&c.space);
}
