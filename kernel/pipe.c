/* SPDX-License-Identifier: MIT */
/*
 * kernel/pipe.c - pipes: what is in them, and who waits for it
 *
 * Room:   kernel.
 * Owns:   a pipe's parts.
 * Locks:  pipe.lock (mutex, rank PIPE); user memory is copied under it.
 * Always: (1) a write of at most a page (PIPE_BUF) goes in as a whole; (2) see pipe.h;
 *         (3) a page of a pipe's own is zeroed when the last pipe that has it gives it up.
 * Source: pipe(7).
 * Tour:   after kernel/files.c and kernel/pipe.h; then kernel/pipe_file.c.
 */
#include "pipe.h"

#include "files.h"
#include "poll.h"
#include "task.h"
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/pin.h>
#include <uapi/errno.h>

void pipe_changed(struct pipe *p)
{
    wake_all(&p->waiters);
    poll_wake();
}

/* Claim 3. Who else counts references to a page in state KERNEL has it for a moment, for bytes that
 * a program brought. */
static void pipe_page_release(struct folio *folio)
{
    memset(page_kva(&folio->page), 0, folio_nr_pages(folio) * PAGE_SIZE);
    if (folio->page.order)
        page_free(&folio->page, folio->page.order);
    else
        page_free_blank(&folio->page);
}

void pipes_boot_init(void)
{
    folio_set_release(PAGE_KERNEL, pipe_page_release);
}

/* Parts. lock held. */

struct page *pipe_page_get(struct pipe *p)
{
    struct page *page;

    if (p->nr_spares)
        return p->spare[--p->nr_spares];
    return page_alloc(0, PAGE_ALLOC_PLAIN, &page) ? NULL : page;
}

void pipe_page_put(struct pipe *p, struct page *page)
{
    bool last = folio_refcount(page_folio(page)) == 1;

    if (last && p->nr_spares < PIPE_SPARES)
        p->spare[p->nr_spares++] = page;
    else
        page_unpin(page);
}

void pipe_push(struct pipe *p, const struct pipe_part *part)
{
    *pipe_part(p, p->head) = *part;
    WRITE_ONCE(p->head, p->head + 1);
}

void pipe_consume(struct pipe *p, size_t bytes)
{
    struct pipe_part *part = pipe_part(p, p->tail);

    part->offset += bytes;
    part->len -= bytes;
    if (part->len)
        return;
    if (part->grows || part->packet)
        pipe_page_put(p, part->page);
    else
        page_unpin(part->page);
    pipe_skip(p);
}

/* Reading */

/* From the parts that are there: bytes, or -EFAULT. */
static int64_t read_parts(struct pipe *p, struct object_copy *c, size_t len)
{
    size_t done = 0;

    while (done < len && !pipe_is_empty(p)) {
        const struct pipe_part *part = pipe_part(p, p->tail);
        size_t chunk = min(len - done, (size_t)part->len);
        bool packet = part->packet;
        if (c->copy(c, pipe_bytes(part), done, chunk))
            return done ? (int64_t)done : -EFAULT;
        pipe_consume(p, packet ? part->len : chunk);
        done += chunk;
        if (packet)
            break;
    }
    return done;
}

int pipe_wait_data(struct pipe *p, bool nonblocking)
{
    while (pipe_is_empty(p)) {
        if (!p->writers)
            return 0;
        if (nonblocking)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        int err =
            wait_event_interruptible(&p->waiters, !pipe_is_empty(p) || !READ_ONCE(p->writers));
        mutex_lock(&p->lock);
        if (err)
            return -ERESTARTSYS;
    }
    return 1;
}

int64_t pipe_take(struct pipe *p, struct object_copy *c, size_t len, bool nonblocking)
{
    if (!len)
        return 0;
    mutex_lock(&p->lock);
    int64_t n = pipe_wait_data(p, nonblocking);
    if (n > 0)
        n = read_parts(p, c, len);
    mutex_unlock(&p->lock);
    if (n > 0)
        pipe_changed(p);
    return n;
}

/* Writing */

int pipe_wait_room(struct pipe *p, bool nonblocking)
{
    for (;;) {
        if (!p->readers) {
            signal_broken_pipe();
            return -EPIPE;
        }
        if (!pipe_is_full(p))
            return 0;
        if (nonblocking)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        int err = wait_event_interruptible(&p->waiters, !pipe_is_full(p) || !READ_ONCE(p->readers));
        mutex_lock(&p->lock);
        if (err)
            return -ERESTARTSYS;
    }
}

/* What of @len is no whole page goes behind the last part, if there is room for all of that: how
 * much went, or -EFAULT. */
static int64_t write_behind(struct pipe *p, struct object_copy *c, size_t len)
{
    size_t rest = len % PAGE_SIZE;
    struct pipe_part *last = pipe_part(p, p->head - 1);

    if (!rest || !p->readers || pipe_is_empty(p) || !last->grows ||
        last->offset + last->len + rest > PAGE_SIZE)
        return 0;
    if (c->copy(c, pipe_bytes(last) + last->len, 0, rest))
        return -EFAULT;
    last->len += rest;
    return rest;
}

/* One part more, as there is room: how much went, -EFAULT, -ENOMEM. */
static int64_t write_part(struct pipe *p, struct object_copy *c, size_t done, size_t len,
                          bool packet)
{
    struct pipe_part *part = pipe_part(p, p->head);
    struct page *page = pipe_page_get(p);

    if (!page)
        return -ENOMEM;
    len = min(len, PAGE_SIZE);
    if (c->copy(c, page_kva(page), done, len)) {
        pipe_page_put(p, page);
        return -EFAULT;
    }
    *part = (struct pipe_part){.page = page, .len = len, .grows = !packet, .packet = packet};
    WRITE_ONCE(p->head, p->head + 1);
    return len;
}

/* As many as there is room for. */
static int64_t write_parts(struct pipe *p, struct object_copy *c, size_t done, size_t len,
                           bool packets)
{
    size_t before = done;
    int64_t n = 0;

    while (done < len && n >= 0 && !pipe_is_full(p)) {
        n = write_part(p, c, done, len - done, packets);
        done += max(n, 0L);
    }
    return done > before ? (int64_t)(done - before) : n;
}

int64_t pipe_put(struct pipe *p, struct object_copy *c, size_t len, bool nonblocking, bool packets)
{
    size_t done = 0;

    if (!len)
        return 0;
    mutex_lock(&p->lock);
    int64_t n = write_behind(p, c, len);
    while (n >= 0 && (done += n) < len) {
        if (done)
            pipe_changed(p); /* before it waits */
        n = pipe_wait_room(p, nonblocking);
        if (!n)
            n = write_parts(p, c, done, len, packets);
    }
    mutex_unlock(&p->lock);
    if (done)
        pipe_changed(p);
    return done ? (int64_t)done : n;
}
