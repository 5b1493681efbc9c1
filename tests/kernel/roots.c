/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/roots.c - who is asked to forget where each CPU has a root of its own
 *
 * Room:   tests/kernel.
 * Owns:   the setting while a test runs.
 * Locks:  none.
 * Always: (1) OURS is touched by the CPU that runs the test alone, SHARED by the others too, each
 *             below another entry of the root.
 * Source: arch/x86_64/roots.h; trust.md V25, V26; B85.
 * Tour:   after arch/x86_64/roots.c.
 */
#include "kit.h"

#include <asm/smp.h>

#define WINDOW pt_level_size(PT_512G)
#define SHARED KIT_BASE
#define OURS   (KIT_BASE + 2 * WINDOW)
#define ELSE   (KIT_BASE + 4 * WINDOW)
#define PAGES  4

static bool map_at(struct mm *mm, uint64_t at)
{
    struct map_request r = {
        .addr = at, .len_bytes = PAGES * PAGE_SIZE, .place = MAP_FIXED_NEW, .flags = RW};
    uint64_t out;

    return mm_map(mm, &r, &out) == 0 && mm_fault(mm, user(at), ACCESS_WRITE) == FAULT_RESOLVED;
}

/* It has own roots, whatever the command line says. */
static struct mm *mm_with_roots(void)
{
    unsigned usual = tlb_settings.roots;

    tlb_settings.roots = TLB_ROOTS_PERCPU;
    struct mm *mm = kit_mm();
    tlb_settings.roots = usual;
    bool made = mm && atomic_load(&mm->pgtable.roots) && map_at(mm, SHARED) && map_at(mm, OURS);
    return EXPECT(made) ? mm : NULL;
}

static void load(void *mm)
{
    kit_load(mm);
}

static void unload(void *arg)
{
    (void)arg;
    kit_unload();
}

static _Atomic uint64_t address;
static _Atomic unsigned readers;

static void read_address(void *arg)
{
    uint64_t word;

    (void)arg;
    atomic_fetch_add(&readers, kit_probe_read(atomic_load(&address), &word));
}

/* How many of the other CPUs can read @va? */
static unsigned others_read(uint64_t va)
{
    atomic_store(&address, va);
    atomic_store(&readers, 0);
    smp_call_others(read_address, NULL);
    return atomic_load(&readers);
}

static bool we_read(uint64_t va)
{
    uint64_t word;

    return kit_probe_read(va, &word);
}

static uint64_t ipis(void)
{
    return tlb_events(TLB_REMOTE_IPI);
}

/* All CPUs have it loaded, until end(). */
static struct mm *begin(void)
{
    struct mm *mm = mm_with_roots();

    if (mm) {
        kit_load(mm);
        smp_call_others(load, mm);
    }
    return mm;
}

/* .. and we have read what is ours, the others what is shared. */
static struct mm *begin_by_reading(void)
{
    struct mm *mm = begin();

    if (mm) {
        EXPECT(we_read(OURS));
        EXPECT_EQ(others_read(SHARED), nr_cpus() - 1);
    }
    return mm;
}

static void end(struct mm *mm)
{
    smp_call_others(unload, NULL);
    kit_unload();
    kit_mm_put(mm);
}

