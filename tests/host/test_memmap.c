/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_memmap.c - what the firmware says, sorted out; memory before the allocator
 *
 * Room:   tests/host.
 * Owns:   a bitmap model of the memory map.
 * Locks:  none.
 * Always: (1) random regions are compared page by page with the model.
 * Source: mm/memmap.c, mm/boot_alloc.c.
 * Tour:   with mm/memmap.c.
 */
#include "machine.h"

#include <mm/boot_alloc.h>

#define MODEL_BYTES (4 * MIB)

static struct memmap map;

static void assert_ranges(const struct range_set *set, const struct mem_range *expected,
                          unsigned nr)
{
    assert_int_equal(set->nr, nr);
    for (unsigned i = 0; i < nr; i++) {
        assert_int_equal(set->ranges[i].start, expected[i].start);
        assert_int_equal(set->ranges[i].end, expected[i].end);
    }
}

static void unsorted_touching_regions_become_one_range(void **state)
{
    (void)state;
    struct boot_info info = {0};

    host_region(&info, 32 * MIB, 64 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 2 * MIB, 16 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 16 * MIB, 32 * MIB, BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_ranges(&map.ram, (struct mem_range[]){{2 * MIB, 64 * MIB}}, 1);
    assert_ranges(&map.free, (struct mem_range[]){{2 * MIB, 64 * MIB}}, 1);
}

static void reserved_wins_over_usable_whatever_the_order(void **state)
{
    (void)state;
    struct boot_info info = {0};

    host_region(&info, 4 * MIB + 100, 5 * MIB - 100, BOOT_REGION_RESERVED);
    host_region(&info, 2 * MIB, 16 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 8 * MIB, 9 * MIB, (enum boot_region_kind)77);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_ranges(&map.ram,
                  (struct mem_range[]){{2 * MIB, 4 * MIB}, {5 * MIB, 8 * MIB}, {9 * MIB, 16 * MIB}},
                  3);
}

static void acpi_tables_are_ram_but_not_free(void **state)
{
    (void)state;
    struct boot_info info = {0};

    host_region(&info, 2 * MIB, 16 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 12 * MIB, 13 * MIB, BOOT_REGION_ACPI_RECLAIM);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_ranges(&map.ram, (struct mem_range[]){{2 * MIB, 16 * MIB}}, 1);
    assert_ranges(&map.free, (struct mem_range[]){{2 * MIB, 12 * MIB}, {13 * MIB, 16 * MIB}}, 2);
}

static void image_initramfs_and_first_mib_are_not_free(void **state)
{
    (void)state;
    struct boot_info info = {.kernel_start = phys(1 * MIB),
                             .kernel_end = phys(2 * MIB + 1),
                             .initramfs_start = phys(6 * MIB - 1),
                             .initramfs_end = phys(7 * MIB)};

    host_region(&info, 0, 640 * KIB, BOOT_REGION_USABLE);
    host_region(&info, 1 * MIB, 16 * MIB, BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_ranges(&map.ram, (struct mem_range[]){{0, 640 * KIB}, {1 * MIB, 16 * MIB}}, 2);
    assert_ranges(
        &map.free,
        (struct mem_range[]){{2 * MIB + PAGE_SIZE, 6 * MIB - PAGE_SIZE}, {7 * MIB, 16 * MIB}}, 2);
}

static void two_halves_of_a_page_are_a_page(void **state)
{
    (void)state;
    struct boot_info info = {0};

    host_region(&info, 2 * MIB, 2 * MIB + 100, BOOT_REGION_USABLE);
    host_region(&info, 2 * MIB + 100, 2 * MIB + PAGE_SIZE, BOOT_REGION_USABLE);
    host_region(&info, 3 * MIB + 1, 3 * MIB + PAGE_SIZE, BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_ranges(&map.free, (struct mem_range[]){{2 * MIB, 2 * MIB + PAGE_SIZE}}, 1);
}

static void nonsense_is_ignored_and_nothing_is_enomem(void **state)
{
    (void)state;
    struct boot_info info = {0};

    assert_int_equal(memmap_build(&info, &map), -12);
    host_region(&info, 9 * MIB, 3 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 5 * MIB, 5 * MIB, BOOT_REGION_USABLE);
    host_region(&info, 1UL << 60, UINT64_MAX, BOOT_REGION_USABLE);
    host_region(&info, 0, 640 * KIB, BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), -12);
}

static void random_region(struct boot_info *info, uint8_t model[], uint8_t bit)
{
    uint64_t start = host_random_below(MODEL_BYTES);
    uint64_t end = min(start + host_random_below(MODEL_BYTES / 16), MODEL_BYTES);

    host_region(info, start, end, (enum boot_region_kind)bit);
    for (uint64_t i = start; i < end; i++)
        model[i] |= (uint8_t)(1 << bit);
}

/* Model: which kinds cover each byte. A page counts if all its bytes do. */
static void assert_like_model(const uint8_t model[])
{
    for (uint64_t page = 0; page < MODEL_BYTES; page += PAGE_SIZE) {
        bool ram = true;
        bool free = page >= 1 * MIB;

        for (uint64_t i = page; i < page + PAGE_SIZE; i++) {
            bool usable = model[i] & (1 << BOOT_REGION_USABLE);
            bool acpi = model[i] & (1 << BOOT_REGION_ACPI_RECLAIM);
            bool reserved = model[i] & (1 << BOOT_REGION_RESERVED);

            ram = ram && (usable || acpi) && !reserved;
            free = free && usable && !acpi && !reserved;
        }
        assert_int_equal(range_set_overlap(&map.ram, page, page + PAGE_SIZE), ram ? PAGE_SIZE : 0);
        assert_int_equal(range_set_overlap(&map.free, page, page + PAGE_SIZE),
                         free ? PAGE_SIZE : 0);
    }
}

static void random_regions_give_what_the_model_says(void **state)
{
    (void)state;
    static uint8_t model[MODEL_BYTES];
    static struct boot_info info;

    for (unsigned round = 0; round < 40; round++) {
        memset(model, 0, sizeof(model));
        info.nr_regions = 0;
        for (unsigned i = 0; i < 1 + host_random_below(60); i++)
            random_region(&info, model, (uint8_t)(1 + host_random_below(3)));
        (void)!memmap_build(&info, &map);
        assert_like_model(model);
    }
}

static void full_table_of_single_pages_fits(void **state)
{
    (void)state;
    static struct boot_info info;

    for (unsigned i = 0; i < BOOT_REGIONS_MAX; i++)
        host_region(&info, 2 * MIB + i * 2 * PAGE_SIZE, 2 * MIB + (i * 2 + 1) * PAGE_SIZE,
                    BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), 0);
    assert_int_equal(map.free.nr, BOOT_REGIONS_MAX);
    assert_int_equal(range_set_bytes(&map.free), BOOT_REGIONS_MAX * PAGE_SIZE);
}

static void start_with(uint64_t start, uint64_t end)
{
    struct boot_info info = {0};

    host_region(&info, start, end, BOOT_REGION_USABLE);
    assert_int_equal(memmap_build(&info, &map), 0);
    boot_alloc_init(&map);
}

static void boot_alloc_takes_from_the_top_and_takes_once(void **state)
{
    (void)state;
    start_with(2 * MIB, 8 * MIB);
    assert_int_equal(boot_alloc(1, PAGE_SIZE).raw, 8 * MIB - PAGE_SIZE);
    assert_int_equal(boot_alloc(PAGE_SIZE, PAGE_SIZE).raw, 8 * MIB - 2 * PAGE_SIZE);
    assert_int_equal(boot_alloc(1 * MIB, 2 * MIB).raw, 6 * MIB);
    assert_int_equal(range_set_bytes(&map.free), 5 * MIB - 2 * PAGE_SIZE);
}

static void boot_alloc_stays_below_4_gib_until_told(void **state)
{
    (void)state;
    start_with(4 * GIB - 4 * MIB, 6 * GIB);
    assert_int_equal(boot_alloc(PAGE_SIZE, PAGE_SIZE).raw, 4 * GIB - PAGE_SIZE);
    boot_alloc_unlimit();
    assert_int_equal(boot_alloc(PAGE_SIZE, PAGE_SIZE).raw, 6 * GIB - PAGE_SIZE);
}

static void boot_alloc_congruent_hits_the_offset(void **state)
{
    (void)state;
    start_with(2 * MIB, 32 * MIB);
    uint64_t place = boot_alloc_congruent(4 * MIB, HUGE_SIZE, 0xffff800000064000UL).raw;

    assert_int_equal(place % HUGE_SIZE, 0x64000);
    assert_int_equal(range_set_overlap(&map.free, place, place + 4 * MIB), 0);
    assert_int_equal(range_set_bytes(&map.free), 26 * MIB);
}

static void boot_alloc_panics_when_memory_is_too_small(void **state)
{
    (void)state;
    start_with(2 * MIB, 4 * MIB);
    assert_panics(boot_alloc(2 * MIB + 1, PAGE_SIZE), "not enough memory");
    assert_panics(boot_alloc_congruent(2 * MIB, HUGE_SIZE, PAGE_SIZE), "not enough memory");
    assert_int_equal(boot_alloc(2 * MIB, HUGE_SIZE).raw, 2 * MIB);
    boot_alloc_end();
    assert_panics(boot_alloc(1, PAGE_SIZE), "outside of boot");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsorted_touching_regions_become_one_range),
        cmocka_unit_test(reserved_wins_over_usable_whatever_the_order),
        cmocka_unit_test(acpi_tables_are_ram_but_not_free),
        cmocka_unit_test(image_initramfs_and_first_mib_are_not_free),
        cmocka_unit_test(two_halves_of_a_page_are_a_page),
        cmocka_unit_test(nonsense_is_ignored_and_nothing_is_enomem),
        cmocka_unit_test(random_regions_give_what_the_model_says),
        cmocka_unit_test(full_table_of_single_pages_fits),
        cmocka_unit_test(boot_alloc_takes_from_the_top_and_takes_once),
        cmocka_unit_test(boot_alloc_stays_below_4_gib_until_told),
        cmocka_unit_test(boot_alloc_congruent_hits_the_offset),
        cmocka_unit_test(boot_alloc_panics_when_memory_is_too_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
