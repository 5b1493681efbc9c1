/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd_ioctl.c - what a program may say about faults: who asks, and the answers
 *
 * Room:   kernel.
 * Owns:   the arguments of userfaultfd's ioctls, checked in Linux's order.
 * Locks:  none of its own.
 * Always: (1) before UFFDIO_API nothing else is possible, and after it not that.
 * Source: ioctl_userfaultfd(2).
 * Tour:   after kernel/userfaultfd.c.
 */
#include "cred.h"
#include "fs.h"
#include "sys_fs.h"
#include "userfaultfd.h"
#include <asm/uaccess.h>
#include <mm/commit.h>
#include <uapi/errno.h>
#include <uapi/userfaultfd.h>

#define ANSWERS (UFFD_HAS_WAKE | UFFD_HAS_COPY | UFFD_HAS_ZEROPAGE)

/* Also on refusal the answer is written: nothing can be had. */
static int set_api(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_api api, none = {0};
    uint64_t before = 0;

    if (copy_from_user(&api, arg, sizeof(api)))
        return -EFAULT;
    uint64_t features = api.features;
    if (api.api != UFFD_API || (features & ~USERFAULTFD_FEATURES))
        return copy_to_user(arg, &none, sizeof(none)) ? -EFAULT : -EINVAL;
    api.features = USERFAULTFD_FEATURES;
    api.ioctls = UFFD_HAS_REGISTER | UFFD_HAS_UNREGISTER | UFFD_HAS_API;
    if (copy_to_user(arg, &api, sizeof(api)))
        return -EFAULT;
    if (atomic_compare_exchange_strong(&u->features, &before, features | UFFD_READY))
        return 0;
    return copy_to_user(arg, &none, sizeof(none)) ? -EFAULT : -EINVAL;
}

static int check_range(uint64_t start, uint64_t len)
{
    if (!is_aligned(start | len, PAGE_SIZE) || !len || start < vm_settings.mmap_min_addr ||
        start >= USER_END || len > USER_END - start)
        return -EINVAL;
    return 0;
}

/* Whose areas ask, with a reference. */
static int asker_get(const struct userfaultfd *u, int gone, struct mm **out)
{
    *out = mm_find(u->mm_id);
    return *out ? 0 : gone;
}

static int do_register(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_register r;
    bool hugetlb;
    struct mm *mm;

    if (copy_from_user(&r, arg, offsetof(struct uapi_uffdio_register, ioctls)))
        return -EFAULT;
    if (!r.mode || (r.mode & ~UFFDIO_REGISTER_MODE_MISSING))
        return -EINVAL;
    int err = check_range(r.range.start, r.range.len);
    if (!err)
        err = asker_get(u, -ENOMEM, &mm);
    if (err)
        return err;
    err = mm_userfault_register(mm, r.range.start, r.range.start + r.range.len, &u->base, &hugetlb);
    mm_put(mm);
    if (err)
        return err;
    r.ioctls = hugetlb ? ANSWERS & ~UFFD_HAS_ZEROPAGE : ANSWERS;
    return copy_to_user(user(arg.raw + offsetof(struct uapi_uffdio_register, ioctls)), &r.ioctls,
                        sizeof(r.ioctls));
}

static int do_unregister(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_range r;
    struct mm *mm;

    if (copy_from_user(&r, arg, sizeof(r)))
        return -EFAULT;
    int err = check_range(r.start, r.len);
    if (!err)
        err = asker_get(u, -ENOMEM, &mm);
    if (err)
        return err;
    err = mm_userfault_unregister(mm, r.start, r.start + r.len, &u->base);
    mm_put(mm);
    if (!err)
        userfaultfd_wake(u, r.start, r.len);
    return err;
}

static int do_wake(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_range r;

    if (copy_from_user(&r, arg, sizeof(r)))
        return -EFAULT;
    int err = check_range(r.start, r.len);
    if (!err)
        userfaultfd_wake(u, r.start, r.len);
    return err;
}

/* Fill, tell at @told how much, and wake. 0, -EAGAIN: not all of it; or an error. */
static int answer(struct userfaultfd *u, const struct uapi_uffdio_range *r,
                  struct object_copy *from, bool wakes, user_addr_t told)
{
    struct mm *mm;

    int err = asker_get(u, -ESRCH, &mm);
    if (err)
        return err;
    int64_t n = mm_userfault_fill(mm, r->start, r->len, from);
    mm_put(mm);
    if (copy_to_user(told, &n, sizeof(n)))
        return -EFAULT;
    if (n < 0)
        return n;
    if (wakes)
        userfaultfd_wake(u, r->start, n);
    return (uint64_t)n == r->len ? 0 : -EAGAIN;
}

static int do_copy(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_copy c;

    if (copy_from_user(&c, arg, offsetof(struct uapi_uffdio_copy, copy)))
        return -EFAULT;
    int err = check_range(c.dst, c.len);
    if (err)
        return err;
    if (c.src + c.len <= c.src || (c.mode & ~UFFDIO_MODE_DONTWAKE))
        return -EINVAL;
    struct user_copy from = user_buffer_in(user(c.src));
    return answer(u, &(struct uapi_uffdio_range){c.dst, c.len}, &from.copy, !c.mode,
                  user(arg.raw + offsetof(struct uapi_uffdio_copy, copy)));
}

static int do_zeropage(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_zeropage z;

    if (copy_from_user(&z, arg, offsetof(struct uapi_uffdio_zeropage, zeropage)))
        return -EFAULT;
    int err = check_range(z.range.start, z.range.len);
    if (err)
        return err;
    if (z.mode & ~UFFDIO_MODE_DONTWAKE)
        return -EINVAL;
    return answer(u, &z.range, NULL, !z.mode,
                  user(arg.raw + offsetof(struct uapi_uffdio_zeropage, zeropage)));
}

int64_t userfaultfd_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct userfaultfd *u = (struct userfaultfd *)f->inode->private;
    user_addr_t at = user(arg);

    if (cmd != UFFDIO_API && !userfaultfd_is_ready(u))
        return -EINVAL;
    switch (cmd) {
    case UFFDIO_API:
        return set_api(u, at);
    case UFFDIO_REGISTER:
        return do_register(u, at);
    case UFFDIO_UNREGISTER:
        return do_unregister(u, at);
    case UFFDIO_WAKE:
        return do_wake(u, at);
    case UFFDIO_COPY:
        return do_copy(u, at);
    case UFFDIO_ZEROPAGE:
        return do_zeropage(u, at);
    }
    return -EINVAL;
}

static int64_t device_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    (void)f;
    return cmd == USERFAULTFD_IOC_NEW ? userfaultfd_open((unsigned)arg) : -EINVAL;
}

const struct file_ops userfaultfd_device_ops = {.ioctl = device_ioctl};
