/* SPDX-License-Identifier: MIT */
/*
 * kernel/files.c - open files, tables of descriptors, buffers to copy to and from
 *
 * Room:   kernel.
 * Owns:   the life of struct file and struct files.
 * Locks:  files.lock (spin, rank FILES).
 * Always: (1) see files.h; (2) entries of a table from its end on are not initialised.
 * Source: open(2), dup(2), close(2).
 * Tour:   after kernel/files.h; then kernel/object_file.c, kernel/sys_fs.c.
 */
#include "files.h"

#include "file_lock.h"
#include "fs.h"
#include "mount.h"
#include "running.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

static struct slab_cache file_cache;

#define CREATE_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

/* Open files */

void files_boot_init(void)
{
    slab_cache_init(&file_cache, "file", sizeof(struct file), 0);
    file_locks_boot_init();
}

int file_create(struct dentry *dentry, const struct file_ops *ops, uint32_t flags,
                struct file **out)
{
    struct file *file = slab_alloc(&file_cache, SLAB_ALLOC_PLAIN);
    if (!file) {
        dentry_put(dentry);
        return -ENOMEM;
    }
    atomic_store_explicit(&file->refcount, 1, memory_order_relaxed);
    file->ops = ops;
    file->dentry = dentry;
    file->inode = dentry->inode;
    file->mount = NULL;
    file->flags = flags;
    file->pos = 0;
    file->private = NULL;
    file->writes = false;
    mutex_init(&file->pos_lock);
    *out = file;
    return 0;
}

int file_create_anonymous(const char *name, uint32_t mode, const struct file_ops *ops,
                          uint32_t flags, struct file **out)
{
    struct dentry *dentry;
    struct inode *inode;

    int err = inode_create(mode, NULL, &inode);
    if (err)
        return err;
    inode->file_ops = NULL; /* what its kind keeps is the file's: nobody opens it again */
    err = dentry_create(name, NULL, inode, &dentry);
    return err ? err : file_create(dentry, ops, flags, out);
}

void file_get(struct file *file)
{
    atomic_fetch_add_explicit(&file->refcount, 1, memory_order_relaxed);
}

/* It keeps its mount from becoming read-only, and its inode from being run. */
static int write_begin(struct file *f)
{
    if (!file_writable(f) || (f->flags & O_PATH) || !inode_is(f->inode, S_IFREG))
        return 0;
    int err = inode_write_begin(f->inode);
    if (err)
        return err;
    f->writes = true;
    if (f->mount)
        atomic_fetch_add(&f->mount->writers, 1);
    return 0;
}

static void write_end(struct file *f)
{
    inode_write_end(f->inode);
    if (f->mount)
        atomic_fetch_sub(&f->mount->writers, 1);
}

/* Nobody uses it any more. Apart from file_put(), whose short way saves no registers so. */
static __no_inline void file_end(struct file *file)
{
    struct place place = file_place(file);

    file_closed(file->inode, file);
    if (file->ops->release)
        file->ops->release(file);
    if (file->writes)
        write_end(file);
    place_put(&place);
    slab_free(&file_cache, file);
}

void file_put(struct file *file)
{
    if (atomic_fetch_sub_explicit(&file->refcount, 1, memory_order_acq_rel) == 1)
        file_end(file);
}

/* Opening by name */

static int check_open(const struct place *place, int flags)
{
    const struct inode *inode = place->dentry->inode;
    bool device = inode_is(inode, S_IFCHR) || inode_is(inode, S_IFBLK);

    if (inode_is(inode, S_IFLNK) && !(flags & O_PATH))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && !inode_is(inode, S_IFDIR))
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (inode_is(inode, S_IFDIR) && (flags & (O_ACCMODE | O_CREAT | O_TRUNC)))
        return -EISDIR;
    if (device && place->mount && (place->mount->flags & MOUNT_NO_DEV))
        return -EACCES;
    if (inode_is(inode, S_IFREG) && (flags & (O_ACCMODE | O_TRUNC)) && place_may_write(place))
        return -EROFS;
    if (!inode->file_ops)
        return -ENXIO;
    return 0;
}

static const struct file_ops path_only_ops = {.no_seek = true};

static int truncate_opened(struct file *f)
{
    if (!(f->flags & O_TRUNC) || !inode_is(f->inode, S_IFREG) || !f->inode->object.ops)
        return 0;
    return f->writes ? inode_truncate(f->inode, 0) : inode_truncate_idle(f->inode, 0);
}

