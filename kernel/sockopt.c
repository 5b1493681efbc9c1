/* SPDX-License-Identifier: MIT */
/*
 * kernel/sockopt.c - options of sockets
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  sockets_lock round the peer's credentials and the pending error.
 * Always: (1) an option that is not here is -ENOPROTOOPT; another level is -EOPNOTSUPP.
 * Source: socket(7), getsockopt(2), unix(7).
 * Tour:   after kernel/sys_socket.c.
 */
#include "sys_socket.h"
#include "task.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>
#include <uapi/stat.h>

#define BUFFER_MAX  212992 /* as net.core.wmem_max */
#define SEND_MIN    4608
#define RECEIVE_MIN 2304
#define NS_PER_SEC  1000000000UL
#define NS_PER_US   1000UL
#define US_PER_SEC  1000000
#define SECONDS_MAX 9000000000L /* in nanoseconds it still fits */

/* An option's value: a number, mostly. */
union value {
    int number;
    struct uapi_ucred cred;
    int64_t time[2]; /* seconds and microseconds */
};

static void time_get(uint64_t ns, union value *out)
{
    bool forever = ns == UINT64_MAX;
    out->time[0] = forever ? 0 : ns / NS_PER_SEC;
    out->time[1] = forever ? 0 : ns % NS_PER_SEC / NS_PER_US;
}

static void peer_cred_get(struct socket *s, union value *out)
{
    spin_lock(&sockets_lock);
    out->cred = s->peer_cred;
    spin_unlock(&sockets_lock);
    if (out->cred.pid)
        out->cred.pid = pid_here(out->cred.pid);
}

/* How many bytes of *@out are the option's value; -ENOPROTOOPT. */
static int option_get(struct socket *s, int option, union value *out)
{
    switch (option) {
    case SO_TYPE:
        out->number = s->type;
        return sizeof(int);
    case SO_DOMAIN:
        out->number = AF_UNIX;
        return sizeof(int);
    case SO_PROTOCOL:
    case SO_REUSEADDR:
        out->number = 0;
        return sizeof(int);
    case SO_ERROR:
        out->number = -socket_take_error(s);
        return sizeof(int);
    case SO_SNDBUF:
        out->number = s->send_limit;
        return sizeof(int);
    case SO_RCVBUF:
        out->number = s->receive_limit;
        return sizeof(int);
    case SO_RCVLOWAT:
        out->number = 1;
        return sizeof(int);
    case SO_PASSCRED:
        out->number = s->pass_cred;
        return sizeof(int);
    case SO_ACCEPTCONN:
        out->number = READ_ONCE(s->state) == SOCKET_LISTENING;
        return sizeof(int);
    case SO_PEERCRED:
        peer_cred_get(s, out);
        return sizeof(out->cred);
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_64:
        time_get(s->receive_ns, out);
        return sizeof(out->time);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_64:
        time_get(s->send_ns, out);
        return sizeof(out->time);
    default:
        return -ENOPROTOOPT;
    }
}

static int64_t get(struct socket *s, int level, int option, user_addr_t at, user_addr_t len_at)
{
    union value value = {.time = {0, 0}};
    int room;

    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (copy_from_user(&room, len_at, sizeof(room)))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    int len = option_get(s, option, &value);
    if (len < 0)
        return len;
    len = min(len, room);
    if (copy_to_user(at, &value, len))
        return -EFAULT;
    return copy_to_user(len_at, &len, sizeof(len));
}

int64_t sys_getsockopt(int fd, int level, int option, user_addr_t value, user_addr_t len_at)
{
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    err = get(socket_of(f), level, option, value, len_at);
    file_put(f);
    return err;
}

/* A buffer of twice the size, as the bookkeeping is in it. */
static size_t buffer_bytes(int wanted, size_t least)
{
    return max((size_t)min((unsigned)wanted, (unsigned)BUFFER_MAX) * 2, least);
}

/* 0 seconds: without an end; less: not at all. */
static int time_set(user_addr_t from, int len, uint64_t *ns)
{
    int64_t t[2];

    if (len < (int)sizeof(t))
        return -EINVAL;
    if (copy_from_user(t, from, sizeof(t)))
        return -EFAULT;
    if (t[1] < 0 || t[1] >= US_PER_SEC)
        return -EDOM;
    if (t[0] < 0)
        *ns = 0;
    else if ((!t[0] && !t[1]) || t[0] >= SECONDS_MAX)
        *ns = UINT64_MAX;
    else
        *ns = t[0] * NS_PER_SEC + t[1] * NS_PER_US;
    return 0;
}

static int set(struct socket *s, int level, int option, user_addr_t from, int len)
{
    int number;

    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (len < (int)sizeof(number))
        return -EINVAL;
    if (copy_from_user(&number, from, sizeof(number)))
        return -EFAULT;
    switch (option) {
    case SO_REUSEADDR:
        return 0;
    case SO_PASSCRED:
        WRITE_ONCE(s->pass_cred, number != 0);
        return 0;
    case SO_SNDBUF:
        WRITE_ONCE(s->send_limit, buffer_bytes(number, SEND_MIN));
        socket_changed(s);
        return 0;
    case SO_RCVBUF:
        WRITE_ONCE(s->receive_limit, buffer_bytes(number, RECEIVE_MIN));
        return 0;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_64:
        return time_set(from, len, &s->receive_ns);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_64:
        return time_set(from, len, &s->send_ns);
    default:
        return -ENOPROTOOPT;
    }
}

int64_t sys_setsockopt(int fd, int level, int option, user_addr_t value, int len)
{
    struct file *f;

    int64_t err = fd_get_socket(fd, &f);
    if (err)
        return err;
    err = set(socket_of(f), level, option, value, len);
    file_put(f);
    return err;
}
