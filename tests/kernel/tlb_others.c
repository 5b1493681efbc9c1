/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/tlb_others.c - what one CPU takes away, the others do not use
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) each test is red with a fault of tests/bugs/run, B70 to B84.
 * Source: asm/tlb.h, trust.md V25, T3.
 * Tour:   after tests/kernel/tlb_space.c.
 */
#include "crew.h"

#include <asm/smp.h>
#include <mm/limbo.h>

#define PAGES  4
#define ROUNDS 12

static _Atomic unsigned reads, writes;

/* In an interrupt: count what can be read and written of the first pages. */
static void use(void *arg)
{
    uint64_t word;

    (void)arg;
    for (uint64_t i = 0; i < PAGES; i++) {
        atomic_fetch_add(&reads, kit_probe_read(AT(i), &word));
        atomic_fetch_add(&writes, kit_probe_write(AT(i), i));
    }
}

/* As if a task of the space came there. */
static void load_and_use(void *mm)
{
    kit_load(mm);
    use(mm);
}

/* @pages of the first can be read by each of the others, @writable of them written, by @how. */
static void expect_others(struct mm *mm, void (*how)(void *mm), unsigned pages, unsigned writable,
                          const char *what)
{
    unsigned others = nr_cpus() - 1;

    atomic_store(&reads, 0);
    atomic_store(&writes, 0);
    smp_call_others(how, mm);
    EXPECT(atomic_load(&reads) == pages * others && atomic_load(&writes) == writable * others,
           "%s: %u reads and %u writes by %u CPUs, not %u and %u of each", what,
           atomic_load(&reads), atomic_load(&writes), others, pages, writable);
}

static bool fill(struct mm *mm)
{
    for (uint64_t i = 0; i < PAGES; i++)
        if (!EXPECT(kit_write(mm, i, i)))
            return false;
    return true;
}

/* Three generations, one after the other: each has its own leaves. */
static void take_away(struct mm *mm)
{
    REQUIRE(fill(mm));
    expect_others(mm, load_and_use, PAGES, PAGES, "all there");
    EXPECT(mm_discard(mm, AT(0), PAGE_SIZE) == 0);
    limbo_drain();
    expect_others(mm, use, PAGES - 1, PAGES - 1, "one discarded");
    EXPECT(mm_protect(mm, AT(1), PAGE_SIZE, VM_READ, 0) == 0);
    expect_others(mm, use, PAGES - 1, PAGES - 2, "one to be read only");
    EXPECT(mm_discard(mm, AT(2), 2 * PAGE_SIZE) == 0);
    limbo_drain();
    expect_others(mm, use, 1, 0, "two discarded");
    EXPECT(mm_protect(mm, AT(1), PAGE_SIZE, VM_READ | VM_WRITE, 0) == 0);
}

static void rounds_under(unsigned policy, void (*round)(struct mm *mm))
{
    unsigned usual = tlb_settings.policy;
    struct mm *mm = kit_mm();

    REQUIRE(mm && kit_map(mm, 0, PAGES, RW) == 0);
    if (nr_cpus() == 1)
        ktest_skip("no other CPU");
    tlb_settings.policy = policy;
    for (unsigned i = 0; i < ROUNDS && nr_cpus() > 1; i++)
        round(mm);
    tlb_settings.policy = usual;
    limbo_drain();
    tlb_leave(&mm->pgtable);
    kit_mm_put(mm);
}

KTEST(others_forget_before_a_call_returns)
{
    rounds_under(TLB_SYNC, take_away);
}

KTEST(others_forget_before_they_go_on)
{
    rounds_under(TLB_EARLY, take_away);
}

/* The one who calls has no later moment: not where he is, nor where he goes. */
static void discard_and_go(struct mm *mm)
{
    REQUIRE(fill(mm));
    expect_others(mm, load_and_use, PAGES, PAGES, "all there");
    EXPECT(mm_discard(mm, AT(0), PAGE_SIZE) == 0);
    expect_others(mm, load_and_use, PAGES - 1, PAGES - 1, "discarded, and then switched to");
}

KTEST(who_was_late_sees_nothing_of_it_elsewhere)
{
    rounds_under(TLB_REUSE, discard_and_go);
}

/* Nor is there a later moment for one who finds nothing to take, since another was late with it. */

static void discard_first(struct crew *crew, unsigned who)
{
    if (who == 0)
        EXPECT(mm_discard(crew->mm, AT(0), PAGE_SIZE) == 0);
}

