/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/uio.h - readv(2), writev(2), preadv2(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: readv(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

struct uapi_iovec {
    uint64_t base, len;
};

#define IOV_MAX      1024
#define MAX_RW_COUNT 0x7ffff000UL /* bytes moved by one call at most */

#define RWF_HIPRI    0x001
#define RWF_DSYNC    0x002
#define RWF_SYNC     0x004
#define RWF_NOWAIT   0x008
#define RWF_APPEND   0x010
#define RWF_NOAPPEND 0x020
#define RWF_NOSIGNAL 0x100
