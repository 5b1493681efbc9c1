/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/epoll.h - epoll
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: epoll(7), epoll_ctl(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLL_CLOEXEC 0x80000

#define EPOLLRDHUP     0x2000U
#define EPOLLEXCLUSIVE (1U << 28)
#define EPOLLWAKEUP    (1U << 29)
#define EPOLLONESHOT   (1U << 30)
#define EPOLLET        (1U << 31)

struct uapi_epoll_event {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));
