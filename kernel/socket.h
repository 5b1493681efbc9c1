/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket.h - sockets between the programs of this machine
 *
 * Room:   kernel.
 * Owns:   struct socket, struct message.
 * Locks:  sockets_lock (spin, rank SOCKETS) for who is connected to whom and for the queues [s];
 *         socket.reading (mutex, rank INODE) round a read, user memory copied under it [r].
 * Always: (1) a message takes room of its sender until somebody has read all of it;
 *         (2) what was sent is in the receiver's queue: there is nothing in between;
 *         (3) a reference is dropped with sockets_lock free: the last one may put files.
 * Source: unix(7), socket(7).
 * Tour:   after kernel/pipe.c; then kernel/socket.c, socket_send.c, socket_receive.c, scm.c.
 */
#pragma once

#include "files.h"
#include "place.h"
#include "sched.h"
#include "scm.h"
#include <lib/list.h>
#include <uapi/socket.h>

enum socket_state { SOCKET_UNCONNECTED, SOCKET_LISTENING, SOCKET_CONNECTED };
enum socket_shutdown { SOCKET_NO_READS = 1, SOCKET_NO_WRITES = 2, SOCKET_SHUT = 3 };

struct socket_name;

struct socket {
    _Atomic uint32_t refcount;
    struct list_node all_node;     /* on the list of all [s] */
    int type;                      /* SOCK_STREAM, .. [I] */
    enum socket_state state;       /* [s] */
    unsigned shutdown;             /* enum socket_shutdown [s] */
    bool dead;                     /* its file is closed [s] */
    bool accepted;                 /* somebody has, or had, a file of it [s] */
    bool pass_cred;                /* its reader wants to know who sent [a] */
    int error;                     /* told once, then forgotten; 0: none [s] */
    struct socket *peer;           /* a reference [s] */
    struct uapi_ucred peer_cred;   /* who connected, or listened [s] */
    struct socket_name *name;      /* a reference; set once [s] */
    struct list_node bound_node;   /* on the list of those that have a name of their own [s] */
    struct list_node messages;     /* to be read [s] */
    unsigned nr_messages;          /* [s] */
    struct list_node pending;      /* sockets to be accepted; the list holds a reference [s] */
    unsigned nr_pending, backlog;  /* [s] */
    struct list_node pending_node; /* [s] */
    size_t charged;                /* what its messages take that nobody has read [s] */
    size_t send_limit;             /* no new one when they take that much [a] */
    size_t receive_limit;          /* told, not used: the sender pays [a] */
    uint64_t send_ns, receive_ns;  /* how long a call waits; UINT64_MAX: as long as it takes [a] */
    struct wait_queue waiters;     /* for anything about it */
    struct mutex reading;
    struct file *file; /* no reference [s] */
    struct in_flight in_flight;
};

struct message {
    struct list_node node; /* [s] */
    struct socket *from;   /* a reference [I] */
    struct passed passed;  /* [s] */
    char *data;
    size_t len_bytes; /* [I] */
    size_t taken;     /* bytes of a stream that were read [r] */
};

extern spinlock_t sockets_lock;
extern struct list_node all_sockets; /* [s] */

/* socket.c: their life */

/* A socket with one reference. 0 or -ENOMEM. */
int __must_check socket_create(int type, struct socket **out);
void socket_get(struct socket *s);
void socket_put(struct socket *s);

/* Its file is put: whoever is connected to it, or waits for it, learns that. */
void socket_close(struct socket *s);

/* Connect two new sockets. */
void socket_join(struct socket *a, struct socket *b);

/* Everybody who waits for something of @s looks again. */
void socket_changed(struct socket *s);

/* -error, which is forgotten by that; 0: none. */
int socket_take_error(struct socket *s);

/* @to may have chosen to hear one peer only. sockets_lock held. */
bool socket_may_send(const struct socket *s, const struct socket *to);

int __must_check socket_listen(struct socket *s, int backlog);

/* Connect to @to: its reference stays the caller's. As connect(2); datagrams: NULL disconnects. */
int __must_check socket_connect_datagrams(struct socket *s, struct socket *to);

/* @half: a new socket, which becomes the other side's, to be accepted: its reference is taken over
 * on success. -EAGAIN: no room. */
int __must_check socket_connect_stream(struct socket *s, struct socket *to, struct socket *half);

