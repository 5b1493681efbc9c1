/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/tlb_space.c - what a CPU remembers of a space that it does not use, and of many
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) spaces have different words at one address: who reads another's, remembers wrong.
 * Source: asm/tlb.h, arch/x86_64/tlb_local.h; trust.md B20, B22, V25, T6.
 * Tour:   after arch/x86_64/tlb_space.c.
 */
#include "kit.h"

#include <asm/smp.h>

#define SPACES 9 /* more than a CPU has PCIDs for */
#define ROUNDS 40

static struct mm *space_with(uint64_t word)
{
    struct mm *mm = kit_mm();
    bool made = mm && kit_map(mm, 0, 4, RW) == 0 && kit_write(mm, 0, word);

    return EXPECT(made) ? mm : NULL;
}

static void expect_word(uint64_t page, uint64_t word)
{
    uint64_t found = 0;
    bool could = kit_probe_read(AT(page), &found);

    EXPECT(could && found == word, "page %lu: %s %lu, not %lu", page, could ? "reads" : "no word,",
           found, word);
}

/* B22: whatever the number under which a CPU remembers a space, it is that space's. */
KTEST(each_of_many_spaces_sees_its_own_words)
{
    struct mm *spaces[SPACES];

    for (uint64_t i = 0; i < SPACES; i++)
        REQUIRE((spaces[i] = space_with(100 + i)));
    uint64_t kept = tlb_events(TLB_SWITCH_KEPT);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < SPACES; i++) {
            kit_load(spaces[i]);
            expect_word(0, 100 + i);
        }
    }
    EXPECT_EQ(tlb_events(TLB_SWITCH_KEPT) - kept, 0); /* each has lost its place when it comes */
    kit_unload();
    for (uint64_t i = 0; i < SPACES; i++)
        kit_mm_put(spaces[i]);
}

KTEST(few_spaces_keep_what_a_cpu_remembers)
{
    struct mm *spaces[3];

    for (uint64_t i = 0; i < ARRAY_SIZE(spaces); i++)
        REQUIRE((spaces[i] = space_with(i)));
    uint64_t kept = tlb_events(TLB_SWITCH_KEPT);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < ARRAY_SIZE(spaces); i++) {
            kit_load(spaces[i]);
            expect_word(0, i);
        }
    }
    kit_unload();
    uint64_t expected = cpu_has(CPU_PCID) ? (ROUNDS - 1) * ARRAY_SIZE(spaces) : 0;
    EXPECT_EQ(tlb_events(TLB_SWITCH_KEPT) - kept, expected);
    for (uint64_t i = 0; i < ARRAY_SIZE(spaces); i++)
        kit_mm_put(spaces[i]);
}

KTEST(what_a_resting_space_loses_is_forgotten_when_it_comes_back)
{
    struct mm *a = space_with(1), *b = space_with(2);
    uint64_t word;
    REQUIRE(a && b);

    for (uint64_t round = 0; round < ROUNDS; round++) {
        REQUIRE(kit_write(a, 1, round) && kit_write(a, 2, round));
        kit_load(a);
        expect_word(1, round);
        expect_word(2, round);
        kit_load(b);
        EXPECT(mm_discard(a, AT(1), PAGE_SIZE) == 0);
        EXPECT(mm_protect(a, AT(2), PAGE_SIZE, VM_READ, 0) == 0);
        kit_load(a);
        EXPECT(!kit_probe_read(AT(1), &word));
        EXPECT(!kit_probe_write(AT(2), round));
        EXPECT(mm_protect(a, AT(2), PAGE_SIZE, VM_READ | VM_WRITE, 0) == 0);
    }
    kit_unload();
    kit_mm_put(a);
    kit_mm_put(b);
}

/* Lazy mode: the other CPUs hold a space without using it. */

static void hold(void *mm)
{
    irq_flags_t flags = irq_save();
    uint64_t word;

    tlb_switch(&((struct mm *)mm)->pgtable);
    kit_probe_read(AT(0), &word);
    tlb_idle();
    irq_restore(flags);
}

static _Atomic unsigned readers;

static void use_again(void *mm)
{
    irq_flags_t flags = irq_save();
    uint64_t word;

    tlb_switch(&((struct mm *)mm)->pgtable);
    atomic_fetch_add(&readers, kit_probe_read(AT(0), &word));
    tlb_idle();
    irq_restore(flags);
}

