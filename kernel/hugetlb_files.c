/* SPDX-License-Identifier: MIT */
/*
 * kernel/hugetlb_files.c - the pools of huge pages, as files and as words of the command line
 *
 * Room:   kernel.
 * Owns:   /sys/kernel/mm/hugepages, the same below a node, and their relatives in /proc/sys/vm.
 * Locks:  none of its own.
 * Always: (1) a directory of one size has its pool in its inode; /proc/sys/vm has none, and means
 *             the usual size;
 *         (2) a number that could not be understood changes nothing.
 * Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   after kernel/thp_files.c and include/mm/hugetlb.h.
 */
#include "hugetlb_files.h"

#include "fs.h"
#include "text_file.h"
#include <base/log.h>
#include <lib/addr.h>
#include <lib/format.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/hugetlb.h>
#include <uapi/errno.h>

/* Files */

static struct hugetlb_pool *pool_of(const struct dentry *file)
{
    uint64_t pool = file->parent->inode->private;
    return pool ? (struct hugetlb_pool *)pool : hugetlb_pool_of(0);
}

static struct hugetlb_counts counts_of(const struct dentry *file)
{
    struct hugetlb_counts counts;

    hugetlb_counts(pool_of(file), &counts);
    return counts;
}

static int show_number(struct text *t, uint64_t number)
{
    text_add(t, "%lu\n", number);
    return 0;
}

static int show_total(struct text *t, struct dentry *dentry)
{
    return show_number(t, counts_of(dentry).total);
}

/* What was asked for, or as much of it as could be had. */
static int show_wanted(struct text *t, struct dentry *dentry)
{
    struct hugetlb_counts counts = counts_of(dentry);
    return show_number(t, counts.total - counts.surplus);
}

static int show_free(struct text *t, struct dentry *dentry)
{
    return show_number(t, counts_of(dentry).free);
}

static int show_reserved(struct text *t, struct dentry *dentry)
{
    return show_number(t, counts_of(dentry).reserved);
}

static int show_surplus(struct text *t, struct dentry *dentry)
{
    return show_number(t, counts_of(dentry).surplus);
}

static int show_overcommit(struct text *t, struct dentry *dentry)
{
    return show_number(t, hugetlb_pool_overcommit(pool_of(dentry)));
}

/* Digits, and a line's end. */
static int parse_digits(const char *text, size_t len, uint64_t *number)
{
    char digits[24];

    len -= len && text[len - 1] == '\n';
    if (len >= sizeof(digits))
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return parse_number(digits, number);
}

static int store_wanted(struct dentry *dentry, const char *text, size_t len)
{
    uint64_t wanted;

    int err = parse_digits(text, len, &wanted);
    if (!err)
        hugetlb_pool_resize(pool_of(dentry), wanted);
    return err;
}

static int store_overcommit(struct dentry *dentry, const char *text, size_t len)
{
    uint64_t most;

    int err = parse_digits(text, len, &most);
    return err ? err : hugetlb_pool_set_overcommit(pool_of(dentry), most);
}

static int store_demote(struct dentry *dentry, const char *text, size_t len)
{
    uint64_t nr;

    int err = parse_digits(text, len, &nr);
    if (!err)
        hugetlb_pool_demote(pool_of(dentry), nr);
    return err;
}

static int show_demote_size(struct text *t, struct dentry *dentry)
{
    text_add(t, "%lukB\n", hugetlb_pool_bytes(hugetlb_pool_below(pool_of(dentry))) / KIB);
    return 0;
}

static const struct text_kind settings[] = {
    {"nr_hugepages", 0644, .show = show_wanted, .store_text = store_wanted},
    {"nr_hugepages_mempolicy", 0644, .show = show_wanted, .store_text = store_wanted},
    {"nr_overcommit_hugepages", 0644, .show = show_overcommit, .store_text = store_overcommit},
};

static const struct text_kind files[] = {
    {"nr_hugepages", 0644, .show = show_total, .store_text = store_wanted},
    {"nr_hugepages_mempolicy", 0644, .show = show_total, .store_text = store_wanted},
    {"nr_overcommit_hugepages", 0644, .show = show_overcommit, .store_text = store_overcommit},
    {"free_hugepages", 0444, .show = show_free},
    {"resv_hugepages", 0444, .show = show_reserved},
    {"surplus_hugepages", 0444, .show = show_surplus},
};