/* Everything that opening means beyond having it. The file keeps @place's mount. */
static int open_as(struct file *f, const struct place *place)
{
    f->mount = place->mount;
    if (f->mount)
        mount_get(f->mount);
    int err = write_begin(f);
    if (!err && f->ops->open)
        err = f->ops->open(f);
    return err ? err : truncate_opened(f);
}

int file_open(const struct place *place, int flags, struct file **out)
{
    struct inode *inode = place->dentry->inode;
    const struct file_ops *ops = flags & O_PATH ? &path_only_ops : inode->file_ops;

    int err = check_open(place, flags);
    if (err)
        return err;
    dentry_get(place->dentry);
    err = file_create(place->dentry, ops, flags, out);
    if (err)
        return err;
    err = open_as(*out, place);
    if (err) {
        (*out)->ops = &path_only_ops; /* it was never open: nothing to release */
        file_put(*out);
        return err;
    }
    (*out)->flags &= ~CREATE_FLAGS;
    return 0;
}

/* Tables */

int files_create(struct files **out)
{
    struct files *files = kmem_alloc(sizeof(*files), SLAB_ALLOC_PLAIN);
    if (!files)
        return -ENOMEM;
    spin_lock_init(&files->lock, LOCK_RANK_FILES);
    atomic_store(&files->refcount, 1);
    files->end = files->low = 0;
    memset(files->close_on_exec, 0, sizeof(files->close_on_exec));
    *out = files;
    return 0;
}

int files_copy(struct files *from, struct files **out)
{
    struct files *files;
    int err = files_create(&files);
    if (err)
        return err;
    spin_lock(&from->lock);
    files->end = from->end;
    files->low = from->low;
    memcpy(files->close_on_exec, from->close_on_exec, sizeof(files->close_on_exec));
    for (int fd = 0; fd < from->end; fd++) {
        files->file[fd] = from->file[fd];
        if (files->file[fd])
            file_get(files->file[fd]);
    }
    spin_unlock(&from->lock);
    *out = files;
    return 0;
}

void files_get(struct files *files)
{
    atomic_fetch_add_explicit(&files->refcount, 1, memory_order_relaxed);
}

/* A descriptor of @files led to @file, and is closed. */
static void entry_put(struct files *files, struct file *file)
{
    file_closed(file->inode, files);
    file_put(file);
}

void files_put(struct files *files)
{
    if (atomic_fetch_sub_explicit(&files->refcount, 1, memory_order_acq_rel) != 1)
        return;
    for (int fd = 0; fd < files->end; fd++)
        if (files->file[fd])
            entry_put(files, files->file[fd]);
    kmem_free(files);
}

/* Descriptors. All below: files->lock held where @files is an argument. */

static struct file *entry(const struct files *files, int fd)
{
    return fd >= 0 && fd < files->end ? files->file[fd] : NULL;
}

static void entry_set(struct files *files, int fd, struct file *file, bool close_on_exec)
{
    while (files->end <= fd)
        files->file[files->end++] = NULL;
    files->file[fd] = file;
    bitmap_clear(files->close_on_exec, fd);
    if (close_on_exec)
        bitmap_set(files->close_on_exec, fd);
}

static void entry_clear(struct files *files, int fd)
{
    files->file[fd] = NULL;
    files->low = min(files->low, fd);
}

static struct file *take_close_on_exec(struct files *files, int fd)
{
    spin_lock(&files->lock);
    struct file *file = bitmap_test(files->close_on_exec, fd) ? entry(files, fd) : NULL;
    if (file)
        entry_clear(files, fd);
    spin_unlock(&files->lock);
    return file;
}

void files_close_on_exec(struct files *files)
{
    for (int fd = 0; fd < files->end; fd++) {
        struct file *file = take_close_on_exec(files, fd);
        if (file)
            entry_put(files, file);
    }
}

struct file *files_next(struct files *files, int *fd)
{
    struct file *file = NULL;

    spin_lock(&files->lock);
    while (!file && *fd < files->end)
        file = files->file[(*fd)++];
    if (file) {
        file_get(file);
        --*fd;
    }
    spin_unlock(&files->lock);
    return file;
}

struct file *files_get_file(struct files *files, int fd, bool *close_on_exec)
{
    spin_lock(&files->lock);
    struct file *file = entry(files, fd);
    if (file) {
        file_get(file);
        *close_on_exec = bitmap_test(files->close_on_exec, fd);
    }
    spin_unlock(&files->lock);
    return file;
}

struct file *fd_get(int fd)
{
    struct files *files = task_current()->files;

    spin_lock(&files->lock);
    struct file *file = entry(files, fd);
    if (file)
        file_get(file);
    spin_unlock(&files->lock);
    return file;
}

