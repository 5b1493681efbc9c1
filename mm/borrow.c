/* SPDX-License-Identifier: MIT */
/*
 * mm/borrow.c - memory objects made of pages that other objects have
 *
 * Room:   mm.
 * Owns:   what such an object has in its index: each page with a pin for long.
 * Locks:  the lender's object.lock by the caller, from looking at its seals on; index_lock of one
 *         object at a time.
 * Always: (1) an object's pages are the same from its first mapping to its end, whatever the lender
 *             does with its own;
 *         (2) page.object is the lender's affair: NULL once it has the page no more.
 * Source: Linux Documentation/userspace-api/dma-buf-alloc-exchange.rst (the use).
 * Tour:   after mm/pin.c and mm/shmem.c; kernel/udmabuf.c makes them.
 */
#include "internal.h"
#include <mm/pin.h>
#include <uapi/errno.h>

/* A page of the lender's is mapped as any other: the leaf has a reference of its own. */
static int borrowed_get_page(struct object *object, uint64_t index, enum object_get how,
                             struct page **out)
{
    (void)how;
    *out = object_find_page(object, index);
    return 0;
}

static void borrowed_remove_folios(struct object *object, uint64_t start, uint64_t end)
{
    struct page *page;

    for (uint64_t i = start; (page = index_next(&object->folios, &i)) && i < end; i++) {
        index_remove(&object->folios, i);
        page_unkeep(page);
    }
}

const struct object_ops borrowed_ops = {
    .name = "borrowed",
    .get_page = borrowed_get_page,
    .remove_folios = borrowed_remove_folios,
    .borrows = true,
};

/* The page of @from at @pos becomes the last of @object. */
static int borrow_page(struct object *object, struct object *from, uint64_t pos)
{
    uint64_t index = object_size(object) >> PAGE_SHIFT;
    struct page *page;

    int err = object_keep(from, pos, &page);
    if (err)
        return err;
    spin_lock(&object->index_lock);
    err = index_insert(&object->folios, index, page);
    spin_unlock(&object->index_lock);
    if (err) {
        page_unkeep(page);
        return err;
    }
    atomic_store(&object->size_bytes, (index + 1) << PAGE_SHIFT);
    atomic_fetch_add(&object->nr_pages, 1);
    return 0;
}

int object_borrow(struct object *object, struct object *from, uint64_t pos, uint64_t len_bytes)
{
    int err = 0;

    for (uint64_t end = pos + len_bytes; pos < end && !err; pos += PAGE_SIZE)
        err = borrow_page(object, from, pos);
    return err;
}
