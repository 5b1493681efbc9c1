/* SPDX-License-Identifier: MIT */
/*
 * kernel/mount.c - the tree of mounts: views of file systems, attached to places
 *
 * Room:   kernel.
 * Owns:   the list of attached mounts: every process sees the same ones.
 * Locks:  fs_lock is held by who changes the tree; name_lock here, round what paths look at.
 * Always: (1) see mount.h; (2) the first on the list is the root's, which stays for ever.
 * Source: mount(2), umount(2).
 * Tour:   after kernel/mount.h and kernel/superblock.c; then kernel/sys_mount.c.
 */
#include "mount.h"

#include <base/panic.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

static struct list_node mounts = LIST_INIT(mounts);
static int last_id;

void mount_get(struct mount *m)
{
    atomic_fetch_add_explicit(&m->refcount, 1, memory_order_relaxed);
}

bool mount_get_living(struct mount *m)
{
    uint32_t owners = atomic_load(&m->refcount);
    while (owners)
        if (atomic_compare_exchange_weak(&m->refcount, &owners, owners + 1))
            return true;
    return false;
}

void mount_put(struct mount *m)
{
    WRITE_ONCE(m->expires, false);
    if (atomic_fetch_sub_explicit(&m->refcount, 1, memory_order_acq_rel) != 1)
        return;
    spin_lock(&name_lock);
    list_del(&m->super_node);
    spin_unlock(&name_lock);
    dentry_put(m->root);
    superblock_put(m->super);
    kmem_free(m->source);
    kmem_free(m);
}

int mount_create(struct superblock *super, struct dentry *root, const char *source, uint32_t flags,
                 struct mount **out)
{
    size_t len = strlen(source) + 1;
    struct mount *m = kmem_alloc(sizeof(*m), SLAB_ALLOC_ZERO);
    char *copy = kmem_alloc(len, SLAB_ALLOC_PLAIN);

    if (!m || !copy) {
        kmem_free(copy);
        kmem_free(m);
        superblock_put(super);
        return -ENOMEM;
    }
    memcpy(copy, source, len);
    atomic_store(&m->refcount, 1);
    m->super = super;
    m->root = root;
    dentry_get(root);
    m->flags = flags;
    m->id = ++last_id;
    m->source = copy;
    spin_lock(&name_lock);
    list_add_tail(&m->super_node, &super->mounts);
    spin_unlock(&name_lock);
    *out = m;
    return 0;
}

struct mount *mount_nth(unsigned n)
{
    struct mount *m;

    list_for_each_entry (m, &mounts, node)
        if (!n--)
            return m;
    return NULL;
}

struct mount *mount_on(const struct place *place)
{
    struct mount *m;

    list_for_each_entry (m, &mounts, node)
        if (place_is(&m->on, place))
            return m;
    return NULL;
}

struct mount *mount_after(int id)
{
    struct mount *m, *next = NULL;

    spin_lock(&name_lock);
    list_for_each_entry (m, &mounts, node)
        if (m->id > id && (!next || m->id < next->id))
            next = m;
    if (next)
        mount_get(next);
    spin_unlock(&name_lock);
    return next;
}

int mount_parent_id(const struct mount *m)
{
    spin_lock(&name_lock);
    int id = m->on.mount ? m->on.mount->id : m->id;
    spin_unlock(&name_lock);
    return id;
}

/* To @place, or as the first of all, nowhere. */
static void hang_up(struct mount *m, const struct place *place)
{
    if (place) {
        place_get(place);
        place->dentry->nr_mounts++;
    }
    spin_lock(&name_lock);
    m->on = place ? *place : (struct place){0};
    m->attached = true;
    list_add_tail(&m->node, &mounts);
    spin_unlock(&name_lock);
}

static void take_down(struct mount *m)
{
    struct place was = m->on;

    spin_lock(&name_lock);
    m->on = (struct place){0};
    m->attached = false;
    list_del(&m->node);
    spin_unlock(&name_lock);
    was.dentry->nr_mounts--;
    place_put(&was);
}

