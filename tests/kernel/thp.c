/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/thp.c - huge leaves, counted: who owns the block, and when its pages come back
 *
 * Room:   tests/kernel. The spaces here are never loaded: leaves are read by walks.
 * Owns:   thp_mode and shmem_huge_setting, while a test runs.
 * Locks:  those of the calls.
 * Always: (1) every space is checked before it is dropped.
 * Source: mm/thp.c, mm/collapse.c, mm/collapse_object.c; trust.md V7, V10, V23.
 * Tour:   after mm/thp.c, tests/kernel/fault.c.
 */
#include "kit.h"

#define UNIT PT_ENTRIES

static bool has_huge(struct mm *mm, uint64_t page)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(page)));
    return walk.level == PT_2M && pte_has_frame(pte_read(walk.slot));
}

static uint32_t refs(struct mm *mm, uint64_t page)
{
    return folio_refcount(page_folio(kit_page(mm, page)));
}

static struct mm *child_of(struct mm *mm)
{
    struct mm *child = NULL;
    EXPECT(mm_fork(mm, &child) == 0);
    return child;
}

/* A space with @units of memory that wants huge pages; the first is there. NULL: no memory. */
static struct mm *huge_mm(uint64_t units)
{
    struct mm *mm = kit_mm();

    thp_mode = THP_MADVISE;
    if (!mm || !EXPECT(kit_map(mm, 0, units * UNIT, RW | VM_HUGEPAGE) == 0))
        return mm;
    EXPECT(kit_write(mm, 5, 55));
    return mm;
}

/* Is there room for the pages of a test? Else it is skipped. */
static bool small(void)
{
    bool is = kit_frames_free() < 8 * UNIT;
    if (is)
        ktest_skip("not enough memory in one piece");
    return is;
}

static void done(struct mm *mm)
{
    kit_mm_put(mm);
    thp_mode = THP_NEVER;
    EXPECT_EQ(thp_events(THP_ANON), 0);
}

KTEST(write_fault_gives_out_one_huge_leaf)
{
    if (small())
        return;
    uint64_t alloc = thp_events(THP_FAULT_ALLOC), before = kit_frames_free();
    struct mm *mm = huge_mm(2);
    REQUIRE(mm);

    EXPECT(has_huge(mm, 5) && !has_huge(mm, UNIT));
    struct page *head = kit_page(mm, 0);
    EXPECT(head->state == PAGE_ANON && head->order == HUGE_ORDER);
    EXPECT(pte_is_exclusive(kit_leaf(mm, 0)) && atomic_load(&head->mapcount) == 1);
    EXPECT_EQ(refs(mm, 0), 1);
    EXPECT_EQ(rss_anon(mm), UNIT);
    EXPECT_EQ(thp_events(THP_FAULT_ALLOC) - alloc, 1);
    EXPECT_EQ(thp_events(THP_ANON), 1);
    EXPECT_EQ(kit_read(mm, 5), 55);
    EXPECT_EQ(kit_read(mm, 511), 0);
    done(mm);
    EXPECT_EQ(kit_frames_free(), before);
}

KTEST(fault_without_a_block_takes_a_small_page)
{
    if (small())
        return;
    struct mm *mm = huge_mm(1);
    REQUIRE(mm);

    EXPECT(mm_discard(mm, AT(0), HUGE_SIZE) == 0); /* the tables above stay */
    uint64_t fallback = thp_events(THP_FAULT_FALLBACK);
    fail_at_set(1);
    EXPECT(kit_write(mm, 3, 33));
    EXPECT(fail_at_left() == 0);
    EXPECT_EQ(thp_events(THP_FAULT_FALLBACK) - fallback, 1);
    EXPECT(!has_huge(mm, 0) && rss_anon(mm) == 1 && kit_read(mm, 3) == 33);
    EXPECT(kit_write(mm, 4, 44)); /* with a small page there, its neighbours are small */
    EXPECT_EQ(thp_events(THP_FAULT_FALLBACK) - fallback, 1);
    EXPECT_EQ(rss_anon(mm), 2);
    done(mm);
}

