/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_fs.c - system calls on descriptors: seeking, duplicating, what else they can be told
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  file.pos_lock while the offset is set; fs_lock while a directory is read.
 * Always: (1) the order of checks is Linux's; (2) a descriptor of O_PATH is none to these calls.
 * Source: lseek(2), dup(2), fcntl(2), getdents(2), fallocate(2), sync(2).
 * Tour:   after kernel/sys_rw.c; then kernel/sys_path.c.
 */
#include "sys_fs.h"

#include "cred.h"
#include "fd_loan.h"
#include "file_lock.h"
#include "files.h"
#include "fs.h"
#include "memfd.h"
#include "pipe.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/ioctl.h>

/* The offset */

static int64_t seek_target(const struct file *f, int64_t offset, int whence)
{
    int64_t base = 0, target;

    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = f->pos;
        break;
    case SEEK_END:
        base = object_size(&f->inode->object);
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        return inode_is(f->inode, S_IFREG) && f->inode->object.ops
                   ? inode_seek(f->inode, offset, whence == SEEK_DATA)
                   : -EINVAL;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &target) || target < 0)
        return -EINVAL;
    return target;
}

int64_t sys_lseek(int fd, int64_t offset, int whence)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t target = -ESPIPE;
    if (f->ops->seek) {
        target = f->ops->seek(f, offset, whence);
    } else if (!f->ops->no_seek) {
        mutex_lock(&f->pos_lock);
        target = seek_target(f, offset, whence);
        if (target >= 0)
            f->pos = target;
        mutex_unlock(&f->pos_lock);
    }
    file_put(f);
    return target;
}

/* Descriptors */

int64_t sys_close(int fd)
{
    return fd_close(fd);
}

int64_t sys_dup(int fd)
{
    struct file *f = fd_get(fd);
    return f ? fd_install(f, 0, false) : -EBADF;
}

int64_t sys_dup3(int fd, int to, int flags)
{
    if ((flags & ~O_CLOEXEC) || fd == to)
        return -EINVAL;
    struct file *f = fd_get(fd);
    return f ? fd_replace(to, f, flags & O_CLOEXEC) : -EBADF;
}

int64_t sys_dup2(int fd, int to)
{
    if (fd != to)
        return sys_dup3(fd, to, 0);
    return fd_close_on_exec(fd) < 0 ? -EBADF : to;
}

static __no_inline int64_t fcntl_dup(struct file *f, uint64_t from, bool close_on_exec)
{
    if (from >= min(process_current()->limits[RLIMIT_NOFILE].soft, (uint64_t)FILES_MAX))
        return -EINVAL;
    file_get(f);
    return fd_install(f, from, close_on_exec);
}

#define ADVICE_LAST         5 /* POSIX_FADV_NOREUSE */
#define SYNC_FILE_RANGE_ALL 7U
#define SETTABLE            (O_APPEND | O_NONBLOCK | O_NOATIME)

/* O_DIRECT means something to pipes only: packets. */
static __no_inline int set_flags(struct file *f, uint64_t flags)
{
    uint32_t settable = SETTABLE | (pipe_of(f) ? O_DIRECT : 0);

    if ((flags & ~(uint64_t)f->flags & O_NOATIME) && !inode_is_owned(f->inode))
        return -EPERM;
    if (flags & O_DIRECT & ~settable)
        return -EINVAL;
    f->flags = (f->flags & ~settable) | (flags & settable);
    return 0;
}

static bool path_only(const struct file *f)
{
    return f->flags & O_PATH;
}

