/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket.c - sockets: their life, and who is connected to whom
 *
 * Room:   kernel.
 * Owns:   struct socket's connection: state, peer, pending.
 * Locks:  sockets_lock (spin, rank SOCKETS).
 * Always: (1) of a connected pair each holds a reference on the other, until it is closed itself;
 *         (2) a socket that waits to be accepted is closed with the one it waits at.
 * Source: unix(7), listen(2), connect(2), accept(2), shutdown(2).
 * Tour:   after kernel/socket.h; then kernel/socket_send.c.
 */
#include "socket.h"

#include "poll.h"
#include "task.h"
#include <asm/time.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define BUFFER_BYTES 212992 /* as net.core.wmem_default */
#define MESSAGES_MAX 10     /* as net.unix.max_dgram_qlen: datagrams that wait for a reader */
#define NOBODY       ((struct uapi_ucred){.uid = -1U, .gid = -1U})

spinlock_t sockets_lock = SPINLOCK_INIT(LOCK_RANK_SOCKETS);
struct list_node all_sockets = LIST_INIT(all_sockets);

int socket_create(int type, struct socket **out)
{
    struct socket *s = kmem_alloc(sizeof(*s), SLAB_ALLOC_ZERO);
    if (!s)
        return -ENOMEM;
    atomic_store(&s->refcount, 1);
    s->type = type;
    s->peer_cred = NOBODY;
    list_init(&s->bound_node);
    list_init(&s->messages);
    list_init(&s->pending);
    list_init(&s->pending_node);
    list_init(&s->in_flight.node);
    wait_queue_init(&s->waiters);
    mutex_init(&s->reading);
    s->backlog = MESSAGES_MAX;
    s->send_limit = s->receive_limit = BUFFER_BYTES;
    s->send_ns = s->receive_ns = UINT64_MAX;
    spin_lock(&sockets_lock);
    list_add_tail(&s->all_node, &all_sockets);
    spin_unlock(&sockets_lock);
    *out = s;
    return 0;
}

void socket_get(struct socket *s)
{
    atomic_fetch_add_explicit(&s->refcount, 1, memory_order_relaxed);
}

void socket_put(struct socket *s)
{
    if (atomic_fetch_sub_explicit(&s->refcount, 1, memory_order_acq_rel) != 1)
        return;
    spin_lock(&sockets_lock);
    list_del(&s->all_node);
    spin_unlock(&sockets_lock);
    socket_name_put(s->name);
    kmem_free(s);
}

void socket_changed(struct socket *s)
{
    wake_all(&s->waiters);
    poll_wake();
}

int socket_take_error(struct socket *s)
{
    if (likely(!READ_ONCE(s->error)))
        return 0;
    spin_lock(&sockets_lock);
    int err = -s->error;
    s->error = 0;
    spin_unlock(&sockets_lock);
    return err;
}

struct uapi_ucred socket_cred(void)
{
    const struct cred *cred = cred_current();
    return (struct uapi_ucred){
        .pid = process_current()->pid, .uid = cred->user.effective, .gid = cred->group.effective};
}

uint64_t socket_wait_end(uint64_t ns, bool nonblocking)
{
    return nonblocking ? 0 : ns == UINT64_MAX ? ns : clock_ns() + ns;
}

int socket_wait_error(int err, uint64_t end_ns)
{
    if (err == -ETIME)
        return -EAGAIN;
    return err == -EINTR && end_ns == UINT64_MAX ? -ERESTARTSYS : err;
}

/* The end */

/* Claim 1: what was connected to @s learns that it is gone. Returns it. sockets_lock held. */
static struct socket *leave_peer(struct socket *s)
{
    struct socket *peer = s->peer;

    s->peer = NULL;
    if (!peer || s->type == SOCK_DGRAM)
        return peer;
    peer->shutdown = SOCKET_SHUT;
    if (s->nr_messages || !s->accepted)
        peer->error = ECONNRESET;
    socket_changed(peer);
    return peer;
}

void socket_close(struct socket *s)
{
    struct list_node messages = LIST_INIT(messages), pending = LIST_INIT(pending);

    spin_lock(&sockets_lock);
    struct socket *peer = leave_peer(s), *half;
    s->dead = true;
    s->state = SOCKET_UNCONNECTED;
    s->shutdown = SOCKET_SHUT;
    s->file = NULL;
    socket_unbind(s);
    messages_take(s, &messages);
    list_splice(&s->pending, &pending);
    s->nr_pending = 0;
    socket_changed(s);
    spin_unlock(&sockets_lock);
    while (!list_empty(&pending)) { /* claim 2 */
        half = list_first_entry(&pending, struct socket, pending_node);
        list_del(&half->pending_node);
        socket_close(half);
        socket_put(half);
    }
    messages_drop(&messages);
    if (peer)
        socket_put(peer);
}

/* Connections */

void socket_join(struct socket *a, struct socket *b)
{
    socket_get(a);
    socket_get(b);
    a->peer = b;
    b->peer = a;
    a->state = b->state = SOCKET_CONNECTED;
    a->peer_cred = b->peer_cred = socket_cred();
}

