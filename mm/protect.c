/* SPDX-License-Identifier: MIT */
/*
 * mm/protect.c - changing the rights of areas and of their leaves
 *
 * Room:   mm.
 * Owns:   mprotect's walk over areas.
 * Locks:  mmap_lock for writing the range; tables' locks along runs.
 * Always: (1) a private leaf becomes writable without a fault only when it is exclusive, and any
 *             leaf only where no first write is waited for, or told;
 *         (2) one flush per call, and none where rights only grow.
 * Source: mprotect(2); Linux mm/mprotect.c (behaviour).
 * Tour:   after mm/map.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/commit.h>
#include <uapi/errno.h>

/* What becomes of @pte, and of those like it, in an area of these flags. */
static struct pte_change change_for(const struct vma *vma, pgprot_t plain, pte_t pte)
{
    if (!pte_has_frame(pte))
        return (struct pte_change){.class = pte_class(pte)};
    bool seen = pte_is_soft_dirty(pte) || bug_is_back(BUG_B08);
    bool write =
        vma_leaf_may_write(vma->flags, pte_is_exclusive(pte), seen) && !pte_is_uffd_wp(pte);
    return pte_change_of(pte, write ? pgprot_write(plain) : plain);
}

static __no_inline void change_run(const struct vma *vma, const struct pt_run *run,
                                   struct tlb_gather *gather)
{
    uint64_t size = pt_level_size(run->level);
    unsigned first = 0, end = 0, alike; /* slots: to flush; of one class */
    pgprot_t plain = vma_pgprot(vma);

    spin_lock(pt_lock(run->table));
    for (unsigned i = 0; i < run->nr; i += alike) {
        struct pte_change change = change_for(vma, plain, pte_read(run->slot + i));
        alike = pte_change_alike(run->slot + i, run->nr - i, &change);
        if (!change.flush)
            continue;
        first = end ? first : i;
        end = i + alike;
    }
    spin_unlock(pt_lock(run->table));
    if (end)
        tlb_gather_range(gather, run->va + first * size, run->va + end * size, run->level);
}

static void change_leaves(const struct vma *vma, struct tlb_gather *gather)
{
    struct mm *mm = vma->mm;
    struct pt_run run;

    for (pt_run_first_near(&run, &mm->pgtable, &mm->cpus[cpu_id()].near, user(vma->start),
                           user(vma->end));
         run.nr; pt_run_next(&run))
        change_run(vma, &run, gather);
}

/* The flags of an area that gets @rights. What was never written to stops being counted. */
static uint32_t flags_with_rights(const struct vma *vma, uint32_t rights)
{
    uint32_t flags = (vma->flags & ~VM_RIGHTS) | rights;

    if (flags == vma->flags)
        return flags;
    if (!(vma->flags & VM_WRITE) && vma_must_account(flags))
        return flags | VM_ACCOUNT;
    if (!(rights & VM_WRITE) && !vma->object && !vma->anon)
        return flags & ~VM_ACCOUNT;
    return flags;
}

/* One mprotect(). */
struct change {
    uint32_t rights; /* VM_MAYEXEC: VM_EXEC, too, where it may be granted */
    unsigned how;    /* enum protect_how */
    int key;         /* NO_PKEY: areas keep theirs */
};

static uint32_t rights_in(const struct vma *vma, const struct change *c)
{
    return (c->rights & VM_RIGHTS) | (c->rights & vma->flags & VM_MAYEXEC) >> VM_MAY_SHIFT;
}

/* The key that a part of @vma gets. The execute-only one is for what may only be executed. */
static uint32_t key_in(const struct vma *vma, const struct change *c)
{
    bool is_exec_only = (vma->flags & VM_RIGHTS) == VM_EXEC && (int)vma->pkey == vma->mm->exec_pkey;

    if (c->key != NO_PKEY)
        return c->key;
    if (unlikely(c->how & PROTECT_EXEC_ONLY)) {
        int exec_only = pkey_of_exec_only(vma->mm);
        return exec_only > 0 ? (uint32_t)exec_only : vma->pkey;
    }
    return is_exec_only ? 0 : vma->pkey;
}

/* May @vma have @rights, with which its flags become @flags? 0, -EACCES, -EPERM. */
static int check_rights(const struct vma *vma, uint32_t rights, uint32_t flags)
{
    if (rights & ~(vma->flags >> VM_MAY_SHIFT))
        return -EACCES;
    if (mm_refuses_exec(vma->mm, vma->flags, flags))
        return -EACCES;
    return vma->flags & VM_SEALED ? -EPERM : 0;
}

/* What @nr_pages of @vma have by the flags that they @lost: promised memory, the object's leave to
 * be executed. */
