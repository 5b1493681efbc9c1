/* SPDX-License-Identifier: MIT */
/*
 * kernel/splice.c - moving pages in and out of pipes
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  pipe.lock (mutex, rank PIPE); of two, the one at the lower address first. Files are read
 *         and written under it (rank INODE).
 * Always: (1) a page of somebody else's is never written to: its part does not grow;
 *         (2) see splice.h.
 * Source: splice(2), tee(2), vmsplice(2).
 * Tour:   after kernel/pipe.c and mm/pin.c; then kernel/sys_splice.c.
 */
#include "splice.h"

#include "files.h"
#include "fs.h"
#include "pipe.h"
#include "task.h"
#include "vector.h"
#include <base/bug.h>
#include <mm/pin.h>
#include <uapi/errno.h>
#include <uapi/poll.h>

/* Two pipes */

static void lock_both(struct pipe *a, struct pipe *b)
{
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct pipe *a, struct pipe *b)
{
    mutex_unlock(&a->lock);
    mutex_unlock(&b->lock);
}

/* Something to move, and room for it: a moment ago. */
static int wait_for_both(struct pipe *from, struct pipe *to, bool nonblocking)
{
    mutex_lock(&from->lock);
    int err = pipe_wait_data(from, nonblocking);
    mutex_unlock(&from->lock);
    if (err < 0)
        return err;
    mutex_lock(&to->lock);
    err = pipe_wait_room(to, nonblocking);
    mutex_unlock(&to->lock);
    return err;
}

/* Up to @len bytes of @part into @to, with a reference of their own. How many. */
static size_t share_part(const struct pipe_part *part, struct pipe *to, size_t len)
{
    struct pipe_part copy = *part;

    copy.len = min((size_t)part->len, len);
    copy.grows = false; /* claim 1: it is the other's */
    page_pin(copy.page);
    pipe_push(to, &copy);
    return copy.len;
}

/* The first part of @from, or what of it @len allows. How many bytes. */
static size_t move_part(struct pipe *from, struct pipe *to, size_t len)
{
    const struct pipe_part *part = pipe_part(from, from->tail);

    if (part->len <= len) {
        len = part->len;
        pipe_push(to, part);
        pipe_skip(from);
    } else {
        share_part(part, to, len);
        pipe_consume(from, len);
    }
    return len;
}

/* Both locks held. */
static size_t move_parts(struct pipe *from, struct pipe *to, size_t len)
{
    size_t done = 0;

    while (done < len && !pipe_is_empty(from) && !pipe_is_full(to))
        done += move_part(from, to, len - done);
    return done;
}

/* Both locks held. */
static size_t share_parts(struct pipe *from, struct pipe *to, size_t len)
{
    size_t done = 0;

    for (unsigned n = from->tail; done < len && n != from->head && !pipe_is_full(to); n++)
        done += share_part(pipe_part(from, n), to, len - done);
    return done;
}

int64_t splice_pipes(struct pipe *from, struct pipe *to, size_t len, bool keep, bool nonblocking)
{
    size_t done;
    bool again;

    do {
        int err = wait_for_both(from, to, nonblocking);
        if (err)
            return err;
        lock_both(from, to);
        done = keep ? share_parts(from, to, len) : move_parts(from, to, len);
        again = !done && (!pipe_is_empty(from) || from->writers);
        unlock_both(from, to);
        if (again && nonblocking)
            return -EAGAIN;
    } while (again);
    if (done) {
        pipe_changed(from);
        pipe_changed(to);
    }
    return done;
}

/* From files */

/* lock held. Until the object ends, or the pipe is full. */
static int64_t push_object(struct object *object, struct pipe *to, uint64_t *pos, size_t len)
{
    size_t done = 0;

    while (done < len && !pipe_is_full(to) && *pos < object_size(object)) {
        struct pipe_part part = {.offset = *pos % PAGE_SIZE};
        if (bug_is_back(BUG_B44))
            part.grows = pipe_part(to, to->head)->grows; /* as the last who used it left it */
        int err = object_pin(object, *pos, &part.page);
        if (err)
            return done ? (int64_t)done : err;
        size_t here = min(PAGE_SIZE - part.offset, object_size(object) - *pos);
        part.len = min(here, len - done);
        pipe_push(to, &part);
        *pos += part.len;
        done += part.len;
    }
    return done;
}

