/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_splice.c - system calls that move bytes between files, mostly without a copy
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none of its own: of two calls that use a file's own offset at once, one's end stays.
 * Always: (1) the order of checks is Linux's.
 * Source: splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2).
 * Tour:   after kernel/splice.c.
 */
#include "files.h"
#include "fs.h"
#include "pipe.h"
#include "splice.h"
#include "sys_fs.h"
#include "task.h"
#include "vector.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/splice.h>

/* Two files of the running task, with references. */
struct ends {
    struct file *in, *out;
};

static int ends_get(struct ends *e, int in, int out)
{
    e->in = file_of(in);
    e->out = e->in ? file_of(out) : NULL;
    if (e->out)
        return 0;
    if (e->in)
        file_put(e->in);
    return -EBADF;
}

static void ends_put(struct ends *e)
{
    file_put(e->in);
    file_put(e->out);
}

/* Where a file is read or written: where the program says, or at the file's own offset. */
struct cursor {
    struct file *file;
    user_addr_t told_at; /* 0: its own */
    uint64_t pos;
};

/* @len: as much will be moved at most. */
static int cursor_begin(struct cursor *p, struct file *file, user_addr_t told_at, size_t len)
{
    *p = (struct cursor){.file = file, .told_at = told_at};
    if (!told_at.raw)
        p->pos = file->ops->no_seek ? 0 : file->pos;
    else if (copy_from_user(&p->pos, told_at, sizeof(p->pos)))
        return -EFAULT;
    return p->pos > INT64_MAX || p->pos + len > INT64_MAX ? -EINVAL : 0;
}

/* 0 or -EFAULT. */
static int cursor_end(struct cursor *p)
{
    if (p->told_at.raw)
        return copy_to_user(p->told_at, &p->pos, sizeof(p->pos));
    if (!p->file->ops->no_seek)
        p->file->pos = p->pos;
    return 0;
}

/* splice */

static bool waits_not(const struct file *pipe_end, unsigned flags)
{
    return (flags & SPLICE_F_NONBLOCK) || (pipe_end->flags & O_NONBLOCK);
}

/* Huge pages of a pool are read by programs only. */
static bool can_splice(const struct file *f)
{
    return f->ops->splices && !object_is_hugetlb(&f->inode->object);
}

static int64_t splice_from_file(struct ends *e, user_addr_t in_at, size_t len, unsigned flags)
{
    struct cursor in;

    if ((in_at.raw && e->in->ops->no_seek) || !can_splice(e->in))
        return -EINVAL;
    int64_t n = cursor_begin(&in, e->in, in_at, len);
    if (n)
        return n;
    n = splice_in(e->in, pipe_of(e->out), &in.pos, len, waits_not(e->out, flags));
    int err = cursor_end(&in);
    return err && n >= 0 ? err : n;
}

static int64_t splice_to_file(struct ends *e, user_addr_t out_at, size_t len, unsigned flags)
{
    struct cursor out;

    if (out_at.raw && e->out->ops->no_seek)
        return -EINVAL;
    if ((e->out->flags & O_APPEND) || !can_splice(e->out))
        return -EINVAL;
    int64_t n = cursor_begin(&out, e->out, out_at, len);
    if (n)
        return n;
    n = splice_out(pipe_of(e->in), e->out, &out.pos, len, waits_not(e->in, flags));
    int err = cursor_end(&out);
    return err && n >= 0 ? err : n;
}

static int64_t splice_ends(struct ends *e, user_addr_t in_at, user_addr_t out_at, size_t len,
                           unsigned flags)
{
    struct pipe *from = pipe_of(e->in), *to = pipe_of(e->out);

    if ((from && in_at.raw) || (to && out_at.raw))
        return -ESPIPE;
    if (!file_readable(e->in) || !file_writable(e->out))
        return -EBADF;
    if (from && to)
        return from == to ? -EINVAL
                          : splice_pipes(from, to, len, false,
                                         waits_not(e->in, flags) || waits_not(e->out, flags));
    if (from)
        return splice_to_file(e, out_at, len, flags);
    return to ? splice_from_file(e, in_at, len, flags) : -EINVAL;
}

int64_t sys_splice(int in, user_addr_t in_at, int out, user_addr_t out_at, size_t len,
                   unsigned flags)
{
    struct ends e;

    if (!len)
        return 0;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    int64_t n = ends_get(&e, in, out);
    if (n)
        return n;
    n = splice_ends(&e, in_at, out_at, min(len, MAX_RW_COUNT), flags);
    ends_put(&e);
    return n;
}

static int64_t tee_ends(struct ends *e, size_t len, unsigned flags)
{
    struct pipe *from = pipe_of(e->in), *to = pipe_of(e->out);

    if (!file_readable(e->in) || !file_writable(e->out))
        return -EBADF;
    if (!from || !to || from == to)
        return -EINVAL;
    return splice_pipes(from, to, len, true, waits_not(e->in, flags) || waits_not(e->out, flags));
}

int64_t sys_tee(int in, int out, size_t len, unsigned flags)
{
    struct ends e;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!len)
        return 0;
    int64_t n = ends_get(&e, in, out);
    if (n)
        return n;
    n = tee_ends(&e, len, flags);
    ends_put(&e);
    return n;
}

/* vmsplice */

static int64_t splice_vector(struct file *f, const struct vector *v, bool nonblocking)
{
    struct vector_copy copy = user_vector(v->parts, v->nr, true);
    struct pipe *p = pipe_of(f);

    if (!p)
        return -EBADF;
    if (!v->len_bytes)
        return 0;
    return file_writable(f) ? splice_memory(p, v, nonblocking)
                            : pipe_take(p, &copy.copy, v->len_bytes, nonblocking);
}

