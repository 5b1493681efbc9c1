/* SPDX-License-Identifier: MIT */
/*
 * include/lib/frames.h - zeroing and copying whole pages: by string instructions, or by moves
 *
 * Room:   lib.
 * Owns:   fast_string, which arch/x86_64/fast_string.c sets at boot.
 * Locks:  none.
 * Always: (1) both ways do the same; both in line: a caller keeps its registers.
 * Source: Intel SDM 1, "Fast-String Operation": of a page, nothing is quicker than REP MOVS and
 *         REP STOS. An emulator does them word by word, and is up to three times as quick by MOV.
 * Tour:   with include/lib/string.h, for what is smaller.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>

extern bool fast_string;

#define FRAMES_AT_ONCE 64 /* bytes in a round of moves */
#define FRAMES_ROUND   "0, 8, 16, 24, 32, 40, 48, 56"

/* @size_bytes: pages, not none. */
static inline void zero_frames(void *dst, size_t size_bytes)
{
    if (likely(fast_string)) {
        size_t words = size_bytes / 8;
        __asm__ volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(0) : "memory");
        return;
    }
    const char *end = (char *)dst + size_bytes;
    __asm__ volatile("0: .irp at, " FRAMES_ROUND "\n"
                     "movq %[zero], \\at(%[dst])\n"
                     ".endr\n"
                     "add %[round], %[dst]\n"
                     "cmp %[end], %[dst]\n"
                     "jne 0b"
                     : [dst] "+r"(dst)
                     : [end] "r"(end), [zero] "r"(0UL), [round] "i"(FRAMES_AT_ONCE)
                     : "memory", "cc");
}

/* The same; they do not overlap. */
static inline void copy_frames(void *dst, const void *src, size_t size_bytes)
{
    if (likely(fast_string)) {
        size_t words = size_bytes / 8;
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
        return;
    }
    const char *end = (char *)dst + size_bytes;
    uint64_t word;
    __asm__ volatile("0: .irp at, " FRAMES_ROUND "\n"
                     "movq \\at(%[src]), %[word]\n"
                     "movq %[word], \\at(%[dst])\n"
                     ".endr\n"
                     "add %[round], %[src]\n"
                     "add %[round], %[dst]\n"
                     "cmp %[end], %[dst]\n"
                     "jne 0b"
                     : [dst] "+r"(dst), [src] "+r"(src), [word] "=&r"(word)
                     : [end] "r"(end), [round] "i"(FRAMES_AT_ONCE)
                     : "memory", "cc");
}
