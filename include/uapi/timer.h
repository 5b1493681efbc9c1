/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/timer.h - timers of a process
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: setitimer(2), timer_create(2), sigevent(7).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

struct uapi_sigevent {
    uint64_t value;
    int32_t signo, notify, tid;
    int32_t pad[11];
};

_Static_assert(sizeof(struct uapi_sigevent) == 64, "sigevent");
