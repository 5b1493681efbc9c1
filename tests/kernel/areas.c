/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/areas.c - map, unmap, protect, move: which areas there are afterwards
 *
 * Room:   tests/kernel. The spaces here are never loaded.
 * Owns:   nothing.
 * Locks:  those of the calls.
 * Always: (1) the layout after each step is one line of text.
 * Source: mmap(2), mprotect(2), mremap(2), brk(2); trust.md V1, V2, V5.
 * Tour:   after mm/map.c, mm/protect.c, mm/remap.c.
 */
#include "kit.h"
#include <mm/commit.h>

static int map_at(struct mm *mm, uint64_t addr, uint64_t len, enum map_place place, uint32_t flags,
                  uint64_t *out)
{
    struct map_request request = {.addr = addr, .len_bytes = len, .place = place, .flags = flags};

    return mm_map(mm, &request, out);
}

static int unmap(struct mm *mm, uint64_t page, uint64_t nr)
{
    return mm_unmap(mm, AT(page), nr * PAGE_SIZE);
}

static int protect(struct mm *mm, uint64_t page, uint64_t nr, uint32_t rights)
{
    return mm_protect(mm, AT(page), nr * PAGE_SIZE, rights, 0);
}

KTEST(neighbours_that_are_alike_become_one_area)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_map(mm, 8, 4, RW) == 0);
    EXPECT_AREAS(mm, "0-4 rw-p, 8-12 rw-p");
    EXPECT(kit_map(mm, 4, 4, RW) == 0);
    EXPECT_AREAS(mm, "0-12 rw-p");
    EXPECT(kit_map(mm, 12, 1, RO) == 0);
    EXPECT(kit_map(mm, 13, 1, RW | VM_NORESERVE) == 0);
    EXPECT_AREAS(mm, "0-12 rw-p, 12-13 r--p, 13-14 rw-p");
    EXPECT_EQ(mm->nr_vmas, 3);
    EXPECT_EQ(mm->total_pages, 14);
    kit_mm_put(mm);
}

KTEST(parts_of_an_object_become_one_area_where_it_goes_on)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 1, RW | VM_SHARED, object, 0) == 0);
    EXPECT(kit_map_object(mm, 1, 1, RW | VM_SHARED, object, 5) == 0);
    EXPECT(kit_map_object(mm, 2, 1, RW | VM_SHARED, object, 6) == 0);
    EXPECT_AREAS(mm, "0-1 rw-s, 1-3 rw-s");
    kit_mm_put(mm);
    object_put(object);
}

KTEST(unmap_cuts_holes_ends_and_whole_areas)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 10, RW) == 0);
    EXPECT(kit_map(mm, 20, 10, RO) == 0);
    EXPECT(unmap(mm, 4, 2) == 0);
    EXPECT_AREAS(mm, "0-4 rw-p, 6-10 rw-p, 20-30 r--p");
    EXPECT(unmap(mm, 0, 1) == 0);
    EXPECT_AREAS(mm, "1-4 rw-p, 6-10 rw-p, 20-30 r--p");
    EXPECT(unmap(mm, 9, 12) == 0);
    EXPECT_AREAS(mm, "1-4 rw-p, 6-9 rw-p, 21-30 r--p");
    EXPECT(unmap(mm, 50, 5) == 0);
    EXPECT(unmap(mm, 0, 100) == 0);
    EXPECT_AREAS(mm, "");
    EXPECT_EQ(mm->total_pages, 0);
    EXPECT_EQ(atomic_load(&mm->pgtable.nr_tables), 1);
    kit_mm_put(mm);
}

