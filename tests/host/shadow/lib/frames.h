/* SPDX-License-Identifier: MIT */
/*
 * tests/host/shadow/lib/frames.h - pages by the C library, which the sanitizers watch
 *
 * Room:   tests/host: stands in for include/lib/frames.h, which tests/host/test_string.c tests.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) same names, same meaning.
 * Source: -
 * Tour:   with tests/host/host.mk.
 */
#pragma once

#include <string.h>

static inline void zero_frames(void *dst, size_t size_bytes)
{
    memset(dst, 0, size_bytes);
}

static inline void copy_frames(void *dst, const void *src, size_t size_bytes)
{
    memcpy(dst, src, size_bytes);
}
