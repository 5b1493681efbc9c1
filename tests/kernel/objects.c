/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/objects.c - shared memory and huge pages: contents, sizes, promises, writers
 *
 * Room:   tests/kernel.
 * Owns:   nothing; the pool of huge pages keeps what it was given.
 * Locks:  object.lock where a size is set.
 * Always: (1) every object is dropped, and its pages with it.
 * Source: include/mm/object.h; trust.md V12, V22, B40, B42, B56 to B59.
 * Tour:   after mm/object.c, mm/shmem.c, mm/hugetlb.c.
 */
#include "kit.h"

#define SHARED (RW | VM_SHARED)
#define UNIT   (HUGE_SIZE / PAGE_SIZE)

/* A buffer of the kernel as the other side of object_read() and object_write(). */
struct buffer {
    struct object_copy copy;
    char *bytes;
    bool out;         /* from the object into the buffer */
    size_t refuse_at; /* as a program's buffer that faults there */
};

static size_t copy_buffer(struct object_copy *c, void *kva, size_t done, size_t len)
{
    struct buffer *b = container_of(c, struct buffer, copy);
    size_t room = b->refuse_at > done ? b->refuse_at - done : 0;
    size_t part = min(len, room);

    if (b->out)
        memcpy(b->bytes + done, kva, part);
    else
        memcpy(kva, b->bytes + done, part);
    return len - part;
}

static int64_t transfer(struct object *object, uint64_t pos, void *bytes, size_t len, bool out)
{
    struct buffer b = {{copy_buffer}, bytes, out, ~0UL};

    if (out)
        return object_read(object, pos, len, &b.copy);
    mutex_lock(&object->lock);
    int64_t done = object_write(object, pos, len, &b.copy);
    mutex_unlock(&object->lock);
    return done;
}

KTEST(object_reads_what_was_written_and_zeros_between)
{
    struct object *object = kit_object(&shmem_ops, 0);
    char in[100], out[300];
    REQUIRE(object);

    memset(in, 'x', sizeof(in));
    EXPECT_EQ(transfer(object, PAGE_SIZE - 50, in, 100, false), 100);
    EXPECT_EQ(object_size(object), PAGE_SIZE + 50);
    EXPECT_EQ(transfer(object, 5 * PAGE_SIZE, in, 10, false), 10);
    EXPECT_EQ(atomic_load(&object->nr_pages), 3);
    EXPECT_EQ(transfer(object, PAGE_SIZE - 100, out, 300, true), 300);
    for (unsigned i = 0; i < 300; i++)
        EXPECT(out[i] == (i >= 50 && i < 150 ? 'x' : 0), "byte %u is %d", i, out[i]);
    EXPECT_EQ(transfer(object, 3 * PAGE_SIZE, out, 300, true), 300); /* a hole stays one */
    EXPECT_EQ(atomic_load(&object->nr_pages), 3);
    EXPECT_EQ(transfer(object, 5 * PAGE_SIZE + 4, out, 300, true), 6);
    EXPECT_EQ(transfer(object, 6 * PAGE_SIZE, out, 300, true), 0);
    object_put(object);
}

KTEST(object_transfer_ends_where_the_buffer_faults)
{
    struct object *object = kit_object(&shmem_ops, 0);
    static char bytes[3 * PAGE_SIZE];
    struct buffer b = {{copy_buffer}, bytes, false, PAGE_SIZE + 10};
    REQUIRE(object);

    mutex_lock(&object->lock);
    EXPECT_EQ(object_write(object, 0, sizeof(bytes), &b.copy), PAGE_SIZE + 10);
    b.refuse_at = 0;
    EXPECT_EQ(object_write(object, 0, 10, &b.copy), -EFAULT);
    mutex_unlock(&object->lock);
    EXPECT_EQ(object_size(object), PAGE_SIZE + 10);
    b.out = true;
    EXPECT_EQ(object_read(object, 0, 10, &b.copy), -EFAULT);
    b.refuse_at = PAGE_SIZE;
    EXPECT_EQ(object_read(object, 0, sizeof(bytes), &b.copy), PAGE_SIZE);
    object_put(object);
}