KTEST(unmap_refuses_impossible_ranges)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 1, RW) == 0);
    EXPECT_EQ(mm_unmap(mm, AT(0) + 1, PAGE_SIZE), -EINVAL);
    EXPECT_EQ(mm_unmap(mm, AT(0), 0), -EINVAL);
    EXPECT_EQ(mm_unmap(mm, USER_END, PAGE_SIZE), -EINVAL);
    EXPECT_EQ(mm_unmap(mm, PAGE_SIZE, ~0UL), -EINVAL);
    EXPECT_EQ(mm_unmap(mm, 0, USER_END + PAGE_SIZE), -EINVAL);
    EXPECT(mm_unmap(mm, AT(0), 1) == 0); /* rounded up to the page */
    EXPECT_AREAS(mm, "");
    kit_mm_put(mm);
}

KTEST(fixed_mappings_replace_or_refuse_exactly)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t at = 0;

    EXPECT(kit_map(mm, 0, 10, RW) == 0);
    EXPECT(kit_write(mm, 4, 44) && kit_write(mm, 5, 55));
    EXPECT_EQ(map_at(mm, AT(9), 2 * PAGE_SIZE, MAP_FIXED_NEW, RO, &at), -EEXIST);
    EXPECT_AREAS(mm, "0-10 rw-p");
    EXPECT(map_at(mm, AT(5), 2 * PAGE_SIZE, MAP_FIXED_REPLACE, RO, &at) == 0);
    EXPECT_EQ(at, AT(5));
    EXPECT_AREAS(mm, "0-5 rw-p, 5-7 r--p, 7-10 rw-p");
    EXPECT_EQ(kit_read(mm, 4), 44);
    EXPECT_EQ(kit_read(mm, 5), 0);
    EXPECT(map_at(mm, AT(5), 2 * PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at) == 0);
    EXPECT_AREAS(mm, "0-10 rw-p");
    EXPECT_EQ(map_at(mm, AT(0) + 1, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at), -EINVAL);
    EXPECT_EQ(map_at(mm, USER_END, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at), -ENOMEM);
    EXPECT_EQ(map_at(mm, 0, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at), -EPERM);
    mm->limits.low_exempt = true;
    EXPECT(map_at(mm, 0, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at) == 0);
    EXPECT(map_at(mm, USER_END - PAGE_SIZE, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at) == 0);
    EXPECT(map_at(mm, USER_MIN, PAGE_SIZE, MAP_FIXED_REPLACE, RW, &at) == 0);
    kit_mm_put(mm);
}

KTEST(mappings_without_address_go_top_down)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t a, b, c, hinted, again;

    EXPECT(map_at(mm, 0, 3 * PAGE_SIZE, MAP_ANYWHERE, RW, &a) == 0);
    EXPECT_EQ(a, mm->mmap_top - 3 * PAGE_SIZE);
    EXPECT(map_at(mm, 0, PAGE_SIZE, MAP_ANYWHERE, RO, &b) == 0);
    EXPECT_EQ(b, a - PAGE_SIZE);
    EXPECT(mm_unmap(mm, a + PAGE_SIZE, PAGE_SIZE) == 0);
    EXPECT(map_at(mm, 0, PAGE_SIZE, MAP_ANYWHERE, RO, &c) == 0); /* the hole, highest that fits */
    EXPECT_EQ(c, a + PAGE_SIZE);
    EXPECT(map_at(mm, AT(7) + 5, PAGE_SIZE, MAP_ANYWHERE, RO, &hinted) == 0);
    EXPECT_EQ(hinted, AT(7));
    EXPECT(map_at(mm, AT(7), PAGE_SIZE, MAP_ANYWHERE, RO, &again) == 0); /* taken: elsewhere */
    EXPECT_EQ(again, b - PAGE_SIZE);
    EXPECT_EQ(map_at(mm, 0, USER_END, MAP_ANYWHERE, RO, &again), -ENOMEM);
    EXPECT_EQ(map_at(mm, 0, ~0UL, MAP_ANYWHERE, RO, &again), -ENOMEM);
    kit_mm_put(mm);
}

