/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_mm.c - address spaces against a naive model of what programs see
 *
 * Room:   tests/host.
 * Owns:   the model: for each page of each space its rights and its one word.
 * Locks:  one thread.
 * Always: (1) the model knows nothing of areas, leaves or references: only pages and words;
 *         (2) after each step every space is checked, and so is what the CPU remembers;
 *         (3) a call that failed for want of memory changed nothing that a program can see.
 * Source: mmap(2), mprotect(2), mremap(2), fork(2); trust.md P4, P5, V1 to V11, V25.
 * Tour:   after tests/host/mmu.h.
 */
#include "machine.h"
#include "mmu.h"

#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/internal.h>
#include <mm/secretmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <uapi/errno.h>

#define BASE       0x40000000UL
#define PAGES      40
#define SPACES     3
#define OBJECTS    2
#define OBJECT_MAX 16 /* pages */
#define STEPS      10000
#define RW         (VM_READ | VM_WRITE)

/* The model. */

struct model_page {
    bool mapped;
    uint32_t flags; /* rights, MAY rights, VM_SHARED */
    int object;     /* -1: none */
    uint64_t pgoff; /* in the object; without one as at creation; in stretches of unit_pages */
    bool own;       /* private: it has bytes of its own */
    uint64_t word;  /* those */
};

struct space {
    struct mm *mm;
    struct model_page pages[PAGES];
};

struct model_object {
    struct object *object;
    uint64_t nr_pages; /* the size, in pages begun */
    uint64_t words[OBJECT_MAX];
};

static struct space spaces[SPACES];
static struct model_object objects[OBJECTS];
static uint64_t next_word = 1;
static unsigned failures; /* that were injected */

/* A page of the model stands for so many, of which one in the midst is touched. */
static uint64_t unit_pages = 1;
#define UNIT (unit_pages * PAGE_SIZE)

static uint64_t at(unsigned page)
{
    return BASE + page * UNIT;
}

/* The bytes before it in that page's stretch; they move with it. */
static uint64_t before_word(uint64_t pgoff)
{
    return pgoff * 5 % unit_pages * PAGE_SIZE;
}

static bool chance(unsigned one_in)
{
    return host_random_below(one_in) == 0;
}

static struct space *some_space(void)
{
    struct space *s = &spaces[host_random_below(SPACES)];

    return s->mm ? s : &spaces[0];
}

/* Why an access fails, or FAULT_RESOLVED. */
static enum fault_result model_refuses(const struct model_page *p, enum fault_access access)
{
    static const uint32_t needed[] = {
        [ACCESS_READ] = VM_RIGHTS, [ACCESS_WRITE] = VM_WRITE, [ACCESS_EXEC] = VM_EXEC};

    if (!p->mapped)
        return FAULT_NO_AREA;
    if (!(p->flags & needed[access]))
        return FAULT_NO_RIGHT;
    if (p->object >= 0 && !p->own && p->pgoff >= objects[p->object].nr_pages)
        return FAULT_BEYOND;
    return FAULT_RESOLVED;
}

static uint64_t *model_word(struct model_page *p)
{
    static uint64_t zero;

    if (p->own)
        return &p->word;
    zero = 0;
    return p->object >= 0 ? &objects[p->object].words[p->pgoff] : &zero;
}

static void model_write(struct model_page *p, uint64_t word)
{
    if (!(p->flags & VM_SHARED))
        p->own = true;
    *model_word(p) = word;
}

/* Could the two neighbours be one area? */
static bool model_joins(const struct model_page *a, const struct model_page *b)
{
    return a->mapped && b->mapped && a->flags == b->flags && a->object == b->object &&
           a->pgoff + 1 == b->pgoff;
}

/* Comparison. */

static void compare_page(struct space *s, unsigned page, enum fault_access access)
{
    struct model_page *p = &s->pages[page];
    uint64_t word = next_word;
    enum fault_result expected = model_refuses(p, access);
    enum fault_result result = mmu_access(s->mm, at(page) + before_word(p->pgoff), access, &word);

    if (result == FAULT_NO_MEMORY && fail_at_left() == 0)
        return; /* injected; the next comparison sees that nothing changed */
    if (result != expected)
        fail_msg("page %u, access %d: %d instead of %d", page, access, result, expected);
    if (result != FAULT_RESOLVED)
        return;
    if (access == ACCESS_WRITE)
        model_write(p, next_word++);
    else if (word != *model_word(p))
        fail_msg("page %u: %lu instead of %lu", page, word, *model_word(p));
}

