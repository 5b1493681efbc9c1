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

#include <stdbool.h>

struct dentry;
struct inode;

/* Boot: secretmem.enable=, secretmem.max_files=; where such files lie. Lack of memory panics. */
void secretmem_files_boot_init(const char *cmdline);

/* Is there a secret file, open or only mapped? Then the machine may not be written to disk. */
bool secretmem_in_use(void);

/* Of a file of secret memory or of any other: was it created so? */
bool secretmem_can_be_sealed(const struct inode *inode);
bool secretmem_is_strict(const struct inode *inode);

/* Boot: /sys/power. kernel/hibernation.c */
void hibernation_boot_files(struct dentry *sys);
