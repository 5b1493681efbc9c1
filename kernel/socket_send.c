/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket_send.c - sending: from a program's memory into the receiver's queue
 *
 * Room:   kernel.
 * Owns:   the life of struct message; how much may be on its way.
 * Locks:  sockets_lock (spin, rank SOCKETS); none while user memory is copied.
 * Always: (1) a message is whole before it is in a queue;
 *         (2) what it takes is counted at its sender: socket.charged is the sum;
 *         (3) its bytes are zeroed when it goes, read or not.
 * Source: unix(7), send(2), socket(7) "SO_SNDBUF".
 * Tour:   after kernel/socket.c; then kernel/socket_receive.c.
 */
#include "poll.h"
#include "socket.h"
#include "task.h"
#include <mm/slab.h>
#include <uapi/errno.h>

#define MESSAGE_COST 768    /* what Linux counts for a message beside its bytes */
#define CHUNK_MAX    0x8000 /* bytes of a stream in one message */
#define SIZE_RESERVE 32     /* by so much a datagram must be smaller than the buffer */

/* Messages */

static size_t cost_of(const struct message *m)
{
    return m->len_bytes + MESSAGE_COST;
}

/* Claim 1: @len bytes from byte @done of the buffer on. */
static int message_create(struct socket *from, struct object_copy *c, size_t done, size_t len,
                          struct message **out)
{
    struct message *m = kmem_alloc(sizeof(*m), SLAB_ALLOC_ZERO);
    if (!m)
        return -ENOMEM;
    m->len_bytes = len;
    m->data = len ? kmem_alloc(len, SLAB_ALLOC_PLAIN) : NULL;
    int err = len && !m->data ? -ENOMEM : 0;
    if (!err && len && c->copy(c, m->data, done, len))
        err = -EFAULT;
    if (err) {
        kmem_free_wiped(m->data, len);
        kmem_free(m);
        return err;
    }
    socket_get(from);
    m->from = from;
    *out = m;
    return 0;
}

static void message_free(struct message *m)
{
    passed_drop(&m->passed);
    socket_put(m->from);
    kmem_free_wiped(m->data, m->len_bytes);
    kmem_free(m);
}

/* Into the queue of @to. sockets_lock held. */
static void message_queue(struct socket *to, struct message *m)
{
    m->passed.has_cred |= m->from->pass_cred || to->pass_cred || !to->accepted;
    list_add_tail(&m->node, &to->messages);
    to->nr_messages++;
    m->from->charged += cost_of(m); /* claim 2 */
    scm_fly(&m->passed);
    socket_changed(to);
}

/* Out of the queue of @s. sockets_lock held. */
static void message_unqueue(struct socket *s, struct message *m)
{
    list_del(&m->node);
    s->nr_messages--;
    m->from->charged -= cost_of(m);
    scm_land(&m->passed);
    socket_changed(m->from);
    if (s->peer != m->from)
        socket_changed(s); /* others may wait until the queue is shorter */
}

void message_finish(struct socket *s, struct message *m)
{
    spin_lock(&sockets_lock);
    message_unqueue(s, m);
    spin_unlock(&sockets_lock);
    message_free(m);
}

void messages_take(struct socket *s, struct list_node *out)
{
    struct message *m, *after;

    list_for_each_safe (m, after, &s->messages, node) {
        message_unqueue(s, m);
        list_add_tail(&m->node, out);
    }
}

/*
 * A message may hold the last reference on a socket, whose messages hold others: that would be
 * deep. Who is at it already, further up, finds them on the list.
 */
void messages_drop(struct list_node *messages)
{
    struct task *me = task_current();

    if (list_empty(messages))
        return;
    if (me->dropped_messages) {
        list_splice_tail(messages, me->dropped_messages);
        return;
    }
    me->dropped_messages = messages;
    while (!list_empty(messages)) {
        struct message *m = list_first_entry(messages, struct message, node);
        list_del(&m->node);
        message_free(m);
    }
    me->dropped_messages = NULL;
}

/* Room */

static bool has_room(const struct socket *s)
{
    return READ_ONCE(s->charged) < READ_ONCE(s->send_limit);
}

bool socket_is_writable(const struct socket *s)
{
    return s->charged * 4 <= s->send_limit;
}

bool socket_is_crowded(const struct socket *s)
{
    return READ_ONCE(s->nr_messages) > READ_ONCE(s->backlog);
}

static bool room_wait_ends(const struct socket *s)
{
    return has_room(s) || READ_ONCE(s->error) || (READ_ONCE(s->shutdown) & SOCKET_NO_WRITES);
}

static int wait_for_room(struct socket *s, unsigned flags)
{
    uint64_t end_ns = socket_wait_end(s->send_ns, flags & MSG_DONTWAIT);

    for (;;) {
        int err = socket_take_error(s);
        if (!err && (READ_ONCE(s->shutdown) & SOCKET_NO_WRITES))
            err = -EPIPE;
        if (err || has_room(s))
            return err;
        if (flags & MSG_DONTWAIT)
            return -EAGAIN;
        err = wait_event_until(&s->waiters, room_wait_ends(s), end_ns);
        if (err)
            return socket_wait_error(err, end_ns);
    }
}

