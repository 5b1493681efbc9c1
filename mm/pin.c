/* SPDX-License-Identifier: MIT */
/*
 * mm/pin.c - references on pages that are neither a leaf nor a slot of an object
 *
 * Room:   mm.
 * Owns:   their count.
 * Locks:  mmap_lock for reading, and the table's lock, while a leaf is read.
 * Always: (1) nr_pins: what pages of programs and objects have beyond leaves and slots, in sum;
 *         (2) a page without an address in the kernel is never pinned;
 *         (3) pages of zeros are not counted: nothing is written to them.
 * Source: vmsplice(2).
 * Tour:   after mm/access.c; then mm/pin_scan.c. kernel/pipe.c keeps such references.
 */
#include "internal.h"
#include <mm/pin.h>
#include <uapi/errno.h>

static _Atomic int64_t nr_pins;

int64_t pins_count(void)
{
    return atomic_load(&nr_pins);
}

/* Pages of the kernel's own are not looked at: only those that others can have, too. */
static bool is_counted(const struct page *head)
{
    return head->state != PAGE_KERNEL;
}

void page_pin(struct page *page)
{
    struct folio *folio = page_folio(page);

    if (page_is_zeros(&folio->page))
        return;
    folio_get(folio);
    if (is_counted(&folio->page))
        atomic_fetch_add_explicit(&nr_pins, 1, memory_order_relaxed);
}

void page_unpin(struct page *page)
{
    struct folio *folio = page_folio(page);

    if (page_is_zeros(&folio->page))
        return;
    if (is_counted(&folio->page))
        atomic_fetch_sub_explicit(&nr_pins, 1, memory_order_relaxed);
    folio_put(folio);
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
        atomic_fetch_add_explicit(&nr_pins, 1, memory_order_relaxed); /* get_page()'s reference */
    return 0;
}

/* The frame under the leaf that maps @addr, if there is one. mmap_lock held. */
static struct page *pin_mapped(struct mm *mm, uint64_t addr)
{
    struct pt_walk walk = pt_walk(&mm->pgtable, user(addr));
    struct page *frame = NULL;

    spin_lock(pt_lock(walk.table));
    pte_t pte = pte_read(walk.slot);
    if (pte_kind(pte, walk.level) == PTE_KIND_LEAF) {
        uint64_t offset = addr & (pt_level_size(walk.level) - 1);
        frame = phys_to_page(phys_add(pte_phys(pte, walk.level), round_down(offset, PAGE_SIZE)));
        page_pin(frame);
    }
    spin_unlock(pt_lock(walk.table));
    return frame;
}

/* May the area at @addr be read, and has it pages that may be pinned (claim 2)? */
static bool may_pin(struct mm *mm, uint64_t addr)
{
    const struct vma *vma = vma_find_from(mm, addr);

    return vma && vma->start <= addr && (vma->flags & VM_READ) &&
           !(vma->object && !vma->object->ops->kernel_access);
}

int mm_pin(struct mm *mm, uint64_t addr, struct page **out)
{
    for (;;) {
        rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
        bool may = addr < USER_END && may_pin(mm, addr);
        *out = may ? pin_mapped(mm, addr) : NULL;
        rwsem_read_unlock(&mm->mmap_lock, reader);
        if (*out)
            return 0;
        if (!may || mm_fault(mm, user(addr), ACCESS_READ) != FAULT_RESOLVED)
            return -EFAULT;
    }
}
