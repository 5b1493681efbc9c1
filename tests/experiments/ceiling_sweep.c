/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/ceiling_sweep.c - the kernel's choice of single or full, by its ceiling
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) 33 pages are forgotten of a working set of x, as the kernel does it, then all are
 *         read.
 * Source: asm/tlb.h, TLB_CEILING; Linux commit e9f4e0a9fe27 for its 33.
 * Tour:   after tests/experiments/others.h.
 */
#include "flush.h"
#include "others.h"

#include <asm/tlb.h>

#define FORGOTTEN 33

static void know(void *space)
{
    lab_space_chase(space);
    lab_space_chase(space);
}

static void forget_and_read(void *space)
{
    lab_space_forget(space, FORGOTTEN);
    lab_space_chase(space);
}

EXPERIMENT(ceiling_sweep, .title = "33 pages forgotten under each ceiling, then all pages read",
           .x_axis = "pages in the working set",
           .bare = "A ceiling below 33 forgets all: cheap for few pages, dear for many.",
           .virt = LAB_VIRT_LOCAL)
{
    static const struct {
        const char *series;
        uint64_t ceiling;
    } ceilings[] = {{"ceiling 0", 0}, {"ceiling 8", 8}, {"ceiling 33", 33}, {"ceiling 512", 512}};

    LAB_FOR_SIZES (nr, 64, 2048) {
        struct lab_space s = {.level = PT_4K, .nr = nr, .stride = 1};
        REQUIRE(!lab_space_make(&s));
        lab_space_load(&s);
        for (unsigned i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
            lab_settings_begin(TLB_SYNC, ceilings[i].ceiling);
            lab_measure(&(struct lab_probe){.series = ceilings[i].series,
                                            .x = nr,
                                            .prepare = know,
                                            .body = forget_and_read,
                                            .arg = &s,
                                            .irqs_on = true});
            lab_settings_end();
        }
        lab_space_unload();
        lab_space_drop(&s);
    }
}
