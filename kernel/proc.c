/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc.c - /proc and /sys: what the machine tells about itself
 *
 * Room:   kernel.
 * Owns:   the list of such files.
 * Locks:  none of its own.
 * Always: (1) formats are Linux's to the blank: programs parse them by column.
 * Source: proc(5); Linux Documentation/filesystems/proc.rst.
 * Tour:   after kernel/text_file.h; then kernel/proc_pid.c.
 */
#include "proc.h"

#include "files.h"
#include "layout.h"
#include "log.h"
#include "mount.h"
#include "sysv.h"
#include "task.h"
#include "text_file.h"
#include <asm/context.h>
#include <asm/cpu.h>
#include <asm/direct_map.h>
#include <asm/time.h>
#include <asm/tlb.h>
#include <base/fail.h>
#include <mm/buddy.h>
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <mm/object.h>
#include <mm/slab.h>
#include <mm/thp.h>
#include <uapi/errno.h>
#include <uapi/misc.h>

#define NS_PER_SEC  1000000000UL
#define NS_PER_TICK 10000000UL /* USER_HZ is 100 */
#define PAGE_KIB    (PAGE_SIZE / KIB)
#define HUGE_KIB    (HUGE_SIZE / KIB)

static const char *kernel_cmdline;

/* Memory */

static void add_kib(struct text *t, const char *name, uint64_t kib)
{
    text_add(t, "%-15s %8lu kB\n", name, kib);
}

static void add_huge_pages(struct text *t)
{
    struct hugetlb_counts huge;

    hugetlb_counts(&huge);
    text_add(t, "HugePages_Total:   %5lu\n", huge.total);
    text_add(t, "HugePages_Free:    %5lu\n", huge.free);
    text_add(t, "HugePages_Rsvd:    %5lu\n", huge.reserved);
    text_add(t, "HugePages_Surp:    %5lu\n", 0UL);
    add_kib(t, "Hugepagesize:", HUGE_KIB);
    add_kib(t, "Hugetlb:", huge.total * HUGE_KIB);
}

static void add_direct_map(struct text *t)
{
    struct direct_map_counts dm;

    direct_map_counts(&dm);
    add_kib(t, "DirectMap4k:", dm.leaves[PT_4K] * PAGE_KIB);
    add_kib(t, "DirectMap2M:", dm.leaves[PT_2M] * HUGE_KIB);
    add_kib(t, "DirectMap1G:", dm.leaves[PT_1G] * (GIGA_SIZE / KIB));
}

static int show_meminfo(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    (void)dentry;

    page_counts(&pages);
    const uint64_t *frames = pages.frames;
    add_kib(t, "MemTotal:", pages.total * PAGE_KIB);
    add_kib(t, "MemFree:", pages.free * PAGE_KIB);
    add_kib(t, "MemAvailable:", pages.free * PAGE_KIB);
    add_kib(t, "Buffers:", 0);
    add_kib(t, "Cached:", frames[PAGE_OBJECT] * PAGE_KIB);
    add_kib(t, "SwapCached:", 0);
    add_kib(t, "SwapTotal:", 0);
    add_kib(t, "SwapFree:", 0);
    add_kib(t, "AnonPages:", frames[PAGE_ANON] * PAGE_KIB);
    add_kib(t, "Shmem:", frames[PAGE_OBJECT] * PAGE_KIB);
    add_kib(t, "Slab:", frames[PAGE_SLAB] * PAGE_KIB);
    add_kib(t, "KernelStack:", kstack_total_bytes() / KIB);
    add_kib(t, "PageTables:", frames[PAGE_TABLE] * PAGE_KIB);
    add_kib(t, "SecretMem:", secretmem_pages() * PAGE_KIB);
    add_kib(t, "CommitLimit:", commit_limit() * PAGE_KIB);
    add_kib(t, "Committed_AS:", commit_sum() * PAGE_KIB);
    add_kib(t, "AnonHugePages:", thp_events(THP_ANON) * HUGE_KIB);
    add_kib(t, "ShmemHugePages:", thp_events(THP_SHMEM) * HUGE_KIB);
    add_kib(t, "ShmemPmdMapped:", thp_events(THP_OBJECT) * HUGE_KIB);
    add_huge_pages(t);
    add_direct_map(t);
    return 0;
}

