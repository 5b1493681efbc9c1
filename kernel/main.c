/* SPDX-License-Identifier: MIT */
/*
 * kernel/main.c - from a loaded image to the first program
 *
 * Room:   kernel.
 * Owns:   the order in which the machine comes up.
 * Locks:  none until the other CPUs start.
 * Always: (1) each step needs only the ones before it;
 *         (2) whatever is missing ends in one clear line and a failing exit.
 * Source: design.md section 8.
 * Tour:   after boot/; this is where to start reading the kernel.
 */
#include <asm/console.h>
#include <asm/direct_map.h>
#include <asm/machine.h>
#include <asm/power.h>
#include <base/ktest.h>
#include <base/log.h>
#include <base/panic.h>
#include <boot_info.h>
#include <lib/parse.h>
#include <mm/boot_alloc.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/memmap.h>
#include <mm/mm.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/slab.h>

static struct memmap map;

/* The machine cannot run Bulla: say why, and leave with a failing exit status. */
static _Noreturn void refuse(const char *why)
{
    log_error("bulla: %s", why);
    machine_power_off(EXIT_CODE_FAILED);
}

static void memory_init(const struct boot_info *info)
{
    if (memmap_build(info, &map))
        refuse("no usable memory");
    boot_alloc_init(&map);
    kernel_tables_init(info, &map);
    page_array_init(&map);
    buddy_init(&map);
    kmem_init();
    mm_boot_init();
    object_boot_init();
    hugetlb_boot_init();
    secretmem_boot_init();
    struct direct_map_counts dm;
    direct_map_counts(&dm);
    log_info("memory: %lu KiB in %u ranges; direct map %lu x 1G, %lu x 2M, %lu x 4K",
             range_set_bytes(&map.ram) / KIB, map.ram.nr, dm.leaves[PT_1G], dm.leaves[PT_2M],
             dm.leaves[PT_4K]);
}

/* ktest=PATTERN: run tests instead of programs. */
static void run_tests(const struct boot_info *info)
{
    char pattern[128];

    if (!parse_option(info->cmdline, "ktest", pattern, sizeof(pattern)))
        ktest_run(pattern);
}

void kernel_main(struct boot_info *info)
{
    cpu_early_init();
    serial_init();
    screen_init(&info->framebuffer);
    log_info("bulla: booted by %s%s%s", info->door, info->loader[0] ? ", " : "", info->loader);
    cpu_print_features();
    memory_init(info);
    run_tests(info);
    panic("nothing more yet");
}