/* How many areas there are depends on what they went through; tests/user/differ asks Linux. */
static void compare_areas(const struct space *s)
{
    for (unsigned i = 0; i < PAGES; i++) {
        const struct model_page *p = &s->pages[i];
        struct vma *vma = vma_find(s->mm, at(i));
        if (!vma != !p->mapped ||
            (vma && (vma->flags & (VM_RIGHTS | VM_SHARED)) != (p->flags & (VM_RIGHTS | VM_SHARED))))
            fail_msg("page %u is in the wrong area", i);
        if (vma && vma->object &&
            vma->pgoff + ((at(i) - vma->start) >> PAGE_SHIFT) != p->pgoff * unit_pages)
            fail_msg("page %u shows the wrong page of its object", i);
    }
}

static void compare_all(void)
{
    for (unsigned n = 0; n < SPACES; n++) {
        if (!spaces[n].mm)
            continue;
        compare_areas(&spaces[n]);
        for (unsigned i = 0; i < PAGES; i++)
            compare_page(&spaces[n], i, ACCESS_READ);
    }
}

static void check_step(void)
{
    mmu_check();
    for (unsigned n = 0; n < SPACES; n++)
        if (spaces[n].mm && mm_check(spaces[n].mm))
            fail_msg("%s", host_log_line);
}

/* Did an injected failure explain @err? Then nothing may have changed. */
static bool failed(int err)
{
    bool injected = fail_at_left() == 0;

    fail_at_set(0);
    if (err != -ENOMEM || !injected)
        return false;
    failures++;
    return true;
}

/* Operations: do it, then tell the model. */

static void op_map(void)
{
    struct space *s = some_space();
    unsigned page = (unsigned)host_random_below(PAGES), nr = 1 + (unsigned)host_random_below(8);
    uint32_t rights = (uint32_t)host_random_below(8);
    int object = (int)host_random_below(OBJECTS + 1) - 1;
    uint64_t pgoff = host_random_below(OBJECT_MAX - 8), out;
    bool shared = object >= 0 && chance(2), replace = chance(2);

    nr = min(nr, PAGES - page);
    struct map_request r = {.addr = at(page),
                            .len_bytes = nr * UNIT,
                            .place = replace ? MAP_FIXED_REPLACE : MAP_FIXED_NEW,
                            .flags = rights | VM_MAY_RIGHTS | (shared ? VM_SHARED : 0),
                            .object = object >= 0 ? objects[object].object : NULL,
                            .pgoff = pgoff * unit_pages};
    bool taken = false;
    for (unsigned i = page; i < page + nr; i++)
        taken = taken || s->pages[i].mapped;
    int err = mm_map(s->mm, &r, &out);
    if (failed(err))
        return;
    assert_int_equal(err, taken && !replace ? -EEXIST : 0);
    if (err)
        return;
    for (unsigned i = 0; i < nr; i++)
        s->pages[page + i] = (struct model_page){
            true, r.flags, object, object >= 0 ? pgoff + i : at(page + i) / UNIT, false, 0};
}

static void op_unmap(void)
{
    struct space *s = some_space();
    unsigned page = (unsigned)host_random_below(PAGES), nr = 1 + (unsigned)host_random_below(8);

    nr = min(nr, PAGES - page);
    int err = mm_unmap(s->mm, at(page), nr * UNIT);
    if (failed(err))
        return;
    assert_int_equal(err, 0);
    for (unsigned i = page; i < page + nr; i++)
        s->pages[i].mapped = false;
}

static void op_protect(void)
{
    struct space *s = some_space();
    unsigned page = (unsigned)host_random_below(PAGES), nr = 1 + (unsigned)host_random_below(10);
    uint32_t rights = (uint32_t)host_random_below(8);
    int expected = 0;

    fail_at_set(0); /* what was changed before a failure stays changed */
    nr = min(nr, PAGES - page);
    int err = mm_protect(s->mm, at(page), nr * UNIT, rights, 0);
    for (unsigned i = page; i < page + nr && !expected; i++) {
        if (s->pages[i].mapped)
            s->pages[i].flags = (s->pages[i].flags & ~VM_RIGHTS) | rights;
        else
            expected = -ENOMEM;
    }
    assert_int_equal(err, expected);
}

