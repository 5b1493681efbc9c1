/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/fault.c - what a fault maps, and who shares it afterwards
 *
 * Room:   tests/kernel. The spaces here are never loaded: leaves are read by walks.
 * Owns:   nothing.
 * Locks:  those of the calls.
 * Always: (1) every space is checked before it is dropped.
 * Source: mm/fault.c, mm/mm.c; trust.md V5, V7, V8, V10, V11, B01, B04.
 * Tour:   after mm/fault.c.
 */
#include "kit.h"

static enum fault_result fault(struct mm *mm, uint64_t page, enum fault_access access)
{
    return mm_fault(mm, user(AT(page)), access);
}

static uint32_t mapcount(const struct page *page)
{
    return atomic_load(&page->mapcount);
}

static uint32_t refcount(const struct page *page)
{
    return atomic_load(&page->refcount);
}

KTEST(read_of_untouched_memory_maps_the_zero_page)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(fault(mm, 1, ACCESS_READ) == FAULT_RESOLVED);
    EXPECT(kit_page(mm, 1) == zero_page && !pte_is_writable(kit_leaf(mm, 1)));
    EXPECT_EQ(rss_anon(mm), 0);
    EXPECT(kit_write(mm, 1, 5));
    EXPECT(kit_page(mm, 1) != zero_page);
    EXPECT_EQ(*(uint64_t *)page_kva(zero_page), 0);
    EXPECT_EQ(rss_anon(mm), 1);
    kit_mm_put(mm);
}

KTEST(write_maps_a_zeroed_exclusive_page_of_its_own)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(fault(mm, 2, ACCESS_WRITE) == FAULT_RESOLVED);
    struct page *page = kit_page(mm, 2);
    EXPECT(page->state == PAGE_ANON && pte_is_exclusive(kit_leaf(mm, 2)));
    EXPECT(mapcount(page) == 1 && refcount(page) == 1);
    EXPECT(pte_is_writable(kit_leaf(mm, 2)) && pte_is_dirty(kit_leaf(mm, 2)));
    EXPECT_EQ(pte_is_executable(kit_leaf(mm, 2)), !cpu_has(CPU_NX));
    EXPECT_EQ(*(uint64_t *)page_kva(page), 0);
    EXPECT(kit_page(mm, 1) == NULL && kit_page(mm, 3) == NULL);
    kit_mm_put(mm);
}

KTEST(accesses_without_right_or_area_are_refused)
{
    static const struct {
        uint32_t flags;
        enum fault_result read, write, exec;
    } cases[] = {
        {0, FAULT_NO_RIGHT, FAULT_NO_RIGHT, FAULT_NO_RIGHT},
        {VM_READ, FAULT_RESOLVED, FAULT_NO_RIGHT, FAULT_NO_RIGHT},
        {VM_WRITE, FAULT_RESOLVED, FAULT_RESOLVED, FAULT_NO_RIGHT},
        {VM_EXEC, FAULT_RESOLVED, FAULT_NO_RIGHT, FAULT_RESOLVED},
        {VM_RIGHTS, FAULT_RESOLVED, FAULT_RESOLVED, FAULT_RESOLVED},
    };
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    for (uint64_t i = 0; i < ARRAY_SIZE(cases); i++) {
        EXPECT(kit_map(mm, 10 * i, 3, cases[i].flags | VM_MAY_RIGHTS) == 0);
        EXPECT_EQ(fault(mm, 10 * i, ACCESS_READ), cases[i].read);
        EXPECT_EQ(fault(mm, 10 * i + 1, ACCESS_WRITE), cases[i].write);
        EXPECT_EQ(fault(mm, 10 * i + 2, ACCESS_EXEC), cases[i].exec);
        EXPECT_EQ(fault(mm, 10 * i + 3, ACCESS_READ), FAULT_NO_AREA);
    }
    EXPECT_EQ(mm_fault(mm, user(0), ACCESS_READ), FAULT_NO_AREA);
    EXPECT_EQ(mm_fault(mm, user(USER_END), ACCESS_READ), FAULT_NO_AREA);
    EXPECT_EQ(mm_fault(mm, user(~0UL), ACCESS_READ), FAULT_NO_AREA);
    kit_mm_put(mm);
}

