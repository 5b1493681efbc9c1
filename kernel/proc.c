/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc.c - /proc and /sys: their trees, and the settings of the machine
 *
 * Room:   kernel.
 * Owns:   the list of such files.
 * Locks:  none of its own.
 * Always: (1) formats are Linux's to the blank: programs parse them by column.
 * Source: proc(5); Linux Documentation/filesystems/proc.rst.
 * Tour:   after kernel/text_file.h; then kernel/proc_pid.c.
 */
#include "proc.h"
#include "dma_buf.h"

#include "files.h"
#include "hugetlb_files.h"
#include "layout.h"
#include "log.h"
#include "memfd_noexec.h"
#include "mount.h"
#include "process.h"
#include "random.h"
#include "secretmem.h"
#include "sysv.h"
#include "text_file.h"
#include "tlb_files.h"
#include "userfaultfd.h"
#include <asm/cpu.h>
#include <base/fail.h>
#include <lib/format.h>
#include <mm/buddy.h>
#include <mm/commit.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/misc.h>

static const char *kernel_cmdline;

/* The machine */

static int show_cmdline(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%s\n", kernel_cmdline);
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

/* Not Linux's, which has a directory of debugfs for this. */
static int show_wx_enforce(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%lu\n", vm_settings.wx_enforce);
    return 0;
}

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

/* Contents of files are nowhere else, and stay; what the allocators keep at hand goes back. */
static int store_drop_caches(uint64_t which)
{
    if (which < 1 || which > 4)
        return -EINVAL;
    slab_reclaim();
    buddy_reclaim();
    return 0;
}

/* No page moves; but single free pages come together again. */
static int store_compact(uint64_t on)
{
    if (on != 1)
        return -EINVAL;
    buddy_reclaim();
    return 0;
}

static int show_last_pid(struct text *t, struct dentry *dentry)
{
    int last;
    (void)dentry;
    tasks_born(&last);
    text_add(t, "%d\n", last);
    return 0;
}

static int show_uuid(struct text *t, struct dentry *dentry)
{
    uint8_t b[16];
    (void)dentry;

    random_bytes(b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40; /* version 4: made by chance */
    b[8] = (b[8] & 0x3f) | 0x80;
    for (unsigned i = 0; i < sizeof(b); i++)
        text_add(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
    text_add(t, "\n");
    return 0;
}

static const struct text_kind proc_files[] = {
    {"cmdline", 0444, .show = show_cmdline},
    {"filesystems", 0444, .show = show_filesystems},
};

/* A ratio and a number of KiB: the one that was set last counts. */
static int ratio_changed(void)
{
    vm_settings.overcommit_kbytes = 0;
    return 0;
}

static int kbytes_changed(void)
{
    vm_settings.overcommit_ratio = 0;
    return 0;
}

static const struct setting overcommit_memory = {.value = &vm_settings.overcommit,
                                                 .max = OVERCOMMIT_NEVER},
                            overcommit_ratio = {.value = &vm_settings.overcommit_ratio,
                                                .max = INT32_MAX,
                                                .changed = ratio_changed},
                            overcommit_kbytes = {.value = &vm_settings.overcommit_kbytes,
                                                 .max = INT64_MAX,
                                                 .changed = kbytes_changed},
                            admin_reserve = {.value = &vm_settings.admin_reserve_kbytes,
                                             .max = INT64_MAX},
                            user_reserve = {.value = &vm_settings.user_reserve_kbytes,
                                            .max = INT64_MAX},
                            max_map_count = {.value = &vm_settings.max_map_count, .max = INT32_MAX},
                            unprivileged_userfaultfd = {.value = &userfaultfd_unprivileged,
                                                        .max = 1},
                            mmap_min_addr = {.value = &vm_settings.mmap_min_addr, .max = GIGA_SIZE};

static const struct text_kind proc_sys_vm[] = {
    {"fail_at", 0600, .show = show_fail_at, .store = store_fail_at},
    {"memfd_noexec", 0644, .show = memfd_noexec_show, .store = memfd_noexec_store},
    {"overcommit_memory", 0644, .setting = &overcommit_memory},
    {"overcommit_ratio", 0644, .setting = &overcommit_ratio},
    {"overcommit_kbytes", 0644, .setting = &overcommit_kbytes},
    {"admin_reserve_kbytes", 0644, .setting = &admin_reserve},
    {"user_reserve_kbytes", 0644, .setting = &user_reserve},
    {"max_map_count", 0644, .setting = &max_map_count},
    {"mmap_min_addr", 0644, .setting = &mmap_min_addr},
    {"wx_enforce", 0444, .show = show_wx_enforce},
    {"unprivileged_userfaultfd", 0644, .setting = &unprivileged_userfaultfd},
    {"drop_caches", 0200, .store = store_drop_caches},
    {"compact_memory", 0200, .store = store_compact},
};

static const struct text_kind proc_sys_kernel[] = {
    {"printk", 0644, .show = show_printk, .store = store_printk},
    {"osrelease", 0444, .show = show_release},
    {"ostype", 0444, .show = show_ostype},
    {"hostname", 0444, .show = show_hostname},
    {"pid_max", 0444, .show = show_pid_max},
    {"ns_last_pid", 0444, .show = show_last_pid},
    {"version", 0444, .says = "#1 SMP"},
    {"domainname", 0444, .says = "(none)"},
    {"core_pattern", 0444, .says = "core"},
    {"cap_last_cap", 0444, .says = "40"},
    {"overflowuid", 0444, .says = "65534"},
    {"overflowgid", 0444, .says = "65534"},
    {"ngroups_max", 0444, .says = "65536"},
    {"tainted", 0444, .says = "0"},
    {"randomize_va_space", 0644, .show = show_randomize, .store = layout_randomize_set},
};

static const struct text_kind proc_sys_random[] = {
    {"uuid", 0444, .show = show_uuid},
    {"entropy_avail", 0444, .says = "256"},
    {"poolsize", 0444, .says = "256"},
};

/* There is one node of memory. */
static const struct text_kind sys_node[] = {
    {"online", 0444, .says = "0"},
    {"possible", 0444, .says = "0"},
    {"has_cpu", 0444, .says = "0"},
    {"has_memory", 0444, .says = "0"},
    {"has_normal_memory", 0444, .says = "0"},
};

static const struct text_kind sys_node0[] = {
    {"cpulist", 0444, .show = show_cpus},
    {"distance", 0444, .says = "10"},
};

static const struct text_kind sys_cpu[] = {
    {"kernel_max", 0444, .says = "63"},    {"offline", 0444, .says = ""},
    {"isolated", 0444, .says = ""},        {"online", 0444, .show = show_cpus},
    {"possible", 0444, .show = show_cpus}, {"present", 0444, .show = show_cpus},
};

static void files_until_last(struct dentry *dir, const struct text_kind *kinds)
{
    for (; kinds->name; kinds++)
        text_file_boot(dir, kinds);
}

static void cpus_boot_init(struct dentry *dir)
{
    char name[16];

    TEXT_FILES_BOOT(dir, sys_cpu);
    for (unsigned i = 0; i < nr_cpus(); i++) {
        snprintf(name, sizeof(name), "cpu%u", i);
        fs_boot_directory(dir, name, 0755);
    }
}

static void nodes_boot_init(struct dentry *dir)
{
    struct dentry *node = fs_boot_directory(dir, "node0", 0755);

    TEXT_FILES_BOOT(dir, sys_node);
    TEXT_FILES_BOOT(node, sys_node0);
    files_until_last(node, node_meminfo_files);
    hugetlb_boot_node_files(node);
}

static void debug_boot_init(struct dentry *debugfs)
{
    gup_test_boot_init(debugfs);
    if (attacker_boot_init)
        attacker_boot_init(debugfs);
}

static void sys_boot_init(void)
{
    struct dentry *sys = mount_boot("sysfs", fs_root, "sys", 0755);
    struct dentry *kernel = fs_boot_directory(sys, "kernel", 0755);
    struct dentry *mm = fs_boot_directory(kernel, "mm", 0755);
    struct dentry *devices = fs_boot_directory(sys, "devices", 0755);
    struct dentry *system = fs_boot_directory(devices, "system", 0755);

    hugetlb_boot_files(mm);
    thp_boot_files(mm);
    secret_boot_files(mm);
    udmabuf_boot_files(sys);
    hibernation_boot_files(sys);
    cpus_boot_init(fs_boot_directory(system, "cpu", 0755));
    nodes_boot_init(fs_boot_directory(system, "node", 0755));
    debug_boot_init(mount_boot("debugfs", kernel, "debug", 0700));
}

void proc_boot_init(const char *cmdline)
{
    struct dentry *proc = mount_boot("proc", fs_root, "proc", 0555);
    struct dentry *sys = fs_boot_directory(proc, "sys", 0555);
    struct dentry *kernel = fs_boot_directory(sys, "kernel", 0555);

    kernel_cmdline = cmdline;
    thp_boot_option(cmdline);
    secret_boot_options(cmdline);
    tlb_boot_options(cmdline);
    TEXT_FILES_BOOT(proc, proc_files);
    files_until_last(proc, proc_meminfo_files);
    files_until_last(proc, proc_machine_files);
    files_until_last(proc, proc_kpage_files);
    struct dentry *vm = fs_boot_directory(sys, "vm", 0555);
    TEXT_FILES_BOOT(vm, proc_sys_vm);
    tlb_boot_files(vm);
    hugetlb_boot_settings(vm);
    TEXT_FILES_BOOT(kernel, proc_sys_kernel);
    ipc_boot_files(proc, kernel);
    TEXT_FILES_BOOT(fs_boot_directory(kernel, "random", 0555), proc_sys_random);
    proc_pid_boot_init(proc);
    proc_net_boot_init(proc);
    fs_boot_link(proc, "mounts", "self/mounts");
    sys_boot_init();
}
