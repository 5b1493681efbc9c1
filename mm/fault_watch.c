/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_watch.c - faults in areas that a program watches
 *
 * Room:   mm.
 * Owns:   which question a fault is, if it is one.
 * Locks:  mmap_lock held for reading; the leaf's table lock.
 * Always: (1) a fault is a question exactly if userfault_reason() says so: who waits for an answer
 *             asks the same, so that none is waited for that is not needed any more.
 * Source: userfaultfd(2); Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after mm/fault.c; then mm/userfault.c, mm/userfault_wp.c.
 */
#include "fault.h"
#include <mm/userfault.h>

/* Has the object a page there? */
static bool object_has(const struct vma *vma, uint64_t va)
{
    struct page *page;
    int err = vma->object->ops->get_page(vma->object, vma_folio_index(vma, va), OBJECT_GET_EXISTING,
                                         &page);
    if (err || !page)
        return false;
    page_put(page);
    return true;
}

/* No answer would help. */
static bool is_beyond_all(const struct vma *vma, uint64_t va)
{
    return vma->object && vma_is_beyond(vma, va);
}

static enum userfault_reason reason_of_vacancy(const struct vma *vma, uint64_t va)
{
    if (vma->object && object_has(vma, va))
        return vma->flags & VM_UFFD_MINOR ? USERFAULT_MINOR : USERFAULT_NONE;
    return vma->flags & VM_UFFD_MISSING ? USERFAULT_MISSING : USERFAULT_NONE;
}

__cold enum userfault_reason userfault_reason(const struct vma *vma, uint64_t addr,
                                              enum fault_access access)
{
    uint64_t va = round_down(addr, vma_unit(vma));
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(va));
    pte_t pte = pte_read(walk.slot);
    enum userfault_reason reason = USERFAULT_NONE;

    switch (pte_kind(pte, walk.level)) {
    case PTE_KIND_NONE:
    case PTE_KIND_UFFD_WP:
        if (is_beyond_all(vma, va))
            return USERFAULT_NONE;
        reason = reason_of_vacancy(vma, va);
        if (reason)
            return reason;
        break;
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
        break;
    case PTE_KIND_TABLE: /* it has just become one: whoever comes again finds what is there */
    case PTE_KIND_GUARD:
    case PTE_KIND_POISON:
    case PTE_KINDS:
        return USERFAULT_NONE;
    }
    bool told = (vma->flags & (VM_UFFD_WP | VM_UFFD_ASYNC)) == VM_UFFD_WP;
    return told && access_writes(access) && pte_is_uffd_wp(pte) ? USERFAULT_PROTECTED
                                                                : USERFAULT_NONE;
}

/* Whoever comes again finds no mark. */
static void unmark(const struct fault *f)
{
    spin_lock(pt_lock(f->walk.table));
    pte_t pte = pte_read(f->walk.slot);
    if (pte_kind(pte, f->walk.level) == PTE_KIND_UFFD_WP)
        pt_set(f->walk.table, f->walk.slot, pte_none());
    else if (pte_has_frame(pte) && pte_is_uffd_wp(pte))
        pte_turn(f->walk.slot, pte, leaf_untold(f->vma, pte, true));
    spin_unlock(pt_lock(f->walk.table));
}

/* A mark that is to be written to: as on Linux its page comes first, and is marked instead. */
static enum fault_result fill_and_ask(struct fault *f)
{
    f->access = ACCESS_FORCE; /* a page to be written to, and not yet written */
    enum fault_result result = fault_vacant(f);
    return result == FAULT_RESOLVED ? FAULT_ASKED : result;
}

__cold enum fault_result fault_watched(struct fault *f, pte_t seen)
{
    enum userfault_reason reason = userfault_reason(f->vma, f->va, f->access);
    if (reason == USERFAULT_PROTECTED)
        return fill_and_ask(f);
    if (reason) {
        if (wants_own(f->access) && !(f->vma->flags & VM_SHARED))
            vma_anon_begin(f->vma); /* Linux does, before it asks */
        if (f->vma->object && !wants_own(f->access))
            fault_around(f->vma, f->va, &f->walk); /* and maps the neighbours */
        return FAULT_ASKED;
    }
    if (pte_is_uffd_wp(seen) && access_writes(f->access) && !is_beyond_all(f->vma, f->va))
        unmark(f);
    return fault_vacant(f);
}

__cold enum fault_result fault_told(struct fault *f)
{
    if (userfault_reason(f->vma, f->va, f->access))
        return FAULT_ASKED;
    if (f->walk.level > vma_level(f->vma))
        return fault_split(f); /* what is written is known page by page */
    unmark(f);
    return fault_present(f, pte_read(f->walk.slot));
}
