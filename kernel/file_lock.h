/* SPDX-License-Identifier: MIT */
/*
 * kernel/file_lock.h - advisory locks on files: of records, and of whole files
 *
 * Room:   kernel.
 * Owns:   the promise that nothing keeps a lock whose owner has gone.
 * Locks:  none is held at any call.
 * Always: see file_lock.c.
 * Source: fcntl(2), "Advisory record locking"; flock(2).
 * Tour:   with kernel/file_lock.c.
 */
#pragma once

#include "files.h"
#include "fs.h"
#include <lib/addr.h>
#include <stdatomic.h>

/* Boot: before the first file is opened. */
void file_locks_boot_init(void);

/* Give back what @owner has locked of @inode. @owner: a table of descriptors, at every close of one
 * by which it is open; or an open file, at its end. */
void file_locks_drop(struct inode *inode, const void *owner);

/* The same where nearly never a lock is. */
static inline void file_closed(struct inode *inode, const void *owner)
{
    if (unlikely(atomic_load_explicit(&inode->locks, memory_order_relaxed)))
        file_locks_drop(inode, owner);
}

/* fcntl's F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ relatives; @fd leads to @f. */
int file_lock_fcntl(struct file *f, int fd, unsigned cmd, user_addr_t arg);