static int show_vmstat(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    struct direct_map_counts dm;
    (void)dentry;

    page_counts(&pages);
    direct_map_counts(&dm);
    text_add(t, "nr_free_pages %lu\n", pages.free);
    text_add(t, "nr_anon_pages %lu\n", pages.frames[PAGE_ANON]);
    text_add(t, "nr_shmem %lu\n", pages.frames[PAGE_OBJECT]);
    text_add(t, "nr_page_table_pages %lu\n", pages.frames[PAGE_TABLE]);
    text_add(t, "nr_tlb_remote_flush %lu\n", tlb_events(TLB_REMOTE_REQUEST));
    text_add(t, "nr_tlb_remote_flush_received %lu\n", tlb_events(TLB_REMOTE_HANDLED));
    text_add(t, "nr_tlb_local_flush_all %lu\n", tlb_events(TLB_LOCAL_ALL));
    text_add(t, "nr_tlb_local_flush_one %lu\n", tlb_events(TLB_LOCAL_ONE));
    text_add(t, "direct_map_level2_splits %lu\n", dm.splits[PT_2M]);
    text_add(t, "direct_map_level3_splits %lu\n", dm.splits[PT_1G]);
    text_add(t, "direct_map_level2_collapses %lu\n", dm.heals[PT_2M]);
    text_add(t, "direct_map_level3_collapses %lu\n", dm.heals[PT_1G]);
    thp_add_vmstat(t);
    return 0;
}

static int show_slabinfo(struct text *t, struct dentry *dentry)
{
    const struct slab_cache *cache;
    (void)dentry;

    text_add(t, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
                "<objperslab> <pagesperslab>\n");
    for (unsigned n = 0; (cache = slab_cache_nth(n)); n++)
        text_add(t, "%-17s %6lu %6lu %6u %4u %4u\n", cache->name,
                 slab_objects_in_use(slab_cache_nth(n)), cache->nr_slabs * cache->per_slab,
                 cache->size, cache->per_slab, 1U << cache->order);
    return 0;
}

/* The machine */

static int show_cmdline(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%s\n", kernel_cmdline);
    return 0;
}

static int show_version(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "Linux version %s (bulla) #1 SMP\n", BULLA_RELEASE);
    return 0;
}

static int show_uptime(struct text *t, struct dentry *dentry)
{
    uint64_t ticks = clock_ns() / NS_PER_TICK;
    (void)dentry;
    text_add(t, "%lu.%02lu 0.00\n", ticks / 100, ticks % 100);
    return 0;
}

static int show_loadavg(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "0.00 0.00 0.00 1/1 1\n");
    return 0;
}

static int show_stat(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "cpu  0 0 0 0 0 0 0 0 0 0\n");
    for (unsigned i = 0; i < nr_cpus(); i++)
        text_add(t, "cpu%u 0 0 0 0 0 0 0 0 0 0\n", i);
    text_add(t, "btime %lu\n", clock_boot_epoch_ns() / NS_PER_SEC);
    return 0;
}

static int show_cpuinfo(struct text *t, struct dentry *dentry)
{
    uint64_t khz = tsc_hz() / 1000;
    (void)dentry;

    for (unsigned i = 0; i < nr_cpus(); i++) {
        text_add(t, "processor\t: %u\n", i);
        text_add(t, "cpu MHz\t\t: %lu.%03lu\n", khz / 1000, khz % 1000);
        text_add(t, "flags\t\t: fpu pae nx lm%s%s%s%s%s%s\n",
                 cpu_has(CPU_PAGE_1G) ? " pdpe1gb" : "", cpu_has(CPU_PCID) ? " pcid" : "",
                 cpu_has(CPU_INVPCID) ? " invpcid" : "", cpu_has(CPU_SMEP) ? " smep" : "",
                 cpu_has(CPU_SMAP) ? " smap" : "", cpu_has(CPU_PKU) ? " pku ospke" : "");
        text_add(t, "clflush size\t: 64\naddress sizes\t: 48 bits virtual\n\n");
    }
    return 0;
}

