/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/space.c - makes a working set, and walks it
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  the table's, for each leaf.
 * Always: (1) no two pages have their line at the same place of the 2 MiB.
 * Source: Sattolo, "An algorithm to generate a random cyclic permutation" (1986).
 * Tour:   after tests/experiments/space.h.
 */
#include "space.h"

#include "kit.h"
#include <asm/direct_map.h>
#include <asm/tlb.h>
#include <mm/buddy.h>

#define BASE        0x40000000UL
#define BLOCK_ORDER 9
#define LINE        64UL
#define LINES       (PAGE_SIZE / LINE)

/* Where in the block page @i has its line. Small pages: the frames in turn, another line each. */
static uint64_t line_of(const struct lab_space *s, uint64_t i)
{
    if (s->level != PT_4K)
        return i * LINE;
    uint64_t frame = i % (1 << BLOCK_ORDER);
    return frame * PAGE_SIZE + (frame + (i >> BLOCK_ORDER)) % LINES * LINE;
}

/* What the leaf of page @i maps. */
static phys_addr_t frame_of(const struct lab_space *s, uint64_t i)
{
    uint64_t at = page_to_phys(s->block).raw + line_of(s, i);
    return phys(at & ~(pt_level_size(s->level) - 1));
}

uint64_t lab_space_va(const struct lab_space *s, uint64_t i)
{
    return BASE + i * s->stride * pt_level_size(s->level);
}

static uint64_t line_va(const struct lab_space *s, uint64_t i)
{
    uint64_t at = page_to_phys(s->block).raw + line_of(s, i);
    return lab_space_va(s, i) + (at & (pt_level_size(s->level) - 1));
}

static void leaf_set(const struct pt_walk *walk, pte_t pte)
{
    spin_lock(pt_lock(walk->table));
    pt_set(walk->table, walk->slot, pte);
    spin_unlock(pt_lock(walk->table));
}

static bool map_page(struct lab_space *s, uint64_t i)
{
    pgprot_t prot = s->global ? pgprot_kernel() : (pgprot_t){pgprot_kernel().raw & ~PTE_G};
    struct pt_walk walk;

    if (pt_walk_alloc(&s->pgt, user(lab_space_va(s, i)), s->level, &walk))
        return false;
    leaf_set(&walk, pte_leaf(frame_of(s, i), pgprot_write(prot), s->level));
    return true;
}

static void unmap_pages(struct lab_space *s, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        struct pt_walk walk = pt_walk(&s->pgt, user(lab_space_va(s, i)));
        leaf_set(&walk, pte_none());
    }
}

/* A cycle through all pages. */
static void chain(struct lab_space *s)
{
    static uint32_t order[LAB_PAGES_MAX];
    uint32_t seed = 2463534242;
    char *block = page_kva(s->block);

    for (uint32_t i = 0; i < s->nr; i++)
        order[i] = i;
    for (uint32_t i = s->nr - 1; i > 0; i--) {
        uint32_t other = lab_random(&seed) % i, t = order[i];
        order[i] = order[other];
        order[other] = t;
    }
    for (uint32_t i = 0; i < s->nr; i++)
        *(uint64_t *)(block + line_of(s, i)) = line_va(s, order[i]);
    s->first = (void *)line_va(s, 0);
}

/* A leaf of 1 GiB shows more than the block: all of that must be memory. */
static bool is_within_large_leaf(const struct lab_space *s)
{
    uint64_t kva = (uint64_t)page_kva(s->block);
    return pt_walk(&kernel_pgtable, user(kva)).level == PT_1G;
}

static const char *refuse(struct lab_space *s, uint64_t mapped, const char *why)
{
    unmap_pages(s, mapped);
    pgtable_destroy(&s->pgt);
    page_free(s->block, BLOCK_ORDER);
    return why;
}

const char *lab_space_make(struct lab_space *s)
{
    if (s->level == PT_1G && !cpu_has(CPU_PAGE_1G))
        return "not in this CPU";
    if (page_alloc(BLOCK_ORDER, PAGE_ALLOC_PLAIN, &s->block))
        return "no memory";
    if (pgtable_init(&s->pgt)) {
        page_free(s->block, BLOCK_ORDER);
        return "no memory";
    }
    if (s->level == PT_1G && !is_within_large_leaf(s))
        return refuse(s, 0, "this machine has no whole GiB of memory in one piece");
    for (uint64_t i = 0; i < s->nr; i++)
        if (!map_page(s, i))
            return refuse(s, i, "no memory");
    chain(s);
    return NULL;
}

void lab_space_drop(struct lab_space *s)
{
    refuse(s, s->nr, NULL);
    tlb_flush_kernel(NULL, (void *)~0UL); /* the global ones, too */
}

void lab_space_load(struct lab_space *s)
{
    irq_flags_t flags = irq_save();

    tlb_switch(&s->pgt);
    irq_restore(flags);
}

void lab_space_unload(void)
{
    irq_flags_t flags = irq_save();

    tlb_switch(&kernel_pgtable);
    irq_restore(flags);
}

void lab_space_forget(struct lab_space *s, uint64_t nr)
{
    struct tlb_gather gather;

    tlb_gather_begin(&gather, &s->pgt);
    tlb_gather_range(&gather, lab_space_va(s, 0), lab_space_va(s, nr), s->level);
    tlb_gather_end(&gather);
}

void lab_shot_body(void *shot)
{
    struct lab_shot *s = shot;
    lab_space_forget(&s->space, s->nr);
}

void lab_space_chase(const struct lab_space *s)
{
    void *at = s->first;

    for (uint64_t i = 0; i < s->nr; i++)
        at = *(void *volatile *)at;
}