static void op_discard(void)
{
    struct space *s = some_space();
    unsigned page = (unsigned)host_random_below(PAGES), nr = 1 + (unsigned)host_random_below(8);
    int expected = 0;

    nr = min(nr, PAGES - page);
    bool armed = fail_at_left() > 0; /* a gap is -ENOMEM, too */
    int err = mm_discard(s->mm, at(page), nr * UNIT);
    if (armed && failed(err))
        return;
    for (unsigned i = page; i < page + nr; i++) {
        if (!s->pages[i].mapped)
            expected = -ENOMEM;
        s->pages[i].own = false;
    }
    assert_int_equal(err, expected);
}

static void op_move(void)
{
    struct space *s = some_space();
    unsigned from = (unsigned)host_random_below(PAGES / 2), nr = 1 + (unsigned)host_random_below(6);
    unsigned to = PAGES / 2 + (unsigned)host_random_below(PAGES / 2 - nr);
    uint64_t out;
    bool one_area = s->pages[from].mapped;

    if (from + nr > PAGES / 2)
        return;
    if (chance(2)) {
        unsigned other = from;
        from = to;
        to = other;
        one_area = s->pages[from].mapped;
    }
    for (unsigned i = from + 1; i < from + nr; i++)
        one_area = one_area && model_joins(&s->pages[i - 1], &s->pages[i]);
    if (!one_area)
        return;     /* whether the target goes before the refusal is not promised */
    fail_at_set(0); /* the target may be gone after a failure */
    int err = mm_remap(s->mm, at(from), nr * UNIT, nr * UNIT, 3, at(to), &out);
    assert_int_equal(err, 0);
    for (unsigned i = 0; i < nr; i++) {
        s->pages[to + i] = s->pages[from + i];
        s->pages[from + i].mapped = false;
    }
}

static void op_fork(void)
{
    struct space *from = some_space(), *to = &spaces[1 + host_random_below(SPACES - 1)];
    struct mm *child;

    if (to->mm) {
        mmu_forget(to->mm);
        mm_put(to->mm);
        to->mm = NULL;
    }
    if (!from->mm || from == to)
        return;
    int err = mm_fork(from->mm, &child);
    if (failed(err))
        return;
    assert_int_equal(err, 0);
    *to = *from;
    to->mm = child;
}

static void op_truncate(void)
{
    int which = (int)host_random_below(OBJECTS);
    struct model_object *o = &objects[which];
    uint64_t nr = host_random_below(OBJECT_MAX + 1);
    bool tail = nr < OBJECT_MAX && chance(3); /* four bytes more */

    fail_at_set(0);
    mutex_lock(&o->object->lock);
    object_truncate(o->object, nr * UNIT + (tail ? before_word(nr) + 4 : 0));
    mutex_unlock(&o->object->lock);
    if (tail && nr < o->nr_pages)
        o->words[nr] &= 0xffffffff;
    o->nr_pages = nr + tail;
    for (uint64_t i = o->nr_pages; i < OBJECT_MAX; i++)
        o->words[i] = 0;
    for (unsigned n = 0; n < SPACES; n++)
        for (unsigned i = 0; i < PAGES; i++)
            if (spaces[n].pages[i].object == which && spaces[n].pages[i].pgoff >= o->nr_pages)
                spaces[n].pages[i].own = false;
}

static void op_write(void)
{
    compare_page(some_space(), (unsigned)host_random_below(PAGES), ACCESS_WRITE);
}

static void op_read(void)
{
    compare_page(some_space(), (unsigned)host_random_below(PAGES), ACCESS_READ);
}

static void op_execute(void)
{
    compare_page(some_space(), (unsigned)host_random_below(PAGES), ACCESS_EXEC);
}

#define HUGE_STRETCH 128 /* 512 KiB: four to a huge page */
#define STRETCHES    (HUGE_SIZE / PAGE_SIZE / HUGE_STRETCH)

/* Room for huge pages, and one of them. Elsewhere they come about too rarely. */
static void op_huge(void)
{
    struct space *s = some_space();
    unsigned page = (unsigned)host_random_below(PAGES / STRETCHES - 1) * STRETCHES;
    struct map_request r = {.addr = at(page),
                            .len_bytes = 2 * HUGE_SIZE,
                            .place = MAP_FIXED_REPLACE,
                            .flags = RW | VM_MAY_RIGHTS};
    uint64_t out;

    int err = mm_map(s->mm, &r, &out);
    if (failed(err))
        return;
    assert_int_equal(err, 0);
    for (unsigned i = page; i < page + 2 * STRETCHES; i++)
        s->pages[i] = (struct model_page){true, r.flags, -1, at(i) / UNIT, false, 0};
    compare_page(s, page + (unsigned)host_random_below(2 * STRETCHES), ACCESS_WRITE);
}

