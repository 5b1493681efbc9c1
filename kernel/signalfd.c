/* SPDX-License-Identifier: MIT */
/*
 * kernel/signalfd.c - signals that are read: signalfd
 *
 * Room:   kernel.
 * Owns:   the set of signals of each such file, in inode.private.
 * Locks:  none of its own; the signal lock while one is taken.
 * Always: (1) a signal that is read is the reader's, or its process's, and is taken by that.
 * Source: signalfd(2).
 * Tour:   after kernel/signal.c, kernel/eventfd.c.
 */
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "text_file.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <uapi/signal.h>

#define NEVER_TAKEN (sigmask(SIGKILL) | sigmask(SIGSTOP))

/* What a read gets for each signal. */
struct uapi_signalfd_siginfo {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, value_int;
    uint64_t value, utime, stime, addr;
    uint16_t addr_lsb, pad2;
    int32_t syscall;
    uint64_t call_addr;
    uint32_t arch;
    uint8_t pad[28];
};

_Static_assert(sizeof(struct uapi_signalfd_siginfo) == 128, "signalfd(2)");

static uint64_t set_of(const struct file *f)
{
    return READ_ONCE(f->inode->private);
}

static struct uapi_signalfd_siginfo told(const struct uapi_siginfo *info)
{
    struct uapi_signalfd_siginfo t = {
        .signo = info->signo, .error = info->errno_, .code = info->code};
    bool ended = info->signo == SIGCHLD && info->code > 0;

    if (info->code == SI_TIMER) {
        t.tid = info->pid;
        t.overrun = info->uid;
    } else if (info->code > 0 && !ended && info->code != SI_KERNEL) {
        t.addr = info->addr;
        return t;
    } else {
        t.pid = info->pid;
        t.uid = info->uid;
    }
    if (ended) {
        t.status = info->status;
        t.utime = info->utime;
        t.stime = info->stime;
    } else if (info->code < 0 && info->code != SI_TKILL) {
        t.value = info->value;
        t.value_int = (int32_t)info->value;
    }
    return t;
}

/* The next signal of the set: its number, 0 if there is none and @wait is false, -EINTR. */
static int next_signal(uint64_t set, bool wait, struct uapi_siginfo *info)
{
    return wait ? signal_wait(set, clock_ns() + INT64_MAX, info)
                : signal_dequeue(task_current(), ~set, info);
}

static int64_t signalfd_read(struct file *f, struct object_copy *copy, size_t len, uint64_t *pos)
{
    struct uapi_signalfd_siginfo one;
    struct uapi_siginfo info;
    size_t done = 0;
    (void)pos;

    if (len < sizeof(one))
        return -EINVAL;
    while (len - done >= sizeof(one)) {
        int signo = next_signal(set_of(f), !done && !(f->flags & O_NONBLOCK), &info);
        if (signo <= 0 && !done)
            return signo ? -ERESTARTSYS : -EAGAIN;
        if (signo <= 0)
            break;
        one = told(&info);
        if (copy->copy(copy, &one, done, sizeof(one)))
            return done ? (int64_t)done : -EFAULT;
        done += sizeof(one);
    }
    return done;
}

static unsigned signalfd_poll(struct file *f)
{
    const struct task *task = task_current();
    uint64_t pending =
        READ_ONCE(task->signals.pending.mask) | READ_ONCE(task->process->signals.shared.mask);

    return pending & set_of(f) ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_tell(struct file *f, struct text *t)
{
    text_add(t, "sigmask:\t%016lx\n", set_of(f));
}

static const struct file_ops signalfd_ops = {
    .read = signalfd_read,
    .poll = signalfd_poll,
    .tell = signalfd_tell,
    .no_seek = true,
};

static int signalfd_create(uint64_t set, unsigned flags)
{
    struct file *file;

    int err = file_create_anonymous("anon_inode:[signalfd]", 0600, &signalfd_ops,
                                    O_RDWR | (flags & O_NONBLOCK), &file);
    if (err)
        return err;
    file->inode->private = set;
    signals_are_polled = true;
    return fd_install(file, 0, flags & O_CLOEXEC);
}

/* Another set for a file that is there. */
static int signalfd_change(int fd, uint64_t set)
{
    struct file *file = file_of(fd);
    if (!file)
        return -EBADF;
    bool is_one = file->ops == &signalfd_ops;
    if (is_one) {
        WRITE_ONCE(file->inode->private, set);
        poll_wake();
    }
    file_put(file);
    return is_one ? fd : -EINVAL;
}

int64_t sys_signalfd4(int fd, user_addr_t mask, size_t size, unsigned flags)
{
    uint64_t set;

    if (size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    set &= ~NEVER_TAKEN;
    return fd == -1 ? signalfd_create(set, flags) : signalfd_change(fd, set);
}

int64_t sys_signalfd(int fd, user_addr_t mask, size_t size)
{
    return sys_signalfd4(fd, mask, size, 0);
}
