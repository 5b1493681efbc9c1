/* SPDX-License-Identifier: MIT */
/*
 * kernel/socket_name.c - names of sockets: in the tree of names, or abstract
 *
 * Room:   kernel.
 * Owns:   the list of sockets that were bound.
 * Locks:  fs_lock inside, before sockets_lock (spin, rank SOCKETS) is taken.
 * Always: (1) a name is chosen once; who was accepted shares the listener's;
 *         (2) a path's socket is found by the inode, wherever its name went.
 * Source: unix(7), "Address format", "Autobind feature"; bind(2).
 * Tour:   after kernel/socket.c.
 */
#include "fs.h"
#include "path.h"
#include "socket.h"
#include "task.h"
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define FAMILY_BYTES  offsetof(struct uapi_sockaddr_un, path)
#define ANY_NAMES     0x100000 /* five hexadecimal digits */
#define ANY_NAME_SIZE 6        /* with the NUL in front */

static struct list_node bound = LIST_INIT(bound); /* [s] */

struct socket_name *socket_name_get(struct socket_name *name)
{
    if (name)
        atomic_fetch_add_explicit(&name->refcount, 1, memory_order_relaxed);
    return name;
}

void socket_name_put(struct socket_name *name)
{
    if (!name || atomic_fetch_sub_explicit(&name->refcount, 1, memory_order_acq_rel) != 1)
        return;
    if (name->place.dentry)
        place_put(&name->place);
    kmem_free(name);
}

struct socket_name *socket_name_of(struct socket *s)
{
    spin_lock(&sockets_lock);
    struct socket_name *name = socket_name_get(s->name);
    spin_unlock(&sockets_lock);
    return name;
}

int socket_name_check(const struct uapi_sockaddr_un *address, int len)
{
    if (len <= (int)FAMILY_BYTES || len > (int)sizeof(*address) || address->family != AF_UNIX)
        return -EINVAL;
    return 0;
}

/* With a NUL at the end of a path, wherever the program let it end. */
static int name_create(const struct uapi_sockaddr_un *address, int len, struct socket_name **out)
{
    struct socket_name *name = kmem_alloc(sizeof(*name), SLAB_ALLOC_ZERO);
    if (!name)
        return -ENOMEM;
    atomic_store(&name->refcount, 1);
    memcpy(&name->address, address, len);
    name->len = len;
    if (address->path[0])
        name->len = FAMILY_BYTES + strnlen(name->address.path, UNIX_PATH_MAX) + 1;
    *out = name;
    return 0;
}

/* Finding */

static bool same_address(const struct socket_name *name, const struct uapi_sockaddr_un *address,
                         int len)
{
    return !name->place.dentry && name->len == (unsigned)len &&
           !memcmp(&name->address, address, len);
}

/* The socket bound to @inode, or else to the abstract address, or NULL. sockets_lock held. */
static struct socket *find_bound(const struct inode *inode, const struct uapi_sockaddr_un *address,
                                 int len)
{
    struct socket *s;

    list_for_each_entry (s, &bound, bound_node) {
        const struct dentry *dentry = s->name->place.dentry;
        if (inode ? dentry && dentry->inode == inode : same_address(s->name, address, len))
            return s;
    }
    return NULL;
}

static int find(const struct inode *inode, const struct uapi_sockaddr_un *address, int len,
                int type, struct socket **out)
{
    spin_lock(&sockets_lock);
    struct socket *s = find_bound(inode, address, len);
    int err = !s ? -ECONNREFUSED : s->type != type ? -EPROTOTYPE : 0;
    if (!err) {
        socket_get(s);
        *out = s;
    }
    spin_unlock(&sockets_lock);
    return err;
}

static int find_by_path(const char *path, int type, struct socket **out)
{
    struct place place;

    int err = path_lookup_text(path, &place);
    if (err)
        return err;
    err = inode_permission(place.dentry->inode, W_OK);
    if (!err)
        err = find(place.dentry->inode, NULL, 0, type, out);
    place_put(&place);
    return err;
}

int socket_find(const struct uapi_sockaddr_un *address, int len, int type, struct socket **out)
{
    char path[UNIX_PATH_MAX + 1] = "";

    if (!address->path[0])
        return find(NULL, address, len, type, out);
    memcpy(path, address->path, len - FAMILY_BYTES);
    return find_by_path(path, type, out);
}

/* Binding */

/* @name is this socket's, which takes over the reference, unless it is taken, or it has one. */
static int publish(struct socket *s, struct socket_name *name)
{
    int err = 0;

    spin_lock(&sockets_lock);
    if (s->name)
        err = -EINVAL;
    else if (!name->place.dentry && find_bound(NULL, &name->address, name->len))
        err = -EADDRINUSE;
    if (!err) {
        s->name = name;
        list_add_tail(&s->bound_node, &bound);
    }
    spin_unlock(&sockets_lock);
    return err;
}

static int bind_abstract(struct socket *s, struct socket_name *name)
{
    int err = publish(s, name);
    if (err)
        socket_name_put(name);
    return err;
}

static int create_inode(const struct place *start, const char *path, struct place *out)
{
    struct inode *inode;
    uint32_t rights = 0777 & ~process_current()->umask;

    int err = inode_create(S_IFSOCK | rights, NULL, &inode);
    if (!err)
        err = fs_create(start, path, inode, out);
    return err == -EEXIST ? -EADDRINUSE : err;
}

static int bind_path(struct socket *s, struct socket_name *name)
{
    struct place start;

    int err = path_start(AT_FDCWD, &start);
    if (err) {
        socket_name_put(name);
        return err;
    }
    err = create_inode(&start, name->address.path, &name->place);
    if (!err) {
        err = publish(s, name);
        if (err && fs_remove(&start, name->address.path, false))
            err = -EINVAL; /* somebody removed it first */
    }
    place_put(&start);
    if (err)
        socket_name_put(name);
    return err;
}

int socket_bind_any(struct socket *s)
{
    static _Atomic uint32_t last;
    struct uapi_sockaddr_un address = {.family = AF_UNIX};
    int err = -EADDRINUSE;

    if (READ_ONCE(s->name))
        return 0;
    for (unsigned i = 0; i < ANY_NAMES && err == -EADDRINUSE; i++) {
        struct socket_name *name;
        uint32_t nr = atomic_fetch_add(&last, 1) % ANY_NAMES;
        snprintf(address.path + 1, ANY_NAME_SIZE, "%05x", nr);
        err = name_create(&address, FAMILY_BYTES + ANY_NAME_SIZE, &name);
        if (!err)
            err = bind_abstract(s, name);
    }
    return err == -EADDRINUSE ? -ENOSPC : err;
}

int socket_bind(struct socket *s, const struct uapi_sockaddr_un *address, int len)
{
    struct socket_name *name;

    if (len == (int)FAMILY_BYTES && address->family == AF_UNIX)
        return socket_bind_any(s);
    int err = socket_name_check(address, len);
    if (!err && READ_ONCE(s->name))
        err = -EINVAL;
    if (!err)
        err = name_create(address, len, &name);
    if (err)
        return err;
    return address->path[0] ? bind_path(s, name) : bind_abstract(s, name);
}

void socket_unbind(struct socket *s)
{
    list_del(&s->bound_node);
}