int socket_listen(struct socket *s, int backlog)
{
    int err = 0;

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    spin_lock(&sockets_lock);
    if (!s->name || s->state == SOCKET_CONNECTED) {
        err = -EINVAL;
    } else {
        s->state = SOCKET_LISTENING;
        s->backlog = min((unsigned)backlog, (unsigned)SOMAXCONN);
        s->peer_cred = socket_cred();
        socket_changed(s); /* there may be room for those who wait to connect */
    }
    spin_unlock(&sockets_lock);
    return err;
}

bool socket_may_send(const struct socket *s, const struct socket *to)
{
    return !to->peer || to->peer == s;
}

/* A datagram socket has another peer, or none: what came from the one before is of no interest.
 * Returns what the caller puts. sockets_lock held. */
static struct socket *change_peer(struct socket *s, struct socket *to, struct list_node *dropped)
{
    struct socket *old = s->peer;

    if (to)
        socket_get(to);
    s->peer = to;
    s->state = to ? SOCKET_CONNECTED : SOCKET_UNCONNECTED;
    if (old && old != to) {
        if (s->nr_messages) {
            messages_take(s, dropped);
            if (!old->dead && old->peer == s)
                old->error = ECONNRESET;
        }
        socket_changed(old);
    }
    return old;
}

int socket_connect_datagrams(struct socket *s, struct socket *to)
{
    struct list_node dropped = LIST_INIT(dropped);
    struct socket *old = NULL;

    mutex_lock(&s->reading); /* nobody is reading what may be dropped */
    spin_lock(&sockets_lock);
    int err = !to || socket_may_send(s, to) ? 0 : -EPERM;
    if (!err)
        old = change_peer(s, to, &dropped);
    spin_unlock(&sockets_lock);
    mutex_unlock(&s->reading);
    messages_drop(&dropped);
    if (old)
        socket_put(old);
    return err;
}

bool socket_is_full(const struct socket *listener)
{
    return READ_ONCE(listener->nr_pending) > READ_ONCE(listener->backlog);
}

static int check_connect(const struct socket *s, const struct socket *to)
{
    if (to->state != SOCKET_LISTENING || (to->shutdown & SOCKET_NO_READS))
        return -ECONNREFUSED;
    if (socket_is_full(to))
        return -EAGAIN;
    if (s->state == SOCKET_UNCONNECTED)
        return 0;
    return s->state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
}

int socket_connect_stream(struct socket *s, struct socket *to, struct socket *half)
{
    spin_lock(&sockets_lock);
    int err = check_connect(s, to);
    if (!err) {
        socket_join(s, half);
        s->peer_cred = to->peer_cred;
        half->name = socket_name_get(to->name);
        half->pass_cred = to->pass_cred;
        list_add_tail(&half->pending_node, &to->pending);
        to->nr_pending++;
        socket_changed(to);
        socket_changed(s);
    }
    spin_unlock(&sockets_lock);
    return err;
}

static struct socket *take_pending(struct socket *s)
{
    struct socket *half = NULL;

    spin_lock(&sockets_lock);
    if (!list_empty(&s->pending)) {
        half = list_first_entry(&s->pending, struct socket, pending_node);
        list_del(&half->pending_node);
        s->nr_pending--;
        half->accepted = true;
        socket_changed(s);
    }
    spin_unlock(&sockets_lock);
    return half;
}

/* Nobody will come any more, or somebody is there. */
static bool accept_ends(const struct socket *s)
{
    return READ_ONCE(s->nr_pending) || (READ_ONCE(s->shutdown) & SOCKET_NO_READS);
}

int socket_accept(struct socket *s, bool nonblocking, struct socket **out)
{
    uint64_t end_ns = socket_wait_end(s->receive_ns, nonblocking);

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (READ_ONCE(s->state) != SOCKET_LISTENING)
        return -EINVAL;
    while (!(*out = take_pending(s))) {
        if (nonblocking)
            return -EAGAIN;
        if (s->shutdown & SOCKET_NO_READS)
            return -EINVAL;
        int err = wait_event_until(&s->waiters, accept_ends(s), end_ns);
        if (err)
            return socket_wait_error(err, end_ns);
    }
    return 0;
}

void socket_accept_undo(struct socket *s, struct socket *half)
{
    spin_lock(&sockets_lock);
    half->accepted = false;
    half->file = NULL;
    list_add(&half->pending_node, &s->pending);
    s->nr_pending++;
    socket_changed(s);
    spin_unlock(&sockets_lock);
}

void socket_shut(struct socket *s, unsigned how)
{
    unsigned others = (how & SOCKET_NO_READS ? SOCKET_NO_WRITES : 0) |
                      (how & SOCKET_NO_WRITES ? SOCKET_NO_READS : 0);

    spin_lock(&sockets_lock);
    s->shutdown |= how;
    socket_changed(s);
    if (s->peer && s->type != SOCK_DGRAM) {
        s->peer->shutdown |= others;
        socket_changed(s->peer);
    }
    spin_unlock(&sockets_lock);
}
