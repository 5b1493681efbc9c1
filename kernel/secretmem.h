/* SPDX-License-Identifier: MIT */
/*
 * kernel/secretmem.h - files of secret memory, and who has to know that there are any
 *
 * Room:   kernel.
 * Owns:   nothing; see kernel/secretmem.c.
 * Locks:  none.
 * Always: -
 * Source: memfd_secret(2).
 * Tour:   with kernel/secretmem.c.
 */
#pragma once

#include "fs.h"
#include <mm/secretmem.h>
#include <stdbool.h>
#include <uapi/bulla.h>

/* Boot: secretmem.enable=, secretmem.max_files=; where such files lie. Lack of memory panics. */
void secretmem_files_boot_init(const char *cmdline);

/* Is there a secret file, open or only mapped? Then the machine may not be written to disk. */
bool secretmem_in_use(void);

/* Is it a file of secret memory, and was it created with @flag of uapi/bulla.h? */
static inline bool secretmem_has(const struct inode *inode, unsigned flag)
{
    return object_is_secret(&inode->object) && (inode->private & flag);
}

/* Boot: /sys/power. kernel/hibernation.c */
void hibernation_boot_files(struct dentry *sys);