/* Huge pages within objects, in whatever mappings they have. */
static void op_collapse_object(void)
{
    struct object *object = objects[host_random_below(OBJECTS)].object;
    uint64_t unit = host_random_below(OBJECT_MAX / STRETCHES);
    int err = object_collapse(object, unit * HUGE_SIZE / PAGE_SIZE);

    if (!failed(err))
        assert_true(err == 0 || err == -EINVAL || err == -ENOMEM);
}

/* A hole of whole pages of the model. */
static void op_punch(void)
{
    int which = (int)host_random_below(OBJECTS);
    struct model_object *o = &objects[which];
    uint64_t first = host_random_below(OBJECT_MAX), nr = 1 + host_random_below(3);

    fail_at_set(0);
    nr = min(nr, OBJECT_MAX - first);
    mutex_lock(&o->object->lock);
    object_punch(o->object, first * UNIT, (first + nr) * UNIT);
    mutex_unlock(&o->object->lock);
    memset(&o->words[first], 0, nr * sizeof(o->words[0]));
}

static void op_collapse(void)
{
    unsigned page = (unsigned)host_random_below(PAGES / STRETCHES) * STRETCHES;
    bool armed = fail_at_left() > 0;
    int err = mm_collapse(some_space()->mm, at(page), HUGE_SIZE);

    if (armed && failed(err))
        return;
    assert_true(err == 0 || err == -EINVAL || err == -ENOMEM);
}

static void (*const huge_ops[])(void) = {
    op_huge, op_huge, op_collapse, op_collapse_object, op_collapse_object, op_punch,
};

static void (*const ops[])(void) = {
    op_map,   op_map,   op_unmap, op_protect,  op_protect, op_discard, op_move, op_fork,
    op_write, op_write, op_write, op_truncate, op_write,   op_read,    op_read, op_execute,
};

static void release(struct object *object)
{
    kmem_free(object);
}

static struct object *object_make(const struct object_ops *ops_of_kind, uint64_t size_bytes)
{
    struct object *object = kmem_alloc(sizeof(*object), SLAB_ALLOC_ZERO);

    assert_non_null(object);
    object_init(object, ops_of_kind, release);
    atomic_store(&object->size_bytes, size_bytes);
    return object;
}

static uint64_t frames_free(void)
{
    struct page_counts counts;

    slab_reclaim();
    buddy_reclaim();
    page_counts(&counts);
    return counts.free;
}

static void storm_begin(const struct object_ops *kind)
{
    memset(spaces, 0, sizeof(spaces));
    for (unsigned i = 0; i < OBJECTS; i++)
        objects[i] = (struct model_object){object_make(kind, OBJECT_MAX * UNIT), OBJECT_MAX, {0}};
    assert_int_equal(mm_create(&spaces[0].mm), 0);
}

static void storm_end(void)
{
    for (unsigned n = 0; n < SPACES; n++) {
        if (!spaces[n].mm)
            continue;
        mmu_forget(spaces[n].mm);
        mm_put(spaces[n].mm);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        assert_int_equal(atomic_load(&objects[i].object->refcount), 1);
        assert_int_equal(atomic_load(&objects[i].object->writers), 0);
        object_put(objects[i].object);
    }
}

static void storm(uint64_t seed, unsigned steps, unsigned fail_one_in)
{
    uint64_t before = frames_free();

    host_random_seed(seed);
    storm_begin(&shmem_ops);
    for (unsigned step = 0; step < steps; step++) {
        if (fail_one_in && chance(fail_one_in))
            fail_at_set(1 + host_random_below(5));
        mmu_cpu = (unsigned)host_random_below(MMU_CPUS);
        if (unit_pages > 1 && chance(5))
            huge_ops[host_random_below(ARRAY_SIZE(huge_ops))]();
        else
            ops[host_random_below(ARRAY_SIZE(ops))]();
        fail_at_set(0);
        check_step();
        if (step % 64 == 0)
            compare_all();
    }
    storm_end();
    assert_int_equal(frames_free(), before);
    assert_int_equal(buddy_check(), 0);
    assert_int_equal(slab_check(), 0);
    assert_int_equal(page_accounting_check(), 0);
}

static void programs_see_what_the_model_sees(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        storm(seed, STEPS, 0);
    assert_true(mmu_flushes() > 1000);
}

