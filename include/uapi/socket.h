/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/socket.h - socket(2) and its neighbours, as far as AF_UNIX goes
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: socket(2), socket(7), unix(7), sendmsg(2), recvmsg(2), cmsg(3).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define AF_UNSPEC 0
#define AF_UNIX   1
#define AF_MAX    46

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_MAX       11
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  04000
#define SOCK_CLOEXEC   02000000

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2

#define MSG_OOB          0x1
#define MSG_PEEK         0x2
#define MSG_CTRUNC       0x8
#define MSG_TRUNC        0x20
#define MSG_DONTWAIT     0x40
#define MSG_WAITALL      0x100
#define MSG_NOSIGNAL     0x4000
#define MSG_WAITFORONE   0x10000
#define MSG_CMSG_CLOEXEC 0x40000000

#define SOL_SOCKET 1

#define SO_REUSEADDR   2
#define SO_TYPE        3
#define SO_ERROR       4
#define SO_SNDBUF      7
#define SO_RCVBUF      8
#define SO_PASSCRED    16
#define SO_PEERCRED    17
#define SO_RCVLOWAT    18
#define SO_RCVTIMEO    20
#define SO_SNDTIMEO    21
#define SO_ACCEPTCONN  30
#define SO_PROTOCOL    38
#define SO_DOMAIN      39
#define SO_RCVTIMEO_64 66
#define SO_SNDTIMEO_64 67

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD      253

#define SOMAXCONN     4096
#define UNIX_PATH_MAX 108

struct uapi_sockaddr_un {
    uint16_t family;
    char path[UNIX_PATH_MAX];
};

struct uapi_sockaddr_storage { /* room for an address of any family */
    uint16_t family;
    char data[126];
};

struct uapi_msghdr {
    uint64_t name;
    int32_t name_len;
    uint32_t pad;
    uint64_t iov, nr_iov;
    uint64_t control, control_len;
    uint32_t flags, pad2;
};

struct uapi_mmsghdr {
    struct uapi_msghdr header;
    uint32_t len, pad;
};

struct uapi_cmsghdr {
    uint64_t len; /* with this header */
    int32_t level, type;
};

#define CMSG_ALIGN(len) (((len) + 7) & ~7UL)

struct uapi_ucred {
    int32_t pid;
    uint32_t uid, gid;
};
