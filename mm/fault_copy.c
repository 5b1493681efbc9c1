/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_copy.c - copy on write
 *
 *   nothing there        a copy of the object's folio, in the object's unit, or zeros
 *   leaf refuses a write exclusive: made writable; else replaced by a copy
 *
 * Room:   mm.
 * Owns:   the pages that one address space alone has.
 * Locks:  mmap_lock for reading what it reaches; the leaf's table lock.
 * Always: (1) a copy that others could write is mapped read-only, flushed, and only then writable.
 * Source: Linux Documentation/mm/page_tables.rst (behaviour).
 * Tour:   after mm/fault.c.
 */
#include "fault.h"
#include <base/bug.h>
#include <lib/frames.h>
#include <lib/string.h>

enum fault_result private_page(const struct fault *f, unsigned alloc_flags, struct page **out)
{
    struct object *object = f->vma->object;
    if (object && object->ops->get_copy) {
        if (object->ops->get_copy(f->vma, vma_folio_index(f->vma, f->va), out))
            return FAULT_BEYOND;
        if (alloc_flags & PAGE_ALLOC_ZERO)
            memset(page_kva(*out), 0, vma_unit(f->vma));
    } else if (f->walk.level > PT_4K) {
        if (thp_page_alloc(THP_LEAVE_SOME, alloc_flags, out))
            return FAULT_NO_MEMORY;
    } else {
        if (page_alloc(0, alloc_flags | PAGE_ALLOC_AS(PAGE_ANON), out))
            return FAULT_NO_MEMORY;
    }
    (*out)->object = NULL;
    return FAULT_RESOLVED;
}

void copy_page(struct page *to, const struct page *from)
{
    copy_frames(page_kva(to), page_kva(from), PAGE_SIZE << to->order);
}

enum fault_result fault_private(struct fault *f, const struct page *from)
{
    struct page *page;
    vma_anon_begin(f->vma);
    enum fault_result result = private_page(f, from ? PAGE_ALLOC_PLAIN : PAGE_ALLOC_ZERO, &page);
    if (result != FAULT_RESOLVED)
        return result;
    if (from)
        copy_page(page, from);
    if (!publish(f, page, from))
        folio_put(page_folio(page)); /* somebody was faster, or it was truncated: try again */
    return FAULT_RESOLVED;
}

/* Only the one who maps it can have a reference, or wants one later. */
static bool page_is_mine(const struct page *page, pte_t pte)
{
    const _Atomic uint32_t *has = bug_is_back(BUG_B04) ? &page->mapcount : &page->refcount;
    return pte_is_exclusive(pte) || (page_is_private(page) && atomic_load(has) == 1);
}

/* Let the leaf, which is still the one seen, be written, or be nobody else's. Table locked. */
static void make_mine(const struct fault *f, pte_t pte)
{
    pte = pte_made_young(pte_made_exclusive(pte));
    if (f->access == ACCESS_WRITE)
        pte = pte_made_writable(pte_made_dirty(pte));
    pt_set(f->walk.table, f->walk.slot, pte);
}

/* Is it a leaf, and one that can be used, or need not be by the program? */
static inline bool is_usable(const struct fault *f, pte_t pte)
{
    enum pte_kind kind = pte_kind(pte, f->walk.level);

    return likely(kind == PTE_KIND_LEAF) ||
           (kind == PTE_KIND_PROTNONE && f->access >= ACCESS_UNSHARE);
}

/* Claim 1: the slot held a leaf of @old_page when it was looked at; replace it by a copy. Of zeros
 * none is made: what is new is zero, too. */
static enum fault_result replace_by_copy(struct fault *f, pte_t old, struct page *old_page)
{
    enum pt_level level = f->walk.level;
    const struct page *old_frame = phys_to_page(pte_phys(old, level));
    struct page *page;
    vma_anon_begin(f->vma);
    bool zeros = page_is_zeros(old_page);
    enum fault_result result = private_page(f, zeros ? PAGE_ALLOC_ZERO : PAGE_ALLOC_PLAIN, &page);
    if (result != FAULT_RESOLVED)
        return result;
    if (!zeros)
        copy_page(page, old_frame);
    bool alone = atomic_load(&f->mm->refcount) == 1; /* then nobody writes before we return */
    pgprot_t prot = vma_pgprot(f->vma);
    pte_t copy = pte_made_exclusive(pte_made_young(pte_leaf(page_to_phys(page), prot, level)));
    if (alone && f->access == ACCESS_WRITE)
        copy = pte_made_writable(pte_made_dirty(copy));

