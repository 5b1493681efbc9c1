/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault.c - areas whose missing pages are asked of a program
 *
 * Room:   mm.
 * Owns:   which areas ask, and what.
 * Locks:  mmap_lock: for writing while areas begin or cease to ask, for reading to ask.
 * Always: (1) an area asks only if its program could have written it by itself;
 *         (2) where nobody is told of writes any more no mark is left.
 * Source: userfaultfd(2); trust.md B46; Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after mm/fault_watch.c; then mm/userfault_answer.c, kernel/userfaultfd.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

void userfault_get(struct userfault *u)
{
    atomic_fetch_add(&u->refcount, 1);
}

void userfault_put(struct userfault *u)
{
    if (atomic_fetch_sub(&u->refcount, 1) == 1)
        u->ops->release(u);
}

/* Asking */

enum fault_result mm_userfault_ask(struct mm *mm, struct userfault_question *q)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, q->addr);
    struct userfault *u = vma ? vma->userfault : NULL;
    if (u) {
        userfault_get(u);
        q->unit = vma_unit(vma);
        q->reason = userfault_reason(vma, q->addr, q->access);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    if (!u)
        return FAULT_RESOLVED; /* it is not asked any more */
    enum fault_result result = q->reason ? u->ops->wait(u, mm, q) : FAULT_RESOLVED;
    userfault_put(u);
    return result;
}

enum fault_result mm_fault_and_ask(struct mm *mm, user_addr_t addr, enum fault_access access)
{
    struct userfault_question q = {.addr = addr.raw, .access = access, .by_kernel = true};
    enum fault_result result;

    do {
        result = mm_fault(mm, addr, access);
        if (result != FAULT_ASKED)
            break;
        result = mm_userfault_ask(mm, &q);
    } while (result == FAULT_RESOLVED);
    return result;
}

bool mm_userfault_is_open(struct mm *mm, const struct userfault_question *q,
                          const struct userfault *u)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, q->addr);
    bool open = vma && vma->userfault == u && userfault_reason(vma, q->addr, q->access);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return open;
}

/* Which areas ask */

/* Has it pages that could come as answers? Who only notes first writes asks nothing. */
static bool can_ask(const struct vma *vma, uint32_t modes, const struct userfault *u)
{
    if (vma_is_secret(vma) || (vma->flags & VM_DROPPABLE))
        return false;
    if (u->wp_async && modes == VM_UFFD_WP)
        return true;
    if (vma->object)
        return vma->object->ops == &shmem_ops || (vma->flags & VM_HUGETLB);
    return !(modes & VM_UFFD_MINOR);
}

/* What is wrong with asking @u about the part of [start, end) that @vma has? */
static int check_area(const struct vma *vma, uint64_t start, uint64_t end, uint32_t modes,
                      const struct userfault *u)
{
    uint64_t to = min(end, vma->end), from = max(start, vma->start);

    if (!can_ask(vma, modes ? modes : vma->flags & VM_UFFD, u))
        return -EINVAL;
    if (modes && !(vma->flags & VM_MAYWRITE) && !bug_is_back(BUG_B46))
        return -EPERM; /* claim 1 */
    if (!is_aligned(from | to, vma_unit(vma)))
        return -EINVAL;
    return vma->userfault && vma->userfault != u ? -EBUSY : 0;
}

/* @modes: 0: to ask no more */
static int check_range(struct mm *mm, uint64_t start, uint64_t end, uint32_t modes,
                       const struct userfault *u, bool *hugetlb)
{
    const struct vma *vma = vma_find_from(mm, start);

    if (!vma || vma->start >= end)
        return -EINVAL;
    for (; vma && vma->start < end; vma = vma_next(vma)) {
        int err = check_area(vma, start, end, modes, u);
        if (err)
            return err;
        *hugetlb |= vma->flags & VM_HUGETLB;
    }
    return 0;
}

/* Claim 2. */
static void unmark(const struct vma *vma)
{
    struct tlb_gather gather;

    tlb_gather_begin(&gather, &vma->mm->pgtable);
    int err = area_tell_writes(vma, vma->start, vma->end, TELL_NOT, &gather);
    ASSERT(!err, "claim: taking marks away needs no memory");
    tlb_gather_end(&gather);
}

void vma_set_asked(struct vma *vma, struct userfault *u, uint32_t modes)
{
    struct userfault *before = vma->userfault;

    if (vma->flags & ~modes & VM_UFFD_WP)
        unmark(vma);
    if (u)
        userfault_get(u);
    vma->userfault = u;
    vma->flags = (vma->flags & ~VM_UFFD) | modes;
    if (before)
        userfault_put(before);
}

/* All areas of the range ask @u, or, with no @modes, nobody. */
static int set_range(struct mm *mm, uint64_t start, uint64_t end, struct userfault *u,
                     uint32_t modes)
{
    struct vma *vma = vma_find_from(mm, start);

    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (vma->userfault == u && (vma->flags & modes) == modes)
            continue;
        int err = vma_isolate(mm, &vma, max(vma->start, start), min(vma->end, end));
        if (err)
            return err;
        vma_set_asked(vma, u, modes);
        vma = vma_merge(mm, vma);
    }
    return 0;
}

int mm_userfault_register(struct mm *mm, uint64_t start, uint64_t end, uint32_t modes,
                          struct userfault *u, bool *hugetlb)
{
    *hugetlb = false;
    rwsem_write_lock(&mm->mmap_lock);
    int err = check_range(mm, start, end, modes, u, hugetlb);
    WRITE_ONCE(mm->watched, true);
    if (!err)
        err = set_range(mm, start, end, u, modes | (u->wp_async ? VM_UFFD_ASYNC : 0));
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

int mm_userfault_unregister(struct mm *mm, uint64_t start, uint64_t end, struct userfault *u)
{
    bool hugetlb = false;

    rwsem_write_lock(&mm->mmap_lock);
    int err = check_range(mm, start, end, 0, u, &hugetlb);
    if (!err)
        err = set_range(mm, start, end, NULL, 0);
    rwsem_write_unlock(&mm->mmap_lock);
    return err == -EBUSY ? -EINVAL : err;
}

void mm_userfault_forget(struct mm *mm, struct userfault *u)
{
    rwsem_write_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma)) {
        if (vma->userfault != u)
            continue;
        vma_set_asked(vma, NULL, 0);
        vma = vma_merge(mm, vma);
    }
    rwsem_write_unlock(&mm->mmap_lock);
}