static void unmap_after_another(struct mm *mm)
{
    struct crew crew = {.work = discard_first, .mm = mm};
    uint64_t word;

    REQUIRE(fill(mm));
    kit_load(mm);
    EXPECT(kit_probe_read(AT(0), &word)); /* remembered now */
    crew_run(&crew);
    EXPECT(mm_unmap(mm, AT(0), PAGE_SIZE) == 0);
    EXPECT(!kit_probe_read(AT(0), &word));
    kit_unload();
    EXPECT(kit_map(mm, 0, 1, RW) == 0);
}

KTEST(who_unmaps_what_another_was_late_with_uses_it_no_more)
{
    rounds_under(TLB_REUSE, unmap_after_another);
}

KTEST(others_forget_before_frames_are_free)
{
    rounds_under(TLB_REUSE, take_away);
}

/* Crews, of which the ledger (V25) looks at each frame that they are given. */

static _Atomic bool over;

static void crew_of_two_or_more(struct crew *crew, uint64_t pages)
{
    REQUIRE(crew->mm && kit_map(crew->mm, 0, pages, RW) == 0);
    if (nr_cpus() < 3)
        ktest_skip("one waits, two work: three CPUs");
    atomic_store(&over, false);
    if (nr_cpus() >= 3)
        crew_run(crew);
    kit_mm_put(crew->mm);
}

static void write_all(struct crew *crew, uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++)
        atomic_fetch_add(&crew->wrong, !kit_write(crew->mm, i, i));
}

static void discard_all(struct crew *crew, uint64_t pages)
{
    atomic_fetch_add(&crew->wrong, mm_discard(crew->mm, AT(0), pages * PAGE_SIZE) != 0);
}

/* One discards, the others want what is free. */

#define DISCARDED 32
#define WANTED    64

static void discard_again_and_again(struct crew *crew)
{
    kit_load(crew->mm);
    for (unsigned round = 0; round < 4 * ROUNDS; round++) {
        write_all(crew, DISCARDED);
        discard_all(crew, DISCARDED);
    }
    kit_unload();
    atomic_store(&over, true);
}

static void want_frames(struct crew *crew)
{
    struct page *pages[WANTED];

    while (!atomic_load(&over)) {
        buddy_reclaim();
        for (unsigned i = 0; i < WANTED; i++)
            atomic_fetch_add(&crew->wrong, page_alloc(0, PAGE_ALLOC_PLAIN, &pages[i]) != 0);
        for (unsigned i = 0; i < WANTED; i++)
            page_free(pages[i], 0);
    }
}

static void discard_or_want(struct crew *crew, unsigned who)
{
    who ? want_frames(crew) : discard_again_and_again(crew);
}

KTEST(frames_are_given_out_when_all_have_forgotten)
{
    struct crew crew = {.work = discard_or_want, .mm = kit_mm()};

    crew_of_two_or_more(&crew, DISCARDED);
}

/* One loads the space, is lazy, and wakes; another takes pages away meanwhile, asks nobody, drains,
 * and is given the frames again when the first has what it was about to load. */

#define PATIENCE 20000 /* pauses */

static _Atomic unsigned begun, looked;

static void stay(void)
{
    unsigned nr = atomic_fetch_add(&begun, 1) + 1;

    for (unsigned i = 0; i < PATIENCE && atomic_load(&looked) != nr; i++)
        cpu_relax();
}

static void idle_with_irqs_off(void)
{
    irq_flags_t flags = irq_save();

    tlb_idle();
    irq_restore(flags);
}

static void come_and_go(struct crew *crew)
{
    while (!atomic_load(&over)) {
        kit_load(crew->mm);
        stay();
        idle_with_irqs_off();
        kit_load(crew->mm);
        stay();
        kit_unload();
    }
}

static void take_and_be_given(struct crew *crew)
{
    for (unsigned round = 0; round < 8 * ROUNDS; round++) {
        write_all(crew, PAGES);
        unsigned nr = atomic_load(&begun);
        atomic_store(&looked, nr);
        discard_all(crew, PAGES);
        limbo_drain();
        while (atomic_load(&begun) == nr)
            cpu_relax();
    }
    atomic_store(&over, true);
}

static void come_or_take(struct crew *crew, unsigned who)
{
    if (who == 0)
        come_and_go(crew);
    else if (who == 1)
        take_and_be_given(crew);
}

KTEST(who_loads_a_space_is_asked_to_forget)
{
    struct crew crew = {.work = come_or_take, .mm = kit_mm()};
    unsigned usual = tlb_settings.policy;

    tlb_settings.policy = TLB_REUSE;
    crew_of_two_or_more(&crew, PAGES);
    tlb_settings.policy = usual;
}
