/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/fail.c - every operation on memory, with its n-th allocation failing, for every n
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  those of the calls.
 * Always: (1) after a failure the space is sound, and its areas and contents are as before;
 *         (2) when everything was dropped, every frame and every object is back.
 * Source: base/fail.h; trust.md P4.
 * Tour:   after tests/kernel/areas.c, tests/kernel/fault.c.
 */
#include "kit.h"

#define SHARED      (RW | VM_SHARED)
#define UNIT        (HUGE_SIZE / PAGE_SIZE)
#define HUGE_AT     (4 * UNIT)
#define OWN_HUGE_AT (8 * UNIT)

/* What each operation starts from. */
struct scene {
    struct mm *mm;
    struct object *shmem, *secret, *huge;
    uint64_t out;
    struct mm *child; /* of fork: dropped with the scene */
};

/*
 *   0-8    private, pages 0 to 3 written         20-28  shared shmem, page 20 written
 *   40-48  private shmem, page 41 written        60-64  secret, nothing touched
 *   2048-3072  two shared huge pages, nothing touched
 *   4096-4608  a private one, written
 */
static bool scene_make(struct scene *s)
{
    *s = (struct scene){.mm = kit_mm(),
                        .shmem = kit_object(&shmem_ops, 8),
                        .secret = kit_object(&secretmem_ops, 4),
                        .huge = kit_object(&hugetlb_ops, 3)};
    if (!s->mm || !s->shmem || !s->secret || !s->huge)
        return false;
    bool made = kit_map(s->mm, 0, 8, RW) == 0 &&
                kit_map_object(s->mm, 20, 8, SHARED, s->shmem, 0) == 0 &&
                kit_map_object(s->mm, 40, 8, RW, s->shmem, 0) == 0 &&
                kit_map_object(s->mm, 60, 4, SHARED, s->secret, 0) == 0 &&
                kit_map_object(s->mm, HUGE_AT, 2 * UNIT, SHARED, s->huge, 0) == 0 &&
                kit_map_object(s->mm, OWN_HUGE_AT, UNIT, RW, s->huge, 0) == 0;
    for (uint64_t i = 0; i < 4; i++)
        made = made && kit_write(s->mm, i, 100 + i);
    return EXPECT(made && kit_write(s->mm, 20, 120) && kit_write(s->mm, 41, 141) &&
                  kit_write(s->mm, OWN_HUGE_AT, 142));
}

static void scene_drop(struct scene *s)
{
    if (s->child)
        kit_mm_put(s->child);
    kit_mm_put(s->mm);
    object_put(s->shmem);
    object_put(s->secret);
    object_put(s->huge);
}

static bool contents_are_kept(struct scene *s)
{
    bool kept = kit_read(s->mm, 20) == 120 && kit_read(s->mm, 41) == 141 &&
                kit_read(s->mm, OWN_HUGE_AT) == 142;

    for (uint64_t i = 0; i < 4; i++)
        kept = kept && kit_read(s->mm, i) == 100 + i;
    return kept;
}

static int fault_error(struct scene *s, uint64_t page, enum fault_access access)
{
    enum fault_result result = mm_fault(s->mm, user(AT(page)), access);

    if (result == FAULT_RESOLVED && access == ACCESS_WRITE)
        EXPECT(pte_is_writable(kit_leaf(s->mm, page)));
    return result == FAULT_RESOLVED ? 0 : -ENOMEM;
}

static int map_fixed(struct scene *s, uint64_t page, uint64_t nr, struct object *object)
{
    struct map_request request = {.addr = AT(page),
                                  .len_bytes = nr * PAGE_SIZE,
                                  .place = MAP_FIXED_REPLACE,
                                  .flags = object ? SHARED : RO,
                                  .object = object};

    return mm_map(s->mm, &request, &s->out);
}

static int op_map_anonymous(struct scene *s)
{
    return kit_map(s->mm, 100, 8, RW);
}

static int op_map_object(struct scene *s)
{
    return kit_map_object(s->mm, 100, 4, SHARED, s->shmem, 2);
}

