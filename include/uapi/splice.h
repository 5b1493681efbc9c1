/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/splice.h - splice(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: splice(2), vmsplice(2).
 * Tour:   as needed.
 */
#pragma once

#define SPLICE_F_MOVE     1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE     4
#define SPLICE_F_GIFT     8
#define SPLICE_F_ALL      15
