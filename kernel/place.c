/* SPDX-License-Identifier: MIT */
/*
 * kernel/place.c - moving between places: down into what is mounted, up again, and the path to one
 *
 * Room:   kernel.
 * Owns:   nothing; see place.h.
 * Locks:  fs_lock is held by who moves; name_lock here, while a path is put together backwards.
 * Always: (1) who ascends never leaves the root that is given; (2) see place.h.
 * Source: path_resolution(7), chroot(2), getcwd(2).
 * Tour:   after kernel/place.h; then kernel/walk.c.
 */
#include "place.h"

#include "fs.h"
#include "mount.h"
#include "task.h"
#include <lib/string.h>
#include <uapi/errno.h>

void place_get(const struct place *p)
{
    if (p->mount)
        mount_get(p->mount);
    dentry_get(p->dentry);
}

void place_put(const struct place *p)
{
    dentry_put(p->dentry);
    if (p->mount)
        mount_put(p->mount);
}

struct place place_root(void)
{
    const struct task *task = task_current();

    if (task && task->process && task->process->root.dentry)
        return task->process->root;
    struct mount *first = mount_nth(0);
    return (struct place){first, first->root};
}

/* The place moves; so do its references. */
static void move_to(struct place *p, struct place to)
{
    place_get(&to);
    place_put(p);
    *p = to;
}

void place_cross(struct place *p)
{
    struct mount *m;

    while (p->dentry->nr_mounts && (m = mount_on(p)))
        move_to(p, (struct place){m, m->root});
}

void place_ascend(struct place *p, const struct place *root)
{
    struct place at = *p;

    while (!place_is(&at, root) && place_is_mount_root(&at) && at.mount->on.mount)
        at = at.mount->on;
    if (place_is(&at, root) || !at.dentry->parent)
        return;
    at.dentry = at.dentry->parent;
    move_to(p, at);
    place_cross(p);
}

int place_may_write(const struct place *p)
{
    const struct mount *m = p->mount;
    return m && ((m->flags & MOUNT_READ_ONLY) || m->super->read_only) ? -EROFS : 0;
}

bool place_may_not_execute(const struct place *p)
{
    return p->mount && (p->mount->flags & MOUNT_NO_EXEC);
}

/* Paths backwards */

/* Put @text in front of what is in buf[*at..]. */
static bool prepend(char *buf, size_t *at, const char *text)
{
    size_t len = strlen(text);
    if (len > *at)
        return false;
    *at -= len;
    memcpy(buf + *at, text, len);
    return true;
}

static bool is_deleted(const struct dentry *d)
{
    return !d->in_tree && d->parent && d->parent != d && !d->parent->inode->dynamic;
}

/* Out of what is mounted, to the name it is mounted on. False: it is the root of all. */
static bool leave_mounts(struct place *p)
{
    while (place_is_mount_root(p) && p->mount->on.mount)
        *p = p->mount->on;
    return !place_is_mount_root(p) && p->dentry->parent && p->dentry->parent != p->dentry;
}

/* name_lock held. Builds the text at the end of @buf; false when it does not fit. */
static bool path_backwards(struct place p, const struct place *root, char *buf, size_t *at)
{
    size_t end = *at;

    if (is_deleted(p.dentry) && !prepend(buf, &end, " (deleted)"))
        return false;
    *at = end;
    if (!p.dentry->parent && !place_is_mount_root(&p))
        return prepend(buf, at, p.dentry->name);
    for (; !place_is(&p, root) && leave_mounts(&p); p.dentry = p.dentry->parent)
        if (!prepend(buf, at, p.dentry->name) || !prepend(buf, at, "/"))
            return false;
    return *at < end || prepend(buf, at, "/");
}

static int path_between(const struct place *p, char *buf, size_t size)
{
    struct place root = place_root();
    size_t at = size - 1;

    buf[at] = '\0';
    if (!path_backwards(*p, &root, buf, &at))
        return -ENAMETOOLONG;
    memmove(buf, buf + at, size - at);
    return size - 1 - at;
}

int place_path(const struct place *p, char *buf, size_t size)
{
    spin_lock(&name_lock);
    int len = path_between(p, buf, size);
    spin_unlock(&name_lock);
    return len;
}

/* name_lock held. */
static struct place place_in_oldest(struct dentry *dentry)
{
    const struct superblock *super = dentry->inode->super;
    struct place p = {NULL, dentry};

    if (super && !list_empty(&super->mounts))
        p.mount = list_first_entry(&super->mounts, struct mount, super_node);
    return p;
}

void dentry_place(struct dentry *dentry, struct place *out)
{
    spin_lock(&name_lock);
    *out = place_in_oldest(dentry);
    if (out->mount && !mount_get_living(out->mount))
        out->mount = NULL;
    dentry_get(dentry);
    spin_unlock(&name_lock);
}

int dentry_path(struct dentry *dentry, char *buf, size_t size)
{
    spin_lock(&name_lock);
    struct place p = place_in_oldest(dentry);
    int len = path_between(&p, buf, size);
    spin_unlock(&name_lock);
    return len;
}
