/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs_path.c - from paths to names, and how names come, go and move
 *
 * Room:   kernel.
 * Owns:   the rules of path resolution.
 * Locks:  fs_lock (mutex, rank FS).
 * Always: (1) what is looked up is looked up under one hold of fs_lock: nothing moves meanwhile.
 * Source: path_resolution(7), symlink(7), rename(2).
 * Tour:   after kernel/fs.c.
 */
#include "cred.h"
#include "fs.h"
#include "mount.h"

#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define LINKS_MAX 40 /* symbolic links followed in one lookup */

/* Below, static functions are called with fs_lock held. */

static bool is_dot(const char *name, size_t len)
{
    return len == 1 && name[0] == '.';
}

static bool is_dot_dot(const char *name, size_t len)
{
    return len == 2 && name[0] == '.' && name[1] == '.';
}

/* One step down. Kept apart for its buffer: walk() recurses. */
static __attribute__((noinline)) int find_child(struct dentry *dir, const char *name, size_t len,
                                                struct dentry **out)
{
    const struct dynamic_dir *dynamic = dir->inode->dynamic;
    struct dentry *child;

    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    list_for_each_entry (child, &dir->children, sibling) {
        if (!strncmp(child->name, name, len) && !child->name[len]) {
            dentry_get(child);
            *out = child;
            return 0;
        }
    }
    if (!dynamic)
        return -ENOENT;
    char copy[NAME_MAX + 1];
    memcpy(copy, name, len);
    copy[len] = '\0';
    return dynamic->lookup(dir, copy, out);
}

static int walk(const struct place *start, const char *path, size_t len, unsigned flags,
                unsigned *links, struct place *out);

/* Replace *@at, a symbolic link, by what it stands for. */
static int follow(struct place *at, unsigned flags, unsigned *links)
{
    const struct inode *link = at->dentry->inode;
    struct place dir = {at->mount, at->dentry->parent}, to;
    int err;

    if (++*links > LINKS_MAX)
        return -ELOOP;
    if (link->follow)
        err = link->follow(at, &to);
    else
        err = walk(&dir, link->target, strlen(link->target), flags | LOOKUP_FOLLOW, links, &to);
    if (err)
        return err;
    place_put(at);
    *at = to;
    return 0;
}

/* From *@at to its entry @name, whose references it then has. */
static int step(struct place *at, const char *name, size_t len)
{
    struct dentry *next;

    if (!inode_is(at->dentry->inode, S_IFDIR))
        return -ENOTDIR;
    int err = inode_permission(at->dentry->inode, X_OK);
    if (err || is_dot(name, len))
        return err;
    if (is_dot_dot(name, len)) {
        place_ascend(at);
        return 0;
    }
    err = find_child(at->dentry, name, len, &next);
    if (err)
        return err;
    dentry_put(at->dentry);
    at->dentry = next;
    place_cross(at);
    return 0;
}

static int walk(const struct place *start, const char *path, size_t len, unsigned flags,
                unsigned *links, struct place *out)
{
    struct place at = len && path[0] == '/' ? place_root() : *start;
    const char *end = path + len;
    int err = 0;

    place_get(&at);
    while (!err) {
        while (path < end && *path == '/')
            path++;
        if (path == end)
            break;
        const char *name = path;
        while (path < end && *path != '/')
            path++;
        err = step(&at, name, path - name);
        /* A slash behind the name asks for what the link stands for, too. */
        if (!err && inode_is(at.dentry->inode, S_IFLNK) && (path < end || (flags & LOOKUP_FOLLOW)))
            err = follow(&at, flags & ~LOOKUP_DIRECTORY, links);
        if (!err && path < end && !inode_is(at.dentry->inode, S_IFDIR))
            err = -ENOTDIR;
    }
    if (!err && (flags & LOOKUP_DIRECTORY) && !inode_is(at.dentry->inode, S_IFDIR))
        err = -ENOTDIR;
    if (err) {
        place_put(&at);
        return err;
    }
    *out = at;
    return 0;
}

