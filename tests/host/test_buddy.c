/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_buddy.c - frames: states, blocks, references, exhaustion, injected failure
 *
 * Room:   tests/host.
 * Owns:   a model that knows who owns each frame.
 * Locks:  none.
 * Always: (1) after every storm all three checkers agree and no frame is lost.
 * Source: mm/page.c, mm/buddy.c, mm/fail.c; trust.md V21, V23, V24, P4.
 * Tour:   with mm/buddy.c.
 */
#include "machine.h"

#include <asm/cpu.h>
#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

#define BLOCKS_MAX 20000
#define RAM        (32 * MIB)

struct block {
    struct page *page;
    unsigned order;
    uint64_t tag;
};

static struct block blocks[BLOCKS_MAX];
static unsigned nr_blocks;

static uint64_t free_frames(void)
{
    struct page_counts counts;

    page_counts(&counts);
    return counts.free;
}

static void assert_sound(void)
{
    if (buddy_check() != 0 || page_accounting_check() != 0)
        fail_msg("%s", host_log_line);
}

static int setup(void **state)
{
    (void)state;
    nr_blocks = 0;
    host_random_seed(1);
    host_machine_start(RAM);
    return 0;
}

static struct page *must_alloc(unsigned order, unsigned flags)
{
    struct page *page;

    assert_int_equal(page_alloc(order, flags, &page), 0);
    return page;
}

static uint64_t *word_of(struct page *page, uint64_t nr)
{
    return (uint64_t *)((char *)page_kva(page) + nr * PAGE_SIZE);
}

/* Each frame of a block carries the block's tag in its first and last word. */
static void write_tags(const struct block *block)
{
    for (uint64_t i = 0; i < 1UL << block->order; i++) {
        word_of(block->page, i)[0] = block->tag + i;
        word_of(block->page, i)[511] = block->tag + i;
    }
}

static void assert_tags(const struct block *block)
{
    for (uint64_t i = 0; i < 1UL << block->order; i++) {
        assert_int_equal(word_of(block->page, i)[0], block->tag + i);
        assert_int_equal(word_of(block->page, i)[511], block->tag + i);
    }
}

static int take(unsigned order)
{
    struct block *block = &blocks[nr_blocks];

    if (nr_blocks == BLOCKS_MAX || page_alloc(order, PAGE_ALLOC_PLAIN, &block->page) != 0)
        return -ENOMEM;
    block->order = order;
    block->tag = host_random();
    assert_true(is_aligned(page_to_pfn(block->page), 1UL << order));
    write_tags(block);
    nr_blocks++;
    return 0;
}

static void give(unsigned i)
{
    assert_tags(&blocks[i]);
    page_free(blocks[i].page, blocks[i].order);
    blocks[i] = blocks[--nr_blocks];
}

static void give_all(void)
{
    while (nr_blocks > 0)
        give(nr_blocks - 1);
}

static void boot_touches_no_descriptor(void **state)
{
    (void)state;
    for (uint64_t pfn = 0; pfn < RAM / PAGE_SIZE; pfn++)
        assert_false(page_is_initialised(pfn));
    assert_sound();
    (void)must_alloc(0, PAGE_ALLOC_PLAIN);
    assert_true(page_is_initialised(1 * MIB / PAGE_SIZE));
    assert_false(page_is_initialised(4 * MIB / PAGE_SIZE));
}

static void new_page_is_kernel_with_one_reference(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
        struct page *page = must_alloc(order, PAGE_ALLOC_PLAIN);

        assert_int_equal(page->state, PAGE_KERNEL);
        assert_int_equal(page->order, order);
        assert_int_equal(folio_refcount(page_folio(page)), 1);
        assert_int_equal(folio_nr_pages(page_folio(page)), 1UL << order);
        for (uint64_t i = 0; i < 1UL << order; i++)
            assert_ptr_equal(page_head(page + i), page);
        page_free(page, order);
    }
    assert_sound();
}

