/* SPDX-License-Identifier: MIT */
/*
 * kernel/fallocate.c - making and punching parts of a file
 *
 * Room:   kernel.
 * Owns:   fallocate(2)'s checks, in Linux's order.
 * Locks:  the object's lock from looking at its seals to the end.
 * Always: (1) a punched hole needs the same permission as a write: seals say so.
 * Source: fallocate(2), fcntl(2) "File Sealing".
 * Tour:   after kernel/memfd.c.
 */
#include "files.h"
#include "fs.h"
#include "syscall.h"
#include <uapi/errno.h>
#include <uapi/fcntl.h>

static int check_file(const struct file *f)
{
    switch (f->inode->mode & S_IFMT) {
    case S_IFREG:
        return f->inode->object.ops->kernel_access ? 0 : -EOPNOTSUPP;
    case S_IFIFO:
        return -ESPIPE;
    case S_IFDIR:
        return -EISDIR;
    default:
        return -ENODEV;
    }
}

static int punch(struct object *object, uint64_t start, uint64_t end)
{
    if (object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
        return -EPERM;
    object_punch(object, start, end);
    return 0;
}

static int extend(struct object *object, uint64_t start, uint64_t end, bool keep_size)
{
    if ((object->seals & SEAL_GROW) && end > object_size(object))
        return -EPERM;
    int err = object_allocate(object, start, end);
    if (err)
        return -ENOSPC;
    if (!keep_size && end > object_size(object))
        object_truncate(object, end);
    return 0;
}

int64_t sys_fallocate(int fd, int mode, int64_t offset, int64_t len)
{
    struct file *f = fd_get(fd);
    int64_t end;

    if (!f)
        return -EBADF;
    int err = 0;
    if (offset < 0 || len <= 0)
        err = -EINVAL;
    else if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) ||
             mode == FALLOC_FL_PUNCH_HOLE)
        err = -EOPNOTSUPP;
    else if (!file_writable(f))
        err = -EBADF;
    if (!err)
        err = check_file(f);
    if (!err && __builtin_add_overflow(offset, len, &end))
        err = -EFBIG;
    if (!err) {
        struct object *object = &f->inode->object;
        mutex_lock(&object->lock);
        err = mode & FALLOC_FL_PUNCH_HOLE ? punch(object, offset, end)
                                          : extend(object, offset, end, mode & FALLOC_FL_KEEP_SIZE);
        mutex_unlock(&object->lock);
        if (!err)
            inode_touch(f->inode);
    }
    file_put(f);
    return err;
}
