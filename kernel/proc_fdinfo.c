/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_fdinfo.c - /proc/PID/fdinfo/N: how a descriptor's file is open
 *
 * Room:   kernel.
 * Owns:   the lines that all files have; what else a kind tells is its own (file_ops.tell).
 * Locks:  the table's lock, for a reference on the file.
 * Always: (1) a descriptor that was closed meanwhile is missing: -ENOENT.
 * Source: proc_pid_fdinfo(5).
 * Tour:   after kernel/proc_pid.c.
 */
#include "files.h"
#include "mount.h"
#include "proc.h"
#include "text_file.h"
#include <lib/parse.h>
#include <uapi/errno.h>

static int show_fdinfo(struct text *t, struct dentry *dentry)
{
    bool close_on_exec;
    uint64_t fd;

    int err = parse_number(dentry->name, &fd);
    if (err)
        return err;
    struct file *f = proc_file_of(proc_pid(dentry->parent), (int)fd, &close_on_exec);
    if (!f)
        return -ENOENT;
    text_add(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->pos,
             f->flags | (close_on_exec ? O_CLOEXEC : 0), f->mount ? f->mount->id : 0,
             f->inode->ino);
    if (f->ops->tell)
        f->ops->tell(f, t);
    file_put(f);
    return 0;
}

const struct text_kind proc_fdinfo = {"fdinfo", 0444, .open = proc_may_look, .show = show_fdinfo};
