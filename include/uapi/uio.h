/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/uio.h - readv(2), writev(2)
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
