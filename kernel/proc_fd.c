/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_fd.c - /proc/PID/fd and fdinfo: the descriptors of a process, and how they are open
 *
 * Room:   kernel.
 * Owns:   the lines of fdinfo that all files have; what else a kind tells is in file_ops.tell.
 * Locks:  tasks_lock, then the table's lock, for a reference on the table and on a file.
 * Always: (1) a descriptor that was closed meanwhile is missing: -ENOENT.
 * Source: proc_pid_fd(5), proc_pid_fdinfo(5).
 * Tour:   after kernel/proc_pid.c.
 */
#include "files.h"
#include "mount.h"
#include "proc.h"
#include "task.h"
#include "text_file.h"
#include <uapi/errno.h>

#define LINK_SIZE 64

static struct files *files_of(int pid)
{
    tasks_lock();
    struct task *task = proc_task(pid);
    struct files *files = task ? task->files : NULL;
    if (files)
        files_get(files);
    tasks_unlock();
    return files;
}

/* The file behind a descriptor of a process, with a reference, or NULL. */
static struct file *file_behind(int pid, int fd, bool *close_on_exec)
{
    struct files *files = files_of(pid);
    struct file *file = files ? files_get_file(files, fd, close_on_exec) : NULL;
    if (files)
        files_put(files);
    return file;
}

/* Is @n an open descriptor of a process, or which is the next? -1: none. */
static int next_fd(int pid, int n)
{
    struct files *files = files_of(pid);
    struct file *f = files ? files_next(files, &n) : NULL;
    if (f)
        file_put(f);
    if (files)
        files_put(files);
    return f ? n : -1;
}

/* The descriptor that a name in @dir means, or -1. */
static int fd_named(const struct dentry *dir, const char *name)
{
    int fd = proc_number(name);
    return fd >= 0 && next_fd(proc_pid(dir), fd) == fd ? fd : -1;
}

static bool next_entry(struct dentry *dir, uint64_t *n, uint8_t type, struct dir_entry *out)
{
    int fd = *n < FILES_MAX ? next_fd(proc_pid(dir), *n) : -1;
    if (fd < 0)
        return false;
    *n = fd;
    proc_entry_number(out, fd, type);
    return true;
}

/* fd: a link to the very file that is open, whatever its name is now */

static int follow_fd(const struct place *link, struct place *out)
{
    int pid = proc_pid(link->dentry->parent);
    bool close_on_exec;

    int err = proc_may_look(link->dentry);
    if (err)
        return err;
    struct file *f = file_behind(pid, (int)link->dentry->inode->private, &close_on_exec);
    if (!f)
        return -ENOENT;
    *out = file_place(f);
    place_get(out);
    file_put(f);
    return 0;
}

/* The link's own rights say how the file was opened; its size is always the same, as on Linux. */
static void describe(struct inode *link, const struct file *f)
{
    link->mode = S_IFLNK | (file_readable(f) ? 0500 : 0) | (file_writable(f) ? 0300 : 0);
    atomic_store(&link->object.size_bytes, LINK_SIZE);
}

static int fd_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    int fd = proc_number(name);
    bool close_on_exec;

    struct file *f = fd >= 0 ? file_behind(proc_pid(dir), fd, &close_on_exec) : NULL;
    if (!f)
        return -ENOENT;
    int err = proc_link_create(dir, name, follow_fd, fd, out);
    if (!err)
        describe((*out)->inode, f);
    file_put(f);
    return err;
}

static bool fd_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    return next_entry(dir, n, DT_LNK, out);
}

/* A process that became another user has its descriptors still. */
static bool is_own(const struct inode *dir)
{
    tasks_lock();
    bool own = proc_process((int)dir->private) == process_current();
    tasks_unlock();
    return own;
}

const struct dynamic_dir proc_fd_dir = {fd_lookup, fd_entry, proc_dir_exists, is_own};

/* fdinfo */

static int show_fdinfo(struct text *t, struct dentry *dentry)
{
    bool close_on_exec;

    struct file *f =
        file_behind(proc_pid(dentry->parent), proc_number(dentry->name), &close_on_exec);
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

static const struct text_kind fdinfo_file = {"fdinfo", 0444, .open = proc_may_look,
                                             .show = show_fdinfo};

static int fdinfo_lookup(struct dentry *dir, const char *name, struct dentry **out)
{
    return fd_named(dir, name) < 0 ? -ENOENT : text_file_create(dir, name, &fdinfo_file, out);
}

static bool fdinfo_entry(struct dentry *dir, uint64_t *n, struct dir_entry *out)
{
    return next_entry(dir, n, DT_REG, out);
}

const struct dynamic_dir proc_fdinfo_dir = {fdinfo_lookup, fdinfo_entry, .exists = proc_dir_exists};
