/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/kernel_range.c - a flush of kernel addresses, which all CPUs must take part in
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the range is mapped and stays so; only translations are forgotten.
 * Source: asm/tlb.h, tlb_flush_kernel(): INVLPG up to the ceiling, then all that is global, too.
 * Tour:   after tests/experiments/others.h.
 */
#include "others.h"

#include <asm/memory_layout.h>
#include <asm/tlb.h>

static void flush(void *arg)
{
    const uint64_t *nr = arg;
    const char *start = (const char *)DIRECT_MAP_BASE;

    tlb_flush_kernel(start, start + *nr * PAGE_SIZE);
}

static void rows(enum lab_state state, uint64_t others, const char *series)
{
    if (nr_cpus() == 1 && others) {
        lab_absent(series, 1, "one CPU");
        return;
    }
    REQUIRE(lab_others_begin(NULL, others, state));
    LAB_FOR_SIZES (nr, 1, 512)
        lab_measure(&(struct lab_probe){
            .series = series, .x = nr, .body = flush, .arg = &nr, .irqs_on = true});
    lab_others_end();
}

EXPERIMENT(kernel_range, .title = "A flush of kernel addresses", .x_axis = "pages",
           .bare = "Halted CPUs are woken: nobody is spared. Above the ceiling everything goes.",
           .virt = LAB_VIRT_IPI)
{
    rows(LAB_HALTED, nr_cpus() - 1, "others halted");
    rows(LAB_KERNEL, nr_cpus() - 1, "others in the kernel");
}
