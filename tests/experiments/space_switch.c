/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/space_switch.c - two address spaces in turn, remembered or not
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each space has x pages, which are read once after each switch.
 * Source: Linux commit 10af6235e0d3: 512 pages 6.1 -> 1.8 us with PCIDs, 17 times fewer misses.
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

#include <asm/tlb.h>

struct pair {
    struct lab_space a, b;
    bool forget;
};

static void visit(const struct pair *p, struct lab_space *s)
{
    tlb_switch(&s->pgt);
    if (p->forget)
        lab_flush(LAB_CR3, 0);
    lab_space_chase(s);
}

static void ping_pong(void *arg)
{
    struct pair *p = arg;

    visit(p, &p->a);
    visit(p, &p->b);
}

static void leave(void *arg)
{
    (void)arg;
    lab_space_unload();
}

/* No pages: one is made, none is read. */
static void rows(uint64_t nr)
{
    struct pair p = {.a = {.level = PT_4K, .nr = max(nr, 1UL), .stride = 1},
                     .b = {.level = PT_4K, .nr = max(nr, 1UL), .stride = 1}};

    REQUIRE(!lab_space_make(&p.a));
    REQUIRE(!lab_space_make(&p.b));
    p.a.nr = p.b.nr = nr;
    struct lab_probe probe = {.series = "as the kernel switches",
                              .x = nr,
                              .body = ping_pong,
                              .settle = leave,
                              .arg = &p,
                              .per = 2,
                              .note = cpu_has(CPU_PCID) ? "with PCIDs" : "no PCIDs in this CPU"};
    lab_measure(&probe);
    p.forget = true;
    probe.series = "all forgotten at each switch";
    lab_measure(&probe);
    p.a.nr = p.b.nr = max(nr, 1UL);
    lab_space_drop(&p.a);
    lab_space_drop(&p.b);
}

EXPERIMENT(space_switch, .title = "A switch of address spaces, and the reads after it",
           .x_axis = "pages read",
           .bare = "With PCIDs the first line stays flat as long as both spaces fit the TLB.",
           .virt = LAB_VIRT_LOCAL)
{
    rows(0);
    LAB_FOR_SIZES (nr, 8, 512)
        rows(nr);
}
