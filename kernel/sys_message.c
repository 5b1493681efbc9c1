/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_message.c - system calls that send and receive on sockets
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none of its own.
 * Always: (1) the order of checks is Linux's; (2) descriptors that were received and could not be
 *             told are closed.
 * Source: send(2), recv(2), sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2).
 * Tour:   after kernel/sys_socket.c and kernel/cmsg.c.
 */
#include "clock.h"
#include "cmsg.h"
#include "fs.h"
#include "sys_socket.h"
#include "task.h"
#include "vector.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

/* The file's own flag says the same as MSG_DONTWAIT. */
static unsigned flags_of(const struct file *f, unsigned flags)
{
    return flags | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
}

/* Sending */

/* Where a message with an address goes: a reference in *@to, or NULL where it says nothing. */
static int find_target(struct socket *s, const struct socket_address *a, struct socket **to)
{
    *to = NULL;
    if (!a->len || s->type == SOCK_SEQPACKET)
        return 0;
    if (s->type == SOCK_STREAM)
        return READ_ONCE(s->state) == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    int err = socket_name_check(&a->local, a->len);
    return err ? err : socket_find(&a->local, a->len, s->type, to);
}

static int64_t send(struct file *f, struct object_copy *c, size_t len, unsigned flags,
                    struct passed *with, const struct socket_address *a)
{
    struct socket *s = socket_of(f), *to;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    int64_t n = find_target(s, a, &to);
    if (!n && s->type == SOCK_DGRAM && s->pass_cred)
        n = socket_bind_any(s);
    if (!n)
        n = socket_send(s, c, len, flags_of(f, flags), with, to);
    if (to)
        socket_put(to);
    return n;
}

int64_t sys_sendto(int fd, user_addr_t buf, size_t len, unsigned flags, user_addr_t address,
                   int address_len)
{
    struct user_copy copy = user_buffer_in(buf);
    struct passed with = {.cred = passed_cred()};
    struct socket_address a = {0};
    struct file *f;

    len = min(len, MAX_RW_COUNT);
    if (!user_range_ok(buf, len))
        return -EFAULT;
    int64_t n = fd_get_socket(fd, &f);
    if (n)
        return n;
    n = address.raw ? address_read(address, address_len, &a) : 0;
    if (!n)
        n = send(f, &copy.copy, len, flags, &with, &a);
    file_put(f);
    return n;
}

/* The header and the vector of a message; what came is given back by vector_put(). */
static int header_read(user_addr_t from, struct uapi_msghdr *h, struct vector *v)
{
    if (copy_from_user(h, from, sizeof(*h)))
        return -EFAULT;
    if (h->name_len < 0)
        return -EINVAL;
    h->name_len = h->name ? min(h->name_len, (int)sizeof(struct uapi_sockaddr_storage)) : 0;
    return h->nr_iov > IOV_MAX ? -EMSGSIZE : vector_get(v, user(h->iov), h->nr_iov);
}

static int64_t send_message(struct file *f, user_addr_t header, unsigned flags)
{
    struct passed with = {.cred = passed_cred()};
    struct socket_address a = {0};
    struct uapi_msghdr h;
    struct vector v;

    int64_t n = header_read(header, &h, &v);
    if (n)
        return n;
    struct vector_copy copy = user_vector(v.parts, v.nr, false);
    n = h.name_len ? address_read(user(h.name), h.name_len, &a) : 0;
    if (!n)
        n = cmsg_read(&with, user(h.control), h.control_len);
    if (!n) {
        n = send(f, &copy.copy, v.len_bytes, flags, &with, &a);
        passed_drop(&with);
    }
    vector_put(&v);
    return n;
}

int64_t sys_sendmsg(int fd, user_addr_t header, unsigned flags)
{
    struct file *f;

    int64_t n = fd_get_socket(fd, &f);
    if (n)
        return n;
    n = send_message(f, header, flags);
    file_put(f);
    return n;
}

/* The result of one of many: -EFAULT, or 0. */
static int put_len(user_addr_t header, int64_t n)
{
    uint32_t len = n;
    return copy_to_user(user(header.raw + offsetof(struct uapi_mmsghdr, len)), &len, sizeof(len));
}

static user_addr_t header_at(user_addr_t headers, unsigned i)
{
    return user(headers.raw + i * sizeof(struct uapi_mmsghdr));
}

