/* SPDX-License-Identifier: MIT */
/*
 * mm/access.c - reading and writing an address space that is not loaded
 *
 * Room:   mm.
 * Owns:   nothing.
 * Locks:  mmap_lock for reading while a page is copied: no fork can share it meanwhile.
 * Always: (1) pages without an address in the kernel are refused before they are made;
 *         (2) a copy ends at the first page that refuses.
 * Source: process_vm_readv(2), ptrace(2).
 * Tour:   after mm/fault.c; kernel/ptrace.c and kernel/vm_access.c use it.
 */
#include "internal.h"
#include <base/bug.h>
#include <lib/string.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

/* Has it pages without an address in the kernel? */
static bool is_hidden(const struct vma *vma)
{
    return vma->object && !vma->object->ops->kernel_access && !bug_is_back(BUG_B52);
}

/* Claim 1, and where @addr is mapped: the area's flags. mmap_lock not held. */
static int area_flags(struct mm *mm, uint64_t addr, uint32_t *flags)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find_from(mm, addr);
    bool inside = vma && vma->start <= addr;
    bool hidden = inside && is_hidden(vma);
    *flags = inside ? vma->flags : 0;
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return inside && !hidden ? 0 : -EFAULT;
}

/* x86 cannot refuse to read what may be written or executed; the kernel can. */
static bool rights_grant(uint32_t flags, enum fault_access access)
{
    return flags & (access == ACCESS_WRITE ? VM_WRITE : VM_READ);
}

/* May who forces his way read, or write to a copy? What is shared nobody writes to who may not. */
static bool may_force(uint32_t flags, enum fault_access access)
{
    if (access == ACCESS_WRITE)
        return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
    return flags & VM_MAYREAD;
}

/* A program's access to part of one page of another, or of its own. */
struct transfer {
    uint64_t addr;
    void *buf;
    size_t len;
    enum fault_access access;
    bool force;  /* the area refuses it */
    bool asks;   /* it waits where a program is to be asked; else it fails there */
    bool copied; /* a copy was made once, which BUG_B01 takes for one that is still there */
};

/* What others took for the proof that a page is nobody else's. */
static bool is_taken_for_own(const struct transfer *t, pte_t pte)
{
    bool dirt_tells = bug_is_back(BUG_B02) || bug_is_back(BUG_B03);
    return (bug_is_back(BUG_B01) && t->copied) || (dirt_tells && pte_is_dirty(pte));
}

/* Can the page under a leaf be used at once? Where the area refuses a page of its own is needed,
 * and the leaf grants nothing. */
static bool leaf_suits(const struct transfer *t, pte_t pte, enum pt_level level)
{
    enum pte_kind kind = pte_kind(pte, level);

    if (t->force && t->access == ACCESS_WRITE)
        return pte_has_frame(pte) && kind != PTE_KIND_TABLE && !pte_is_uffd_wp(pte) &&
               (pte_is_exclusive(pte) || is_taken_for_own(t, pte));
    if (t->force && kind == PTE_KIND_PROTNONE)
        return true;
    return kind == PTE_KIND_LEAF && (t->access != ACCESS_WRITE || pte_is_writable(pte));
}

static void copy_bytes(const struct transfer *t, const struct pt_walk *walk, pte_t pte)
{
    uint64_t offset = t->addr & (pt_level_size(walk->level) - 1);
    void *kva = direct_map_ptr(phys_add(pte_phys(pte, walk->level), offset));

    if (t->access == ACCESS_WRITE)
        memcpy(kva, t->buf, t->len);
    else
        memcpy(t->buf, kva, t->len);
    if (t->access == ACCESS_WRITE && t->force)
        pt_set(walk->table, walk->slot, pte_made_soft_dirty(pte));
}

/* May it be done in @vma, as it is now? */
static bool area_lets(const struct vma *vma, const struct transfer *t)
{
    return vma && vma->start <= t->addr && !is_hidden(vma) &&
           (!t->force || may_force(vma->flags, t->access));
}

/* Copy within one page if it is mapped as the access needs it. 0; -ENXIO: it is to be faulted in;
 * -EAGAIN: the area is not as it was when the access was decided on. */