static int check_place(const struct mount *m, const struct place *place)
{
    const struct dentry *dentry = place->dentry;

    if (!place->mount || !place->mount->attached || !dentry->in_tree)
        return -ENOENT;
    return inode_is(dentry->inode, S_IFDIR) == inode_is(m->root->inode, S_IFDIR) ? 0 : -ENOTDIR;
}

int mount_attach(struct mount *m, const struct place *place)
{
    if (place_is_mount_root(place) && place->mount->super == m->super && m->root == m->super->root)
        return -EBUSY;
    int err = check_place(m, place);
    if (err)
        return err;
    hang_up(m, place);
    return 0;
}

/* Is @m attached, directly or not, to @top? */
static bool is_below(const struct mount *m, const struct mount *top)
{
    while (m && m != top)
        m = m->on.mount;
    return m == top;
}

static bool has_mounts(const struct mount *m)
{
    struct mount *other;

    list_for_each_entry (other, &mounts, node)
        if (other->on.mount == m)
            return true;
    return false;
}

/* One of those that are attached below @top, @top included, that has none below itself. */
static struct mount *leaf_below(const struct mount *top)
{
    struct mount *m;

    list_for_each_entry (m, &mounts, node)
        if (is_below(m, top) && !has_mounts(m))
            return m;
    return NULL;
}

void mount_detach(struct mount *top)
{
    struct mount *m;

    mount_get(top);
    while ((m = leaf_below(top))) {
        take_down(m);
        mount_put(m);
    }
    mount_put(top);
}

int mount_move(struct mount *m, const struct place *to)
{
    int err = m->on.mount ? check_place(m, to) : -EINVAL;
    if (!err && is_below(to->mount, m))
        err = -ELOOP;
    if (err)
        return err;
    take_down(m);
    hang_up(m, to);
    return 0;
}

bool mount_is_busy(struct mount *m, uint32_t users)
{
    return has_mounts(m) || atomic_load(&m->refcount) > users + 1; /* and the tree's */
}

uint64_t mount_statfs_flags(const struct mount *m)
{
    static const uint16_t flags[] = {
        ST_RDONLY,  ST_NOSUID,     ST_NODEV,   ST_NOEXEC,
        ST_NOATIME, ST_NODIRATIME, ST_RELATIME}; /* as enum mount_flags */
    uint64_t all = ST_VALID | (m->super->read_only ? ST_RDONLY : 0);

    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
        all |= m->flags & 1U << i ? flags[i] : 0;
    return all;
}

int mount_set_flags(struct mount *m, uint32_t flags)
{
    bool closes = (flags & MOUNT_READ_ONLY) && !(m->flags & MOUNT_READ_ONLY);

    if (closes && atomic_load(&m->writers))
        return -EBUSY;
    m->flags = flags;
    return 0;
}

/* Boot */

static struct mount *boot_mount(struct fs_type *type)
{
    struct fs_options options = fs_options_default(type);
    struct superblock *super;
    struct mount *m;

    if (superblock_get(type, &options, &super) ||
        mount_create(super, super->root, type->name, 0, &m))
        panic("no memory for the file system %s", type->name);
    return m;
}

struct mount *mount_boot_nowhere(struct fs_type *type, uint32_t flags)
{
    struct mount *m = boot_mount(type);

    m->flags = flags;
    return m;
}

void mount_boot_root(struct dentry **root)
{
    struct mount *m = boot_mount(&fs_type_root);

    hang_up(m, NULL);
    *root = m->root;
}

/* Where @dentry of a file system that boot has mounted once is seen. */
static struct mount *boot_mount_of(const struct dentry *dentry)
{
    const struct superblock *super = dentry->inode->super;
    return list_first_entry(&super->mounts, struct mount, super_node);
}

struct dentry *mount_boot(const char *type, struct dentry *parent, const char *name, uint32_t mode)
{
    struct place on = {boot_mount_of(parent), fs_boot_directory(parent, name, mode)};
    struct mount *m = boot_mount(fs_type_find(type));

    m->flags = MOUNT_RELATIME;
    m->root->inode->mode = S_IFDIR | mode;
    mutex_lock(&fs_lock);
    int err = mount_attach(m, &on);
    mutex_unlock(&fs_lock);
    if (err)
        panic("%s cannot be mounted: error %d", type, -err);
    return m->root;
}
