/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/tlb_ipis.c - how many interrupts a call costs, exactly, under each policy
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what is counted is what this CPU sends while it calls: a sweep comes from a thread.
 * Source: asm/tlb.h, enum tlb_policy; LATR (ASPLOS 2018): none in the call.
 * Tour:   after tests/kernel/tlb_others.c.
 */
#include "kit.h"

#include "../../arch/x86_64/percpu.h"
#include <asm/smp.h>
#include <mm/limbo.h>

#define PAGES  128
#define ROUNDS 8

static uint64_t ipis_of_ours(void)
{
    return (uint64_t)READ_ONCE(cpus[cpu_id()].tlb.events[TLB_REMOTE_IPI]);
}

static void load_there(void *mm)
{
    uint64_t word;

    kit_load(mm);
    for (uint64_t page = 0; page < PAGES; page++)
        kit_probe_read(AT(page), &word);
}

/* @call on pages that all CPUs use: how many interrupts did we send for it? */
static void expect_ipis(struct mm *mm, unsigned policy, uint64_t nr_pages,
                        int (*call)(struct mm *mm, uint64_t addr, uint64_t bytes), const char *what)
{
    uint64_t expected = policy < TLB_LATE ? nr_cpus() - 1 : 0;

    REQUIRE(kit_map(mm, 0, PAGES, RW) == 0);
    for (uint64_t page = 0; page < PAGES; page++)
        REQUIRE(kit_write(mm, page, page));
    kit_load(mm);
    smp_call_others(load_there, mm);
    tlb_settings.policy = policy;
    uint64_t before = ipis_of_ours();
    EXPECT(call(mm, AT(0), nr_pages * PAGE_SIZE) == 0);
    uint64_t sent = ipis_of_ours() - before;
    EXPECT(sent == expected, "policy %u, %s of %lu pages: %lu interrupts, not %lu", policy, what,
           nr_pages, sent, expected);
    limbo_drain();
    EXPECT(mm_unmap(mm, AT(0), PAGES * PAGE_SIZE) == 0);
}

/* @more_users: as in a process of several threads. */
static void count_all(bool more_users)
{
    unsigned usual = tlb_settings.policy;
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    if (nr_cpus() == 1)
        ktest_skip("no other CPU");
    if (more_users)
        mm_get(mm);
    for (unsigned i = 0; i < ROUNDS * TLB_POLICIES && nr_cpus() > 1; i++) {
        expect_ipis(mm, i % TLB_POLICIES, 1, mm_discard, "discarding");
        expect_ipis(mm, i % TLB_POLICIES, PAGES, mm_discard, "discarding");
        expect_ipis(mm, i % TLB_POLICIES, 1, mm_unmap, "unmapping");
        expect_ipis(mm, i % TLB_POLICIES, PAGES - 1, mm_unmap, "unmapping");
        expect_ipis(mm, i % TLB_POLICIES, PAGES, mm_unmap, "unmapping");
    }
    tlb_settings.policy = usual;
    limbo_drain();
    kit_unload();
    tlb_leave(&mm->pgtable);
    if (more_users)
        mm_put(mm);
    kit_mm_put(mm);
}

KTEST(a_call_sends_each_user_one_interrupt_or_none)
{
    count_all(false);
}

KTEST(a_call_among_threads_sends_each_user_one_interrupt_or_none)
{
    count_all(true);
}

static int map_anywhere(struct mm *mm, uint64_t *at)
{
    return mm_map(mm, &(struct map_request){.len_bytes = PAGE_SIZE, .flags = RW}, at);
}

static int map_there(struct mm *mm, uint64_t at)
{
    struct map_request r = {
        .addr = at, .len_bytes = PAGE_SIZE, .flags = RW, .place = MAP_FIXED_NEW};
    return mm_map(mm, &r, &at);
}

static void map_unmap_map(void)
{
    unsigned usual = tlb_settings.policy;
    struct mm *mm = kit_mm();
    uint64_t first, second;
    REQUIRE(mm && map_anywhere(mm, &first) == 0);

    uint64_t page = (first - AT(0)) / PAGE_SIZE;
    REQUIRE(kit_write(mm, page, 1));
    kit_load(mm);
    smp_call_others(load_there, mm);
    tlb_settings.policy = TLB_REUSE;
    uint64_t before = ipis_of_ours();
    EXPECT(mm_unmap(mm, first, PAGE_SIZE) == 0 && map_anywhere(mm, &second) == 0);
    EXPECT_EQ(ipis_of_ours() - before, 0);
    EXPECT(second != first, "%#lx again", first);
    EXPECT(map_there(mm, first) == 0); /* but where something was all are asked */
    EXPECT_EQ(ipis_of_ours() - before, nr_cpus() - 1);
    tlb_settings.policy = usual;
    limbo_drain();
    kit_unload();
    tlb_leave(&mm->pgtable);
    kit_mm_put(mm);
}

KTEST(what_is_new_comes_where_nobody_is_asked)
{
    if (nr_cpus() == 1)
        ktest_skip("no other CPU");
    else
        map_unmap_map();
}
