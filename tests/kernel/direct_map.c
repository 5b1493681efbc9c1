/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/direct_map.c - pages leave the direct map and come back, and nothing else changes
 *
 * Room:   tests/kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) counts are predicted from the level of the leaf before, then compared whole.
 * Source: asm/direct_map.h; trust.md V19, V20, B23.
 * Tour:   after arch/x86_64/direct_map.c.
 */
#include "kit.h"

#include "arch/x86_64/kernel_tables.h"

#define HUGE_PAGES (1UL << HUGE_ORDER)
#define GIGA_PAGES (GIGA_SIZE >> PAGE_SHIFT)

static uint64_t va_of(uint64_t pfn)
{
    return DIRECT_MAP_BASE + pfn * PAGE_SIZE;
}

static enum pt_level level_of(uint64_t pfn)
{
    enum pt_level level;

    kernel_slot(va_of(pfn), &level);
    return level;
}

static int hide(uint64_t pfn, uint64_t nr_pages)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    int err = direct_map_hide_noflush(&change, pfn, nr_pages);
    direct_map_change_end(&change);
    return err;
}

static void restore(uint64_t pfn, uint64_t nr_pages)
{
    struct direct_map_change change;

    direct_map_change_begin(&change);
    direct_map_restore_noflush(&change, pfn, nr_pages);
    direct_map_change_end(&change);
}

static bool readable(uint64_t pfn)
{
    uint64_t word;

    return kit_probe_read(va_of(pfn), &word);
}

/* Compare all counts with what was predicted. */
static void expect_counts(const struct direct_map_counts *predicted)
{
    struct direct_map_counts now;

    direct_map_counts(&now);
    for (enum pt_level level = PT_4K; level <= PT_1G; level++) {
        EXPECT(now.leaves[level] == predicted->leaves[level], "%lu leaves of level %d, not %lu",
               now.leaves[level], level, predicted->leaves[level]);
        EXPECT(now.splits[level] == predicted->splits[level], "%lu splits of level %d, not %lu",
               now.splits[level], level, predicted->splits[level]);
        EXPECT(now.heals[level] == predicted->heals[level], "%lu heals of level %d, not %lu",
               now.heals[level], level, predicted->heals[level]);
    }
    EXPECT_EQ(now.hidden_pages, predicted->hidden_pages);
    EXPECT(direct_map_check() == 0);
}

/* The leaf of level @from over a page becomes leaves of 4K. */
static void predict_split(struct direct_map_counts *counts, enum pt_level from)
{
    for (enum pt_level level = from; level > PT_4K; level--) {
        counts->leaves[level]--;
        counts->leaves[level - 1] += PT_ENTRIES;
        counts->splits[level]++;
    }
}

static void predict_heal(struct direct_map_counts *counts, enum pt_level to)
{
    for (enum pt_level level = PT_4K; level < to; level++) {
        counts->leaves[level] -= PT_ENTRIES;
        counts->leaves[level + 1]++;
        counts->heals[level + 1]++;
    }
}

/* A block that starts at a border of 2 MiB, in a leaf of 2 MiB or more. */
static struct page *large_block(unsigned order)
{
    struct page *block = NULL;

    if (EXPECT(page_alloc(order, PAGE_ALLOC_PLAIN, &block) == 0) &&
        EXPECT(level_of(page_to_pfn(block)) >= PT_2M))
        return block;
    if (block)
        page_free(block, order);
    return NULL;
}

KTEST(direct_map_hides_one_page_by_splitting_and_heals_on_return)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block) + 7;
    enum pt_level level = level_of(pfn);
    struct direct_map_counts counts;

    direct_map_counts(&counts);
    EXPECT(hide(pfn, 1) == 0);
    predict_split(&counts, level);
    counts.leaves[PT_4K]--;
    counts.hidden_pages++;
    expect_counts(&counts);
    EXPECT(!direct_map_present(pfn) && !readable(pfn));
    EXPECT(readable(pfn - 1) && readable(pfn + 1));

    restore(pfn, 1);
    counts.leaves[PT_4K]++;
    counts.hidden_pages--;
    predict_heal(&counts, level);
    expect_counts(&counts);
    EXPECT(direct_map_present(pfn) && readable(pfn));
    EXPECT_EQ(level_of(pfn), level);
    page_free(block, HUGE_ORDER);
}

KTEST(direct_map_hides_a_whole_2M_leaf_as_one_entry)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block);
    enum pt_level level = level_of(pfn);
    struct direct_map_counts counts;

    direct_map_counts(&counts);
    EXPECT(hide(pfn, HUGE_PAGES) == 0);
    if (level == PT_1G) {
        counts.leaves[PT_1G]--;
        counts.leaves[PT_2M] += PT_ENTRIES;
        counts.splits[PT_1G]++;
    }
    counts.leaves[PT_2M]--;
    counts.hidden_pages += HUGE_PAGES;
    expect_counts(&counts);
    EXPECT_EQ(level_of(pfn), PT_2M);
    EXPECT(!readable(pfn) && !readable(pfn + HUGE_PAGES - 1));

    restore(pfn, HUGE_PAGES);
    EXPECT_EQ(level_of(pfn), level);
    EXPECT(readable(pfn) && readable(pfn + HUGE_PAGES - 1));
    page_free(block, HUGE_ORDER);
}

