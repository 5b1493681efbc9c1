/* SPDX-License-Identifier: MIT */
/*
 * kernel/epoll.c - epoll: a list of files that stays in the kernel while a program waits for them
 *
 * Room:   kernel.
 * Owns:   struct epoll.
 * Locks:  epoll.lock (mutex, rank INODE): the list.
 * Always: (1) the list keeps no file open: an entry whose descriptor names another file is gone;
 *         (2) an edge-triggered entry is told again only after some file changed.
 * Source: epoll(7), epoll_ctl(2), epoll_wait(2).
 * Tour:   after kernel/poll.c.
 */
#include "files.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "text_file.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/epoll.h>

#define NS_PER_MS  1000000UL
#define EVENTS_MAX ((int)(INT32_MAX / sizeof(struct uapi_epoll_event)))
#define BEHAVIOUR  (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

/* A descriptor of interest. All under epoll.lock. */
struct interest {
    struct list_node node;
    int fd;
    const struct file *file; /* compared, never followed */
    struct uapi_epoll_event event;
    uint64_t told_at; /* poll_changes when it was told last; UINT64_MAX: never */
};

struct epoll {
    struct mutex lock;
    struct list_node interests;
};

static struct interest *find(struct epoll *e, int fd, const struct file *file)
{
    struct interest *i;
    list_for_each_entry (i, &e->interests, node) {
        if (i->fd == fd && i->file == file)
            return i;
    }
    return NULL;
}

static void forget(struct interest *i)
{
    list_del(&i->node);
    kmem_free(i);
}

/* What is ready of @i and not told yet. Claims 1 and 2: an entry that is gone is freed. */
static uint32_t look(struct interest *i, uint64_t changes)
{
    struct file *file = fd_get(i->fd);
    uint32_t ready = 0, wanted = i->event.events & ~BEHAVIOUR;
    bool same = file == i->file;

    if (same && wanted)
        ready = file->ops->poll(file) & (wanted | POLLERR | POLLHUP);
    if (file)
        file_put(file);
    if (!same)
        forget(i);
    else if ((i->event.events & EPOLLET) && i->told_at == changes)
        return 0;
    return ready;
}

/* Up to @max events into @out; how many. */
static int collect(struct epoll *e, struct uapi_epoll_event *out, int max)
{
    uint64_t changes = atomic_load(&poll_changes);
    struct interest *i, *after;
    int nr = 0;

    mutex_lock(&e->lock);
    list_for_each_safe (i, after, &e->interests, node) {
        if (nr == max)
            break;
        uint32_t ready = look(i, changes);
        if (!ready)
            continue;
        out[nr++] = (struct uapi_epoll_event){ready, i->event.data};
        i->told_at = changes;
        if (i->event.events & EPOLLONESHOT)
            i->event.events &= BEHAVIOUR;
    }
    mutex_unlock(&e->lock);
    return nr;
}

static void epoll_release(struct file *f)
{
    struct epoll *e = f->private;
    while (!list_empty(&e->interests))
        forget(list_first_entry(&e->interests, struct interest, node));
    kmem_free(e);
}

static void epoll_tell(struct file *f, struct text *t)
{
    struct epoll *e = f->private;
    const struct interest *i;

    mutex_lock(&e->lock);
    list_for_each_entry (i, &e->interests, node)
        text_add(t, "tfd: %8d events: %8x data: %16lx \n", i->fd,
                 i->event.events | POLLERR | POLLHUP, i->event.data);
    mutex_unlock(&e->lock);
}

static const struct file_ops epoll_ops = {
    .release = epoll_release,
    .tell = epoll_tell,
    .no_seek = true,
};

static int epoll_create(struct file **out)
{
    struct epoll *e = kmem_alloc(sizeof(*e), SLAB_ALLOC_ZERO);

    if (!e)
        return -ENOMEM;
    mutex_init(&e->lock);
    list_init(&e->interests);
    int err = file_create_anonymous("anon_inode:[eventpoll]", 0600, &epoll_ops, O_RDWR, out);
    if (err)
        kmem_free(e);
    else
        (*out)->private = e;
    return err;
}

