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

static int shmem_get_folio(struct object *object, uint64_t index, enum object_get how,
                           struct folio **out)
{
    for (;;) {
        *out = object_find_folio(object, index);
        if (*out && how != OBJECT_GET_EXISTING && ((*out)->page.flags & PAGE_UNTOUCHED))
            (*out)->page.flags &= (uint16_t)~PAGE_UNTOUCHED;
        if (*out || how == OBJECT_GET_EXISTING)
            return 0;
        struct page *page;
        int err = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_OBJECT), &page);
        if (err)
            return err;
        if (how == OBJECT_GET_RESERVE)
            page->flags |= PAGE_UNTOUCHED;
        *out = page_folio(page);
        err = object_add_folio(object, index, *out);
        if (!err)
            return 0;
        folio_put(*out);
        if (err != -EEXIST)
            return err;
    }
}

const struct object_ops shmem_ops = {
    .name = "shmem",
    .get_folio = shmem_get_folio,
    .remove_folios = object_remove_folios,
    .promises = true,
    .kernel_access = true,
};
