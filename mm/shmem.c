/* SPDX-License-Identifier: MIT */
/*
 * mm/shmem.c - ordinary memory objects: memfd, tmpfs files, shared anonymous memory
 *
 * Room:   mm.
 * Owns:   how a shmem folio is made: one zeroed page, or 2 MiB where the policy says so.
 * Locks:  the object's index_lock, through object.c.
 * Always: (1) a page is zero before anybody can find it in the index;
 *         (2) what cannot be had huge is had small: only the lack of a small page is an error.
 * Source: memfd_create(2); tmpfs(5); Linux Documentation/admin-guide/mm/transhuge.rst.
 * Tour:   after mm/object.c; the simplest kind of memory.
 */
#include "internal.h"
#include <uapi/errno.h>

unsigned shmem_huge_setting = SHMEM_HUGE_NEVER, shmem_huge_no_mount = SHMEM_HUGE_NEVER;

/* What decides about huge pages of @object now: of ALWAYS to FORCE. */
static enum shmem_huge policy_of(const struct object *object)
{
    unsigned setting = READ_ONCE(shmem_huge_setting);

    if (setting == SHMEM_HUGE_DENY || setting == SHMEM_HUGE_FORCE)
        return setting;
    return object->huge == SHMEM_HUGE_NO_MOUNT ? READ_ONCE(shmem_huge_no_mount) : object->huge;
}

bool shmem_wants_huge(const struct object *object, uint64_t index, enum object_get how)
{
    enum shmem_huge policy = policy_of(object);
    uint64_t unit_end = (round_down(index, PT_ENTRIES) + PT_ENTRIES) << PAGE_SHIFT;

    if (object->ops != &shmem_ops || how == OBJECT_GET_SMALL || policy == SHMEM_HUGE_DENY)
        return false;
    if (policy == SHMEM_HUGE_ALWAYS || policy == SHMEM_HUGE_FORCE)
        return true;
    if (policy == SHMEM_HUGE_WITHIN_SIZE && round_up(object_size(object), PAGE_SIZE) >= unit_end)
        return true;
    return policy != SHMEM_HUGE_NEVER && how == OBJECT_GET_ADVISED;
}

bool shmem_wants_units(const struct object *object)
{
    enum shmem_huge policy = policy_of(object);
    return object->ops == &shmem_ops && policy != SHMEM_HUGE_NEVER && policy != SHMEM_HUGE_DENY;
}

/* What was not there a moment ago. -EEXIST: it came, or it came and went; look again. */
static int make_page(struct object *object, uint64_t index, enum object_get how, struct page **out)
{
    bool huge = shmem_may_want_huge(object) && shmem_wants_huge(object, index, how);

    if (huge && !object_add_block(object, index, how == OBJECT_GET_RESERVE)) {
        *out = object_find_page(object, index);
        return *out ? 0 : -EEXIST;
    }
    int err = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_OBJECT), out);
    if (err)
        return err;
    if (how == OBJECT_GET_RESERVE)
        (*out)->flags |= PAGE_UNTOUCHED;
    err = object_add_page(object, index, *out);
    if (err)
        page_put(*out);
    return err;
}

static int shmem_get_page(struct object *object, uint64_t index, enum object_get how,
                          struct page **out)
{
    int err;

    do {
        *out = object_find_page(object, index);
        if (how == OBJECT_GET_EXISTING)
            return 0;
        if (*out) {
            object_touch(object, *out);
            return 0;
        }
        err = make_page(object, index, how, out);
    } while (unlikely(err == -EEXIST));
    return err;
}

const struct object_ops shmem_ops = {
    .name = "shmem",
    .get_page = shmem_get_page,
    .make_page = make_page,
    .remove_folios = object_remove_folios,
    .promises = true,
    .kernel_access = true,
};