static int op_map_over_a_hole_in_an_area(struct scene *s)
{
    return map_fixed(s, 5, 2, NULL);
}

static int op_map_over_nothing_touched(struct scene *s)
{
    return map_fixed(s, 22, 3, s->shmem);
}

static int op_map_huge(struct scene *s)
{
    return kit_map_object(s->mm, 12 * UNIT, UNIT, SHARED, s->huge, 2 * UNIT);
}

static int op_map_huge_private(struct scene *s)
{
    return kit_map_object(s->mm, 12 * UNIT, UNIT, RW, s->huge, 2 * UNIT);
}

static int op_fault_huge_private(struct scene *s)
{
    int err = op_map_huge_private(s);
    if (err)
        return err;
    err = fault_error(s, 12 * UNIT, ACCESS_WRITE);
    return mm_unmap(s->mm, AT(12 * UNIT), HUGE_SIZE) ? -EINVAL : err;
}

static int op_fork_and_copy_a_huge_page(struct scene *s)
{
    int err = mm_fork(s->mm, &s->child);

    if (!err && mm_fault(s->mm, user(AT(OWN_HUGE_AT)), ACCESS_WRITE) != FAULT_RESOLVED)
        err = -ENOMEM;
    return err ? err
               : fault_error(s, OWN_HUGE_AT, ACCESS_WRITE); /* the child may be robbed first */
}

static int op_move_a_huge_page(struct scene *s)
{
    return mm_remap(s->mm, AT(OWN_HUGE_AT), HUGE_SIZE, HUGE_SIZE, 3, AT(600 * UNIT), &s->out);
}

static int op_borrow_a_huge_page(struct scene *s)
{
    uint64_t out;
    struct map_request r = {.addr = AT(12 * UNIT),
                            .len_bytes = 2 * HUGE_SIZE,
                            .place = MAP_FIXED_NEW,
                            .flags = RW,
                            .object = s->huge};

    int err = hugetlb_pool_set_overcommit(hugetlb_pool_of(0), 1);
    if (!err)
        err = mm_map(s->mm, &r, &out);
    if (!err)
        err = mm_unmap(s->mm, AT(12 * UNIT), 2 * HUGE_SIZE);
    return hugetlb_pool_set_overcommit(hugetlb_pool_of(0), 0) ? -EINVAL : err;
}

static int op_unmap_a_hole(struct scene *s)
{
    return mm_unmap(s->mm, AT(5), 2 * PAGE_SIZE);
}

static int op_unmap_across_areas(struct scene *s)
{
    return mm_unmap(s->mm, AT(22), 23 * PAGE_SIZE);
}

static int op_protect_inside(struct scene *s)
{
    return mm_protect(s->mm, AT(5), 2 * PAGE_SIZE, VM_READ, 0);
}

static int op_fault_anonymous_write(struct scene *s)
{
    return fault_error(s, 6, ACCESS_WRITE);
}

static int op_fault_anonymous_read(struct scene *s)
{
    return fault_error(s, 6, ACCESS_READ);
}

static int op_fault_far_away(struct scene *s)
{
    int err = kit_map(s->mm, 1UL << 30, 1, RW);

    return err ? err : fault_error(s, 1UL << 30, ACCESS_WRITE);
}

static int op_fault_shmem(struct scene *s)
{
    return fault_error(s, 25, ACCESS_WRITE);
}

static int op_fault_private_copy(struct scene *s)
{
    return fault_error(s, 43, ACCESS_WRITE);
}

static int op_fault_private_copy_of_a_mapped_page(struct scene *s)
{
    int err = fault_error(s, 44, ACCESS_READ);

    return err ? err : fault_error(s, 44, ACCESS_WRITE);
}

static int op_fault_secret(struct scene *s)
{
    return fault_error(s, 61, ACCESS_WRITE);
}

static int op_fault_huge(struct scene *s)
{
    return fault_error(s, HUGE_AT + UNIT, ACCESS_WRITE);
}

static int op_fork(struct scene *s)
{
    return mm_fork(s->mm, &s->child);
}

