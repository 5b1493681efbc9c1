/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd.c - faults as questions: asked, read, and waited for
 *
 * Room:   kernel.
 * Owns:   the questions, and the file they, and news, are read from.
 * Locks:  userfaultfd.lock (spin, rank USERFAULT).
 * Always: (1) whoever asks looks again whether the page is missing after the question can be seen:
 *             an answer that came before is not waited for;
 *         (2) with the file, all questions end: nobody waits for what cannot come.
 * Source: userfaultfd(2); Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after kernel/eventfd.c and mm/userfault.c; then kernel/userfaultfd_news.c and
 *         kernel/userfaultfd_ioctl.c.
 */
#include "userfaultfd.h"

#include "cred.h"
#include "fs.h"
#include "poll.h"
#include "sys_fs.h"
#include "task.h"
#include "text_file.h"
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/userfaultfd.h>

struct question {
    struct list_node node;
    struct uapi_uffd_msg msg;
    bool told; /* somebody has read it [lock] */
    bool over; /* woken [lock] */
};

uint64_t userfaultfd_unprivileged;

static struct userfaultfd *of(struct userfault *base)
{
    return (struct userfaultfd *)base;
}

static struct userfaultfd *of_file(const struct file *f)
{
    return (struct userfaultfd *)f->inode->private;
}

/* Asking */

static struct uapi_uffd_msg message(struct userfaultfd *u, const struct userfault_question *q)
{
    uint64_t features = atomic_load(&u->features);
    bool exact = features & UFFD_FEATURE_EXACT_ADDRESS;

    static const uint64_t flags[] = {
        [USERFAULT_MINOR] = UFFD_PAGEFAULT_FLAG_MINOR,
        [USERFAULT_PROTECTED] = UFFD_PAGEFAULT_FLAG_WP,
    };
    uint64_t write = access_writes(q->access) ? UFFD_PAGEFAULT_FLAG_WRITE : 0;

    return (struct uapi_uffd_msg){
        .event = UFFD_EVENT_PAGEFAULT,
        .flags = flags[q->reason] | write,
        .address = exact ? q->addr : round_down(q->addr, q->unit),
        .ptid = features & UFFD_FEATURE_THREAD_ID ? (uint32_t)task_current()->tid : 0,
    };
}

static bool is_over(struct userfaultfd *u, const struct question *q)
{
    spin_lock(&u->lock);
    bool over = q->over || u->released;
    spin_unlock(&u->lock);
    return over;
}

static void question_begin(struct userfaultfd *u, struct question *q)
{
    spin_lock(&u->lock);
    list_add_tail(&q->node, &u->questions);
    spin_unlock(&u->lock);
    wake_all(&u->readers);
    poll_wake();
}

static void question_end(struct userfaultfd *u, struct question *q)
{
    spin_lock(&u->lock);
    list_del(&q->node);
    spin_unlock(&u->lock);
}

static enum fault_result ask(struct userfault *base, struct mm *mm,
                             const struct userfault_question *asked)
{
    struct userfaultfd *u = of(base);
    int err = 0;

    if ((atomic_load(&u->features) & UFFD_FEATURE_SIGBUS) ||
        ((u->flags & UFFD_USER_MODE_ONLY) && asked->by_kernel))
        return FAULT_BEYOND;
    struct question q = {.msg = message(u, asked)};
    question_begin(u, &q);
    if (mm_userfault_is_open(mm, asked, base))
        err =
            wait_event_unless(&u->askers, is_over(u, &q),
                              asked->by_kernel ? signal_fatal_current() : signal_pending_current());
    question_end(u, &q);
    return err && asked->by_kernel ? FAULT_BEYOND : FAULT_RESOLVED;
}

void userfaultfd_wake(struct userfaultfd *u, uint64_t start, uint64_t len)
{
    struct question *q;

    spin_lock(&u->lock);
    list_for_each_entry (q, &u->questions, node)
        q->over |= q->msg.address - start < len;
    spin_unlock(&u->lock);
    wake_all(&u->askers);
}

/* Reading */

static struct question *first_untold(struct userfaultfd *u)
{
    struct question *q;

    list_for_each_entry (q, &u->questions, node)
        if (!q->told && !q->over)
            return q;
    return NULL;
}

static bool has_untold(struct userfaultfd *u)
{
    spin_lock(&u->lock);
    bool has = first_untold(u) || userfaultfd_has_news(u);
    spin_unlock(&u->lock);
    return has;
}

static bool take_question(struct userfaultfd *u, struct uapi_uffd_msg *msg)
{
    spin_lock(&u->lock);
    struct question *q = first_untold(u);
    if (q) {
        q->told = true;
        *msg = q->msg;
    }
    spin_unlock(&u->lock);
    return q;
}

/* Questions come before news. 1; 0: there is nothing to read; or an error. */
static int take_message(struct userfaultfd *u, struct uapi_uffd_msg *msg)
{
    return take_question(u, msg) ? 1 : userfaultfd_take_news(u, msg);
}

