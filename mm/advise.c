/* SPDX-License-Identifier: MIT */
/*
 * mm/advise.c - marking areas: locked, not forked, not dumped; and asking what is resident
 *
 * Room:   mm.
 * Owns:   the walk over the areas of a range that changes only their flags.
 * Locks:  mmap_lock for writing the range; for reading to ask.
 * Always: (1) locked_pages is the sum of the areas with VM_LOCKED;
 *         (2) a gap in the range is -ENOMEM, but what is mapped is still done, as Linux does.
 * Source: madvise(2), mlock(2), mincore(2).
 * Tour:   after mm/protect.c.
 */
#include "internal.h"
#include <asm/pkey.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

/* Change one area's part; *@at becomes the area to go on after. */
static int flag_area(struct mm *mm, struct vma **at, uint64_t start, uint64_t end, uint32_t flags)
{
    if ((*at)->flags == flags)
        return 0;
    int err = vma_isolate(mm, at, start, end);
    if (err)
        return err;
    int64_t pages = vma_pages(*at);
    mm->locked_pages += pages * (!!(flags & VM_LOCKED) - !!((*at)->flags & VM_LOCKED));
    (*at)->flags = flags;
    *at = vma_merge(mm, *at);
    return 0;
}

static bool is_hugetlb(const struct vma *vma)
{
    return vma->object && object_is_hugetlb(vma->object);
}

/* What mlock() leaves as it is: secrets stay locked; what can be dropped, and huge pages of a pool,
 * which stay in memory anyhow, are never locked. */
static bool keeps_lock(const struct vma *vma)
{
    return vma_is_secret(vma) || (vma->flags & VM_DROPPABLE) || is_hugetlb(vma);
}

/* madvise() passes over gaps, mlock() ends at one; both say -ENOMEM. No memory to
 * split an area is -EAGAIN for madvise(). */
enum walk { ADVISE, LOCK };

/* Every area of the range, in order. mmap_lock held for writing. */
static int flag_range(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear,
                      enum walk walk)
{
    struct vma *vma = vma_find_from(mm, start);
    uint64_t at = start;
    int gap = 0;

    while (at < end) {
        if (!vma || vma->start >= end)
            return -ENOMEM;
        if (vma->start > at && walk == LOCK)
            return -ENOMEM;
        if (vma->start > at)
            gap = -ENOMEM;
        uint64_t from = max(vma->start, at), to = min(vma->end, end);
        bool spared = walk == LOCK && keeps_lock(vma);
        if ((set & (VM_DONTFORK | VM_WIPEONFORK)) && !vma_may_discard(vma))
            return -EPERM;
        if ((set & VM_WIPEONFORK) && vma->object)
            return -EINVAL; /* it is not this process's alone */
        if ((vma->flags & VM_DROPPABLE) && (clear & (VM_WIPEONFORK | VM_DONTDUMP)))
            return -EINVAL;
        int err = spared ? 0 : flag_area(mm, &vma, from, to, (vma->flags & ~clear) | set);
        if (err)
            return walk == ADVISE && err == -ENOMEM ? -EAGAIN : err;
        at = to;
        if (vma->end <= at)
            vma = vma_next(vma);
    }
    return gap;
}

int mm_change_flags(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t set, uint32_t clear)
{
    if (set & VM_HUGEPAGE)
        thp_scan_add(mm);
    rwsem_write_begin(&mm->mmap_lock, addr, addr + len_bytes);
    rwsem_write_range(&mm->mmap_lock, addr, addr + len_bytes);
    int err = flag_range(mm, addr, addr + len_bytes, set, clear, ADVISE);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

/* Is all of it mapped; or, if that will do, some? mmap_lock held. */
static bool is_mapped(struct mm *mm, uint64_t start, uint64_t end, bool some)
{
    const struct vma *vma = vma_find_from(mm, start);

    if (some)
        return vma && vma->start < end;
    for (uint64_t at = start; at < end; at = vma->end, vma = vma_next(vma))
        if (!vma || vma->start > at)
            return false;
    return true;
}

static int policy_range(struct mm *mm, uint64_t start, uint64_t end, uint32_t policy)
{
    struct vma *vma = vma_find_from(mm, start);

    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (vma->mempolicy == policy)
            continue;
        int err = vma_isolate(mm, &vma, max(vma->start, start), min(vma->end, end));
        if (err)
            return err;
        vma->mempolicy = policy;
        vma = vma_merge(mm, vma);
    }
    return 0;
}

