/* SPDX-License-Identifier: MIT */
/*
 * kernel/memfd.h - seals, by fcntl
 *
 * Room:   kernel.
 * Owns:   nothing; see memfd.c.
 * Locks:  as memfd.c.
 * Always: -
 * Source: fcntl(2), "File Sealing".
 * Tour:   with kernel/memfd.c.
 */
#pragma once

#include <stdint.h>

struct file;

/* F_ADD_SEALS: 0, -EPERM, -EINVAL, or -EBUSY while somebody may still write. */
int64_t memfd_add_seals(struct file *f, uint32_t seals);

/* F_GET_SEALS; -EINVAL for what has none. */
int64_t memfd_get_seals(const struct file *f);