static int wait_message(struct userfaultfd *u, bool nonblocking, struct uapi_uffd_msg *msg)
{
    int taken;

    while (!(taken = take_message(u, msg))) {
        if (nonblocking)
            return -EAGAIN;
        if (wait_event_interruptible(&u->readers, has_untold(u)))
            return -ERESTARTSYS;
    }
    return taken < 0 ? taken : 0;
}

static int64_t userfaultfd_read(struct file *f, struct object_copy *copy, size_t len, uint64_t *pos)
{
    struct userfaultfd *u = of_file(f);
    struct uapi_uffd_msg msg;
    size_t done = 0;
    int err = userfaultfd_is_ready(u) && len >= sizeof(msg) ? 0 : -EINVAL;
    (void)pos;

    while (!err && len - done >= sizeof(msg)) {
        err = wait_message(u, done || (f->flags & O_NONBLOCK), &msg);
        if (!err && copy->copy(copy, &msg, done, sizeof(msg)))
            err = -EFAULT;
        done += err ? 0 : sizeof(msg);
    }
    return done ? (int64_t)done : err;
}

static unsigned userfaultfd_poll(struct file *f)
{
    struct userfaultfd *u = of_file(f);

    if (!userfaultfd_is_ready(u) || !(f->flags & O_NONBLOCK))
        return POLLERR; /* a reader could be left waiting */
    return has_untold(u) ? POLLIN : 0;
}

#define LINUX_READY (1UL << 31) /* how Linux notes among the features that there was UFFDIO_API */
#define ALL_IOCTLS  (UFFD_HAS_API | ((UFFD_HAS_POISON << 1) - 1))

static void userfaultfd_tell(struct file *f, struct text *t)
{
    struct userfaultfd *u = of_file(f);
    uint64_t features = atomic_load(&u->features);
    unsigned pending = 0, total = 0;
    const struct question *q;

    spin_lock(&u->lock);
    list_for_each_entry (q, &u->questions, node) {
        pending += !q->told;
        total++;
    }
    spin_unlock(&u->lock);
    text_add(t, "pending:\t%u\ntotal:\t%u\nAPI:\t%lx:%lx:%lx\n", pending, total, UFFD_API,
             features & UFFD_READY ? (features & ~UFFD_READY) | LINUX_READY : 0, ALL_IOCTLS);
}

/* Life */

static void userfault_free(struct userfault *base)
{
    kmem_free(of(base));
}

static const struct userfault_ops ask_ops = {.wait = ask,
                                             .tell = userfaultfd_tell_news,
                                             .like = userfaultfd_like,
                                             .release = userfault_free};

/* Claim 2. */
static void userfaultfd_free(struct inode *inode)
{
    struct userfaultfd *u = (struct userfaultfd *)inode->private;

    spin_lock(&u->lock);
    u->released = true;
    spin_unlock(&u->lock);
    struct mm *mm = mm_find(u->mm_id);
    if (mm) {
        mm_userfault_forget(mm, &u->base);
        mm_put(mm);
    }
    wake_all(&u->askers);
    userfault_put(&u->base);
}

static const struct file_ops userfaultfd_ops = {
    .read = userfaultfd_read,
    .poll = userfaultfd_poll,
    .ioctl = userfaultfd_ioctl,
    .tell = userfaultfd_tell,
    .no_seek = true,
};

struct userfaultfd *userfaultfd_alloc(unsigned flags, const struct mm *mm)
{
    struct userfaultfd *u = kmem_alloc(sizeof(*u), SLAB_ALLOC_ZERO);

    if (!u)
        return NULL;
    u->base.ops = &ask_ops;
    atomic_store(&u->base.refcount, 1);
    u->mm_id = mm->id;
    u->flags = flags;
    spin_lock_init(&u->lock, LOCK_RANK_USERFAULT);
    list_init(&u->questions);
    list_init(&u->news);
    wait_queue_init(&u->readers);
    wait_queue_init(&u->askers);
    return u;
}

int userfaultfd_open_file(struct userfaultfd *u, struct file **out)
{
    int err = file_create_anonymous("anon_inode:[userfaultfd]", 0600, &userfaultfd_ops,
                                    u->flags & O_NONBLOCK, out);
    if (err)
        return err;
    (*out)->inode->private = (uint64_t)u;
    (*out)->inode->release = userfaultfd_free;
    return 0;
}

int64_t userfaultfd_open(unsigned flags)
{
    struct file *file;

    if (flags & ~(unsigned)(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct userfaultfd *u = userfaultfd_alloc(flags, task_current()->mm);
    if (!u)
        return -ENOMEM;
    int err = userfaultfd_open_file(u, &file);
    if (err) {
        userfault_put(&u->base);
        return err;
    }
    return fd_install(file, 0, flags & O_CLOEXEC);
}

int64_t sys_userfaultfd(unsigned flags)
{
    if (!userfaultfd_unprivileged && !(flags & UFFD_USER_MODE_ONLY) && !capable(CAP_SYS_PTRACE))
        return -EPERM;
    return userfaultfd_open(flags);
}
