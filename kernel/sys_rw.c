/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_rw.c - system calls that read and write: here or there, into one buffer or many
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  file.pos_lock round what moves the offset.
 * Always: (1) the order of checks is Linux's; (2) a descriptor of O_PATH is none to these calls.
 * Source: read(2), pread(2), readv(2).
 * Tour:   after kernel/files.c; then kernel/object_file.c, kernel/sys_fs.c.
 */
#include "files.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "vector.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>
#include <uapi/poll.h>

enum direction { READ, WRITE };

static int check_access(const struct file *f, enum direction direction)
{
    if (direction == READ)
        return !file_readable(f) ? -EBADF : f->ops->read ? 0 : -EINVAL;
    return !file_writable(f) ? -EBADF : f->ops->write ? 0 : -EINVAL;
}

#define SAYS_WHERE (RWF_APPEND | RWF_NOAPPEND)

/* @flags: of pwritev2(2); only to files with contents does it matter where. */
static __force_inline int64_t move_at(struct file *f, enum direction direction,
                                      struct object_copy *c, size_t len, uint64_t *pos,
                                      unsigned flags)
{
    if (unlikely(*pos + len > INT64_MAX))
        return -EINVAL;
    if ((flags & SAYS_WHERE) && direction == WRITE && f->ops == &object_file_ops)
        return object_file_write_where(f, c, len, pos, flags & RWF_APPEND);
    return direction == READ ? f->ops->read(f, c, len, pos) : f->ops->write(f, c, len, pos);
}

/* At the file's own offset, which moves on. */
static __force_inline int64_t move(struct file *f, enum direction direction, struct object_copy *c,
                                   size_t len, unsigned flags)
{
    uint64_t none = 0;

    if (f->ops->no_seek)
        return move_at(f, direction, c, len, &none, flags);
    mutex_lock(&f->pos_lock);
    int64_t n = move_at(f, direction, c, len, &f->pos, flags);
    mutex_unlock(&f->pos_lock);
    return n;
}

static struct user_copy user_buffer(user_addr_t buf, enum direction direction)
{
    return direction == READ ? user_buffer_out(buf) : user_buffer_in(buf);
}

static int64_t move_buffer(int fd, enum direction direction, user_addr_t buf, size_t len)
{
    struct user_copy copy = user_buffer(buf, direction);
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t n = check_access(f, direction);
    if (!n && !user_range_ok(buf, len))
        n = -EFAULT;
    if (!n)
        n = move(f, direction, &copy.copy, min(len, MAX_RW_COUNT), 0);
    file_put(f);
    return n;
}

static int64_t move_buffer_at(int fd, enum direction direction, user_addr_t buf, size_t len,
                              int64_t pos)
{
    struct user_copy copy = user_buffer(buf, direction);
    uint64_t at = pos;

    if (pos < 0)
        return -EINVAL;
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t n = f->ops->no_seek ? -ESPIPE : check_access(f, direction);
    if (!n && !user_range_ok(buf, len))
        n = -EFAULT;
    if (!n)
        n = move_at(f, direction, &copy.copy, min(len, MAX_RW_COUNT), &at, 0);
    file_put(f);
    return n;
}

int64_t sys_read(int fd, user_addr_t buf, size_t len)
{
    return move_buffer(fd, READ, buf, len);
}

int64_t sys_write(int fd, user_addr_t buf, size_t len)
{
    return move_buffer(fd, WRITE, buf, len);
}

int64_t sys_pread64(int fd, user_addr_t buf, size_t len, int64_t pos)
{
    return move_buffer_at(fd, READ, buf, len, pos);
}

int64_t sys_pwrite64(int fd, user_addr_t buf, size_t len, int64_t pos)
{
    return move_buffer_at(fd, WRITE, buf, len, pos);
}

/* @pos: NULL for the file's own offset. */
static int64_t move_parts(struct file *f, enum direction direction, user_addr_t from, size_t nr,
                          uint64_t *pos, unsigned flags)
{
    struct vector v;

    int64_t n = vector_get(&v, from, nr);
    if (n)
        return n;
    struct vector_copy copy = user_vector(v.parts, v.nr, direction == READ);
    n = pos ? move_at(f, direction, &copy.copy, v.len_bytes, pos, flags)
            : move(f, direction, &copy.copy, v.len_bytes, flags);
    vector_put(&v);
    return n;
}

/* Nothing goes to a disk, so nothing goes there in one piece, or past a cache. */
#define FLAGS_HELD \
    (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND | RWF_NOSIGNAL)

/* What this call asks for, beyond what open(2) said. Who would have to wait is told so. */
static int check_flags(struct file *f, enum direction direction, unsigned flags)
{
    unsigned ready = (direction == READ ? POLLIN : POLLOUT) | POLLHUP | POLLERR;

    if (flags & ~FLAGS_HELD)
        return -EOPNOTSUPP;
    if ((flags & SAYS_WHERE) == SAYS_WHERE)
        return -EINVAL;
    if (!(flags & RWF_NOWAIT))
        return 0;
    return !f->ops->poll ? -EOPNOTSUPP : f->ops->poll(f) & ready ? 0 : -EAGAIN;
}

static int64_t move_vector(int fd, enum direction direction, user_addr_t from, size_t nr,
                           uint64_t *pos, unsigned flags)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t n = pos && f->ops->no_seek ? -ESPIPE : check_access(f, direction);
    if (!n && direction == WRITE && object_is_hugetlb(&f->inode->object))
        n = -EINVAL; /* whatever else is wrong */
    if (!n && flags)
        n = check_flags(f, direction, flags);
    if (!n)
        n = move_parts(f, direction, from, nr, pos, flags);
    file_put(f);
    return n;
}

int64_t sys_readv(int fd, user_addr_t vector, size_t nr)
{
    return move_vector(fd, READ, vector, nr, NULL, 0);
}

int64_t sys_writev(int fd, user_addr_t vector, size_t nr)
{
    return move_vector(fd, WRITE, vector, nr, NULL, 0);
}

int64_t sys_preadv(int fd, user_addr_t vector, size_t nr, int64_t pos)
{
    uint64_t at = pos;
    return pos < 0 ? -EINVAL : move_vector(fd, READ, vector, nr, &at, 0);
}

int64_t sys_pwritev(int fd, user_addr_t vector, size_t nr, int64_t pos)
{
    uint64_t at = pos;
    return pos < 0 ? -EINVAL : move_vector(fd, WRITE, vector, nr, &at, 0);
}

/* -1: at the file's own offset. */
static int64_t move_flagged(int fd, enum direction direction, user_addr_t vector, size_t nr,
                            int64_t pos, unsigned flags)
{
    uint64_t at = pos;

    if (pos < -1)
        return -EINVAL;
    return move_vector(fd, direction, vector, nr, pos == -1 ? NULL : &at, flags);
}

int64_t sys_preadv2(int fd, user_addr_t vector, size_t nr, int64_t pos, uint64_t pos_high,
                    unsigned flags)
{
    (void)pos_high; /* all of it is in @pos */
    return move_flagged(fd, READ, vector, nr, pos, flags);
}

int64_t sys_pwritev2(int fd, user_addr_t vector, size_t nr, int64_t pos, uint64_t pos_high,
                     unsigned flags)
{
    (void)pos_high;
    return move_flagged(fd, WRITE, vector, nr, pos, flags);
}
