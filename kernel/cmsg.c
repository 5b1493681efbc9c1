/* SPDX-License-Identifier: MIT */
/*
 * kernel/cmsg.c - control messages: what goes with a message, as programs write and read it
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) what does not fit into a program's buffer is dropped, and MSG_CTRUNC says so;
 *         (2) a descriptor that was not told is not open.
 * Source: cmsg(3), unix(7), "Ancillary messages".
 * Tour:   after kernel/scm.c; then kernel/sys_message.c.
 */
#include "cmsg.h"

#include "socket.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define CONTROL_MAX 0x20000 /* as net.core.optmem_max */
#define OVERFLOW_ID 65534   /* a user that is not known */
#define HEADER      sizeof(struct uapi_cmsghdr)

/* Sending */

static int add_file(struct passed_files *files, int fd)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    files->file[files->nr++] = file;
    return 0;
}

/* @room: how many descriptors all of the buffer could hold. */
static int add_files(struct passed *p, const int *fds, size_t nr, size_t room)
{
    int err = 0;

    if (nr && !p->files)
        err = passed_files_create(min(room, (size_t)SCM_MAX_FD), &p->files);
    if (!err && nr && nr > SCM_MAX_FD - p->files->nr)
        err = -EINVAL;
    for (size_t i = 0; i < nr && !err; i++)
        err = add_file(p->files, fds[i]);
    return err;
}

static bool may_be(const struct ids *ids, uint32_t id, unsigned cap)
{
    return id == ids->real || id == ids->effective || id == ids->saved || capable(cap);
}

/* A program says who it is: it may say so of itself only, unless it is privileged. */
static int set_cred(struct passed *p, const struct uapi_ucred *said)
{
    const struct cred *me = cred_current();
    int pid = pid_meant(said->pid);

    if ((pid != process_current()->pid && !capable(CAP_SYS_ADMIN)) ||
        !may_be(&me->user, said->uid, CAP_SETUID) || !may_be(&me->group, said->gid, CAP_SETGID))
        return -EPERM;
    tasks_lock();
    bool exists = task_find(pid) || process_find(pid);
    tasks_unlock();
    p->cred = (struct uapi_ucred){.pid = pid, .uid = said->uid, .gid = said->gid};
    p->has_cred = true;
    return exists ? 0 : -ESRCH;
}

static int read_one(struct passed *p, const struct uapi_cmsghdr *h, size_t room)
{
    size_t len = h->len - HEADER;

    if (h->level != SOL_SOCKET)
        return 0;
    if (h->type == SCM_RIGHTS)
        return add_files(p, (const int *)(h + 1), len / sizeof(int), room);
    if (h->type == SCM_CREDENTIALS && len == sizeof(struct uapi_ucred))
        return set_cred(p, (const struct uapi_ucred *)(h + 1));
    return -EINVAL;
}

static int read_all(struct passed *p, const char *control, size_t len)
{
    int err = 0;

    for (size_t at = 0; !err && at + HEADER <= len;) {
        const struct uapi_cmsghdr *h = (const struct uapi_cmsghdr *)(control + at);
        if (h->len < HEADER || h->len > len - at)
            return -EINVAL;
        err = read_one(p, h, (len - at) / sizeof(int));
        at += CMSG_ALIGN(h->len);
    }
    return !err && p->files ? passed_files_count(p->files) : err;
}

int cmsg_read(struct passed *p, user_addr_t from, size_t len)
{
    if (!len)
        return 0;
    if (len > CONTROL_MAX)
        return -ENOBUFS;
    char *control = kmem_alloc(len, SLAB_ALLOC_PLAIN);
    if (!control)
        return -ENOMEM;
    int err = copy_from_user(control, from, len);
    if (!err)
        err = read_all(p, control, len);
    kmem_free(control);
    if (err)
        passed_drop(p);
    return err;
}

/* Receiving */

/* The buffer goes on behind what was written. */
static void advance(struct uapi_msghdr *h, size_t bytes)
{
    bytes = min(bytes, h->control_len);
    h->control += bytes;
    h->control_len -= bytes;
}

static void write_cred(struct uapi_msghdr *h, const struct passed *p)
{
    struct {
        struct uapi_cmsghdr header;
        struct uapi_ucred cred;
    } m = {{HEADER + sizeof(struct uapi_ucred), SOL_SOCKET, SCM_CREDENTIALS},
           {.uid = OVERFLOW_ID, .gid = OVERFLOW_ID}};

    if (p->has_cred) {
        m.cred = p->cred;
        m.cred.pid = pid_here(p->cred.pid);
    }
    if (h->control_len < m.header.len)
        h->flags |= MSG_CTRUNC;
    if (h->control_len < HEADER)
        return;
    size_t space = CMSG_ALIGN(m.header.len);
    m.header.len = min(m.header.len, h->control_len);
    if (!copy_to_user(user(h->control), &m, m.header.len))
        advance(h, space);
}

/* Claim 2. */
static int install(struct file *file, user_addr_t told_at, bool close_on_exec)
{
    file_get(file);
    int fd = fd_install(file, 0, close_on_exec);
    if (fd < 0)
        return fd;
    int err = copy_to_user(told_at, &fd, sizeof(fd));
    if (err)
        fd_close(fd);
    return err;
}

static void write_files(struct uapi_msghdr *h, const struct passed_files *files, bool close_on_exec)
{
    size_t room = h->control_len > HEADER ? (h->control_len - HEADER) / sizeof(int) : 0;
    user_addr_t fds = user(h->control + HEADER);
    unsigned nr = 0;

    while (nr < min(room, (size_t)files->nr) &&
           !install(files->file[nr], user(fds.raw + nr * sizeof(int)), close_on_exec))
        nr++;
    if (nr < files->nr)
        h->flags |= MSG_CTRUNC;
    struct uapi_cmsghdr header = {HEADER + nr * sizeof(int), SOL_SOCKET, SCM_RIGHTS};
    if (nr && !copy_to_user(user(h->control), &header, HEADER))
        advance(h, CMSG_ALIGN(header.len));
}

void cmsg_write(struct uapi_msghdr *h, const struct passed *p, bool tell_cred, bool close_on_exec)
{
    uint64_t start = h->control;

    if (!start) {
        h->flags |= tell_cred || p->files ? MSG_CTRUNC : 0;
    } else {
        if (tell_cred)
            write_cred(h, p);
        if (p->files)
            write_files(h, p->files, close_on_exec);
    }
    h->control_len = h->control - start;
    h->control = start;
}
