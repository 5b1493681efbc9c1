/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/pgtable.c - tables appear, split and vanish, and every entry is counted
 *
 * Room:   tests/kernel. The spaces here are never loaded.
 * Owns:   nothing.
 * Locks:  tables' locks where entries are written.
 * Always: (1) leaves are taken out by hand before the space is dropped.
 * Source: asm/pgtable.h.
 * Tour:   after arch/x86_64/pgtable.c.
 */
#include "kit.h"

#define FRAME phys(0x1200000) /* only a number: nothing is accessed through these leaves */

static pte_t leaf(phys_addr_t a, enum pt_level level)
{
    return pte_leaf(a, pgprot_write(pgprot_user()), level);
}

static uint64_t nr_tables(struct pgtable *pgt)
{
    return atomic_load(&pgt->nr_tables);
}

/* Write an entry at @va. */
static void put(struct pgtable *pgt, uint64_t va, pte_t pte, enum pt_level level)
{
    struct pt_walk walk;

    REQUIRE(pt_walk_alloc(pgt, user(va), level, &walk) == 0);
    REQUIRE(walk.level == level, "level %d at %#lx", walk.level, va);
    spin_lock(pt_lock(walk.table));
    pt_set(walk.table, walk.slot, pte);
    spin_unlock(pt_lock(walk.table));
}

static void free_tables(struct pgtable *pgt, uint64_t floor, uint64_t ceiling)
{
    struct tlb_gather gather;

    tlb_gather_begin(&gather, pgt);
    pt_free_tables(pgt, user(floor), user(ceiling), user(floor), user(ceiling), &gather);
    tlb_gather_end(&gather);
}

KTEST(walk_of_an_empty_space_ends_at_the_root)
{
    struct pgtable pgt;

    REQUIRE(pgtable_init(&pgt) == 0);
    struct pt_walk walk = pt_walk(&pgt, user(AT(0)));
    EXPECT_EQ(walk.level, PT_512G);
    EXPECT(page_to_phys(walk.table).raw == pgt.root.raw);
    EXPECT(pte_is_none(pte_read(walk.slot)));
    EXPECT_EQ(nr_tables(&pgt), 1);
    pgtable_destroy(&pgt);
}

KTEST(walk_alloc_makes_each_table_once)
{
    struct pgtable pgt;
    struct pt_walk a, b;

    REQUIRE(pgtable_init(&pgt) == 0);
    EXPECT(pt_walk_alloc(&pgt, user(AT(0)), PT_4K, &a) == 0);
    EXPECT_EQ(a.level, PT_4K);
    EXPECT_EQ(nr_tables(&pgt), 4);
    EXPECT(pt_walk_alloc(&pgt, user(AT(511)), PT_4K, &b) == 0);
    EXPECT(b.table == a.table && b.slot == a.slot + 511);
    EXPECT_EQ(nr_tables(&pgt), 4);
    EXPECT(pt_walk_alloc(&pgt, user(AT(512)), PT_4K, &b) == 0);
    EXPECT(b.table != a.table);
    EXPECT_EQ(nr_tables(&pgt), 5);
    EXPECT(pt_walk_alloc(&pgt, user(USER_END - PAGE_SIZE), PT_2M, &b) == 0);
    EXPECT_EQ(b.level, PT_2M);
    EXPECT_EQ(nr_tables(&pgt), 7);
    EXPECT(pgtable_check(&pgt) == 0);
    pgtable_destroy(&pgt);
}

KTEST(walk_alloc_stops_at_a_larger_leaf)
{
    struct pgtable pgt;
    struct pt_walk walk;

    REQUIRE(pgtable_init(&pgt) == 0);
    put(&pgt, AT(0), leaf(FRAME, PT_2M), PT_2M);
    EXPECT(pt_walk_alloc(&pgt, user(AT(5)), PT_4K, &walk) == 0);
    EXPECT_EQ(walk.level, PT_2M);
    EXPECT(pte_phys(pte_read(walk.slot), PT_2M).raw == FRAME.raw);
    EXPECT_EQ(walk.table->table.used, 1);
    put(&pgt, AT(0), pte_none(), PT_2M);
    EXPECT_EQ(walk.table->table.used, 0);
    pgtable_destroy(&pgt);
}

KTEST(walk_alloc_without_memory_leaves_a_sound_space)
{
    struct pgtable pgt;
    struct pt_walk walk;

    for (uint64_t n = 1;; n++) {
        REQUIRE(pgtable_init(&pgt) == 0);
        fail_at_set(n);
        int err = pt_walk_alloc(&pgt, user(AT(0)), PT_4K, &walk);
        bool injected = fail_at_left() == 0;
        fail_at_set(0);
        EXPECT_EQ(err, injected ? -ENOMEM : 0);
        EXPECT(pgtable_check(&pgt) == 0);
        pgtable_destroy(&pgt);
        if (!injected)
            break;
    }
}