/* One page for all who read, given back by the last. Who writes gets a page of his own. */
KTEST(huge_zeros_live_while_somebody_uses_them)
{
    if (small())
        return;
    uint64_t before = kit_frames_free(), made = thp_events(THP_ZERO_PAGE_ALLOC);
    struct mm *mm = huge_mm(4);
    REQUIRE(mm);

    EXPECT(kit_read(mm, UNIT + 3) == 0 && kit_read(mm, 2 * UNIT) == 0 &&
           kit_read(mm, 3 * UNIT) == 0);
    EXPECT(kit_page(mm, UNIT) == kit_page(mm, 2 * UNIT) && has_huge(mm, UNIT));
    EXPECT_EQ(thp_events(THP_ZERO_PAGE_ALLOC) - made, 1);
    EXPECT(rss_anon(mm) == UNIT && mm_check(mm) == 0);
    struct mm *child = child_of(mm);
    REQUIRE(child);
    EXPECT(kit_write(child, UNIT + 3, 33) && has_huge(child, UNIT) && rss_anon(child) == 2 * UNIT);
    fail_at_set(1);
    EXPECT(mm_fault(child, user(AT(2 * UNIT + 3)), ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT(fail_at_left() == 0 && kit_read(child, 2 * UNIT + 3) == 0); /* no block: small zeros */
    EXPECT(kit_write(child, 2 * UNIT + 3, 44) && !has_huge(child, 2 * UNIT) &&
           rss_anon(child) == 2 * UNIT + 1);
    EXPECT(kit_read(child, 2 * UNIT + 4) == 0 && mm_check(child) == 0);
    EXPECT(kit_read(mm, UNIT + 3) == 0 && kit_read(mm, 2 * UNIT + 3) == 0);
    kit_mm_put(mm);
    EXPECT(kit_read(child, 3 * UNIT + 5) == 0 && kit_read(child, UNIT + 3) == 33);
    EXPECT(mm_collapse(child, AT(2 * UNIT), HUGE_SIZE) == 0);
    EXPECT(kit_read(child, 2 * UNIT + 3) == 44 && kit_read(child, 2 * UNIT + 4) == 0);
    done(child);
    EXPECT_EQ(kit_frames_free(), before);
    EXPECT_EQ(thp_events(THP_ZERO_PAGE_ALLOC) - made, 1);
}

/* What one process has alone falls into pages, which come back one by one. */
KTEST(split_of_an_unshared_block_frees_page_by_page)
{
    if (small())
        return;
    uint64_t pages = thp_events(THP_SPLIT_PAGE), leaves = thp_events(THP_SPLIT_PMD);
    struct mm *mm = huge_mm(1);
    REQUIRE(mm);

    struct page *head = kit_page(mm, 0);
    EXPECT(mm_protect(mm, AT(9), PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(!has_huge(mm, 0));
    EXPECT_EQ(thp_events(THP_SPLIT_PAGE) - pages, 1);
    EXPECT_EQ(thp_events(THP_SPLIT_PMD) - leaves, 1);
    EXPECT_EQ(thp_events(THP_ANON), 0);
    for (unsigned i = 0; i < UNIT; i++) {
        EXPECT(kit_page(mm, i) == head + i && head[i].order == 0 && head[i].state == PAGE_ANON &&
                   atomic_load(&head[i].refcount) == 1 && atomic_load(&head[i].mapcount) == 1,
               "page %u", i);
        EXPECT_EQ(pte_is_writable(kit_leaf(mm, i)), i != 9);
    }
    uint64_t before = kit_frames_free();
    EXPECT(mm_unmap(mm, AT(100), PAGE_SIZE) == 0);
    EXPECT(mm_discard(mm, AT(200), 100 * PAGE_SIZE) == 0);
    EXPECT(kit_frames_free() >= before + 100);
    EXPECT_EQ(rss_anon(mm), UNIT - 101);
    EXPECT_EQ(kit_read(mm, 5), 55);
    done(mm);
}

KTEST(split_of_a_shared_block_leaves_the_other_side_whole)
{
    if (small())
        return;
    uint64_t pages = thp_events(THP_SPLIT_PAGE), before = kit_frames_free();
    struct mm *mm = huge_mm(1);
    REQUIRE(mm);

    struct mm *child = child_of(mm);
    REQUIRE(child);
    EXPECT(has_huge(mm, 0) && has_huge(child, 0) && kit_page(mm, 0) == kit_page(child, 0));
    EXPECT(!pte_is_writable(kit_leaf(mm, 0)) && !pte_is_writable(kit_leaf(child, 0)));
    EXPECT_EQ(refs(mm, 0), 2);
    EXPECT_EQ(thp_events(THP_ANON), 1); /* one block, however many map it */
    EXPECT(mm_fault(child, user(AT(7)), ACCESS_WRITE) == FAULT_RESOLVED); /* splits */
    EXPECT(kit_write(child, 7, 77));
    EXPECT(!has_huge(child, 0) && has_huge(mm, 0));
    EXPECT_EQ(refs(mm, 0), 1 + UNIT - 1);
    EXPECT_EQ(thp_events(THP_SPLIT_PAGE), pages);
    EXPECT(kit_read(child, 5) == 55 && kit_read(child, 7) == 77 && kit_read(mm, 7) == 0);
    EXPECT_EQ(rss_anon(child), UNIT);
    EXPECT(mm_check(mm) == 0);
    kit_mm_put(child);
    EXPECT_EQ(refs(mm, 0), 1);
    EXPECT(kit_write(mm, 8, 88)); /* nobody else has it: made writable as it is */
    EXPECT(has_huge(mm, 0));
    done(mm);
    EXPECT_EQ(kit_frames_free(), before);
}

/* Translations that CPUs forgot on one page of @rights getting an area of its own. */
static uint64_t forgotten_by_split(uint32_t rights)
{
    struct mm *mm = huge_mm(1);
    if (!mm)
        return 0;
    EXPECT(mm_protect(mm, AT(0), HUGE_SIZE, rights, 0) == 0 && has_huge(mm, 0));
    kit_load(mm);
    uint64_t before = tlb_events(TLB_LOCAL_ONE) + tlb_events(TLB_LOCAL_ALL);
    EXPECT(mm_change_flags(mm, AT(9), PAGE_SIZE, VM_DONTDUMP, 0) == 0 && !has_huge(mm, 0));
    uint64_t now = tlb_events(TLB_LOCAL_ONE) + tlb_events(TLB_LOCAL_ALL);
    kit_unload();
    done(mm);
    return now - before;
}

KTEST(code_is_forgotten_before_its_leaf_is_split)
{
    if (small())
        return;
    EXPECT_EQ(forgotten_by_split(VM_READ | VM_WRITE), 0);
    EXPECT_EQ(forgotten_by_split(VM_READ | VM_EXEC), 1);
}

/* A reader by frame, as a pipe would be, keeps the block in one piece, and its own bytes. */
KTEST(split_of_a_pinned_block_keeps_it_until_the_pin_goes)
{
    if (small())
        return;
    struct mm *mm = huge_mm(1);
    REQUIRE(mm);

    struct folio *folio = page_folio(kit_page(mm, 0));
    folio_get(folio);
    EXPECT(mm_protect(mm, AT(9), PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(!has_huge(mm, 0) && folio->page.order == HUGE_ORDER);
    EXPECT_EQ(folio_refcount(folio), UNIT + 1);
    EXPECT(mm_check(mm) == 0);
    EXPECT(kit_write(mm, 5, 56)); /* still exclusive: the pin sees it */
    EXPECT_EQ(((uint64_t *)page_kva(&folio->page))[5 * UNIT], 56);
    struct mm *child = child_of(mm);
    REQUIRE(child);
    EXPECT(kit_write(mm, 5, 57)); /* a copy: the child has the page, too, and so has the pin */
    EXPECT(kit_read(child, 5) == 56 && kit_read(mm, 5) == 57);
    EXPECT_EQ(((uint64_t *)page_kva(&folio->page))[5 * UNIT], 56);
    kit_mm_put(child);
    EXPECT(mm_unmap(mm, AT(0), UNIT * PAGE_SIZE) == 0);
    EXPECT_EQ(folio_refcount(folio), 1);
    folio_put(folio);
    done(mm);
}

/* Only the call's own needs can fail it: areas. The table is there already. */
KTEST(split_needs_no_memory)
{
    if (small())
        return;
    uint64_t before = kit_frames_free();
    struct mm *mm = huge_mm(1);
    REQUIRE(mm);

    uint64_t tables = atomic_load(&mm->pgtable.nr_tables);
    fail_at_set(1); /* the area */
    EXPECT_EQ(mm_unmap(mm, AT(9), PAGE_SIZE), -ENOMEM);
    fail_at_set(1);
    EXPECT_EQ(mm_protect(mm, AT(9), PAGE_SIZE, VM_READ, 0), -ENOMEM);
    EXPECT(has_huge(mm, 0));
    EXPECT_AREAS(mm, "0-512 rw-p");
    fail_at_set(1);
    EXPECT_EQ(mm_discard(mm, AT(9), PAGE_SIZE), 0);
    EXPECT(fail_at_left() == 1);
    fail_at_set(0);
    EXPECT(!has_huge(mm, 0) && rss_anon(mm) == UNIT - 1);
    EXPECT_EQ(atomic_load(&mm->pgtable.nr_tables), tables);
    EXPECT(mm_check(mm) == 0);
    done(mm);
    EXPECT_EQ(kit_frames_free(), before);
}

/* Each side of a fork, each place after a move, has its own. */
KTEST(table_is_kept_beside_each_huge_leaf)
{
    if (small())
        return;
    uint64_t before = kit_frames_free(), to;
    struct mm *mm = huge_mm(2);
    REQUIRE(mm);

    uint64_t tables = atomic_load(&mm->pgtable.nr_tables);
    EXPECT_EQ(tables, 4); /* the root, two below it, the one that is kept */
    struct mm *child = child_of(mm);
    REQUIRE(child);
    EXPECT_EQ(atomic_load(&child->pgtable.nr_tables), tables);
    EXPECT(mm_remap(mm, AT(0), HUGE_SIZE, HUGE_SIZE, 3, AT(2 * UNIT), &to) == 0);
    EXPECT(has_huge(mm, 2 * UNIT) && mm_check(mm) == 0 && mm_check(child) == 0);
    EXPECT(mm_remap(mm, AT(2 * UNIT), HUGE_SIZE, HUGE_SIZE, 3, AT(PT_ENTRIES * UNIT), &to) == 0);
    EXPECT(has_huge(mm, PT_ENTRIES * UNIT) && mm_check(mm) == 0);
    fail_at_set(1);
    EXPECT_EQ(mm_discard(child, AT(9), PAGE_SIZE), 0);
    EXPECT_EQ(mm_discard(mm, AT(PT_ENTRIES * UNIT + 9), PAGE_SIZE), 0);
    EXPECT(fail_at_left() == 1);
    fail_at_set(0);
    EXPECT(mm_check(mm) == 0 && mm_check(child) == 0);
    kit_mm_put(child);
    done(mm);
    EXPECT_EQ(kit_frames_free(), before);
}

KTEST(fork_without_memory_for_kept_tables_fails)
{
    if (small())
        return;
    struct mm *mm = huge_mm(1), *child;
    REQUIRE(mm);

    uint64_t before = kit_frames_free();
    for (uint64_t n = 1;; n++) {
        child = NULL;
        fail_at_set(n);
        int err = mm_fork(mm, &child);
        bool injected = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT_EQ(err, injected ? -ENOMEM : 0);
        EXPECT(mm_check(mm) == 0 && has_huge(mm, 0));
        if (!injected)
            break;
        EXPECT_EQ(kit_frames_free(), before);
    }
    kit_mm_put(child);
    done(mm);
}

KTEST(collapse_that_fails_changes_nothing)
{
    if (small())
        return;
    uint64_t failures = thp_events(THP_COLLAPSE_ALLOC_FAILED);
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, UNIT, RW) == 0);
    EXPECT(kit_write(mm, 5, 55) && kit_write(mm, 6, 66));
    fail_at_set(1);
    EXPECT_EQ(mm_collapse(mm, AT(0), HUGE_SIZE), -ENOMEM);
    fail_at_set(0);
    EXPECT_EQ(thp_events(THP_COLLAPSE_ALLOC_FAILED) - failures, 1);
    EXPECT(!has_huge(mm, 0) && rss_anon(mm) == 2 && kit_read(mm, 5) == 55);
    EXPECT(mm_collapse(mm, AT(0), HUGE_SIZE) == 0);
    EXPECT(has_huge(mm, 0) && rss_anon(mm) == UNIT);
    EXPECT(kit_read(mm, 5) == 55 && kit_read(mm, 6) == 66 && kit_read(mm, 7) == 0);
    done(mm);
}

KTEST(collapse_leaves_alone_what_somebody_has_by_its_frame)
{
    if (small())
        return;
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    thp_mode = THP_MADVISE;
    EXPECT(kit_map(mm, 0, UNIT, RW) == 0);
    EXPECT(kit_write(mm, 5, 55) && kit_write(mm, 6, 66));
    struct folio *folio = page_folio(kit_page(mm, 6));
    folio_get(folio);
    EXPECT_EQ(mm_collapse(mm, AT(0), HUGE_SIZE), -EAGAIN);
    EXPECT(kit_page(mm, 6) == &folio->page && kit_read(mm, 5) == 55);
    folio_put(folio);
    EXPECT(mm_collapse(mm, AT(0), HUGE_SIZE) == 0);
    EXPECT(has_huge(mm, 0) && kit_read(mm, 5) == 55 && kit_read(mm, 6) == 66);
    done(mm);
}

static uint64_t scan_once(void)
{
    uint64_t before = thp_pages_collapsed, scans = thp_full_scans;

    while (thp_full_scans == scans)
        if (!EXPECT(thp_scan() >= 0))
            break;
    return thp_pages_collapsed - before;
}

KTEST(scan_collapses_what_the_limits_allow)
{
    if (small())
        return;
    uint64_t before = kit_frames_free();
    struct thp_scan_limits limits = thp_scan_limits;
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    thp_mode = THP_MADVISE;
    EXPECT(kit_map(mm, 0, 3 * UNIT, RW) == 0 && !thp_scan_wanted());
    for (uint64_t page = 0; page < UNIT; page++)
        EXPECT(kit_write(mm, page, page) && (page & 1 || kit_write(mm, UNIT + page, page)));
    EXPECT_EQ(scan_once(), 0); /* nobody asked for huge pages yet */
    EXPECT(mm_change_flags(mm, AT(0), 3 * HUGE_SIZE, VM_HUGEPAGE, 0) == 0 && thp_scan_wanted());
    thp_scan_limits.none = UNIT / 2 - 1;
    EXPECT_EQ(scan_once(), 1);
    EXPECT(has_huge(mm, 0) && !has_huge(mm, UNIT) && mm_check(mm) == 0);
    struct folio *folio = page_folio(kit_page(mm, UNIT + 2));
    folio_get(folio);
    thp_scan_limits.none = UNIT / 2;
    EXPECT_EQ(scan_once(), 0); /* somebody uses it by its frame */
    folio_put(folio);
    fail_at_set(1);
    EXPECT_EQ(thp_scan(), -ENOMEM);
    fail_at_set(0);
    EXPECT_EQ(scan_once(), 0); /* the rest of that round: there is nothing but hole */
    EXPECT_EQ(scan_once(), 1);
    EXPECT(has_huge(mm, UNIT) && kit_read(mm, UNIT + 8) == 8 && kit_read(mm, UNIT + 9) == 0);
    thp_scan_limits = limits;
    done(mm);
    EXPECT(!thp_scan_wanted());
    EXPECT_EQ(kit_frames_free(), before);
}

KTEST(object_block_is_referenced_by_slots_and_leaves)
{
    if (small())
        return;
    uint64_t before = kit_frames_free();
    struct mm *mm = kit_mm();
    struct object *object = kit_object(&shmem_ops, 2 * UNIT);
    REQUIRE(mm && object);

    EXPECT(kit_map_object(mm, 0, 2 * UNIT, RW | VM_SHARED, object, 0) == 0);
    EXPECT(kit_write(mm, 5, 55) && kit_write(mm, UNIT + 6, 66));
    EXPECT(mm_collapse(mm, AT(0), 2 * HUGE_SIZE) == 0);
    EXPECT(has_huge(mm, 0) && has_huge(mm, UNIT));
    EXPECT_EQ(refs(mm, 0), UNIT + 1);
    EXPECT_EQ(atomic_load(&object->nr_pages), 2 * UNIT);
    EXPECT_EQ(thp_events(THP_OBJECT), 2);
    EXPECT(kit_read(mm, 5) == 55 && kit_read(mm, UNIT + 6) == 66);

    uint64_t broken = thp_events(THP_SPLIT_PAGE);
    kit_truncate(object, (UNIT + 100) * PAGE_SIZE); /* cuts the second */
    EXPECT(has_huge(mm, 0) && !has_huge(mm, UNIT));
    EXPECT_EQ(thp_events(THP_SPLIT_PAGE) - broken, 1);
    EXPECT_EQ(atomic_load(&object->nr_pages), UNIT + 100);
    EXPECT_EQ(kit_read(mm, UNIT + 6), 66);
    EXPECT(mm_fault(mm, user(AT(UNIT + 100)), ACCESS_READ) == FAULT_BEYOND);
    EXPECT(mm_check(mm) == 0);
    kit_mm_put(mm);
    object_put(object);
    EXPECT_EQ(thp_events(THP_OBJECT), 0);
    EXPECT_EQ(kit_frames_free(), before);
}

/* A block that somebody reads while it is cut stays in one piece; nobody sees what was cut off. */
KTEST(object_block_that_is_in_use_is_cut_later)
{
    if (small())
        return;
    uint64_t before = kit_frames_free();
    struct mm *mm = kit_mm();
    struct object *object = kit_object(&shmem_ops, UNIT);
    REQUIRE(mm && object);

    EXPECT(kit_map_object(mm, 0, UNIT, RW | VM_SHARED, object, 0) == 0);
    EXPECT(kit_write(mm, 5, 55) && kit_write(mm, 6, 66));
    EXPECT(mm_collapse(mm, AT(0), HUGE_SIZE) == 0);
    struct page *reader = object_find_page(object, 7);
    REQUIRE(reader);
    kit_truncate(object, 6 * PAGE_SIZE);
    EXPECT(page_folio(reader)->page.order == HUGE_ORDER && reader->object == NULL);
    kit_truncate(object, UNIT * PAGE_SIZE);
    EXPECT(kit_read(mm, 5) == 55 && kit_read(mm, 6) == 0);
    EXPECT(!has_huge(mm, 0)); /* claim 3 of mm/collapse_object.c */
    page_put(reader);
    EXPECT(mm_collapse(mm, AT(0), HUGE_SIZE) == 0);
    EXPECT(has_huge(mm, 0) && kit_read(mm, 5) == 55 && kit_read(mm, 6) == 0);
    kit_mm_put(mm);
    object_put(object);
    EXPECT_EQ(kit_frames_free(), before);
}

/* The one allocation that fails may be the block's, or one for the index. */
KTEST(object_that_cannot_have_a_block_gets_a_page)
{
    if (small())
        return;
    uint64_t blocks = thp_events(THP_SHMEM), before = kit_frames_free();

    shmem_huge_setting = SHMEM_HUGE_FORCE;
    for (uint64_t n = 1, injected = true; injected; n++) {
        struct object *object = kit_object(&shmem_ops, UNIT);
        struct page *page;
        REQUIRE(object);
        fail_at_set(n);
        EXPECT(object->ops->get_page(object, 3, OBJECT_GET_ALLOCATE, &page) == 0);
        injected = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT_EQ(atomic_load(&object->nr_pages), injected ? 1 : UNIT);
        EXPECT_EQ(thp_events(THP_SHMEM) - blocks, !injected);
        page_put(page);
        object_put(object);
        EXPECT_EQ(thp_events(THP_SHMEM), blocks);
    }
    shmem_huge_setting = SHMEM_HUGE_NEVER;
    EXPECT_EQ(kit_frames_free(), before);
}

KTEST(object_collapse_that_fails_changes_nothing)
{
    if (small())
        return;
    struct object *object = kit_object(&shmem_ops, UNIT);
    struct page *page;
    REQUIRE(object);

    REQUIRE(object->ops->get_page(object, 3, OBJECT_GET_ALLOCATE, &page) == 0);
    for (uint64_t n = 1;; n++) {
        fail_at_set(n);
        int err = object_collapse(object, 0);
        bool injected = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT_EQ(err, injected ? -ENOMEM : 0);
        if (!injected)
            break;
        EXPECT_EQ(atomic_load(&object->nr_pages), 1);
        EXPECT(object_has_page(object, 3) && !object_has_page(object, 4));
    }
    EXPECT_EQ(atomic_load(&object->nr_pages), UNIT);
    page_put(page);
    object_put(object);
}
