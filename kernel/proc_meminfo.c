/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_meminfo.c - meminfo, vmstat, buddyinfo, zoneinfo, slabinfo: what memory is used for
 *
 * Room:   kernel.
 * Owns:   their formats. There is one node with one zone.
 * Locks:  none of its own.
 * Always: (1) formats are Linux's to the blank: programs parse them by column;
 *         (2) a number that does not exist here (a disk's, a swap's) is told as 0.
 * Source: proc_meminfo(5), proc_vmstat(5), proc_buddyinfo(5), slabinfo(5).
 * Tour:   after kernel/proc.c.
 */
#include "load.h"
#include "proc.h"
#include "task.h"
#include "text_file.h"
#include "tlb_files.h"
#include <asm/context.h>
#include <asm/direct_map.h>
#include <asm/tlb.h>
#include <mm/buddy.h>
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <mm/object.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <mm/thp.h>
#include <mm/usage.h>

#define PAGE_KIB (PAGE_SIZE / KIB)

/* Pages that may be reclaimed by nobody: secret, or held by the program. */
struct held {
    uint64_t locked, unevictable;
};

static struct held held_now(const struct page_counts *pages)
{
    uint64_t locked = mms_locked_pages();
    return (struct held){locked, max(locked, pages->frames[PAGE_SECRET])};
}

/* meminfo */

static void add_kib(struct text *t, const char *name, uint64_t pages)
{
    text_add(t, "%-15s %8lu kB\n", name, pages * PAGE_KIB);
}

static void add_use(struct text *t, const struct page_counts *pages)
{
    uint64_t anon = pages->frames[PAGE_ANON], object = pages->frames[PAGE_OBJECT];
    struct held held = held_now(pages);
    struct secret_pool_counts secrets;

    secret_pool_counts(&secrets);
    add_kib(t, "MemTotal:", pages->total);
    add_kib(t, "MemFree:", pages->free);
    add_kib(t, "MemAvailable:", pages->free + secrets.unused);
    add_kib(t, "Buffers:", 0);
    add_kib(t, "Cached:", object);
    add_kib(t, "SwapCached:", 0);
    add_kib(t, "Active:", anon + object); /* nothing is ever told apart by age */
    add_kib(t, "Inactive:", 0);
    add_kib(t, "Active(anon):", anon + object);
    add_kib(t, "Inactive(anon):", 0);
    add_kib(t, "Active(file):", 0);
    add_kib(t, "Inactive(file):", 0);
    add_kib(t, "Unevictable:", held.unevictable);
    add_kib(t, "Mlocked:", held.locked);
    add_kib(t, "SwapTotal:", 0);
    add_kib(t, "SwapFree:", 0);
    add_kib(t, "Dirty:", 0);
    add_kib(t, "Writeback:", 0);
    add_kib(t, "AnonPages:", anon);
    add_kib(t, "Shmem:", object);
}

static void add_kernel_use(struct text *t, const struct page_counts *pages)
{
    add_kib(t, "KReclaimable:", 0);
    add_kib(t, "Slab:", pages->frames[PAGE_SLAB]);
    add_kib(t, "SReclaimable:", 0);
    add_kib(t, "SUnreclaim:", pages->frames[PAGE_SLAB]);
    add_kib(t, "KernelStack:", kstack_total_bytes() / PAGE_SIZE);
    add_kib(t, "PageTables:", pages->frames[PAGE_TABLE]);
    add_kib(t, "SecPageTables:", 0);
    add_kib(t, "NFS_Unstable:", 0);
    add_kib(t, "Bounce:", 0);
    add_kib(t, "WritebackTmp:", 0);
    add_kib(t, "CommitLimit:", commit_limit());
    add_kib(t, "Committed_AS:", commit_sum());
    add_kib(t, "SecretMem:", secretmem_pages());
}

static void add_huge_pages(struct text *t)
{
    struct hugetlb_pool *pool = hugetlb_pool_of(0);
    struct hugetlb_counts huge;

    hugetlb_counts(pool, &huge);
    add_kib(t, "AnonHugePages:", thp_events(THP_ANON) * (HUGE_SIZE / PAGE_SIZE));
    add_kib(t, "ShmemHugePages:", thp_events(THP_SHMEM) * (HUGE_SIZE / PAGE_SIZE));
    add_kib(t, "ShmemPmdMapped:", thp_events(THP_OBJECT) * (HUGE_SIZE / PAGE_SIZE));
    add_kib(t, "FileHugePages:", 0);
    add_kib(t, "FilePmdMapped:", 0);
    text_add(t, "HugePages_Total:   %5lu\n", huge.total);
    text_add(t, "HugePages_Free:    %5lu\n", huge.free);
    text_add(t, "HugePages_Rsvd:    %5lu\n", huge.reserved);
    text_add(t, "HugePages_Surp:    %5lu\n", huge.surplus);
    text_add(t, "%-15s %8lu kB\n", "Hugepagesize:", hugetlb_pool_bytes(pool) / KIB);
    text_add(t, "%-15s %8lu kB\n", "Hugetlb:", hugetlb_frames() * PAGE_KIB);
}

static void add_direct_map(struct text *t)
{
    struct direct_map_counts dm;

    direct_map_counts(&dm);
    add_kib(t, "DirectMap4k:", dm.leaves[PT_4K]);
    add_kib(t, "DirectMap2M:", dm.leaves[PT_2M] * (HUGE_SIZE / PAGE_SIZE));
    add_kib(t, "DirectMap1G:", dm.leaves[PT_1G] * (GIGA_SIZE / PAGE_SIZE));
}