KTEST(truncate_takes_pages_from_every_mapping_and_zeroes_the_tail)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *mms[2] = {kit_mm(), kit_mm()};
    REQUIRE(object && mms[0] && mms[1]);

    EXPECT(kit_map_object(mms[0], 0, 8, SHARED, object, 0) == 0);
    EXPECT(kit_map_object(mms[1], 100, 4, SHARED, object, 4) == 0);
    for (uint64_t i = 0; i < 8; i++)
        EXPECT(kit_write(mms[0], i, ~0UL));
    EXPECT(kit_read(mms[1], 100) == ~0UL && kit_read(mms[1], 101) == ~0UL);
    kit_truncate(object, 4 * PAGE_SIZE + 4);
    EXPECT_EQ(atomic_load(&object->nr_pages), 5);
    EXPECT(kit_page(mms[0], 5) == NULL && kit_page(mms[1], 101) == NULL);
    EXPECT(kit_page(mms[0], 4) == kit_page(mms[1], 100));
    EXPECT_EQ(kit_read(mms[1], 100), 0xffffffff);
    EXPECT_EQ(mm_fault(mms[0], user(AT(5)), ACCESS_READ), FAULT_BEYOND);
    EXPECT_EQ(mm_fault(mms[1], user(AT(103)), ACCESS_WRITE), FAULT_BEYOND);
    kit_truncate(object, 8 * PAGE_SIZE);
    EXPECT(kit_read(mms[0], 4) == 0xffffffff && kit_read(mms[0], 5) == 0);
    kit_truncate(object, 0);
    EXPECT_EQ(atomic_load(&object->nr_pages), 0);
    EXPECT(rss_file(mms[0]) == 0 && rss_file(mms[1]) == 0);
    kit_mm_put(mms[0]);
    kit_mm_put(mms[1]);
    object_put(object);
}

KTEST(truncate_takes_private_copies_too)
{
    struct object *object = kit_object(&shmem_ops, 4);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 4, RW, object, 0) == 0);
    EXPECT(kit_write(mm, 1, 5) && kit_write(mm, 2, 6));
    kit_truncate(object, 2 * PAGE_SIZE);
    EXPECT_EQ(mm_fault(mm, user(AT(2)), ACCESS_READ), FAULT_BEYOND);
    EXPECT_EQ(kit_read(mm, 1), 5);
    EXPECT_EQ(rss_anon(mm), 1);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(object_lives_as_long_as_a_mapping_does)
{
    struct object *object = kit_object(&shmem_ops, 2);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 2, SHARED, object, 0) == 0);
    EXPECT(kit_write(mm, 1, 9));
    object_put(object);
    EXPECT_EQ(kit_read(mm, 1), 9);
    EXPECT(mm_unmap(mm, AT(0), PAGE_SIZE) == 0);
    EXPECT_EQ(kit_read(mm, 1), 9);
    kit_mm_put(mm);
}

