/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_answer.c - pages that come without a fault
 *
 * Room:   mm.
 * Owns:   how an answer is mapped.
 * Locks:  mmap_lock held for reading; of pools their area's lock.
 * Always: (1) what is there already is never replaced: -EEXIST.
 * Source: ioctl_userfaultfd(2).
 * Tour:   after mm/fault.c, with mm/userfault.c.
 */
#include "fault.h"
#include <base/bug.h>
#include <uapi/errno.h>

/* A fault that nobody took, for a page that is to be had at @addr with all rights of the area. */
static struct fault fault_at(struct vma *vma, uint64_t addr)
{
    enum fault_access access = vma->flags & VM_WRITE ? ACCESS_WRITE : ACCESS_READ;
    return (struct fault){.mm = vma->mm, .vma = vma, .va = addr, .access = access};
}

/* Claim 1: zeros come where nothing is; a page where no page is, whatever is marked there. */
static bool may_install(const struct fault *f, const struct page *page, const struct page *source)
{
    pte_t before = pte_read(f->walk.slot);

    if (source && READ_ONCE(source->object) != f->vma->object)
        return false;
    return page_is_zeros(page) ? pte_is_none(before) : !pte_has_frame(before);
}

/* @source: as publish() has it. True: the leaf owns the caller's reference. */
static bool install(const struct fault *f, struct page *page, const struct page *source,
                    enum install_how how)
{
    spin_lock(pt_lock(f->walk.table));
    bool may = may_install(f, page, source);
    if (may) {
        pte_t pte = leaf_for(f, page);
        pte = bug_is_back(BUG_B03) ? pte_made_old_dirty(pte) : pte;
        pt_set(f->walk.table, f->walk.slot, how == INSTALL_PROTECTED ? pte_made_uffd_wp(pte) : pte);
        if (!page_is_zeros(page))
            leaf_added(f, page);
    }
    spin_unlock(pt_lock(f->walk.table));
    return may;
}

int page_install(struct vma *vma, uint64_t addr, struct page *page, enum install_how how)
{
    struct fault f = fault_at(vma, addr);
    pte_t pte;

    if (!(vma->flags & VM_SHARED))
        vma_anon_begin(vma);
    if (slot_find(&f, &pte))
        return -ENOMEM;
    if (f.walk.level > vma_level(f.vma))
        return -EEXIST; /* a huge page */
    return install(&f, page, page->object ? page : NULL, how) ? 0 : -EEXIST;
}

int poison_install(struct vma *vma, uint64_t addr)
{
    struct fault f = fault_at(vma, addr);
    pte_t pte;

    if (!vma->object)
        vma_anon_begin(vma); /* children inherit it */
    if (slot_find(&f, &pte))
        return -ENOMEM;
    spin_lock(pt_lock(f.walk.table));
    bool none = f.walk.level == vma_level(f.vma) && pte_is_none(pte_read(f.walk.slot));
    if (none)
        pt_set(f.walk.table, f.walk.slot, pte_poison());
    spin_unlock(pt_lock(f.walk.table));
    return none ? 0 : -EEXIST;
}

static int install_copy(struct fault *f, const struct page *from, enum install_how how)
{
    struct page *page;
    pte_t pte;

    if (slot_find(f, &pte))
        return -ENOMEM;
    if (pte_has_frame(pte))
        return -EEXIST;
    if (private_page(f, PAGE_ALLOC_PLAIN, &page) != FAULT_RESOLVED)
        return -ENOMEM;
    copy_page(page, from);
    if (install(f, page, NULL, how))
        return 0;
    folio_put(page_folio(page));
    return -EEXIST;
}

int pool_page_install(struct vma *vma, uint64_t addr, const struct page *from, enum install_how how)
{
    struct fault f = fault_at(vma, addr);

    vma_anon_begin(vma);
    mutex_lock(&vma->hugetlb->lock);
    int err = install_copy(&f, from, how);
    mutex_unlock(&vma->hugetlb->lock);
    return err;
}