KTEST(limits_are_kept_to_the_page)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    mm->limits.address_space = 10 * PAGE_SIZE;
    EXPECT(kit_map(mm, 0, 6, RW) == 0);
    EXPECT_EQ(kit_map(mm, 8, 5, RW), -ENOMEM);
    EXPECT_AREAS(mm, "0-6 rw-p");
    EXPECT(kit_map(mm, 8, 4, RW) == 0);
    EXPECT_EQ(kit_map(mm, 20, 1, RW), -ENOMEM);
    mm->limits.address_space = MM_NO_LIMIT;
    mm->limits.locked = 2 * PAGE_SIZE;
    EXPECT(kit_map(mm, 20, 2, RW | VM_LOCKED) == 0);
    EXPECT_EQ(kit_map(mm, 30, 1, RW | VM_LOCKED), -EAGAIN);
    mm->limits.locked_exempt = true;
    EXPECT(kit_map(mm, 30, 1, RW | VM_LOCKED) == 0);
    EXPECT_EQ(mm->locked_pages, 3);
    EXPECT(unmap(mm, 0, 100) == 0);
    EXPECT_EQ(mm->locked_pages, 0);
    kit_mm_put(mm);
}

KTEST(fixed_mapping_over_itself_needs_no_more_room)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t at;

    mm->limits.address_space = 10 * PAGE_SIZE;
    EXPECT(kit_map(mm, 0, 10, RW) == 0);
    EXPECT(map_at(mm, AT(2), 4 * PAGE_SIZE, MAP_FIXED_REPLACE, RO, &at) == 0);
    EXPECT_AREAS(mm, "0-2 rw-p, 2-6 r--p, 6-10 rw-p");
    kit_mm_put(mm);
}

KTEST(too_many_areas_are_refused_before_anything_changes)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 10, RW) == 0);
    mm->nr_vmas += vm_settings.max_map_count; /* as if there were so many others */
    EXPECT_EQ(kit_map(mm, 20, 1, RO), -ENOMEM);
    EXPECT_EQ(unmap(mm, 4, 2), -ENOMEM);
    EXPECT_EQ(protect(mm, 4, 2, VM_READ), -ENOMEM);
    EXPECT(unmap(mm, 8, 2) == 0);
    mm->nr_vmas -= vm_settings.max_map_count;
    EXPECT_AREAS(mm, "0-8 rw-p");
    kit_mm_put(mm);
}

KTEST(protect_splits_and_merges_back)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 12, RW) == 0);
    EXPECT(protect(mm, 4, 4, VM_READ) == 0);
    EXPECT_AREAS(mm, "0-4 rw-p, 4-8 r--p, 8-12 rw-p");
    EXPECT(protect(mm, 2, 8, VM_READ | VM_EXEC) == 0);
    EXPECT_AREAS(mm, "0-2 rw-p, 2-10 r-xp, 10-12 rw-p");
    EXPECT(protect(mm, 0, 12, 0) == 0);
    EXPECT_AREAS(mm, "0-12 ---p");
    EXPECT(protect(mm, 0, 6, VM_READ | VM_WRITE) == 0);
    EXPECT(protect(mm, 6, 6, VM_READ | VM_WRITE) == 0);
    EXPECT_AREAS(mm, "0-12 rw-p");
    kit_mm_put(mm);
}

KTEST(protect_stops_at_a_gap_and_at_a_missing_right)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_map(mm, 6, 4, RW) == 0);
    EXPECT_EQ(protect(mm, 2, 6, VM_READ), -ENOMEM);
    EXPECT_AREAS(mm, "0-2 rw-p, 2-4 r--p, 6-10 rw-p");
    EXPECT_EQ(protect(mm, 4, 1, VM_READ), -ENOMEM);
    EXPECT_EQ(protect(mm, 20, 1, VM_READ), -ENOMEM);
    EXPECT(kit_map(mm, 10, 2, VM_READ | VM_MAYREAD) == 0);
    EXPECT_EQ(protect(mm, 8, 4, VM_READ | VM_WRITE), -EACCES);
    EXPECT_EQ(protect(mm, 10, 1, VM_EXEC), -EACCES);
    EXPECT(protect(mm, 10, 1, 0) == 0);
    EXPECT_AREAS(mm, "0-2 rw-p, 2-4 r--p, 6-10 rw-p, 10-11 ---p, 11-12 r--p");
    kit_mm_put(mm);
}