int64_t sys_vmsplice(int fd, user_addr_t vector, size_t nr, unsigned flags)
{
    struct vector v;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t n = vector_get(&v, vector, nr);
    if (!n) {
        n = splice_vector(f, &v, flags & SPLICE_F_NONBLOCK);
        vector_put(&v);
    }
    file_put(f);
    return n;
}

/* Between files, by copy */

/* One page through a buffer. */
static int64_t send_chunk(struct cursor *in, struct cursor *out, char *page, size_t len)
{
    struct kernel_copy to = kernel_buffer_out(page), from = kernel_buffer_in(page);
    uint64_t at = in->pos;

    int64_t n = in->file->ops->read(in->file, &to.copy, min(len, PAGE_SIZE), &at);
    if (n > 0)
        n = out->file->ops->write(out->file, &from.copy, n, &out->pos);
    in->pos += max(n, 0L);
    return n;
}

static int64_t send(struct cursor *in, struct cursor *out, size_t len)
{
    char *page = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_PLAIN);
    size_t done = 0;
    int64_t n = 0;

    if (!page)
        return -ENOMEM;
    while (done < len && !(done && signal_pending_current())) {
        n = send_chunk(in, out, page, len - done);
        if (n <= 0)
            break;
        done += n;
    }
    kmem_free(page);
    return done ? (int64_t)done : n;
}

static int64_t send_between(struct ends *e, user_addr_t in_at, user_addr_t out_at, size_t len)
{
    struct cursor in, out;

    int64_t n = cursor_begin(&in, e->in, in_at, len);
    if (n)
        return n;
    n = cursor_begin(&out, e->out, out_at, len);
    if (n)
        return n;
    n = send(&in, &out, len);
    int err = cursor_end(&out);
    if (!err)
        err = cursor_end(&in);
    return err && n >= 0 ? err : n;
}

static int64_t send_file(struct ends *e, user_addr_t at, size_t len)
{
    if (!file_readable(e->in))
        return -EBADF;
    if (at.raw && e->in->ops->no_seek)
        return -ESPIPE;
    if (!file_writable(e->out))
        return -EBADF;
    if (e->in->ops->no_seek)
        return -EINVAL;
    if (pipe_of(e->out))
        return splice_from_file(e, at, len, e->in->flags & O_NONBLOCK ? SPLICE_F_NONBLOCK : 0);
    if (e->out->flags & O_APPEND)
        return -EINVAL;
    if (len && !(can_splice(e->in) && can_splice(e->out)))
        return -EINVAL;
    return send_between(e, at, user(0), len);
}

int64_t sys_sendfile(int out, int in, user_addr_t offset, size_t len)
{
    struct ends e;
    uint64_t pos;

    if (offset.raw && copy_from_user(&pos, offset, sizeof(pos)))
        return -EFAULT;
    int64_t n = ends_get(&e, in, out);
    if (n)
        return n;
    n = (int64_t)len < 0 ? -EINVAL : send_file(&e, offset, min(len, MAX_RW_COUNT));
    ends_put(&e);
    return n;
}

/* Files without a name lie with their kind. */
static bool lie_together(const struct inode *a, const struct inode *b)
{
    return a->super == b->super && a->object.ops == b->object.ops;
}

static int check_range_files(const struct ends *e)
{
    const struct inode *in = e->in->inode, *out = e->out->inode;

    if (inode_is(in, S_IFDIR) || inode_is(out, S_IFDIR))
        return -EISDIR;
    if (!inode_is(in, S_IFREG) || !inode_is(out, S_IFREG))
        return -EINVAL;
    if (!file_readable(e->in) || !file_writable(e->out) || (e->out->flags & O_APPEND))
        return -EBADF;
    if (!lie_together(in, out))
        return -EXDEV;
    return 0;
}

/* @in and @out: where it begins; of one file, the parts must not overlap. How many bytes are there
 * to be copied. */
static int64_t check_range(const struct ends *e, uint64_t in, uint64_t out, uint64_t len)
{
    uint64_t size = object_size(&e->in->inode->object);

    if (in + len < in || out + len < out)
        return -EOVERFLOW;
    len = in >= size ? 0 : min(min(len, size - in), MAX_RW_COUNT);
    if (len && out == INT64_MAX)
        return -EFBIG;
    len = out < INT64_MAX ? min(len, INT64_MAX - out) : len;
    if (e->in->inode == e->out->inode && out + len > in && out < in + len)
        return -EINVAL;
    return len;
}

static int peek_cursor(const struct file *f, user_addr_t told_at, int64_t *pos)
{
    *pos = f->pos;
    if (told_at.raw && copy_from_user(pos, told_at, sizeof(*pos)))
        return -EFAULT;
    return 0;
}

static int64_t copy_range(struct ends *e, user_addr_t in_at, user_addr_t out_at, size_t len,
                          unsigned flags)
{
    int64_t in, out;

    int64_t n = peek_cursor(e->out, out_at, &out);
    if (!n)
        n = peek_cursor(e->in, in_at, &in);
    if (!n && flags)
        n = -EINVAL;
    if (!n)
        n = check_range_files(e);
    if (!n)
        n = check_range(e, in, out, len);
    if (n >= 0 && (in < 0 || out < 0))
        n = -EINVAL;
    if (n > 0 && !(can_splice(e->in) && can_splice(e->out)))
        n = -EINVAL;
    return n <= 0 ? n : send_between(e, in_at, out_at, n);
}

int64_t sys_copy_file_range(int in, user_addr_t in_at, int out, user_addr_t out_at, size_t len,
                            unsigned flags)
{
    struct ends e;

    int64_t n = ends_get(&e, in, out);
    if (n)
        return n;
    n = copy_range(&e, in_at, out_at, len, flags);
    ends_put(&e);
    return n;
}