static int show_filesystems(struct text *t, struct dentry *dentry)
{
    const struct fs_type *type;
    (void)dentry;

    for (unsigned i = 0; (type = fs_type_nth(i)); i++)
        text_add(t, "nodev\t%s\n", type->name);
    return 0;
}

/* Settings */

static int show_nr_hugepages(struct text *t, struct dentry *dentry)
{
    struct hugetlb_counts huge;
    (void)dentry;
    hugetlb_counts(&huge);
    text_add(t, "%lu\n", huge.total);
    return 0;
}

static int show_free_hugepages(struct text *t, struct dentry *dentry)
{
    struct hugetlb_counts huge;
    (void)dentry;
    hugetlb_counts(&huge);
    text_add(t, "%lu\n", huge.free);
    return 0;
}

static int show_resv_hugepages(struct text *t, struct dentry *dentry)
{
    struct hugetlb_counts huge;
    (void)dentry;
    hugetlb_counts(&huge);
    text_add(t, "%lu\n", huge.reserved);
    return 0;
}

/* As many as there are: the pool grows as far as memory allows, and does not shrink. */
/* Not Linux's, which has a directory of debugfs for this. */
static int show_fail_at(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%lu\n", fail_at_left());
    return 0;
}

static int store_fail_at(uint64_t n)
{
    fail_at_set(n);
    return 0;
}

static int store_nr_hugepages(uint64_t wanted)
{
    struct hugetlb_counts huge;

    hugetlb_counts(&huge);
    if (wanted > huge.total && hugetlb_pool_grow(wanted - huge.total) < wanted - huge.total)
        log_info("nr_hugepages: there is no memory for %lu", wanted);
    return 0;
}

static uint64_t printk_level = 7;

static int show_printk(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%lu\t4\t1\t7\n", printk_level);
    return 0;
}

/* Lines more urgent than the level are shown; the levels are those of syslog(2). */
static int store_printk(uint64_t level)
{
    if (level > 8)
        return -EINVAL;
    printk_level = level;
    log_limit_set(level >= 8   ? LOG_DEBUG
                  : level >= 7 ? LOG_INFO
                  : level >= 5 ? LOG_WARN
                               : LOG_ERROR);
    return 0;
}

static int show_release(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%s\n", BULLA_RELEASE);
    return 0;
}

static int show_hostname(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "bulla\n");
    return 0;
}

static int show_ostype(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "Linux\n");
    return 0;
}

static int show_pid_max(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "32768\n");
    return 0;
}

static int show_zero(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "0\n");
    return 0;
}

static int show_randomize(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%d\n", layout_randomize());
    return 0;
}

static int show_cpus(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    if (nr_cpus() == 1)
        text_add(t, "0\n");
    else
        text_add(t, "0-%u\n", nr_cpus() - 1);
    return 0;
}

static const struct text_kind proc_files[] = {
    {"cmdline", 0444, .show = show_cmdline},
    {"cpuinfo", 0444, .show = show_cpuinfo},
    {"filesystems", 0444, .show = show_filesystems},
    {"loadavg", 0444, .show = show_loadavg},
    {"meminfo", 0444, .show = show_meminfo},
    {"slabinfo", 0400, .show = show_slabinfo},
    {"stat", 0444, .show = show_stat},
    {"uptime", 0444, .show = show_uptime},
    {"version", 0444, .show = show_version},
    {"vmstat", 0444, .show = show_vmstat},
};

/* A ratio and a number of KiB: the one that was set last counts. */
static void ratio_changed(void)
{
    vm_settings.overcommit_kbytes = 0;
}

static void kbytes_changed(void)
{
    vm_settings.overcommit_ratio = 0;
}

