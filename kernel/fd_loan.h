/* SPDX-License-Identifier: MIT */
/*
 * kernel/fd_loan.h - the file of a descriptor for the length of one call
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none of its own.
 * Always: (1) a file without a reference of the call has one of the table's, which stays: only a
 *             task that has the table can close a descriptor, and the only one is in the call.
 * Source: Linux fdget() (the idea).
 * Tour:   after kernel/files.h.
 */
#pragma once

#include "task.h"

/* Has nobody else this task's table of descriptors? */
static inline bool fds_are_own(void)
{
    return atomic_load_explicit(&task_current()->files->refcount, memory_order_acquire) == 1;
}

/* Without a reference; NULL: there is none. Context: fds_are_own(), and the call neither closes @fd
 * nor begins to share the table. */
static inline struct file *fd_borrow(int fd)
{
    const struct files *files = task_current()->files;
    return fd >= 0 && fd < files->end ? files->file[fd] : NULL;
}
