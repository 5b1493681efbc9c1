/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_mounts.c - /proc/PID/mounts and mountinfo: what is mounted where
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  name_lock, inside: one mount after another is looked at, each with a reference.
 * Always: (1) a line has as many fields as Linux's: blanks in names are written \\040.
 * Source: proc_pid_mounts(5), proc_pid_mountinfo(5), fstab(5).
 * Tour:   after kernel/mount.c and kernel/proc.h.
 */
#include "mount.h"
#include "proc.h"
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

static void add_escaped(struct text *t, const char *name)
{
    for (; *name; name++)
        if (strchr(" \t\n\\#", *name))
            text_add(t, "\\%03o", *name);
        else
            text_add_bytes(t, name, 1);
}

static void add_path(struct text *t, const struct place *place, char *path)
{
    if (place_path(place, path, PATH_MAX) > 0)
        add_escaped(t, path);
    text_add(t, " ");
}

static void add_flags(struct text *t, const struct mount *m)
{
    static const char *const names[] = {
        "nosuid",  "nodev",      "noexec",
        "noatime", "nodiratime", "relatime"}; /* as enum mount_flags, but the first */

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (m->flags & 2U << i)
            text_add(t, ",%s", names[i]);
}

static void add_mounts_line(struct text *t, struct mount *m, char *path)
{
    struct place root = {m, m->root};

    add_escaped(t, m->source);
    text_add(t, " ");
    add_path(t, &root, path);
    text_add(t, "%s %s", m->super->type->name, place_may_write(&root) ? "ro" : "rw");
    add_flags(t, m);
    fs_options_show(t, m->super);
    text_add(t, " 0 0\n");
}

static void add_mountinfo_line(struct text *t, struct mount *m, char *path)
{
    struct place inside = {NULL, m->root}, root = {m, m->root};

    text_add(t, "%d %d %lu:%lu ", m->id, mount_parent_id(m), m->super->dev >> 8,
             m->super->dev & 0xff);
    add_path(t, &inside, path);
    add_path(t, &root, path);
    text_add(t, "%s", m->flags & MOUNT_READ_ONLY ? "ro" : "rw");
    add_flags(t, m);
    text_add(t, " - %s ", m->super->type->name);
    add_escaped(t, m->source);
    text_add(t, " %s", m->super->read_only ? "ro" : "rw");
    fs_options_show(t, m->super);
    text_add(t, "\n");
}

static int show_each(struct text *t, void (*add)(struct text *t, struct mount *m, char *path))
{
    char *path = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    struct mount *m;

    if (!path)
        return -ENOMEM;
    for (int id = 0; (m = mount_after(id)); mount_put(m)) {
        id = m->id;
        add(t, m, path);
    }
    kmem_free(path);
    return 0;
}

static int show_mounts(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    return show_each(t, add_mounts_line);
}

static int show_mountinfo(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    return show_each(t, add_mountinfo_line);
}

const struct text_kind proc_mounts = {"mounts", 0444, .show = show_mounts};
const struct text_kind proc_mountinfo = {"mountinfo", 0444, .show = show_mountinfo};