int64_t sys_epoll_create1(int flags)
{
    struct file *file;

    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    int err = epoll_create(&file);
    return err ? err : fd_install(file, 0, flags & EPOLL_CLOEXEC);
}

int64_t sys_epoll_create(int size)
{
    return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* The epoll file behind @fd, with a reference: -EBADF, -EINVAL. */
static int epoll_get(int fd, struct file **out)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    if (file->ops != &epoll_ops) {
        file_put(file);
        return -EINVAL;
    }
    *out = file;
    return 0;
}

static int add(struct epoll *e, int fd, const struct file *file,
               const struct uapi_epoll_event *event)
{
    struct interest *i = kmem_alloc(sizeof(*i), 0);
    if (!i)
        return -ENOMEM;
    *i = (struct interest){.fd = fd, .file = file, .event = *event, .told_at = UINT64_MAX};
    list_add_tail(&i->node, &e->interests);
    return 0;
}

/* epoll.lock held. */
static int control(struct epoll *e, int op, int fd, const struct file *file,
                   const struct uapi_epoll_event *event)
{
    struct interest *i = find(e, fd, file);

    switch (op) {
    case EPOLL_CTL_ADD:
        return i ? -EEXIST : add(e, fd, file, event);
    case EPOLL_CTL_DEL:
        if (i)
            forget(i);
        return i ? 0 : -ENOENT;
    case EPOLL_CTL_MOD:
        if (!i)
            return -ENOENT;
        i->event = *event;
        i->told_at = UINT64_MAX;
        return 0;
    default:
        return -EINVAL;
    }
}

static int control_locked(struct file *epoll, int op, int fd, struct file *file,
                          const struct uapi_epoll_event *event)
{
    struct epoll *e = epoll->private;

    if (epoll == file)
        return -EINVAL;
    if (!file->ops->poll)
        return -EPERM; /* it is always ready, or another epoll */
    mutex_lock(&e->lock);
    int err = control(e, op, fd, file, event);
    mutex_unlock(&e->lock);
    if (!err)
        poll_wake(); /* who waits already looks at it, too */
    return err;
}

int64_t sys_epoll_ctl(int epfd, int op, int fd, user_addr_t event_at)
{
    struct uapi_epoll_event event = {0};
    struct file *epoll;

    if (op != EPOLL_CTL_DEL && copy_from_user(&event, event_at, sizeof(event)))
        return -EFAULT;
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    int err = epoll_get(epfd, &epoll);
    if (!err) {
        err = control_locked(epoll, op, fd, file, &event);
        file_put(epoll);
    }
    file_put(file);
    return err;
}

static int64_t wait_for_events(int epfd, user_addr_t out, int max, int timeout_ms)
{
    uint64_t end = timeout_ms < 0 ? UINT64_MAX : clock_ns() + timeout_ms * NS_PER_MS;
    struct uapi_epoll_event *events;
    struct file *epoll;
    int nr = 0;

    if (max <= 0 || max > EVENTS_MAX)
        return -EINVAL;
    int64_t err = epoll_get(epfd, &epoll);
    if (err)
        return err;
    int room = min(max, FILES_MAX);
    events = kmem_alloc(room * sizeof(*events), 0);
    err = events ? 0 : -ENOMEM;
    if (!err)
        err = wait_event_until(&poll_queue, (nr = collect(epoll->private, events, room)) > 0, end);
    if (err == -ETIME)
        err = 0;
    if (!err && nr)
        err = copy_to_user(out, events, nr * sizeof(*events));
    kmem_free(events);
    file_put(epoll);
    return err ? err : nr;
}

int64_t sys_epoll_wait(int epfd, user_addr_t out, int max, int timeout_ms)
{
    return wait_for_events(epfd, out, max, timeout_ms);
}

int64_t sys_epoll_pwait(int epfd, user_addr_t out, int max, int timeout_ms, user_addr_t mask,
                        size_t mask_size)
{
    uint64_t set;

    if (!mask.raw)
        return wait_for_events(epfd, out, max, timeout_ms);
    if (mask_size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    signal_mask_begin(set);
    int64_t result = wait_for_events(epfd, out, max, timeout_ms);
    signal_mask_end(result == -EINTR);
    return result;
}