static int show_meminfo(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    (void)dentry;

    page_counts(&pages);
    add_use(t, &pages);
    add_kernel_use(t, &pages);
    add_huge_pages(t);
    add_direct_map(t);
    return 0;
}

static int show_node_meminfo(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    struct hugetlb_counts huge;
    (void)dentry;

    page_counts(&pages);
    hugetlb_counts(hugetlb_pool_of(0), &huge);
    const struct {
        const char *name;
        uint64_t pages;
    } lines[] = {
        {"MemTotal:", pages.total},
        {"MemFree:", pages.free},
        {"MemUsed:", pages.total - pages.free},
        {"FilePages:", pages.frames[PAGE_OBJECT]},
        {"AnonPages:", pages.frames[PAGE_ANON]},
        {"Shmem:", pages.frames[PAGE_OBJECT]},
        {"KernelStack:", kstack_total_bytes() / PAGE_SIZE},
        {"PageTables:", pages.frames[PAGE_TABLE]},
        {"Slab:", pages.frames[PAGE_SLAB]},
        {"AnonHugePages:", thp_events(THP_ANON) * (HUGE_SIZE / PAGE_SIZE)},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
        text_add(t, "Node 0 %-15s %8lu kB\n", lines[i].name, lines[i].pages * PAGE_KIB);
    text_add(t, "Node 0 HugePages_Total: %5lu\nNode 0 HugePages_Free:  %5lu\n", huge.total,
             huge.free);
    text_add(t, "Node 0 HugePages_Surp:  %5lu\n", huge.surplus);
    return 0;
}

/* vmstat */

/* What is of the node, in zoneinfo too. */
static void add_node_counts(struct text *t, const struct page_counts *pages, const char *before)
{
    struct held held = held_now(pages);
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"nr_unevictable", held.unevictable},
        {"nr_slab_reclaimable", 0},
        {"nr_slab_unreclaimable", pages->frames[PAGE_SLAB]},
        {"nr_anon_pages", pages->frames[PAGE_ANON]},
        {"nr_file_pages", pages->frames[PAGE_OBJECT]},
        {"nr_dirty", 0},
        {"nr_writeback", 0},
        {"nr_shmem", pages->frames[PAGE_OBJECT]},
        {"nr_kernel_stack", kstack_total_bytes() / KIB},
        {"nr_page_table_pages", pages->frames[PAGE_TABLE]},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
        text_add(t, "%s%s %lu\n", before, lines[i].name, lines[i].value);
}

static int show_vmstat(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    struct direct_map_counts dm;
    (void)dentry;

    page_counts(&pages);
    direct_map_counts(&dm);
    text_add(t, "nr_free_pages %lu\n", pages.free);
    text_add(t, "nr_mlock %lu\n", mms_locked_pages());
    add_node_counts(t, &pages, "");
    text_add(t, "pswpin 0\npswpout 0\npgfault %lu\npgmajfault 0\n", load_nr_faults());
    tlb_add_vmstat(t);
    text_add(t, "direct_map_level2_splits %lu\n", dm.splits[PT_2M]);
    text_add(t, "direct_map_level3_splits %lu\n", dm.splits[PT_1G]);
    text_add(t, "direct_map_level2_collapses %lu\n", dm.heals[PT_2M]);
    text_add(t, "direct_map_level3_collapses %lu\n", dm.heals[PT_1G]);
    thp_add_vmstat(t);
    secret_add_vmstat(t);
    return 0;
}

/* buddyinfo, zoneinfo: what was never touched is free blocks of the largest order */

static int show_buddyinfo(struct text *t, struct dentry *dentry)
{
    uint64_t blocks[PAGE_ORDER_MAX + 1];
    struct page_counts pages;
    (void)dentry;

    buddy_free_blocks(blocks);
    page_counts(&pages);
    blocks[PAGE_ORDER_MAX] += pages.frames[PAGE_FRESH] >> PAGE_ORDER_MAX;
    text_add(t, "Node 0, zone   Normal ");
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        text_add(t, "%6lu ", blocks[order]);
    text_add(t, "\n");
    return 0;
}

static int show_zoneinfo(struct text *t, struct dentry *dentry)
{
    struct page_counts pages;
    (void)dentry;

    page_counts(&pages);
    text_add(t, "Node 0, zone   Normal\n  per-node stats\n");
    add_node_counts(t, &pages, "      ");
    text_add(t,
             "  pages free     %lu\n        boost    0\n        min      0\n        low      0\n"
             "        high     0\n",
             pages.free);
    text_add(t, "        spanned  %lu\n        present  %lu\n        managed  %lu\n", pages.total,
             pages.total, pages.total - pages.frames[PAGE_RESERVED]);
    text_add(t, "      nr_free_pages %lu\n  start_pfn:           0\n", pages.free);
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

const struct text_kind proc_meminfo_files[] = {
    {"meminfo", 0444, .show = show_meminfo},     {"vmstat", 0444, .show = show_vmstat},
    {"buddyinfo", 0444, .show = show_buddyinfo}, {"zoneinfo", 0444, .show = show_zoneinfo},
    {"slabinfo", 0400, .show = show_slabinfo},   {NULL},
};
const struct text_kind node_meminfo_files[] = {
    {"meminfo", 0444, .show = show_node_meminfo}, {"vmstat", 0444, .show = show_vmstat}, {NULL}};