KTEST(runs_cover_a_range_and_pass_over_empty_spans)
{
    struct pgtable pgt;
    uint64_t seen = 0, runs = 0, last = 0;

    REQUIRE(pgtable_init(&pgt) == 0);
    put(&pgt, AT(510), leaf(FRAME, PT_4K), PT_4K);
    put(&pgt, AT(513), leaf(FRAME, PT_4K), PT_4K);
    put(&pgt, AT(4 * 512), leaf(FRAME, PT_2M), PT_2M);
    put(&pgt, AT(200 * 512 * 512UL), leaf(FRAME, PT_4K), PT_4K);

    struct pt_run run;
    pt_run_first(&run, &pgt, user(AT(500)), user(AT(201 * 512 * 512UL)));
    for (; run.nr; pt_run_next(&run), runs++) {
        EXPECT(run.va >= last, "run at %#lx after %#lx", run.va, last);
        last = run.va + run.nr * pt_level_size(run.level);
        EXPECT(run.level == PT_4K || run.nr == 1);
        for (unsigned i = 0; i < run.nr; i++)
            seen += !pte_is_none(pte_read(&run.slot[i]));
    }
    EXPECT_EQ(seen, 4);
    EXPECT_EQ(runs, 4);

    pt_run_first(&run, &pgt, user(AT(511)), user(AT(513)));
    EXPECT(run.nr == 1 && run.va == AT(511));
    pt_run_next(&run);
    EXPECT(run.nr == 1 && run.va == AT(512));
    pt_run_next(&run);
    EXPECT_EQ(run.nr, 0);

    put(&pgt, AT(510), pte_none(), PT_4K);
    put(&pgt, AT(513), pte_none(), PT_4K);
    put(&pgt, AT(4 * 512), pte_none(), PT_2M);
    put(&pgt, AT(200 * 512 * 512UL), pte_none(), PT_4K);
    pgtable_destroy(&pgt);
}

static void expect_split(struct pgtable *pgt, uint64_t va, pte_t large, enum pt_level level)
{
    struct pt_walk walk = pt_walk(pgt, user(va));
    enum pt_level small = level - 1;
    struct page *table;

    REQUIRE(walk.level == level);
    REQUIRE(pt_spare_get(pgt, &table) == 0);
    spin_lock(pt_lock(walk.table));
    pt_split(&walk, pte_read(walk.slot), table);
    spin_unlock(pt_lock(walk.table));
    EXPECT(pgtable_check(pgt) == 0);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        walk = pt_walk(pgt, user(va + i * pt_level_size(small)));
        pte_t pte = pte_read(walk.slot);
        EXPECT_EQ(walk.level, small);
        EXPECT(pte_phys(pte, small).raw == pte_phys(large, level).raw + i * pt_level_size(small) &&
                   pte_is_writable(pte) == pte_is_writable(large) &&
                   pte_is_executable(pte) == pte_is_executable(large) &&
                   pte_is_user(pte) == pte_is_user(large) &&
                   pte_is_dirty(pte) == pte_is_dirty(large) &&
                   pte_is_young(pte) == pte_is_young(large) &&
                   pte_kind(pte, small) == pte_kind(large, level) &&
                   pte_pkey(pte) == pte_pkey(large),
               "entry %u: %#lx of %#lx", i, pte.raw, large.raw);
        put(pgt, va + i * pt_level_size(small), pte_none(), small);
    }
}

KTEST(split_keeps_rights_and_history)
{
    struct pgtable pgt;
    pgprot_t rw = pgprot_write(pgprot_user());
    pte_t kinds[] = {
        leaf(FRAME, PT_2M),
        pte_made_dirty(pte_made_young(leaf(FRAME, PT_2M))),
        pte_leaf(FRAME, pgprot_exec(pgprot_user()), PT_2M),
        pte_leaf(FRAME, pgprot_none(), PT_2M),
        pte_leaf(FRAME, pgprot_pkey(rw, 5), PT_2M),
    };

    REQUIRE(pgtable_init(&pgt) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        put(&pgt, AT(512 * i), kinds[i], PT_2M);
        expect_split(&pgt, AT(512 * i), kinds[i], PT_2M);
    }
    pte_t giga = pte_made_young(leaf(phys(3 * GIGA_SIZE), PT_1G));
    put(&pgt, AT(512 * 512), giga, PT_1G);
    expect_split(&pgt, AT(512 * 512), giga, PT_1G);
    pgtable_destroy(&pgt);
}

/* As when another thread splits a leaf between the finding and the locking of its run. */
KTEST(locked_run_goes_into_a_table_that_was_a_leaf)
{
    struct pgtable pgt;

    REQUIRE(pgtable_init(&pgt) == 0);
    put(&pgt, AT(0), leaf(FRAME, PT_2M), PT_2M);
    struct pt_run run;
    pt_run_first(&run, &pgt, user(AT(7)), user(AT(20)));
    EXPECT(run.level == PT_2M && run.nr == 1 && run.va == AT(0) && run.from == AT(7));
    expect_split(&pgt, AT(0), leaf(FRAME, PT_2M), PT_2M);
    pt_run_lock(&run);
    EXPECT(run.level == PT_4K && run.nr == 13 && run.va == AT(7));
    spin_unlock(pt_lock(run.table));
    pgtable_destroy(&pgt);
}

