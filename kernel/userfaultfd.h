/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd.h - files by which a program answers faults
 *
 * Room:   kernel, private.
 * Owns:   struct userfaultfd.
 * Locks:  lock (spin, rank USERFAULT): the questions.
 * Always: (1) a question is on the list exactly while its task waits; news are on theirs while
 *             their task waits and nobody reads them.
 * Source: userfaultfd(2), ioctl_userfaultfd(2).
 * Tour:   after include/mm/userfault.h; kernel/userfaultfd.c, then kernel/userfaultfd_ioctl.c.
 */
#pragma once

#include "files.h"
#include "sched.h"
#include <mm/userfault.h>
#include <uapi/userfaultfd.h>

struct userfaultfd {
    struct userfault base;      /* first: what areas refer to */
    uint64_t mm_id;             /* whose areas may ask [I] */
    unsigned flags;             /* of userfaultfd(2): also of files that come by fork [I] */
    _Atomic uint64_t features;  /* UFFD_FEATURE_*, once UFFDIO_API has been called [a] */
    spinlock_t lock;            /* .. */
    struct list_node questions; /* struct question.node, oldest first [lock] */
    struct list_node news;      /* struct news.node: what is not read yet, oldest first [lock] */
    bool released;              /* nobody has the file any more [lock] */
    struct wait_queue readers, askers;
};

/* All that there are; what is asked in addition is refused. */
#define USERFAULTFD_FEATURES 0x1ffffUL

#define UFFD_READY (1UL << 63) /* of features: UFFDIO_API has been called */

static inline bool userfaultfd_is_ready(struct userfaultfd *u)
{
    return atomic_load(&u->features) & UFFD_READY;
}

/* userfaultfd_news.c */

/* Changes of memory, told by a task that waits until they are read. */
struct news {
    struct list_node node;
    struct uapi_uffd_msg msg;
    struct userfaultfd *child; /* a descriptor is made for it when they are read */
    bool is_read;              /* [lock] */
    bool is_taken;             /* by a reader, who is about to say whether it is read [lock] */
};

/* userfault_ops.tell, userfault_ops.like */
void userfaultfd_tell_news(struct userfault *base, const struct userfault_event *event);
struct userfault *userfaultfd_like(const struct userfault *base, const struct mm *mm);

/* What the program wants to know, of its features. */
unsigned userfaultfd_tells(uint64_t features);

/* Are there news? lock held. */
static inline bool userfaultfd_has_news(const struct userfaultfd *u)
{
    return !list_empty(&u->news);
}

/* Take the oldest news, if there are any, and fill @msg. 1; 0: none; or an error: they stay. */
int userfaultfd_take_news(struct userfaultfd *u, struct uapi_uffd_msg *msg);

/* userfaultfd.c: another without a file; NULL: no memory. And a file for it, which takes over the
 * reference. */
struct userfaultfd *userfaultfd_alloc(unsigned flags, const struct mm *mm);
int __must_check userfaultfd_open_file(struct userfaultfd *u, struct file **out);

/* Whoever asks about [start, start + len) tries again. */
void userfaultfd_wake(struct userfaultfd *u, uint64_t start, uint64_t len);

/* Is it a range of whole pages that a program can have? 0 or -EINVAL. */
int __must_check userfaultfd_check_range(uint64_t start, uint64_t len);

/* Whose areas ask, with a reference. 0, or @gone: its program ended. */
int __must_check userfaultfd_mm_get(const struct userfaultfd *u, int gone, struct mm **out);

/* The ioctls that answer: userfaultfd_answer.c. */
int64_t userfaultfd_answer(struct userfaultfd *u, unsigned cmd, user_addr_t arg);

int64_t userfaultfd_ioctl(struct file *f, unsigned cmd, uint64_t arg);

/* A new one for this program, @flags of userfaultfd(2): a descriptor, or an error. */
int64_t userfaultfd_open(unsigned flags);

/* /dev/userfaultfd. */
extern const struct file_ops userfaultfd_device_ops;

/* May every program have answers for the kernel's own accesses? /proc/sys/vm. */
extern uint64_t userfaultfd_unprivileged;