KTEST(writers_are_counted_exactly)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 8, SHARED, object, 0) == 0);
    EXPECT_EQ(atomic_load(&object->writers), 1);
    EXPECT(mm_unmap(mm, AT(3), PAGE_SIZE) == 0); /* one area became two */
    EXPECT_EQ(atomic_load(&object->writers), 2);
    EXPECT_EQ(object_deny_writers(object), -EBUSY);
    EXPECT(mm_protect(mm, AT(0), 3 * PAGE_SIZE, VM_READ, 0) == 0);
    EXPECT_EQ(atomic_load(&object->writers), 2); /* it may come back with mprotect */
    EXPECT(kit_map_object(mm, 20, 2, RW, object, 0) == 0);
    EXPECT(kit_map_object(mm, 30, 2, RO & ~VM_MAYWRITE, object, 0) == 0);
    EXPECT_EQ(atomic_load(&object->writers), 2);
    EXPECT(mm_unmap(mm, AT(0), 8 * PAGE_SIZE) == 0);
    EXPECT_EQ(atomic_load(&object->writers), 0);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(denied_writers_may_neither_map_nor_become_one)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(object_deny_writers(object) == 0);
    EXPECT(object_deny_writers(object) == 0);
    EXPECT_EQ(kit_map_object(mm, 0, 8, SHARED, object, 0), -EPERM);
    uint32_t readonly = VM_READ | VM_MAYREAD | VM_SHARED;
    EXPECT(kit_map_object(mm, 0, 8, readonly, object, 0) == 0);
    EXPECT_EQ(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ | VM_WRITE, 0), -EACCES);
    EXPECT(kit_map_object(mm, 20, 8, RW, object, 0) == 0);
    EXPECT(kit_write(mm, 20, 1)); /* private copies are nobody's business */
    EXPECT_EQ(kit_read(mm, 0), 0);
    EXPECT_EQ(atomic_load(&object->writers), -1);
    EXPECT_EQ(atomic_load(&object->refcount), 3);
    kit_mm_put(mm);
    EXPECT_EQ(atomic_load(&object->refcount), 1);
    object_put(object);
}

KTEST(fixed_mapping_that_is_refused_leaves_what_was_there)
{
    struct object *object = kit_object(&shmem_ops, 8);
    struct mm *mm = kit_mm();
    uint64_t at;
    REQUIRE(object && mm);

    EXPECT(kit_map(mm, 0, 4, RW) == 0);
    EXPECT(kit_write(mm, 2, 7));
    EXPECT(object_deny_writers(object) == 0);
    struct map_request request = {.addr = AT(1),
                                  .len_bytes = 2 * PAGE_SIZE,
                                  .place = MAP_FIXED_REPLACE,
                                  .flags = SHARED,
                                  .object = object};
    EXPECT_EQ(mm_map(mm, &request, &at), -EPERM);
    EXPECT_AREAS(mm, "0-4 rw-p");
    EXPECT_EQ(kit_read(mm, 2), 7);
    kit_mm_put(mm);
    object_put(object);
}

/* Huge pages. The pool never shrinks: it is grown once, by the first test that needs it. */

#define POOL 4

static struct hugetlb_counts pool(void)
{
    struct hugetlb_counts counts;

    hugetlb_counts(hugetlb_pool_of(0), &counts);
    EXPECT(hugetlb_check() == 0);
    return counts;
}

static bool pool_is(uint64_t free, uint64_t reserved)
{
    struct hugetlb_counts counts = pool();

    return EXPECT(counts.free == free && counts.reserved == reserved, "%lu free, %lu reserved",
                  counts.free, counts.reserved);
}

static bool need_pool(void)
{
    hugetlb_pool_resize(hugetlb_pool_of(0), POOL);
    return EXPECT_EQ(pool().total, POOL) && pool_is(POOL, 0);
}

KTEST(hugetlb_promises_are_made_by_mmap_and_kept_by_faults)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 3);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 2 * UNIT, SHARED, object, 0) == 0);
    pool_is(4, 2);
    EXPECT(kit_write(mm, UNIT + 5, 77));
    pool_is(3, 1);
    EXPECT_EQ(pt_walk(&mm->pgtable, user(AT(UNIT))).level, PT_2M);
    EXPECT_EQ(rss_file(mm), UNIT);
    EXPECT_EQ(kit_read(mm, UNIT + 5), 77);
    EXPECT_EQ(kit_read(mm, UNIT + 6), 0);
    EXPECT(kit_map_object(mm, 4 * UNIT, 3 * UNIT, SHARED, object, 0) == 0); /* one index more */
    pool_is(3, 2);
    EXPECT(kit_page(mm, 5 * UNIT) == NULL);
    EXPECT_EQ(kit_read(mm, 5 * UNIT + 5), 77);
    kit_mm_put(mm);
    pool_is(3, 2); /* they stay with the object */
    kit_truncate(object, 2 * HUGE_SIZE);
    pool_is(3, 1);
    object_put(object);
    pool_is(4, 0);
}

