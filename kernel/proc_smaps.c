/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_smaps.c - /proc/PID/smaps, smaps_rollup, numa_maps: what each area really uses
 *
 * Room:   kernel.
 * Owns:   their formats.
 * Locks:  mmap_lock (reading) while areas are written down.
 * Always: (1) formats are Linux's to the blank.
 * Source: proc_pid_smaps(5).
 * Tour:   after kernel/proc_text.c and mm/usage.c.
 */
#include "proc.h"

#include "fs.h"
#include "mempolicy.h"
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/object.h>
#include <mm/slab.h>
#include <mm/usage.h>
#include <uapi/errno.h>
#include <uapi/misc.h>

/* In what units @vma is mapped, if no larger one just fits. */
static uint64_t unit_of(const struct vma *vma)
{
    return vma->flags & VM_HUGETLB ? object_folio_bytes(vma->object) : PAGE_SIZE;
}

/* "%-15s %8lu kB\n", without reading a format a hundred times. */
static void add_kib(struct text *t, const char *name, uint64_t bytes)
{
    char number[24];
    size_t digits = (size_t)(format_decimal(number, bytes / KIB) - number);
    size_t name_len = strlen(name);
    size_t blanks = max(name_len, 15UL) + 1 - name_len + max(digits, 8UL) - digits;
    char *at = text_add_begin(t, name_len + blanks + digits + sizeof(" kB\n"));

    if (!at)
        return;
    memcpy(at, name, name_len);
    memset(at + name_len, ' ', blanks);
    memcpy(at + name_len + blanks, number, digits);
    memcpy(at + name_len + blanks + digits, " kB\n", 4);
    t->len += name_len + blanks + digits + 4;
}

/* The lines that an area and the sum of all areas have in common. */
static void add_usage(struct text *t, const struct area_usage *u, bool sum, uint64_t locked)
{
    add_kib(t, "Rss:", u->resident);
    add_kib(t, "Pss:", u->share);
    add_kib(t, "Pss_Dirty:", u->share_dirty);
    if (sum) {
        add_kib(t, "Pss_Anon:", u->share_anon);
        add_kib(t, "Pss_File:", 0);
        add_kib(t, "Pss_Shmem:", u->share - u->share_anon);
    }
    add_kib(t, "Shared_Clean:", u->shared_clean);
    add_kib(t, "Shared_Dirty:", u->shared_dirty);
    add_kib(t, "Private_Clean:", u->private_clean);
    add_kib(t, "Private_Dirty:", u->private_dirty);
    add_kib(t, "Referenced:", u->referenced);
    add_kib(t, "Anonymous:", u->anonymous);
    add_kib(t, "KSM:", 0);
    add_kib(t, "LazyFree:", 0);
    add_kib(t, "AnonHugePages:", u->huge_anon);
    add_kib(t, "ShmemPmdMapped:", u->huge_object);
    add_kib(t, "FilePmdMapped:", 0);
    add_kib(t, "Shared_Hugetlb:", u->hugetlb_shared);
    add_kib(t, "Private_Hugetlb:", u->hugetlb_private);
    add_kib(t, "Swap:", 0);
    add_kib(t, "SwapPss:", 0);
    add_kib(t, "Locked:", locked);
}

static void add_flags(struct text *t, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        char name[4];
    } names[] = {
        {VM_READ, "rd "},         {VM_WRITE, "wr "},      {VM_EXEC, "ex "},
        {VM_SHARED, "sh "},       {VM_MAYREAD, "mr "},    {VM_MAYWRITE, "mw "},
        {VM_MAYEXEC, "me "},      {VM_SHARED, "ms "},     {VM_GROWSDOWN, "gd "},
        {VM_UFFD_MISSING, "um "}, {VM_UFFD_WP, "uw "},    {VM_LOCKED, "lo "},
        {VM_SEQ_READ, "sr "},     {VM_RAND_READ, "rr "},  {VM_DONTFORK, "dc "},
        {VM_LOCKONFAULT, "lf "},  {VM_ACCOUNT, "ac "},    {VM_NORESERVE, "nr "},
        {VM_HUGETLB, "ht "},      {VM_WIPEONFORK, "wf "}, {VM_DONTDUMP, "dd "},
        {VM_SOFT_DIRTY, "sd "},   {VM_HUGEPAGE, "hg "},   {VM_NOHUGEPAGE, "nh "},
        {VM_UFFD_MINOR, "ui "},   {VM_SEALED, "sl "},
    };

    text_add(t, "VmFlags: ");
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (flags & names[i].flag)
            text_add_bytes(t, names[i].name, 3);
    text_add_bytes(t, "\n", 1);
}