/* Streams */

/* Can @s send, now? sockets_lock held. */
static int check_stream(const struct socket *s)
{
    const struct socket *peer = s->peer;

    if (!peer)
        return -ENOTCONN;
    return (s->shutdown & SOCKET_NO_WRITES) || (peer->shutdown & SOCKET_NO_READS) ? -EPIPE : 0;
}

static int look_at_stream(const struct socket *s)
{
    spin_lock(&sockets_lock);
    int err = check_stream(s);
    spin_unlock(&sockets_lock);
    return err;
}

/* What is not delivered is freed. */
static int deliver_chunk(struct socket *s, struct message *m)
{
    spin_lock(&sockets_lock);
    int err = check_stream(s);
    if (!err)
        message_queue(s->peer, m);
    spin_unlock(&sockets_lock);
    if (err)
        message_free(m);
    return err;
}

static int64_t send_stream(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                           struct passed *with)
{
    size_t done = 0;
    int err = look_at_stream(s);

    while (done < len && !err) {
        size_t chunk = min(min(len - done, s->send_limit / 2 - 64), (size_t)CHUNK_MAX);
        struct message *m;
        err = wait_for_room(s, flags);
        if (!err)
            err = message_create(s, c, done, chunk, &m);
        if (err)
            break;
        m->passed = *with;
        with->files = NULL; /* they go with the first bytes */
        err = deliver_chunk(s, m);
        if (!err)
            done += chunk;
    }
    if (err == -EPIPE && !done && !(flags & MSG_NOSIGNAL))
        signal_broken_pipe();
    return done ? (int64_t)done : err;
}

/* Datagrams, and packets in order */

/* @s has no peer any more: it is dead. Returns what the caller puts. sockets_lock held. */
static struct socket *forget_dead_peer(struct socket *s, const struct socket *dead)
{
    struct socket *peer = s->peer;

    if (peer != dead)
        return NULL;
    s->peer = NULL;
    s->state = SOCKET_UNCONNECTED;
    return peer;
}

static bool must_wait(const struct socket *s, const struct socket *to)
{
    return to != s && to->peer != s && socket_is_crowded(to);
}

/* sockets_lock held. */
static int check_datagram(const struct socket *s, const struct socket *to)
{
    if (!to)
        return -ENOTCONN;
    if (!socket_may_send(s, to))
        return -EPERM;
    if (to->dead)
        return s->type == SOCK_SEQPACKET ? -EPIPE : -ECONNREFUSED;
    if (to->shutdown & SOCKET_NO_READS)
        return -EPIPE;
    return must_wait(s, to) ? -EAGAIN : 0;
}

/* To @to, or else the peer. @crowded: where nothing fits in now, with a reference, or NULL. */
static int deliver_datagram(struct socket *s, struct socket *to, struct message *m,
                            struct socket **crowded)
{
    struct socket *dead = NULL;

    *crowded = NULL;
    spin_lock(&sockets_lock);
    to = to ? to : s->peer;
    int err = check_datagram(s, to);
    if (!err) {
        message_queue(to, m);
    } else if (err == -EAGAIN) {
        socket_get(to);
        *crowded = to;
    } else if (err == -ECONNREFUSED) {
        dead = forget_dead_peer(s, to);
    }
    spin_unlock(&sockets_lock);
    if (dead)
        socket_put(dead);
    return err;
}

/* Takes over the reference on @to. */
static int wait_while_crowded(struct socket *s, struct socket *to, unsigned flags)
{
    uint64_t end_ns = socket_wait_end(s->send_ns, flags & MSG_DONTWAIT);
    int err = -EAGAIN;

    if (!(flags & MSG_DONTWAIT))
        err = wait_event_until(
            &to->waiters,
            !socket_is_crowded(to) || READ_ONCE(to->shutdown) || READ_ONCE(to->peer) == s, end_ns);
    socket_put(to);
    return socket_wait_error(err, end_ns);
}

static int64_t send_datagram(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                             struct passed *with, struct socket *to)
{
    struct socket *crowded;
    struct message *m;

    if (len > s->send_limit - SIZE_RESERVE)
        return -EMSGSIZE;
    int err = wait_for_room(s, flags);
    if (!err)
        err = message_create(s, c, 0, len, &m);
    if (err)
        return err;
    m->passed = *with;
    with->files = NULL;
    do {
        err = deliver_datagram(s, to, m, &crowded);
    } while (crowded && !(err = wait_while_crowded(s, crowded, flags)));
    if (err)
        message_free(m);
    return err ? err : (int64_t)len;
}

int64_t socket_send(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                    struct passed *with, struct socket *to)
{
    if (s->type == SOCK_STREAM)
        return send_stream(s, c, len, flags, with);
    int err = s->type == SOCK_SEQPACKET ? socket_take_error(s) : 0;
    if (!err && !to && READ_ONCE(s->state) != SOCKET_CONNECTED)
        err = -ENOTCONN;
    return err ? err : send_datagram(s, c, len, flags, with, to);
}
