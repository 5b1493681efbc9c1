/* SPDX-License-Identifier: MIT */
/*
 * kernel/object_file.c - regular files: reading, writing and resizing a memory object
 *
 * Room:   kernel.
 * Owns:   what seals and the largest size allow of each write and truncation.
 * Locks:  object.lock (rank INODE) round every change, user memory copied under it.
 * Always: (1) seals are looked at under the lock under which they are added.
 * Source: write(2), ftruncate(2), fallocate(2), fcntl(2) "File Sealing".
 * Tour:   after kernel/files.c and mm/object.c.
 */
#include "files.h"
#include "fs.h"
#include "task.h"
#include <base/bug.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/secretmem.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>

#define SIZE_LIMIT INT64_MAX /* one more than the last byte a file can have */

static int64_t object_file_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    struct object *object = &f->inode->object;
    if (!object->ops->kernel_access)
        return -EINVAL;
    int64_t n = object_read(object, *pos, len, c);
    if (n > 0)
        *pos += n;
    return n;
}

/* RLIMIT_FSIZE: -EFBIG, and the signal that says so, where no byte may be at @pos. */
static int check_size_limit(uint64_t pos)
{
    struct uapi_siginfo info = {.signo = SIGXFSZ, .code = SI_USER, .pid = process_current()->pid};

    if (pos < process_current()->limits[RLIMIT_FSIZE].soft)
        return 0;
    tasks_lock();
    signal_send_task(task_current(), &info);
    tasks_unlock();
    return -EFBIG;
}

/* How much of a write at @pos may happen. object->lock held. */
static int64_t writable_bytes(const struct object *object, uint64_t pos, size_t len)
{
    int err = check_size_limit(pos);
    if (err)
        return err;
    len = min(len, process_current()->limits[RLIMIT_FSIZE].soft - pos);
    if (object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
        return -EPERM;
    if (pos >= SIZE_LIMIT)
        return -EFBIG;
    len = min(len, SIZE_LIMIT - pos);
    uint64_t size = object_size(object);
    if (!(object->seals & SEAL_GROW) || pos + len <= size)
        return len;
    /* The page that holds the end is out of bounds as a whole, as in Linux. */
    uint64_t end = round_down(size, PAGE_SIZE);
    return pos < end ? (int64_t)(end - pos) : -EPERM;
}

/* A write that a seal refuses is an attempt that shows in the times, as on Linux. */
int64_t object_file_write_where(struct file *f, struct object_copy *c, size_t len, uint64_t *pos,
                                bool at_end)
{
    struct object *object = &f->inode->object;

    if (object->ops != &shmem_ops)
        return -EINVAL;
    mutex_lock(&object->lock);
    uint64_t at = at_end ? object_size(object) : *pos;
    int64_t n = len ? writable_bytes(object, at, len) : 0;
    if (n > 0)
        n = object_write(object, at, n, c);
    if (n > 0)
        *pos = at + n;
    if (n > 0 || n == -EPERM)
        inode_touch(f->inode);
    mutex_unlock(&object->lock);
    return n;
}

static int64_t object_file_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    return object_file_write_where(f, c, len, pos, f->flags & O_APPEND);
}

/* The size of a secret is set once, so that the kernel never has to clear a part of a page. */
static int check_truncate(const struct object *object, uint64_t size_bytes)
{
    uint64_t size = object_size(object);

    if (object_is_secret(object) && size && !bug_is_back(BUG_B51))
        return -EINVAL;
    int err = size_bytes > size ? check_size_limit(size_bytes - 1) : 0;
    if (err)
        return err;
    if (size_bytes & (object_folio_bytes(object) - 1) && object->ops->folio_order > 0)
        return -EINVAL;
    if (size_bytes < size && (object->seals & SEAL_SHRINK))
        return -EPERM;
    if (size_bytes > size && (object->seals & SEAL_GROW))
        return -EPERM;
    return size_bytes > SIZE_LIMIT ? -EFBIG : 0;
}

int inode_truncate(struct inode *inode, uint64_t size_bytes)
{
    struct object *object = &inode->object;

    mutex_lock(&object->lock);
    int err = check_truncate(object, size_bytes);
    if (!err) {
        object_truncate(object, size_bytes);
        inode_touch(inode);
    }
    mutex_unlock(&object->lock);
    return err;
}

static int object_file_truncate(struct file *f, uint64_t size_bytes)
{
    return inode_truncate(f->inode, size_bytes);
}

/* fallocate(2). object->lock held below. */

static int punch(struct object *object, uint64_t start, uint64_t end)
{
    if (object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
        return -EPERM;
    object_punch(object, start, end);
    return 0;
}

/* What cannot fit is refused before the first page; pages had before memory ran out stay. */
static int allocate(struct object *object, uint64_t start, uint64_t end)
{
    struct page_counts pages;

    page_counts(&pages);
    if (object->ops == &shmem_ops && (end - start) / PAGE_SIZE > pages.free)
        return -ENOSPC;
    int err = object_allocate(object, start, end);
    return err && object_is_hugetlb(object) ? -ENOSPC : err; /* the pool is its file system */
}

/* Huge pages that come and go are no change of their file's contents, as on Linux. */
static void touch_allocated(struct inode *inode, unsigned mode)
{
    if (inode->object.ops == &shmem_ops)
        inode_touch(inode);
    else if (!(mode & FALLOC_FL_PUNCH_HOLE))
        inode_touch_ctime(inode);
}

int inode_allocate(struct inode *inode, unsigned mode, uint64_t start, uint64_t end)
{
    struct object *object = &inode->object;
    int err;

    mutex_lock(&object->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        err = punch(object, start, end);
    } else {
        bool grows = end > object_size(object);
        err = grows ? check_size_limit(end - 1) : 0;
        if (!err)
            err = grows && (object->seals & SEAL_GROW) ? -EPERM : allocate(object, start, end);
        if (!err && !(mode & FALLOC_FL_KEEP_SIZE))
            object_cover(object, end);
    }
    if (!err)
        touch_allocated(inode, mode);
    mutex_unlock(&object->lock);
    return err;
}

/* lseek(2) for data and holes. */

/* The first folio from *@key on that somebody touched; false: there is none. index_lock held. */
static bool next_data(struct object *object, uint64_t *key)
{
    struct page *page;

    for (; (page = index_next(&object->folios, key)); ++*key)
        if (!page_is_untouched(page))
            return true;
    return false;
}

/* The first folio at or after @index that is missing, or as good as. index_lock held. */
static uint64_t first_hole(struct object *object, uint64_t index)
{
    uint64_t key = index;
    while (next_data(object, &key) && key == index)
        key = ++index;
    return index;
}

int64_t inode_seek(struct inode *inode, int64_t pos, bool data)
{
    struct object *object = &inode->object;
    int64_t size = object_size(object);

    if (object->ops->folio_order && pos < size) /* all is data, as on Linux; the index has marks */
        return !data ? size : pos < 0 ? -EINVAL : pos;
    if (pos < 0 || pos >= size)
        return -ENXIO;
    uint64_t folio_bytes = object_folio_bytes(object), key = pos / folio_bytes;
    bool found = true;
    spin_lock(&object->index_lock);
    if (data)
        found = next_data(object, &key);
    else
        key = first_hole(object, key);
    spin_unlock(&object->index_lock);
    int64_t at = max((uint64_t)pos, key * folio_bytes);
    if (data)
        return found && at < size ? at : -ENXIO;
    return min(at, size);
}

const struct file_ops object_file_ops = {
    .read = object_file_read,
    .write = object_file_write,
    .truncate = object_file_truncate,
    .splices = true,
};
