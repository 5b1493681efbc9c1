/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/userfaultfd.h - numbers and structures of userfaultfd(2) and its ioctls
 *
 * Room:   uapi: the Linux ABI, numbers only.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) every value is Linux's on x86-64.
 * Source: userfaultfd(2), ioctl_userfaultfd(2).
 * Tour:   with kernel/userfaultfd.c.
 */
#pragma once

#include <stdint.h>

#define UFFD_USER_MODE_ONLY 1

#define UFFD_API 0xaaUL

#define USERFAULTFD_IOC_NEW 0x0000aa00
#define UFFDIO_API          0xc018aa3f
#define UFFDIO_REGISTER     0xc020aa00
#define UFFDIO_UNREGISTER   0x8010aa01
#define UFFDIO_WAKE         0x8010aa02
#define UFFDIO_COPY         0xc028aa03
#define UFFDIO_ZEROPAGE     0xc020aa04

/* Bits of the ioctls that the kernel says it has. */
#define UFFD_HAS_REGISTER   (1UL << 0)
#define UFFD_HAS_UNREGISTER (1UL << 1)
#define UFFD_HAS_WAKE       (1UL << 2)
#define UFFD_HAS_COPY       (1UL << 3)
#define UFFD_HAS_ZEROPAGE   (1UL << 4)
#define UFFD_HAS_API        (1UL << 63)

#define UFFD_FEATURE_MISSING_HUGETLBFS (1UL << 4)
#define UFFD_FEATURE_MISSING_SHMEM     (1UL << 5)
#define UFFD_FEATURE_SIGBUS            (1UL << 7)
#define UFFD_FEATURE_THREAD_ID         (1UL << 8)
#define UFFD_FEATURE_EXACT_ADDRESS     (1UL << 11)

#define UFFDIO_REGISTER_MODE_MISSING 1UL
#define UFFDIO_MODE_DONTWAKE         1UL /* of COPY and ZEROPAGE */

#define UFFD_EVENT_PAGEFAULT 0x12

#define UFFD_PAGEFAULT_FLAG_WRITE 1UL

struct uapi_uffdio_api {
    uint64_t api, features, ioctls;
};

struct uapi_uffdio_range {
    uint64_t start, len;
};

struct uapi_uffdio_register {
    struct uapi_uffdio_range range;
    uint64_t mode, ioctls;
};

struct uapi_uffdio_copy {
    uint64_t dst, src, len, mode;
    int64_t copy;
};

struct uapi_uffdio_zeropage {
    struct uapi_uffdio_range range;
    uint64_t mode;
    int64_t zeropage;
};

struct uapi_uffd_msg {
    uint8_t event, reserved[7];
    uint64_t flags, address;
    uint32_t ptid, rest;
};

_Static_assert(sizeof(struct uapi_uffd_msg) == 32, "userfaultfd(2)");
