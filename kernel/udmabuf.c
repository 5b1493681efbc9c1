/* SPDX-License-Identifier: MIT */
/*
 * kernel/udmabuf.c - /dev/udmabuf: parts of memfds as buffers that devices could use
 *
 * Room:   kernel.
 * Owns:   its limits, and what a memfd's seals must say.
 * Locks:  each memfd's object.lock, one at a time, from looking at its seals until it is pinned.
 * Always: (1) a memfd that lends pages cannot shrink, and was not sealed against writing, of now or
 *             of the future; while it lends them, the first cannot be added.
 * Source: Linux drivers/dma-buf/udmabuf.c (behaviour); fcntl(2), "File Sealing".
 * Tour:   after kernel/memfd.c and kernel/dma_buf.c.
 */
#include "dma_buf.h"
#include "files.h"
#include "fs.h"
#include "memfd.h"
#include "text_file.h"
#include <asm/uaccess.h>
#include <base/bug.h>
#include <mm/pin.h>
#include <mm/slab.h>
#include <uapi/dma_buf.h>
#include <uapi/errno.h>

static uint64_t list_limit = 1024, size_limit_mb = 64;

static int check_items(const struct uapi_udmabuf_item *items, unsigned nr)
{
    uint64_t pages = 0, limit = size_limit_mb << 20 >> PAGE_SHIFT;

    for (unsigned i = 0; i < nr; i++) {
        if (!is_aligned(items[i].offset | items[i].size, PAGE_SIZE))
            return -EINVAL;
        pages += items[i].size >> PAGE_SHIFT;
        if (pages > limit)
            return -EINVAL;
    }
    return pages ? 0 : -EINVAL;
}

/* Claim 1. The memfd's object.lock held. */
static int check_seals(const struct file *memfd)
{
    uint32_t refused = SEAL_WRITE | (bug_is_back(BUG_B39) ? 0 : SEAL_FUTURE_WRITE);
    int64_t seals = memfd_get_seals(memfd);

    if (seals < 0 || !memfd->inode->object.ops->kernel_access)
        return -EBADFD;
    return (seals & SEAL_SHRINK) && !(seals & refused) ? 0 : -EINVAL;
}

static int borrow_from(struct file *memfd, const struct uapi_udmabuf_item *item,
                       struct inode *buffer)
{
    struct object *object = &memfd->inode->object;
    int early = 0;

    if (bug_is_back(BUG_B38)) {
        early = check_seals(memfd);
        bug_moment(BUG_B38);
    }
    mutex_lock(&object->lock);
    int err = bug_is_back(BUG_B38) ? early : check_seals(memfd);
    if (!err)
        err = object_borrow(&buffer->object, object, item->offset, item->size);
    mutex_unlock(&object->lock);
    return err;
}

static int borrow_all(const struct uapi_udmabuf_item *items, unsigned nr, struct inode *buffer)
{
    int err = 0;

    for (unsigned i = 0; i < nr && !err; i++) {
        struct file *memfd = file_of((int)items[i].memfd);
        if (!memfd)
            return -EBADFD;
        err = borrow_from(memfd, &items[i], buffer);
        file_put(memfd);
    }
    return err;
}

static int64_t create(const struct uapi_udmabuf_item *items, unsigned nr, uint32_t flags)
{
    struct inode *buffer;

    int err = check_items(items, nr);
    if (!err)
        err = dma_buf_create(&buffer);
    if (err)
        return err;
    err = borrow_all(items, nr, buffer);
    if (err) {
        inode_put(buffer);
        return err;
    }
    return dma_buf_open(buffer, flags & UDMABUF_FLAGS_CLOEXEC);
}

static int64_t create_one(user_addr_t arg)
{
    struct uapi_udmabuf_create one;

    if (copy_from_user(&one, arg, sizeof(one)))
        return -EFAULT;
    struct uapi_udmabuf_item item = {.memfd = one.memfd, .offset = one.offset, .size = one.size};
    return create(&item, 1, one.flags);
}

static int64_t create_list(user_addr_t arg)
{
    struct uapi_udmabuf_create_list head;
    struct uapi_udmabuf_item *items;

    if (copy_from_user(&head, arg, sizeof(head)))
        return -EFAULT;
    if (head.count > list_limit)
        return -EINVAL;
    size_t bytes = head.count * sizeof(*items);
    items = kmem_alloc(max(bytes, sizeof(*items)), 0);
    if (!items)
        return -ENOMEM;
    int64_t result = copy_from_user(items, user(arg.raw + sizeof(head)), bytes);
    if (!result)
        result = create(items, head.count, head.flags);
    kmem_free(items);
    return result;
}

static int64_t udmabuf_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    (void)f;
    switch (cmd) {
    case UDMABUF_CREATE:
        return create_one(user(arg));
    case UDMABUF_CREATE_LIST:
        return create_list(user(arg));
    default:
        return -ENOTTY;
    }
}

const struct file_ops udmabuf_ops = {.ioctl = udmabuf_ioctl};

void udmabuf_boot_files(struct dentry *sys)
{
    static const struct setting list = {.value = &list_limit, .max = INT32_MAX},
                                size = {.value = &size_limit_mb, .max = INT32_MAX};
    static const struct text_kind files[] = {{"list_limit", 0644, .setting = &list},
                                             {"size_limit_mb", 0644, .setting = &size}};
    struct dentry *module = fs_boot_directory(sys, "module", 0755);
    struct dentry *dir = fs_boot_directory(module, "udmabuf", 0755);

    dir = fs_boot_directory(dir, "parameters", 0755);
    TEXT_FILES_BOOT(dir, files);
}