static void programs_see_no_failed_allocation(void **state)
{
    (void)state;
    failures = 0;
    for (uint64_t seed = 4; seed <= 6; seed++)
        storm(seed, STEPS, 4);
    assert_true(failures > 200);
}

#define HUGE_STEPS 1500

/* The same with huge pages: made, split, shared, moved, and never seen. */
static void programs_see_no_huge_pages(void **state)
{
    uint64_t made = thp_events(THP_FAULT_ALLOC), split = thp_events(THP_SPLIT_PMD),
             broken = thp_events(THP_SPLIT_PAGE), collapsed = thp_events(THP_COLLAPSE_ALLOC);

    (void)state;
    failures = 0;
    unit_pages = HUGE_STRETCH;
    thp_mode = THP_ALWAYS;
    for (uint64_t seed = 7; seed <= 12; seed++)
        storm(seed, HUGE_STEPS, seed < 10 ? 0 : 4);
    thp_mode = THP_NEVER;
    unit_pages = 1;
    assert_int_equal(thp_events(THP_ANON), 0);
    assert_true(thp_events(THP_FAULT_ALLOC) - made > 500);
    assert_true(thp_events(THP_SPLIT_PMD) - split > 300);
    assert_true(thp_events(THP_COLLAPSE_ALLOC) - collapsed > 20);
    assert_in_range(thp_events(THP_SPLIT_PAGE) - broken, 100, thp_events(THP_SPLIT_PMD) - split);
    assert_true(failures > 100);
}

/* The model's TLB itself: a flush that is left out is found. */
static void stale_translation_is_found(void **state)
{
    struct map_request r = {
        .addr = BASE, .len_bytes = PAGE_SIZE, .place = MAP_FIXED_NEW, .flags = RW | VM_MAY_RIGHTS};
    struct mm *mm;
    uint64_t word = 5, out;

    (void)state;
    assert_int_equal(mm_create(&mm), 0);
    assert_int_equal(mm_map(mm, &r, &out), 0);
    assert_int_equal(mmu_access(mm, BASE, ACCESS_WRITE, &word), FAULT_RESOLVED);
    assert_int_equal(mmu_remembered(mm), 1);
    struct pt_walk walk = pt_walk(&mm->pgtable, user(BASE));
    pte_t right = pte_read(walk.slot);
    pte_write(walk.slot, (pte_t){right.raw & ~PTE_W});
    assert_panics(mmu_check(), "grants more");
    pte_write(walk.slot, pte_none());
    assert_panics(mmu_check(), "leads to frame");
    pte_write(walk.slot, right);
    mmu_check();
    mmu_forget(mm);
    mm_put(mm);
}

/* Secret memory: the kernel's own address of a page kills the program while it is hidden. */

static void secret_page_is_zeroed_and_back_when_it_is_free(void **state)
{
    uint64_t before = frames_free(), word = 0x5ec2e7, out;
    unsigned resolved = 0;
    struct mm *mm;

    (void)state;
    assert_int_equal(mm_create(&mm), 0);
    for (unsigned n = 1; n < 20; n++) {
        struct object *object = object_make(&secretmem_ops, 4 * PAGE_SIZE);
        struct map_request r = {.addr = BASE,
                                .len_bytes = 4 * PAGE_SIZE,
                                .place = MAP_FIXED_NEW,
                                .flags = RW | VM_MAY_RIGHTS | VM_SHARED,
                                .object = object};
        assert_int_equal(mm_map(mm, &r, &out), 0);
        fail_at_set(n);
        enum fault_result result = mmu_access(mm, BASE, ACCESS_WRITE, &word);
        fail_at_set(0);
        assert_true(result == FAULT_RESOLVED || result == FAULT_NO_MEMORY);
        assert_int_equal(secretmem_pages(), result == FAULT_RESOLVED);
        if (result == FAULT_RESOLVED) {
            resolved++;
            struct pt_walk walk = pt_walk(&mm->pgtable, user(BASE));
            phys_addr_t a = pte_phys(pte_read(walk.slot), PT_4K);
            assert_panics(page_kva(phys_to_page(a)), "is secret");
            assert_int_equal(mm_unmap(mm, BASE, 4 * PAGE_SIZE), 0);
            object_put(object);
            assert_int_not_equal(*(uint64_t *)host_ram_of_programs(a), word);
        } else {
            assert_int_equal(mm_unmap(mm, BASE, 4 * PAGE_SIZE), 0);
            object_put(object);
        }
        assert_int_equal(secretmem_pages(), 0);
    }
    assert_in_range(resolved, 5, 19);
    mm_put(mm);
    assert_int_equal(secret_pool_check(), 0);
    assert_int_not_equal(secret_pool_shrink(), 0);
    assert_int_equal(frames_free(), before);
}