KTEST(spare_table_is_counted_and_can_be_had_or_not)
{
    struct pgtable pgt;
    struct page *table;

    REQUIRE(pgtable_init(&pgt) == 0);
    for (uint64_t n = 1; n <= 2; n++) {
        fail_at_set(n); /* the table, then its page */
        EXPECT_EQ(pt_spare_get(&pgt, &table), -ENOMEM);
        EXPECT_EQ(nr_tables(&pgt), 1);
    }
    fail_at_set(0);
    REQUIRE(pt_spare_get(&pgt, &table) == 0);
    EXPECT_EQ(nr_tables(&pgt), 2);
    pt_spare_put(&pgt, table);
    EXPECT_EQ(nr_tables(&pgt), 1);
    pgtable_destroy(&pgt);
}

KTEST(empty_tables_are_freed_only_inside_the_range)
{
    struct pgtable pgt;
    struct pt_walk walk;

    REQUIRE(pgtable_init(&pgt) == 0);
    REQUIRE(pt_walk_alloc(&pgt, user(AT(0)), PT_4K, &walk) == 0);
    REQUIRE(pt_walk_alloc(&pgt, user(AT(512)), PT_4K, &walk) == 0);
    put(&pgt, AT(1024), leaf(FRAME, PT_4K), PT_4K);
    EXPECT_EQ(nr_tables(&pgt), 6);
    free_tables(&pgt, AT(1), AT(512)); /* no table lies wholly inside */
    EXPECT_EQ(nr_tables(&pgt), 6);
    free_tables(&pgt, AT(0), AT(512));
    EXPECT_EQ(nr_tables(&pgt), 5);
    free_tables(&pgt, 0, USER_END + PAGE_SIZE); /* the one that is used stays, with its parents */
    EXPECT_EQ(nr_tables(&pgt), 4);
    EXPECT(pgtable_check(&pgt) == 0);
    put(&pgt, AT(1024), pte_none(), PT_4K);
    free_tables(&pgt, 0, USER_END + PAGE_SIZE);
    EXPECT_EQ(nr_tables(&pgt), 1);
    pgtable_destroy(&pgt);
}

KTEST(protnone_entry_hides_its_frame_from_speculation)
{
    pte_t pte = pte_leaf(FRAME, pgprot_none(), PT_4K);

    EXPECT_EQ(pte_kind(pte, PT_4K), PTE_KIND_PROTNONE);
    EXPECT(pte_phys(pte, PT_4K).raw == FRAME.raw);
    EXPECT((pte.raw & 0x000ffffffffff000UL) == (~FRAME.raw & 0x000ffffffffff000UL), "%#lx",
           pte.raw);
    pte_t back = pte_with_prot(pte_made_dirty(pte), pgprot_supported(pgprot_write(pgprot_user())));
    EXPECT(pte_phys(back, PT_4K).raw == FRAME.raw && pte_is_dirty(back) && pte_is_writable(back));
}

KTEST(flush_is_needed_exactly_where_a_right_is_lost)
{
    pgprot_t r = pgprot_user(), w = pgprot_write(r), x = pgprot_exec(r);
    pgprot_t rights[] = {pgprot_none(), r, w, x, pgprot_write(x)};
    static const bool needed[5][5] = {
        /* to: none, r, w, x, wx */
        {false, false, false, false, false}, /* from none */
        {true, false, false, false, false},  /* from r */
        {true, true, false, true, false},    /* from w */
        {true, true, true, false, false},    /* from x */
        {true, true, true, true, false},     /* from wx */
    };

    for (unsigned from = 0; from < 5; from++) {
        for (unsigned to = 0; to < 5; to++) {
            pte_t old = pte_leaf(FRAME, rights[from], PT_4K);
            pte_t next = pte_with_prot(old, pgprot_supported(rights[to]));
            bool expected = needed[from][to];
            if (!cpu_has(CPU_NX)) /* x is no right of its own */
                expected = (from && !to) || ((from == 2 || from == 4) && to != 2 && to != 4);
            EXPECT(pte_needs_flush(old, next) == expected, "from %u to %u", from, to);
        }
    }
    pte_t old = pte_leaf(FRAME, w, PT_4K);
    EXPECT(pte_needs_flush(old, pte_leaf(phys_add(FRAME, PAGE_SIZE), w, PT_4K)));
    EXPECT(pte_needs_flush(old, pte_leaf(FRAME, pgprot_pkey(w, 1), PT_4K)) == cpu_has(CPU_PKU));
    EXPECT(pte_needs_flush(pte_made_dirty(old), old));
    EXPECT(!pte_needs_flush(old, pte_made_dirty(pte_made_young(old))));
    EXPECT(pte_needs_flush(old, pte_none()) && !pte_needs_flush(pte_none(), old));
}
