/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_answer.c - pages that come without a fault
 *
 * Room:   mm.
 * Owns:   what is missing, and how an answer to that is mapped.
 * Locks:  mmap_lock held for reading; of pools their area's lock.
 * Always: (1) what is there already is never replaced: -EEXIST.
 * Source: ioctl_userfaultfd(2).
 * Tour:   after mm/fault.c, with mm/userfault.c.
 */
#include "fault.h"
#include <uapi/errno.h>

/* Has the object, or has the area beyond its end, nothing at @va? */
static bool object_lacks(const struct vma *vma, uint64_t va)
{
    struct page *page;

    if (vma_is_beyond(vma, va))
        return false; /* that is no question */
    int err = vma->object->ops->get_page(vma->object, vma_folio_index(vma, va), OBJECT_GET_EXISTING,
                                         &page);
    if (!err && page)
        page_put(page);
    return !page;
}

__cold bool is_missing(const struct vma *vma, uint64_t addr)
{
    uint64_t va = round_down(addr, vma_unit(vma));
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(va));

    return pte_is_none(pte_read(walk.slot)) && (!vma->object || object_lacks(vma, va));
}

/* A fault that nobody took, for a page that is to be had at @addr with all rights of the area. */
static struct fault fault_at(struct vma *vma, uint64_t addr)
{
    enum fault_access access = vma->flags & VM_WRITE ? ACCESS_WRITE : ACCESS_READ;
    return (struct fault){.mm = vma->mm, .vma = vma, .va = addr, .access = access};
}

int page_install(struct vma *vma, uint64_t addr, struct page *page)
{
    struct fault f = fault_at(vma, addr);
    pte_t pte;

    if (!(vma->flags & VM_SHARED))
        vma_anon_begin(vma);
    if (slot_find(&f, vma_level(f.vma), &pte))
        return -ENOMEM;
    if (f.walk.level > vma_level(f.vma))
        return -EEXIST; /* a huge page */
    return publish(&f, page, page->object ? page : NULL) ? 0 : -EEXIST;
}

static int install_copy(struct fault *f, const struct page *from)
{
    struct page *page;
    pte_t pte;

    if (slot_find(f, vma_level(f->vma), &pte))
        return -ENOMEM;
    if (!pte_is_none(pte))
        return -EEXIST;
    if (private_page(f, PAGE_ALLOC_PLAIN, &page) != FAULT_RESOLVED)
        return -ENOMEM;
    copy_page(page, from);
    if (publish(f, page, NULL))
        return 0;
    folio_put(page_folio(page));
    return -EEXIST;
}

int pool_page_install(struct vma *vma, uint64_t addr, const struct page *from)
{
    struct fault f = fault_at(vma, addr);

    vma_anon_begin(vma);
    mutex_lock(&vma->hugetlb->lock);
    int err = install_copy(&f, from);
    mutex_unlock(&vma->hugetlb->lock);
    return err;
}
