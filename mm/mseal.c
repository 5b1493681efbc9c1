/* SPDX-License-Identifier: MIT */
/*
 * mm/mseal.c - areas that stay as they are until the program ends
 *
 * Room:   mm.
 * Owns:   VM_SEALED, mm.has_sealed.
 * Locks:  mmap_lock for writing the range.
 * Always: (1) a sealed area is not unmapped, moved, resized, replaced, and its rights and key stay;
 *             its contents go only where the program could write them anyway;
 *         (2) nothing takes the seal away but the end of the address space.
 * Source: mseal(2); Linux Documentation/userspace-api/mseal.rst (behaviour).
 * Tour:   after mm/protect.c; each refusal stands where the change would be made.
 */
#include "internal.h"
#include <asm/pkey.h>
#include <uapi/errno.h>

bool range_has_sealed(struct mm *mm, uint64_t start, uint64_t end)
{
    const struct vma *vma = vma_find_from(mm, start);

    for (; vma && vma->start < end; vma = vma_next(vma))
        if (vma->flags & VM_SEALED)
            return true;
    return false;
}

bool vma_may_discard(const struct vma *vma)
{
    return !(vma->flags & VM_SEALED) || vma->object ||
           ((vma->flags & VM_WRITE) && !pkey_refuses(vma->pkey, true));
}

static bool is_mapped(struct mm *mm, uint64_t start, uint64_t end)
{
    const struct vma *vma = vma_find_from(mm, start);

    for (uint64_t at = start; at < end; at = vma->end, vma = vma_next(vma))
        if (!vma || vma->start > at)
            return false;
    return true;
}

static int seal_areas(struct mm *mm, uint64_t start, uint64_t end)
{
    struct vma *vma = vma_find_from(mm, start);

    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (vma->flags & VM_SEALED)
            continue;
        int err = vma_isolate(mm, &vma, max(vma->start, start), min(vma->end, end));
        if (err)
            return err;
        vma->flags |= VM_SEALED;
        WRITE_ONCE(mm->has_sealed, true);
        vma = vma_merge(mm, vma);
    }
    return 0;
}

int mm_seal(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    uint64_t end = addr + len_bytes;
    int err = -ENOMEM;

    rwsem_write_begin(&mm->mmap_lock, addr, end);
    rwsem_write_range(&mm->mmap_lock, addr, end);
    if (is_mapped(mm, addr, end))
        err = seal_areas(mm, addr, end);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}
