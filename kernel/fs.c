/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs.c - the tree of names: inodes, dentries, and what both look like from outside
 *
 * Room:   kernel.
 * Owns:   the shape of the tree.
 * Locks:  fs_lock (rank FS); name_lock (spin, rank FILES) inside: names, parents and in_tree change
 *         under both, so that place_path() needs only the inner one.
 * Always: (1) see fs.h; (2) nothing is freed while name_lock is held.
 * Source: inode(7), stat(2).
 * Tour:   after kernel/fs.h; then kernel/walk.c.
 */
#include "fs.h"

#include "cred.h"
#include "files.h"
#include "mount.h"
#include "sealed.h"
#include <asm/time.h>
#include <base/panic.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define NO_DEVICE   1 /* st_dev of what lies in no file system */
#define NS_PER_SEC  1000000000UL
#define SECTOR_SIZE 512

struct dentry *fs_root, *fs_nowhere;
struct mutex fs_lock;
spinlock_t name_lock = SPINLOCK_INIT(LOCK_RANK_FILES);
static struct slab_cache inode_cache, dentry_cache;
static _Atomic uint64_t last_ino;
static uint64_t last_cookie = COOKIE_FIRST;

/* Inodes */

static void dentry_free(struct dentry *dentry)
{
    if (dentry->name != dentry->short_name)
        kmem_free(dentry->name);
    if (dentry != &dentry->inode->first_name)
        slab_free(&dentry_cache, dentry);
}

/* The last reference on the object went. */
static void inode_release(struct object *object)
{
    struct inode *inode = inode_of(object);
    struct dentry *dentry = inode->dentry, *parent = NULL;

    if (DEBUG >= 2)
        sealed_forget(inode);
    if (dentry) {
        parent = dentry->parent;
        dentry_free(dentry);
    }
    if (inode->release)
        inode->release(inode);
    if (inode->super)
        superblock_leave(inode);
    kmem_free(inode->target);
    slab_free(&inode_cache, inode);
    if (parent)
        dentry_put(parent);
}

struct inode *inode_of_object(struct object *object)
{
    return object->release == inode_release ? inode_of(object) : NULL;
}

int inode_create(uint32_t mode, const struct object_ops *ops, struct inode **out)
{
    struct inode *inode = slab_alloc(&inode_cache, SLAB_ALLOC_PLAIN);
    if (!inode)
        return -ENOMEM;
    memset(inode, 0, offsetof(struct inode, first_name)); /* which is filled in when there is one */
    object_init(&inode->object, ops, inode_release);
    inode->object.seals = SEAL_SEAL; /* what has a name is never sealed; memfd_create() says more */
    inode->ino = atomic_fetch_add(&last_ino, 1) + 1;
    inode->mode = mode;
    inode->uid = cred_current()->user.fs;
    inode->gid = cred_current()->group.fs;
    inode->nlink = inode_is(inode, S_IFDIR) ? 2 : 1;
    if (inode_is(inode, S_IFREG))
        inode->file_ops = &object_file_ops;
    else if (inode_is(inode, S_IFDIR))
        inode->file_ops = &directory_ops;
    inode_touch(inode);
    inode->atime = inode->mtime;
    *out = inode;
    return 0;
}

int inode_create_link(const char *target, struct inode **out)
{
    size_t len = strlen(target);
    char *copy = kmem_alloc(len + 1, SLAB_ALLOC_PLAIN);
    if (!copy)
        return -ENOMEM;
    int err = inode_create(S_IFLNK | 0777, NULL, out);
    if (err) {
        kmem_free(copy);
        return err;
    }
    memcpy(copy, target, len + 1);
    (*out)->target = copy;
    atomic_store(&(*out)->object.size_bytes, len);
    return 0;
}

static struct uapi_timespec now(void)
{
    uint64_t ns = clock_boot_epoch_ns() + clock_ns();
    return (struct uapi_timespec){.sec = ns / NS_PER_SEC, .nsec = ns % NS_PER_SEC};
}

void inode_touch(struct inode *inode)
{
    inode->mtime = inode->ctime = now();
}

void inode_touch_ctime(struct inode *inode)
{
    inode->ctime = now();
}

uint64_t inode_device(const struct inode *inode)
{
    return inode && inode->super ? inode->super->dev : NO_DEVICE;
}

void inode_stat(const struct inode *inode, struct uapi_stat *out)
{
    const struct object *object = &inode->object;
    uint64_t frames = atomic_load(&object->nr_pages);

    *out = (struct uapi_stat){
        .dev = inode_device(inode),
        .ino = inode->ino,
        .nlink = inode->nlink,
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .rdev = inode->rdev,
        .size = object_size(object),
        .blksize = object->ops ? object_block_bytes(object) : PAGE_SIZE,
        .blocks = object_is_secret(object) ? 0 : frames * (PAGE_SIZE / SECTOR_SIZE),
        .atime = inode->atime,
        .mtime = inode->mtime,
        .ctime = inode->ctime,
    };
}