static __no_inline int64_t fcntl_file(struct file *f, int fd, unsigned cmd, uint64_t arg)
{
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return fcntl_dup(f, (uint32_t)arg, cmd == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_close_on_exec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
        return fd_set_close_on_exec(fd, arg & FD_CLOEXEC);
    case F_GETFL:
        return f->flags;
    case F_SETFL:
        return path_only(f) ? -EBADF : set_flags(f, arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return path_only(f) ? -EBADF : file_lock_fcntl(f, fd, cmd, user(arg));
    case F_ADD_SEALS:
        return path_only(f) ? -EBADF : memfd_add_seals(f, arg);
    case F_GET_SEALS:
        return path_only(f) ? -EBADF : memfd_get_seals(f);
    case F_SETPIPE_SZ:
        return pipe_of(f) ? pipe_set_size(pipe_of(f), arg) : -EBADF;
    case F_GETPIPE_SZ:
        return pipe_of(f) ? pipe_size(pipe_of(f)) : -EBADF;
    default:
        return path_only(f) ? -EBADF : -EINVAL;
    }
}

/* Another task may close @fd meanwhile. */
static __no_inline int64_t fcntl_shared(int fd, unsigned cmd, uint64_t arg)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    int64_t result = fcntl_file(f, fd, cmd, arg);
    file_put(f);
    return result;
}

int64_t sys_fcntl(int fd, unsigned cmd, uint64_t arg)
{
    if (!fds_are_own())
        return fcntl_shared(fd, cmd, arg);
    struct file *f = fd_borrow(fd);
    return f ? fcntl_file(f, fd, cmd, arg) : -EBADF;
}

static int set_nonblocking(struct file *f, uint64_t arg)
{
    int on;
    if (copy_from_user(&on, user(arg), sizeof(on)))
        return -EFAULT;
    f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
    return 0;
}

static int bytes_to_read(const struct file *f, uint64_t arg)
{
    int left = object_size(&f->inode->object) - f->pos;
    return copy_to_user(user(arg), &left, sizeof(left));
}

static int block_bytes(const struct file *f, uint64_t arg)
{
    int bytes = object_block_bytes(&f->inode->object);
    return copy_to_user(user(arg), &bytes, sizeof(bytes));
}

int64_t sys_ioctl(int fd, unsigned cmd, uint64_t arg)
{
    struct file *f = file_of(fd);
    int64_t result = -ENOTTY;
    if (!f)
        return -EBADF;
    if (cmd == FIOCLEX || cmd == FIONCLEX)
        result = fd_set_close_on_exec(fd, cmd == FIOCLEX);
    else if (cmd == FIONBIO)
        result = set_nonblocking(f, arg);
    else if (cmd == FIONREAD && inode_is(f->inode, S_IFREG) && f->ops->read)
        result = bytes_to_read(f, arg);
    else if (cmd == FIGETBSZ && inode_is(f->inode, S_IFREG) && f->inode->object.ops)
        result = block_bytes(f, arg);
    else if (f->ops->ioctl)
        result = f->ops->ioctl(f, cmd, arg);
    file_put(f);
    return result;
}

int64_t sys_ftruncate(int fd, int64_t size_bytes)
{
    if (size_bytes < 0)
        return -EINVAL;
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t err = -EINVAL;
    if (f->ops->truncate && file_writable(f))
        err = f->ops->truncate(f, size_bytes);
    file_put(f);
    return err;
}

static int check_fallocate(const struct file *f, int64_t offset, int64_t len)
{
    int64_t end;

    if (!file_writable(f))
        return -EBADF;
    if (inode_is(f->inode, S_IFIFO))
        return -ESPIPE;
    if (inode_is(f->inode, S_IFDIR))
        return -EISDIR;
    if (!inode_is(f->inode, S_IFREG))
        return -ENODEV;
    if (__builtin_add_overflow(offset, len, &end))
        return -EFBIG;
    return f->ops == &object_file_ops ? 0 : -EOPNOTSUPP;
}

int64_t sys_fallocate(int fd, unsigned mode, int64_t offset, int64_t len)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t err = 0;
    if (offset < 0 || len <= 0)
        err = -EINVAL;
    else if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        err = -EOPNOTSUPP;
    else if (mode == FALLOC_FL_PUNCH_HOLE)
        err = -EOPNOTSUPP; /* it must say that the size stays */
    if (!err)
        err = check_fallocate(f, offset, len);
    if (!err)
        err = inode_allocate(f->inode, mode, offset, (uint64_t)offset + len);
    file_put(f);
    return err;
}

