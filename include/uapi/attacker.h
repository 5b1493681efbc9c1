/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/attacker.h - the ioctls of debugfs' attacker, which looks for what must not be seen
 *
 * Room:   uapi. Numbers only; Bulla's own, and only in kernels with tests.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a pattern is told as two halves, which mean nothing alone: byte by byte it is the one
 *             xor the other.
 * Source: beyond-linux.md 9; trust.md section 4, attackers A1, A2, A5.
 * Tour:   with tests/kernel/attacker.c and tests/user/attacker.c.
 */
#pragma once

#include <stdint.h>

#define ATTACKER_PATH   "/sys/kernel/debug/attacker"
#define ATTACKER_BYTES  32 /* of a pattern */
#define ATTACKER_FRAMES 64 /* as many are told */

/* Of struct uapi_attack; the CPU is the caller's. */
#define ATTACK_LEAVES 0x6101U /* search through every leaf of the kernel's half, of every space */
#define ATTACK_FRAMES \
    0x6102U                  /* search every frame of RAM, through a window of the attacker's own */
#define ATTACK_TOUCH 0x6103U /* read the frames that are listed, where the direct map has RAM */
#define ATTACK_USER  0x6104U /* read the caller's address in ring 0, with AC clear */

struct uapi_attack {
    uint8_t half[2][ATTACKER_BYTES];  /* in */
    uint64_t address;                 /* in: ATTACK_USER */
    uint64_t words;                   /* found: aligned words that stand anywhere in the pattern */
    uint64_t pages;                   /* that were read */
    uint64_t spaces;                  /* LEAVES: address spaces */
    uint64_t refused;                 /* LEAVES: pages that have a leaf and could not be read */
    uint64_t stale;                   /* LEAVES: pages of RAM without a leaf that could be read */
    uint64_t open_code;               /* LEAVES: pages of code that could be written, anywhere */
    uint64_t absent;                  /* frames of RAM that the direct map lacks, now .. */
    uint64_t absent_at_boot;          /* .. and when there was no secret yet */
    uint64_t nr_frames;               /* FRAMES: that hold words; TOUCH, in: of the list */
    uint64_t frames[ATTACKER_FRAMES]; /* their numbers, as many as there is room for */
};