int fs_lookup(const struct place *start, const char *path, unsigned flags, struct place *out)
{
    unsigned links = 0;

    if (!*path)
        return -ENOENT;
    mutex_lock(&fs_lock);
    int err = walk(start, path, strlen(path), flags, &links, out);
    mutex_unlock(&fs_lock);
    return err;
}

/* Where the last name begins, and its length without slashes behind it; 0: the path is a root. */
static const char *last_name(const char *path, size_t *len)
{
    const char *end = path + strlen(path);

    while (end > path && end[-1] == '/')
        end--;
    const char *name = end;
    while (name > path && name[-1] != '/')
        name--;
    *len = end - name;
    return name;
}

/* The directory a path's last name lies in, and that name. *@existing: what has it, or NULL. */
static int lookup_parent(const struct place *start, const char *path, struct place *parent,
                         char *name, struct dentry **existing)
{
    unsigned links = 0;
    size_t len;
    const char *last = last_name(path, &len);

    if (!*path)
        return -ENOENT;
    if (len == 0 || is_dot(last, len) || is_dot_dot(last, len)) {
        int err = walk(start, path, strlen(path), LOOKUP_DIRECTORY, &links, parent);
        if (err)
            return err;
        strlcpy(name, ".", NAME_MAX + 1);
        *existing = parent->dentry;
        dentry_get(*existing);
        return 0;
    }
    int err = walk(start, path, last - path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &links, parent);
    if (err)
        return err;
    err = inode_permission(parent->dentry->inode, X_OK);
    if (!err)
        err = find_child(parent->dentry, last, len, existing);
    if (err == -ENOENT) {
        *existing = NULL;
        err = 0;
    }
    if (err) {
        place_put(parent);
        return err;
    }
    memcpy(name, last, len);
    name[len] = '\0';
    return 0;
}

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);
    return len && path[len - 1] == '/';
}

/* May names be added to or taken from this directory? */
static int check_directory(const struct dentry *dir)
{
    if (dir->inode->dynamic)
        return -EPERM;
    return dir->in_tree ? 0 : -ENOENT;
}

/* May @inode get the name at the end of @path in @dir? @from: a place it has already, or NULL. */
static int check_create(const struct place *dir, const struct dentry *existing, const char *path,
                        const struct inode *inode, const struct place *from)
{
    if (existing)
        return -EEXIST;
    if (ends_in_slash(path) && !inode_is(inode, S_IFDIR))
        return !from && inode_is(inode, S_IFREG) ? -EISDIR : -ENOENT;
    int err = place_may_write(dir);
    if (!err && from && from->mount != dir->mount)
        err = -EXDEV;
    if (!err)
        err = check_directory(dir->dentry);
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
}

/* A name for @inode, whose reference it takes over. @from: a place it has already, or NULL. */
static int name_create(const struct place *start, const char *path, struct inode *inode,
                       const struct place *from, struct place *out)
{
    char name[NAME_MAX + 1];
    struct place parent;
    struct dentry *existing;

    mutex_lock(&fs_lock);
    int err = lookup_parent(start, path, &parent, name, &existing);
    if (err)
        goto put_inode;
    err = check_create(&parent, existing, path, inode, from);
    if (existing)
        dentry_put(existing);
    if (err)
        goto put_parent;
    err = dentry_create(name, parent.dentry, inode, &out->dentry);
    inode = NULL;
    if (!err) {
        name_count(parent.dentry, out->dentry->inode, from);
        dentry_link(out->dentry);
        out->mount = parent.mount;
        mount_get(out->mount);
    }
put_parent:
    place_put(&parent);
put_inode:
    mutex_unlock(&fs_lock);
    if (inode)
        inode_put(inode);
    return err;
}

int fs_create(const struct place *start, const char *path, struct inode *inode, struct place *out)
{
    struct place place;
    int err = name_create(start, path, inode, NULL, &place);
    if (err)
        return err;
    if (out)
        *out = place;
    else
        place_put(&place);
    return 0;
}

