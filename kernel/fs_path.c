/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs_path.c - how names come and go
 *
 * Room:   kernel.
 * Owns:   the rules by which they do.
 * Locks:  fs_lock (mutex, rank FS).
 * Always: (1) what is refused changes nothing.
 * Source: open(2), link(2), unlink(2), rmdir(2).
 * Tour:   after kernel/walk.c; then kernel/fs_rename.c.
 */
#include "walk.h"

#include "cred.h"
#include "mount.h"
#include <lib/string.h>
#include <uapi/errno.h>

/* Below, static functions are called with fs_lock held. */

/* May @inode get a name in @dir? @from: a place it has already, or NULL. */
static int check_create(const struct place *dir, const struct inode *inode,
                        const struct place *from)
{
    int err = place_may_write(dir);

    if (!err && from && from->mount != dir->mount)
        err = -EXDEV;
    if (!err)
        err = directory_check(dir->dentry);
    if (!err)
        err = inode_permission(dir->dentry->inode, W_OK | X_OK);
    if (err || !from)
        return err;
    if (inode_is(inode, S_IFDIR))
        return -EPERM;
    return inode->nlink || inode->linkable ? 0 : -ENOENT;
}

/* What is made in a set-group-ID directory belongs to the directory's group. */
static void inherit(const struct dentry *dir, struct inode *inode)
{
    if (!(dir->inode->mode & S_ISGID))
        return;
    inode->gid = dir->inode->gid;
    if (inode_is(inode, S_IFDIR))
        inode->mode |= S_ISGID;
    else if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
             !cred_in_group(inode->gid) && !capable(CAP_FSETID))
        inode->mode &= ~S_ISGID;
}

/* A name more, or the first. */
static void name_count(struct dentry *parent, struct inode *inode, const struct place *from)
{
    if (!from) {
        inherit(parent, inode);
        return;
    }
    inode->nlink++;
    inode->linkable = false;
    inode_touch_ctime(inode);
}

/* A name for @inode in @dir. @from: a place it has already, or NULL. The reference goes. */
static int name_create(const struct place *dir, const char *name, struct inode *inode,
                       const struct place *from, struct place *out)
{
    int err = check_create(dir, inode, from);
    if (err) {
        inode_put(inode);
        return err;
    }
    err = dentry_create(name, dir->dentry, inode, &out->dentry);
    if (err)
        return err;
    name_count(dir->dentry, out->dentry->inode, from);
    dentry_link(out->dentry);
    out->mount = dir->mount;
    mount_get(out->mount);
    return 0;
}

/* 0 if there is nothing at the end of a path yet, and may be. */
static int check_new(const struct dentry *existing, const char *path, const struct inode *inode)
{
    if (existing)
        return -EEXIST;
    return path_ends_in_slash(path) && !inode_is(inode, S_IFDIR) ? -ENOENT : 0;
}

static int path_create(const struct place *start, const char *path, struct inode *inode,
                       const struct place *from, struct place *out)
{
    char name[NAME_MAX + 1];
    struct dentry *existing;
    struct place parent;

    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start, 0);
    int err = walk_parent(&w, start, path, &parent, name, &existing);
    if (!err) {
        err = check_new(existing, path, inode);
        if (existing)
            dentry_put(existing);
        if (!err)
            err = name_create(&parent, name, inode, from, out);
        else
            inode_put(inode);
        place_put(&parent);
    } else {
        inode_put(inode);
    }
    mutex_unlock(&fs_lock);
    return err;
}

int fs_create(const struct place *start, const char *path, struct inode *inode, struct place *out)
{
    struct place place;
    int err = path_create(start, path, inode, NULL, &place);
    if (err)
        return err;
    if (out)
        *out = place;
    else
        place_put(&place);
    return 0;
}

/* While the name is that of a symbolic link, go on with what that says. */
static int lookup_new(struct walk *w, const struct place *start, const char *path,
                      struct place *parent, char *name)
{
    struct dentry *existing;

    if (path_ends_in_slash(path))
        return -EISDIR;
    int err = walk_parent(w, start, path, parent, name, &existing);
    if (err || !existing)
        return err;
    struct place dir = *parent;
    if (!inode_is(existing->inode, S_IFLNK) || !existing->inode->target)
        err = -EEXIST;
    else if (++w->links > WALK_LINKS_MAX || (w->limits & LOOKUP_NO_LINKS))
        err = -ELOOP;
    else
        err = lookup_new(w, &dir, existing->inode->target, parent, name);
    dentry_put(existing);
    place_put(&dir);
    return err;
}

int fs_create_open(const struct place *start, const char *path, unsigned flags, struct inode *inode,
                   struct place *out)
{
    char name[NAME_MAX + 1];
    struct place parent;

    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start, flags);
    int err = lookup_new(&w, start, path, &parent, name);
    if (!err) {
        err = name_create(&parent, name, inode, NULL, out);
        place_put(&parent);
    } else {
        inode_put(inode);
    }
    mutex_unlock(&fs_lock);
    return err;
}

int fs_link(const struct place *start, const char *path, const struct place *at)
{
    struct place place;

    inode_get(at->dentry->inode);
    int err = path_create(start, path, at->dentry->inode, at, &place);
    if (!err)
        place_put(&place);
    return err;
}

static int check_remove(const struct place *dir, const struct dentry *victim, bool directory)
{
    int err = place_may_write(dir);
    if (err)
        return err;
    if (!victim)
        return -ENOENT;
    if (victim->inode->dynamic || dir->dentry->inode->dynamic)
        return -EPERM;
    err = inode_may_remove(dir->dentry->inode, victim->inode);
    if (err)
        return err;
    if (directory != inode_is(victim->inode, S_IFDIR))
        return directory ? -ENOTDIR : -EISDIR;
    if (victim->nr_mounts)
        return -EBUSY;
    return list_empty(&victim->children) ? 0 : -ENOTEMPTY;
}

int fs_remove(const struct place *start, const char *path, bool directory)
{
    char name[NAME_MAX + 1];
    struct place dir;
    struct dentry *victim;

    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start, 0);
    int err = walk_parent(&w, start, path, &dir, name, &victim);
    if (err)
        goto unlock;
    err = path_check_last(path, directory);
    if (!err && !directory && victim && path_ends_in_slash(path))
        err = inode_is(victim->inode, S_IFDIR) ? -EISDIR : -ENOTDIR;
    if (!err)
        err = check_remove(&dir, victim, directory);
    if (!err)
        dentry_unlink(victim);
    if (victim)
        dentry_put(victim);
    place_put(&dir);
unlock:
    mutex_unlock(&fs_lock);
    return err;
}
