/* SPDX-License-Identifier: MIT */
/*
 * kernel/eventfd.c - a number that can be waited for
 *
 * Room:   kernel.
 * Owns:   struct counter.
 * Locks:  counter.lock (mutex, rank INODE).
 * Always: (1) the number is below COUNT_MAX; who would make it more waits.
 * Source: eventfd(2).
 * Tour:   after kernel/pipe.c, which is the same with more to say.
 */
#include "files.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "text_file.h"
#include <mm/slab.h>

#define EFD_SEMAPHORE 1
#define COUNT_MAX     UINT64_MAX

struct counter {
    struct mutex lock;
    struct wait_queue waiters;
    uint64_t count;
    bool semaphore; /* a read takes one, not all */
};

static struct counter *counter_of(const struct file *f)
{
    return (struct counter *)f->inode->private;
}

static void changed(struct counter *c)
{
    wake_all(&c->waiters);
    poll_wake();
}

/* What a read gets: 0: nothing is there. */
static uint64_t take(struct counter *c)
{
    mutex_lock(&c->lock);
    uint64_t got = c->semaphore ? min(c->count, 1UL) : c->count;
    c->count -= got;
    mutex_unlock(&c->lock);
    return got;
}

/* Claim 1. */
static bool give(struct counter *c, uint64_t more)
{
    mutex_lock(&c->lock);
    bool fits = more < COUNT_MAX - c->count;
    c->count += fits ? more : 0;
    mutex_unlock(&c->lock);
    return fits;
}

static int64_t eventfd_read(struct file *f, struct object_copy *copy, size_t len, uint64_t *pos)
{
    struct counter *c = counter_of(f);
    uint64_t got;
    (void)pos;

    if (len < sizeof(got))
        return -EINVAL;
    while (!(got = take(c))) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(&c->waiters, READ_ONCE(c->count)))
            return -ERESTARTSYS;
    }
    changed(c);
    return copy->copy(copy, &got, 0, sizeof(got)) ? -EFAULT : (int64_t)sizeof(got);
}

static int64_t eventfd_write(struct file *f, struct object_copy *copy, size_t len, uint64_t *pos)
{
    struct counter *c = counter_of(f);
    uint64_t more;
    (void)pos;

    if (len < sizeof(more))
        return -EINVAL;
    if (copy->copy(copy, &more, 0, sizeof(more)))
        return -EFAULT;
    if (more == UINT64_MAX)
        return -EINVAL;
    while (!give(c, more)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(&c->waiters, more < COUNT_MAX - READ_ONCE(c->count)))
            return -ERESTARTSYS;
    }
    changed(c);
    return sizeof(more);
}

static unsigned eventfd_poll(struct file *f)
{
    uint64_t count = READ_ONCE(counter_of(f)->count);
    return (count ? POLLIN | POLLRDNORM : 0) | (count < COUNT_MAX - 1 ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_tell(struct file *f, struct text *t)
{
    const struct counter *c = counter_of(f);
    text_add(t, "eventfd-count: %16lx\neventfd-id: %lu\neventfd-semaphore: %d\n",
             READ_ONCE(c->count), f->inode->ino, c->semaphore);
}

static void eventfd_free(struct inode *inode)
{
    kmem_free((struct counter *)inode->private);
}

static const struct file_ops eventfd_ops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .tell = eventfd_tell,
    .no_seek = true,
};

static int eventfd_create(uint64_t count, unsigned flags, struct file **out)
{
    struct counter *c = kmem_alloc(sizeof(*c), SLAB_ALLOC_ZERO);

    if (!c)
        return -ENOMEM;
    int err = file_create_anonymous("anon_inode:[eventfd]", S_IFREG | 0600, &eventfd_ops,
                                    O_RDWR | (flags & O_NONBLOCK), out);
    if (err) {
        kmem_free(c);
        return err;
    }
    mutex_init(&c->lock);
    wait_queue_init(&c->waiters);
    c->count = count;
    c->semaphore = flags & EFD_SEMAPHORE;
    (*out)->inode->private = (uint64_t)c;
    (*out)->inode->release = eventfd_free;
    return 0;
}

int64_t sys_eventfd2(unsigned count, unsigned flags)
{
    struct file *file;

    if (flags & ~(unsigned)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int err = eventfd_create(count, flags, &file);
    return err ? err : fd_install(file, 0, flags & O_CLOEXEC);
}

int64_t sys_eventfd(unsigned count)
{
    return sys_eventfd2(count, 0);
}
