/* SPDX-License-Identifier: MIT */
/*
 * kernel/dma_buf.c - files that are a buffer of given pages: mapped, measured, named
 *
 * Room:   kernel.
 * Owns:   struct buffer.
 * Locks:  buffer.lock (mutex) around name and access; nothing is taken under it.
 * Always: (1) there is no device that would not see what the CPUs write: an access begins and ends
 *             in name only.
 * Source: Linux Documentation/driver-api/dma-buf.rst; drivers/dma-buf/dma-buf.c (behaviour).
 * Tour:   after kernel/dma_buf.h and mm/borrow.c.
 */
#include "dma_buf.h"

#include "files.h"
#include "fs.h"
#include "text_file.h"
#include <asm/uaccess.h>
#include <base/mutex.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/dma_buf.h>
#include <uapi/errno.h>

struct buffer {
    struct mutex lock;
    bool accessed; /* some access began, once */
    char name[DMA_BUF_NAME_LEN];
};

static struct buffer *buffer_of(const struct file *f)
{
    return (struct buffer *)f->inode->private;
}

/* Only to find out how large it is. */
static int64_t buffer_seek(struct file *f, int64_t offset, int whence)
{
    if ((whence != SEEK_SET && whence != SEEK_END) || offset)
        return -EINVAL;
    return whence == SEEK_END ? (int64_t)object_size(&f->inode->object) : 0;
}

static int sync_access(struct buffer *b, user_addr_t arg)
{
    uint64_t flags;
    int err = 0;

    if (copy_from_user(&flags, arg, sizeof(flags)))
        return -EFAULT;
    if ((flags & ~(uint64_t)(DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END)) || !(flags & DMA_BUF_SYNC_RW))
        return -EINVAL;
    mutex_lock(&b->lock);
    if (!(flags & DMA_BUF_SYNC_END))
        b->accessed = true;
    else if (!b->accessed)
        err = -EINVAL;
    mutex_unlock(&b->lock);
    return err;
}

static int set_name(struct buffer *b, user_addr_t arg)
{
    char name[DMA_BUF_NAME_LEN];

    long len = copy_string_from_user(name, arg, sizeof(name));
    if (len < 0)
        return len == -ENAMETOOLONG ? -EINVAL : (int)len;
    mutex_lock(&b->lock);
    memcpy(b->name, name, (size_t)len + 1);
    mutex_unlock(&b->lock);
    return 0;
}

static int64_t buffer_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    switch (cmd) {
    case DMA_BUF_IOCTL_SYNC:
        return sync_access(buffer_of(f), user(arg));
    case DMA_BUF_SET_NAME_A:
    case DMA_BUF_SET_NAME_B:
        return set_name(buffer_of(f), user(arg));
    default:
        return -ENOTTY;
    }
}

static void buffer_tell(struct file *f, struct text *t)
{
    struct buffer *b = buffer_of(f);

    text_add(t, "size:\t%lu\ncount:\t%u\nexp_name:\tudmabuf\n", object_size(&f->inode->object),
             atomic_load(&f->refcount) - 1);
    mutex_lock(&b->lock);
    if (b->name[0])
        text_add(t, "name:\t%s\n", b->name);
    mutex_unlock(&b->lock);
}

static const struct file_ops buffer_ops = {
    .ioctl = buffer_ioctl, .seek = buffer_seek, .tell = buffer_tell};

static void buffer_free(struct inode *inode)
{
    kmem_free((struct buffer *)inode->private);
}

int dma_buf_create(struct inode **out)
{
    struct buffer *b = kmem_alloc(sizeof(*b), SLAB_ALLOC_ZERO);

    if (!b)
        return -ENOMEM;
    int err = inode_create(S_IFREG | 0600, &borrowed_ops, out);
    if (err) {
        kmem_free(b);
        return err;
    }
    mutex_init(&b->lock);
    (*out)->private = (uint64_t)b;
    (*out)->release = buffer_free;
    (*out)->file_ops = NULL; /* it is not opened again by its name */
    return 0;
}

int64_t dma_buf_open(struct inode *buffer, bool close_on_exec)
{
    struct dentry *dentry;
    struct file *file;

    int err = dentry_create("/dmabuf:", NULL, buffer, &dentry);
    if (!err)
        err = file_create(dentry, &buffer_ops, O_RDWR, &file);
    return err ? err : fd_install(file, 0, close_on_exec);
}