/* Huge pages: private and shared mappings against each other, with a pool that runs dry. */

#define HUGE_UNITS 6
#define POOL       8

static bool pool_adds_up(void)
{
    struct hugetlb_counts c;

    hugetlb_counts(hugetlb_pool_of(0), &c);
    return hugetlb_check() == 0 && c.reserved <= c.free && c.total == POOL;
}

struct huge_model {
    struct mm *mm;
    bool own[HUGE_UNITS];
    uint64_t word[HUGE_UNITS];
};

static void huge_step(struct huge_model *m, struct object *object, uint64_t *shared, bool private)
{
    unsigned unit = (unsigned)host_random_below(HUGE_UNITS);
    uint64_t va = BASE + (private ? GIGA_SIZE : 0) + unit * HUGE_SIZE;
    bool write = chance(2), missing = !object_has_page(object, unit);
    uint64_t word = next_word;
    enum fault_result result = mmu_access(m->mm, va, write ? ACCESS_WRITE : ACCESS_READ, &word);

    if (result == FAULT_BEYOND)
        return; /* the pool is dry */
    assert_int_equal(result, FAULT_RESOLVED);
    if (private && !m->own[unit] && (missing || write)) {
        m->own[unit] = true; /* a copy, or zeros where the object has nothing */
        m->word[unit] = missing ? 0 : shared[unit];
    }
    uint64_t *model = private && m->own[unit] ? &m->word[unit] : &shared[unit];
    if (write)
        *model = next_word++;
    else
        assert_int_equal(word, *model);
}

static void huge_map(struct mm *mm, struct object *object, uint64_t va, uint32_t flags)
{
    struct map_request r = {.addr = va,
                            .len_bytes = HUGE_UNITS * HUGE_SIZE,
                            .place = MAP_FIXED_NEW,
                            .flags = RW | VM_MAY_RIGHTS | VM_HUGETLB | VM_NORESERVE | flags,
                            .object = object};
    uint64_t out;

    assert_int_equal(mm_map(mm, &r, &out), 0);
}

static void huge_pages_keep_their_words_and_their_number(void **state)
{
    (void)state;
    if (!pool_adds_up())
        hugetlb_pool_resize(hugetlb_pool_of(0), POOL);
    assert_true(pool_adds_up());
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct object *object = object_make(&hugetlb_ops, HUGE_UNITS * HUGE_SIZE);
        struct huge_model parent = {0}, child = {0};
        uint64_t shared[HUGE_UNITS] = {0};

        host_random_seed(seed);
        assert_int_equal(mm_create(&parent.mm), 0);
        huge_map(parent.mm, object, BASE, VM_SHARED);
        huge_map(parent.mm, object, BASE + GIGA_SIZE, 0);
        for (unsigned step = 0; step < 60; step++) {
            huge_step(&parent, object, shared, false);
            huge_step(&parent, object, shared, true);
            if (child.mm)
                huge_step(&child, object, shared, chance(2));
            if (step == 30) {
                assert_int_equal(mm_fork(parent.mm, &child.mm), 0);
                memcpy(child.own, parent.own, sizeof(child.own));
                memcpy(child.word, parent.word, sizeof(child.word));
            }
            mmu_check();
            assert_int_equal(mm_check(parent.mm), 0);
            assert_true(pool_adds_up());
        }
        mmu_forget(parent.mm);
        mmu_forget(child.mm);
        mm_put(parent.mm);
        mm_put(child.mm);
        object_put(object);
        struct hugetlb_counts c;
        hugetlb_counts(hugetlb_pool_of(0), &c);
        assert_int_equal(c.free, POOL);
        assert_int_equal(c.reserved, 0);
    }
}

static int start(void **state)
{
    (void)state;
    host_machine_start(64 * MIB);
    mmu_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_translation_is_found),
        cmocka_unit_test(programs_see_what_the_model_sees),
        cmocka_unit_test(programs_see_no_failed_allocation),
        cmocka_unit_test(programs_see_no_huge_pages),
        cmocka_unit_test(secret_page_is_zeroed_and_back_when_it_is_free),
        cmocka_unit_test(huge_pages_keep_their_words_and_their_number),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
