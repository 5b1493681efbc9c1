/* SPDX-License-Identifier: MIT */
/*
 * kernel/vector.c - several buffers of the running program, one after another
 *
 * Room:   kernel.
 * Owns:   see vector.h.
 * Locks:  none.
 * Always: see vector.h.
 * Source: readv(2).
 * Tour:   after kernel/files.c; used by kernel/sys_fs.c and kernel/sys_message.c.
 */
#include "vector.h"

#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>

void vector_put(struct vector *v)
{
    if (v->parts != v->few)
        kmem_free(v->parts);
}

static int vector_check(struct vector *v)
{
    v->len_bytes = 0;
    for (unsigned i = 0; i < v->nr; i++) {
        struct uapi_iovec *part = &v->parts[i];
        if ((int64_t)part->len < 0)
            return -EINVAL;
        if (!user_range_ok(user(part->base), part->len))
            return -EFAULT;
        part->len = min(part->len, MAX_RW_COUNT - v->len_bytes);
        v->len_bytes += part->len;
    }
    return 0;
}

int vector_get(struct vector *v, user_addr_t from, size_t nr)
{
    if (nr > IOV_MAX)
        return -EINVAL;
    v->nr = nr;
    v->parts = v->few;
    if (nr > ARRAY_SIZE(v->few))
        v->parts = kmem_alloc(nr * sizeof(*v->parts), SLAB_ALLOC_PLAIN);
    if (!v->parts)
        return -ENOMEM;
    int err = copy_from_user(v->parts, from, nr * sizeof(*v->parts));
    if (!err)
        err = vector_check(v);
    if (err)
        vector_put(v);
    return err;
}

/* Put v->at on the buffer that holds byte @done. Callers mostly move forward. */
static void vector_seek(struct vector_copy *v, size_t done)
{
    if (done < v->at_offset)
        v->at = v->at_offset = 0;
    while (v->at < v->nr && done >= v->at_offset + v->vector[v->at].len)
        v->at_offset += v->vector[v->at++].len;
}

static size_t vector_copy(struct object_copy *c, void *kva, size_t done, size_t len)
{
    struct vector_copy *v = container_of(c, struct vector_copy, copy);
    size_t moved = 0;

    while (moved < len) {
        vector_seek(v, done + moved);
        if (v->at == v->nr)
            break;
        const struct uapi_iovec *part = &v->vector[v->at];
        size_t offset = done + moved - v->at_offset;
        size_t chunk = min(len - moved, part->len - offset);
        user_addr_t at = user(part->base + offset);
        size_t left = v->out ? copy_to_user_partial(at, (char *)kva + moved, chunk)
                             : copy_from_user_partial((char *)kva + moved, at, chunk);
        moved += chunk - left;
        if (left)
            break;
    }
    return len - moved;
}

struct vector_copy user_vector(const struct uapi_iovec *vector, unsigned nr, bool out)
{
    return (struct vector_copy){.copy = {vector_copy}, .vector = vector, .nr = nr, .out = out};
}
