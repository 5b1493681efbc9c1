/* SPDX-License-Identifier: MIT */
/*
 * mm/pin.c - references on pages that are neither a leaf nor a slot of an object
 *
 * Room:   mm.
 * Owns:   their count.
 * Locks:  mmap_lock for reading, and the table's lock, while a leaf is read.
 * Always: (1) nr_pins: what pages of programs and objects have beyond leaves and slots, in sum;
 *         (2) a page without an address in the kernel is never pinned;
 *         (3) pages of zeros are not counted: nothing is written to them;
 *         (4) a page has as many pins, and so many references more, as were got and not given back;
 *         (5) what is kept is no page that a later write would copy: what the program sees at its
 *             address is that page, as long as it is mapped.
 * Source: vmsplice(2); Linux Documentation/core-api/pin_user_pages.rst (behaviour).
 * Tour:   after mm/access.c; then mm/pin_scan.c. kernel/pipe.c keeps such references.
 */
#include "internal.h"
#include <asm/pkey.h>
#include <base/bug.h>
#include <mm/pin.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

static _Atomic int64_t nr_pins;

int64_t pins_count(void)
{
    return atomic_load(&nr_pins);
}

/* @nr more, or fewer, whose references were got already, or are about to go. A page of the kernel's
 * own, as pipes have, is no object's and no program's: it is not counted. */
static void pins_add(struct page *head, int nr)
{
    if (head->state == PAGE_KERNEL)
        return;
    uint32_t before = atomic_fetch_add(&head->pins, (uint32_t)nr);
    ASSERT((int32_t)before + nr >= 0, "claim 4: frame %lx", page_to_pfn(head));
    atomic_fetch_add_explicit(&nr_pins, nr, memory_order_relaxed);
}

void page_pin(struct page *page)
{
    struct folio *folio = page_folio(page);

    if (page_is_zeros(&folio->page))
        return;
    folio_get(folio);
    pins_add(&folio->page, 1);
}

void page_unpin(struct page *page)
{
    struct folio *folio = page_folio(page);

    if (page_is_zeros(&folio->page))
        return;
    pins_add(&folio->page, -1);
    folio_put(folio);
}

void page_unkeep(struct page *page)
{
    atomic_fetch_sub(&page_head(page)->keeps, 1);
    page_unpin(page);
}

int object_pin(struct object *object, uint64_t pos, struct page **out)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    struct page *page;

    int err = object->ops->get_page(object, pos / folio_bytes, OBJECT_GET_EXISTING, &page);
    if (err)
        return err;
    *out = page ? page + pos % folio_bytes / PAGE_SIZE : zero_page;
    if (page)
        pins_add(page_head(page), 1); /* get_page()'s reference */
    return 0;
}

int object_keep(struct object *object, uint64_t pos, struct page **out)
{
    uint64_t folio_bytes = object_folio_bytes(object);
    struct page *page;

    if (pos >= object_size(object) || !object->ops->kernel_access)
        return -EINVAL;
    int err = object->ops->get_page(object, pos / folio_bytes, OBJECT_GET_ALLOCATE, &page);
    if (err)
        return err;
    pins_add(page_head(page), 1); /* get_page()'s reference */
    atomic_fetch_add(&page_head(page)->keeps, 1);
    *out = page + pos % folio_bytes / PAGE_SIZE;
    return 0;
}

/* Is a leaf as it is wanted? A copy that is made later would be another page than the one kept. */
static bool leaf_suits(const struct vma *vma, pte_t pte, enum pin_how how)
{
    bool copied_later = !(vma->flags & VM_SHARED) && !pte_is_exclusive(pte);

    return how == PIN_TO_READ || (!copied_later && (how == KEEP_TO_READ || pte_is_writable(pte)));
}

/* The frame under the leaf that maps @addr of @vma, if there is one. mmap_lock held. */
static struct page *pin_mapped(const struct vma *vma, uint64_t addr, enum pin_how how)
{
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(addr));
    struct page *frame = NULL;

    bool alone = !bug_is_back(BUG_B09);

    if (alone)
        spin_lock(pt_lock(walk.table));
    pte_t pte = pte_read(walk.slot);
    bug_moment(BUG_B09);
    if (pte_kind(pte, walk.level) == PTE_KIND_LEAF && leaf_suits(vma, pte, how)) {
        uint64_t offset = addr & (pt_level_size(walk.level) - 1);
        frame = phys_to_page(phys_add(pte_phys(pte, walk.level), round_down(offset, PAGE_SIZE)));
        page_pin(frame);
        if (bug_is_back(BUG_B02) && walk.level > PT_4K)
            pt_set(walk.table, walk.slot, pte_made_old_dirty(pte));
        if (how != PIN_TO_READ)
            atomic_fetch_add(&page_head(frame)->keeps, 1);
    }
    if (alone)
        spin_unlock(pt_lock(walk.table));
    return frame;
}

/* The area at @addr, if it may be used so, and has pages that may be pinned (claim 2). */
static const struct vma *area_of(struct mm *mm, uint64_t addr, enum pin_how how)
{
    const struct vma *vma = addr < USER_END ? vma_find_from(mm, addr) : NULL;
    uint32_t right = how == KEEP_TO_WRITE ? VM_WRITE : VM_READ;
    bool hidden = vma && vma->object && !vma->object->ops->kernel_access;
    bool may =
        vma && vma->start <= addr && (vma->flags & right) && (!hidden || bug_is_back(BUG_B49));
    bool shut = may && pkey_refuses(vma->pkey, how == KEEP_TO_WRITE) && !bug_is_back(BUG_B64);

    return may && !shut ? vma : NULL;
}

int mm_pin(struct mm *mm, uint64_t addr, enum pin_how how, struct page **out)
{
    static const enum fault_access needed[] = {
        [PIN_TO_READ] = ACCESS_READ,
        [KEEP_TO_READ] = ACCESS_UNSHARE,
        [KEEP_TO_WRITE] = ACCESS_WRITE,
    };

    for (;;) {
        rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
        const struct vma *vma = area_of(mm, addr, how);
        *out = vma ? pin_mapped(vma, addr, how) : NULL;
        rwsem_read_unlock(&mm->mmap_lock, reader);
        if (*out)
            return 0;
        if (!vma)
            return -EFAULT;
        enum fault_result result = mm_fault_and_ask(mm, user(addr), needed[how]);
        if (result != FAULT_RESOLVED)
            return result == FAULT_NO_MEMORY ? -ENOMEM : -EFAULT;
    }
}
