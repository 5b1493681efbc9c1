/* SPDX-License-Identifier: MIT */
/*
 * mm/detach.c - taking an object out of an address space by the place of its first byte: shmdt(2)
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for reading while an area is looked for; mm_unmap() takes it for writing.
 * Always: (1) areas of other objects stay, even those that lie between parts of this one.
 * Source: shmop(2).
 * Tour:   after mm/map.c; kernel/sysv_shm.c is who asks.
 */
#include "internal.h"
#include <uapi/errno.h>

/* What is looked for, and what was found last. */
struct search {
    uint64_t addr; /* where the first byte of the object is mapped */
    uint64_t end;  /* the object reaches no further */
    void (*of)(struct object *object);
    struct object *object; /* a reference, once one was found */
    uint64_t from, found_start, found_end;
};

static bool fits(const struct search *s, const struct vma *vma)
{
    const struct object *object = vma->object;

    if (!object || object->unmapped != s->of || (s->object && object != s->object))
        return false;
    return vma->start >= s->addr && vma->pgoff == (vma->start - s->addr) >> PAGE_SHIFT;
}

static void remember(struct search *s, const struct vma *vma)
{
    if (!s->object) {
        s->object = vma->object;
        object_get(s->object);
        s->end = s->addr + round_up(object_size(s->object), PAGE_SIZE);
    }
    s->found_start = vma->start;
    s->found_end = vma->end;
    s->from = vma->end;
}

static bool find_next(struct mm *mm, struct search *s)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, s->from);

    while (vma && vma->start < s->end && !fits(s, vma))
        vma = vma_next(vma);
    bool found = vma && vma->start < s->end;
    if (found)
        remember(s, vma);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return found;
}

int mm_unmap_object(struct mm *mm, uint64_t addr, void (*of)(struct object *object))
{
    struct search s = {.addr = addr, .end = USER_END, .of = of, .from = addr};
    int err = 0;

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    while (!err && find_next(mm, &s)) {
        err = mm_unmap(mm, s.found_start, s.found_end - s.found_start);
        err = err == -EPERM ? 0 : err; /* as on Linux, what is sealed stays and nobody is told */
    }
    if (!s.object)
        return -EINVAL;
    object_put(s.object);
    return err;
}