static void add_area(struct text *t, struct vma *vma, struct area_usage *u)
{
    area_usage_add(vma, u);
    add_kib(t, "Size:", vma->end - vma->start);
    add_kib(t, "KernelPageSize:", unit_of(vma));
    add_kib(t, "MMUPageSize:", unit_of(vma));
    add_usage(t, u, false, vma->flags & VM_LOCKED ? u->share : 0);
    text_add(t, "THPeligible:    %8u\n", area_takes_huge(vma));
    if (cpu_has(CPU_PKU))
        text_add(t, "ProtectionKey:  %8u\n", vma->pkey);
    add_flags(t, vma->flags);
}

static void add_line_and_area(struct text *t, struct vma *vma, char *path, size_t size)
{
    struct area_usage u = {0};

    proc_add_area(t, vma, path, size);
    add_area(t, vma, &u);
}

static int show_smaps(struct text *t, struct dentry *dentry)
{
    return proc_add_areas(t, dentry, add_line_and_area);
}

static int show_rollup(struct text *t, struct dentry *dentry)
{
    struct mm *mm = proc_mm(proc_pid(dentry->parent));
    struct area_usage u = {0};
    uint64_t start = 0, end = 0, locked = 0;
    if (!mm)
        return -ESRCH;
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma)) {
        uint64_t before = u.share;
        area_usage_add(vma, &u);
        locked += vma->flags & VM_LOCKED ? u.share - before : 0;
        start = start ? start : vma->start;
        end = vma->end;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    mm_put(mm);
    text_add(t, "%08lx-%08lx ---p 00000000 00:00 0 %26s[rollup]\n", start, end, "");
    add_usage(t, &u, true, locked);
    return 0;
}

/* numa_maps: there is one node */

static void add_numa_usage(struct text *t, const struct vma *vma, const struct area_usage *u)
{
    uint64_t unit = unit_of(vma), hugetlb = u->hugetlb_private + u->hugetlb_shared;
    uint64_t pages = (u->resident + hugetlb) / unit, anon = u->anonymous / unit;
    uint64_t dirty = (u->shared_dirty + u->private_dirty) / unit;

    if (!pages)
        return;
    if (anon)
        text_add(t, " anon=%lu", anon);
    if (dirty)
        text_add(t, " dirty=%lu", dirty);
    if (pages != anon && pages != dirty)
        text_add(t, " mapped=%lu", pages);
    if (u->most_leaves > 1)
        text_add(t, " mapmax=%lu", u->most_leaves);
    text_add(t, " N0=%lu kernelpagesize_kB=%lu", pages, unit / KIB);
}

static void add_numa_area(struct text *t, struct vma *vma, char *path, size_t size)
{
    struct area_usage u = {0};
    int len = proc_area_name(vma, path, size);
    char policy[48];

    area_usage_add(vma, &u);
    text_add(t, "%08lx %s", vma->start, mempolicy_name(vma->mempolicy, policy, sizeof(policy)));
    if (vma->object && len > 0)
        text_add(t, " file=%s", path);
    else if (vma->flags & (VM_HEAP | VM_STACK))
        text_add(t, vma->flags & VM_HEAP ? " heap" : " stack");
    if (vma->flags & VM_HUGETLB)
        text_add(t, " huge");
    add_numa_usage(t, vma, &u);
    text_add(t, "\n");
}

static int show_numa_maps(struct text *t, struct dentry *dentry)
{
    return proc_add_areas(t, dentry, add_numa_area);
}

const struct text_kind proc_smaps = {"smaps", 0444, .open = proc_may_look,
                                     .show_piece = show_smaps};
const struct text_kind proc_smaps_rollup = {"smaps_rollup", 0444, .open = proc_open_memory,
                                            .show = show_rollup};
const struct text_kind proc_numa_maps = {"numa_maps", 0444, .open = proc_may_look,
                                         .show_piece = show_numa_maps};