int64_t sys_sendmmsg(int fd, user_addr_t headers, unsigned nr, unsigned flags)
{
    struct file *f;
    unsigned done = 0;

    int64_t n = fd_get_socket(fd, &f);
    if (n)
        return n;
    for (nr = min(nr, (unsigned)IOV_MAX); done < nr && n >= 0; done += n >= 0) {
        n = send_message(f, header_at(headers, done), flags);
        if (n >= 0)
            n = put_len(header_at(headers, done), n);
        if (n >= 0 && signal_pending_current()) {
            done++;
            break;
        }
    }
    file_put(f);
    return done ? (int64_t)done : n;
}

/* Receiving */

static int64_t receive(struct file *f, struct object_copy *c, size_t len, unsigned flags,
                       struct received *r)
{
    if (flags & MSG_OOB)
        return socket_of(f)->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP; /* there is none */
    return socket_receive(socket_of(f), c, len, flags_of(f, flags), r);
}

/* The sender's address: none, of length 0, where it has no name. */
static int write_sender(const struct received *r, user_addr_t address, user_addr_t len_at)
{
    const int none = 0;

    if (!address.raw)
        return 0;
    if (!r->name)
        return copy_to_user(len_at, &none, sizeof(none));
    return address_write(r->name, address, len_at);
}

int64_t sys_recvfrom(int fd, user_addr_t buf, size_t len, unsigned flags, user_addr_t address,
                     user_addr_t address_len_at)
{
    struct user_copy copy = user_buffer_out(buf);
    struct received r = {0};
    struct file *f;

    len = min(len, MAX_RW_COUNT);
    if (!user_range_ok(buf, len))
        return -EFAULT;
    int64_t n = fd_get_socket(fd, &f);
    if (n)
        return n;
    n = receive(f, &copy.copy, len, flags, &r);
    int err = n >= 0 ? write_sender(&r, address, address_len_at) : 0;
    passed_drop(&r.passed);
    socket_name_put(r.name);
    file_put(f);
    return err ? err : n;
}

/* All that recvmsg(2) writes beside the bytes. */
static int write_header(const struct socket *s, struct uapi_msghdr *h, const struct received *r,
                        unsigned flags, user_addr_t header)
{
    user_addr_t name_len_at = user(header.raw + offsetof(struct uapi_msghdr, name_len));

    h->flags = r->flags | (flags & MSG_CMSG_CLOEXEC);
    cmsg_write(h, &r->passed, s->pass_cred, flags & MSG_CMSG_CLOEXEC);
    int err = write_sender(r, user(h->name), name_len_at);
    if (!err)
        err = copy_to_user(user(header.raw + offsetof(struct uapi_msghdr, flags)), &h->flags,
                           sizeof(h->flags));
    if (!err)
        err = copy_to_user(user(header.raw + offsetof(struct uapi_msghdr, control_len)),
                           &h->control_len, sizeof(h->control_len));
    return err;
}

static int64_t receive_message(struct file *f, user_addr_t header, unsigned flags)
{
    struct received r = {0};
    struct uapi_msghdr h;
    struct vector v;

    int64_t n = header_read(header, &h, &v);
    if (n)
        return n;
    struct vector_copy copy = user_vector(v.parts, v.nr, true);
    n = receive(f, &copy.copy, v.len_bytes, flags, &r);
    int err = n >= 0 ? write_header(socket_of(f), &h, &r, flags, header) : 0;
    passed_drop(&r.passed);
    socket_name_put(r.name);
    vector_put(&v);
    return err ? err : n;
}

int64_t sys_recvmsg(int fd, user_addr_t header, unsigned flags)
{
    struct file *f;

    int64_t n = fd_get_socket(fd, &f);
    if (n)
        return n;
    n = receive_message(f, header, flags);
    file_put(f);
    return n;
}

/* Until @end_ns, which is looked at between messages only. */
static int64_t receive_many(struct file *f, user_addr_t headers, unsigned nr, unsigned flags,
                            uint64_t end_ns)
{
    unsigned done = 0;
    int64_t n = socket_take_error(socket_of(f));

    while (done < nr && n >= 0) {
        n = receive_message(f, header_at(headers, done), flags & ~MSG_WAITFORONE);
        if (n >= 0)
            n = put_len(header_at(headers, done), n);
        if (n < 0)
            break;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (clock_ns() >= end_ns)
            break;
    }
    return done ? (int64_t)done : n;
}

int64_t sys_recvmmsg(int fd, user_addr_t headers, unsigned nr, unsigned flags, user_addr_t timeout)
{
    uint64_t end_ns;
    struct file *f;

    int64_t n = deadline_read(timeout, &end_ns);
    if (!n)
        n = fd_get_socket(fd, &f);
    if (n)
        return n;
    n = receive_many(f, headers, min(nr, (unsigned)IOV_MAX), flags, end_ns);
    file_put(f);
    return n;
}
