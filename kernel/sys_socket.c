/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_socket.c - system calls on sockets: making them, naming them, connecting them
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none of its own.
 * Always: (1) the order of checks is Linux's; (2) families other than AF_UNIX: -EAFNOSUPPORT.
 * Source: socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), getsockname(2).
 * Tour:   after kernel/socket.c and kernel/socket_name.c; then kernel/sys_message.c.
 */
#include "sys_socket.h"

#include "fs.h"
#include "poll.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

int fd_get_socket(int fd, struct file **out)
{
    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    if (!socket_of(f)) {
        file_put(f);
        return -ENOTSOCK;
    }
    *out = f;
    return 0;
}

/* Addresses */

int address_read(user_addr_t from, int len, struct socket_address *out)
{
    if (len < 0 || len > (int)sizeof(out->any))
        return -EINVAL;
    memset(out, 0, sizeof(*out));
    out->len = len;
    return len ? copy_from_user(&out->any, from, len) : 0;
}

int address_write(const struct socket_name *name, user_addr_t to, user_addr_t len_at)
{
    static const struct uapi_sockaddr_un nameless = {.family = AF_UNIX};
    const struct uapi_sockaddr_un *address = name ? &name->address : &nameless;
    int len = name ? (int)name->len : (int)sizeof(nameless.family), room;

    if (copy_from_user(&room, len_at, sizeof(room)))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (copy_to_user(to, address, min(len, room)))
        return -EFAULT;
    return copy_to_user(len_at, &len, sizeof(len));
}

/* Making */