KTEST(hugetlb_mmap_beyond_the_pool_changes_nothing)
{
    REQUIRE(need_pool());
    struct object *a = kit_object(&hugetlb_ops, 8), *b = kit_object(&hugetlb_ops, 8);
    struct mm *mm = kit_mm();
    REQUIRE(a && b && mm);

    EXPECT_EQ(kit_map_object(mm, 0, 5 * UNIT, SHARED, a, 0), -ENOMEM);
    pool_is(4, 0);
    EXPECT(kit_map_object(mm, 0, 3 * UNIT, SHARED, a, 0) == 0);
    EXPECT_EQ(kit_map_object(mm, 8 * UNIT, 2 * UNIT, SHARED, b, 0), -ENOMEM);
    pool_is(4, 3);
    EXPECT_EQ(kit_map_object(mm, 8 * UNIT, 5 * UNIT, SHARED, a, UNIT), -ENOMEM);
    pool_is(4, 3);
    EXPECT(kit_map_object(mm, 8 * UNIT, 4 * UNIT, SHARED | VM_NORESERVE, b, 0) == 0);
    pool_is(4, 3);
    EXPECT(kit_write(mm, 8 * UNIT, 1)); /* the one page that nobody was promised */
    EXPECT_EQ(mm_fault(mm, user(AT(9 * UNIT)), ACCESS_WRITE), FAULT_BEYOND);
    pool_is(3, 3);
    for (uint64_t i = 0; i < 3; i++)
        EXPECT(kit_write(mm, i * UNIT, i)); /* promises hold */
    pool_is(0, 0);
    kit_mm_put(mm);
    object_put(a);
    object_put(b);
    pool_is(4, 0);
}

KTEST(hugetlb_areas_are_cut_only_between_huge_pages)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 4);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 4 * UNIT, SHARED, object, 0) == 0);
    EXPECT_EQ(mm_unmap(mm, AT(UNIT), PAGE_SIZE), -EINVAL);
    EXPECT_EQ(mm_unmap(mm, AT(1), HUGE_SIZE), -EINVAL);
    EXPECT_EQ(mm_protect(mm, AT(0), PAGE_SIZE, VM_READ, 0), -EINVAL);
    EXPECT_EQ(mm_discard(mm, AT(1), PAGE_SIZE), -EINVAL);
    EXPECT_AREAS(mm, "0-2048 rw-s");
    EXPECT(kit_write(mm, UNIT, 1) && kit_write(mm, 2 * UNIT, 2));
    EXPECT(mm_protect(mm, AT(UNIT), HUGE_SIZE, VM_READ, 0) == 0);
    EXPECT_AREAS(mm, "0-512 rw-s, 512-1024 r--s, 1024-2048 rw-s");
    EXPECT(!pte_is_writable(kit_leaf(mm, UNIT)) && pte_is_writable(kit_leaf(mm, 2 * UNIT)));
    EXPECT(mm_unmap(mm, AT(2 * UNIT), HUGE_SIZE) == 0);
    EXPECT_AREAS(mm, "0-512 rw-s, 512-1024 r--s, 1536-2048 rw-s");
    EXPECT_EQ(kit_read(mm, UNIT), 1);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(hugetlb_truncate_takes_pages_and_promises)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 4);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 4 * UNIT, SHARED, object, 0) == 0);
    EXPECT(kit_write(mm, 0, 1) && kit_write(mm, 2 * UNIT, 2));
    pool_is(2, 2);
    kit_truncate(object, HUGE_SIZE);
    pool_is(3, 0);
    EXPECT_EQ(mm_fault(mm, user(AT(2 * UNIT)), ACCESS_READ), FAULT_BEYOND);
    EXPECT_EQ(kit_read(mm, 0), 1);
    kit_mm_put(mm);
    object_put(object);
}

