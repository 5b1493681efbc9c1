/* SPDX-License-Identifier: MIT */
/*
 * include/lib/string.h - bytes and NUL-terminated strings
 *
 * Room:   lib.
 * Owns:   the names the C library has for copying, filling and comparing.
 * Locks:  none.
 * Always: (1) same meaning as ISO C and POSIX; strlcpy as in BSD;
 *         (2) a constant length becomes a few moves in place, not a call.
 * Source: ISO C11 7.24; strlcpy(3).
 * Tour:   with lib/string.c.
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len_bytes);
void *memmove(void *dst, const void *src, size_t len_bytes);
void *memset(void *dst, int byte, size_t len_bytes);
int memcmp(const void *a, const void *b, size_t len_bytes);

/* Zero @nr_words words of eight bytes: what an object is made of. Pages: lib/frames.h. */
static inline void zero_words(void *dst, size_t nr_words)
{
    __asm__ volatile("rep stosq" : "+D"(dst), "+c"(nr_words) : "a"(0) : "memory");
}

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/**
 * strlcpy() - copy a string into a buffer of known size
 * @dst: buffer; NUL-terminated afterwards when @size_bytes is not 0
 * @src: NUL-terminated string
 * @size_bytes: size of @dst, the NUL included
 *
 * Return: strlen(@src); a value >= @size_bytes means that the copy was cut.
 */
size_t strlcpy(char *dst, const char *src, size_t size_bytes);

/* -ffreestanding takes these away from the compiler; small constant lengths want them back. */
#define memcpy(dst, src, len_bytes)  __builtin_memcpy(dst, src, len_bytes)
#define memset(dst, byte, len_bytes) __builtin_memset(dst, byte, len_bytes)