static const struct setting overcommit_memory = {&vm_settings.overcommit, OVERCOMMIT_NEVER, NULL},
                            overcommit_ratio = {&vm_settings.overcommit_ratio, INT32_MAX,
                                                ratio_changed},
                            overcommit_kbytes = {&vm_settings.overcommit_kbytes, INT64_MAX,
                                                 kbytes_changed},
                            admin_reserve = {&vm_settings.admin_reserve_kbytes, INT64_MAX, NULL},
                            user_reserve = {&vm_settings.user_reserve_kbytes, INT64_MAX, NULL},
                            max_map_count = {&vm_settings.max_map_count, INT32_MAX, NULL},
                            mmap_min_addr = {&vm_settings.mmap_min_addr, GIGA_SIZE, NULL};

static const struct text_kind proc_sys_vm[] = {
    {"fail_at", 0600, .show = show_fail_at, .store = store_fail_at},
    {"nr_hugepages", 0644, .show = show_nr_hugepages, .store = store_nr_hugepages},
    {"memfd_noexec", 0444, .show = show_zero},
    {"overcommit_memory", 0644, .setting = &overcommit_memory},
    {"overcommit_ratio", 0644, .setting = &overcommit_ratio},
    {"overcommit_kbytes", 0644, .setting = &overcommit_kbytes},
    {"admin_reserve_kbytes", 0644, .setting = &admin_reserve},
    {"user_reserve_kbytes", 0644, .setting = &user_reserve},
    {"max_map_count", 0644, .setting = &max_map_count},
    {"mmap_min_addr", 0644, .setting = &mmap_min_addr},
};

static const struct text_kind proc_sys_kernel[] = {
    {"printk", 0644, .show = show_printk, .store = store_printk},
    {"osrelease", 0444, .show = show_release},
    {"ostype", 0444, .show = show_ostype},
    {"hostname", 0444, .show = show_hostname},
    {"pid_max", 0444, .show = show_pid_max},
    {"randomize_va_space", 0644, .show = show_randomize, .store = layout_randomize_set},
};

static const struct text_kind sys_hugepages[] = {
    {"nr_hugepages", 0644, .show = show_nr_hugepages, .store = store_nr_hugepages},
    {"free_hugepages", 0444, .show = show_free_hugepages},
    {"resv_hugepages", 0444, .show = show_resv_hugepages},
    {"surplus_hugepages", 0444, .show = show_zero},
};

static const struct text_kind sys_cpu[] = {
    {"online", 0444, .show = show_cpus},
    {"possible", 0444, .show = show_cpus},
    {"present", 0444, .show = show_cpus},
};

static void text_files(struct dentry *dir, const struct text_kind *kinds, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        text_file_boot(dir, &kinds[i]);
}

#define TEXT_FILES(dir, kinds) text_files((dir), (kinds), ARRAY_SIZE(kinds))

static void sys_boot_init(void)
{
    struct dentry *sys = mount_boot("sysfs", "sys", 0755);
    struct dentry *kernel = fs_boot_directory(sys, "kernel", 0755);
    struct dentry *mm = fs_boot_directory(kernel, "mm", 0755);
    struct dentry *huge = fs_boot_directory(mm, "hugepages", 0755);
    struct dentry *devices = fs_boot_directory(sys, "devices", 0755);
    struct dentry *system = fs_boot_directory(devices, "system", 0755);

    TEXT_FILES(fs_boot_directory(huge, "hugepages-2048kB", 0755), sys_hugepages);
    thp_boot_files(mm);
    TEXT_FILES(fs_boot_directory(system, "cpu", 0755), sys_cpu);
}

void proc_boot_init(const char *cmdline)
{
    struct dentry *proc = mount_boot("proc", "proc", 0555);
    struct dentry *sys = fs_boot_directory(proc, "sys", 0555);

    kernel_cmdline = cmdline;
    thp_boot_option(cmdline);
    TEXT_FILES(proc, proc_files);
    TEXT_FILES(fs_boot_directory(sys, "vm", 0555), proc_sys_vm);
    struct dentry *sys_kernel = fs_boot_directory(sys, "kernel", 0555);
    TEXT_FILES(sys_kernel, proc_sys_kernel);
    ipc_boot_files(proc, sys_kernel);
    proc_pid_boot_init(proc);
    fs_boot_link(proc, "mounts", "self/mounts");
    sys_boot_init();
}
