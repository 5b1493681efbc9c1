/* SPDX-License-Identifier: MIT */
/*
 * kernel/userfaultfd_answer.c - the answers a program may give to faults
 *
 * Room:   kernel.
 * Owns:   the arguments of the ioctls that answer, checked in Linux's order.
 * Locks:  none of its own.
 * Always: (1) an answer says how far it got, also if it failed.
 * Source: ioctl_userfaultfd(2).
 * Tour:   after kernel/userfaultfd_ioctl.c; mm/userfault_answer.c and mm/userfault_wp.c do it.
 */
#include "fs.h"
#include "task.h"
#include "userfaultfd.h"
#include <asm/uaccess.h>
#include <uapi/errno.h>

/* What COPY, ZEROPAGE, CONTINUE and POISON have in common. */
struct answer {
    struct uapi_uffdio_range range;
    uint64_t mode, modes; /* UFFDIO_MODE_*: given, and possible */
    enum userfault_fill fill;
    struct object_copy *from;
    user_addr_t told; /* where it says how far it got */
};

/* Claim 1. 0; -EAGAIN: not all of it; or an error. */
static int tell(struct userfaultfd *u, const struct answer *a, int64_t done)
{
    if (copy_to_user(a->told, &done, sizeof(done)))
        return -EFAULT;
    if (done < 0)
        return done;
    if (!(a->mode & UFFDIO_MODE_DONTWAKE))
        userfaultfd_wake(u, a->range.start, done);
    return (uint64_t)done == a->range.len ? 0 : -EAGAIN;
}

static int fill(struct userfaultfd *u, const struct answer *a)
{
    struct mm *mm;

    if (a->mode & ~a->modes)
        return -EINVAL;
    int err = userfaultfd_mm_get(u, -ESRCH, &mm);
    if (err)
        return err;
    int64_t done = mm_userfault_fill(mm, &u->base, a->range.start, a->range.len, a->fill, a->from,
                                     a->mode & UFFDIO_MODE_WP);
    mm_put(mm);
    return tell(u, a, done);
}

static int do_copy(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_copy c;

    if (copy_from_user(&c, arg, offsetof(struct uapi_uffdio_copy, copy)))
        return -EFAULT;
    int err = userfaultfd_check_range(c.dst, c.len);
    if (err)
        return err;
    if (!user_range_ok(user(c.src), c.len))
        return -EINVAL;
    struct user_copy from = user_buffer_in(user(c.src));
    return fill(u, &(struct answer){
                       .range = {c.dst, c.len},
                       .mode = c.mode,
                       .modes = UFFDIO_MODE_DONTWAKE | UFFDIO_MODE_WP,
                       .fill = USERFAULT_COPY,
                       .from = &from.copy,
                       .told = user(arg.raw + offsetof(struct uapi_uffdio_copy, copy)),
                   });
}

/* ZEROPAGE, CONTINUE and POISON. */
static int do_fill(struct userfaultfd *u, user_addr_t arg, enum userfault_fill how, uint64_t modes)
{
    struct uapi_uffdio_zeropage z;

    if (copy_from_user(&z, arg, offsetof(struct uapi_uffdio_zeropage, zeropage)))
        return -EFAULT;
    int err = userfaultfd_check_range(z.range.start, z.range.len);
    if (err)
        return err;
    return fill(u, &(struct answer){
                       .range = z.range,
                       .mode = z.mode,
                       .modes = modes,
                       .fill = how,
                       .told = user(arg.raw + offsetof(struct uapi_uffdio_zeropage, zeropage)),
                   });
}

static int do_writeprotect(struct userfaultfd *u, user_addr_t arg)
{
    struct uapi_uffdio_writeprotect w;
    struct mm *mm;

    if (!userfault_is_settled(&u->base))
        return -EAGAIN;
    if (copy_from_user(&w, arg, sizeof(w)))
        return -EFAULT;
    int err = userfaultfd_check_range(w.range.start, w.range.len);
    if (err)
        return err;
    if (w.mode > UFFDIO_WRITEPROTECT_DONTWAKE) /* not both */
        return -EINVAL;
    err = userfaultfd_mm_get(u, -ESRCH, &mm);
    if (err)
        return err;
    err = mm_userfault_protect(mm, &u->base, w.range.start, w.range.len,
                               w.mode == UFFDIO_WRITEPROTECT_WP);
    mm_put(mm);
    if (!err && !w.mode)
        userfaultfd_wake(u, w.range.start, w.range.len);
    return err;
}

static int do_move(struct userfaultfd *u, user_addr_t arg)
{
    const uint64_t modes = UFFDIO_MODE_DONTWAKE | UFFDIO_MOVE_ALLOW_SRC_HOLES;
    struct mm *mm = task_current()->mm;
    struct uapi_uffdio_move m;

    if (!userfault_is_settled(&u->base))
        return -EAGAIN;
    if (copy_from_user(&m, arg, offsetof(struct uapi_uffdio_move, move)))
        return -EFAULT;
    if (u->mm_id != mm->id)
        return -EINVAL; /* its pages stay with a program */
    if (userfaultfd_check_range(m.dst, m.len) || (m.mode & ~modes) ||
        !is_aligned(m.src, PAGE_SIZE) || !user_range_ok(user(m.src), m.len))
        return -EINVAL;
    int64_t done =
        mm_userfault_move(mm, &u->base, m.dst, m.src, m.len, m.mode & UFFDIO_MOVE_ALLOW_SRC_HOLES);
    return tell(u,
                &(struct answer){
                    .range = {m.dst, m.len},
                    .mode = m.mode,
                    .told = user(arg.raw + offsetof(struct uapi_uffdio_move, move)),
                },
                done);
}

int64_t userfaultfd_answer(struct userfaultfd *u, unsigned cmd, user_addr_t arg)
{
    switch (cmd) {
    case UFFDIO_COPY:
        return do_copy(u, arg);
    case UFFDIO_ZEROPAGE:
        return do_fill(u, arg, USERFAULT_ZEROS, UFFDIO_MODE_DONTWAKE);
    case UFFDIO_CONTINUE:
        return do_fill(u, arg, USERFAULT_CONTINUE, UFFDIO_MODE_DONTWAKE | UFFDIO_MODE_WP);
    case UFFDIO_POISON:
        return do_fill(u, arg, USERFAULT_POISON, UFFDIO_MODE_DONTWAKE);
    case UFFDIO_MOVE:
        return do_move(u, arg);
    case UFFDIO_WRITEPROTECT:
        return do_writeprotect(u, arg);
    }
    return -EINVAL;
}
