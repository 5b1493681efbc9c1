/* SPDX-License-Identifier: MIT */
/*
 * kernel/memfd.h - files that are only memory, and seals, by fcntl
 *
 * Room:   kernel.
 * Owns:   nothing; see memfd.c.
 * Locks:  as memfd.c.
 * Always: -
 * Source: fcntl(2), "File Sealing".
 * Tour:   with kernel/memfd.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct file;
struct file_ops;
struct inode;
struct mount;

/* A new inode that has a name but is in no directory, opened. @mount: whose rules it is under;
 * NULL: nobody's. A descriptor, or an error. */
int64_t memfd_open(const char *name, struct mount *mount, struct inode *inode,
                   const struct file_ops *ops, bool cloexec);

/* F_ADD_SEALS: 0, -EPERM, -EINVAL, or -EBUSY while somebody may still write. */
int64_t memfd_add_seals(struct file *f, uint32_t seals);

/* F_GET_SEALS; -EINVAL for what has none. */
int64_t memfd_get_seals(const struct file *f);