static void give_back(const struct vma *vma, uint32_t lost, uint64_t nr_pages)
{
    if (lost & VM_ACCOUNT)
        commit_release(nr_pages);
    if ((lost & VM_EXEC) && vma->object)
        object_executor_put(vma->object);
}

/* The same of those that they get, if the limits allow that. 0, -EACCES, -ENOMEM. */
static int take(const struct vma *vma, uint32_t flags, uint64_t nr_pages)
{
    uint32_t gained = flags & ~vma->flags;
    bool more_data = vma_kind(flags) == AREA_DATA && vma_kind(vma->flags) != AREA_DATA;

    if (more_data && !limits_allow(vma->mm, flags, nr_pages) &&
        limits_allow(vma->mm, vma->flags, nr_pages))
        return -ENOMEM;
    if ((gained & VM_EXEC) && vma->object && object_executor_get(vma->object))
        return -EACCES;
    if (!(gained & VM_ACCOUNT) || !commit_charge(nr_pages, 0))
        return 0;
    give_back(vma, gained & ~VM_ACCOUNT, nr_pages);
    return -ENOMEM;
}

/* All of @vma changes. What it gains it has taken. */
static void become(struct vma *vma, uint32_t flags, uint32_t key)
{
    give_back(vma, vma->flags & ~flags, vma_pages(vma));
    area_recount(vma->mm, vma->flags, flags, vma_pages(vma));
    vma->flags = flags;
    vma->pkey = key;
}

/* Locked memory that can be written from now on gets its pages, up to one that it cannot have. */
static void fill(struct vma *vma, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end; va += PAGE_SIZE)
        if (area_fault(vma->mm, vma, va, ACCESS_WRITE) != FAULT_RESOLVED)
            return;
}

/* Is it such memory, when its flags become @flags? */
static bool needs_fill(const struct vma *vma, uint32_t flags)
{
    bool locked = (vma->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    return locked && !(vma->flags & (VM_WRITE | VM_SHARED)) && (flags & VM_WRITE);
}

/* [start, end) of *@at, which lies in that area. *@at becomes the area to go on after. */
static int protect_area(struct vma **at, uint64_t start, uint64_t end, const struct change *c,
                        struct tlb_gather *gather)
{
    const struct vma *vma = *at;
    uint64_t nr_pages = (end - start) >> PAGE_SHIFT;
    uint32_t rights = rights_in(vma, c), flags = flags_with_rights(vma, rights);
    uint32_t key = key_in(vma, c), gained = flags & ~vma->flags;
    bool fills = needs_fill(vma, flags);

    int err = check_rights(vma, rights, flags);
    if (err || (flags == vma->flags && key == vma->pkey))
        return err;
    err = take(vma, flags, nr_pages);
    if (err)
        return err;
    err = vma_isolate(vma->mm, at, start, end);
    if (err) {
        give_back(vma, gained, nr_pages);
        return err;
    }
    become(*at, flags, key);
    change_leaves(*at, gather);
    *at = vma_merge(vma->mm, *at);
    if (fills)
        fill(*at, start, end);
    return 0;
}

static int protect_locked(struct mm *mm, uint64_t start, uint64_t end, const struct change *c,
                          struct tlb_gather *gather)
{
    if (c->key != NO_PKEY && !pkey_is_given(mm, c->key))
        return -EINVAL;
    struct vma *vma = vma_find_from(mm, start);
    if (!vma || vma->start >= end)
        return -ENOMEM;
    if (c->how & PROTECT_GROWS) {
        if (!(vma->flags & VM_GROWSDOWN))
            return -EINVAL;
        start = vma->start;
    }
    if (vma->start > start)
        return -ENOMEM;
    if (c->how & PROTECT_GROWS_UP)
        return -EINVAL;
    rwsem_write_range(&mm->mmap_lock, start, end);
    for (uint64_t at = start;;) {
        uint64_t to = min(vma->end, end);
        int err = protect_area(&vma, at, to, c, gather);
        if (err || to == end)
            return err;
        at = to;
        if (vma->end <= at)
            vma = vma_next(vma);
        if (!vma || vma->start > at)
            return -ENOMEM;
    }
}

int mm_protect_key(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t rights, unsigned how,
                   int key)
{
    const struct change c = {.rights = rights, .how = how, .key = key};
    const uint64_t end = addr + len_bytes;
    struct tlb_gather gather;

    rwsem_write_begin(&mm->mmap_lock, how & PROTECT_GROWS ? 0 : addr, end);
    tlb_gather_begin(&gather, &mm->pgtable);
    int err = protect_locked(mm, addr, end, &c, &gather);
    tlb_gather_others(&gather, addr, end);
    tlb_gather_end(&gather);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}