static bool is_lazy(void)
{
    if (nr_cpus() == 1 || !tlb_settings.lazy)
        ktest_skip("no other CPU, or none is lazy");
    return nr_cpus() > 1 && tlb_settings.lazy;
}

KTEST(lazy_cpus_are_not_asked_and_catch_up)
{
    struct mm *mm = space_with(7);
    REQUIRE(mm);

    for (uint64_t round = 0; round < ROUNDS && is_lazy(); round++) {
        REQUIRE(kit_write(mm, 0, round));
        smp_call_others(hold, mm);
        uint64_t sent = tlb_events(TLB_REMOTE_IPI), spared = tlb_events(TLB_LAZY_SPARED);
        EXPECT(mm_discard(mm, AT(0), PAGE_SIZE) == 0);
        EXPECT_EQ(tlb_events(TLB_REMOTE_IPI) - sent, 0);
        EXPECT_EQ(tlb_events(TLB_LAZY_SPARED) - spared, nr_cpus() - 1);
        smp_call_others(use_again, mm);
        EXPECT_EQ(atomic_load(&readers), 0);
    }
    tlb_leave(&mm->pgtable);
    kit_mm_put(mm);
}

KTEST(lazy_cpus_are_asked_when_tables_go)
{
    struct mm *mm = space_with(7);
    REQUIRE(mm);

    if (is_lazy()) {
        smp_call_others(hold, mm);
        uint64_t asked = tlb_events(TLB_REMOTE_HANDLED);
        EXPECT(mm_unmap(mm, AT(0), 4 * PAGE_SIZE) == 0);
        EXPECT_EQ(tlb_events(TLB_REMOTE_HANDLED) - asked, nr_cpus() - 1);
    }
    tlb_leave(&mm->pgtable);
    kit_mm_put(mm);
}

KTEST(no_cpu_keeps_a_space_at_its_end)
{
    struct mm *mm = space_with(7);
    REQUIRE(mm);

    if (is_lazy()) {
        smp_call_others(hold, mm);
        EXPECT_EQ(atomic_load(&mm->pgtable.cpus), ((1UL << nr_cpus()) - 1) & ~(1UL << cpu_id()));
    }
    kit_mm_put(mm); /* asserts that none is left */
}

/* Settings. */

KTEST(ceiling_decides_between_one_by_one_and_all)
{
    struct mm *mm = space_with(0);
    uint64_t usual = tlb_settings.ceiling;
    static const struct {
        uint64_t ceiling, pages, one, all;
    } cases[] = {{33, 33, 33, 0}, {33, 34, 0, 1}, {0, 1, 0, 1}, {512, 200, 200, 0}, {1, 1, 1, 0}};
    REQUIRE(mm && kit_map(mm, 100, 200, RW) == 0);

    kit_load(mm);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        for (uint64_t page = 100; page < 100 + cases[i].pages; page++)
            REQUIRE(kit_write(mm, page, page));
        tlb_settings.ceiling = cases[i].ceiling;
        uint64_t one = tlb_events(TLB_LOCAL_ONE), all = tlb_events(TLB_LOCAL_ALL);
        EXPECT(mm_discard(mm, AT(100), cases[i].pages * PAGE_SIZE) == 0);
        EXPECT_EQ(tlb_events(TLB_LOCAL_ONE) - one, cases[i].one);
        EXPECT_EQ(tlb_events(TLB_LOCAL_ALL) - all, cases[i].all);
    }
    tlb_settings.ceiling = usual;
    kit_unload();
    kit_mm_put(mm);
}

KTEST(a_measured_ceiling_is_sane_and_leaves_nothing)
{
    uint64_t usual = tlb_settings.ceiling, measured = 0;
    struct mm *mm = space_with(0);
    REQUIRE(mm && tlb_measure_ceiling(&measured) == 0); /* once: caches have their first frames */
    uint64_t frames = kit_frames_free();

    kit_load(mm);
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(tlb_measure_ceiling(&measured) == 0);
        EXPECT(measured >= TLB_CEILING_LEAST && measured <= TLB_CEILING_MOST, "it is %lu",
               measured);
    }
    EXPECT_EQ(kit_frames_free(), frames);
    EXPECT_EQ(tlb_settings.ceiling, usual);
    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), 1UL << cpu_id()); /* loaded again */
    EXPECT(tlb_check() == 0);
    kit_unload();
    kit_mm_put(mm);
}
