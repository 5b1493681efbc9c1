/* SPDX-License-Identifier: MIT */
/*
 * kernel/memfd_noexec.c - may a file that is only memory be a program? vm.memfd_noexec
 *
 * Room:   kernel.
 * Owns:   what each PID namespace says to that: struct pid_ns.memfd_noexec.
 * Locks:  none: a number, read and written in one piece.
 * Always: (1) in a namespace counts the strictest of what it and those above it say, so that who is
 *             inside cannot allow what was forbidden outside.
 * Source: Linux Documentation/admin-guide/sysctl/vm.rst, "memfd_noexec"; memfd_create(2).
 * Tour:   after kernel/pid_ns.h; then kernel/memfd.c.
 */
#include "memfd_noexec.h"

#include "cred.h"
#include "pid_ns.h"
#include "process.h"
#include "task.h"
#include "text_file.h"
#include <asm/time.h>
#include <base/log.h>
#include <uapi/errno.h>
#include <uapi/mman.h>

enum {
    ALLOWED,   /* who says nothing gets a program */
    ON_DEMAND, /* .. gets none */
    FORBIDDEN  /* who wants one is refused */
};

#define LOG_WINDOW_NS 5000000000UL
#define LOG_LINES     10 /* in one such window */

unsigned memfd_noexec_in(const struct pid_ns *ns)
{
    unsigned strictest = ALLOWED;

    for (; ns; ns = ns->parent)
        strictest = max(strictest, atomic_load(&ns->memfd_noexec));
    return strictest;
}

/* A program may ask as often as it likes: the log must not be full of it. */
static bool may_log(void)
{
    static _Atomic uint64_t window, lines;
    uint64_t now = clock_ns() / LOG_WINDOW_NS;

    if (atomic_exchange(&window, now) != now)
        atomic_store(&lines, 0);
    return atomic_fetch_add(&lines, 1) < LOG_LINES;
}

static __cold int apply(unsigned *flags, unsigned here)
{
    if (!(*flags & MFD_EXEC))
        *flags |= MFD_NOEXEC_SEAL;
    if ((*flags & MFD_NOEXEC_SEAL) || here < FORBIDDEN)
        return 0;
    if (may_log())
        log_warn("%s[%d]: memfd_create() requires MFD_NOEXEC_SEAL with vm.memfd_noexec=%u",
                 task_current()->name, task_current()->tid, here);
    return -EACCES;
}

int memfd_noexec_apply(unsigned *flags)
{
    unsigned here = memfd_noexec_in(process_current()->ns);

    return likely(here == ALLOWED) ? 0 : apply(flags, here);
}

int memfd_noexec_show(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%u\n", memfd_noexec_in(process_current()->ns));
    return 0;
}

int memfd_noexec_store(uint64_t number)
{
    struct pid_ns *ns = process_current()->ns;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (number > FORBIDDEN || number < memfd_noexec_in(ns->parent))
        return -EINVAL;
    atomic_store(&ns->memfd_noexec, number);
    return 0;
}
