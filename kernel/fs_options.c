/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs_options.c - the options of a file system, as mount(2) gets them and /proc/mounts shows
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) an option that is not understood is refused, and all of them with it.
 * Source: tmpfs(5); Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   after kernel/superblock.c; then kernel/sys_mount.c.
 */
#include "cred.h"
#include "mount.h"

#include <lib/parse.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/thp.h>
#include <uapi/errno.h>

#define NO_LIMIT    UINT64_MAX
#define TMPFS_MODE  01777
#define ROOT_MODE   0755
#define MODE_RIGHTS 07777
#define NO_VALUE    NULL

static const char *const huge_words[] = {"always", "within_size", "advise", "never"};

static bool is_hugetlbfs(const struct fs_type *type)
{
    return type->file_ops == &hugetlb_ops;
}

static uint64_t half_of_memory(void)
{
    struct page_counts pages;

    page_counts(&pages);
    return pages.total / 2;
}

struct fs_options fs_options_default(const struct fs_type *type)
{
    struct fs_options o = {.max_pages = NO_LIMIT, .max_inodes = NO_LIMIT, .mode = ROOT_MODE};

    o.huge = SHMEM_HUGE_NEVER;
    if (!type->has_limits)
        return o;
    if (is_hugetlbfs(type)) {
        o.pool = hugetlb_pool_of(0);
        o.uid = cred_current()->user.fs;
        o.gid = cred_current()->group.fs;
    } else {
        o.max_pages = o.max_inodes = half_of_memory();
        o.mode = TMPFS_MODE;
    }
    return o;
}

/* A size in bytes, or "N%" of @whole bytes. */
static int parse_size(char *text, uint64_t whole, uint64_t *bytes)
{
    size_t len = strlen(text);
    bool percent = len && text[len - 1] == '%';

    if (percent)
        text[len - 1] = '\0';
    int err = parse_number(text, bytes);
    if (!err && percent)
        *bytes = whole / PAGE_SIZE * *bytes / 100 * PAGE_SIZE;
    return err ? -EINVAL : 0;
}

static int parse_octal(const char *text, uint32_t *out)
{
    uint32_t n = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '7' || n > UINT32_MAX >> 3)
            return -EINVAL;
        n = n << 3 | (uint32_t)(*text - '0');
    }
    *out = n & MODE_RIGHTS;
    return 0;
}

static int parse_id(const char *text, uint32_t *out)
{
    uint64_t n;

    if (parse_number(text, &n) || n >= UINT32_MAX)
        return -EINVAL;
    *out = n;
    return 0;
}

static int parse_huge(const char *text, struct fs_options *o)
{
    for (unsigned i = 0; i < ARRAY_SIZE(huge_words); i++) {
        if (!strcmp(text, huge_words[i])) {
            o->huge = i;
            o->says_huge = true;
            return 0;
        }
    }
    return -EINVAL;
}

/* Zero is no limit. */
static void limit_pages(struct fs_options *o, uint64_t pages)
{
    o->max_pages = pages ? pages : NO_LIMIT;
    o->says_pages = true;
}

static int parse_inodes(const char *text, struct fs_options *o)
{
    uint64_t n;

    if (parse_number(text, &n))
        return -EINVAL;
    o->max_inodes = n ? n : NO_LIMIT;
    o->says_inodes = true;
    return 0;
}

static int tmpfs_option(const char *key, char *value, struct fs_options *o)
{
    struct page_counts pages;
    uint64_t n;
    int err;

    page_counts(&pages);
    if (!strcmp(key, "size")) {
        err = parse_size(value, pages.total * PAGE_SIZE, &n);
        if (!err)
            limit_pages(o, round_up(n, PAGE_SIZE) / PAGE_SIZE);
        return err;
    }
    if (!strcmp(key, "nr_blocks")) {
        err = parse_number(value, &n) || n > INT64_MAX ? -EINVAL : 0;
        if (!err)
            limit_pages(o, n);
        return err;
    }
    return !strcmp(key, "huge") ? parse_huge(value, o) : -EINVAL;
}

static int parse_fs_size(char *text, struct fs_size *out)
{
    size_t len = strlen(text);

    out->said = true;
    out->percent = len && text[len - 1] == '%';
    if (out->percent)
        text[len - 1] = '\0';
    return parse_number(text, &out->amount) ? -EINVAL : 0;
}

/* Pages of which size: "pagesize=". */
static int parse_pool(const char *text, struct fs_options *o)
{
    uint64_t bytes;

    if (parse_number(text, &bytes))
        return -EINVAL;
    o->pool = hugetlb_pool_of_bytes(bytes);
    return o->pool ? 0 : -EINVAL;
}