    spin_lock(pt_lock(f->walk.table));
    pte_t now = pte_read(f->walk.slot);
    bool same = is_usable(f, now) && pte_phys(now, level).raw == pte_phys(old, level).raw &&
                !pte_is_writable(now) && pte_is_uffd_wp(now) == pte_is_uffd_wp(old);
    if (unlikely(pte_is_uffd_wp(old)))
        copy = pte_made_uffd_wp(copy);
    if (same) {
        pt_set(f->walk.table, f->walk.slot, copy);
        leaf_added(f, page);
        if (!zeros) {
            atomic_fetch_sub_explicit(&old_page->mapcount, 1, memory_order_relaxed);
            rss_add(f->mm, page_folio(old_page), -(int64_t)(pt_level_size(level) >> PAGE_SHIFT));
        }
    }
    spin_unlock(pt_lock(f->walk.table));
    if (!same) {
        folio_put(page_folio(page));
        return FAULT_RESOLVED;
    }
    struct tlb_gather gather;
    tlb_gather_begin(&gather, &f->mm->pgtable);
    tlb_gather_leaf(&gather, f->va, level);
    if (!zeros)
        tlb_gather_page(&gather, old_page);
    tlb_gather_end(&gather);
    if (alone)
        return FAULT_RESOLVED;

    spin_lock(pt_lock(f->walk.table));
    now = pte_read(f->walk.slot);
    if (pte_kind(now, level) == PTE_KIND_LEAF && phys_to_page(pte_phys(now, level)) == page &&
        pte_is_exclusive(now) && !pte_is_uffd_wp(now))
        make_mine(f, now);
    spin_unlock(pt_lock(f->walk.table));
    return FAULT_RESOLVED;
}

/* Before a page of a pool is copied: nobody else does. True: the leaf is still the one seen. */
static __cold bool pool_copy_begin(struct fault *f, pte_t seen)
{
    mutex_lock(&f->vma->hugetlb->lock);
    return pte_phys(pte_read(f->walk.slot), f->walk.level).raw == pte_phys(seen, f->walk.level).raw;
}

/* After that. When the pool is empty, children lose what they share with the one who was promised a
 * page: then it needs no copy. */
static __cold enum fault_result pool_copy_end(struct fault *f, const struct page *page,
                                              enum fault_result result)
{
    mutex_unlock(&f->vma->hugetlb->lock);
    if (result == FAULT_BEYOND && hugetlb_rob(f->vma, vma_folio_index(f->vma, f->va), page))
        return FAULT_RESOLVED;
    return result;
}

/* The first write to a huge page of zeros gives a huge page. */
static enum fault_result fault_huge_zeros(struct fault *f, pte_t pte, struct page *zeros)
{
    uint64_t va = f->va;

    f->va = round_down(va, HUGE_SIZE);
    if (replace_by_copy(f, pte, zeros) == FAULT_RESOLVED) {
        thp_count(THP_FAULT_ALLOC, 1);
        return FAULT_RESOLVED;
    }
    thp_count(THP_FAULT_FALLBACK, 1);
    f->va = va;
    return fault_split(f);
}

/* Is a leaf that is there already as the access needs it? */
static inline bool is_enough(const struct fault *f, pte_t pte)
{
    if (likely(f->access == ACCESS_WRITE))
        return pte_is_writable(pte);
    if (f->access == ACCESS_FORCE && pte_is_uffd_wp(pte))
        return false;
    return f->access < ACCESS_UNSHARE || pte_is_exclusive(pte) || (f->vma->flags & VM_SHARED);
}

enum fault_result fault_present(struct fault *f, pte_t seen)
{
    if (is_enough(f, seen)) {
        tlb_refresh_user_local(user(f->va)); /* this CPU remembers less than the leaf grants */
        return FAULT_RESOLVED;
    }
    spin_lock(pt_lock(f->walk.table));
    pte_t pte = pte_read(f->walk.slot);
    if (!is_usable(f, pte) || is_enough(f, pte)) {
        spin_unlock(pt_lock(f->walk.table));
        return FAULT_RESOLVED;
    }
    if (unlikely(pte_is_uffd_wp(pte)) && access_writes(f->access)) {
        spin_unlock(pt_lock(f->walk.table));
        return fault_told(f);
    }
    struct page *frame = phys_to_page(pte_phys(pte, f->walk.level));
    struct page *page = page_head(frame);
    bool shared = f->vma->flags & VM_SHARED;
    if (shared || page_is_mine(page, pte)) {
        if (shared)
            pt_set(f->walk.table, f->walk.slot, leaf_for(f, frame));
        else
            make_mine(f, pte);
        spin_unlock(pt_lock(f->walk.table));
        tlb_flush_user_local(user(f->va));
        return FAULT_RESOLVED;
    }
    bool zeros = page_is_zeros(page);
    if (f->walk.level > vma_level(f->vma)) {
        spin_unlock(pt_lock(f->walk.table));
        return zeros ? fault_huge_zeros(f, pte, page) : fault_split(f);
    }
    if (!zeros)
        folio_get(page_folio(page)); /* while it is copied */
    spin_unlock(pt_lock(f->walk.table));
    bool pool = unlikely(has_pool_pages(f->vma));
    enum fault_result result = FAULT_RESOLVED;
    if (!pool || pool_copy_begin(f, pte))
        result = replace_by_copy(f, pte, page);
    if (pool)
        result = pool_copy_end(f, page, result);
    if (!zeros)
        folio_put(page_folio(page));
    return result;
}