KTEST(protect_keeps_contents_and_dirty_pages)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    static const uint32_t steps[] = {0, VM_READ, VM_READ | VM_EXEC, 0, VM_READ | VM_WRITE};

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_write(mm, 1, 111));
    struct page *page = kit_page(mm, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        EXPECT(protect(mm, 0, 4, steps[i]) == 0);
        EXPECT(kit_page(mm, 1) == page, "step %u", i);
        EXPECT(pte_is_dirty(kit_leaf(mm, 1)), "step %u", i);
        EXPECT(mm_check(mm) == 0, "step %u", i);
        enum fault_result result = mm_fault(mm, user(AT(1)), ACCESS_READ);
        EXPECT(result == (steps[i] ? FAULT_RESOLVED : FAULT_NO_RIGHT), "step %u: %d", i, result);
    }
    EXPECT(pte_is_writable(kit_leaf(mm, 1))); /* an exclusive page needs no fault for that */
    EXPECT_EQ(kit_read(mm, 1), 111);
    kit_mm_put(mm);
}

KTEST(protect_grows_down_reaches_the_start_of_a_stack)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 10, 6, RW | VM_GROWSDOWN | VM_STACK) == 0);
    EXPECT(kit_map(mm, 20, 4, RW) == 0);
    EXPECT(mm_protect(mm, AT(14), PAGE_SIZE, VM_READ, PROTECT_GROWS) == 0);
    EXPECT_AREAS(mm, "10-15 r--p, 15-16 rw-p, 20-24 rw-p");
    EXPECT_EQ(mm_protect(mm, AT(21), PAGE_SIZE, VM_READ, PROTECT_GROWS), -EINVAL);
    kit_mm_put(mm);
}

KTEST(remap_grows_in_place_shrinks_and_moves)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t at;

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    for (uint64_t i = 0; i < 4; i++)
        EXPECT(kit_write(mm, i, 100 + i));
    EXPECT(mm_remap(mm, AT(0), 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0, &at) == 0);
    EXPECT_AREAS(mm, "0-6 rw-p");
    EXPECT(mm_remap(mm, AT(0), 6 * PAGE_SIZE, 3 * PAGE_SIZE, 0, 0, &at) == 0);
    EXPECT_AREAS(mm, "0-3 rw-p");
    EXPECT(kit_map(mm, 3, 1, RO) == 0);
    EXPECT_EQ(mm_remap(mm, AT(0), 3 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0, &at), -ENOMEM);
    EXPECT(mm_remap(mm, AT(0), 3 * PAGE_SIZE, 5 * PAGE_SIZE, 3, AT(600), &at) == 0);
    EXPECT_EQ(at, AT(600));
    EXPECT_AREAS(mm, "3-4 r--p, 600-605 rw-p");
    for (uint64_t i = 0; i < 3; i++)
        EXPECT_EQ(kit_read(mm, 600 + i), 100 + i);
    EXPECT_EQ(kit_read(mm, 603), 0);
    EXPECT(pte_is_none(kit_leaf(mm, 0)));
    kit_mm_put(mm);
}