/* Dentries */

/* Memory for one more name of @inode. */
static struct dentry *dentry_alloc(struct inode *inode)
{
    return inode->dentry ? slab_alloc(&dentry_cache, SLAB_ALLOC_PLAIN) : &inode->first_name;
}

/* A first name decides where the inode lies. */
static int join(struct dentry *parent, struct inode *inode)
{
    struct superblock *super = parent ? parent->inode->super : NULL;

    if (super && !inode->super)
        return superblock_join(super, inode);
    return super && inode->nlink ? superblock_take_inode(super) : 0;
}

int dentry_create(const char *name, struct dentry *parent, struct inode *inode, struct dentry **out)
{
    size_t size = strlen(name) + 1;
    bool is_short = size <= SHORT_NAME_BYTES;
    struct dentry *dentry = dentry_alloc(inode);
    char *copy = NULL;

    if (dentry)
        copy = is_short ? dentry->short_name : kmem_alloc(size, SLAB_ALLOC_PLAIN);
    int err = copy ? join(parent, inode) : -ENOMEM;
    if (err) {
        if (!is_short)
            kmem_free(copy);
        if (dentry != &inode->first_name)
            slab_free(&dentry_cache, dentry);
        inode_put(inode);
        return err;
    }
    memcpy(copy, name, size);
    atomic_store_explicit(&dentry->refcount, 1, memory_order_relaxed);
    dentry->name = copy;
    dentry->parent = parent;
    if (parent)
        dentry_get(parent);
    dentry->inode = inode;
    if (!inode->dentry)
        inode->dentry = dentry;
    list_init(&dentry->children);
    list_init(&dentry->sibling);
    dentry->cookie = 0;
    dentry->in_tree = false;
    dentry->nr_mounts = 0;
    *out = dentry;
    return 0;
}

void dentry_get(struct dentry *dentry)
{
    atomic_fetch_add_explicit(&dentry->refcount, 1, memory_order_relaxed);
}

/*
 * The first name of a file stays with its inode, which a mapping may keep for long. A directory is
 * not mapped: it goes at once, and its parent may be the next, without recursion.
 */
void dentry_put(struct dentry *dentry)
{
    while (atomic_fetch_sub_explicit(&dentry->refcount, 1, memory_order_acq_rel) == 1) {
        struct inode *inode = dentry->inode;
        struct dentry *parent = dentry->parent;
        if (!inode_is(inode, S_IFDIR) && dentry == inode->dentry) {
            inode_put(inode);
            return;
        }
        ASSERT(!dentry->in_tree && list_empty(&dentry->children), "claim 2");
        dentry_free(dentry);
        if (dentry == inode->dentry)
            inode->dentry = NULL;
        inode_put(inode);
        if (!parent)
            return;
        dentry = parent;
    }
}

static void in_tree_set(struct dentry *dentry, bool in_tree)
{
    spin_lock(&name_lock);
    dentry->in_tree = in_tree;
    spin_unlock(&name_lock);
}

void dentry_link(struct dentry *dentry)
{
    struct dentry *parent = dentry->parent;

    dentry_get(dentry);
    dentry->cookie = last_cookie++;
    list_add_tail(&dentry->sibling, &parent->children);
    in_tree_set(dentry, true);
    if (inode_is(dentry->inode, S_IFDIR))
        parent->inode->nlink++;
    inode_touch(parent->inode);
}

/* Off its parent's list, which keeps its reference for the caller to pass on or drop. */
static void take_off(struct dentry *dentry)
{
    struct dentry *parent = dentry->parent;

    list_del(&dentry->sibling);
    in_tree_set(dentry, false);
    if (inode_is(dentry->inode, S_IFDIR))
        parent->inode->nlink--;
    inode_touch(parent->inode);
}

void dentry_unlink(struct dentry *dentry)
{
    take_off(dentry);
    struct inode *inode = dentry->inode;
    inode->nlink = inode_is(inode, S_IFDIR) ? 0 : inode->nlink - 1;
    inode_touch_ctime(inode);
    if (inode->nlink && inode->super)
        superblock_give_inode(inode->super);
    dentry_put(dentry);
}

void dentry_drop_root(struct dentry *root)
{
    in_tree_set(root, false);
    root->parent = NULL;
    dentry_put(root);
}

