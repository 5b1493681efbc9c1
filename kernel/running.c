/* SPDX-License-Identifier: MIT */
/*
 * kernel/running.c - a file is written, or it runs: never both
 *
 * Room:   kernel.
 * Owns:   inode.writing: how many write it, or, below 0, how many run it.
 * Locks:  none: the count is atomic.
 * Always: (1) whoever opens a file by name to write it is counted until the last descriptor is
 *             closed, every process until it ends or runs something else;
 *         (2) the descriptor that memfd_create() gave is not counted: who made a program in memory
 *             may start it. Nor is, unlike on Linux, a private mapping of what was opened to write.
 * Source: execve(2), open(2): ETXTBSY; Linux i_writecount, observed.
 * Tour:   after kernel/running.h; kernel/files.c and kernel/exec.c ask.
 */
#include "running.h"

#include "files.h"
#include "fs.h"
#include "place.h"
#include <base/bug.h>
#include <uapi/errno.h>

/* One more in the direction of @step, unless there are some in the other. */
static int count(struct inode *inode, int32_t step)
{
    int32_t n = atomic_load(&inode->writing);

    do {
        if (n * step < 0)
            return -ETXTBSY;
    } while (!atomic_compare_exchange_weak(&inode->writing, &n, n + step));
    return 0;
}

int inode_write_begin(struct inode *inode)
{
    return bug_is_back(BUG_B45) ? 0 : count(inode, 1);
}

void inode_write_end(struct inode *inode)
{
    if (!bug_is_back(BUG_B45))
        atomic_fetch_sub(&inode->writing, 1);
}

/* Mappings outlive the descriptor; of what was made in memory, that was not counted, either. */
static bool is_mapped_to_write(struct inode *inode)
{
    return inode->super && atomic_load(&inode->object.writers) > 0;
}

int inode_run_begin(struct inode *inode)
{
    int err = count(inode, -1);

    if (!err && is_mapped_to_write(inode)) { /* looked at when no other can come */
        inode_run_end(inode);
        err = -ETXTBSY;
    }
    return err;
}

void inode_run_end(struct inode *inode)
{
    atomic_fetch_add(&inode->writing, 1);
}

void exe_get(const struct place *exe)
{
    place_get(exe);
    atomic_fetch_sub(&exe->dentry->inode->writing, 1);
}

void exe_put(const struct place *exe)
{
    inode_run_end(exe->dentry->inode);
    place_put(exe);
}

int inode_truncate_idle(struct inode *inode, uint64_t size_bytes)
{
    int err = inode_write_begin(inode);

    if (err)
        return err;
    err = inode_truncate(inode, size_bytes);
    inode_write_end(inode);
    return err;
}