KTEST(those_are_asked_who_came_there)
{
    unsigned others = nr_cpus() - 1;
    struct mm *mm = begin();
    REQUIRE(mm);

    EXPECT_EQ(others_read(SHARED), others);
    EXPECT(we_read(SHARED) && we_read(OURS));
    uint64_t sent = ipis();
    EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, 0);
    EXPECT(!we_read(OURS));
    EXPECT(mm_discard(mm, SHARED, PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, others);
    EXPECT_EQ(others_read(SHARED), 0);
    EXPECT(map_at(mm, ELSE));
    EXPECT(mm_fault(mm, user(OURS), ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT_EQ(others_read(OURS), others); /* and now they came there */
    EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, 2 * others);
    EXPECT_EQ(others_read(OURS), 0);
    end(mm);
}

/* Their leaves went before them, so that no leaf's address says where they were. */
KTEST(tables_go_for_those_who_walked_there)
{
    unsigned others = nr_cpus() - 1;
    struct mm *mm = begin_by_reading();
    REQUIRE(mm);

    EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0 && mm_discard(mm, SHARED, PAGE_SIZE) == 0);
    uint64_t sent = ipis(), tables = atomic_load(&mm->pgtable.nr_tables);
    EXPECT(mm_unmap(mm, OURS, PAGES * PAGE_SIZE) == 0);
    EXPECT_EQ(tables - atomic_load(&mm->pgtable.nr_tables), 2);
    EXPECT_EQ(ipis() - sent, 0);
    EXPECT(mm_unmap(mm, SHARED, PAGES * PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, others);
    EXPECT(map_at(mm, OURS) && map_at(mm, SHARED));
    EXPECT_EQ(others_read(OURS), others);
    EXPECT_EQ(others_read(SHARED), others);
    end(mm);
}

/* Leaves below one entry, empty tables below another: both are asked about. */
KTEST(leaves_and_tables_of_one_call_count_each)
{
    unsigned others = nr_cpus() - 1;
    struct mm *mm = begin_by_reading();
    REQUIRE(mm);

    EXPECT(mm_discard(mm, SHARED, PAGE_SIZE) == 0);
    uint64_t sent = ipis();
    EXPECT(mm_unmap(mm, SHARED, OURS - SHARED + PAGES * PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, others);
    end(mm);
}

/* Loaded anew twice, and not used: then it is as if they had never been there. */
KTEST(who_did_not_come_back_is_asked_no_more)
{
    unsigned others = nr_cpus() - 1;
    struct mm *mm = begin();
    REQUIRE(mm);

    EXPECT_EQ(others_read(OURS), others);
    EXPECT(we_read(OURS));
    for (unsigned round = 0; round < 2; round++) {
        smp_call_others(unload, NULL);
        EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0);
        EXPECT(mm_fault(mm, user(OURS), ACCESS_WRITE) == FAULT_RESOLVED);
        smp_call_others(load, mm);
        EXPECT_EQ(others_read(SHARED), others);
    }
    EXPECT(mm_check(mm) == 0);
    uint64_t sent = ipis();
    EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, 0);
    EXPECT_EQ(others_read(OURS), 0);
    end(mm);
}

/* CPUs that walk by the shared root when the own ones come: they leave it. */
KTEST(roots_come_to_a_space_that_is_loaded)
{
    unsigned others = nr_cpus() - 1, usual = tlb_settings.roots;

    tlb_settings.roots = TLB_ROOTS_SHARED;
    struct mm *mm = kit_mm();
    REQUIRE(mm && map_at(mm, SHARED) && map_at(mm, OURS));
    kit_load(mm);
    smp_call_others(load, mm);
    EXPECT_EQ(others_read(OURS), others);
    tlb_settings.roots = TLB_ROOTS_PERCPU;
    mm_begin_threads(mm);
    tlb_settings.roots = usual;
    EXPECT(we_read(OURS));
    uint64_t sent = ipis();
    EXPECT(mm_discard(mm, OURS, PAGE_SIZE) == 0);
    EXPECT_EQ(ipis() - sent, 0);
    EXPECT_EQ(others_read(OURS), 0);
    EXPECT_EQ(others_read(SHARED), others);
    end(mm);
}

/* Where there is no memory for roots the space goes on with the one it has. */
KTEST(a_space_without_memory_for_roots_has_one)
{
    unsigned usual = tlb_settings.roots, failures = 0;

    tlb_settings.roots = TLB_ROOTS_SHARED;
    struct mm *mm = kit_mm();
    REQUIRE(mm && map_at(mm, OURS));
    tlb_settings.roots = TLB_ROOTS_PERCPU;
    for (bool failed = true; failed; failures += failed) {
        fail_at_set(failures + 1);
        mm_begin_threads(mm);
        failed = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT(failed == !atomic_load(&mm->pgtable.roots));
        EXPECT_EQ(atomic_load(&mm->pgtable.nr_tables), failed ? 4 : 4 + nr_cpus());
    }
    EXPECT(failures > nr_cpus());
    tlb_settings.roots = usual;
    kit_mm_put(mm);
}

/* Threads on different CPUs get memory below different entries; what is too large goes anywhere. */
KTEST(each_cpu_has_a_window)
{
    struct mm *mm = mm_with_roots();
    struct map_request small = {.len_bytes = PAGE_SIZE, .flags = RW};
    struct map_request large = {.len_bytes = 2 * WINDOW, .flags = RW | VM_NORESERVE};
    uint64_t at[2], high;
    REQUIRE(mm && mm_map(mm, &small, &at[0]) == 0 && mm_map(mm, &large, &at[1]) == 0);

    high = mm->mmap_top - 2 * WINDOW * (cpu_id() + 1);
    EXPECT(at[0] < high && at[0] >= high - WINDOW, "%#lx is not below %#lx", at[0], high);
    EXPECT(at[1] >= high);
    kit_mm_put(mm);
}
