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

static int walk(struct dentry *start, const char *path, size_t len, unsigned flags, unsigned *links,
                struct dentry **out);

/* Replace *@at, a symbolic link, by what it stands for. */
static int follow(struct dentry **at, unsigned flags, unsigned *links)
{
    struct dentry *link = *at, *to;
    int err;

    if (++*links > LINKS_MAX)
        return -ELOOP;
    if (link->inode->follow)
        err = link->inode->follow(link, &to);
    else
        err = walk(link->parent, link->inode->target, strlen(link->inode->target),
                   flags | LOOKUP_FOLLOW, links, &to);
    if (err)
        return err;
    dentry_put(link);
    *at = to;
    return 0;
}

/* From *@at to its entry @name, whose reference it then has. */
static int step(struct dentry **at, const char *name, size_t len)
{
    struct dentry *next;

    if (!inode_is((*at)->inode, S_IFDIR))
        return -ENOTDIR;
    int err = inode_permission((*at)->inode, X_OK);
    if (err || is_dot(name, len))
        return err;
    if (is_dot_dot(name, len)) {
        next = (*at)->parent;
        dentry_get(next);
    } else {
        err = find_child(*at, name, len, &next);
        if (err)
            return err;
    }
    dentry_put(*at);
    *at = next;
    return 0;
}

static int walk(struct dentry *start, const char *path, size_t len, unsigned flags, unsigned *links,
                struct dentry **out)
{
    struct dentry *at = len && path[0] == '/' ? fs_root : start;
    const char *end = path + len;
    int err = 0;

    dentry_get(at);
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
        if (!err && inode_is(at->inode, S_IFLNK) && (path < end || (flags & LOOKUP_FOLLOW)))
            err = follow(&at, flags & ~LOOKUP_DIRECTORY, links);
        if (!err && path < end && !inode_is(at->inode, S_IFDIR))
            err = -ENOTDIR;
    }
    if (!err && (flags & LOOKUP_DIRECTORY) && !inode_is(at->inode, S_IFDIR))
        err = -ENOTDIR;
    if (err) {
        dentry_put(at);
        return err;
    }
    *out = at;
    return 0;
}

int fs_lookup(struct dentry *start, const char *path, unsigned flags, struct dentry **out)
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

static int lookup_parent(struct dentry *start, const char *path, struct dentry **parent, char *name,
                         struct dentry **existing)
{
    unsigned links = 0;
    size_t len;
    const char *last = last_name(path, &len);

    if (!*path)
        return -ENOENT;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    if (len == 0 || is_dot(last, len) || is_dot_dot(last, len)) {
        int err = walk(start, path, strlen(path), LOOKUP_DIRECTORY, &links, parent);
        if (err)
            return err;
        strlcpy(name, ".", NAME_MAX + 1);
        *existing = *parent;
        dentry_get(*existing);
        return 0;
    }
    int err = walk(start, path, last - path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &links, parent);
    if (err)
        return err;
    memcpy(name, last, len);
    name[len] = '\0';
    err = inode_permission((*parent)->inode, X_OK);
    if (!err)
        err = find_child(*parent, last, len, existing);
    if (err == -ENOENT) {
        *existing = NULL;
        err = 0;
    }
    if (err)
        dentry_put(*parent);
    return err;
}

int fs_lookup_parent(struct dentry *start, const char *path, struct dentry **parent, char *name,
                     struct dentry **existing)
{
    mutex_lock(&fs_lock);
    int err = lookup_parent(start, path, parent, name, existing);
    if (err)
        mutex_unlock(&fs_lock);
    return err;
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
    return dir->in_tree || dir == fs_root ? 0 : -ENOENT;
}

/* May @inode get the name at the end of @path in @dir? */
static int check_create(const struct dentry *dir, const struct dentry *existing, const char *path,
                        const struct inode *inode, bool link)
{
    int err = existing ? -EEXIST : check_directory(dir);

    if (!err)
        err = inode_permission(dir->inode, W_OK | X_OK);
    if (err)
        return err;
    if (link && inode_is(inode, S_IFDIR))
        return -EPERM;
    if (link && !inode->nlink)
        return -ENOENT;
    if (ends_in_slash(path) && !inode_is(inode, S_IFDIR))
        return link ? -ENOENT : -EISDIR;
    return 0;
}

