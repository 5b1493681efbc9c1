/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/capability.h - capabilities, their sets as capget(2) passes them, secure bits
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: capabilities(7), capget(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

enum {
    CAP_CHOWN = 0,
    CAP_DAC_OVERRIDE = 1,
    CAP_DAC_READ_SEARCH = 2,
    CAP_FOWNER = 3,
    CAP_FSETID = 4,
    CAP_KILL = 5,
    CAP_SETGID = 6,
    CAP_SETUID = 7,
    CAP_SETPCAP = 8,
    CAP_LINUX_IMMUTABLE = 9,
    CAP_IPC_LOCK = 14,
    CAP_IPC_OWNER = 15,
    CAP_SYS_RAWIO = 17,
    CAP_SYS_CHROOT = 18,
    CAP_SYS_PTRACE = 19,
    CAP_SYS_ADMIN = 21,
    CAP_SYS_BOOT = 22,
    CAP_SYS_NICE = 23,
    CAP_SYS_RESOURCE = 24,
    CAP_MKNOD = 27,
    CAP_MAC_OVERRIDE = 32,
    CAP_SYSLOG = 34,
    CAP_WAKE_ALARM = 35,
    CAP_LAST = 40
};

#define CAP_BIT(cap) (1UL << (cap))
#define CAP_ALL      (CAP_BIT(CAP_LAST + 1) - 1)

/* Those that change with the user that files are asked as. */
#define CAP_OF_FILES                                                                 \
    (CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
     CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) |      \
     CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

#define CAP_VERSION_1 0x19980330
#define CAP_VERSION_2 0x20071026
#define CAP_VERSION_3 0x20080522

struct uapi_cap_header {
    uint32_t version;
    int32_t pid;
};

struct uapi_cap_data { /* 32 capabilities of each set */
    uint32_t effective, permitted, inheritable;
};

#define SECBIT_NOROOT               (1U << 0)
#define SECBIT_NO_SETUID_FIXUP      (1U << 2)
#define SECBIT_KEEP_CAPS            (1U << 4)
#define SECBIT_NO_CAP_AMBIENT_RAISE (1U << 6)
#define SECBITS_ALL                 0xffU
#define SECBITS_LOCKS               0xaaU /* each beside the bit that it locks */

#define GROUPS_MAX 65536