/* There is one node: what it has is what there is. */
static const struct text_kind node_files[] = {
    {"nr_hugepages", 0644, .show = show_total, .store_text = store_wanted},
    {"free_hugepages", 0444, .show = show_free},
    {"surplus_hugepages", 0444, .show = show_surplus},
};

/* Of a size that can be cut into smaller ones. */
static const struct text_kind demote_files[] = {
    {"demote", 0200, .store_text = store_demote},
    {"demote_size", 0444, .show = show_demote_size},
};

static void files_boot(struct dentry *above, const struct text_kind *kinds, unsigned nr)
{
    struct dentry *dir = fs_boot_directory(above, "hugepages", 0755);
    struct hugetlb_pool *pool;
    char name[32];

    for (unsigned n = 0; (pool = hugetlb_pool_nth(n)); n++) {
        snprintf(name, sizeof(name), "hugepages-%lukB", hugetlb_pool_bytes(pool) / KIB);
        struct dentry *of_pool = fs_boot_directory(dir, name, 0755);
        of_pool->inode->private = (uint64_t)pool;
        text_files_boot(of_pool, kinds, nr);
        if (kinds == files && hugetlb_pool_below(pool))
            TEXT_FILES_BOOT(of_pool, demote_files);
    }
}

void hugetlb_boot_files(struct dentry *mm)
{
    files_boot(mm, files, ARRAY_SIZE(files));
}

void hugetlb_boot_node_files(struct dentry *node)
{
    files_boot(node, node_files, ARRAY_SIZE(node_files));
}

void hugetlb_boot_settings(struct dentry *vm)
{
    TEXT_FILES_BOOT(vm, settings);
}

/* The command line */

/* How many pages of which size. The size that was named last counts for the numbers that follow. */
struct wanted {
    struct hugetlb_pool *pool; /* NULL: none was named yet, and the usual size is meant */
    bool unknown;              /* there are no pages of the size named last */
    uint64_t usual;            /* of the size that turns out to be usual */
};

static struct hugetlb_pool *parse_size(const char *text)
{
    uint64_t bytes;

    return parse_number(text, &bytes) ? NULL : hugetlb_pool_of_bytes(bytes);
}

static void take_size(struct wanted *w, const char *text, bool usual)
{
    struct hugetlb_pool *pool = parse_size(text);

    w->unknown = !pool;
    if (!pool) {
        log_warn("there are no huge pages of %s", text);
        return;
    }
    w->pool = pool;
    if (usual)
        hugetlb_pool_make_default(pool);
}

static void fill(struct hugetlb_pool *pool, uint64_t wanted)
{
    struct hugetlb_counts counts;

    hugetlb_pool_resize(pool, wanted);
    hugetlb_counts(pool, &counts);
    if (counts.total < wanted)
        log_warn("hugepages=%lu: only %lu could be had", wanted, counts.total);
}

static void take_number(struct wanted *w, const char *text)
{
    uint64_t number;

    if (w->unknown || parse_number(text, &number))
        log_warn("hugepages=%s is not heeded", text);
    else if (w->pool)
        fill(w->pool, number);
    else
        w->usual = number;
}

/* What follows @key in @word, or NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t len = strlen(key);
    return strncmp(word, key, len) ? NULL : word + len;
}

static void take_word(struct wanted *w, const char *word)
{
    const char *value;

    if ((value = value_of(word, "hugepagesz=")))
        take_size(w, value, false);
    else if ((value = value_of(word, "default_hugepagesz=")))
        take_size(w, value, true);
    else if ((value = value_of(word, "hugepages=")))
        take_number(w, value);
}

void hugetlb_boot_options(const char *cmdline)
{
    struct wanted wanted = {0};
    char word[48];

    while (*cmdline) {
        size_t len = 0;
        while (cmdline[len] && cmdline[len] != ' ')
            len++;
        if (len < sizeof(word)) {
            memcpy(word, cmdline, len);
            word[len] = '\0';
            take_word(&wanted, word);
        }
        cmdline += len + (cmdline[len] == ' ');
    }
    if (wanted.usual)
        fill(hugetlb_pool_of(0), wanted.usual);
}
