/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/personality.h - personality(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: personality(2).
 * Tour:   as needed.
 */
#pragma once

#define ADDR_NO_RANDOMIZE  0x0040000
#define ADDR_COMPAT_LAYOUT 0x0200000
#define READ_IMPLIES_EXEC  0x0400000
#define PERSONALITY_ASK    0xffffffffU /* says what it is, changes nothing */
