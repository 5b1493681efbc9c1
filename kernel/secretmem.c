/* SPDX-License-Identifier: MIT */
/*
 * kernel/secretmem.c - memfd_secret(2): a file that can only be mapped
 *
 * Room:   kernel.
 * Owns:   the arguments of the call, and what its descriptor can do.
 * Locks:  object.lock while the size changes.
 * Always: (1) the size is set once.
 * Source: memfd_secret(2).
 * Tour:   after kernel/memfd.c; then mm/secretmem.c.
 */
#include "files.h"
#include "fs.h"
#include "memfd.h"
#include "syscall.h"
#include <mm/secretmem.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

/* Secret memory has a size that is set once, and no other operation. */
static int secret_truncate(struct file *f, uint64_t size_bytes)
{
    struct object *object = &f->inode->object;
    int err = -EINVAL;

    mutex_lock(&object->lock);
    if (object_size(object) == 0) {
        object_truncate(object, size_bytes);
        err = 0;
    }
    mutex_unlock(&object->lock);
    return err;
}

static const struct file_ops secret_file_ops = {.truncate = secret_truncate, .no_seek = true};

int64_t sys_memfd_secret(unsigned flags)
{
    struct inode *inode;

    if (flags & ~O_CLOEXEC)
        return -EINVAL;
    int err = inode_create(S_IFREG | 0600, &secretmem_ops, &inode);
    if (err)
        return err;
    inode->nlink = 0;
    return memfd_open("secretmem", inode, &secret_file_ops, flags & O_CLOEXEC);
}
