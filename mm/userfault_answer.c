/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault_answer.c - what a program puts where a fault waits
 *
 * Room:   mm.
 * Owns:   the pages that come as answers.
 * Locks:  mmap_lock for reading while one page comes.
 * Always: (1) a page is complete before anybody can see it.
 * Source: ioctl_userfaultfd(2); Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after mm/userfault.c, mm/fault_answer.c.
 */
#include "internal.h"
#include <mm/userfault.h>
#include <uapi/errno.h>

/* One page that comes. */
struct answer {
    uint64_t start, end; /* the whole call's range */
    uint64_t at;         /* where this one is for */
    uint64_t unit;       /* its bytes: those of the area's pages */
    enum userfault_fill fill;
    enum install_how how;
    struct object_copy *from; /* of USERFAULT_COPY */
    bool for_object;          /* it becomes the object's, for all who map that */
    bool pooled;              /* its bytes go into a page of a pool */
    struct page *page;
};

/* The area that the answer is for, or NULL. mmap_lock held. */
static struct vma *area_of(struct mm *mm, const struct answer *a)
{
    struct vma *vma = vma_find(mm, a->start);
    if (vma && !(vma->flags & VM_SHARED))
        vma_anon_begin(vma); /* Linux does, before it knows whether it may answer */
    return vma && vma->end >= a->end && vma->userfault ? vma : NULL;
}

/* The same, if nobody changes areas meanwhile, and if it can have such an answer. */
static int find_area(struct mm *mm, const struct userfault *u, const struct answer *a,
                     struct vma **out)
{
    struct vma *vma = area_of(mm, a);

    *out = vma;
    if (!vma)
        return -ENOENT;
    if (!userfault_is_settled(u))
        return -EAGAIN;
    if (a->how == INSTALL_PROTECTED && !(vma->flags & VM_UFFD_WP))
        return -EINVAL;
    if (vma->flags & VM_HUGETLB)
        return a->fill == USERFAULT_ZEROS || !is_aligned(a->start | a->end, vma_unit(vma)) ? -EINVAL
                                                                                           : 0;
    if (vma->object ? vma->object->ops != &shmem_ops : a->fill == USERFAULT_CONTINUE)
        return -EINVAL;
    return 0;
}

static int check_answer(struct mm *mm, const struct userfault *u, struct answer *a)
{
    struct vma *vma;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    int err = find_area(mm, u, a, &vma);
    if (!err) {
        a->unit = vma_unit(vma);
        a->for_object = vma->flags & VM_SHARED;
        a->pooled = vma->flags & VM_HUGETLB;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

static int page_for(struct answer *a)
{
    unsigned flags = a->fill == USERFAULT_COPY ? PAGE_ALLOC_PLAIN : PAGE_ALLOC_ZERO;

    if (a->pooled)
        return a->unit > HUGE_SIZE ? -ENOMEM : page_alloc(HUGE_ORDER, flags, &a->page);
    flags |= a->for_object ? PAGE_ALLOC_AS(PAGE_OBJECT) : PAGE_ALLOC_AS(PAGE_ANON);
    int err = page_alloc(0, flags, &a->page);
    if (!err)
        a->page->object = NULL;
    return err;
}

/* Claim 1: all of the page's bytes, before it has a place. */
static int make_page(struct answer *a)
{
    bool copies = a->fill == USERFAULT_COPY;

    a->page = zero_page;
    if (!copies && (a->fill != USERFAULT_ZEROS || !a->for_object))
        return 0;
    int err = page_for(a);
    if (err || !copies || !a->from->copy(a->from, page_kva(a->page), a->at - a->start, a->unit))
        return err;
    page_put(a->page);
    return -EFAULT;
}

/* Takes over the reference on the page, also when it fails; as do the next two. */
static int give_to_object(struct vma *vma, const struct answer *a)
{
    int err = vma_is_beyond(vma, a->at)
                  ? -EFAULT
                  : object_add_page(vma->object, vma_folio_index(vma, a->at), a->page);
    if (!err)
        err = page_install(vma, a->at, a->page, a->how);
    if (err)
        page_put(a->page);
    return err == -ENOSPC ? -ENOMEM : err;
}

static int give_to_area(struct vma *vma, const struct answer *a)
{
    bool beyond = vma->object && vma_is_beyond(vma, a->at);
    int err = beyond ? -EFAULT : page_install(vma, a->at, a->page, a->how);

    if (err && a->page != zero_page)
        page_put(a->page);
    return err;
}

static int give_pool_page(struct vma *vma, const struct answer *a)
{
    struct page *page = NULL;
    int err;

    if (!a->for_object)
        err = pool_page_install(vma, a->at, a->page, a->how);
    else
        err = hugetlb_add_copy(vma->object, vma_folio_index(vma, a->at), a->page, &page);
    page_put(a->page);
    if (!err && page)
        err = page_install(vma, a->at, page, a->how);
    if (err && page)
        page_put(page);
    return err == -ENOSPC ? -ENOMEM : err;
}

/* What the object has there is mapped, too. */
static int give_access(struct vma *vma, const struct answer *a)
{
    if (vma_is_beyond(vma, a->at))
        return vma->flags & VM_HUGETLB ? -EFAULT : -EINVAL;
    struct page *page = object_existing_page(vma->object, vma_folio_index(vma, a->at));
    if (!page)
        return -EFAULT;
    object_touch(vma->object, page);
    int err = page_install(vma, a->at, page, a->how);
    if (err)
        page_put(page);
    return err;
}

/* As give_to_object(). */
static int give(struct vma *vma, const struct answer *a)
{
    switch (a->fill) {
    case USERFAULT_CONTINUE:
        return give_access(vma, a);
    case USERFAULT_POISON:
        return vma->object && vma_is_beyond(vma, a->at) ? -EFAULT : poison_install(vma, a->at);
    case USERFAULT_COPY:
    case USERFAULT_ZEROS:
        break;
    }
    return a->pooled       ? give_pool_page(vma, a)
           : a->for_object ? give_to_object(vma, a)
                           : give_to_area(vma, a);
}

/* The same, if the area is still as it was when the page was made. */
static int give_page(struct mm *mm, const struct userfault *u, const struct answer *a)
{
    struct vma *vma;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    int err = find_area(mm, u, a, &vma);
    if (!err && (a->for_object != !!(vma->flags & VM_SHARED) ||
                 a->pooled != !!(vma->flags & VM_HUGETLB) || a->unit != vma_unit(vma)))
        err = -ENOENT;
    if (!err)
        err = give(vma, a);
    else if (a->page != zero_page)
        page_put(a->page);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int64_t mm_userfault_fill(struct mm *mm, const struct userfault *u, uint64_t dst, uint64_t len,
                          enum userfault_fill fill, struct object_copy *from, bool tell)
{
    struct answer a = {.start = dst,
                       .end = dst + len,
                       .at = dst,
                       .fill = fill,
                       .how = tell ? INSTALL_PROTECTED : INSTALL_PLAIN,
                       .from = from};
    int err = 0;

    for (; a.at < a.end && !err; a.at += err ? 0 : a.unit) {
        err = check_answer(mm, u, &a);
        if (!err)
            err = make_page(&a);
        if (!err)
            err = give_page(mm, u, &a);
    }
    return a.at > dst ? (int64_t)(a.at - dst) : err;
}
