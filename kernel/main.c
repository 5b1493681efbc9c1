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
#include "exec.h"
#include "files.h"
#include "fs.h"
#include "hugetlb_files.h"
#include "khugepaged.h"
#include "layout.h"
#include "limbod.h"
#include "pipe.h"
#include "place.h"
#include "quiet.h"
#include "secretd.h"
#include "secretmem.h"
#include "syscall.h"
#include "task.h"
#include <asm/console.h>
#include <asm/cpu.h>
#include <asm/direct_map.h>
#include <asm/machine.h>
#include <asm/power.h>
#include <asm/smp.h>
#include <asm/time.h>
#include <asm/tlb.h>
#include <base/bug.h>
#include <base/fail.h>
#include <base/ktest.h>
#include <base/lab.h>
#include <base/log.h>
#include <base/panic.h>
#include <boot_info.h>
#include <lib/frames.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/boot_alloc.h>
#include <mm/buddy.h>
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <mm/memmap.h>
#include <mm/mm.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <uapi/fcntl.h>
#include <upcalls.h>

static struct memmap map;
static const char *cmdline;

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
    screen_remap();
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
static void run_tests(void)
{
    char pattern[128];

    if (LAB)
        lab_start(cmdline);
    if (!parse_option(cmdline, "ktest", pattern, sizeof(pattern)))
        ktest_run(cmdline, pattern);
}

static void machine_init(const struct boot_info *info)
{
    sched_init_cpu(0);
    acpi_init(info->rsdp);
    apic_init();
    time_init();
    irq_enable();
    smp_start(parse_option_or(cmdline, "maxcpus", MAX_CPUS));
    tlb_probe_every = parse_option_or(cmdline, "tlb_probe", 0);
}

/* bug=N, where the kernel was built to have bugs. */
static void bug_choose(void)
{
    if (!BUGS)
        return;
    bug_chosen = parse_option_or(cmdline, "bug", BUG_NONE);
    if (bug_chosen != BUG_NONE)
        log_warn("bug B%lu is back", bug_chosen);
}

/* wx=enforce: nothing is written and executed. */
static void wx_choose(void)
{
    char word[8];

    vm_settings.wx_enforce =
        !parse_option(cmdline, "wx", word, sizeof(word)) && !strcmp(word, "enforce");
}

/* Linux's names. */
static void zeroing_choose(void)
{
    memory_alloc_flags =
        parse_option_or(cmdline, "init_on_alloc", 0) ? PAGE_ALLOC_ZERO : PAGE_ALLOC_PLAIN;
    memory_zero_on_free = parse_option_or(cmdline, "init_on_free", 0);
}

static void fast_string_choose(void)
{
    if (parse_has_option(cmdline, "fast_string"))
        fast_string = parse_option_or(cmdline, "fast_string", 1);
    else
        fast_string_measure();
}

static void root_init(const struct boot_info *info)
{
    phys_addr_t start = info->initramfs_start, end = info->initramfs_end;

    fs_boot_init();
    files_boot_init();
    pipes_boot_init();
    devices_boot_init(cmdline);
    limbod_boot_init();
    proc_boot_init(cmdline);
    secretmem_files_boot_init(cmdline);
    if (start.raw == end.raw)
        refuse("no initramfs: nothing to run");
    if (initramfs_unpack(direct_map_ptr(start), end.raw - start.raw))
        refuse("the initramfs cannot be used");
    buddy_release_reserved(phys_to_pfn(start), phys_to_pfn(phys_add(end, PAGE_SIZE - 1)));
}

static uint64_t entry_tsc, first_user_tsc;

/* Descriptors 0, 1 and 2, before there is anybody to open them. */
static void open_console(void)
{
    struct place root = place_root(), console;
    struct file *file;

    for (int i = 0; i < 3; i++) {
        int fd = fs_lookup(&root, "/dev/console", LOOKUP_FOLLOW, &console);
        if (!fd) {
            fd = file_open(&console, O_RDWR | O_NOCTTY, &file);
            place_put(&console);
        }
        if (!fd)
            fd = fd_install(file, 0, false);
        if (fd < 0)
            log_warn("no /dev/console for process 1: error %d", -fd);
    }
}

/* Process 1 begins here, in the kernel. */
static void init_start(void *arg)
{
    static const char *const envp[] = {"HOME=/", "TERM=linux", NULL};
    char path[128] = "/init";
    (void)arg;

    sched_finish_switch();
    irq_enable();
    open_console();
    if (parse_has_option(cmdline, "init") && parse_option(cmdline, "init", path, sizeof(path)))
        refuse("init= has no path that can be used");
    int err = exec_first(path, envp);
    if (err) {
        log_error("bulla: cannot run %s: error %d", path, -err);
        machine_power_off(EXIT_CODE_FAILED);
    }
    upcall_exit(user_frame());
    first_user_tsc = tsc_read();
    return_to_user(user_frame());
}

void machine_shutdown(uint32_t status)
{
    enum exit_code code = status ? EXIT_CODE_FAILED : EXIT_CODE_OK;

    log_info("boot: %lu time-stamp ticks from kernel entry to the first user instruction",
             first_user_tsc - entry_tsc);
    if (status)
        log_info("process 1 ended with status %#x", status);
    if ((DEBUG >= 2 || parse_option_or(cmdline, "vm_check", 0)) && machine_check_last())
        code = EXIT_CODE_FAILED;
    machine_power_off(code);
}

void secondary_main(unsigned cpu)
{
    sched_init_cpu(cpu);
    sched_idle_loop();
}

void kernel_main(struct boot_info *info)
{
    cpu_early_init(info->cmdline);
    serial_init();
    screen_init(&info->framebuffer);
    cmdline = info->cmdline;
    entry_tsc = info->entry_tsc;
    log_info("bulla: booted by %s%s%s", info->door, info->loader[0] ? ", " : "", info->loader);
    cpu_print_features();
    bug_choose();
    memory_init(info);
    machine_init(info);
    process_boot_init();
    futex_boot_init();
    run_tests();
    if (parse_has_option(cmdline, "norandmaps"))
        layout_randomize_set(RANDOMIZE_NOTHING);
    fail_at_set(parse_option_or(cmdline, "fail_at", 0));
    zeroing_choose();
    fast_string_choose();
    if (DEBUG >= 2 || parse_has_option(cmdline, "vm_check"))
        machine_check_often(parse_option_or(cmdline, "vm_check", 1000));
    wx_choose();
    vm_settings.pkey_strict = parse_option_or(cmdline, "pkey_strict", 0);
    hugetlb_boot_options(cmdline);
    root_init(info);
    khugepaged_boot_init();
    secretd_boot_init();
    if (process_create_init(init_start, NULL))
        refuse("no memory for process 1");
    sched_idle_loop();
}