static void zero_flag_zeroes_every_byte(void **state)
{
    (void)state;
    for (unsigned order = 0; order <= 4; order++) {
        struct page *page = must_alloc(order, PAGE_ALLOC_PLAIN);

        memset(page_kva(page), 0x77, PAGE_SIZE << order);
        page_free(page, order);
        page = must_alloc(order, PAGE_ALLOC_ZERO);
        for (uint64_t i = 0; i < PAGE_SIZE << order; i++)
            assert_int_equal(((char *)page_kva(page))[i], 0);
        page_free(page, order);
    }
}

static void random_storm_on_four_cpus_loses_nothing(void **state)
{
    (void)state;
    uint64_t before = free_frames();

    for (unsigned step = 0; step < 6000; step++) {
        host_cpu = (unsigned)host_random_below(4);
        unsigned order = host_random_below(3) ? 0 : (unsigned)host_random_below(PAGE_ORDER_MAX + 1);

        if (nr_blocks == 0 || host_random_below(100) < 55)
            (void)take(order);
        else
            give((unsigned)host_random_below(nr_blocks));
        if (step % 500 == 0)
            assert_sound();
    }
    give_all();
    assert_sound();
    assert_int_equal(free_frames(), before);
}

static void every_free_frame_can_be_had_then_enomem(void **state)
{
    (void)state;
    uint64_t before = free_frames();

    for (uint64_t i = 0; i < before; i++) {
        host_cpu = (unsigned)(i % 7);
        assert_int_equal(take(0), 0);
    }
    assert_int_equal(free_frames(), 0);
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        assert_int_equal(take(order), -ENOMEM);
    assert_sound();
    give_all();
    assert_int_equal(free_frames(), before);
    assert_sound();
}

static void pages_waiting_on_other_cpus_are_found(void **state)
{
    (void)state;
    uint64_t all = free_frames();

    for (uint64_t i = 0; i < all; i++)
        assert_int_equal(take(0), 0);
    for (unsigned i = 0; i < 90; i++) {
        host_cpu = i % 3 + 1;
        give(nr_blocks - 1);
    }
    host_cpu = 9;
    for (unsigned i = 0; i < 90; i++)
        assert_int_equal(take(0), 0);
    assert_int_equal(take(0), -ENOMEM);
    give_all();
}

static void after_reclaim_all_memory_is_in_largest_blocks(void **state)
{
    (void)state;
    uint64_t before[PAGE_ORDER_MAX + 1], after[PAGE_ORDER_MAX + 1];

    while (take(0) == 0)
        ;
    give_all();
    buddy_reclaim();
    buddy_free_blocks(before);
    while (take((unsigned)host_random_below(4)) == 0)
        ;
    while (nr_blocks > 0)
        give((unsigned)host_random_below(nr_blocks));
    buddy_reclaim();
    buddy_free_blocks(after);
    assert_memory_equal(before, after, sizeof(before));
    assert_true(before[PAGE_ORDER_MAX] >= RAM / (4 * MIB) - 2);
    assert_int_equal(buddy_reclaim(), 0);
}

static void each_nth_failure_changes_nothing(void **state)
{
    (void)state;
    (void)must_alloc(0, PAGE_ALLOC_PLAIN);
    for (unsigned n = 1; n <= 50; n++) {
        uint64_t before = free_frames();
        unsigned got = 0;

        fail_at_set(n);
        while (got < 60 && take(got % 4) == 0)
            got++;
        assert_int_equal(got, n - 1);
        assert_int_equal(fail_at_left(), 0);
        give_all();
        assert_int_equal(free_frames(), before);
        assert_sound();
    }
    assert_true(fail_sites_seen() & 1 << FAIL_PAGE);
    assert_true(fail_sites_failed() & 1 << FAIL_PAGE);
}

static void holes_and_scattered_ram_are_used_and_nothing_else(void **state)
{
    (void)state;
    struct boot_info info = {.kernel_start = phys(1 * MIB), .kernel_end = phys(2 * MIB)};

    host_region(&info, 1 * MIB, 7 * MIB + 5 * PAGE_SIZE, BOOT_REGION_USABLE);
    host_region(&info, 7 * MIB + 9 * PAGE_SIZE, 12 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 13 * GIB + PAGE_SIZE, 13 * GIB + 9 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 3 * GIB, 3 * GIB + PAGE_SIZE, BOOT_REGION_USABLE);
    host_machine_boot(&info);
    host_machine_start_mm();
    assert_sound();

    uint64_t before = free_frames();

    while (take(0) == 0) {
        uint64_t at = page_to_phys(blocks[nr_blocks - 1].page).raw;

        assert_int_equal(range_set_overlap(&host_memmap.free, at, at + PAGE_SIZE), PAGE_SIZE);
    }
    assert_int_equal(nr_blocks, before);
    assert_sound();
    give_all();
    assert_sound();
}