static int op_fork_and_copy_on_write(struct scene *s)
{
    int err = mm_fork(s->mm, &s->child);

    return err ? err : fault_error(s, 2, ACCESS_WRITE);
}

static int op_move(struct scene *s)
{
    return mm_remap(s->mm, AT(4), 4 * PAGE_SIZE, 6 * PAGE_SIZE, 3, AT(600), &s->out);
}

static int op_grow(struct scene *s)
{
    return mm_remap(s->mm, AT(0), 8 * PAGE_SIZE, 12 * PAGE_SIZE, 0, 0, &s->out);
}

static int op_brk(struct scene *s)
{
    s->mm->brk_start = s->mm->brk = AT(200);
    return mm_brk(s->mm, AT(210)) == AT(210) ? 0 : -ENOMEM;
}

static int op_create(struct scene *s)
{
    return s->child ? 0 : mm_create(&s->child);
}

#define OP(name)         \
    {                    \
#name, op_##name \
    }

static const struct {
    const char *name;
    int (*run)(struct scene *s);
} ops[] = {
    OP(map_anonymous),
    OP(map_object),
    OP(map_over_a_hole_in_an_area),
    OP(map_over_nothing_touched),
    OP(map_huge),
    OP(map_huge_private),
    OP(fault_huge_private),
    OP(fork_and_copy_a_huge_page),
    OP(move_a_huge_page),
    OP(borrow_a_huge_page),
    OP(unmap_a_hole),
    OP(unmap_across_areas),
    OP(protect_inside),
    OP(fault_anonymous_write),
    OP(fault_anonymous_read),
    OP(fault_far_away),
    OP(fault_shmem),
    OP(fault_private_copy),
    OP(fault_private_copy_of_a_mapped_page),
    OP(fault_secret),
    OP(fault_huge),
    OP(fork),
    OP(fork_and_copy_on_write),
    OP(move),
    OP(grow),
    OP(brk),
    OP(create),
};

/* One scene, its @n-th allocation failing. False: there are not so many. */
static bool sweep_step(unsigned op, uint64_t n)
{
    static char before[500], after[500];
    struct scene s;

    slab_reclaim(); /* so that objects come from the page allocator, which may fail */
    if (!scene_make(&s))
        return false;
    kit_layout(s.mm, before, sizeof(before));
    fail_at_set(n);
    int err = ops[op].run(&s);
    bool injected = fail_at_left() == 0;
    fail_at_set(0);
    if (err) {
        EXPECT(injected && err == -ENOMEM, "%s, n=%lu: error %d", ops[op].name, n, err);
        kit_layout(s.mm, after, sizeof(after));
        bool same = !strcmp(before, after) || op_fault_far_away == ops[op].run;
        EXPECT(same, "%s, n=%lu: areas were %s, are %s", ops[op].name, n, before, after);
        EXPECT(contents_are_kept(&s), "%s, n=%lu", ops[op].name, n);
    }
    EXPECT(mm_check(s.mm) == 0, "%s, n=%lu", ops[op].name, n);
    scene_drop(&s);
    return injected;
}

KTEST(every_operation_survives_every_failed_allocation)
{
    unsigned failures = 0;

    hugetlb_pool_resize(hugetlb_pool_of(0), 4);
    for (unsigned op = 0; op < ARRAY_SIZE(ops); op++) {
        uint64_t frames = kit_frames_free(), n = 1;
        while (sweep_step(op, n) && n < 200)
            n++;
        EXPECT(n < 200, "%s never ended", ops[op].name);
        EXPECT(kit_frames_free() == frames, "%s kept %ld frames", ops[op].name,
               (int64_t)(frames - kit_frames_free()));
        EXPECT(hugetlb_check() == 0);
        failures += n - 1;
    }
    ktest_note("%u allocations failed in %lu operations", failures, ARRAY_SIZE(ops));
    uint32_t wanted =
        1U << FAIL_PAGE | 1U << FAIL_SLAB | 1U << FAIL_PAGE_TABLE | 1U << FAIL_HUGETLB;
    EXPECT((fail_sites_failed() & wanted) == wanted, "sites %#x", fail_sites_failed());
}
