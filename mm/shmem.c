/* SPDX-License-Identifier: MIT */
/*
 * mm/shmem.c - ordinary memory objects: memfd, tmpfs files, shared anonymous memory
 *
 * Room:   mm.
 * Owns:   how a shmem folio is made: one zeroed page.
 * Locks:  the object's index_lock, through object.c.
 * Always: (1) a page is zero before anybody can find it in the index.
 * Source: memfd_create(2); tmpfs(5).
 * Tour:   after mm/object.c; the simplest kind of memory.
 */
#include "internal.h"
#include <uapi/errno.h>

static int shmem_get_page(struct object *object, uint64_t index, enum object_get how,
                          struct page **out)
{
    for (;;) {
        *out = object_find_page(object, index);
        if (*out && how != OBJECT_GET_EXISTING && ((*out)->flags & PAGE_UNTOUCHED))
            (*out)->flags &= (uint16_t)~PAGE_UNTOUCHED;
        if (*out || how == OBJECT_GET_EXISTING)
            return 0;
        int err = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_OBJECT), out);
        if (err)
            return err;
        if (how == OBJECT_GET_RESERVE)
            (*out)->flags |= PAGE_UNTOUCHED;
        err = object_add_page(object, index, *out);
        if (!err)
            return 0;
        page_put(*out);
        if (err != -EEXIST)
            return err;
    }
}

const struct object_ops shmem_ops = {
    .name = "shmem",
    .get_page = shmem_get_page,
    .remove_folios = object_remove_folios,
    .promises = true,
    .kernel_access = true,
};