static int hugetlbfs_option(const char *key, char *value, struct fs_options *o)
{
    if (!strcmp(key, "size"))
        return parse_fs_size(value, &o->size);
    if (!strcmp(key, "min_size"))
        return parse_fs_size(value, &o->min_size);
    return !strcmp(key, "pagesize") ? parse_pool(value, o) : -EINVAL;
}

/* In huge pages. */
static uint64_t in_pages(const struct fs_size *size, struct hugetlb_pool *pool)
{
    struct hugetlb_counts counts;

    if (!size->percent)
        return size->amount / hugetlb_pool_bytes(pool);
    hugetlb_counts(pool, &counts);
    return (counts.total - counts.surplus) * size->amount / 100;
}

/* All options are known. */
static int settle_sizes(struct fs_options *o)
{
    if (!o->pool)
        return 0;
    uint64_t frames = hugetlb_pool_bytes(o->pool) / PAGE_SIZE;
    uint64_t most = in_pages(&o->size, o->pool);
    if (o->size.said)
        o->max_pages = most * frames;
    if (o->min_size.said)
        o->min_pages = in_pages(&o->min_size, o->pool);
    return o->size.said && o->min_pages > most ? -EINVAL : 0;
}

static int limited_option(const struct fs_type *type, const char *key, char *value,
                          struct fs_options *o)
{
    if (!strcmp(key, "mode"))
        return parse_octal(value, &o->mode);
    if (!strcmp(key, "uid"))
        return parse_id(value, &o->uid);
    if (!strcmp(key, "gid"))
        return parse_id(value, &o->gid);
    if (!strcmp(key, "nr_inodes"))
        return parse_inodes(value, o);
    return is_hugetlbfs(type) ? hugetlbfs_option(key, value, o) : tmpfs_option(key, value, o);
}

/* What every file system takes, and what would change nothing here. */
static bool is_plain_word(const char *word, bool *read_only)
{
    static const char *const words[] = {"rw",         "ro",     "sync",   "async",
                                        "dirsync",    "mand",   "nomand", "lazytime",
                                        "nolazytime", "silent", "loud"};

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i]))
            continue;
        if (i < 2)
            *read_only = i;
        return true;
    }
    return false;
}

static int parse_word(const struct fs_type *type, char *word, struct fs_options *o, bool *read_only)
{
    char *value = strchr(word, '=');

    if (!*word || is_plain_word(word, read_only))
        return 0;
    if (!value)
        return !strcmp(type->name, "tmpfs") && !strncmp(word, "inode", 5) ? 0 : -EINVAL;
    *value++ = '\0';
    if (type->has_limits)
        return limited_option(type, word, value, o);
    if (!strcmp(type->name, "ramfs") && !strcmp(word, "mode"))
        return parse_octal(value, &o->mode);
    return strcmp(type->name, "ramfs") ? -EINVAL : 0; /* ramfs takes what it does not know */
}

int fs_options_parse(const struct fs_type *type, char *text, struct fs_options *out,
                     bool *read_only)
{
    int err = 0;

    while (text && !err) {
        char *comma = strchr(text, ',');
        if (comma)
            *comma++ = '\0';
        err = parse_word(type, text, out, read_only);
        text = comma;
    }
    return err ? err : settle_sizes(out);
}

static void show_hugetlbfs(struct text *t, const struct fs_options *o)
{
    uint64_t unit = hugetlb_pool_bytes(o->pool);

    text_add(t, ",pagesize=%luM", unit / MIB);
    if (o->max_pages != NO_LIMIT)
        text_add(t, ",size=%luK", o->max_pages * (PAGE_SIZE / KIB));
    if (o->min_pages)
        text_add(t, ",min_size=%luK", o->min_pages * (unit / KIB));
}

void fs_options_show(struct text *t, const struct superblock *super)
{
    struct fs_options usual = fs_options_default(super->type);
    const struct fs_options *o = &super->options;
    bool huge = is_hugetlbfs(super->type);

    if (!super->type->has_limits)
        return;
    if (!huge && o->max_pages != usual.max_pages)
        text_add(t, ",size=%luk", o->max_pages * (PAGE_SIZE / KIB));
    if (!huge && o->max_inodes != usual.max_inodes)
        text_add(t, ",nr_inodes=%lu", o->max_inodes);
    if (o->mode != usual.mode)
        text_add(t, huge ? ",mode=%o" : ",mode=%03o", o->mode);
    if (o->uid)
        text_add(t, ",uid=%u", o->uid);
    if (o->gid)
        text_add(t, ",gid=%u", o->gid);
    if (huge)
        show_hugetlbfs(t, o);
    else if (o->huge != SHMEM_HUGE_NEVER)
        text_add(t, ",huge=%s", huge_words[o->huge]);
}
