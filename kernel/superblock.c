/* SPDX-License-Identifier: MIT */
/*
 * kernel/superblock.c - file systems: which types there are, how one begins, is counted and ends
 *
 * Room:   kernel.
 * Owns:   the table of types; what each file system has used of its limits.
 * Locks:  fs_lock for options; the counts are atomic.
 * Always: (1) see mount.h; (2) no more inodes and pages are used than the options allow.
 * Source: mount(2), statfs(2), tmpfs(5); Linux Documentation/admin-guide/mm/hugetlbpage.rst.
 * Tour:   after kernel/mount.h; then kernel/fs_options.c.
 */
#include "mount.h"

#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/hugetlb.h>
#include <mm/slab.h>
#include <mm/thp.h>
#include <uapi/errno.h>

#define NO_LIMIT UINT64_MAX

struct fs_type fs_type_root = {
    .name = "rootfs", .magic = TMPFS_MAGIC, .file_ops = &shmem_ops, .is_memory = true};

static struct fs_type types[] = {
    {.name = "proc", .magic = PROC_MAGIC, .single = true},
    {.name = "sysfs", .magic = SYSFS_MAGIC, .single = true},
    {.name = "debugfs", .magic = DEBUGFS_MAGIC, .single = true},
    {.name = "devtmpfs",
     .magic = TMPFS_MAGIC,
     .file_ops = &shmem_ops,
     .is_memory = true,
     .single = true},
    {.name = "tmpfs", .magic = TMPFS_MAGIC, .file_ops = &shmem_ops, .has_limits = true},
    {.name = "ramfs", .magic = RAMFS_MAGIC, .file_ops = &shmem_ops},
    {.name = "hugetlbfs", .magic = HUGETLBFS_MAGIC, .file_ops = &hugetlb_ops, .has_limits = true},
};

static uint64_t last_dev = 1; /* which is for what lies in no file system */

struct fs_type *fs_type_nth(unsigned n)
{
    return n < ARRAY_SIZE(types) ? &types[n] : NULL;
}

struct fs_type *fs_type_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

static void superblock_free(struct superblock *super)
{
    if (atomic_fetch_sub(&super->refcount, 1) != 1)
        return;
    hugetlb_quota_end(&super->quota);
    kmem_free(super);
}

static int root_create(struct superblock *super)
{
    const struct fs_options *options = &super->options;
    struct inode *inode;

    int err = inode_create(S_IFDIR | options->mode, NULL, &inode);
    if (err)
        return err;
    inode->uid = options->uid;
    inode->gid = options->gid;
    err = superblock_join(super, inode);
    if (err) {
        inode_put(inode);
        return err;
    }
    err = dentry_create("/", NULL, inode, &super->root);
    if (err)
        return err;
    super->root->parent = super->root;
    super->root->in_tree = true;
    return 0;
}

static int superblock_create(struct fs_type *type, const struct fs_options *options,
                             struct superblock **out)
{
    struct superblock *super = kmem_alloc(sizeof(*super), SLAB_ALLOC_ZERO);
    if (!super)
        return -ENOMEM;
    super->type = type;
    atomic_store(&super->refcount, 1);
    atomic_store(&super->nr_mounts, 1);
    list_init(&super->mounts);
    super->dev = atomic_fetch_add((_Atomic uint64_t *)&last_dev, 1) + 1;
    super->options = *options;
    atomic_store(&super->quota.max, options->max_pages);
    int err =
        options->pool ? hugetlb_quota_begin(options->pool, &super->quota, options->min_pages) : 0;
    if (!err)
        err = root_create(super);
    if (err)
        superblock_free(super);
    else
        *out = super;
    return err;
}

int superblock_get(struct fs_type *type, const struct fs_options *options, struct superblock **out)
{
    *out = type->only;
    if (*out) {
        atomic_fetch_add(&(*out)->nr_mounts, 1);
        return 0;
    }
    int err = superblock_create(type, options, out);
    if (!err && type->single) {
        type->only = *out;
        atomic_fetch_add(&(*out)->nr_mounts, 1);
    }
    return err;
}

/* Nobody can come here any more: no lock is needed. */
static void names_drop(struct dentry *root)
{
    struct dentry *at = root;

    while (at != root || !list_empty(&at->children)) {
        if (!list_empty(&at->children)) {
            at = list_first_entry(&at->children, struct dentry, sibling);
            continue;
        }
        struct dentry *parent = at->parent;
        dentry_unlink(at);
        at = parent;
    }
    dentry_drop_root(root);
}

void superblock_put(struct superblock *super)
{
    if (atomic_fetch_sub(&super->nr_mounts, 1) != 1)
        return;
    names_drop(super->root);
    superblock_free(super);
}