/* Would reading have to wait? */
static bool is_idle(struct file *in)
{
    return in->ops->poll && !(in->ops->poll(in) & (POLLIN | POLLHUP | POLLERR));
}

/* lock held. A page of the pipe's own, filled by reading: bytes, 0 at the end. */
static int64_t push_read(struct file *in, struct pipe *to, uint64_t *pos, size_t len)
{
    struct pipe_part part = {.page = pipe_page_get(to), .grows = true};
    if (!part.page)
        return -ENOMEM;
    struct kernel_copy copy = kernel_buffer_out(pipe_bytes(&part));
    int64_t n = in->ops->read(in, &copy.copy, min(len, PAGE_SIZE), pos);
    part.len = max(n, 0L);
    if (part.len)
        pipe_push(to, &part);
    else
        pipe_page_put(to, part.page);
    return n;
}

/* lock held. What may have to wait is read once. */
static int64_t push_file(struct file *in, struct pipe *to, uint64_t *pos, size_t len,
                         bool nonblocking)
{
    size_t done = 0;
    int64_t n = PAGE_SIZE;

    if (in->ops == &object_file_ops)
        return push_object(&in->inode->object, to, pos, len);
    if (nonblocking && is_idle(in))
        return -EAGAIN;
    while (done < len && n == PAGE_SIZE && !pipe_is_full(to)) {
        n = push_read(in, to, pos, len - done);
        done += max(n, 0L);
        if (in->ops->poll)
            break;
    }
    return done ? (int64_t)done : n;
}

int64_t splice_in(struct file *in, struct pipe *to, uint64_t *pos, size_t len, bool nonblocking)
{
    mutex_lock(&to->lock);
    int64_t n = pipe_wait_room(to, nonblocking);
    if (!n)
        n = push_file(in, to, pos, len, nonblocking);
    mutex_unlock(&to->lock);
    if (n > 0)
        pipe_changed(to);
    return n;
}

/* To files */

/* lock held. */
static int64_t write_part(struct pipe *from, struct file *out, uint64_t *pos, size_t len)
{
    const struct pipe_part *part = pipe_part(from, from->tail);
    struct kernel_copy copy = kernel_buffer_in(pipe_bytes(part));

    int64_t n = out->ops->write(out, &copy.copy, min((size_t)part->len, len), pos);
    if (n > 0)
        pipe_consume(from, n);
    return n;
}

/* More than what is there is not waited for, once something was moved. */
int64_t splice_out(struct pipe *from, struct file *out, uint64_t *pos, size_t len, bool nonblocking)
{
    size_t done = 0;
    int64_t n = 0;

    mutex_lock(&from->lock);
    while (done < len) {
        n = done ? !pipe_is_empty(from) : pipe_wait_data(from, nonblocking);
        if (n > 0)
            n = write_part(from, out, pos, len - done);
        if (n <= 0)
            break;
        done += n;
    }
    mutex_unlock(&from->lock);
    if (done)
        pipe_changed(from);
    return done ? (int64_t)done : n;
}

/* From memory */

/* lock held. The pages of one buffer: bytes, or -EFAULT. */
static int64_t push_memory(struct pipe *to, uint64_t from, size_t len)
{
    size_t done = 0;

    while (done < len && !pipe_is_full(to)) {
        struct pipe_part part = {.offset = (from + done) % PAGE_SIZE};
        int err =
            mm_pin(task_current()->mm, round_down(from + done, PAGE_SIZE), PIN_TO_READ, &part.page);
        if (err)
            return done ? (int64_t)done : err;
        part.len = min(len - done, PAGE_SIZE - part.offset);
        pipe_push(to, &part);
        done += part.len;
    }
    return done;
}

int64_t splice_memory(struct pipe *to, const struct vector *v, bool nonblocking)
{
    size_t done = 0;

    mutex_lock(&to->lock);
    int64_t n = pipe_wait_room(to, nonblocking);
    for (unsigned i = 0; i < v->nr && !n; i++) {
        n = push_memory(to, v->parts[i].base, v->parts[i].len);
        done += max(n, 0L);
        n = n == (int64_t)v->parts[i].len ? 0 : n;
    }
    mutex_unlock(&to->lock);
    if (done)
        pipe_changed(to);
    return done ? (int64_t)done : n;
}