/* What socket(2) is asked for: the type without flags in *@type. */
static int check_kind(int family, int *type, int protocol)
{
    *type &= SOCK_TYPE_MASK;
    if (family < 0 || family >= AF_MAX)
        return -EAFNOSUPPORT;
    if (*type >= SOCK_MAX)
        return -EINVAL;
    if (family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (protocol && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (*type == SOCK_RAW)
        *type = SOCK_DGRAM;
    return *type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET
               ? 0
               : -ESOCKTNOSUPPORT;
}

static bool flags_are_bad(int type)
{
    return type & ~SOCK_TYPE_MASK & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* A new socket with a file. */
static int open_socket(int type, unsigned flags, struct file **out)
{
    struct socket *s;

    int err = socket_file_create(flags & SOCK_NONBLOCK, out);
    if (err)
        return err;
    err = socket_create(type, &s);
    if (err)
        file_put(*out);
    else
        socket_attach(*out, s);
    return err;
}

int64_t sys_socket(int family, int type, int protocol)
{
    unsigned flags = type;
    struct file *f;

    if (flags_are_bad(type))
        return -EINVAL;
    int err = check_kind(family, &type, protocol);
    if (!err)
        err = open_socket(type, flags, &f);
    return err ? err : fd_install(f, 0, flags & SOCK_CLOEXEC);
}

int64_t sys_socketpair(int family, int type, int protocol, user_addr_t out)
{
    unsigned flags = type;
    struct file *ends[2];

    if (flags_are_bad(type))
        return -EINVAL;
    int err = check_kind(family, &type, protocol);
    if (!err)
        err = open_socket(type, flags, &ends[0]);
    if (err)
        return err;
    err = open_socket(type, flags, &ends[1]);
    if (err) {
        file_put(ends[0]);
        return err;
    }
    socket_join(socket_of(ends[0]), socket_of(ends[1]));
    return fd_install_pair(ends, flags & SOCK_CLOEXEC, out);
}

/* Naming */

int64_t sys_bind(int fd, user_addr_t address, int len)
{
    struct socket_address a;
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    err = address_read(address, len, &a);
    if (!err)
        err = socket_bind(socket_of(f), &a.local, a.len);
    file_put(f);
    return err;
}

int64_t sys_getsockname(int fd, user_addr_t address, user_addr_t len_at)
{
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    struct socket_name *name = socket_name_of(socket_of(f));
    err = address_write(name, address, len_at);
    socket_name_put(name);
    file_put(f);
    return err;
}

/* What @s is connected to, with a reference, or NULL. */
static struct socket *peer_of(struct socket *s)
{
    spin_lock(&sockets_lock);
    struct socket *peer = s->peer;
    if (peer)
        socket_get(peer);
    spin_unlock(&sockets_lock);
    return peer;
}

/* The name of the peer of @s, for a program. */
static int write_peer_name(struct socket *s, user_addr_t address, user_addr_t len_at)
{
    struct socket *peer = peer_of(s);
    if (!peer)
        return -ENOTCONN;
    struct socket_name *name = socket_name_of(peer);
    int err = address_write(name, address, len_at);
    socket_name_put(name);
    socket_put(peer);
    return err;
}

int64_t sys_getpeername(int fd, user_addr_t address, user_addr_t len_at)
{
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    err = write_peer_name(socket_of(f), address, len_at);
    file_put(f);
    return err;
}

/* Connecting */

int64_t sys_listen(int fd, int backlog)
{
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    err = socket_listen(socket_of(f), backlog);
    file_put(f);
    return err;
}

/* Once @to, which is full, has room, or will never have. Takes over the reference. */
static int wait_at(struct socket *to, uint64_t end_ns)
{
    int err = wait_event_until(
        &to->waiters, !socket_is_full(to) || READ_ONCE(to->state) != SOCKET_LISTENING, end_ns);
    return socket_wait_error(err, end_ns);
}

static int connect_stream(struct socket *s, const struct socket_address *a, bool nonblocking)
{
    uint64_t end_ns = socket_wait_end(s->send_ns, nonblocking);
    struct socket *half, *to;

    int err = socket_create(s->type, &half);
    if (err)
        return err;
    do {
        err = socket_find(&a->local, a->len, s->type, &to);
        if (err)
            break;
        err = socket_connect_stream(s, to, half);
        int waited = err == -EAGAIN && !nonblocking ? wait_at(to, end_ns) : err;
        socket_put(to);
        if (waited) {
            err = waited;
            break;
        }
    } while (err);
    if (err)
        socket_put(half);
    return err;
}

static int connect_datagrams(struct socket *s, const struct socket_address *a)
{
    struct socket *to = NULL;
    int err = 0;

    if (a->len < (int)sizeof(a->any.family))
        return -EINVAL;
    if (a->any.family != AF_UNSPEC) {
        err = socket_name_check(&a->local, a->len);
        if (!err && s->pass_cred)
            err = socket_bind_any(s);
        if (!err)
            err = socket_find(&a->local, a->len, s->type, &to);
    }
    if (!err)
        err = socket_connect_datagrams(s, to);
    if (to)
        socket_put(to);
    return err;
}

static int connect_any(struct file *f, const struct socket_address *a)
{
    struct socket *s = socket_of(f);

    if (!s)
        return -ENOTSOCK;
    if (s->type == SOCK_DGRAM)
        return connect_datagrams(s, a);
    int err = socket_name_check(&a->local, a->len);
    if (!err && s->pass_cred)
        err = socket_bind_any(s);
    return err ? err : connect_stream(s, a, f->flags & O_NONBLOCK);
}

int64_t sys_connect(int fd, user_addr_t address, int len)
{
    struct socket_address a;

    struct file *f = file_of(fd);
    if (!f)
        return -EBADF;
    int64_t err = address_read(address, len, &a);
    if (!err)
        err = connect_any(f, &a);
    file_put(f);
    return err;
}

/* A descriptor for the next connection of @s; an error leaves it for the next accept(2). */
static int64_t accept_into(struct socket *s, bool nonblocking, struct file *f, int flags)
{
    struct socket *half;

    int64_t err = socket_accept(s, nonblocking, &half);
    if (err)
        return err;
    socket_attach(f, half);
    file_get(f);
    int fd = fd_install(f, 0, flags & SOCK_CLOEXEC);
    if (fd < 0) {
        f->inode->private = 0;
        socket_accept_undo(s, half);
    }
    return fd;
}

static int64_t accept_at(struct file *listener, user_addr_t address, user_addr_t len_at, int flags)
{
    struct socket *s = socket_of(listener);
    struct file *f;

    if (!fd_is_left())
        return -EMFILE;
    int64_t fd = socket_file_create(flags & SOCK_NONBLOCK, &f);
    if (fd)
        return fd;
    fd = accept_into(s, listener->flags & O_NONBLOCK, f, flags);
    int err = fd >= 0 && address.raw ? write_peer_name(socket_of(f), address, len_at) : 0;
    if (err)
        fd_close(fd);
    file_put(f);
    return err ? err : fd;
}

int64_t sys_accept4(int fd, user_addr_t address, user_addr_t len_at, int flags)
{
    struct file *f;

    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    int64_t result = accept_at(f, address, len_at, flags);
    file_put(f);
    return result;
}

int64_t sys_accept(int fd, user_addr_t address, user_addr_t len_at)
{
    return sys_accept4(fd, address, len_at, 0);
}

int64_t sys_shutdown(int fd, int how)
{
    static const unsigned ends[] = {
        [SHUT_RD] = SOCKET_NO_READS, [SHUT_WR] = SOCKET_NO_WRITES, [SHUT_RDWR] = SOCKET_SHUT};
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    if (how < 0 || how >= (int)ARRAY_SIZE(ends))
        err = -EINVAL;
    else
        socket_shut(socket_of(f), ends[how]);
    file_put(f);
    return err;
}
