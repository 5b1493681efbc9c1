/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/track.c - no first write goes unseen, whatever happens to the leaf before it
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of the calls.
 * Always: -
 * Source: trust.md B08.
 * Tour:   after mm/track.c; the same by programs is in tests/user/soft_dirty.c.
 */
#include "kit.h"
#include <mm/usage.h>

/* Is page 0 known to be written, and may it be written without a fault? */
static bool is_open(struct mm *mm)
{
    pte_t leaf = kit_leaf(mm, 0);
    return pte_has_frame(leaf) && pte_is_writable(leaf);
}

static bool is_known(struct mm *mm)
{
    return pte_is_soft_dirty(kit_leaf(mm, 0));
}

static struct mm *tracked_mm(void)
{
    struct mm *mm = kit_mm();

    if (mm && EXPECT(kit_map(mm, 0, 2, RW) == 0 && kit_write(mm, 0, 1)))
        mm_track_writes(mm);
    return mm;
}

KTEST(tracking_closes_leaves_until_they_are_written)
{
    struct mm *mm = tracked_mm();
    REQUIRE(mm);

    EXPECT(!is_open(mm) && !is_known(mm));
    EXPECT_EQ(kit_read(mm, 0), 1);
    EXPECT(!is_open(mm) && !is_known(mm));
    EXPECT(kit_write(mm, 0, 2) && is_open(mm) && is_known(mm));
    mm_track_writes(mm);
    EXPECT(!is_open(mm) && !is_known(mm));
    kit_mm_put(mm);
}

KTEST(rights_given_back_leave_an_unwritten_leaf_closed)
{
    struct mm *mm = tracked_mm();
    REQUIRE(mm);

    EXPECT(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ | VM_WRITE, 0) == 0);
    EXPECT(!is_open(mm));
    EXPECT(kit_write(mm, 0, 2) && is_open(mm) && is_known(mm));
    EXPECT(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ | VM_WRITE, 0) == 0);
    EXPECT(is_open(mm)); /* nothing is waited for any more */
    kit_mm_put(mm);
}

KTEST(a_fork_keeps_what_is_known_on_both_sides)
{
    struct mm *mm = tracked_mm(), *child;
    REQUIRE(mm);

    REQUIRE(mm_fork(mm, &child) == 0);
    EXPECT(!is_known(mm) && !is_known(child));
    EXPECT(kit_write(mm, 0, 2) && is_known(mm) && !is_known(child));
    EXPECT(kit_write(child, 0, 3) && is_known(child));
    EXPECT_EQ(kit_read(mm, 0), 2);
    kit_mm_put(child);
    REQUIRE(mm_fork(mm, &child) == 0);
    EXPECT(is_known(child) && !is_open(child));
    kit_mm_put(child);
    kit_mm_put(mm);
}

KTEST(what_is_read_first_is_closed_where_writes_are_tracked)
{
    struct object *object = kit_object(&shmem_ops, 2);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 2, RW | VM_SHARED, object, 0) == 0);
    mm_track_writes(mm);
    EXPECT_EQ(kit_read(mm, 0), 0);
    EXPECT(!is_open(mm) && !is_known(mm));
    EXPECT(kit_write(mm, 0, 7) && is_open(mm) && is_known(mm));
    kit_mm_put(mm);
    object_put(object);
}

KTEST(accesses_are_forgotten_without_a_right_less)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 1, RW) == 0 && kit_write(mm, 0, 1));
    mm_track_accesses(mm, AREAS_OF_OBJECTS);
    EXPECT(pte_is_young(kit_leaf(mm, 0)));
    mm_track_accesses(mm, AREAS_ANONYMOUS);
    EXPECT(!pte_is_young(kit_leaf(mm, 0)) && is_open(mm) && is_known(mm));
    kit_mm_put(mm);
}

KTEST(a_collapsed_unit_is_known_if_one_of_its_pages_was)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, PT_ENTRIES, RW) == 0);
    for (unsigned written = 0; written < 2; written++) {
        thp_split(vma_find(mm, AT(0)), AT(0));
        EXPECT(kit_write(mm, 0, 1));
        mm_track_writes(mm);
        EXPECT(!written || kit_write(mm, 7, 1));
        REQUIRE(mm_collapse(mm, AT(0), HUGE_SIZE) == 0);
        EXPECT(pt_walk(&mm->pgtable, user(AT(0))).level == PT_2M);
        EXPECT(is_known(mm) == written && is_open(mm) == written);
    }
    mm_track_writes(mm);
    EXPECT(kit_write(mm, 3, 2) && is_known(mm) && is_open(mm));
    kit_mm_put(mm);
}