KTEST(fork_shares_private_pages_until_either_side_writes)
{
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(parent);

    EXPECT(kit_map(parent, 0, 4, RW) == 0);
    EXPECT(kit_write(parent, 0, 10) && kit_write(parent, 1, 11));
    EXPECT(fault(parent, 2, ACCESS_READ) == FAULT_RESOLVED);
    REQUIRE(mm_fork(parent, &child) == 0);
    struct page *shared = kit_page(parent, 0);
    EXPECT(kit_page(child, 0) == shared && mapcount(shared) == 2 && refcount(shared) == 2);
    EXPECT(!pte_is_exclusive(kit_leaf(parent, 0)) && !pte_is_exclusive(kit_leaf(child, 0)));
    EXPECT(!pte_is_writable(kit_leaf(parent, 0)) && !pte_is_writable(kit_leaf(child, 0)));
    EXPECT(kit_page(child, 2) == zero_page);
    EXPECT(mm_check(parent) == 0 && mm_check(child) == 0);

    EXPECT(kit_write(child, 0, 20)); /* the child copies, the parent then has the page alone */
    EXPECT(kit_page(child, 0) != shared && mapcount(shared) == 1);
    EXPECT_EQ(kit_read(parent, 0), 10);
    EXPECT(kit_write(parent, 0, 30) && kit_page(parent, 0) == shared);
    EXPECT_EQ(kit_read(child, 0), 20);

    EXPECT(kit_write(parent, 1, 31)); /* the parent copies, the child keeps the old page */
    EXPECT_EQ(kit_read(child, 1), 11);
    kit_mm_put(parent);
    EXPECT(kit_write(child, 1, 41));
    EXPECT_EQ(kit_read(child, 1), 41);
    kit_mm_put(child);
}

KTEST(page_of_a_dead_sibling_is_written_without_a_copy)
{
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(parent);

    EXPECT(kit_map(parent, 0, 1, RW) == 0);
    EXPECT(kit_write(parent, 0, 1));
    struct page *page = kit_page(parent, 0);
    REQUIRE(mm_fork(parent, &child) == 0);
    kit_mm_put(child);
    EXPECT(kit_write(parent, 0, 2));
    EXPECT(kit_page(parent, 0) == page && pte_is_exclusive(kit_leaf(parent, 0)));
    kit_mm_put(parent);
}

KTEST(page_with_another_owner_is_copied_before_it_is_written)
{
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(parent);

    EXPECT(kit_map(parent, 0, 1, RW) == 0);
    EXPECT(kit_write(parent, 0, 1));
    struct page *page = kit_page(parent, 0);
    REQUIRE(mm_fork(parent, &child) == 0);
    folio_get(page_folio(page)); /* somebody reads it by its frame, as a pipe would */
    kit_mm_put(child);
    EXPECT(kit_write(parent, 0, 2));
    EXPECT(kit_page(parent, 0) != page);
    EXPECT_EQ(*(uint64_t *)page_kva(page), 1);
    folio_put(page_folio(page));
    kit_mm_put(parent);
}

KTEST(fork_of_a_fork_keeps_every_copy_apart)
{
    struct mm *mms[4] = {kit_mm()};
    REQUIRE(mms[0]);

    EXPECT(kit_map(mms[0], 0, 1, RW) == 0);
    EXPECT(kit_write(mms[0], 0, 100));
    for (unsigned i = 1; i < 4; i++)
        REQUIRE(mm_fork(mms[i - 1], &mms[i]) == 0);
    EXPECT_EQ(mapcount(kit_page(mms[0], 0)), 4);
    for (unsigned i = 0; i < 4; i++)
        EXPECT(kit_write(mms[i], 0, i));
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(kit_read(mms[i], 0), i);
    for (unsigned i = 0; i < 4; i++)
        kit_mm_put(mms[i]);
}

