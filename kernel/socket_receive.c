/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket_receive.c - receiving: from a socket's queue into a program's memory
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  socket.reading (mutex, rank INODE) while bytes are copied: messages leave the queue of an
 *         open socket under it only. sockets_lock (rank SOCKETS) inside.
 * Always: (1) bytes that could not be copied are still there, but for a datagram's.
 * Source: unix(7), recv(2).
 * Tour:   after kernel/socket_send.c; then kernel/socket_file.c, kernel/scm.c.
 */
#include "poll.h"
#include "socket.h"
#include "task.h"
#include <asm/time.h>
#include <lib/string.h>
#include <uapi/errno.h>

/* The message behind @m; NULL: the first. NULL: there is none. */
static struct message *next_message(struct socket *s, struct message *m)
{
    spin_lock(&sockets_lock);
    struct list_node *next = m ? m->node.next : s->messages.next;
    m = next == &s->messages ? NULL : list_entry(next, struct message, node);
    spin_unlock(&sockets_lock);
    return m;
}

/* What goes with @m is the reader's, or a copy of it. 0 or -ENOMEM. */
static int take_passed(struct message *m, bool peek, struct received *out)
{
    out->passed.has_cred = m->passed.has_cred;
    out->passed.cred = m->passed.cred;
    if (peek)
        return passed_copy_files(&m->passed, &out->passed);
    spin_lock(&sockets_lock);
    scm_land(&m->passed);
    out->passed.files = m->passed.files;
    m->passed.files = NULL;
    spin_unlock(&sockets_lock);
    return 0;
}

/* Streams */

struct stream_read {
    struct socket *s;
    struct object_copy *c;
    size_t len, done;
    bool peek;
    bool ended; /* more would be there, but not for this call */
    bool began; /* there was a message */
    struct received *out;
};

/* Bytes of another sender are another read's, if anybody asks who sent them. */
static bool is_glued(const struct stream_read *x, const struct message *m)
{
    const struct passed *last = &x->out->passed;

    return !x->began || !x->s->pass_cred ||
           (last->has_cred == m->passed.has_cred &&
            !memcmp(&last->cred, &m->passed.cred, sizeof(last->cred)));
}

/* Of one message. 0, -EFAULT or -ENOMEM. */
static int read_chunk(struct stream_read *x, struct message *m)
{
    size_t len = min(x->len - x->done, m->len_bytes - m->taken);
    bool has_files = m->passed.files;

    if (!x->began)
        x->out->name = socket_name_of(m->from);
    x->began = true;
    size_t left = x->c->copy(x->c, m->data + m->taken, x->done, len);
    if (left == len && len)
        return -EFAULT;
    int err = take_passed(m, x->peek, x->out);
    if (err)
        return err;
    x->done += len - left;
    x->ended = has_files || left;
    if (x->peek)
        return 0;
    m->taken += len - left;
    if (m->taken == m->len_bytes)
        message_finish(x->s, m);
    else
        x->ended = true;
    return 0;
}

/* All that is there, as far as it belongs together. */
static int read_chunks(struct stream_read *x)
{
    struct message *m = NULL;
    int err = 0;

    mutex_lock(&x->s->reading);
    while (!err && !x->ended && (x->done < x->len || !x->began)) {
        m = next_message(x->s, x->peek ? m : NULL);
        if (!m)
            break;
        if (is_glued(x, m))
            err = read_chunk(x, m);
        else
            x->ended = true;
    }
    mutex_unlock(&x->s->reading);
    return err;
}

static bool read_wait_ends(const struct socket *s)
{
    return READ_ONCE(s->nr_messages) || READ_ONCE(s->error) ||
           (READ_ONCE(s->shutdown) & SOCKET_NO_READS);
}

/* As many bytes as were asked for, if they all shall be waited for; else what there is. */
static int64_t receive_stream(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                              struct received *out)
{
    struct stream_read x = {.s = s, .c = c, .len = len, .peek = flags & MSG_PEEK, .out = out};
    uint64_t end_ns = socket_wait_end(s->receive_ns, flags & MSG_DONTWAIT);
    size_t target = flags & MSG_WAITALL ? len : min(len, 1UL);
    int err = READ_ONCE(s->state) == SOCKET_CONNECTED ? 0 : -EINVAL;

    while (!err) {
        err = read_chunks(&x);
        if (err || x.ended || (x.began && (x.peek || x.done >= target)))
            break;
        err = socket_take_error(s);
        if (err || (READ_ONCE(s->shutdown) & SOCKET_NO_READS))
            break;
        if (flags & MSG_DONTWAIT)
            err = -EAGAIN;
        else
            err =
                socket_wait_error(wait_event_until(&s->waiters, read_wait_ends(s), end_ns), end_ns);
    }
    return x.done ? (int64_t)x.done : err;
}

/* Datagrams, and packets in order */

/* The first message, waiting for it: 0 with socket.reading held, or an error. *@m is NULL when none
 * will come. */
static int wait_for_message(struct socket *s, unsigned flags, struct message **m)
{
    uint64_t end_ns = socket_wait_end(s->receive_ns, flags & MSG_DONTWAIT);

    for (;;) {
        int err = socket_take_error(s);
        if (err)
            return err;
        mutex_lock(&s->reading);
        *m = next_message(s, NULL);
        bool ended = READ_ONCE(s->shutdown) & SOCKET_NO_READS;
        if (*m || (ended && (!(flags & MSG_DONTWAIT) || s->type == SOCK_SEQPACKET)))
            return 0;
        mutex_unlock(&s->reading);
        if (flags & MSG_DONTWAIT)
            return -EAGAIN;
        err = wait_event_until(&s->waiters, read_wait_ends(s), end_ns);
        if (err)
            return socket_wait_error(err, end_ns);
    }
}

/* Claim 1: a datagram of which a part could not be copied is lost. */
static int64_t read_message(struct socket *s, struct message *m, struct object_copy *c, size_t len,
                            unsigned flags, struct received *out)
{
    size_t all = m->len_bytes, part = min(len, all);

    out->flags |= part < all ? MSG_TRUNC : 0;
    out->name = socket_name_of(m->from);
    int64_t err = part && c->copy(c, m->data, 0, part) ? -EFAULT : 0;
    if (!err)
        err = take_passed(m, flags & MSG_PEEK, out);
    if (!(flags & MSG_PEEK))
        message_finish(s, m);
    return err ? err : (int64_t)(flags & MSG_TRUNC ? all : part);
}

static int64_t receive_datagram(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                                struct received *out)
{
    struct message *m;

    if (s->type == SOCK_SEQPACKET && READ_ONCE(s->state) != SOCKET_CONNECTED)
        return -ENOTCONN;
    int64_t n = wait_for_message(s, flags, &m);
    if (n)
        return n;
    if (m)
        n = read_message(s, m, c, len, flags, out);
    mutex_unlock(&s->reading);
    return n;
}

int64_t socket_receive(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                       struct received *out)
{
    return s->type == SOCK_STREAM ? receive_stream(s, c, len, flags, out)
                                  : receive_datagram(s, c, len, flags, out);
}

size_t socket_readable_bytes(struct socket *s)
{
    struct message *m;
    size_t bytes = 0;

    spin_lock(&sockets_lock);
    list_for_each_entry (m, &s->messages, node) {
        bytes += m->len_bytes - m->taken;
        if (s->type == SOCK_DGRAM)
            break;
    }
    spin_unlock(&sockets_lock);
    return bytes;
}
