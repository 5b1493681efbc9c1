/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd.h - files by which a program answers faults
 *
 * Room:   kernel, private.
 * Owns:   struct userfaultfd.
 * Locks:  lock (spin, rank USERFAULT): the questions.
 * Always: (1) a question is on the list exactly while its task waits.
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
    bool user_mode_only;        /* the kernel's own accesses fail instead [I] */
    _Atomic uint64_t features;  /* UFFD_FEATURE_*, once UFFDIO_API has been called [a] */
    spinlock_t lock;            /* .. */
    struct list_node questions; /* struct question.node, oldest first [lock] */
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