static int copy_mapped(struct mm *mm, const struct transfer *t)
{
    bool done = false;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    bool lets = area_lets(vma_find_from(mm, t->addr), t);
    if (lets) {
        struct pt_walk walk = pt_walk(&mm->pgtable, user(t->addr));
        spin_lock(pt_lock(walk.table));
        pte_t pte = pte_read(walk.slot);
        done = leaf_suits(t, pte, walk.level);
        if (done)
            copy_bytes(t, &walk, pte);
        spin_unlock(pt_lock(walk.table));
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return done ? 0 : lets ? -ENXIO : -EAGAIN;
}

static enum fault_result fault_in(struct mm *mm, const struct transfer *t, enum fault_access access)
{
    user_addr_t addr = user(t->addr);
    return t->asks ? mm_fault_and_ask(mm, addr, access) : mm_fault(mm, addr, access);
}

/* Fault the page in until it stays. */
static int copy_in_page(struct mm *mm, struct transfer *t)
{
    bool writes = t->access == ACCESS_WRITE;
    enum fault_access access = !t->force ? t->access : writes ? ACCESS_FORCE : ACCESS_PEEK;
    int err;

    while ((err = copy_mapped(mm, t)) == -ENXIO) {
        if (fault_in(mm, t, access) != FAULT_RESOLVED)
            return -EFAULT;
        t->copied = t->force;
        access = t->copied && bug_is_back(BUG_B01) ? ACCESS_READ : access;
        bug_moment(BUG_B01);
    }
    return err;
}

/* A private page that a later write would copy? */
static bool is_shared_copy(struct mm *mm, uint64_t addr)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, addr);
    struct pt_walk walk = pt_walk(&mm->pgtable, user(addr));
    bool is = false;

    spin_lock(pt_lock(walk.table));
    pte_t pte = pte_read(walk.slot);
    if (vma && !(vma->flags & VM_SHARED) && pte_kind(pte, walk.level) == PTE_KIND_LEAF)
        is = !pte_is_exclusive(pte) &&
             page_is_private(page_head(phys_to_page(pte_phys(pte, walk.level))));
    spin_unlock(pt_lock(walk.table));
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return is;
}

size_t mm_pin_in(struct mm *mm, uint64_t addr, size_t len)
{
    size_t in = mm_fault_in(mm, addr, len, ACCESS_READ);

    for (uint64_t at = addr; at < addr + in; at = round_down(at, PAGE_SIZE) + PAGE_SIZE)
        while (is_shared_copy(mm, at)) /* a huge page is split first */
            if (mm_fault_and_ask(mm, user(at), ACCESS_UNSHARE) != FAULT_RESOLVED)
                return at - addr;
    return in;
}

size_t mm_fault_in(struct mm *mm, uint64_t addr, size_t len, enum fault_access access)
{
    uint64_t end = addr + len;
    uint32_t flags;

    for (uint64_t at = addr; at < end; at = round_down(at, PAGE_SIZE) + PAGE_SIZE)
        if (at >= USER_END || area_flags(mm, at, &flags) || !rights_grant(flags, access) ||
            mm_fault_and_ask(mm, user(at), access) != FAULT_RESOLVED)
            return at - addr;
    return len;
}

size_t mm_copyable(struct mm *mm, uint64_t addr, size_t len)
{
    uint64_t end = addr + len;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find_from(mm, addr);
    while (vma && vma->start < end && !(vma->flags & VM_STRICT))
        vma = vma_next(vma);
    if (vma && vma->start < end)
        end = max(vma->start, addr);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return end - addr;
}

/* Within one page, by what its area is now. @force: what it refuses is not asked. */
static int access_page(struct mm *mm, struct transfer *t, bool force)
{
    uint32_t flags;

    if (t->addr >= USER_END)
        return -EFAULT;
    if (area_flags(mm, t->addr, &flags) &&
        !(force && mm_stack_grow(mm, t->addr) && !area_flags(mm, t->addr, &flags)))
        return -EFAULT;
    t->force = !rights_grant(flags, t->access);
    if (t->force && !(force && may_force(flags, t->access)))
        return -EFAULT;
    return copy_in_page(mm, t);
}

int64_t mm_access(struct mm *mm, uint64_t addr, void *buf, size_t len, enum fault_access access,
                  bool force)
{
    size_t done = 0;

    while (done < len) {
        uint64_t at = addr + done;
        size_t chunk = min(len - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
        struct transfer t = {at, (char *)buf + done, chunk, access, false, !force, false};
        int err;
        do
            err = access_page(mm, &t, force);
        while (err == -EAGAIN);
        if (err)
            return done ? (int64_t)done : err;
        done += chunk;
    }
    return done;
}
