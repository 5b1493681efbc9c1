/* SPDX-License-Identifier: MIT */
/*
 * kernel/thp_files.c - /sys/kernel/mm/transparent_hugepage, and what vmstat says of huge pages
 *
 * Room:   kernel.
 * Owns:   the settings that Linux has and nothing here heeds: they keep what was written.
 * Locks:  none: a setting is one word.
 * Always: (1) a setting that could not be understood stays as it was.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst.
 * Tour:   after kernel/proc.c and include/mm/thp.h.
 */
#include "proc.h"

#include "fs.h"
#include "khugepaged.h"
#include <base/log.h>
#include <lib/addr.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/thp.h>
#include <uapi/errno.h>

static int store_shmem(const struct text_kind *kind, const char *word)
{
    int err = choice_store(kind, word);
    unsigned setting = READ_ONCE(shmem_huge_setting);

    if (!err && setting < SHMEM_HUGE_DENY)
        WRITE_ONCE(shmem_huge_no_mount, setting);
    return err;
}

static unsigned defrag = 3;

#define CHOICE(name)                                                \
    {                                                               \
        name, 0644, .show = choice_show, .store_word = choice_store \
    }

static const struct choice choices[] = {
    {CHOICE("enabled"), {"always", "madvise", "never"}, &thp_mode, khugepaged_settings_changed},
    {CHOICE("defrag"), {"always", "defer", "defer+madvise", "madvise", "never"}, &defrag, NULL},
    {{"shmem_enabled", 0644, .show = choice_show, .store_word = store_shmem},
     {"always", "within_size", "advise", "never", "deny", "force"},
     &shmem_huge_setting,
     NULL},
};

static uint64_t huge_bytes = HUGE_SIZE;
static uint64_t defrag_too = 1;

/* What khugepaged does by it changes at once. */
#define NUMBER(called, number, least, most)                                                    \
    {                                                                                          \
        .name = called, .rights = 0644, .setting = &(const struct setting)                     \
        {                                                                                      \
            .value = number, .min = least, .max = most, .changed = khugepaged_settings_changed \
        }                                                                                      \
    }
#define CONSTANT(called, number)                                           \
    {                                                                      \
        .name = called, .rights = 0444, .setting = &(const struct setting) \
        {                                                                  \
            .value = number                                                \
        }                                                                  \
    }

static const struct text_kind numbers[] = {
    NUMBER("use_zero_page", &thp_use_zeros, 0, 1),
    CONSTANT("hpage_pmd_size", &huge_bytes),
};

static const struct text_kind khugepaged[] = {
    NUMBER("alloc_sleep_millisecs", &khugepaged_pace.alloc_sleep_ms, 0, UINT32_MAX),
    NUMBER("scan_sleep_millisecs", &khugepaged_pace.scan_sleep_ms, 0, UINT32_MAX),
    NUMBER("pages_to_scan", &khugepaged_pace.pages_to_scan, 1, UINT32_MAX),
    NUMBER("defrag", &defrag_too, 0, 1),
    NUMBER("max_ptes_none", &thp_scan_limits.none, 0, 511),
    NUMBER("max_ptes_shared", &thp_scan_limits.shared, 0, 511),
    NUMBER("max_ptes_swap", &thp_scan_limits.swap, 0, 511),
    CONSTANT("full_scans", &thp_full_scans),
    CONSTANT("pages_collapsed", &thp_pages_collapsed),
};

void thp_boot_files(struct dentry *mm)
{
    struct dentry *dir = fs_boot_directory(mm, "transparent_hugepage", 0755);
    struct dentry *below = fs_boot_directory(dir, "khugepaged", 0755);

    for (unsigned i = 0; i < ARRAY_SIZE(choices); i++)
        text_file_boot(dir, &choices[i].kind);
    TEXT_FILES_BOOT(dir, numbers);
    TEXT_FILES_BOOT(below, khugepaged);
}

void thp_boot_option(const char *cmdline)
{
    static const struct {
        const char *name;
        const struct text_kind *kind;
    } options[] = {
        {"transparent_hugepage", &choices[0].kind},
        {"transparent_hugepage_shmem", &choices[2].kind},
    };
    char word[16];

    for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
        if (!parse_option(cmdline, options[i].name, word, sizeof(word)) &&
            options[i].kind->store_word(options[i].kind, word))
            log_warn("%s=%s is not understood", options[i].name, word);
}

void thp_add_vmstat(struct text *t)
{
    static const char *const names[THP_EVENTS_COUNTED] = {
        [THP_FAULT_ALLOC] = "thp_fault_alloc",
        [THP_FAULT_FALLBACK] = "thp_fault_fallback",
        [THP_COLLAPSE_ALLOC] = "thp_collapse_alloc",
        [THP_COLLAPSE_ALLOC_FAILED] = "thp_collapse_alloc_failed",
        [THP_FILE_ALLOC] = "thp_file_alloc",
        [THP_FILE_FALLBACK] = "thp_file_fallback",
        [THP_FILE_MAPPED] = "thp_file_mapped",
        [THP_ZERO_PAGE_ALLOC] = "thp_zero_page_alloc",
        [THP_ZERO_PAGE_ALLOC_FAILED] = "thp_zero_page_alloc_failed",
        [THP_SPLIT_PAGE] = "thp_split_page",
        [THP_SPLIT_PMD] = "thp_split_pmd",
    };

    text_add(t, "nr_anon_transparent_hugepages %lu\n", thp_events(THP_ANON));
    text_add(t, "nr_shmem_hugepages %lu\n", thp_events(THP_SHMEM));
    text_add(t, "nr_shmem_pmdmapped %lu\n", thp_events(THP_OBJECT));
    for (unsigned i = 0; i < THP_EVENTS_COUNTED; i++)
        text_add(t, "%s %lu\n", names[i], thp_events(i));
}
