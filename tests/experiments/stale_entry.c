/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/stale_entry.c - is it gone after each kind of flush, and was it there before?
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  the table's, for a leaf.
 * Always: (1) without a flush the old frame is still read where the CPU says that it keeps what it
 *         knows.
 * Source: Intel SDM 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
 * Tour:   after tests/experiments/flush.h.
 */
#include "flush.h"

#include <lib/format.h>

#define OLD 0UL
#define NEW 1UL

static pte_t leaf_change(struct lab_space *s, pte_t pte)
{
    struct pt_walk walk = pt_walk(&s->pgt, user(lab_space_va(s, OLD)));

    spin_lock(pt_lock(walk.table));
    pte_t old = pt_set(walk.table, walk.slot, pte);
    spin_unlock(pt_lock(walk.table));
    return old;
}

static uint64_t word_at(uint64_t va)
{
    return *(volatile uint64_t *)va;
}

/* 1: page OLD's address shows the new frame after @how. IRQs off: nothing else flushes. */
static bool is_gone_after(struct lab_space *s, enum lab_flush how)
{
    uint64_t va = lab_space_va(s, OLD);
    pte_t other = pte_read(pt_walk(&s->pgt, user(lab_space_va(s, NEW))).slot);
    irq_flags_t flags = irq_save();

    uint64_t before = word_at(va);
    pte_t mine = leaf_change(s, other);
    lab_flush(how, va);
    bool gone = word_at(va) != before;
    leaf_change(s, mine);
    lab_flush(LAB_INVLPG, va);
    irq_restore(flags);
    return gone;
}

static void row(struct lab_space *s, enum lab_flush how)
{
    bool must = lab_flush_forgets(how, s->global);
    char series[32];

    snprintf(series, sizeof(series), "%s%s", lab_flush_name(how), s->global ? ", global" : "");
    if (lab_flush_absent(how)) {
        lab_absent(series, 0, lab_flush_absent(how));
        return;
    }
    bool gone = is_gone_after(s, how);
    EXPECT(gone || !must, "%s leaves what it must forget", series);
    lab_count(series, 0, gone,
              must   ? "must be 1"
              : gone ? "forgets more than it must"
                     : "proves that it was there");
}

/* Words that tell the two frames apart, at the same place of both. */
static void mark(struct lab_space *s)
{
    for (uint64_t i = OLD; i <= NEW; i++)
        *(uint64_t *)lab_space_va(s, i) = 0x57a1e + i;
}

EXPERIMENT(stale_entry, .title = "Is the old entry gone?", .x_axis = "mechanism", .unit = "gone",
           .bare = "1 after every flush that must reach the entry. 0 after nothing: it was there.",
           .virt = LAB_VIRT_LOCAL, .emulated = "QEMU forgets global entries with CR3, too.")
{
    for (unsigned global = 0; global < 2; global++) {
        struct lab_space s = {.level = PT_4K, .nr = 64, .stride = 1, .global = global};
        REQUIRE(!lab_space_make(&s));
        lab_space_load(&s);
        mark(&s);
        for (enum lab_flush how = 0; how < LAB_FLUSHES; how++)
            row(&s, how);
        lab_space_unload();
        lab_space_drop(&s);
    }
}
