/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/shootdown_user.c - mprotect(2) while others run in user mode
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the readers never call the kernel: an interrupt has to reach them.
 * Source: docs/tlb-lab.md: responders in user mode.
 * Tour:   after tests/experiments/user/kit.h.
 */
#include "kit.h"

static void make_writable(void *page)
{
    MUST(mprotect(page, PAGE, RW) == 0);
    pages_touch(page, 1);
}

static void to_read_only(void *page)
{
    mprotect(page, PAGE, PROT_READ);
}

EXPERIMENT(shootdown_user, .title = "A shootdown of one page, responders in user mode",
           .x_axis = "threads that run elsewhere",
           .bare = "0 others: the call and one INVLPG. The rest is interrupt and answer.",
           .virt = LAB_VIRT_IPI)
{
    char *page = pages_make(1);

    for (unsigned others = 0; others < nr_cpus(); others++) {
        struct lab_probe p = {
            .x = others, .prepare = make_writable, .body = to_read_only, .arg = page};
        readers_start(page, 1, others);
        measure_by_policy(&p);
        readers_stop();
    }
    munmap(page, PAGE);
}
