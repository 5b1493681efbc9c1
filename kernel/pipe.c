/* SPDX-License-Identifier: MIT */
/*
 * kernel/pipe.c - pipes
 *
 * Room:   kernel.
 * Owns:   struct pipe: a ring of pages between those who write and those who read.
 * Locks:  pipe.lock (mutex, rank INODE); user memory is copied under it.
 * Always: (1) a write of at most PIPE_BUF bytes goes in as a whole;
 *         (2) pages come when bytes first reach them, and go with the pipe.
 * Source: pipe(2), pipe(7).
 * Tour:   after kernel/files.c.
 */
#include "files.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/format.h>
#include <mm/slab.h>
#include <uapi/ioctl.h>

#define PIPE_PAGES 16
#define PIPE_BYTES (PIPE_PAGES * PAGE_SIZE)
#define PIPE_BUF   4096

struct pipe {
    struct mutex lock;
    struct wait_queue waiters; /* both sides */
    uint64_t head, tail;       /* bytes ever written and read */
    unsigned readers, writers; /* open files */
    char *page[PIPE_PAGES];
};

static struct pipe *pipe_of(const struct file *f)
{
    return (struct pipe *)f->inode->private;
}

static size_t used(const struct pipe *p)
{
    return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

static void changed(struct pipe *p)
{
    wake_all(&p->waiters);
    poll_wake();
}

/* The page that byte @at of the stream lies in; NULL: no memory. */
static char *page_at(struct pipe *p, uint64_t at)
{
    char **page = &p->page[at / PAGE_SIZE % PIPE_PAGES];
    if (!*page)
        *page = kmem_alloc(PAGE_SIZE, SLAB_ALLOC_PLAIN);
    return *page;
}

/* Move @len bytes between the stream at *@at and the buffer; how many went. lock held. */
static size_t transfer(struct pipe *p, uint64_t *at, struct object_copy *c, size_t done, size_t len)
{
    size_t moved = 0;

    while (moved < len) {
        size_t offset = *at % PAGE_SIZE, chunk = min(len - moved, PAGE_SIZE - offset);
        char *page = page_at(p, *at);
        size_t left = page ? c->copy(c, page + offset, done + moved, chunk) : chunk;
        moved += chunk - left;
        *at += chunk - left;
        if (left)
            break;
    }
    return moved;
}

static int64_t pipe_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    struct pipe *p = pipe_of(f);
    (void)pos;

    while (len) {
        mutex_lock(&p->lock);
        size_t there = used(p), n = transfer(p, &p->tail, c, 0, min(len, there));
        if (there && p->head == p->tail)
            p->head = p->tail = 0; /* so that little traffic stays in one page */
        bool closed = !p->writers;
        mutex_unlock(&p->lock);
        if (n)
            changed(p);
        if (there)
            return n ? (int64_t)n : -EFAULT;
        if (closed)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(&p->waiters, used(p) || !READ_ONCE(p->writers)))
            return -ERESTARTSYS;
    }
    return 0;
}

/* How many of @len bytes may go in now. lock held. */
static size_t room_for(const struct pipe *p, size_t len)
{
    size_t room = PIPE_BYTES - used(p);
    return len <= PIPE_BUF && room < len ? 0 : min(room, len); /* claim 1 */
}

/* One look; *@done moves. -EAGAIN: no room. */
static int64_t write_some(struct pipe *p, struct object_copy *c, size_t len, size_t *done)
{
    int64_t err = 0;

    mutex_lock(&p->lock);
    size_t room = room_for(p, len - *done);
    size_t n = p->readers ? transfer(p, &p->head, c, *done, room) : 0;
    if (!p->readers)
        err = -EPIPE;
    else if (!room)
        err = -EAGAIN;
    else if (!n)
        err = page_at(p, p->head) ? -EFAULT : -ENOMEM;
    mutex_unlock(&p->lock);
    *done += n;
    if (n)
        changed(p);
    return err;
}

static int64_t pipe_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    struct pipe *p = pipe_of(f);
    size_t done = 0;
    int64_t err = 0;
    (void)pos;

    while (done < len) {
        err = write_some(p, c, len, &done);
        if (err == -EAGAIN && !(f->flags & O_NONBLOCK))
            err = wait_event_interruptible(&p->waiters,
                                           room_for(p, len - done) || !READ_ONCE(p->readers))
                      ? -ERESTARTSYS
                      : 0;
        if (err)
            break;
    }
    if (err == -EPIPE)
        signal_broken_pipe();
    return done ? (int64_t)done : err;
}

static unsigned pipe_poll(struct file *f)
{
    struct pipe *p = pipe_of(f);
    unsigned ready = 0;

    if (file_readable(f)) {
        ready |= used(p) ? POLLIN | POLLRDNORM : 0;
        ready |= READ_ONCE(p->writers) ? 0 : POLLHUP;
    }
    if (file_writable(f)) {
        ready |= PIPE_BYTES - used(p) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
        ready |= READ_ONCE(p->readers) ? 0 : POLLERR;
    }
    return ready;
}

static int64_t pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    int bytes = used(pipe_of(f));
    return cmd == FIONREAD ? copy_to_user(user(arg), &bytes, sizeof(bytes)) : -ENOTTY;
}

/* Both ends come here, and whoever opens /proc/PID/fd/N. */
static int pipe_open(struct file *f)
{
    struct pipe *p = pipe_of(f);

    mutex_lock(&p->lock);
    p->readers += file_readable(f);
    p->writers += file_writable(f);
    mutex_unlock(&p->lock);
    return 0;
}

static void pipe_free(struct inode *inode)
{
    struct pipe *p = (struct pipe *)inode->private;

    for (unsigned i = 0; i < PIPE_PAGES; i++)
        kmem_free(p->page[i]);
    kmem_free(p);
}

static void pipe_release(struct file *f)
{
    struct pipe *p = pipe_of(f);

    mutex_lock(&p->lock);
    p->readers -= file_readable(f);
    p->writers -= file_writable(f);
    mutex_unlock(&p->lock);
    changed(p);
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

static int pipe_dentry(struct dentry **out)
{
    char name[32];
    struct inode *inode;
    struct pipe *p = kmem_alloc(sizeof(*p), SLAB_ALLOC_ZERO);
    if (!p)
        return -ENOMEM;
    int err = inode_create(S_IFIFO | 0600, NULL, &inode);
    if (err) {
        kmem_free(p);
        return err;
    }
    mutex_init(&p->lock);
    wait_queue_init(&p->waiters);
    inode->private = (uint64_t)p;
    inode->release = pipe_free;
    inode->file_ops = &pipe_ops;
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

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int err = pipe_create(flags & O_NONBLOCK, ends);
    return err ? err : fd_install_pair(ends, flags & O_CLOEXEC, out);
}

int64_t sys_pipe(user_addr_t out)
{
    return sys_pipe2(out, 0);
}
