/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/lib/string.h - the C library's strings, which the sanitizers watch
 *
 * Room:   tests/host: stands in for include/lib/string.h; lib/string.c has a test of its own.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) same names, same meaning.
 * Source: -
 * Tour:   with tests/host/host.mk.
 */
#pragma once

#include <string.h>

size_t strlcpy(char *dst, const char *src, size_t size_bytes);

static inline void zero_words(void *dst, size_t nr_words)
{
    memset(dst, 0, nr_words * 8);
}