KTEST(direct_map_hides_a_range_across_2M_borders)
{
    struct page *block = large_block(PAGE_ORDER_MAX);
    REQUIRE(block);
    uint64_t first = page_to_pfn(block), pfn = first + 3, nr = HUGE_PAGES + 100;
    enum pt_level level = level_of(first);
    struct direct_map_counts before, after;

    direct_map_counts(&before);
    EXPECT(hide(pfn, nr) == 0);
    for (uint64_t i = 0; i < 2 * HUGE_PAGES; i++)
        EXPECT(direct_map_present(first + i) == (i < 3 || i >= 3 + nr), "page %lu", i);
    EXPECT(!readable(pfn) && !readable(pfn + nr - 1) && readable(pfn - 1) && readable(pfn + nr));
    EXPECT(direct_map_check() == 0);
    restore(pfn, nr);
    direct_map_counts(&after);
    for (enum pt_level l = PT_4K; l <= PT_1G; l++)
        EXPECT_EQ(after.leaves[l], before.leaves[l]);
    EXPECT_EQ(level_of(first), level);
    EXPECT_EQ(level_of(first + HUGE_PAGES), level);
    page_free(block, PAGE_ORDER_MAX);
}

/* Page @i of a permutation of 0 .. 511. */
static uint64_t shuffled(uint64_t i)
{
    return (i * 197 + 11) % HUGE_PAGES;
}

KTEST(direct_map_heals_only_when_the_last_hidden_page_comes_back)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block);
    enum pt_level level = level_of(pfn);

    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        EXPECT(hide(pfn + i, 1) == 0, "page %lu", i);
    for (uint64_t i = 0; i < HUGE_PAGES; i++) {
        EXPECT(level_of(pfn) == PT_4K, "healed after %lu pages", i);
        restore(pfn + shuffled(i), 1);
    }
    EXPECT_EQ(level_of(pfn), level);
    EXPECT(direct_map_check() == 0);
    page_free(block, HUGE_ORDER);
}

KTEST(direct_map_translations_survive_split_and_heal)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block);

    for (uint64_t i = 0; i < HUGE_PAGES; i++)
        *(uint64_t *)page_kva(block + i) = i;
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            EXPECT(hide(pfn, 1) == 0);
        else
            restore(pfn, 1);
        for (uint64_t i = 1; i < HUGE_PAGES; i++) {
            uint64_t word = 0;
            EXPECT(kit_probe_read(va_of(pfn + i), &word) && word == i, "page %lu: %lu", i, word);
        }
    }
    EXPECT_EQ(*(uint64_t *)page_kva(block), 0);
    page_free(block, HUGE_ORDER);
}

KTEST(direct_map_hide_without_memory_changes_nothing)
{
    struct page *block = large_block(PAGE_ORDER_MAX);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block) + 1, nr = HUGE_PAGES;
    uint64_t frames = kit_frames_free();
    struct direct_map_counts before, after;
    unsigned n = 1;

    direct_map_counts(&before);
    for (;; n++) {
        fail_at_set(n);
        int err = hide(pfn, nr);
        bool injected = fail_at_left() == 0;
        fail_at_set(0);
        if (!injected) {
            EXPECT(err == 0);
            break;
        }
        EXPECT_EQ(err, -ENOMEM);
        direct_map_counts(&after);
        for (enum pt_level l = PT_4K; l <= PT_1G; l++)
            EXPECT_EQ(after.leaves[l], before.leaves[l]);
        EXPECT_EQ(after.hidden_pages, before.hidden_pages);
        EXPECT(readable(pfn) && readable(pfn + nr - 1));
        EXPECT(direct_map_check() == 0);
        EXPECT_EQ(kit_frames_free(), frames);
    }
    EXPECT(n > 2, "only %u allocations", n - 1);
    restore(pfn, nr);
    EXPECT_EQ(kit_frames_free(), frames);
    page_free(block, PAGE_ORDER_MAX);
}

/* The control: it shows that the probe above would see a flush that is missing. */
KTEST(direct_map_without_flush_still_answers_from_the_tlb)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block);
    struct direct_map_change change;

    EXPECT(hide(pfn + 1, 1) == 0); /* the leaf is split: its neighbours are 4K now */
    EXPECT(readable(pfn));
    direct_map_change_begin(&change);
    EXPECT(direct_map_hide_noflush(&change, pfn, 1) == 0);
    if (cpu_has(CPU_HYPERVISOR))
        EXPECT(readable(pfn), "the emulator forgot a translation by itself");
    direct_map_change_end(&change);
    EXPECT(!readable(pfn));
    restore(pfn, 2);
    EXPECT(readable(pfn));
    page_free(block, HUGE_ORDER);
}

