/* SPDX-License-Identifier: MIT */
/*
 * include/lib/compiler.h - the few words the language lacks
 *
 * Room:   lib.
 * Owns:   attributes and the small macros every file uses.
 * Locks:  none.
 * Always: (1) every macro evaluates its arguments once, or is named for a constant.
 * Source: GCC manual, "Attribute Syntax".
 * Tour:   with include/lib/addr.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define __must_check        __attribute__((warn_unused_result))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __packed            __attribute__((packed))
#define __aligned(n)        __attribute__((aligned(n)))
#define __cold              __attribute__((cold, noinline))
#define __no_inline         __attribute__((noinline))
#define __force_inline      inline __attribute__((always_inline))
#define __unused            __attribute__((unused))
#define __weak              __attribute__((weak)) /* of a declaration: NULL when nobody has it */
#define __section(name)     __attribute__((section(name), used))
#define likely(x)           __builtin_expect(!!(x), 1)
#define unlikely(x)         __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure that embeds @ptr as its @member. */
#define container_of(ptr, type, member) \
    ((type *)((char *)(ptr)-offsetof(type, member) + 0 * sizeof((ptr) == &((type *)0)->member)))

#define min(a, b)             \
    ({                        \
        __auto_type _a = (a); \
        __auto_type _b = (b); \
        _a < _b ? _a : _b;    \
    })
#define max(a, b)             \
    ({                        \
        __auto_type _a = (a); \
        __auto_type _b = (b); \
        _a > _b ? _a : _b;    \
    })

/* Compilers may neither tear nor repeat these accesses; they order nothing. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
