/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/shapes_main.c - the model beside what was published, as lines of the laboratory
 *
 * Room:   tools. usage: tlbshapes
 * Owns:   the published figures that are drawn.
 * Locks:  none.
 * Always: (1) a published figure is a series of its own, and its note says where it is from.
 * Source: docs/tlb-lab.md has the format.
 * Tour:   after shapes.h; tools/tlb_model.py runs it.
 */
#include "shapes.h"

#include <stddef.h>
#include <stdio.h>

static const char *const machines[] = {"ivybridge", "skylake"};

#define NR_MACHINES (sizeof(machines) / sizeof(machines[0]))

static void begin(const char *name, const char *title, const char *x_axis, const char *unit,
                  const char *means)
{
    printf("lab|experiment|%s|%s|%s|%s\n", name, title, x_axis, unit);
    printf("lab|means|%s|bare|%s\n", name, means);
    printf("lab|means|%s|virt|%s\n", name, "No machine was measured.");
    printf("lab|means|%s|emulated|%s\n", name,
           "A model's figures, made of published costs: neither QEMU's nor a CPU's.");
}

static void row(const char *name, const char *series, unsigned x, double value, const char *note)
{
    printf("lab|row|%s|%s|%u|1|%.0f|%.0f|%.0f|%.0f|%.0f|||%s\n", name, series, x, value, value,
           value, value, value, note);
}

static void refill(void)
{
    begin("model_refill", "The model: refill after all was forgotten", "pages", "model cycles",
          "Published: 22,000 cycles for 512 entries, worth about 85 INVLPGs (Linux, 2014).");
    for (size_t i = 0; i < NR_MACHINES; i++)
        for (unsigned nr = 8; nr <= 4096; nr *= 2)
            row("model_refill", machines[i], nr,
                (double)shape_refill(tlb_machine_find(machines[i]), nr), "");
    row("model_refill", "published", 512, 22000, "Linux, 2014");
}

static void turns(void)
{
    const struct tlb_machine *skylake = tlb_machine_find("skylake");

    begin("model_pcid", "The model: two spaces of 512 pages in turn", "pages beside them",
          "walks in a turn", "Published: 17 times fewer misses with PCIDs (Linux, 2017).");
    for (unsigned others = 16; others <= 512; others *= 2) {
        row("model_pcid", "without PCIDs", others, shape_walks_in_a_turn(skylake, false, others),
            "");
        row("model_pcid", "with PCIDs", others, shape_walks_in_a_turn(skylake, true, others), "");
        row("model_pcid", "published: 17 times fewer", others, 512.0 / 17, "Linux, 2017");
    }
}

static void ceilings(void)
{
    static const unsigned all[] = {1, 2, 4, 8, 16, 33, 64, 128, 256, 512};

    begin("model_ceiling", "The model: a compiler's flushes under each ceiling", "ceiling, pages",
          "model cycles", "Published: 33, and that there is essentially no right point to choose.");
    for (size_t i = 0; i < NR_MACHINES; i++)
        for (size_t n = 0; n < sizeof(all) / sizeof(all[0]); n++)
            row("model_ceiling", machines[i], all[n],
                (double)shape_cost_of_ceiling(tlb_machine_find(machines[i]), all[n]), "");
}

int main(void)
{
    puts("lab|machine|kernel|model");
    puts("lab|machine|clock|model");
    puts("lab|machine|cpu|a model of a TLB");
    puts("lab|machine|cpus|1");
    refill();
    turns();
    ceilings();
    return 0;
}