static void reserved_memory_can_be_released(void **state)
{
    (void)state;
    struct boot_info info = {.initramfs_start = phys(9 * MIB), .initramfs_end = phys(15 * MIB)};

    host_region(&info, 1 * MIB, 32 * MIB, BOOT_REGION_USABLE);
    host_machine_boot(&info);
    host_machine_start_mm();

    uint64_t before = free_frames();

    buddy_release_reserved(9 * MIB / PAGE_SIZE, 15 * MIB / PAGE_SIZE);
    assert_int_equal(free_frames(), before + 6 * MIB / PAGE_SIZE);
    assert_sound();
    assert_panics(buddy_release_reserved(9 * MIB / PAGE_SIZE, 9 * MIB / PAGE_SIZE + 1),
                  "frame 900 is");
    while (take(0) == 0)
        ;
    assert_int_equal(nr_blocks, before + 6 * MIB / PAGE_SIZE);
    give_all();
}

static unsigned nr_released;

static void release(struct folio *folio)
{
    nr_released++;
    page_free(&folio->page, folio->page.order);
}

static void last_reference_releases_as_the_state_says(void **state)
{
    (void)state;
    uint64_t before = free_frames();
    struct folio *plain = page_folio(must_alloc(3, PAGE_ALLOC_PLAIN));
    struct folio *object = page_folio(must_alloc(0, PAGE_ALLOC_PLAIN));

    nr_released = 0;
    folio_set_release(PAGE_OBJECT, release);
    page_set_state(&object->page, PAGE_OBJECT);
    folio_get(plain);
    folio_put(plain);
    folio_put(plain);
    folio_put(object);
    folio_set_release(PAGE_OBJECT, NULL);
    assert_int_equal(nr_released, 1);
    assert_int_equal(free_frames(), before);
    assert_panics(folio_get(plain), "while free");
}

static void saturated_count_leaks_instead_of_falling(void **state)
{
    (void)state;
    struct folio *folio = page_folio(must_alloc(0, PAGE_ALLOC_PLAIN));

    atomic_store(&folio->page.refcount, PAGE_COUNT_LIMIT);
    folio_get(folio);
    folio_put(folio);
    folio_put(folio);
    assert_int_equal(folio_refcount(folio), PAGE_COUNT_LIMIT);
    atomic_store(&folio->page.refcount, 1);
    folio_put(folio);
}

static void wrong_free_is_caught(void **state)
{
    (void)state;
    struct page *page = must_alloc(2, PAGE_ALLOC_PLAIN);

    assert_panics(page_free(page, 1), "V21");
    assert_panics(page_free(page + 1, 0), "V21");
    atomic_store(&page->mapcount, 1);
    assert_panics(page_free(page, 2), "map=1");
    atomic_store(&page->mapcount, 0);
    page_set_state(page, PAGE_HIDDEN);
    assert_panics(page_free(page, 2), "hidden");
    assert_panics((void)page_kva(page), "secret");
    page_set_state(page, PAGE_SECRET);
    assert_panics(page_free(page, 2), "secret");
    assert_panics((void)page_kva(page), "secret");
    page_set_state(page, PAGE_HIDDEN);
    page_set_state(page, PAGE_KERNEL);
    page_free(page, 2);
    assert_panics(page_free(page, 2), "V21");
    assert_sound();
}

static void illegal_state_step_is_caught(void **state)
{
    (void)state;
    struct page *page = must_alloc(0, PAGE_ALLOC_PLAIN);

    if (DEBUG == 0)
        skip();
    assert_panics(page_set_state(page, PAGE_RESERVED), "kernel to reserved");
    page_set_state(page, PAGE_HIDDEN);
    assert_panics(page_set_state(page, PAGE_CPU), "hidden to cpu");
    page_set_state(page, PAGE_KERNEL);
    page_free(page, 0);
}