KTEST(remap_moves_a_part_and_leaves_the_rest)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t at;

    EXPECT(kit_map(mm, 0, 10, RW) == 0);
    for (uint64_t i = 0; i < 10; i++)
        EXPECT(kit_write(mm, i, i));
    EXPECT(kit_map(mm, 508, 8, RO) == 0);
    EXPECT(mm_remap(mm, AT(4), 3 * PAGE_SIZE, 3 * PAGE_SIZE, 3, AT(511), &at) == 0);
    EXPECT_AREAS(mm, "0-4 rw-p, 7-10 rw-p, 508-511 r--p, 511-514 rw-p, 514-516 r--p");
    for (uint64_t i = 4; i < 7; i++)
        EXPECT_EQ(kit_read(mm, 507 + i), i);
    EXPECT_EQ(kit_read(mm, 9), 9);
    EXPECT_EQ(rss_anon(mm), 10);
    kit_mm_put(mm);
}

KTEST(remap_refuses_what_linux_refuses)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);
    uint64_t at;

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT_EQ(mm_remap(mm, AT(0) + 1, PAGE_SIZE, PAGE_SIZE, 1, 0, &at), -EINVAL);
    EXPECT_EQ(mm_remap(mm, AT(0), PAGE_SIZE, 0, 1, 0, &at), -EINVAL);
    EXPECT_EQ(mm_remap(mm, AT(0), PAGE_SIZE, PAGE_SIZE, 2, AT(9), &at), -EINVAL);
    EXPECT_EQ(mm_remap(mm, AT(0), PAGE_SIZE, PAGE_SIZE, 8, 0, &at), -EINVAL);
    EXPECT_EQ(mm_remap(mm, AT(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, 3, AT(1), &at), -EINVAL);
    EXPECT_EQ(mm_remap(mm, AT(0), 6 * PAGE_SIZE, 8 * PAGE_SIZE, 1, 0, &at), -EFAULT);
    EXPECT_EQ(mm_remap(mm, AT(20), PAGE_SIZE, PAGE_SIZE, 1, 0, &at), -EFAULT);
    EXPECT_AREAS(mm, "0-4 rw-p");
    kit_mm_put(mm);
}

KTEST(brk_moves_in_pages_and_never_fails_loudly)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    mm->brk_start = mm->brk = AT(0);
    EXPECT_EQ(mm_brk(mm, 0), AT(0));
    EXPECT_EQ(mm_brk(mm, AT(2) + 5), AT(2) + 5);
    EXPECT_AREAS(mm, "0-3 rw-p");
    EXPECT_EQ(mm_brk(mm, AT(2) + 1), AT(2) + 1);
    EXPECT_EQ(mm_brk(mm, AT(5)), AT(5));
    EXPECT_AREAS(mm, "0-5 rw-p");
    EXPECT(kit_map(mm, 8, 1, RO) == 0);
    EXPECT_EQ(mm_brk(mm, AT(9)), AT(5));
    EXPECT_EQ(mm_brk(mm, AT(1)), AT(1));
    EXPECT_AREAS(mm, "0-1 rw-p, 8-9 r--p");
    mm->limits.data = 2 * PAGE_SIZE;
    EXPECT_EQ(mm_brk(mm, AT(3)), AT(1));
    EXPECT_EQ(mm_brk(mm, AT(2)), AT(2));
    kit_mm_put(mm);
}

KTEST(discard_forgets_private_pages_and_says_where_gaps_were)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_map(mm, 6, 2, RW) == 0);
    for (uint64_t i = 0; i < 4; i++)
        EXPECT(kit_write(mm, i, 7));
    EXPECT(kit_write(mm, 6, 7));
    EXPECT(mm_discard(mm, AT(1), 2 * PAGE_SIZE) == 0);
    EXPECT(kit_read(mm, 0) == 7 && kit_read(mm, 1) == 0 && kit_read(mm, 3) == 7);
    EXPECT_EQ(mm_discard(mm, AT(3), 4 * PAGE_SIZE), -ENOMEM); /* done all the same */
    EXPECT(kit_read(mm, 3) == 0 && kit_read(mm, 6) == 0);
    EXPECT_EQ(rss_anon(mm), 1);
    kit_mm_put(mm);
}
