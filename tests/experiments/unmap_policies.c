/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/unmap_policies.c - unmapping while another CPU uses the space
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) up to three others run in the kernel, interrupts on, the space in use.
 * Source: asm/tlb.h, enum tlb_policy; LATR (ASPLOS 2018); LUF (2024).
 * Tour:   after tests/experiments/memory.h.
 */
#include "memory.h"
#include "others.h"

#include <mm/limbo.h>

#define OTHERS_MAX 3U

static void make(void *memory)
{
    struct lab_memory *m = memory;

    lab_memory_make(m);
    lab_others_begin(&m->mm->pgtable, min(nr_cpus() - 1, OTHERS_MAX), LAB_KERNEL);
}

static void unmap(void *memory)
{
    const struct lab_memory *m = memory;
    EXPECT(mm_unmap(m->mm, AT(0), lab_memory_bytes(m)) == 0);
}

static void drop(void *memory)
{
    lab_others_end();
    limbo_drain();
    lab_memory_drop(memory);
}

EXPERIMENT(unmap_policies, .title = "Unmapping, by when others forget", .x_axis = "pages touched",
           .bare = "late and reuse: the caller does not wait. What waits for it is the frames.",
           .virt = LAB_VIRT_IPI)
{
    static const char *const names[TLB_POLICIES] = {"sync", "early", "late", "reuse"};

    if (nr_cpus() == 1) {
        lab_absent("all", 1, "one CPU");
        return;
    }
    for (unsigned policy = 0; policy < TLB_POLICIES; policy++) {
        for (uint64_t nr = 1; nr <= 256; nr *= 16) {
            struct lab_memory m = {.nr = nr};
            lab_settings_begin(policy, TLB_CEILING);
            lab_measure(&(struct lab_probe){.series = names[policy],
                                            .x = nr,
                                            .prepare = make,
                                            .body = unmap,
                                            .settle = drop,
                                            .arg = &m,
                                            .irqs_on = true});
            lab_settings_end();
        }
    }
}
