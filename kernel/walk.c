/* SPDX-License-Identifier: MIT */
/*
 * kernel/walk.c - from paths to names
 *
 * Room:   kernel.
 * Owns:   the rules of path resolution.
 * Locks:  fs_lock (mutex, rank FS), which fs_lookup() takes.
 * Always: (1) what is looked up is looked up under one hold of fs_lock: nothing moves meanwhile.
 * Source: path_resolution(7), symlink(7), openat2(2).
 * Tour:   after kernel/walk.h; then kernel/fs_path.c.
 */
#include "walk.h"

#include "cred.h"
#include "mount.h"
#include <lib/string.h>
#include <uapi/errno.h>

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

struct walk walk_begin(const struct place *start, unsigned flags)
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

    if (++w->links > WALK_LINKS_MAX || (w->limits & LOOKUP_NO_LINKS))
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

int walk_parent(struct walk *w, const struct place *start, const char *path, struct place *parent,
                char *name, struct dentry **existing)
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

bool path_ends_in_slash(const char *path)
{
    size_t len = strlen(path);
    return len && path[len - 1] == '/';
}

int path_check_last(const char *path, bool directory)
{
    size_t len;
    const char *last = last_name(path, &len);

    if (!len)
        return directory ? -EBUSY : -EISDIR;
    if (is_dot_dot(last, len))
        return directory ? -ENOTEMPTY : -EISDIR;
    return is_dot(last, len) ? directory ? -EINVAL : -EISDIR : 0;
}

int directory_check(const struct dentry *dir)
{
    if (dir->inode->dynamic)
        return -EPERM;
    return dir->in_tree ? 0 : -ENOENT;
}