/* What is made in a set-group-ID directory belongs to the directory's group; in a tmpfs with huge=,
 * it has that. */
static void inherit(const struct dentry *dir, struct inode *inode)
{
    inode->object.huge = READ_ONCE(dir->inode->object.huge);
    if (!(dir->inode->mode & S_ISGID))
        return;
    inode->gid = dir->inode->gid;
    if (inode_is(inode, S_IFDIR))
        inode->mode |= S_ISGID;
    else if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
             !cred_in_group(inode->gid) && !capable(CAP_FSETID))
        inode->mode &= ~S_ISGID;
}

/* A name for @inode, whose reference it takes over. @link: it had one before. */
static int name_create(struct dentry *start, const char *path, struct inode *inode, bool link,
                       struct dentry **out)
{
    char name[NAME_MAX + 1];
    struct dentry *parent, *existing;

    int err = fs_lookup_parent(start, path, &parent, name, &existing);
    if (err) {
        inode_put(inode);
        return err;
    }
    err = check_create(parent, existing, path, inode, link);
    if (err)
        inode_put(inode);
    else
        err = dentry_create(name, parent, inode, out);
    if (!err) {
        if (!link)
            inherit(parent, inode);
        dentry_link(*out);
        inode->nlink += link;
    }
    mutex_unlock(&fs_lock);
    if (existing)
        dentry_put(existing);
    dentry_put(parent);
    return err;
}

int fs_create(struct dentry *start, const char *path, struct inode *inode, struct dentry **out)
{
    struct dentry *dentry;
    int err = name_create(start, path, inode, false, &dentry);
    if (err)
        return err;
    if (out)
        *out = dentry;
    else
        dentry_put(dentry);
    return 0;
}

int fs_link(struct dentry *start, const char *path, struct inode *inode)
{
    struct dentry *dentry;

    inode_get(inode);
    int err = name_create(start, path, inode, true, &dentry);
    if (!err)
        dentry_put(dentry);
    return err;
}

static int check_remove(const struct dentry *parent, const struct dentry *victim, bool directory)
{
    if (!victim)
        return -ENOENT;
    bool is_directory = inode_is(victim->inode, S_IFDIR);
    if (directory != is_directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (victim == parent)
        return victim == fs_root ? -EBUSY : -EINVAL;
    if (victim->inode->dynamic || parent->inode->dynamic)
        return -EPERM;
    int err = inode_may_remove(parent->inode, victim->inode);
    if (err)
        return err;
    return list_empty(&victim->children) ? 0 : -ENOTEMPTY;
}

int fs_remove(struct dentry *start, const char *path, bool directory)
{
    char name[NAME_MAX + 1];
    struct dentry *parent, *victim;

    int err = fs_lookup_parent(start, path, &parent, name, &victim);
    if (err)
        return err;
    err = check_remove(parent, victim, directory);
    if (!err && !directory && ends_in_slash(path))
        err = -ENOTDIR;
    if (!err)
        dentry_unlink(victim);
    mutex_unlock(&fs_lock);
    if (victim)
        dentry_put(victim);
    dentry_put(parent);
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
    if (!to)
        return 0;
    if (inode_is(to->inode, S_IFDIR) != directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (to == to_dir)
        return -EBUSY;
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
    if (!from)
        return -ENOENT;
    if (from == from_dir)
        return -EBUSY;
    if (to && from->inode == to->inode)
        return 0;
    int err = check_directory(from_dir);
    if (!err)
        err = check_directory(to_dir);
    if (!err)
        err = check_rename(from, to_dir, to);
    if (!err)
        err = check_rename_rights(from_dir, from, to_dir, to);
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

int fs_rename(struct dentry *start_old, const char *old, struct dentry *start_new, const char *new)
{
    char name[NAME_MAX + 1];
    struct dentry *from_dir, *from, *to_dir, *to;

    mutex_lock(&fs_lock);
    int err = lookup_parent(start_old, old, &from_dir, name, &from);
    if (err)
        goto unlock;
    err = lookup_parent(start_new, new, &to_dir, name, &to);
    if (err)
        goto put_from;
    err = rename_found(from_dir, from, to_dir, to, name);
    if (to)
        dentry_put(to);
    dentry_put(to_dir);
put_from:
    if (from)
        dentry_put(from);
    dentry_put(from_dir);
unlock:
    mutex_unlock(&fs_lock);
    return err;
}