KTEST(hugetlb_private_mapping_copies_whole_pages)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 1);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, UNIT, SHARED, object, 0) == 0);
    EXPECT(kit_map_object(mm, 2 * UNIT, UNIT, RW, object, 0) == 0);
    EXPECT(kit_write(mm, 0, 10) && kit_write(mm, UNIT - 1, 11));
    EXPECT_EQ(kit_read(mm, 2 * UNIT), 10);
    EXPECT(kit_write(mm, 2 * UNIT, 20));
    EXPECT_EQ(pt_walk(&mm->pgtable, user(AT(2 * UNIT))).level, PT_2M);
    EXPECT(kit_page(mm, 2 * UNIT) != kit_page(mm, 0));
    EXPECT(kit_read(mm, 0) == 10 && kit_read(mm, 3 * UNIT - 1) == 11);
    kit_mm_put(mm);
    object_put(object);
    pool_is(POOL, 0);
}

KTEST(planted_damage_of_the_pool_is_found)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 2);
    struct page *page;
    REQUIRE(object);

    REQUIRE(object->ops->get_page(object, 0, OBJECT_GET_ALLOCATE, &page) == 0);
    page_set_state(page, PAGE_POOL); /* it is on no list */
    EXPECT_FINDS(hugetlb_check(), "V22");
    page->state = PAGE_ANON;
    EXPECT_FINDS(page_accounting_check(), "V23");
    page->state = PAGE_POOL;
    page_set_state(page, PAGE_HUGETLB);
    page_put(page);
    EXPECT(hugetlb_check() == 0);
    object_put(object);
}

KTEST(a_promise_that_is_lost_is_found)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 2);
    REQUIRE(object);

    REQUIRE(object->ops->reserve(object, 0, 2 * UNIT) == 0);
    pool_is(POOL, 2);
    void *promise = index_remove(&object->folios, 1);
    EXPECT_FINDS(hugetlb_check(), "V22");
    REQUIRE(index_insert(&object->folios, 1, promise) == 0);
    pool_is(POOL, 2);
    object_put(object);
    pool_is(POOL, 0);
}

KTEST(a_private_promise_that_is_lost_is_found)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 2);
    struct mm *mm = kit_mm();
    REQUIRE(object && mm);

    EXPECT(kit_map_object(mm, 0, 2 * UNIT, RW, object, 0) == 0);
    EXPECT(kit_write(mm, 0, 1));
    pool_is(POOL - 1, 1);
    struct hugetlb_private *private = vma_find(mm, AT(0))->hugetlb;
    void *copy = index_remove(&private->copies, 0);
    EXPECT_FINDS(hugetlb_check(), "V22");
    REQUIRE(index_insert(&private->copies, 0, copy) == 0);
    pool_is(POOL - 1, 1);
    kit_mm_put(mm);
    object_put(object);
    pool_is(POOL, 0);
}

KTEST(the_pool_shrinks_to_what_is_promised)
{
    REQUIRE(need_pool());
    struct object *object = kit_object(&hugetlb_ops, 2);
    REQUIRE(object);

    REQUIRE(object->ops->reserve(object, 0, 2 * UNIT) == 0);
    hugetlb_pool_resize(hugetlb_pool_of(0), 0);
    EXPECT(pool().total == 2 && pool().surplus == 2);
    hugetlb_pool_resize(hugetlb_pool_of(0), 1);
    EXPECT(pool().total == 2 && pool().surplus == 1);
    object_put(object);
    EXPECT(pool().total == 1 && pool().surplus == 0);
    need_pool();
}
