/* SPDX-License-Identifier: MIT */
/*
 * kernel/proc_net.c - /proc/net/unix: every socket there is
 *
 * Room:   kernel.
 * Owns:   its format.
 * Locks:  sockets_lock (rank SOCKETS) while the text is made: it is of one moment.
 * Always: (1) no address of the kernel is told: the first column is zeros.
 * Source: proc(5), "/proc/net/unix".
 * Tour:   after kernel/socket.c and kernel/text_file.h.
 */
#include "files.h"
#include "fs.h"
#include "proc.h"
#include "socket.h"
#include "text_file.h"

#define FLAG_LISTENS 0x10000

/* As enum socket_state of Linux numbers it. */
enum { STATE_UNCONNECTED = 1, STATE_CONNECTING, STATE_CONNECTED, STATE_DISCONNECTING };

static int state_of(const struct socket *s)
{
    if (s->state == SOCKET_CONNECTED)
        return s->file ? STATE_CONNECTED : STATE_CONNECTING;
    return s->file ? STATE_UNCONNECTED : STATE_DISCONNECTING;
}

/* Each NUL of an abstract name as an @. */
static void show_name(struct text *t, const struct socket_name *name)
{
    const char *path = name->address.path;
    size_t len = name->len - offsetof(struct uapi_sockaddr_un, path);

    len -= path[0] ? 1 : 0; /* a path ends in a NUL that is not shown */
    text_add(t, " ");
    for (size_t i = 0; i < len; i++)
        text_add_bytes(t, path[i] ? &path[i] : "@", 1);
}

static void show_socket(struct text *t, const struct socket *s)
{
    unsigned flags = s->state == SOCKET_LISTENING ? FLAG_LISTENS : 0;

    text_add(t, "%016x: %08X %08X %08X %04X %02X %5lu", 0, atomic_load(&s->refcount), 0, flags,
             s->type, state_of(s), s->file ? s->file->inode->ino : 0);
    if (s->name)
        show_name(t, s->name);
    text_add(t, "\n");
}

static int show_unix(struct text *t, struct dentry *dentry)
{
    const struct socket *s;
    (void)dentry;

    text_add(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    spin_lock(&sockets_lock);
    list_for_each_entry (s, &all_sockets, all_node)
        show_socket(t, s);
    spin_unlock(&sockets_lock);
    return 0;
}

static const struct text_kind unix_file = {"unix", 0444, .show = show_unix};

void proc_net_boot_init(struct dentry *proc)
{
    text_file_boot(fs_boot_directory(proc, "net", 0555), &unix_file);
}