/* One more than the highest descriptor this process may have. */
static int fd_limit(void)
{
    return min(process_current()->limits[RLIMIT_NOFILE].soft, (uint64_t)FILES_MAX);
}

int fd_install(struct file *file, int from, bool close_on_exec)
{
    struct files *files = task_current()->files;
    int limit = fd_limit();

    spin_lock(&files->lock);
    bool lowest = from <= files->low;
    int fd = lowest ? files->low : from;
    while (fd < limit && entry(files, fd))
        fd++;
    if (fd < limit) {
        entry_set(files, fd, file, close_on_exec);
        files->low = lowest ? fd + 1 : files->low;
    }
    spin_unlock(&files->lock);
    if (fd < limit)
        return fd;
    file_put(file);
    return -EMFILE;
}

int fd_install_pair(struct file *ends[2], bool close_on_exec, user_addr_t out)
{
    int fds[2];

    fds[0] = fd_install(ends[0], 0, close_on_exec);
    if (fds[0] < 0) {
        file_put(ends[1]);
        return fds[0];
    }
    fds[1] = fd_install(ends[1], 0, close_on_exec);
    int err = fds[1] < 0 ? fds[1] : copy_to_user(out, fds, sizeof(fds));
    if (!err)
        return 0;
    if (fds[1] >= 0)
        fd_close(fds[1]);
    fd_close(fds[0]);
    return err;
}

bool fd_is_left(void)
{
    struct files *files = task_current()->files;
    int limit = fd_limit();

    spin_lock(&files->lock);
    int fd = files->low;
    while (fd < limit && entry(files, fd))
        fd++;
    spin_unlock(&files->lock);
    return fd < limit;
}

int fd_replace(int fd, struct file *file, bool close_on_exec)
{
    struct files *files = task_current()->files;

    if (fd < 0 || fd >= fd_limit()) {
        file_put(file);
        return -EBADF;
    }
    spin_lock(&files->lock);
    struct file *old = entry(files, fd);
    entry_set(files, fd, file, close_on_exec);
    spin_unlock(&files->lock);
    if (old)
        entry_put(files, old);
    return fd;
}

int fd_close(int fd)
{
    struct files *files = task_current()->files;

    spin_lock(&files->lock);
    struct file *file = entry(files, fd);
    if (file)
        entry_clear(files, fd);
    spin_unlock(&files->lock);
    if (!file)
        return -EBADF;
    entry_put(files, file);
    return 0;
}

int fd_close_on_exec(int fd)
{
    struct files *files = task_current()->files;

    spin_lock(&files->lock);
    int result = entry(files, fd) ? bitmap_test(files->close_on_exec, fd) : -EBADF;
    spin_unlock(&files->lock);
    return result;
}

int fd_set_close_on_exec(int fd, bool close_on_exec)
{
    struct files *files = task_current()->files;

    spin_lock(&files->lock);
    struct file *file = entry(files, fd);
    if (file)
        entry_set(files, fd, file, close_on_exec);
    spin_unlock(&files->lock);
    return file ? 0 : -EBADF;
}

/* Buffers */

static size_t copy_out(struct object_copy *c, void *kva, size_t done, size_t len)
{
    uint64_t base = container_of(c, struct user_copy, copy)->base.raw;
    return copy_to_user_partial(user(base + done), kva, len);
}

static size_t copy_in(struct object_copy *c, void *kva, size_t done, size_t len)
{
    uint64_t base = container_of(c, struct user_copy, copy)->base.raw;
    return copy_from_user_partial(kva, user(base + done), len);
}

struct user_copy user_buffer_out(user_addr_t base)
{
    return (struct user_copy){.copy = {copy_out}, .base = base};
}

struct user_copy user_buffer_in(user_addr_t base)
{
    return (struct user_copy){.copy = {copy_in}, .base = base};
}

static size_t kernel_out(struct object_copy *c, void *kva, size_t done, size_t len)
{
    memcpy(container_of(c, struct kernel_copy, copy)->base + done, kva, len);
    return 0;
}

static size_t kernel_in(struct object_copy *c, void *kva, size_t done, size_t len)
{
    memcpy(kva, container_of(c, struct kernel_copy, copy)->base + done, len);
    return 0;
}

struct kernel_copy kernel_buffer_out(void *base)
{
    return (struct kernel_copy){.copy = {kernel_out}, .base = base};
}

struct kernel_copy kernel_buffer_in(const void *base)
{
    return (struct kernel_copy){.copy = {kernel_in}, .base = (char *)base};
}