KTEST(fork_shares_objects_and_repeats_areas)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(object && parent);

    EXPECT(kit_map_object(parent, 0, 4, RW | VM_SHARED, object, 0) == 0);
    EXPECT(kit_map_object(parent, 10, 4, RW, object, 0) == 0);
    EXPECT(kit_map(parent, 20, 2, RO) == 0);
    EXPECT(kit_write(parent, 0, 5));
    EXPECT(kit_write(parent, 11, 6)); /* a private copy */
    REQUIRE(mm_fork(parent, &child) == 0);
    EXPECT_AREAS(child, "0-4 rw-s, 10-14 rw-p, 20-22 r--p");
    EXPECT(kit_read(child, 0) == 5 && kit_read(child, 11) == 6);
    EXPECT(kit_write(child, 0, 50) && kit_write(child, 11, 60));
    EXPECT(kit_read(parent, 0) == 50 && kit_read(parent, 11) == 6);
    EXPECT_EQ(atomic_load(&object->writers), 2);
    kit_mm_put(parent);
    EXPECT_EQ(atomic_load(&object->writers), 1);
    kit_mm_put(child);
    EXPECT_EQ(atomic_load(&object->refcount), 1);
    object_put(object);
}

/* As Linux: what only a lock kept apart is not merged. */
KTEST(fork_drops_locks_and_keeps_areas_as_they_are)
{
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(parent);

    EXPECT(kit_map(parent, 0, 2, RW) == 0);
    EXPECT(kit_map(parent, 2, 2, RW | VM_LOCKED) == 0);
    EXPECT(kit_write(parent, 1, 1) && kit_write(parent, 3, 3));
    REQUIRE(mm_fork(parent, &child) == 0);
    EXPECT_EQ(child->locked_pages, 0);
    EXPECT_AREAS(child, "0-2 rw-p, 2-4 rw-p");
    EXPECT(kit_read(child, 1) == 1 && kit_read(child, 3) == 3);
    kit_mm_put(child);
    kit_mm_put(parent);
}

KTEST(private_mapping_copies_the_object_at_the_first_write)
{
    struct object *object = kit_object(&shmem_ops, 4);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 4, RW | VM_SHARED, object, 0) == 0);
    EXPECT(kit_map_object(mm, 10, 4, RW, object, 0) == 0);
    EXPECT(kit_write(mm, 1, 5));
    EXPECT_EQ(kit_read(mm, 11), 5);
    EXPECT(kit_page(mm, 11) == kit_page(mm, 1) && !pte_is_writable(kit_leaf(mm, 11)));
    EXPECT(kit_write(mm, 11, 6)); /* replaces a leaf of the object's page */
    EXPECT(kit_write(mm, 12, 7)); /* copies a page that was never mapped here */
    EXPECT(kit_read(mm, 1) == 5 && kit_read(mm, 2) == 0);
    EXPECT(kit_write(mm, 1, 8));
    EXPECT_EQ(kit_read(mm, 11), 6);
    EXPECT_EQ(rss_anon(mm), 2);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(protect_never_makes_a_shared_private_page_writable)
{
    struct mm *parent = kit_mm(), *child = NULL;
    REQUIRE(parent);

    EXPECT(kit_map(parent, 0, 2, RW) == 0);
    EXPECT(kit_write(parent, 0, 1));
    EXPECT(fault(parent, 1, ACCESS_READ) == FAULT_RESOLVED);
    REQUIRE(mm_fork(parent, &child) == 0);
    EXPECT(mm_protect(child, AT(0), 2 * PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT(mm_protect(child, AT(0), 2 * PAGE_SIZE, VM_READ | VM_WRITE, 0) == 0);
    EXPECT(!pte_is_writable(kit_leaf(child, 0)) && !pte_is_writable(kit_leaf(child, 1)));
    EXPECT(kit_write(child, 0, 2));
    EXPECT_EQ(kit_read(parent, 0), 1);
    kit_mm_put(child);
    kit_mm_put(parent);
}

KTEST(stack_grows_down_to_its_limit_and_keeps_its_distance)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 1000, 4, RW | VM_GROWSDOWN | VM_STACK) == 0);
    mm->limits.stack = 100 * PAGE_SIZE;
    EXPECT(fault(mm, 950, ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT_AREAS(mm, "950-1004 rw-p");
    EXPECT_EQ(fault(mm, 903, ACCESS_WRITE), FAULT_NO_AREA);
    EXPECT(fault(mm, 904, ACCESS_WRITE) == FAULT_RESOLVED);
    mm->limits.stack = 8 * MIB;
    EXPECT(kit_map(mm, 600, 10, RW) == 0);
    EXPECT_EQ(fault(mm, 865, ACCESS_WRITE), FAULT_NO_AREA); /* 256 pages above 610 */
    EXPECT(fault(mm, 866, ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT_EQ(mm->total_pages, 10 + 138);
    kit_mm_put(mm);
}

KTEST(locked_stack_counts_what_it_grows_by)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 100, 4, RW | VM_GROWSDOWN | VM_LOCKED) == 0);
    EXPECT(fault(mm, 97, ACCESS_WRITE) == FAULT_RESOLVED);
    EXPECT_EQ(mm->locked_pages, 7);
    kit_mm_put(mm);
}

