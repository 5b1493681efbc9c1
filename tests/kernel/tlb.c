/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/tlb.c - a flush where a right is lost, one per call, and none anywhere else
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the space is loaded on this CPU alone, so that its events can be told exactly.
 * Source: asm/tlb.h; design.md "every TLB flush is accounted for"; trust.md T3, T6.
 * Tour:   after arch/x86_64/tlb.c.
 */
#include "kit.h"

struct events {
    uint64_t one, all, requests, switches;
};

static struct events events(void)
{
    return (struct events){tlb_events(TLB_LOCAL_ONE), tlb_events(TLB_LOCAL_ALL),
                           tlb_events(TLB_REMOTE_REQUEST), tlb_events(TLB_SWITCH)};
}

/* Single and full flushes of this CPU since @before, and nobody else was asked. */
static void expect_flushes(struct events before, uint64_t one, uint64_t all, const char *what)
{
    struct events now = events();

    EXPECT(now.one - before.one == one && now.all - before.all == all,
           "%s: %lu single and %lu full flushes, not %lu and %lu", what, now.one - before.one,
           now.all - before.all, one, all);
    EXPECT(now.requests == before.requests, "%s: another CPU was asked", what);
}

static struct mm *loaded_mm(uint64_t nr_pages)
{
    struct mm *mm = kit_mm();

    if (!mm || !EXPECT(kit_map(mm, 0, nr_pages, RW) == 0))
        return NULL;
    for (uint64_t i = 0; i < nr_pages; i++)
        EXPECT(kit_write(mm, i, i));
    kit_load(mm);
    return mm;
}

static void drop(struct mm *mm)
{
    kit_unload();
    kit_mm_put(mm);
}

static int protect(struct mm *mm, uint64_t page, uint64_t nr, uint32_t rights)
{
    return mm_protect(mm, AT(page), nr * PAGE_SIZE, rights, 0);
}

KTEST(growing_rights_flush_nothing)
{
    struct mm *mm = loaded_mm(8);
    REQUIRE(mm);

    EXPECT(protect(mm, 0, 8, 0) == 0);
    struct events before = events();
    EXPECT(protect(mm, 0, 8, VM_READ) == 0);
    expect_flushes(before, 0, 0, "none to read");
    EXPECT(protect(mm, 0, 8, VM_READ | VM_WRITE) == 0);
    expect_flushes(before, 0, 0, "read to write");
    EXPECT(protect(mm, 0, 8, VM_RIGHTS) == 0);
    expect_flushes(before, 0, 0, "write to execute");
    drop(mm);
}

KTEST(lost_rights_are_flushed_once_per_call)
{
    struct mm *mm = loaded_mm(40);
    REQUIRE(mm);

    struct events before = events();
    EXPECT(protect(mm, 3, 1, VM_READ) == 0);
    expect_flushes(before, 1, 0, "one page");
    before = events();
    EXPECT(protect(mm, 0, 3, VM_READ) == 0); /* the range that changed, not what was asked for */
    expect_flushes(before, 3, 0, "three pages");
    before = events();
    EXPECT(protect(mm, 0, 40, VM_READ) == 0);
    expect_flushes(before, 0, 1, "36 pages");
    before = events();
    EXPECT(protect(mm, 0, 40, VM_READ) == 0);
    expect_flushes(before, 0, 0, "no change");
    drop(mm);
}

KTEST(protect_over_several_areas_flushes_once)
{
    struct mm *mm = loaded_mm(12);
    REQUIRE(mm);

    EXPECT(protect(mm, 4, 4, VM_RIGHTS) == 0);
    struct events before = events();
    EXPECT(protect(mm, 0, 12, VM_READ) == 0);
    expect_flushes(before, 12, 0, "three areas");
    drop(mm);
}