static void write_after_free_is_caught(void **state)
{
    (void)state;
    if (DEBUG == 0)
        skip();

    struct page *page = must_alloc(0, PAGE_ALLOC_PLAIN);
    struct page *again;

    page_free(page, 0);
    word_of(page, 0)[100] = 1;
    assert_finds(buddy_check(), "written to after it was freed");
    assert_panics((void)!page_alloc(0, PAGE_ALLOC_PLAIN, &again), "was written to: 1");
}

/* Damage is undone after each step, so that the next one is found for itself. */
static void planted_damage_is_found(void **state)
{
    (void)state;
    struct page *low = must_alloc(3, PAGE_ALLOC_PLAIN);
    struct page *used = must_alloc(0, PAGE_ALLOC_PLAIN);

    page_free(low, 3);
    assert_sound();

    struct page *head = page_head(low);

    atomic_store(&head->refcount, 1);
    assert_finds(buddy_check(), "free, yet in use");
    atomic_store(&head->refcount, 0);

    head->order++;
    assert_finds(buddy_check(), "on the wrong list");
    head->order--;

    head->state = PAGE_KERNEL;
    assert_finds(buddy_check(), "on the wrong list");
    assert_finds(page_accounting_check(), "V23");
    head->state = PAGE_FREE;

    struct list_node *before = head->list.prev;

    list_del(&head->list);
    assert_finds(buddy_check(), "listed");
    list_add(&head->list, before);

    used->state = PAGE_ANON;
    assert_finds(page_accounting_check(), "V23");
    used->state = PAGE_KERNEL;

    if (head->order > 0) {
        head[1].state = PAGE_KERNEL;
        assert_finds(page_accounting_check(), "inside the block");
        head[1].state = PAGE_TAIL;
    }
    used->order = 1;
    assert_int_not_equal(page_accounting_check(), 0);
    used->order = 0;
    assert_sound();
}

static void sixteen_gib_start_without_touching_them(void **state)
{
    (void)state;
    struct boot_info info = {0};

    host_region(&info, 1 * MIB, 3 * GIB, BOOT_REGION_USABLE);
    host_region(&info, 4 * GIB, 16 * GIB, BOOT_REGION_USABLE);
    host_machine_boot(&info);
    host_machine_start_mm();
    for (uint64_t pfn = 0; pfn < 16 * GIB / PAGE_SIZE; pfn += CHUNK_PAGES)
        assert_false(page_is_initialised(pfn));
    assert_int_equal(take(PAGE_ORDER_MAX), 0);
    assert_sound();
    give_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(boot_touches_no_descriptor, setup),
        cmocka_unit_test_setup(new_page_is_kernel_with_one_reference, setup),
        cmocka_unit_test_setup(zero_flag_zeroes_every_byte, setup),
        cmocka_unit_test_setup(random_storm_on_four_cpus_loses_nothing, setup),
        cmocka_unit_test_setup(every_free_frame_can_be_had_then_enomem, setup),
        cmocka_unit_test_setup(pages_waiting_on_other_cpus_are_found, setup),
        cmocka_unit_test_setup(after_reclaim_all_memory_is_in_largest_blocks, setup),
        cmocka_unit_test_setup(each_nth_failure_changes_nothing, setup),
        cmocka_unit_test_setup(holes_and_scattered_ram_are_used_and_nothing_else, setup),
        cmocka_unit_test_setup(reserved_memory_can_be_released, setup),
        cmocka_unit_test_setup(last_reference_releases_as_the_state_says, setup),
        cmocka_unit_test_setup(saturated_count_leaks_instead_of_falling, setup),
        cmocka_unit_test_setup(wrong_free_is_caught, setup),
        cmocka_unit_test_setup(illegal_state_step_is_caught, setup),
        cmocka_unit_test_setup(write_after_free_is_caught, setup),
        cmocka_unit_test_setup(planted_damage_is_found, setup),
        cmocka_unit_test_setup(sixteen_gib_start_without_touching_them, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