/* Can no connection be taken in? A look without a lock. */
bool socket_is_full(const struct socket *listener);

/* The next connection, with its reference; wait for it unless @nonblocking. -EINVAL, -EAGAIN. */
int __must_check socket_accept(struct socket *s, bool nonblocking, struct socket **out);

/* Back to the head of the line. */
void socket_accept_undo(struct socket *s, struct socket *half);

void socket_shut(struct socket *s, unsigned how);

/* Who calls, as sockets tell it. */
struct uapi_ucred socket_cred(void);

/* When a call ends that may wait for @ns. */
uint64_t socket_wait_end(uint64_t ns, bool nonblocking);

/* What wait_event_until() says, as calls on sockets say it. */
int socket_wait_error(int err, uint64_t end_ns);

/* socket_file.c */

/* The socket behind a file, or NULL: it is a file of another kind. */
struct socket *socket_of(const struct file *f);

/* A file for a socket. @flags: O_NONBLOCK. 0, or -ENOMEM. */
int __must_check socket_file_create(unsigned flags, struct file **out);

/* The file is this socket's; takes over the reference. */
void socket_attach(struct file *f, struct socket *s);

/* socket_send.c */

/**
 * socket_send() - send what @c copies
 * @flags: MSG_DONTWAIT, MSG_NOSIGNAL
 * @with: what goes with it; its files are taken over if they went
 * @to: where a datagram goes; NULL: to the peer
 * Return: bytes sent; -ENOTCONN, -EPIPE, -EAGAIN, -EMSGSIZE, -ECONNREFUSED, -EPERM, -ENOMEM ..
 */
int64_t socket_send(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                    struct passed *with, struct socket *to);

/* Is there room for a message? For poll. */
bool socket_is_writable(const struct socket *s);

/* Does a sender who is not its peer have to wait until somebody reads? */
bool socket_is_crowded(const struct socket *s);

/* The messages leave their queue, which is @s's, for @out: sockets_lock held. */
void messages_take(struct socket *s, struct list_node *out);

/* Free messages that are in no queue. No lock held. */
void messages_drop(struct list_node *messages);

/* One message that was read leaves the queue. */
void message_finish(struct socket *s, struct message *m);

/* socket_receive.c */

/* What a program learns beside the bytes. */
struct received {
    struct passed passed;     /* with files of its own */
    struct socket_name *name; /* the sender's, with a reference; NULL: it has none */
    unsigned flags;           /* MSG_TRUNC */
};

/**
 * socket_receive() - read what was sent
 * @flags: MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL
 * @out: the caller gives back what is in it, also after an error
 * Return: bytes; 0: there will be no more; -EAGAIN, -ENOTCONN, -EINVAL, -ECONNRESET, -EFAULT ..
 */
int64_t socket_receive(struct socket *s, struct object_copy *c, size_t len, unsigned flags,
                       struct received *out);

/* Bytes that the next read could get. */
size_t socket_readable_bytes(struct socket *s);

/* socket_name.c */

struct socket_name {
    _Atomic uint32_t refcount;
    uint32_t len; /* of the address, as programs count it */
    struct uapi_sockaddr_un address;
    char end;           /* NUL: a path may fill all of its room */
    struct place place; /* references; no dentry: the name is abstract */
};

/* @name may be NULL. */
struct socket_name *socket_name_get(struct socket_name *name);
void socket_name_put(struct socket_name *name);

/* The name of @s, with a reference, or NULL. */
struct socket_name *socket_name_of(struct socket *s);

/* -EINVAL: not an address of this family, or too long. */
int __must_check socket_name_check(const struct uapi_sockaddr_un *address, int len);

/* bind(2). Only a family as @address: an abstract name is chosen. */
int __must_check socket_bind(struct socket *s, const struct uapi_sockaddr_un *address, int len);

/* Unless it has a name, an abstract one is chosen. */
int __must_check socket_bind_any(struct socket *s);

/* Nobody finds it any more; sockets_lock held. */
void socket_unbind(struct socket *s);

/* The socket that has this checked address, with a reference: -ECONNREFUSED, -EPROTOTYPE, or what
 * the path says. */
int __must_check socket_find(const struct uapi_sockaddr_un *address, int len, int type,
                             struct socket **out);