/* Directories */

static int64_t directory_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)f, (void)c, (void)len, (void)pos;
    return -EISDIR;
}

const struct file_ops directory_ops = {.read = directory_read};

/* One name to @out: how many bytes, or -EINVAL when they do not fit into @room. */
static int64_t put_entry(const struct dir_entry *e, uint64_t next, user_addr_t out, size_t room)
{
    struct {
        struct uapi_dirent64 head;
        char name[NAME_MAX + 1 + 8];
    } record;
    size_t len = strlen(e->name) + 1;
    size_t bytes = round_up(offsetof(struct uapi_dirent64, name) + len, 8);

    if (bytes > room)
        return -EINVAL;
    memset(&record, 0, sizeof(record));
    record.head.ino = e->ino;
    record.head.off = next;
    record.head.reclen = bytes;
    record.head.type = e->type;
    memcpy((char *)&record + offsetof(struct uapi_dirent64, name), e->name, len);
    return copy_to_user(out, &record, bytes) ? -EFAULT : (int64_t)bytes;
}

/* pos_lock and fs_lock held. */
static int64_t put_entries(struct file *f, user_addr_t out, size_t size)
{
    uint64_t cookie = f->pos;
    const struct dynamic_dir *dynamic = f->inode->dynamic;
    struct dir_entry e;
    size_t done = 0;

    if (dynamic && dynamic->exists && !dynamic->exists(f->dentry))
        return -ENOENT;
    while (directory_next(f->dentry, &cookie, &e)) {
        int64_t n = put_entry(&e, cookie, user(out.raw + done), size - done);
        if (n < 0)
            return done ? (int64_t)done : n;
        done += n;
        f->pos = cookie;
    }
    return done;
}

int64_t sys_getdents64(int fd, user_addr_t out, unsigned size)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t result = -ENOTDIR;
    if (inode_is(f->inode, S_IFDIR)) {
        mutex_lock(&f->pos_lock);
        mutex_lock(&fs_lock);
        result = put_entries(f, out, size);
        mutex_unlock(&fs_lock);
        mutex_unlock(&f->pos_lock);
    }
    file_put(f);
    return result;
}

/* What memory has no need of */

int64_t sys_fsync(int fd)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    bool keeps = f->ops == &object_file_ops || inode_is(f->inode, S_IFDIR);
    file_put(f);
    return keeps ? 0 : -EINVAL;
}

int64_t sys_sync(void)
{
    return 0;
}

int64_t sys_syncfs(int fd)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    file_put(f);
    return 0;
}

int64_t sys_sync_file_range(int fd, int64_t offset, int64_t len, unsigned flags)
{
    int64_t end;
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    bool valid = !(flags & ~SYNC_FILE_RANGE_ALL) && offset >= 0 && len >= 0 &&
                 !__builtin_add_overflow(offset, len, &end);
    bool has_contents =
        inode_is(f->inode, S_IFREG) || inode_is(f->inode, S_IFDIR) || inode_is(f->inode, S_IFBLK);
    file_put(f);
    return !valid ? -EINVAL : has_contents ? 0 : -ESPIPE;
}

int64_t sys_readahead(int fd, int64_t offset, size_t len)
{
    struct file *f = file_of(fd);
    (void)offset, (void)len;

    if (!f)
        return -EBADF;
    int64_t err = !file_readable(f) ? -EBADF : f->ops == &object_file_ops ? 0 : -EINVAL;
    file_put(f);
    return err;
}

int64_t sys_fadvise64(int fd, int64_t offset, int64_t len, int advice)
{
    struct file *f = file_of(fd);
    (void)offset;

    if (!f)
        return -EBADF;
    bool valid = len >= 0 && advice >= 0 && advice <= ADVICE_LAST;
    int64_t err = inode_is(f->inode, S_IFIFO) ? -ESPIPE : valid ? 0 : -EINVAL;
    file_put(f);
    return err;
}