int fs_link(const struct place *start, const char *path, const struct place *at)
{
    struct place place;

    inode_get(at->dentry->inode);
    int err = name_create(start, path, at->dentry->inode, at, &place);
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

/* What cannot be removed by that name, wherever it leads. */
static int check_last_name(const char *path, bool directory)
{
    size_t len;
    const char *last = last_name(path, &len);

    if (!len)
        return directory ? -EBUSY : -EISDIR;
    if (is_dot_dot(last, len))
        return directory ? -ENOTEMPTY : -EISDIR;
    return is_dot(last, len) ? directory ? -EINVAL : -EISDIR : 0;
}

int fs_remove(const struct place *start, const char *path, bool directory)
{
    char name[NAME_MAX + 1];
    struct place dir;
    struct dentry *victim;

    mutex_lock(&fs_lock);
    int err = lookup_parent(start, path, &dir, name, &victim);
    if (err)
        goto unlock;
    err = check_last_name(path, directory);
    if (!err && !directory && victim && ends_in_slash(path))
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

/* rename(2) */

static bool is_below(const struct dentry *d, const struct dentry *top)
{
    while (d != top && d->parent && d->parent != d)
        d = d->parent;
    return d == top;
}

static int check_rename(const struct dentry *from, const struct dentry *to_dir,
                        const struct dentry *to)
{
    bool directory = inode_is(from->inode, S_IFDIR);

    if (directory && is_below(to_dir, from))
        return -EINVAL;
    if (from->nr_mounts || (to && to->nr_mounts))
        return -EBUSY;
    if (!to)
        return 0;
    if (inode_is(to->inode, S_IFDIR) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    return list_empty(&to->children) ? 0 : -ENOTEMPTY;
}

/* A directory that moves is written: its ".." becomes another. */
static int check_rename_rights(const struct dentry *from_dir, const struct dentry *from,
                               const struct dentry *to_dir, const struct dentry *to)
{
    int err = inode_may_remove(from_dir->inode, from->inode);

    if (!err)
        err = to ? inode_may_remove(to_dir->inode, to->inode)
                 : inode_permission(to_dir->inode, W_OK | X_OK);
    if (!err && inode_is(from->inode, S_IFDIR) && from_dir != to_dir)
        err = inode_permission(from->inode, W_OK);
    return err;
}

static int rename_found(struct dentry *from_dir, struct dentry *from, struct dentry *to_dir,
                        struct dentry *to, const char *name)
{
    if (to && from->inode == to->inode)
        return 0;
    int err = check_directory(from_dir);
    if (!err)
        err = check_directory(to_dir);
    if (!err && to && is_below(from_dir, to))
        err = -ENOTEMPTY;
    if (!err)
        err = check_rename_rights(from_dir, from, to_dir, to);
    if (!err)
        err = check_rename(from, to_dir, to);
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

/* A name with a slash behind it means a directory. */
static int check_slashes(const char *old, const struct dentry *from, const char *new)
{
    bool slash = ends_in_slash(old) || ends_in_slash(new);

    if (!from)
        return -ENOENT;
    return slash && !inode_is(from->inode, S_IFDIR) ? -ENOTDIR : 0;
}

int fs_rename(const struct place *start_old, const char *old, const struct place *start_new,
              const char *new)
{
    char name[NAME_MAX + 1];
    struct place from_dir, to_dir;
    struct dentry *from, *to;

    mutex_lock(&fs_lock);
    int err = lookup_parent(start_old, old, &from_dir, name, &from);
    if (err)
        goto unlock;
    err = lookup_parent(start_new, new, &to_dir, name, &to);
    if (err)
        goto put_from;
    if (from_dir.mount != to_dir.mount)
        err = -EXDEV;
    else if (check_last_name(old, true) || check_last_name(new, true))
        err = -EBUSY;
    else
        err = place_may_write(&from_dir);
    if (!err)
        err = check_slashes(old, from, new);
    if (!err)
        err = rename_found(from_dir.dentry, from, to_dir.dentry, to, name);
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
