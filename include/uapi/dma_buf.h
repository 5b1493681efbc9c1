/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/dma_buf.h - buffers that devices share, and /dev/udmabuf, which makes them of memfds
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: Linux include/uapi/linux/dma-buf.h, udmabuf.h (numbers).
 * Tour:   with kernel/dma_buf.c, kernel/udmabuf.c.
 */
#pragma once

#include <stdint.h>

#define DMA_BUF_IOCTL_SYNC 0x40086200U /* _IOW('b', 0, uint64_t): flags */
#define DMA_BUF_SET_NAME_A 0x40046201U /* _IOW('b', 1, ..): the address of a name; of two sizes */
#define DMA_BUF_SET_NAME_B 0x40086201U
#define DMA_BUF_NAME_LEN   32 /* with its NUL */

#define DMA_BUF_SYNC_READ  (1 << 0)
#define DMA_BUF_SYNC_WRITE (2 << 0)
#define DMA_BUF_SYNC_RW    (DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE)
#define DMA_BUF_SYNC_START (0 << 2)
#define DMA_BUF_SYNC_END   (1 << 2)

#define UDMABUF_CREATE      0x40187542U /* _IOW('u', 0x42, struct uapi_udmabuf_create) */
#define UDMABUF_CREATE_LIST 0x40087543U /* _IOW('u', 0x43, struct uapi_udmabuf_create_list) */

#define UDMABUF_FLAGS_CLOEXEC 0x01

struct uapi_udmabuf_create {
    uint32_t memfd, flags;
    uint64_t offset, size;
};

struct uapi_udmabuf_item {
    uint32_t memfd, pad;
    uint64_t offset, size;
};

struct uapi_udmabuf_create_list {
    uint32_t flags, count;
    struct uapi_udmabuf_item items[];
};
