/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket_file.c - sockets as files: read, write, poll, close
 *
 * Room:   kernel.
 * Owns:   the inode of a socket.
 * Locks:  sockets_lock (spin, rank SOCKETS) for a look at its state.
 * Always: (1) a socket's file is put once, and with it the socket is closed.
 * Source: socket(7), poll(2).
 * Tour:   after kernel/socket_receive.c.
 */
#include "fs.h"
#include "poll.h"
#include "socket.h"
#include <asm/uaccess.h>
#include <lib/format.h>
#include <uapi/errno.h>
#include <uapi/ioctl.h>

/* One that reads and writes as files do sends no descriptors, and drops what it gets. */
static int64_t socket_read(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    unsigned flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
    struct received r = {0};
    (void)pos;

    int64_t n = len ? socket_receive(socket_of(f), c, len, flags, &r) : 0;
    passed_drop(&r.passed);
    socket_name_put(r.name);
    return n;
}

static int64_t socket_write(struct file *f, struct object_copy *c, size_t len, uint64_t *pos)
{
    unsigned flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
    struct passed with = {.cred = passed_cred()};
    (void)pos;

    return socket_send(socket_of(f), c, len, flags, &with, NULL);
}

static unsigned poll_writable(const struct socket *s)
{
    bool writable = s->state != SOCKET_LISTENING && socket_is_writable(s);

    if (writable && s->type != SOCK_STREAM && s->peer)
        writable = s->peer->peer == s || !socket_is_crowded(s->peer);
    return writable ? POLLOUT | POLLWRNORM | POLLWRBAND : 0;
}

static unsigned socket_poll(struct file *f)
{
    const struct socket *s = socket_of(f);

    spin_lock(&sockets_lock);
    unsigned ready = poll_writable(s);
    ready |= s->error ? POLLERR : 0;
    ready |= s->shutdown & SOCKET_NO_READS ? POLLRDHUP | POLLIN | POLLRDNORM : 0;
    ready |= s->shutdown == SOCKET_SHUT ? POLLHUP : 0;
    ready |= s->nr_messages || s->nr_pending ? POLLIN | POLLRDNORM : 0;
    ready |= s->type != SOCK_DGRAM && s->state == SOCKET_UNCONNECTED ? POLLHUP : 0;
    spin_unlock(&sockets_lock);
    return ready;
}

static int64_t socket_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct socket *s = socket_of(f);

    if (cmd != FIONREAD)
        return -ENOTTY;
    if (READ_ONCE(s->state) == SOCKET_LISTENING)
        return -EINVAL;
    int bytes = socket_readable_bytes(s);
    return copy_to_user(user(arg), &bytes, sizeof(bytes));
}

/* By a name below /proc/PID/fd. */
static int socket_open(struct file *f)
{
    (void)f;
    return -ENXIO;
}

static void socket_release(struct file *f)
{
    struct socket *s = socket_of(f);

    if (!s)
        return;
    socket_close(s);
    scm_collect();
}

static const struct file_ops socket_ops = {
    .open = socket_open,
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .release = socket_release,
    .no_seek = true,
    .splices = true,
};

struct socket *socket_of(const struct file *f)
{
    return f->ops == &socket_ops ? (struct socket *)f->inode->private : NULL;
}

static void inode_release(struct inode *inode)
{
    if (inode->private)
        socket_put((struct socket *)inode->private);
}

int socket_file_create(unsigned flags, struct file **out)
{
    struct dentry *dentry;
    struct inode *inode;
    char name[32];

    int err = inode_create(S_IFSOCK | 0777, NULL, &inode);
    if (err)
        return err;
    inode->release = inode_release;
    inode->file_ops = &socket_ops;
    snprintf(name, sizeof(name), "socket:[%lu]", inode->ino);
    err = dentry_create(name, NULL, inode, &dentry);
    return err ? err : file_create(dentry, &socket_ops, O_RDWR | flags, out);
}

void socket_attach(struct file *f, struct socket *s)
{
    f->inode->private = (uint64_t)s;
    spin_lock(&sockets_lock);
    s->file = f;
    s->accepted = true;
    spin_unlock(&sockets_lock);
}