void dentry_move(struct dentry *from, struct dentry *to_dir, char *name)
{
    struct dentry *old_parent = from->parent;
    char *old_name = from->name == from->short_name ? NULL : from->name;

    take_off(from);
    dentry_get(to_dir);
    spin_lock(&name_lock);
    from->parent = to_dir;
    from->name = name;
    spin_unlock(&name_lock);
    dentry_link(from);
    inode_touch_ctime(from->inode);
    dentry_put(from); /* take_off() left the list's old reference */
    kmem_free(old_name);
    dentry_put(old_parent);
}

bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
    while (d != top && d->parent && d->parent != d)
        d = d->parent;
    return d == top;
}

static char *name_copy(const struct dentry *dentry)
{
    size_t size = strlen(dentry->name) + 1;
    char *copy = kmem_alloc(size, SLAB_ALLOC_PLAIN);

    if (copy)
        memcpy(copy, dentry->name, size);
    return copy;
}

int dentry_exchange(struct dentry *a, struct dentry *b)
{
    char *name_a = name_copy(a), *name_b = name_copy(b);
    struct dentry *dir_a = a->parent;

    if (!name_a || !name_b) {
        kmem_free(name_a);
        kmem_free(name_b);
        return -ENOMEM;
    }
    dentry_get(dir_a);
    dentry_move(a, b->parent, name_b);
    dentry_move(b, dir_a, name_a);
    dentry_put(dir_a);
    return 0;
}

/* Reading links */

int dentry_read_link(struct dentry *dentry, char *buf, size_t size)
{
    const struct inode *inode = dentry->inode;

    if (!inode_is(inode, S_IFLNK))
        return -EINVAL;
    if (inode->read_link)
        return inode->read_link(dentry, buf, size);
    return min(strlcpy(buf, inode->target, size), size - 1);
}

/* Reading directories */

static void entry_fill(struct dir_entry *out, const char *name, const struct inode *inode)
{
    strlcpy(out->name, name, sizeof(out->name));
    out->ino = inode->ino;
    out->type = (inode->mode & S_IFMT) >> 12; /* that is how DT_ numbers are made */
}

bool directory_next(struct dentry *dir, uint64_t *cookie, struct dir_entry *out)
{
    const struct dynamic_dir *dynamic = dir->inode->dynamic;
    struct dentry *child;

    if (*cookie == COOKIE_DOT || *cookie == COOKIE_DOT_DOT) {
        bool dot = (*cookie)++ == COOKIE_DOT;
        entry_fill(out, dot ? "." : "..", dot ? dir->inode : dir->parent->inode);
        return true;
    }
    list_for_each_entry (child, &dir->children, sibling) {
        if (child->cookie >= *cookie) {
            *cookie = child->cookie + 1;
            entry_fill(out, child->name, child->inode);
            return true;
        }
    }
    if (!dynamic)
        return false;
    uint64_t n = *cookie >= COOKIE_DYNAMIC ? *cookie - COOKIE_DYNAMIC : 0;
    if (!dynamic->entry(dir, &n, out))
        return false;
    *cookie = COOKIE_DYNAMIC + n + 1;
    return true;
}

/* Boot */

void fs_boot_init(void)
{
    struct inode *inode;

    mutex_init(&fs_lock);
    slab_cache_init(&inode_cache, "inode", sizeof(struct inode), 0);
    slab_cache_init(&dentry_cache, "dentry", sizeof(struct dentry), 0);
    if (inode_create(S_IFDIR, NULL, &inode) || dentry_create("/", NULL, inode, &fs_nowhere))
        panic("no memory for the first directory");
    fs_nowhere->parent = fs_nowhere;
    mount_boot_root(&fs_root);
}

static struct dentry *boot_entry(struct dentry *parent, const char *name, struct inode *inode)
{
    struct dentry *dentry;

    if (dentry_create(name, parent, inode, &dentry))
        panic("no memory for %s", name);
    dentry_link(dentry);
    dentry_put(dentry);
    return dentry;
}

struct dentry *fs_boot_directory(struct dentry *parent, const char *name, uint32_t mode)
{
    struct inode *inode;

    if (inode_create(S_IFDIR | mode, NULL, &inode))
        panic("no memory for %s", name);
    return boot_entry(parent, name, inode);
}

void fs_boot_link(struct dentry *parent, const char *name, const char *target)
{
    struct inode *inode;

    if (inode_create_link(target, &inode))
        panic("no memory for %s", name);
    boot_entry(parent, name, inode);
}

struct inode *fs_boot_file(struct dentry *parent, const char *name, uint32_t mode,
                           const struct file_ops *ops)
{
    struct inode *inode;

    if (inode_create(mode, NULL, &inode))
        panic("no memory for %s", name);
    inode->file_ops = ops;
    boot_entry(parent, name, inode);
    return inode;
}