/* Inodes */

static bool has_page_limit(const struct superblock *super)
{
    return super->options.max_pages != NO_LIMIT || super->options.min_pages;
}

int superblock_take_inode(struct superblock *super)
{
    if (atomic_fetch_add(&super->nr_inodes, 1) < super->options.max_inodes)
        return 0;
    superblock_give_inode(super);
    return -ENOSPC;
}

void superblock_give_inode(struct superblock *super)
{
    atomic_fetch_sub(&super->nr_inodes, 1);
}

int superblock_join(struct superblock *super, struct inode *inode)
{
    struct object *object = &inode->object;

    int err = superblock_take_inode(super);
    if (err)
        return err;
    atomic_fetch_add(&super->refcount, 1);
    inode->super = super;
    object->huge = super->options.huge;
    if (object->ops == &shmem_ops && super->options.pool)
        object->ops = hugetlb_pool_ops(super->options.pool); /* nobody else has seen it yet */
    if (has_page_limit(super))
        object_join(object, &super->quota);
    return 0;
}

void superblock_leave(struct inode *inode)
{
    struct superblock *super = inode->super;

    superblock_give_inode(super);
    superblock_free(super);
}

/* Options */

/* May a limit become @wanted? One that was never counted for cannot begin. */
static bool limit_can_be(uint64_t old, uint64_t wanted, uint64_t used)
{
    return wanted == old || (old != NO_LIMIT && wanted >= used);
}

/* The name after @at in the tree below @root, parents first; NULL: it was the last. */
static struct dentry *next_name(struct dentry *at, const struct dentry *root)
{
    if (!list_empty(&at->children))
        return list_first_entry(&at->children, struct dentry, sibling);
    for (; at != root; at = at->parent)
        if (at->sibling.next != &at->parent->children)
            return list_entry(at->sibling.next, struct dentry, sibling);
    return NULL;
}

bool superblock_is_mapped(const struct superblock *super)
{
    for (struct dentry *d = super->root; d; d = next_name(d, super->root))
        if (d->inode->object.ops && !list_empty(&d->inode->object.mappings))
            return true;
    return false;
}

static bool is_being_written(const struct superblock *super)
{
    struct mount *m;

    list_for_each_entry (m, &super->mounts, super_node)
        if (atomic_load(&m->writers))
            return true;
    return false;
}

int superblock_change(struct superblock *super, const struct fs_options *options, bool read_only)
{
    struct fs_options *now = &super->options;
    uint64_t pages = options->says_pages ? options->max_pages : now->max_pages;
    uint64_t inodes = options->says_inodes ? options->max_inodes : now->max_inodes;

    if (super->type->has_limits &&
        (!limit_can_be(now->max_pages, pages, atomic_load(&super->quota.used)) ||
         !limit_can_be(now->max_inodes, inodes, atomic_load(&super->nr_inodes))))
        return -EINVAL;
    if (read_only && !super->read_only && is_being_written(super))
        return -EBUSY;
    now->max_pages = pages;
    now->max_inodes = inodes;
    if (options->says_huge)
        now->huge = options->huge;
    atomic_store(&super->quota.max, pages);
    super->read_only = read_only;
    return 0;
}

static void statfs_limits(const struct superblock *super, struct uapi_statfs *out)
{
    uint64_t max = super->options.max_pages, used = atomic_load(&super->quota.used);
    uint64_t unit = out->bsize / PAGE_SIZE;

    if (max != NO_LIMIT) {
        out->blocks = max / unit;
        out->bfree = out->bavail = (max - used) / unit;
    }
    if (super->options.max_inodes != NO_LIMIT) {
        out->files = super->options.max_inodes;
        out->ffree = out->files - atomic_load(&super->nr_inodes);
    }
}

void superblock_statfs(const struct superblock *super, struct uapi_statfs *out)
{
    const struct hugetlb_pool *huge = super ? super->options.pool : NULL;
    uint64_t unit = huge ? hugetlb_pool_bytes(huge) : PAGE_SIZE;
    struct page_counts pages;

    *out = (struct uapi_statfs){.type = super ? super->type->magic : TMPFS_MAGIC,
                                .bsize = unit,
                                .frsize = unit,
                                .namelen = NAME_MAX};
    if (!super)
        return;
    out->fsid[0] = super->dev;
    if (super->type->is_memory) {
        page_counts(&pages);
        out->blocks = pages.total;
        out->bfree = out->bavail = pages.free;
    }
    if (super->type->has_limits && !(huge && super->options.max_pages == NO_LIMIT))
        statfs_limits(super, out);
}
