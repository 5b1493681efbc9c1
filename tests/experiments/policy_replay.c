/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/policy_replay.c - a compiler's flushes, under each policy and ceiling
 *
 * Room:   tests/experiments.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every policy unmaps the same sizes in the same order, of memory that was touched,
 *             while up to three others run in the kernel, interrupts on, the space in use.
 * Source: tests/experiments/sizes.h; asm/tlb.h, enum tlb_policy.
 * Tour:   after tests/experiments/memory.h, tests/experiments/size_replay.c.
 */
#include "memory.h"
#include "others.h"
#include "sizes.h"

#include <asm/tlb.h>
#include <mm/limbo.h>

#define FLUSHES    20
#define OTHERS_MAX 3U

static const char *const policies[TLB_POLICIES] = {"sync", "early", "late", "reuse"};
static const uint64_t ceilings[] = {1, TLB_CEILING, LAB_SIZE_LARGE};

/* All sizes together. */
static uint64_t pages_needed(void)
{
    uint32_t state = LAB_SIZES_SEED;
    uint64_t nr = 0;

    for (unsigned i = 0; i < FLUSHES; i++)
        nr += lab_size_is_global(&state) ? 0 : lab_size_draw(&state);
    return nr;
}

static void make(void *memory)
{
    struct lab_memory *m = memory;

    lab_memory_make(m);
    REQUIRE(lab_others_begin(&m->mm->pgtable, min(nr_cpus() - 1, OTHERS_MAX), LAB_KERNEL));
}

static void replay(void *memory)
{
    static uint64_t window[LAB_SIZE_LARGE];
    const struct lab_memory *m = memory;
    uint32_t state = LAB_SIZES_SEED;
    uint64_t at = 0;

    for (unsigned i = 0; i < FLUSHES; i++) {
        if (lab_size_is_global(&state)) {
            tlb_flush_kernel(window, window + LAB_SIZE_LARGE);
            continue;
        }
        uint64_t nr = lab_size_draw(&state);
        EXPECT(mm_unmap(m->mm, AT(at), nr * PAGE_SIZE) == 0);
        at += nr;
    }
}

static void drop(void *memory)
{
    lab_others_end();
    limbo_drain();
    lab_memory_drop(memory);
}

EXPERIMENT(policy_replay, .title = "A compiler's flushes: unmapping, by when others forget",
           .x_axis = "ceiling, pages",
           .bare = "A call of the mix. late and reuse: the caller does not wait; frames do.",
           .virt = LAB_VIRT_IPI)
{
    if (nr_cpus() == 1) {
        lab_absent("all", 1, "one CPU");
        return;
    }
    for (unsigned policy = 0; policy < TLB_POLICIES; policy++) {
        for (unsigned i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
            struct lab_memory m = {.nr = pages_needed()};
            lab_settings_begin(policy, ceilings[i]);
            lab_measure(&(struct lab_probe){.series = policies[policy],
                                            .x = ceilings[i],
                                            .prepare = make,
                                            .body = replay,
                                            .settle = drop,
                                            .arg = &m,
                                            .per = FLUSHES,
                                            .irqs_on = true});
            lab_settings_end();
        }
    }
}

EXPERIMENT(policy_replay_interrupts, .title = "Interrupts of a compiler's 20 flushes",
           .x_axis = "policy: 0 sync, 1 early, 2 late, 3 reuse", .unit = "times",
           .bare = "Exact counts, the same everywhere; frames that are wanted back are not in it.",
           .virt = "Exact counts, the same everywhere.",
           .emulated = "Exact counts, the same everywhere.")
{
    for (unsigned policy = 0; policy < TLB_POLICIES; policy++) {
        struct lab_memory m = {.nr = pages_needed()};
        lab_settings_begin(policy, TLB_CEILING);
        make(&m);
        uint64_t before = tlb_events(TLB_REMOTE_IPI);
        replay(&m);
        lab_count("interrupts", policy, tlb_events(TLB_REMOTE_IPI) - before, policies[policy]);
        drop(&m);
        lab_settings_end();
    }
}
