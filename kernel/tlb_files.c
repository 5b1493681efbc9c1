/* SPDX-License-Identifier: MIT */
/*
 * kernel/tlb_files.c - /proc/sys/vm/tlb_*, tlb.*=, and flushes in /proc/vmstat
 *
 * Room:   kernel.
 * Owns:   the names of policies and counters.
 * Locks:  none: a setting is one word, and each call looks once.
 * Always: (1) a setting that could not be understood stays as it was.
 * Source: docs/tlb.md; Linux include/linux/vm_event_item.h for the first four counters' names.
 * Tour:   after asm/tlb.h.
 */
#include "tlb_files.h"

#include "fs.h"
#include "limbod.h"
#include "text_file.h"
#include <asm/tlb.h>
#include <base/log.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/limbo.h>
#include <uapi/errno.h>

static const struct choice policy = {
    {"tlb_policy", 0644, .show = choice_show, .store_word = choice_store},
    {[TLB_SYNC] = "sync", [TLB_EARLY] = "early", [TLB_LATE] = "late", [TLB_REUSE] = "reuse"},
    &tlb_settings.policy,
    limbo_policy_changed};

static const struct choice roots = {
    {"tlb_roots", 0644, .show = choice_show, .store_word = choice_store},
    {[TLB_ROOTS_SHARED] = "shared", [TLB_ROOTS_PERCPU] = "percpu"},
    &tlb_settings.roots,
    NULL};

static const struct setting ceiling = {.value = &tlb_settings.ceiling, .max = UINT32_MAX},
                            lazy = {.value = &tlb_settings.lazy, .max = 1},
                            limbo_max = {.value = &limbo_frames_max, .max = UINT32_MAX};

static const struct text_kind files[] = {
    {"tlb_ceiling", 0644, .setting = &ceiling},
    {"tlb_lazy", 0644, .setting = &lazy},
    {"tlb_limbo_pages", 0644, .setting = &limbo_max},
};

void tlb_boot_files(struct dentry *dir)
{
    text_file_boot(dir, &policy.kind);
    text_file_boot(dir, &roots.kind);
    TEXT_FILES_BOOT(dir, files);
}

static void option_number(const char *cmdline, const char *name, const struct setting *setting)
{
    uint64_t number = parse_option_or(cmdline, name, *setting->value);

    if (setting_change(setting, number))
        log_warn("%s=%lu is too much", name, number);
}

static void option_ceiling(const char *cmdline)
{
    char word[8];

    if (parse_option(cmdline, "tlb.ceiling", word, sizeof(word)) || strcmp(word, "auto"))
        option_number(cmdline, "tlb.ceiling", &ceiling);
    else if (tlb_measure_ceiling(&tlb_settings.ceiling))
        log_warn("tlb.ceiling=auto: no memory to measure in");
}

static void option_word(const char *cmdline, const char *name, const struct choice *choice)
{
    char word[16];

    if (!parse_option(cmdline, name, word, sizeof(word)) && choice_store(&choice->kind, word))
        log_warn("%s=%s is not understood", name, word);
}

void tlb_boot_options(const char *cmdline)
{
    option_ceiling(cmdline);
    option_number(cmdline, "tlb.lazy", &lazy);
    option_word(cmdline, "tlb.policy", &policy);
    option_word(cmdline, "tlb.roots", &roots);
}

void tlb_add_vmstat(struct text *t)
{
    static const char *const names[TLB_EVENTS] = {
        [TLB_REMOTE_REQUEST] = "nr_tlb_remote_flush",
        [TLB_REMOTE_HANDLED] = "nr_tlb_remote_flush_received",
        [TLB_LOCAL_ALL] = "nr_tlb_local_flush_all",
        [TLB_LOCAL_ONE] = "nr_tlb_local_flush_one",
        [TLB_REMOTE_IPI] = "tlb_ipis",
        [TLB_SWITCH] = "tlb_switches",
        [TLB_SWITCH_KEPT] = "tlb_switches_kept",
        [TLB_LAZY_SPARED] = "tlb_lazy_spared",
        [TLB_LAZY_CAUGHT_UP] = "tlb_lazy_caught_up",
    };

    for (unsigned i = 0; i < TLB_EVENTS; i++)
        text_add(t, "%s %lu\n", names[i], tlb_events(i));
    text_add(t, "tlb_limbo %lu\n", limbo_frames());
}
