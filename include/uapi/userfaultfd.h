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
#define UFFDIO_MOVE         0xc028aa05
#define UFFDIO_WRITEPROTECT 0xc018aa06
#define UFFDIO_CONTINUE     0xc020aa07
#define UFFDIO_POISON       0xc020aa08

/* Bits of the ioctls that the kernel says it has. */
#define UFFD_HAS_REGISTER   (1UL << 0)
#define UFFD_HAS_UNREGISTER (1UL << 1)
#define UFFD_HAS_WAKE       (1UL << 2)
#define UFFD_HAS_COPY       (1UL << 3)
#define UFFD_HAS_ZEROPAGE   (1UL << 4)
#define UFFD_HAS_MOVE       (1UL << 5)
#define UFFD_HAS_WP         (1UL << 6)
#define UFFD_HAS_CONTINUE   (1UL << 7)
#define UFFD_HAS_POISON     (1UL << 8)
#define UFFD_HAS_API        (1UL << 63)

#define UFFD_FEATURE_PAGEFAULT_FLAG_WP  (1UL << 0)
#define UFFD_FEATURE_EVENT_FORK         (1UL << 1)
#define UFFD_FEATURE_EVENT_REMAP        (1UL << 2)
#define UFFD_FEATURE_EVENT_REMOVE       (1UL << 3)
#define UFFD_FEATURE_MISSING_HUGETLBFS  (1UL << 4)
#define UFFD_FEATURE_MISSING_SHMEM      (1UL << 5)
#define UFFD_FEATURE_EVENT_UNMAP        (1UL << 6)
#define UFFD_FEATURE_SIGBUS             (1UL << 7)
#define UFFD_FEATURE_THREAD_ID          (1UL << 8)
#define UFFD_FEATURE_MINOR_HUGETLBFS    (1UL << 9)
#define UFFD_FEATURE_MINOR_SHMEM        (1UL << 10)
#define UFFD_FEATURE_EXACT_ADDRESS      (1UL << 11)
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1UL << 12)
#define UFFD_FEATURE_WP_UNPOPULATED     (1UL << 13)
#define UFFD_FEATURE_POISON             (1UL << 14)
#define UFFD_FEATURE_WP_ASYNC           (1UL << 15)
#define UFFD_FEATURE_MOVE               (1UL << 16)

#define UFFDIO_REGISTER_MODE_MISSING 1UL
#define UFFDIO_REGISTER_MODE_WP      2UL
#define UFFDIO_REGISTER_MODE_MINOR   4UL

#define UFFDIO_MODE_DONTWAKE         1UL /* of all answers but WRITEPROTECT */
#define UFFDIO_MODE_WP               2UL /* of COPY and CONTINUE */
#define UFFDIO_MOVE_ALLOW_SRC_HOLES  2UL
#define UFFDIO_WRITEPROTECT_WP       1UL
#define UFFDIO_WRITEPROTECT_DONTWAKE 2UL

#define UFFD_EVENT_PAGEFAULT 0x12
#define UFFD_EVENT_FORK      0x13
#define UFFD_EVENT_REMAP     0x14
#define UFFD_EVENT_REMOVE    0x15
#define UFFD_EVENT_UNMAP     0x16

#define UFFD_PAGEFAULT_FLAG_WRITE 1UL
#define UFFD_PAGEFAULT_FLAG_WP    2UL
#define UFFD_PAGEFAULT_FLAG_MINOR 4UL

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

/* CONTINUE and POISON, too: what they did stands where ZEROPAGE has it. */
struct uapi_uffdio_writeprotect {
    struct uapi_uffdio_range range;
    uint64_t mode;
};

struct uapi_uffdio_move {
    uint64_t dst, src, len, mode;
    int64_t move;
};

struct uapi_uffd_msg {
    uint8_t event, reserved[7];
    union {
        struct { /* UFFD_EVENT_PAGEFAULT */
            uint64_t flags, address;
            uint32_t ptid, rest;
        };
        uint32_t fd; /* UFFD_EVENT_FORK */
        struct {     /* UFFD_EVENT_REMAP */
            uint64_t from, to, len;
        };
        struct { /* UFFD_EVENT_REMOVE, UFFD_EVENT_UNMAP */
            uint64_t start, end;
        };
    };
};

_Static_assert(sizeof(struct uapi_uffd_msg) == 32, "userfaultfd(2)");
