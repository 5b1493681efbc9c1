/* SPDX-License-Identifier: MIT */
/*
 * kernel/secret_files.c - /sys/kernel/mm/secretmem, secretmem.pool_*=, lines of vmstat
 *
 * Room:   kernel.
 * Owns:   how the settings of the pool of hidden pages are named.
 * Locks:  none: a setting is one word.
 * Always: (1) a setting that could not be understood stays as it was;
 *         (2) when a write returns, what is unused and too much by the new setting is given back.
 * Source: beyond-linux.md 1: Linux has none of these.
 * Tour:   after kernel/proc.c and include/mm/secretmem.h.
 */
#include "proc.h"

#include "fs.h"
#include "text_file.h"
#include <base/log.h>
#include <lib/addr.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/secretmem.h>

static bool is_block(uint64_t pages)
{
    return !(pages & (pages - 1));
}

static int changed(void)
{
    secret_pool_changed();
    return 0;
}

static const struct setting block_pages = {.value = &secret_pool_settings.block_pages,
                                           .max = SECRET_BLOCK_PAGES_MAX,
                                           .changed = changed,
                                           .min = 1,
                                           .fits = is_block};
static const struct setting low = {
    .value = &secret_pool_settings.low, .max = UINT32_MAX, .changed = changed};
static const struct setting most = {
    .value = &secret_pool_settings.max, .max = UINT32_MAX, .changed = changed};

static const struct text_kind numbers[] = {
    {"pool_pages", 0644, .setting = &block_pages},
    {"pool_low", 0644, .setting = &low},
    {"pool_max", 0644, .setting = &most},
};

static int show_free_pages(struct text *t, struct dentry *dentry)
{
    struct secret_pool_counts counts;
    (void)dentry;

    secret_pool_counts(&counts);
    text_add(t, "%lu\n", counts.pages - counts.secret);
    return 0;
}

static int show_blocks(struct text *t, struct dentry *dentry)
{
    struct secret_pool_counts counts;
    (void)dentry;

    secret_pool_counts(&counts);
    text_add(t, "%lu\n", counts.blocks);
    return 0;
}

static int store_shrink(uint64_t number)
{
    (void)number;
    secret_pool_shrink();
    return 0;
}

static const struct text_kind others[] = {
    {"free_pages", 0444, .show = show_free_pages},
    {"blocks", 0444, .show = show_blocks},
    {"shrink", 0200, .store = store_shrink},
};

void secret_boot_files(struct dentry *mm)
{
    struct dentry *dir = fs_boot_directory(mm, "secretmem", 0755);

    TEXT_FILES_BOOT(dir, numbers);
    TEXT_FILES_BOOT(dir, others);
}

void secret_boot_options(const char *cmdline)
{
    char name[32], word[16];
    uint64_t number;

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        snprintf(name, sizeof(name), "secretmem.%s", numbers[i].name);
        if (!parse_option(cmdline, name, word, sizeof(word)) &&
            (parse_number(word, &number) || setting_change(numbers[i].setting, number)))
            log_warn("%s=%s is not understood", name, word);
    }
}

void secret_add_vmstat(struct text *t)
{
    struct secret_pool_counts counts;

    secret_pool_counts(&counts);
    text_add(t, "secretmem_pool_blocks %lu\n", counts.blocks);
    text_add(t, "secretmem_pool_free %lu\n", counts.pages - counts.secret);
    text_add(t, "secretmem_pool_unused %lu\n", counts.unused);
    text_add(t, "secretmem_fills %lu\n", counts.fills);
    text_add(t, "secretmem_fill_pages %lu\n", counts.fill_pages);
    text_add(t, "secretmem_returns %lu\n", counts.returns);
    text_add(t, "secretmem_blank_hits %lu\n", counts.blank_hits);
    text_add(t, "secretmem_zeroed %lu\n", counts.carves);
}
