/* SPDX-License-Identifier: MIT */
/*
 * kernel/dma_buf.h - files that are a buffer of given pages
 *
 * Room:   kernel.
 * Owns:   nothing; the code is kernel/dma_buf.c.
 * Locks:  none.
 * Always: (1) a buffer's size and pages are those it had when it was opened.
 * Source: Linux Documentation/driver-api/dma-buf.rst.
 * Tour:   after kernel/files.h; then kernel/dma_buf.c, kernel/udmabuf.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct dentry;
struct inode;

/* A buffer without pages: object_borrow() gives it some. 0 with one reference, or -ENOMEM. */
int __must_check dma_buf_create(struct inode **out);

/* A descriptor of it; takes over the reference. -ENOMEM, -EMFILE. */
int64_t dma_buf_open(struct inode *buffer, bool close_on_exec);

extern const struct file_ops udmabuf_ops;

/* Boot: /sys/module/udmabuf. */
void udmabuf_boot_files(struct dentry *sys);
