/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd_ioctl.c - what a program may say about faults: who asks, and the answers
 *
 * Room:   kernel.
 * Owns:   the arguments of userfaultfd's ioctls that are no answers, checked in Linux's order.
 * Locks:  none of its own.
 * Always: (1) before UFFDIO_API nothing else is possible, and after it not that.
 * Source: ioctl_userfaultfd(2).
 * Tour:   after kernel/userfaultfd.c; then kernel/userfaultfd_answer.c.
 */
#include "cred.h"
#include "fs.h"
#include "sys_fs.h"
#include "userfaultfd.h"
#include <asm/uaccess.h>
#include <mm/commit.h>
#include <uapi/errno.h>
#include <uapi/userfaultfd.h>

/* What an area may have for answers; those of huge pages have neither zeros nor moves. */
#define ANSWERS                                                                        \
    (UFFD_HAS_WAKE | UFFD_HAS_COPY | UFFD_HAS_ZEROPAGE | UFFD_HAS_MOVE | UFFD_HAS_WP | \
     UFFD_HAS_CONTINUE | UFFD_HAS_POISON)
#define NOT_OF_HUGE (UFFD_HAS_ZEROPAGE | UFFD_HAS_MOVE)

/* Also on refusal the answer is written: nothing can be had. */
static int set_api(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_api api, none = {0};
    uint64_t before = 0;

    if (copy_from_user(&api, arg, sizeof(api)))
        return -EFAULT;
    uint64_t features = api.features;
    int err = api.api != UFFD_API                                                ? -EINVAL
              : (features & UFFD_FEATURE_EVENT_FORK) && !capable(CAP_SYS_PTRACE) ? -EPERM
              : features & ~USERFAULTFD_FEATURES                                 ? -EINVAL
                                                                                 : 0;
    if (err)
        return copy_to_user(arg, &none, sizeof(none)) ? -EFAULT : err;
    api.features = USERFAULTFD_FEATURES;
    api.ioctls = UFFD_HAS_REGISTER | UFFD_HAS_UNREGISTER | UFFD_HAS_API;
    if (copy_to_user(arg, &api, sizeof(api)))
        return -EFAULT;
    if (!atomic_compare_exchange_strong(&u->features, &before, features | UFFD_READY))
        return copy_to_user(arg, &none, sizeof(none)) ? -EFAULT : -EINVAL;
    u->base.tells = userfaultfd_tells(features);
    u->base.wp_async = features & UFFD_FEATURE_WP_ASYNC;
    u->base.wp_unpopulated = features & (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);
    return 0;
}

int userfaultfd_check_range(uint64_t start, uint64_t len)
{
    if (!is_aligned(start | len, PAGE_SIZE) || !len || start < vm_settings.mmap_min_addr ||
        start >= USER_END || len > USER_END - start)
        return -EINVAL;
    return 0;
}

int userfaultfd_mm_get(const struct userfaultfd *u, int gone, struct mm **out)
{
    *out = mm_find(u->mm_id);
    return *out ? 0 : gone;
}

#define MODES (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR)

static uint32_t areas_flags(uint64_t modes)
{
    return (modes & UFFDIO_REGISTER_MODE_MISSING ? VM_UFFD_MISSING : 0) |
           (modes & UFFDIO_REGISTER_MODE_WP ? VM_UFFD_WP : 0) |
           (modes & UFFDIO_REGISTER_MODE_MINOR ? VM_UFFD_MINOR : 0);
}

static uint64_t answers_to(uint64_t modes, bool hugetlb)
{
    uint64_t answers = hugetlb ? ANSWERS & ~NOT_OF_HUGE : ANSWERS;

    if (!(modes & UFFDIO_REGISTER_MODE_WP))
        answers &= ~UFFD_HAS_WP;
    return modes & UFFDIO_REGISTER_MODE_MINOR ? answers : answers & ~UFFD_HAS_CONTINUE;
}

static int do_register(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_register r;
    bool hugetlb;
    struct mm *mm;

    if (copy_from_user(&r, arg, offsetof(struct uapi_uffdio_register, ioctls)))
        return -EFAULT;
    if (!r.mode || (r.mode & ~MODES))
        return -EINVAL;
    int err = userfaultfd_check_range(r.range.start, r.range.len);
    if (!err)
        err = userfaultfd_mm_get(u, -ENOMEM, &mm);
    if (err)
        return err;
    err = mm_userfault_register(mm, r.range.start, r.range.start + r.range.len, areas_flags(r.mode),
                                &u->base, &hugetlb);
    mm_put(mm);
    if (err)
        return err;
    r.ioctls = answers_to(r.mode, hugetlb);
    return copy_to_user(user(arg.raw + offsetof(struct uapi_uffdio_register, ioctls)), &r.ioctls,
                        sizeof(r.ioctls));
}

static int do_unregister(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_range r;
    struct mm *mm;

    if (copy_from_user(&r, arg, sizeof(r)))
        return -EFAULT;
    int err = userfaultfd_check_range(r.start, r.len);
    if (!err)
        err = userfaultfd_mm_get(u, -ENOMEM, &mm);
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
    int err = userfaultfd_check_range(r.start, r.len);
    if (!err)
        userfaultfd_wake(u, r.start, r.len);
    return err;
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
    }
    return userfaultfd_answer(u, cmd, at);
}

static int64_t device_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    (void)f;
    return cmd == USERFAULTFD_IOC_NEW ? userfaultfd_open((unsigned)arg) : -EINVAL;
}

const struct file_ops userfaultfd_device_ops = {.ioctl = device_ioctl};
