/* SPDX-License-Identifier: MIT */
/*
 * kernel/vector.h - several buffers of the running program, one after another
 *
 * Room:   kernel.
 * Owns:   struct vector, the kernel's copy of a program's list.
 * Locks:  none.
 * Always: (1) what vector_get() took, vector_put() gives back;
 *         (2) parts are cut so that all of them are at most MAX_RW_COUNT bytes.
 * Source: readv(2).
 * Tour:   after kernel/files.h.
 */
#pragma once

#include <lib/addr.h>
#include <mm/object.h>
#include <uapi/uio.h>

struct vector {
    struct uapi_iovec few[8], *parts;
    unsigned nr;
    size_t len_bytes;
};

/* 0; -EINVAL: too many, or too long; -EFAULT, -ENOMEM. */
int __must_check vector_get(struct vector *v, user_addr_t from, size_t nr);
void vector_put(struct vector *v);

/* What moves bytes to or from all of them. */
struct vector_copy {
    struct object_copy copy;
    const struct uapi_iovec *vector;
    unsigned nr;
    bool out;         /* the kernel writes into them */
    unsigned at;      /* the buffer that holds .. */
    size_t at_offset; /* .. this byte of the whole, its first */
};

struct vector_copy user_vector(const struct uapi_iovec *vector, unsigned nr, bool out);
