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

/* F_ADD_SEALS and F_GET_SEALS. */
int64_t memfd_fcntl(struct file *f, unsigned cmd, uint64_t arg);
