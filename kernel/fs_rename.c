/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs_rename.c - rename(2): a name moves, replaces another, or changes places with it
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  fs_lock (mutex, rank FS).
 * Always: (1) a directory never comes to lie below itself; (2) what is refused changes nothing.
 * Source: rename(2).
 * Tour:   after kernel/fs_path.c.
 */
#include "walk.h"

#include "cred.h"
#include "mount.h"
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

static int check_rename(const struct dentry *from, const struct dentry *to)
{
    bool directory = inode_is(from->inode, S_IFDIR);

    if (from->nr_mounts || (to && to->nr_mounts))
        return -EBUSY;
    if (!to)
        return 0;
    if (inode_is(to->inode, S_IFDIR) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    return list_empty(&to->children) ? 0 : -ENOTEMPTY;
}

/* A directory that moves is written: its ".." becomes another. */
static int check_move_rights(const struct dentry *from, const struct dentry *to_dir)
{
    bool moves = inode_is(from->inode, S_IFDIR) && from->parent != to_dir;
    return moves ? inode_permission(from->inode, W_OK) : 0;
}

static int check_rename_rights(const struct dentry *from_dir, const struct dentry *from,
                               const struct dentry *to_dir, const struct dentry *to)
{
    int err = inode_may_remove(from_dir->inode, from->inode);

    if (!err)
        err = to ? inode_may_remove(to_dir->inode, to->inode)
                 : inode_permission(to_dir->inode, W_OK | X_OK);
    return err ? err : check_move_rights(from, to_dir);
}

/* A directory comes to lie in no directory below itself. */
static int check_circle(const struct dentry *from_dir, const struct dentry *from,
                        const struct dentry *to_dir, const struct dentry *to, unsigned flags)
{
    if (dentry_is_below(to_dir, from))
        return -EINVAL;
    if (to && dentry_is_below(from_dir, to))
        return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int move_over(struct dentry *from, struct dentry *to_dir, struct dentry *to,
                     const char *name)
{
    int err = check_rename(from, to);
    if (err)
        return err;
    char *copy = kmem_alloc(strlen(name) + 1, SLAB_ALLOC_PLAIN);
    if (!copy)
        return -ENOMEM;
    strlcpy(copy, name, NAME_MAX + 1);
    if (to)
        dentry_unlink(to);
    dentry_move(from, to_dir, copy);
    return 0;
}

static int exchange(struct dentry *from_dir, struct dentry *from, struct dentry *to)
{
    int err = check_move_rights(to, from_dir);
    if (!err && (from->nr_mounts || to->nr_mounts))
        err = -EBUSY;
    return err ? err : dentry_exchange(from, to);
}

static int rename_found(struct dentry *from_dir, struct dentry *from, struct dentry *to_dir,
                        struct dentry *to, const char *name, unsigned flags)
{
    int err = check_circle(from_dir, from, to_dir, to, flags);
    if (err)
        return err;
    if (to && from->inode == to->inode)
        return 0;
    err = directory_check(from_dir);
    if (!err)
        err = directory_check(to_dir);
    if (!err)
        err = check_rename_rights(from_dir, from, to_dir, to);
    if (err)
        return err;
    return flags & RENAME_EXCHANGE ? exchange(from_dir, from, to)
                                   : move_over(from, to_dir, to, name);
}

/* Is there what there must be? A name with a slash behind it means a directory. */
static int check_names(const char *old, const struct dentry *from, const char *new,
                       const struct dentry *to, unsigned flags)
{
    bool slash = path_ends_in_slash(old) || (path_ends_in_slash(new) && !(flags & RENAME_EXCHANGE));

    if (!from)
        return -ENOENT;
    if (to && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (flags & RENAME_EXCHANGE) {
        if (!to)
            return -ENOENT;
        if (path_ends_in_slash(new) && !inode_is(to->inode, S_IFDIR))
            return -ENOTDIR;
    }
    return slash && !inode_is(from->inode, S_IFDIR) ? -ENOTDIR : 0;
}

int fs_rename(const struct place *start_old, const char *old, const struct place *start_new,
              const char *new, unsigned flags)
{
    char name[NAME_MAX + 1];
    struct place from_dir, to_dir;
    struct dentry *from, *to;

    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start_old, 0), v = walk_begin(start_new, 0);
    int err = walk_parent(&w, start_old, old, &from_dir, name, &from);
    if (err)
        goto unlock;
    err = walk_parent(&v, start_new, new, &to_dir, name, &to);
    if (err)
        goto put_from;
    if (from_dir.mount != to_dir.mount)
        err = -EXDEV;
    else if (path_check_last(old, true) || path_check_last(new, true))
        err = -EBUSY;
    else
        err = place_may_write(&from_dir);
    if (!err)
        err = check_names(old, from, new, to, flags);
    if (!err)
        err = rename_found(from_dir.dentry, from, to_dir.dentry, to, name, flags);
    if (to)
        dentry_put(to);
    place_put(&to_dir);
put_from:
    if (from)
        dentry_put(from);
    place_put(&from_dir);
unlock:
    mutex_unlock(&fs_lock);
    return err;
}
