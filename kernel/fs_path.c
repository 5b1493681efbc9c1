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

/* One path, with the links in it. */
struct walk {
    unsigned limits;   /* of enum lookup_flags */
    unsigned links;    /* followed so far */
    struct place root; /* where "/" leads, and ".." ends */
};

static struct walk walk_begin(const struct place *start, unsigned flags)
{
    bool scoped = flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT);
    return (struct walk){.limits = flags, .root = scoped ? *start : place_root()};
}

static int walk(struct walk *w, const struct place *start, const char *path, size_t len,
                unsigned flags, struct place *out);

static int follow_magic(const struct walk *w, const struct place *at, struct place *to)
{
    if (w->limits & LOOKUP_NO_MAGIC)
        return -ELOOP;
    if (w->limits & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
        return -EXDEV;
    return at->dentry->inode->follow(at, to);
}

/* Replace *@at, a symbolic link, by what it stands for. */
static int follow(struct walk *w, struct place *at, unsigned flags)
{
    const struct inode *link = at->dentry->inode;
    struct place dir = {at->mount, at->dentry->parent}, to;
    int err;

    if (++w->links > LINKS_MAX || (w->limits & LOOKUP_NO_LINKS))
        return -ELOOP;
    if (link->follow)
        err = follow_magic(w, at, &to);
    else
        err = walk(w, &dir, link->target, strlen(link->target), flags | LOOKUP_FOLLOW, &to);
    if (err)
        return err;
    bool leaves = to.mount != at->mount && (w->limits & LOOKUP_NO_MOUNTS);
    place_put(at);
    *at = to;
    return leaves ? -EXDEV : 0;
}

static int step_up(const struct walk *w, struct place *at)
{
    if ((w->limits & LOOKUP_BENEATH) && place_is(at, &w->root))
        return -EXDEV;
    place_ascend(at, &w->root);
    return 0;
}

static int step_down(struct place *at, const char *name, size_t len)
{
    struct dentry *next;

    int err = find_child(at->dentry, name, len, &next);
    if (err)
        return err;
    dentry_put(at->dentry);
    at->dentry = next;
    place_cross(at);
    return 0;
}

/* From *@at to its entry @name, whose references it then has. */
static int step(const struct walk *w, struct place *at, const char *name, size_t len)
{
    const struct mount *mount = at->mount;

    if (!inode_is(at->dentry->inode, S_IFDIR))
        return -ENOTDIR;
    int err = inode_permission(at->dentry->inode, X_OK);
    if (err || is_dot(name, len))
        return err;
    err = is_dot_dot(name, len) ? step_up(w, at) : step_down(at, name, len);
    return !err && at->mount != mount && (w->limits & LOOKUP_NO_MOUNTS) ? -EXDEV : err;
}

static int walk(struct walk *w, const struct place *start, const char *path, size_t len,
                unsigned flags, struct place *out)
{
    bool absolute = len && path[0] == '/';
    struct place at = absolute ? w->root : *start;
    const char *end = path + len;
    int err = absolute && (w->limits & LOOKUP_BENEATH) ? -EXDEV : 0;

    place_get(&at);
    while (!err) {
        while (path < end && *path == '/')
            path++;
        if (path == end)
            break;
        const char *name = path;
        while (path < end && *path != '/')
            path++;
        err = step(w, &at, name, path - name);
        /* A slash behind the name asks for what the link stands for, too. */
        if (!err && inode_is(at.dentry->inode, S_IFLNK) && (path < end || (flags & LOOKUP_FOLLOW)))
            err = follow(w, &at, flags & ~LOOKUP_DIRECTORY);
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
    if (!*path)
        return -ENOENT;
    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start, flags);
    int err = walk(&w, start, path, strlen(path), flags, out);
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
static int lookup_parent(struct walk *w, const struct place *start, const char *path,
                         struct place *parent, char *name, struct dentry **existing)
{
    size_t len;
    const char *last = last_name(path, &len);

    if (!*path)
        return -ENOENT;
    if (len == 0 || is_dot(last, len) || is_dot_dot(last, len)) {
        int err = walk(w, start, path, strlen(path), LOOKUP_DIRECTORY, parent);
        if (err)
            return err;
        strlcpy(name, ".", NAME_MAX + 1);
        *existing = parent->dentry;
        dentry_get(*existing);
        return 0;
    }
    int err = walk(w, start, path, last - path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, parent);
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

/* May @inode get a name in @dir? @from: a place it has already, or NULL. */
static int check_create(const struct place *dir, const struct inode *inode,
                        const struct place *from)
{
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
    return ends_in_slash(path) && !inode_is(inode, S_IFDIR) ? -ENOENT : 0;
}

static int path_create(const struct place *start, const char *path, struct inode *inode,
                       const struct place *from, struct place *out)
{
    char name[NAME_MAX + 1];
    struct dentry *existing;
    struct place parent;

    mutex_lock(&fs_lock);
    struct walk w = walk_begin(start, 0);
    int err = lookup_parent(&w, start, path, &parent, name, &existing);
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

    if (ends_in_slash(path))
        return -EISDIR;
    int err = lookup_parent(w, start, path, parent, name, &existing);
    if (err || !existing)
        return err;
    struct place dir = *parent;
    if (!inode_is(existing->inode, S_IFLNK) || !existing->inode->target)
        err = -EEXIST;
    else if (++w->links > LINKS_MAX || (w->limits & LOOKUP_NO_LINKS))
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
    struct walk w = walk_begin(start, 0);
    int err = lookup_parent(&w, start, path, &dir, name, &victim);
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
    err = check_directory(from_dir);
    if (!err)
        err = check_directory(to_dir);
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
    bool slash = ends_in_slash(old) || (ends_in_slash(new) && !(flags & RENAME_EXCHANGE));

    if (!from)
        return -ENOENT;
    if (to && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (flags & RENAME_EXCHANGE) {
        if (!to)
            return -ENOENT;
        if (ends_in_slash(new) && !inode_is(to->inode, S_IFDIR))
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
    int err = lookup_parent(&w, start_old, old, &from_dir, name, &from);
    if (err)
        goto unlock;
    err = lookup_parent(&v, start_new, new, &to_dir, name, &to);
    if (err)
        goto put_from;
    if (from_dir.mount != to_dir.mount)
        err = -EXDEV;
    else if (check_last_name(old, true) || check_last_name(new, true))
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
