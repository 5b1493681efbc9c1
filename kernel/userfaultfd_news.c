/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd_news.c - changes of memory, told to who watches it
 *
 * Room:   kernel.
 * Owns:   the news that wait for a reader.
 * Locks:  userfaultfd.lock (spin, rank USERFAULT).
 * Always: (1) who tells news waits until they are read, the file is gone, or he is killed;
 *         (2) a child's file comes to be when it is read of, or never: then nobody is asked.
 * Source: userfaultfd(2), UFFD_EVENT_FORK and its neighbours.
 * Tour:   after kernel/userfaultfd.c; mm/userfault_event.c says what there is to tell.
 */
#include "fs.h"
#include "poll.h"
#include "task.h"
#include "userfaultfd.h"
#include <mm/slab.h>
#include <uapi/errno.h>

static const struct {
    uint64_t feature;
    uint8_t event;
} kinds[] = {
    [USERFAULT_FORKED] = {UFFD_FEATURE_EVENT_FORK, UFFD_EVENT_FORK},
    [USERFAULT_MOVED] = {UFFD_FEATURE_EVENT_REMAP, UFFD_EVENT_REMAP},
    [USERFAULT_REMOVED] = {UFFD_FEATURE_EVENT_REMOVE, UFFD_EVENT_REMOVE},
    [USERFAULT_UNMAPPED] = {UFFD_FEATURE_EVENT_UNMAP, UFFD_EVENT_UNMAP},
};

unsigned userfaultfd_tells(uint64_t features)
{
    unsigned tells = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        tells |= features & kinds[i].feature ? 1U << i : 0;
    return tells;
}

struct userfault *userfaultfd_like(const struct userfault *base, const struct mm *mm)
{
    const struct userfaultfd *u = (const struct userfaultfd *)base;
    struct userfaultfd *like = userfaultfd_alloc(u->flags, mm);

    if (!like)
        return NULL;
    atomic_store(&like->features, atomic_load(&u->features));
    like->base.tells = base->tells;
    like->base.wp_async = base->wp_async;
    like->base.wp_unpopulated = base->wp_unpopulated;
    return &like->base;
}

/* Telling */

static struct uapi_uffd_msg message(const struct userfault_event *event)
{
    struct uapi_uffd_msg msg = {.event = kinds[event->news].event};

    if (event->news == USERFAULT_MOVED) {
        msg.from = event->start;
        msg.to = event->to;
        msg.len = event->end - event->start;
    } else if (event->news != USERFAULT_FORKED) {
        msg.start = event->start;
        msg.end = event->end;
    }
    return msg;
}

static bool is_read(struct userfaultfd *u, const struct news *n)
{
    spin_lock(&u->lock);
    bool over = n->is_read || (u->released && !n->is_taken);
    spin_unlock(&u->lock);
    return over;
}

/* Nobody will read them. False: somebody just does. */
static bool withdraw(struct userfaultfd *u, struct news *n)
{
    spin_lock(&u->lock);
    bool taken = n->is_taken;
    if (!taken && !n->is_read)
        list_del(&n->node);
    spin_unlock(&u->lock);
    return !taken;
}

static bool is_idle(struct userfaultfd *u, const struct news *n)
{
    spin_lock(&u->lock);
    bool idle = !n->is_taken;
    spin_unlock(&u->lock);
    return idle;
}

/* Claim 1. */
static void wait_reader(struct userfaultfd *u, struct news *n)
{
    spin_lock(&u->lock);
    list_add_tail(&n->node, &u->news);
    spin_unlock(&u->lock);
    wake_all(&u->readers);
    poll_wake();
    wait_event_unless(&u->askers, is_read(u, n), signal_fatal_current());
    while (!withdraw(u, n))
        wait_event_unless(&u->askers, is_idle(u, n), false);
}

void userfaultfd_tell_news(struct userfault *base, const struct userfault_event *event)
{
    struct userfaultfd *u = (struct userfaultfd *)base;
    struct news n = {.msg = message(event), .child = (struct userfaultfd *)event->child};

    wait_reader(u, &n);
    if (!event->child || n.is_read)
        return;
    mm_userfault_forget(event->mm, event->child); /* claim 2 */
    userfault_put(event->child);
}

/* Reading */

static struct news *take(struct userfaultfd *u)
{
    spin_lock(&u->lock);
    bool has = userfaultfd_has_news(u);
    struct news *n = has ? list_entry(u->news.next, struct news, node) : NULL;
    if (n) {
        list_del(&n->node);
        n->is_taken = true;
    }
    spin_unlock(&u->lock);
    return n;
}

static void give_back(struct userfaultfd *u, struct news *n, bool read)
{
    spin_lock(&u->lock);
    n->is_taken = false;
    n->is_read = read;
    if (!read)
        list_add(&n->node, &u->news);
    spin_unlock(&u->lock);
    wake_all(&u->askers);
}

/* The child's descriptor in the reader's table, or an error. *@opened: it had a file, at least. */
static int install_child(struct userfaultfd *child, bool *opened)
{
    bool close_on_exec = child->flags & O_CLOEXEC;
    struct file *file;

    if (!fd_is_left())
        return -EMFILE;
    int err = userfaultfd_open_file(child, &file);
    *opened = !err;
    return err ? err : fd_install(file, 0, close_on_exec);
}

int userfaultfd_take_news(struct userfaultfd *u, struct uapi_uffd_msg *msg)
{
    struct news *n = take(u);

    if (!n)
        return 0;
    bool read = !n->child;
    int fd = n->child ? install_child(n->child, &read) : 0;
    *msg = n->msg;
    if (n->child)
        msg->fd = (uint32_t)fd;
    give_back(u, n, read);
    return fd < 0 ? fd : 1;
}