KTEST(untouched_memory_costs_no_flush)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    kit_load(mm);

    struct events before = events();
    EXPECT(kit_map(mm, 0, 1000, RW) == 0);
    EXPECT(protect(mm, 0, 500, VM_READ) == 0);
    EXPECT(mm_unmap(mm, AT(100), 300 * PAGE_SIZE) == 0);
    EXPECT(mm_discard(mm, AT(0), 50 * PAGE_SIZE) == 0);
    expect_flushes(before, 0, 0, "nothing was mapped");
    EXPECT(mm_fault(mm, user(AT(600)), ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT(mm_fault(mm, user(AT(10)), ACCESS_READ) == FAULT_RESOLVED);
    expect_flushes(before, 0, 0, "faults that only add");
    drop(mm);
}

KTEST(unmap_flushes_before_it_frees)
{
    struct mm *mm = loaded_mm(10);
    REQUIRE(mm);
    uint64_t word;

    EXPECT(kit_probe_read(AT(5), &word) && word == 5); /* remembered now */
    struct page *page = kit_page(mm, 5);
    folio_get(page_folio(page));
    struct events before = events();
    EXPECT(mm_unmap(mm, AT(5), PAGE_SIZE) == 0);
    expect_flushes(before, 1, 0, "unmap of one page");
    EXPECT_EQ(atomic_load(&page->refcount), 1);
    EXPECT(!kit_probe_read(AT(5), &word));
    EXPECT(kit_probe_read(AT(6), &word));
    folio_put(page_folio(page));
    drop(mm);
}

KTEST(copy_on_write_forgets_the_old_page)
{
    struct mm *mm = loaded_mm(1), *child = NULL;
    REQUIRE(mm);
    uint64_t word = ~0UL;

    struct events before = events();
    REQUIRE(mm_fork(mm, &child) == 0);
    expect_flushes(before, 1, 0, "fork takes the right to write");
    EXPECT(!kit_probe_write(AT(0), 1));
    EXPECT(kit_probe_read(AT(0), &word) && word == 0);
    struct page *old = kit_page(mm, 0);
    EXPECT(mm_fault(mm, user(AT(0)), ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT(kit_page(mm, 0) != old);
    EXPECT(kit_probe_write(AT(0), 7) && kit_probe_read(AT(0), &word) && word == 7);
    EXPECT_EQ(kit_read(child, 0), 0);
    mm_put(child);
    drop(mm);
}

KTEST(spaces_that_no_cpu_has_loaded_are_not_flushed)
{
    struct mm *mm = loaded_mm(40);
    REQUIRE(mm);

    kit_unload();
    struct events before = events();
    EXPECT(protect(mm, 0, 40, VM_READ) == 0);
    EXPECT(mm_unmap(mm, AT(0), 40 * PAGE_SIZE) == 0);
    expect_flushes(before, 0, 0, "not loaded");
    kit_mm_put(mm);
}

KTEST(switch_marks_the_space_and_counts_once)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t bit = 1UL << cpu_id();

    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), 0);
    struct events before = events();
    kit_load(mm);
    kit_load(mm);
    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), bit);
    EXPECT_EQ(events().switches - before.switches, 1);
    kit_unload();
    EXPECT_EQ(atomic_load(&mm->pgtable.cpus), 0);
    EXPECT_EQ(events().switches - before.switches, 2);
    kit_mm_put(mm);
}

/* The control: what the tests above see is the flush, not a TLB that forgets by itself. */
KTEST(changed_leaf_is_not_seen_before_the_flush)
{
    struct mm *mm = loaded_mm(2);
    REQUIRE(mm);
    uint64_t word = 0;
    struct pt_walk a = pt_walk(&mm->pgtable, user(AT(0)));
    struct pt_walk b = pt_walk(&mm->pgtable, user(AT(1)));
    pte_t first = pte_read(a.slot), second = pte_read(b.slot);

    EXPECT(kit_probe_read(AT(0), &word) && word == 0);
    pte_write(a.slot, second);
    if (cpu_has(CPU_HYPERVISOR))
        EXPECT(kit_probe_read(AT(0), &word) && word == 0);
    tlb_flush_user_local(user(AT(0)));
    EXPECT(kit_probe_read(AT(0), &word) && word == 1);
    pte_write(a.slot, first);
    tlb_flush_user_local(user(AT(0)));
    EXPECT(kit_probe_read(AT(0), &word) && word == 0);
    drop(mm);
}

/* A page of the direct map is there, then it is hidden, and @meanwhile comes before the flush. */
static void hide_and_restore(void (*meanwhile)(struct mm *mm), struct mm *mm)
{
    struct direct_map_change change;
    struct page *page;
    uint64_t word;
    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    uint64_t va = (uint64_t)page_kva(page);

    EXPECT(kit_probe_read(va, &word));
    direct_map_change_begin(&change);
    REQUIRE(direct_map_hide_noflush(&change, page_to_pfn(page), 1) == 0);
    meanwhile(mm);
    direct_map_change_end(&change);
    EXPECT(!kit_probe_read(va, &word));
    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, page_to_pfn(page), 1);
    direct_map_change_end(&change);
    EXPECT(kit_probe_read(va, &word));
    page_free(page, 0);
}

static void load_and_unload(struct mm *mm)
{
    kit_load(mm);
    kit_unload();
}

/* Global entries stay over a switch; that is why hiding must flush. */
KTEST(kernel_translations_survive_a_switch_and_fall_to_a_flush)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    hide_and_restore(load_and_unload, mm);
    kit_mm_put(mm);
}

static void rest(struct mm *mm)
{
    (void)mm;
}

/* Not one by one. A load of CR3 would not do; QEMU's does, and Bochs's not. */
KTEST(global_translations_fall_to_a_flush_of_all)
{
    uint64_t usual = tlb_settings.ceiling;

    tlb_settings.ceiling = 0;
    hide_and_restore(rest, NULL);
    tlb_settings.ceiling = usual;
}