int mm_set_policy(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t policy)
{
    uint64_t end = addr + len_bytes;
    int err = -EFAULT;

    rwsem_write_begin(&mm->mmap_lock, addr, end);
    rwsem_write_range(&mm->mmap_lock, addr, end);
    if (is_mapped(mm, addr, end, !policy))
        err = policy_range(mm, addr, end, policy);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

/* How many pages of the range are not locked yet. */
static uint64_t unlocked_pages(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;
    for (struct vma *vma = vma_find_from(mm, start); vma && vma->start < end; vma = vma_next(vma))
        if (!(vma->flags & VM_LOCKED))
            bytes += min(vma->end, end) - max(vma->start, start);
    return bytes >> PAGE_SHIFT;
}

static bool over_limit(struct mm *mm, uint64_t more_pages)
{
    return !mm->limits.locked_exempt &&
           (mm->locked_pages + more_pages) << PAGE_SHIFT > mm->limits.locked;
}

/* Secret memory is not faulted in for a lock: the kernel does not touch it for anybody. Areas that
 * could not be told to wait for faults are filled, as on Linux. */
static int populate_locked(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t next;

    for (uint64_t va = start; va < end; va = next) {
        rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
        struct vma *vma = vma_find(mm, va);
        bool waits = vma && (vma->flags & VM_LOCKONFAULT);
        next = waits ? vma->end : va + PAGE_SIZE;
        bool refused = !vma || !(vma->flags & VM_RIGHTS) || vma_is_secret(vma);
        bool write = vma && (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
        refused |= vma && pkey_refuses(vma->pkey, write);
        rwsem_read_unlock(&mm->mmap_lock, reader);
        if (waits)
            continue;
        if (refused || mm_fault_and_ask(mm, user(va), write ? ACCESS_WRITE : ACCESS_READ))
            return -ENOMEM;
    }
    return 0;
}

int mm_lock(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool on_fault)
{
    uint64_t end = addr + len_bytes;
    int err = -ENOMEM;

    if (!mm->limits.locked_exempt && !mm->limits.locked)
        return -EPERM;
    if (end < addr)
        return over_limit(mm, len_bytes >> PAGE_SHIFT) ? -ENOMEM : -EINVAL;
    rwsem_write_begin(&mm->mmap_lock, addr, end);
    rwsem_write_range(&mm->mmap_lock, addr, end);
    if (!over_limit(mm, unlocked_pages(mm, addr, end)))
        err = flag_range(mm, addr, end, VM_LOCKED | (on_fault ? VM_LOCKONFAULT : 0),
                         on_fault ? 0 : VM_LOCKONFAULT, LOCK);
    rwsem_write_unlock(&mm->mmap_lock);
    return err ? err : populate_locked(mm, addr, end);
}

/* Fill every area that is locked, as far as it lets itself be filled. */
static void populate_all(struct mm *mm)
{
    for (uint64_t at = 0; at < USER_END;) {
        rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
        const struct vma *vma = vma_find_from(mm, at);
        bool wanted =
            vma && (is_hugetlb(vma) || (vma->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED);
        bool fill = wanted && (vma->flags & VM_RIGHTS) && !vma_is_secret(vma);
        uint64_t start = vma ? max(at, vma->start) : 0;
        uint32_t flags = vma ? vma->flags : 0;
        uint64_t unit = vma ? vma_unit(vma) : PAGE_SIZE;
        at = vma ? vma->end : USER_END;
        rwsem_read_unlock(&mm->mmap_lock, reader);
        if (fill)
            populate(mm, start, at, flags, unit);
    }
}

int mm_lock_all(struct mm *mm, bool lock, bool on_fault)
{
    uint32_t set = lock ? VM_LOCKED | (on_fault ? VM_LOCKONFAULT : 0) : 0;
    int err = 0;

    if (lock && !mm->limits.locked_exempt && !mm->limits.locked)
        return -EPERM;
    rwsem_write_lock(&mm->mmap_lock);
    if (lock && !mm->limits.locked_exempt && mm->total_pages << PAGE_SHIFT > mm->limits.locked)
        err = -ENOMEM;
    struct vma *vma = vma_find_from(mm, 0);
    for (; vma && !err; vma = vma_next(vma))
        if (!vma_is_secret(vma) && !is_hugetlb(vma))
            err = flag_area(mm, &vma, vma->start, vma->end,
                            (vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | set);
    rwsem_write_unlock(&mm->mmap_lock);
    if (!err && lock && !on_fault)
        populate_all(mm);
    return err;
}

int mm_unlock(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    rwsem_write_begin(&mm->mmap_lock, addr, addr + len_bytes);
    rwsem_write_range(&mm->mmap_lock, addr, addr + len_bytes);
    int err = flag_range(mm, addr, addr + len_bytes, 0, VM_LOCKED | VM_LOCKONFAULT, LOCK);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

static bool area_is(const struct vma *vma, enum area_demand demand)
{
    if (vma->flags & VM_LOCKED)
        return false;
    return demand == AREAS_ANON ? !vma->object : !(vma->flags & VM_HUGETLB);
}

int mm_areas_are(struct mm *mm, uint64_t addr, uint64_t len_bytes, enum area_demand demand)
{
    uint64_t at = addr, end = addr + len_bytes;
    int gap = 0, err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, addr);
    for (; at < end && !err; vma = vma_next(vma)) {
        if (!vma || vma->start > at)
            gap = -ENOMEM;
        if (!vma || vma->start >= end)
            break;
        bool sealed = demand == AREAS_ANON && !vma_may_discard(vma);
        err = sealed ? -EPERM : area_is(vma, demand) ? 0 : -EINVAL;
        if (!err && demand == AREAS_ANON && mm->watched)
            unmark_range(mm, max(vma->start, addr), min(vma->end, end), PTE_KIND_POISON);
        at = vma->end;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err ? err : gap;
}

/* The part of [start, end) that lies in one area: what to punch where. */
struct hole {
    struct object *object; /* with a reference */
    uint64_t from, to;     /* bytes of the object */
};

/* The next hole at or behind *@at. -ENOENT: none; *@gap: some of the range is not mapped. */
static int find_hole(struct mm *mm, uint64_t *at, uint64_t end, struct hole *hole, int *gap)
{
    int err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, *at);
    if (!vma || vma->start > *at)
        *gap = -ENOMEM;
    if (!vma || vma->start >= end)
        err = -ENOENT;
    else if (!vma_may_discard(vma))
        err = -EPERM;
    else if ((vma->flags & VM_LOCKED) || !vma->object || vma_is_secret(vma))
        err = -EINVAL;
    else if (!vma_is_writer(vma->flags))
        err = -EACCES;
    if (!err) {
        uint64_t from = max(*at, vma->start), to = min(end, vma->end);
        uint64_t base = (vma->pgoff << PAGE_SHIFT) - vma->start;
        *hole = (struct hole){vma->object, base + from, base + to};
        object_get(vma->object);
        *at = to;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int mm_punch(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    uint64_t at = addr, end = addr + len_bytes;
    struct hole hole;
    int err = 0, gap = 0;

    if (READ_ONCE(mm->watched))
        mm_userfault_tell_removed(mm, addr, end);
    while (at < end && !err) {
        err = find_hole(mm, &at, end, &hole, &gap);
        if (err)
            break;
        mutex_lock(&hole.object->lock); /* ranks below mmap_lock: that is free again */
        if (hole.object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
            err = -EPERM;
        else
            object_punch(hole.object, hole.from, hole.to);
        mutex_unlock(&hole.object->lock);
        object_put(hole.object);
    }
    return err && err != -ENOENT ? err : gap;
}

int mm_guard(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool install)
{
    uint64_t end = addr + len_bytes, at = addr;
    struct tlb_gather gather;
    int gap = 0, err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    tlb_gather_begin(&gather, &mm->pgtable);
    struct vma *vma = vma_find_from(mm, addr);
    for (; at < end && !err; vma = vma_next(vma)) {
        if (!vma || vma->start > at)
            gap = -ENOMEM;
        if (!vma || vma->start >= end)
            break;
        uint64_t from = max(vma->start, at);
        at = min(vma->end, end);
        if (install && !vma_may_discard(vma))
            err = -EPERM;
        else if ((vma->flags & VM_HUGETLB) || (install && (vma->flags & VM_LOCKED)))
            err = -EINVAL;
        else if (install) {
            WRITE_ONCE(vma->guarded, true);
            if (!vma->object)
                vma_anon_begin(vma);
            err = guard_range(mm, from, at, &gather);
        } else
            unmark_range(mm, from, at, PTE_KIND_GUARD);
    }
    tlb_gather_end(&gather);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err ? err : gap;
}

/* May the kernel fault in @va on the program's behalf? */
static int may_populate(struct mm *mm, uint64_t va, bool write, uint64_t *unit)
{
    int err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find(mm, va);
    if (!vma)
        err = -ENOMEM;
    else if (vma_is_secret(vma) || !(vma->flags & (write ? VM_WRITE : VM_READ)) ||
             pkey_refuses(vma->pkey, write))
        err = -EINVAL;
    else
        *unit = vma_unit(vma);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int mm_populate(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool write)
{
    uint64_t unit = PAGE_SIZE;

    for (uint64_t va = addr; va < addr + len_bytes; va = round_down(va, unit) + unit) {
        int err = may_populate(mm, va, write, &unit);
        if (err)
            return err;
        switch (mm_fault_and_ask(mm, user(va), write ? ACCESS_WRITE : ACCESS_READ)) {
        case FAULT_RESOLVED:
            break;
        case FAULT_BEYOND:
        case FAULT_NO_AREA: /* a guard: there is an area */
            return -EFAULT;
        case FAULT_POISONED:
            return -EHWPOISON;
        case FAULT_NO_RIGHT:
            return -EINVAL;
        default:
            return -ENOMEM;
        }
    }
    return 0;
}

/* mmap_lock held. */
static bool is_resident(const struct vma *vma, uint64_t va)
{
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(va));

    return pte_has_frame(pte_read(walk.slot)) ||
           (vma->object && object_has_page(vma->object, vma_folio_index(vma, va)));
}

int64_t mm_resident(struct mm *mm, uint64_t addr, uint64_t nr_pages,
                    bool (*may_tell)(struct object *object), uint8_t *out)
{
    uint64_t i;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    for (i = 0; i < nr_pages; i++) {
        uint64_t va = addr + (i << PAGE_SHIFT);
        const struct vma *vma = vma_find(mm, va);
        bool told = vma && (!vma->object || !may_tell || may_tell(vma->object));
        if (!vma)
            break;
        out[i] = !told || is_resident(vma, va);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return i ? (int64_t)i : -ENOMEM;
}

/* What writing back would say: there is nowhere to write to, and secret memory says so. */
static int sync_area(const struct vma *vma, bool invalidate, bool write_back)
{
    if (invalidate && (vma->flags & VM_LOCKED))
        return -EBUSY;
    return write_back && (vma->flags & VM_SHARED) && vma_is_secret(vma) ? -EINVAL : 0;
}

int mm_sync(struct mm *mm, uint64_t addr, uint64_t len_bytes, bool invalidate, bool write_back)
{
    uint64_t at = addr, end = addr + len_bytes;
    int gap = 0, err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, addr);
    for (; at < end && !err; vma = vma_next(vma)) {
        if (!vma || vma->start > at)
            gap = -ENOMEM;
        if (!vma || vma->start >= end)
            break;
        err = sync_area(vma, invalidate, write_back);
        at = vma->end;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err ? err : gap;
}
