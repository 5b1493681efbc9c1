/* SPDX-License-Identifier: MIT */
/*
 * kernel/initramfs.c - the first files: from a cpio archive into the tree
 *
 * Room:   kernel.
 * Owns:   what an entry of the archive becomes.
 * Locks:  none held; boot, one task.
 * Always: (1) a broken archive ends in one line that says where and why.
 * Source: initramfs buffer format (Linux documentation).
 * Tour:   after kernel/cpio.c and kernel/fs.c.
 */
#include "cpio.h"
#include "files.h"
#include "fs.h"
#include "place.h"
#include <base/log.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define MODE_RIGHTS 07777

/* What is there already and stays: a directory, or a device of ours. Only its rights change. */
static bool refresh(const struct cpio_entry *e, const struct dentry *existing)
{
    struct inode *inode = existing->inode;
    bool same_kind = (inode->mode & S_IFMT) == (e->mode & S_IFMT);

    if (!same_kind || (!inode_is(inode, S_IFDIR) && !inode_is(inode, S_IFCHR)))
        return false;
    if (inode->rdev != device_number(e->rdev_major, e->rdev_minor) && inode_is(inode, S_IFCHR))
        return false;
    inode->mode = (inode->mode & S_IFMT) | (e->mode & MODE_RIGHTS);
    return true;
}

/* 0 when nothing is in the way any more; 1 when what is there will do. */
static int make_way(const struct cpio_entry *e)
{
    struct place root = place_root(), existing;
    int err = fs_lookup(&root, e->name, 0, &existing);

    if (err)
        return err == -ENOENT ? 0 : err;
    bool stays = refresh(e, existing.dentry);
    place_put(&existing);
    return stays ? 1 : fs_remove(&root, e->name, false);
}

static int file_inode(const struct cpio_entry *e, struct inode **out)
{
    int err = inode_create(e->mode, &shmem_ops, out);
    if (err)
        return err;
    struct object *object = &(*out)->object;
    struct kernel_copy copy = kernel_buffer_in(e->data);
    mutex_lock(&object->lock);
    int64_t n = object_write(object, 0, e->size_bytes, &copy.copy);
    mutex_unlock(&object->lock);
    if (n == e->size_bytes)
        return 0;
    inode_put(*out);
    return -ENOMEM;
}

static int link_inode(const struct cpio_entry *e, struct inode **out)
{
    char target[NAME_MAX * 4];
    if (!cpio_link_target(e, target, sizeof(target)))
        return -ENAMETOOLONG;
    return inode_create_link(target, out);
}

static int new_inode(const struct cpio_entry *e, struct inode **out)
{
    switch (e->mode & S_IFMT) {
    case S_IFREG:
        return file_inode(e, out);
    case S_IFLNK:
        return link_inode(e, out);
    case S_IFDIR:
        return inode_create(e->mode, NULL, out);
    default:
        return inode_create_device(e->mode, device_number(e->rdev_major, e->rdev_minor), out);
    }
}

static int unpack_entry(const struct cpio_entry *e)
{
    struct place root = place_root();
    struct inode *inode;

    if (e->nlink > 1 && !e->size_bytes && (e->mode & S_IFMT) == S_IFREG)
        log_warn("initramfs: %s: hard links are not kept", e->name);
    int err = make_way(e);
    if (err)
        return err > 0 ? 0 : err;
    err = new_inode(e, &inode);
    if (err)
        return err;
    inode->uid = e->uid;
    inode->gid = e->gid;
    return fs_create(&root, e->name, inode, NULL);
}

static const char *reason(int err)
{
    switch (err) {
    case -ENOMEM:
        return "not enough memory";
    case -ENOENT:
        return "its directory is missing";
    case -ENAMETOOLONG:
        return "name or link target too long";
    default:
        return "something else is in its place";
    }
}

int initramfs_unpack(const void *archive, size_t len_bytes)
{
    struct cpio_entry entry;
    const char *why;
    size_t offset = 0;

    for (;;) {
        int result = cpio_next(archive, len_bytes, &offset, &entry, &why);
        if (result == 0)
            return 0;
        if (result < 0) {
            log_error("initramfs: broken at byte %zu: %s", offset, why);
            return -EINVAL;
        }
        int err = unpack_entry(&entry);
        if (err) {
            log_error("initramfs: %s: %s", entry.name, reason(err));
            return -EINVAL;
        }
    }
}
