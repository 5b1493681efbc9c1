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
#include <uapi/errno.h>

struct number {
    struct text_kind kind;
    uint64_t *value;
    bool (*fits)(uint64_t value);
};

static bool is_block(uint64_t pages)
{
    return pages && pages <= SECRET_BLOCK_PAGES_MAX && !(pages & (pages - 1));
}

static bool is_pages(uint64_t pages)
{
    return pages <= UINT32_MAX;
}

static int show_number(struct text *t, struct dentry *dentry)
{
    const struct number *n = container_of(text_kind_of(dentry), struct number, kind);

    text_add(t, "%lu\n", READ_ONCE(*n->value));
    return 0;
}

static int store_number(const struct text_kind *kind, const char *word)
{
    const struct number *n = container_of(kind, struct number, kind);
    uint64_t value;

    if (parse_number(word, &value) || !n->fits(value))
        return -EINVAL;
    WRITE_ONCE(*n->value, value);
    secret_pool_changed();
    return 0;
}

#define NUMBER(name)                                                \
    {                                                               \
        name, 0644, .show = show_number, .store_word = store_number \
    }

static const struct number numbers[] = {
    {NUMBER("pool_pages"), &secret_pool_settings.block_pages, is_block},
    {NUMBER("pool_low"), &secret_pool_settings.low, is_pages},
    {NUMBER("pool_max"), &secret_pool_settings.max, is_pages},
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

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        text_file_boot(dir, &numbers[i].kind);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        text_file_boot(dir, &others[i]);
}

void secret_boot_options(const char *cmdline)
{
    char name[32], word[16];

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        snprintf(name, sizeof(name), "secretmem.%s", numbers[i].kind.name);
        if (!parse_option(cmdline, name, word, sizeof(word)) &&
            store_number(&numbers[i].kind, word))
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
