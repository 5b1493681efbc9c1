/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/model.c - CPUs that remember translations, walk, and forget
 *
 * Room:   tools.
 * Owns:   struct tlb_model.
 * Locks:  none.
 * Always: (1) what each kind of flush drops is the manual's minimum, never more;
 *         (2) without PCIDs everything belongs to space 0.
 * Source: Intel SDM 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
 * Tour:   after array.h, before replay.h.
 */
#include "model.h"

#include "array.h"
#include "parameters.h"
#include <stdlib.h>
#include <string.h>

#define LEVEL_BITS 9
#define PAGE_BITS  12

struct tlb_cpu {
    uint32_t space;
    struct tlb_array l1[TLB_LEAVES], l2, l2_1g, none, psc[PSC_LEVELS];
};

struct tlb_model {
    const struct tlb_machine *machine;
    bool pcid;
    unsigned nr_cpus;
    struct tlb_counts counts;
    struct tlb_cpu cpus[];
};

const char *const tlb_flush_names[TLB_FLUSH_KINDS] = {
    [TLB_INVLPG] = "invlpg",
    [TLB_ROOT] = "cr3",
    [TLB_ROOT_KEEP] = "cr3-keep",
    [TLB_INVPCID_ONE] = "invpcid-one",
    [TLB_INVPCID_SPACE] = "invpcid-space",
    [TLB_INVPCID_ALL] = "invpcid-all",
    [TLB_INVPCID_LOCAL] = "invpcid-local",
    [TLB_PGE] = "cr4-pge",
};

const struct tlb_machine *tlb_machine_find(const char *name)
{
    for (size_t i = 0; i < sizeof(tlb_machines) / sizeof(tlb_machines[0]); i++)
        if (!strcmp(tlb_machines[i].name, name))
            return &tlb_machines[i];
    return NULL;
}

static bool cpu_init(struct tlb_cpu *cpu, const struct tlb_machine *machine)
{
    static const struct tlb_shape none;
    bool good = array_init(&cpu->none, &none) && array_init(&cpu->l2, &machine->l2);

    good &= array_init(&cpu->l2_1g, &machine->l2_1g);
    for (unsigned i = 0; i < TLB_LEAVES; i++)
        good &= array_init(&cpu->l1[i], &machine->l1[i]);
    for (unsigned i = 0; i < PSC_LEVELS; i++)
        good &= array_init(&cpu->psc[i], &machine->psc[i]);
    return good;
}

static void cpu_destroy(struct tlb_cpu *cpu)
{
    array_destroy(&cpu->none);
    array_destroy(&cpu->l2);
    array_destroy(&cpu->l2_1g);
    for (unsigned i = 0; i < TLB_LEAVES; i++)
        array_destroy(&cpu->l1[i]);
    for (unsigned i = 0; i < PSC_LEVELS; i++)
        array_destroy(&cpu->psc[i]);
}

struct tlb_model *tlb_model_new(const struct tlb_machine *machine, unsigned cpus, bool pcid)
{
    struct tlb_model *model = calloc(1, sizeof(*model) + cpus * sizeof(model->cpus[0]));
    bool good = model;

    for (unsigned i = 0; good && i < cpus; i++) {
        model->nr_cpus++;
        good = cpu_init(&model->cpus[i], machine);
    }
    if (!good) {
        tlb_model_free(model);
        return NULL;
    }
    model->machine = machine;
    model->pcid = pcid;
    return model;
}

void tlb_model_free(struct tlb_model *model)
{
    for (unsigned i = 0; model && i < model->nr_cpus; i++)
        cpu_destroy(&model->cpus[i]);
    free(model);
}

const struct tlb_counts *tlb_counts(const struct tlb_model *model)
{
    return &model->counts;
}

uint64_t tlb_set_stride(const struct tlb_machine *machine)
{
    uint64_t sets = machine->l2.sets;
    return (machine->l2.folded ? sets * sets : sets) << PAGE_BITS;
}

static unsigned page_bits(enum tlb_leaf leaf)
{
    return PAGE_BITS + LEVEL_BITS * leaf;
}

static struct tlb_array *second_level(const struct tlb_machine *machine, struct tlb_cpu *cpu,
                                      enum tlb_leaf leaf)
{
    if (leaf == TLB_1G)
        return &cpu->l2_1g;
    return leaf == TLB_4K || machine->l2_has_2m ? &cpu->l2 : &cpu->none;
}

/* The entry of a paging-structure cache: @level 0 is the page directory's. */
static struct tlb_tag psc_tag(const struct tlb_cpu *cpu, uint64_t va, unsigned level)
{
    return (struct tlb_tag){.page = va >> (page_bits(TLB_2M) + LEVEL_BITS * level),
                            .space = cpu->space,
                            .leaf = (uint8_t)level};
}

/* How many entries the walker reads: down from the lowest that it remembers. */
static unsigned walk(struct tlb_cpu *cpu, const struct tlb_page *page)
{
    unsigned level = page->leaf;

    for (; level < PSC_LEVELS; level++) {
        struct tlb_tag tag = psc_tag(cpu, page->va, level);
        if (array_use(&cpu->psc[level], &tag) == TLB_PRESENT)
            break;
    }
    for (unsigned below = page->leaf; below < level; below++) {
        struct tlb_tag tag = psc_tag(cpu, page->va, below);
        array_add(&cpu->psc[below], &tag);
    }
    return level - page->leaf + 1;
}

