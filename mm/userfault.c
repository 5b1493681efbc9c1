/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault.c - areas whose missing pages are asked of a program
 *
 * Room:   mm.
 * Owns:   which areas ask, and the pages that come as answers.
 * Locks:  mmap_lock: for writing while areas begin or cease to ask, for reading while a page comes.
 * Always: (1) an area asks only if its program could have written it by itself;
 *         (2) a page is complete before anybody can see it.
 * Source: userfaultfd(2); trust.md B46; Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after mm/fault.c; then kernel/userfaultfd.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <lib/string.h>
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
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    if (!u)
        return FAULT_RESOLVED; /* it is not asked any more */
    enum fault_result result = u->ops->wait(u, mm, q);
    userfault_put(u);
    return result;
}

enum fault_result mm_fault_and_ask(struct mm *mm, user_addr_t addr, enum fault_access access)
{
    struct userfault_question q = {addr.raw, access, true, 0};
    enum fault_result result;

    do {
        result = mm_fault(mm, addr, access);
        if (result != FAULT_ASKED)
            break;
        result = mm_userfault_ask(mm, &q);
    } while (result == FAULT_RESOLVED);
    return result;
}

bool mm_userfault_is_missing(struct mm *mm, uint64_t addr, const struct userfault *u)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, addr);
    bool missing = vma && vma->userfault == u && is_missing(vma, addr);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return missing;
}

/* Which areas ask */

/* Has it pages that could come as answers? */
static bool can_ask(const struct vma *vma)
{
    if (vma->object)
        return vma->object->ops == &shmem_ops || (vma->flags & VM_HUGETLB);
    return !(vma->flags & VM_DROPPABLE);
}

/* What is wrong with asking @u about the part of [start, end) that @vma has? */
static int check_area(const struct vma *vma, uint64_t start, uint64_t end,
                      const struct userfault *u)
{
    uint64_t to = min(end, vma->end), from = max(start, vma->start);

    if (!can_ask(vma))
        return -EINVAL;
    if (!(vma->flags & VM_MAYWRITE) && !bug_is_back(BUG_B46))
        return -EPERM; /* claim 1 */
    if (!is_aligned(from | to, vma_unit(vma)))
        return -EINVAL;
    return vma->userfault && vma->userfault != u ? -EBUSY : 0;
}

static int check_range(struct mm *mm, uint64_t start, uint64_t end, const struct userfault *u,
                       bool *hugetlb)
{
    const struct vma *vma = vma_find_from(mm, start);

    if (!vma || vma->start >= end)
        return -EINVAL;
    for (; vma && vma->start < end; vma = vma_next(vma)) {
        int err = check_area(vma, start, end, u);
        if (err)
            return err;
        *hugetlb |= vma->flags & VM_HUGETLB;
    }
    return 0;
}

/* From now on @vma asks @u; NULL: nobody. */
static void set_asked(struct vma *vma, struct userfault *u)
{
    struct userfault *before = vma->userfault;

    if (u)
        userfault_get(u);
    vma->userfault = u;
    vma->flags = u ? vma->flags | VM_UFFD_MISSING : vma->flags & ~VM_UFFD_MISSING;
    if (before)
        userfault_put(before);
}

/* All areas of the range ask @u, or nobody. */
static int set_range(struct mm *mm, uint64_t start, uint64_t end, struct userfault *u)
{
    struct vma *vma = vma_find_from(mm, start);

    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (vma->userfault == u)
            continue;
        int err = vma_isolate(mm, &vma, max(vma->start, start), min(vma->end, end));
        if (err)
            return err;
        set_asked(vma, u);
        vma = vma_merge(mm, vma);
    }
    return 0;
}

