/* SPDX-License-Identifier: MIT */
/*
 * kernel/pipe_file.c - pipes as files: their ends, with and without a name, and their size
 *
 * Room:   kernel.
 * Owns:   who has a pipe open.
 * Locks:  pipe.lock (mutex, rank PIPE).
 * Always: (1) a pipe that nobody has open is empty.
 * Source: pipe(2), fifo(7), fcntl(2) "Changing the capacity of a pipe".
 * Tour:   after kernel/pipe.c; then kernel/splice.c.
 */
#include "files.h"
#include "fs.h"
#include "mount.h"
#include "pipe.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/format.h>
#include <mm/pin.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/ioctl.h>

#define PIPE_SIZE_MAX (1U << 20) /* as fs.pipe-max-size, for who is not privileged */

static int64_t pipe_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)pos;
    return pipe_take(pipe_of(f), c, len, f->flags & O_NONBLOCK);
}

static int64_t pipe_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    (void)pos;
    return pipe_put(pipe_of(f), c, len, f->flags & O_NONBLOCK, f->flags & O_DIRECT);
}

/* What an open pipe says about itself */

/* Who opened a named one for reading, without waiting for a writer, sees no end before the first
 * writer came and went. */
static bool saw_writers(const struct file *f, const struct pipe *p)
{
    return (uintptr_t)f->private != p->writer_opens;
}

static unsigned pipe_poll(struct file *f)
{
    const struct pipe *p = pipe_of(f);
    unsigned ready = 0;

    if (file_readable(f)) {
        ready |= pipe_is_empty(p) ? 0 : POLLIN | POLLRDNORM;
        ready |= READ_ONCE(p->writers) || !saw_writers(f, p) ? 0 : POLLHUP;
    }
    if (file_writable(f)) {
        ready |= pipe_is_full(p) ? 0 : POLLOUT | POLLWRNORM;
        ready |= READ_ONCE(p->readers) ? 0 : POLLERR;
    }
    return ready;
}

static int64_t pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct pipe *p = pipe_of(f);
    int bytes = 0;

    if (cmd != FIONREAD)
        return -ENOTTY;
    mutex_lock(&p->lock);
    for (unsigned n = p->tail; n != p->head; n++)
        bytes += pipe_part(p, n)->len;
    mutex_unlock(&p->lock);
    return copy_to_user(user(arg), &bytes, sizeof(bytes));
}

int64_t pipe_size(const struct pipe *p)
{
    return READ_ONCE(p->nr_parts) * PAGE_SIZE;
}

/* The parts that are there move to @parts, of @nr. lock held. */
static void move_parts(struct pipe *p, struct pipe_part *parts, unsigned nr)
{
    unsigned used = pipe_used(p);

    for (unsigned i = 0; i < used; i++)
        parts[i] = *pipe_part(p, p->tail + i);
    kmem_free(p->part);
    p->part = parts;
    p->nr_parts = nr;
    p->tail = 0;
    p->head = used;
}

