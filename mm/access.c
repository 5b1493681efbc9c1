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
#include <lib/string.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

/* Claim 1, and where @addr is mapped: the area's flags. mmap_lock not held. */
static int area_flags(struct mm *mm, uint64_t addr, uint32_t *flags)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find_from(mm, addr);
    bool inside = vma && vma->start <= addr; /* a stack does not grow for a stranger */
    bool hidden = inside && vma->object && !vma->object->ops->kernel_access;
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

static void copy_bytes(void *kva, void *buf, size_t len, enum fault_access access)
{
    if (access == ACCESS_WRITE)
        memcpy(kva, buf, len);
    else
        memcpy(buf, kva, len);
}

/* Copy within one page if it is mapped as the access needs it; else false: fault it in first. */
static bool copy_mapped(struct mm *mm, uint64_t addr, void *buf, size_t len,
                        enum fault_access access)
{
    bool done = false;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find_from(mm, addr);
    if (vma && vma->start <= addr && !(vma->object && !vma->object->ops->kernel_access)) {
        struct pt_walk walk = pt_walk(&mm->pgtable, user(addr));
        spin_lock(pt_lock(walk.table));
        pte_t pte = pte_read(walk.slot);
        done = pte_kind(pte, walk.level) == PTE_KIND_LEAF &&
               (access != ACCESS_WRITE || pte_is_writable(pte));
        if (done) {
            uint64_t offset = addr & (pt_level_size(walk.level) - 1);
            phys_addr_t pa = phys_add(pte_phys(pte, walk.level), offset);
            copy_bytes(direct_map_ptr(pa), buf, len, access);
        }
        spin_unlock(pt_lock(walk.table));
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return done;
}

/* Fault the page in until it stays. */
static int copy_in_page(struct mm *mm, uint64_t addr, void *buf, size_t len,
                        enum fault_access access)
{
    while (!copy_mapped(mm, addr, buf, len, access))
        if (mm_fault_and_ask(mm, user(addr), access) != FAULT_RESOLVED)
            return -EFAULT;
    return 0;
}

/* The same where the area refuses: it grants the access for the moment. */
static int force_in_page(struct mm *mm, uint64_t addr, void *buf, size_t len,
                         enum fault_access access, uint32_t flags)
{
    uint64_t page = round_down(addr, PAGE_SIZE);
    uint32_t rights = flags & VM_RIGHTS;
    uint32_t more = access == ACCESS_WRITE ? VM_READ | VM_WRITE : VM_READ;

    if (mm_protect(mm, page, PAGE_SIZE, rights | more, false))
        return -EFAULT;
    int err = copy_in_page(mm, addr, buf, len, access);
    int back = mm_protect(mm, page, PAGE_SIZE, rights, false);
    return err ? err : back;
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

/* @len bytes within one page. */
static int access_page(struct mm *mm, uint64_t addr, void *buf, size_t len,
                       enum fault_access access, bool force)
{
    uint32_t flags;

    if (addr >= USER_END || area_flags(mm, addr, &flags))
        return -EFAULT;
    force = force && may_force(flags, access);
    if (!force && !rights_grant(flags, access))
        return -EFAULT;
    int err = copy_in_page(mm, addr, buf, len, access);
    return err && force ? force_in_page(mm, addr, buf, len, access, flags) : err;
}

int64_t mm_access(struct mm *mm, uint64_t addr, void *buf, size_t len, enum fault_access access,
                  bool force)
{
    size_t done = 0;

    while (done < len) {
        uint64_t at = addr + done;
        size_t chunk = min(len - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
        int err = access_page(mm, at, (char *)buf + done, chunk, access, force);
        if (err)
            return done ? (int64_t)done : err;
        done += chunk;
    }
    return done;
}