/*
 * Take blocks, onto @blocks, until they make up a whole 1G leaf. Its first pfn; 0: there is none.
 */
static uint64_t take_1g(struct list_node *blocks)
{
    static uint16_t blocks_in[64]; /* by GiB */
    struct page *block;

    memset(blocks_in, 0, sizeof(blocks_in));
    while (page_alloc(PAGE_ORDER_MAX, PAGE_ALLOC_PLAIN, &block) == 0) {
        uint64_t pfn = round_down(page_to_pfn(block), GIGA_PAGES);

        list_add(&block->list, blocks);
        if (pfn / GIGA_PAGES < ARRAY_SIZE(blocks_in) && level_of(pfn) == PT_1G &&
            ++blocks_in[pfn / GIGA_PAGES] == GIGA_PAGES / CHUNK_PAGES)
            return pfn;
    }
    return 0;
}

static void give_back(struct list_node *blocks)
{
    while (!list_empty(blocks)) {
        struct page *block = list_first_entry(blocks, struct page, list);

        list_del(&block->list);
        page_free(block, PAGE_ORDER_MAX);
    }
}

static void hide_whole_and_part_of_1g(uint64_t pfn)
{
    struct direct_map_counts counts;

    direct_map_counts(&counts);
    EXPECT(hide(pfn, GIGA_PAGES) == 0);
    counts.leaves[PT_1G]--;
    counts.hidden_pages += GIGA_PAGES;
    expect_counts(&counts);
    EXPECT(!readable(pfn) && !readable(pfn + GIGA_PAGES - 1));
    restore(pfn, GIGA_PAGES);
    counts.leaves[PT_1G]++;
    counts.hidden_pages -= GIGA_PAGES;
    expect_counts(&counts);

    EXPECT(hide(pfn + 5, 1) == 0);
    predict_split(&counts, PT_1G);
    counts.leaves[PT_4K]--;
    counts.hidden_pages++;
    expect_counts(&counts);
    restore(pfn + 5, 1);
    counts.leaves[PT_4K]++;
    counts.hidden_pages--;
    predict_heal(&counts, PT_1G);
    expect_counts(&counts);
    EXPECT_EQ(level_of(pfn), PT_1G);
}

KTEST(direct_map_hides_and_splits_1G_leaves)
{
    struct direct_map_counts counts;
    struct list_node blocks;

    direct_map_counts(&counts);
    if (counts.leaves[PT_1G] < 2) { /* one of them has the kernel in it */
        ktest_skip("not enough 1G leaves (needs 1G pages and 6G of RAM)");
        return;
    }
    list_init(&blocks);
    uint64_t pfn = take_1g(&blocks);
    if (EXPECT(pfn))
        hide_whole_and_part_of_1g(pfn);
    give_back(&blocks);
}

/* A planted entry is found under its number, and the repair makes all well again. */
static void plant(uint64_t pfn, pte_t wrong, int (*check)(void), const char *claim)
{
    enum pt_level level;
    pte_t *slot = kernel_slot(va_of(pfn), &level);
    pte_t right = pte_read(slot);

    pte_write(slot, wrong);
    EXPECT_FINDS(check(), claim);
    pte_write(slot, right);
    EXPECT(check() == 0);
}

KTEST(planted_damage_of_the_direct_map_is_found)
{
    struct page *block = large_block(HUGE_ORDER);
    REQUIRE(block);
    uint64_t pfn = page_to_pfn(block);
    phys_addr_t a = page_to_phys(block);
    pgprot_t right = pgprot_write(pgprot_kernel());

    REQUIRE(hide(pfn + 1, 1) == 0);
    plant(pfn, pte_leaf(phys_add(a, PAGE_SIZE), right, PT_4K), direct_map_check, "V19");
    plant(pfn, pte_leaf(a, pgprot_kernel(), PT_4K), direct_map_check, "V19");
    plant(pfn, pte_none(), direct_map_check, "V20");
    if (cpu_has(CPU_NX)) {
        plant(pfn, pte_leaf(a, pgprot_exec(right), PT_4K), direct_map_check, "V13");
        plant(pfn, pte_leaf(a, pgprot_exec(right), PT_4K), kernel_tables_check, "V13");
    }
    plant(pfn, pte_leaf(a, pgprot_write(pgprot_user()), PT_4K), kernel_tables_check, "V14");
    restore(pfn + 1, 1);
    page_free(block, HUGE_ORDER);
}

KTEST(hidden_frame_that_is_not_secret_is_found)
{
    struct page *page;

    REQUIRE(page_alloc(0, PAGE_ALLOC_PLAIN, &page) == 0);
    REQUIRE(hide(page_to_pfn(page), 1) == 0);
    EXPECT_FINDS(vm_check(), "V19");
    restore(page_to_pfn(page), 1);
    page_free(page, 0);
}