int mm_userfault_register(struct mm *mm, uint64_t start, uint64_t end, struct userfault *u,
                          bool *hugetlb)
{
    *hugetlb = false;
    rwsem_write_lock(&mm->mmap_lock);
    int err = check_range(mm, start, end, u, hugetlb);
    if (!err)
        err = set_range(mm, start, end, u);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

int mm_userfault_unregister(struct mm *mm, uint64_t start, uint64_t end, struct userfault *u)
{
    bool hugetlb = false;

    rwsem_write_lock(&mm->mmap_lock);
    int err = check_range(mm, start, end, u, &hugetlb);
    if (!err)
        err = set_range(mm, start, end, NULL);
    rwsem_write_unlock(&mm->mmap_lock);
    return err == -EBUSY ? -EINVAL : err;
}

void mm_userfault_forget(struct mm *mm, struct userfault *u)
{
    rwsem_write_lock(&mm->mmap_lock);
    for (struct vma *vma = vma_find_from(mm, 0); vma; vma = vma_next(vma)) {
        if (vma->userfault != u)
            continue;
        set_asked(vma, NULL);
        vma = vma_merge(mm, vma);
    }
    rwsem_write_unlock(&mm->mmap_lock);
}

/* Answers */

/* One page that comes. */
struct answer {
    uint64_t start, end;      /* the whole call's range */
    uint64_t at;              /* where this one is for */
    uint64_t unit;            /* its bytes: those of the area's pages */
    struct object_copy *from; /* NULL: zeros */
    bool for_object;          /* it becomes the object's, for all who map that */
    bool pooled;              /* its bytes go into a page of a pool */
    struct page *page;
};

/* The area that the answer is for, or NULL. mmap_lock held. */
static struct vma *area_of(struct mm *mm, const struct answer *a)
{
    struct vma *vma = vma_find(mm, a->start);
    return vma && vma->end >= a->end && vma->userfault ? vma : NULL;
}

static int check_answer(struct mm *mm, struct answer *a)
{
    int err = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = area_of(mm, a);
    if (!vma) {
        err = -ENOENT;
    } else {
        a->unit = vma_unit(vma);
        a->for_object = vma->flags & VM_SHARED;
        a->pooled = vma->flags & VM_HUGETLB;
        if (!is_aligned(a->start | a->end, a->unit) || (a->pooled && !a->from))
            err = -EINVAL;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

static int page_for(struct answer *a)
{
    unsigned flags = a->from ? PAGE_ALLOC_PLAIN : PAGE_ALLOC_ZERO;

    if (a->pooled)
        return a->unit > HUGE_SIZE ? -ENOMEM : page_alloc(HUGE_ORDER, flags, &a->page);
    flags |= a->for_object ? PAGE_ALLOC_AS(PAGE_OBJECT) : PAGE_ALLOC_AS(PAGE_ANON);
    int err = page_alloc(0, flags, &a->page);
    if (!err)
        a->page->object = NULL;
    return err;
}

/* Claim 2: all of the page's bytes, before it has a place. */
static int make_page(struct answer *a)
{
    if (!a->from && !a->for_object) {
        a->page = zero_page;
        return 0;
    }
    int err = page_for(a);
    if (err || !a->from || !a->from->copy(a->from, page_kva(a->page), a->at - a->start, a->unit))
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
        err = page_install(vma, a->at, a->page);
    if (err)
        page_put(a->page);
    return err == -ENOSPC ? -ENOMEM : err;
}

static int give_to_area(struct vma *vma, const struct answer *a)
{
    int err = page_install(vma, a->at, a->page);

    if (err && a->page != zero_page)
        page_put(a->page);
    return err;
}

static int give_pool_page(struct vma *vma, const struct answer *a)
{
    struct page *page = NULL;
    int err;

    if (!a->for_object)
        err = pool_page_install(vma, a->at, a->page);
    else
        err = hugetlb_add_copy(vma->object, vma_folio_index(vma, a->at), a->page, &page);
    page_put(a->page);
    if (!err && page)
        err = page_install(vma, a->at, page);
    if (err && page)
        page_put(page);
    return err == -ENOSPC ? -ENOMEM : err;
}

/* The same. */
static int give_page(struct mm *mm, const struct answer *a)
{
    int err = -ENOENT;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = area_of(mm, a);
    if (vma && a->for_object == !!(vma->flags & VM_SHARED) &&
        a->pooled == !!(vma->flags & VM_HUGETLB))
        err = a->pooled       ? give_pool_page(vma, a)
              : a->for_object ? give_to_object(vma, a)
                              : give_to_area(vma, a);
    else if (a->page != zero_page)
        page_put(a->page);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int64_t mm_userfault_fill(struct mm *mm, uint64_t dst, uint64_t len, struct object_copy *from)
{
    struct answer a = {.start = dst, .end = dst + len, .at = dst, .from = from};
    int err = 0;

    for (; a.at < a.end && !err; a.at += err ? 0 : a.unit) {
        err = check_answer(mm, &a);
        if (!err)
            err = make_page(&a);
        if (!err)
            err = give_page(mm, &a);
    }
    return a.at > dst ? (int64_t)(a.at - dst) : err;
}