/* Damage that mm_check() must find: the leaf of page 0 becomes @wrong for a moment. */
static void plant(struct mm *mm, pte_t wrong, const char *claim)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(AT(0)));
    pte_t right = pte_read(walk.slot);

    pte_write(walk.slot, wrong);
    EXPECT_FINDS(mm_check(mm), claim);
    pte_write(walk.slot, right);
    EXPECT(mm_check(mm) == 0);
}

KTEST(planted_damage_of_an_address_space_is_found)
{
    struct mm *mm = kit_mm();
    REQUIRE(mm);

    EXPECT(kit_map(mm, 0, 2, RO) == 0);
    EXPECT(kit_map(mm, 4, 2, RW) == 0);
    EXPECT(fault(mm, 0, ACCESS_READ) == FAULT_RESOLVED && kit_write(mm, 4, 1));
    phys_addr_t zero = page_to_phys(zero_page), own = page_to_phys(kit_page(mm, 4));
    plant(mm, pte_leaf(zero, pgprot_write(pgprot_user()), PT_4K), "V5");
    plant(mm, pte_leaf(zero, pgprot_kernel(), PT_4K), "V5");
    plant(mm, pte_leaf(own, pgprot_user(), PT_4K), "V23"); /* a leaf more than was counted */
    if (cpu_has(CPU_NX))
        plant(mm, pte_leaf(zero, pgprot_exec(pgprot_user()), PT_4K), "V5");

    struct page *page = kit_page(mm, 4);
    pte_t leaf = kit_leaf(mm, 4), *slot = pt_walk(&mm->pgtable, user(AT(4))).slot;
    pte_write(slot, (pte_t){leaf.raw & ~PTE_SOFT_EXCLUSIVE});
    EXPECT_FINDS(mm_check(mm), "V10");
    pte_write(slot, leaf);
    atomic_store(&page->mapcount, 2);
    EXPECT_FINDS(mm_check(mm), "V7");
    atomic_store(&page->mapcount, 1);
    mm->total_pages++;
    EXPECT_FINDS(mm_check(mm), "V23");
    mm->total_pages--;
    struct vma *vma = vma_find(mm, AT(4));
    vma->flags &= ~VM_WRITE;
    EXPECT_FINDS(mm_check(mm), "V23");
    mm->kind_pages[AREA_OTHER] = 4;
    mm->kind_pages[AREA_DATA] = 0;
    EXPECT_FINDS(mm_check(mm), "V5");
    vma->flags |= VM_WRITE;
    mm->kind_pages[AREA_OTHER] = mm->kind_pages[AREA_DATA] = 2;
    kit_mm_put(mm);
}
