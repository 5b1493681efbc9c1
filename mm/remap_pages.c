/* SPDX-License-Identifier: MIT */
/*
 * mm/remap_pages.c - another part of the same object at the same place: remap_file_pages
 *
 * Room:   mm.
 * Owns:   nothing: it finds what is mapped there, and maps it again.
 * Locks:  mmap_lock for reading to look; mm_map() takes it for writing.
 * Always: (1) the range is of one shared object, with the same rights throughout.
 * Source: remap_file_pages(2), which Linux emulates in the same way.
 * Tour:   after mm/map.c.
 */
#include "internal.h"
#include <uapi/errno.h>

#define SAME (VM_RIGHTS | VM_MAY_RIGHTS | VM_SHARED | VM_HUGETLB | VM_LOCKED)

/* What is mapped at r->addr, all along the range: its object with a reference, its rights. */
static int look(struct mm *mm, struct map_request *r)
{
    uint64_t end = r->addr + r->len_bytes;
    int err = -EINVAL;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, r->addr), *next = vma;
    if (vma && (vma->flags & VM_SHARED) && vma->object) {
        while (next && next->end < end) {
            const struct vma *before = next;
            next = vma_next(next);
            if (next && (next->start != before->end || next->object != vma->object ||
                         next->flags != vma->flags))
                next = NULL;
        }
        err = next ? 0 : -EINVAL;
    }
    if (!err) {
        r->flags = vma->flags & SAME;
        r->pkey = vma->pkey;
        r->object = vma->object;
        object_get(r->object);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int mm_remap_pages(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint64_t pgoff, bool populate)
{
    struct map_request r = {.addr = addr,
                            .len_bytes = len_bytes,
                            .place = MAP_FIXED_REPLACE,
                            .pgoff = pgoff,
                            .populate = populate};
    uint64_t at;

    int err = look(mm, &r);
    if (err)
        return err;
    bool fits = pgoff <= (INT64_MAX - len_bytes) >> PAGE_SHIFT; /* as a file's size must */
    err = fits ? mm_map(mm, &r, &at) : -EOVERFLOW;
    object_put(r.object);
    return err;
}
