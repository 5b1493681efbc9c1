/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/poll.h - poll(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: poll(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define POLLIN     0x001
#define POLLPRI    0x002
#define POLLOUT    0x004
#define POLLERR    0x008
#define POLLHUP    0x010
#define POLLNVAL   0x020
#define POLLRDNORM 0x040
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#define POLLRDHUP  0x2000

struct uapi_pollfd {
    int32_t fd;
    int16_t events, revents;
};