static unsigned count_walk(struct tlb_counts *counts, const struct tlb_machine *machine,
                           unsigned steps, bool refill)
{
    unsigned cycles = machine->walk_start + steps * machine->walk_step;

    counts->walks++;
    counts->steps += steps;
    counts->refills += refill;
    counts->refill_cycles += refill ? cycles : 0;
    return cycles;
}

unsigned tlb_access(struct tlb_model *model, unsigned nr, const struct tlb_page *page)
{
    struct tlb_cpu *cpu = &model->cpus[nr];
    struct tlb_array *l1 = &cpu->l1[page->leaf];
    struct tlb_array *l2 = second_level(model->machine, cpu, page->leaf);
    struct tlb_tag tag = {page->va >> page_bits(page->leaf), cpu->space, (uint8_t)page->leaf,
                          page->global};

    model->counts.accesses++;
    enum tlb_presence first = array_use(l1, &tag);
    if (first == TLB_PRESENT)
        return 0;
    enum tlb_presence second = array_use(l2, &tag);
    unsigned cycles = model->machine->l2_hit;
    model->counts.l1_misses++;
    array_add(l1, &tag);
    if (second != TLB_PRESENT) {
        array_add(l2, &tag);
        cycles = count_walk(&model->counts, model->machine, walk(cpu, page),
                            first == TLB_DROPPED || second == TLB_DROPPED);
    }
    model->counts.access_cycles += cycles;
    return cycles;
}

/* What a flush drops: entries by these questions. */

static bool is_of_address(const struct tlb_tag *entry, const struct tlb_tag *what)
{
    return entry->page == what->page >> LEVEL_BITS * entry->leaf &&
           (entry->global || entry->space == what->space);
}

static bool is_of_address_local(const struct tlb_tag *entry, const struct tlb_tag *what)
{
    return !entry->global && is_of_address(entry, what);
}

static bool is_of_space(const struct tlb_tag *entry, const struct tlb_tag *what)
{
    return !entry->global && entry->space == what->space;
}

static bool is_local(const struct tlb_tag *entry, const struct tlb_tag *what)
{
    (void)what;
    return !entry->global;
}

static bool is_any(const struct tlb_tag *entry, const struct tlb_tag *what)
{
    (void)entry, (void)what;
    return true;
}

/* By kind: translations that go, and paging-structure entries that go; NULL: none. */
static const struct {
    bool (*leaf)(const struct tlb_tag *entry, const struct tlb_tag *what);
    bool (*upper)(const struct tlb_tag *entry, const struct tlb_tag *what);
} goes[TLB_FLUSH_KINDS] = {
    [TLB_INVLPG] = {is_of_address, is_of_space},
    [TLB_ROOT] = {is_of_space, is_of_space},
    [TLB_INVPCID_ONE] = {is_of_address_local, is_of_space},
    [TLB_INVPCID_SPACE] = {is_of_space, is_of_space},
    [TLB_INVPCID_ALL] = {is_any, is_any},
    [TLB_INVPCID_LOCAL] = {is_local, is_any},
    [TLB_PGE] = {is_any, is_any},
};

static void drop(struct tlb_model *model, struct tlb_cpu *cpu, enum tlb_flush_kind kind,
                 const struct tlb_tag *what)
{
    if (!goes[kind].leaf)
        return;
    unsigned nr = array_drop(&cpu->l2, goes[kind].leaf, what);
    array_drop(&cpu->l2_1g, goes[kind].leaf, what);
    for (unsigned i = 0; i < TLB_LEAVES; i++)
        array_drop(&cpu->l1[i], goes[kind].leaf, what);
    for (unsigned i = 0; i < PSC_LEVELS; i++)
        array_drop(&cpu->psc[i], goes[kind].upper, what);
    model->counts.lost[kind] += nr;
}

static void count_flush(struct tlb_model *model, enum tlb_flush_kind kind)
{
    model->counts.flushes[kind]++;
    model->counts.flush_cycles += model->machine->flush[kind];
}

void tlb_load(struct tlb_model *model, unsigned nr, uint32_t space, enum tlb_flush_kind kind)
{
    struct tlb_cpu *cpu = &model->cpus[nr];

    if (!model->pcid) {
        space = 0;
        kind = TLB_ROOT;
    }
    cpu->space = space;
    struct tlb_tag what = {.space = space};
    drop(model, cpu, kind, &what);
    count_flush(model, kind);
}

void tlb_flush(struct tlb_model *model, unsigned nr, enum tlb_flush_kind kind, uint32_t space,
               uint64_t va)
{
    struct tlb_cpu *cpu = &model->cpus[nr];
    bool named = kind == TLB_INVPCID_ONE || kind == TLB_INVPCID_SPACE;
    struct tlb_tag what = {.page = va >> PAGE_BITS, .space = named ? space : cpu->space};

    if (!model->pcid)
        what.space = 0;
    drop(model, cpu, kind, &what);
    count_flush(model, kind);
}