int64_t pipe_set_size(struct pipe *p, unsigned bytes)
{
    unsigned nr = 1;

    if (bytes > 1U << 31)
        return -EINVAL;
    while (nr * PAGE_SIZE < bytes)
        nr *= 2;
    if (nr > p->nr_parts && bytes > PIPE_SIZE_MAX && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    struct pipe_part *parts = kmem_alloc(nr * sizeof(*parts), SLAB_ALLOC_ZERO);
    if (!parts)
        return -ENOMEM;
    mutex_lock(&p->lock);
    bool fits = nr >= pipe_used(p);
    if (fits)
        move_parts(p, parts, nr);
    mutex_unlock(&p->lock);
    if (!fits) {
        kmem_free(parts);
        return -EBUSY;
    }
    pipe_changed(p);
    return pipe_size(p);
}

/* Its ends */

/* An end of a named pipe waits for the other: until @opens moves. lock held, and given up. */
static int wait_for_other(struct pipe *p, const unsigned *opens)
{
    unsigned before = *opens;

    mutex_unlock(&p->lock);
    int err = wait_event_interruptible(&p->waiters, READ_ONCE(*opens) != before);
    mutex_lock(&p->lock);
    return err ? -ERESTARTSYS : 0;
}

/* Claim 1. lock held. */
static void drop_end(struct file *f, struct pipe *p)
{
    p->readers -= file_readable(f);
    p->writers -= file_writable(f);
    if (p->readers || p->writers)
        return;
    while (!pipe_is_empty(p))
        pipe_consume(p, pipe_part(p, p->tail)->len);
    while (p->nr_spares)
        page_unpin(p->spare[--p->nr_spares]);
}

/* lock held. */
static int open_end(struct file *f, struct pipe *p)
{
    bool reads = file_readable(f), writes = file_writable(f), waits = !(f->flags & O_NONBLOCK);

    if (p->named && writes && !reads && !waits && !p->readers)
        return -ENXIO;
    p->readers += reads;
    p->writers += writes;
    WRITE_ONCE(p->reader_opens, p->reader_opens + reads);
    WRITE_ONCE(p->writer_opens, p->writer_opens + writes);
    pipe_changed(p);
    if (!p->named || (reads && writes))
        return 0;
    if (reads && !p->writers && !waits)
        f->private = (void *)(uintptr_t)p->writer_opens;
    else if (reads && !p->writers)
        return wait_for_other(p, &p->writer_opens);
    else if (writes && !p->readers)
        return wait_for_other(p, &p->reader_opens);
    return 0;
}

/* Both ends come here, and whoever opens /proc/PID/fd/N. */
static int pipe_open(struct file *f)
{
    struct pipe *p = pipe_of(f);

    mutex_lock(&p->lock);
    int err = open_end(f, p);
    if (err == -ERESTARTSYS)
        drop_end(f, p);
    mutex_unlock(&p->lock);
    if (err)
        pipe_changed(p);
    return err;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = pipe_of(f);

    mutex_lock(&p->lock);
    drop_end(f, p);
    mutex_unlock(&p->lock);
    pipe_changed(p);
}

static const struct file_ops pipe_ops = {
    .open = pipe_open,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
    .no_seek = true,
};

struct pipe *pipe_of(const struct file *f)
{
    return f->ops == &pipe_ops ? (struct pipe *)f->inode->private : NULL;
}

/* Making them */

static void pipe_free(struct pipe *p)
{
    kmem_free(p->part);
    kmem_free(p);
}

static struct pipe *pipe_alloc(bool named)
{
    struct pipe *p = kmem_alloc(sizeof(*p), SLAB_ALLOC_ZERO);
    if (!p)
        return NULL;
    p->nr_parts = PIPE_PARTS_DEFAULT;
    p->part = kmem_alloc(p->nr_parts * sizeof(*p->part), SLAB_ALLOC_ZERO);
    if (!p->part) {
        kmem_free(p);
        return NULL;
    }
    mutex_init(&p->lock);
    wait_queue_init(&p->waiters);
    p->named = named;
    return p;
}

static void release_inode(struct inode *inode)
{
    pipe_free((struct pipe *)inode->private);
}

int pipe_inode_create(uint32_t mode, bool named, struct inode **out)
{
    struct pipe *p = pipe_alloc(named);
    if (!p)
        return -ENOMEM;
    int err = inode_create(S_IFIFO | mode, NULL, out);
    if (err) {
        pipe_free(p);
        return err;
    }
    (*out)->private = (uint64_t)p;
    (*out)->release = release_inode;
    (*out)->file_ops = &pipe_ops;
    return 0;
}

static int pipe_dentry(struct dentry **out)
{
    char name[32];
    struct inode *inode;

    int err = pipe_inode_create(0600, false, &inode);
    if (err)
        return err;
    snprintf(name, sizeof(name), "pipe:[%lu]", inode->ino);
    return dentry_create(name, NULL, inode, out);
}

/* A file on each end. */
static int pipe_create(int flags, struct file *ends[2])
{
    struct place place = {NULL, NULL};
    int err = pipe_dentry(&place.dentry);
    if (err)
        return err;
    err = file_open(&place, O_RDONLY | flags, &ends[0]);
    if (!err) {
        err = file_open(&place, O_WRONLY | flags, &ends[1]);
        if (err)
            file_put(ends[0]);
    }
    place_put(&place);
    return err;
}

int64_t sys_pipe2(user_addr_t out, int flags)
{
    struct file *ends[2];

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    int err = pipe_create(flags & (O_NONBLOCK | O_DIRECT), ends);
    return err ? err : fd_install_pair(ends, flags & O_CLOEXEC, out);
}

int64_t sys_pipe(user_addr_t out)
{
    return sys_pipe2(out, 0);
}
