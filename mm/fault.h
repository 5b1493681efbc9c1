/* SPDX-License-Identifier: MIT */
/*
 * mm/fault.h - what the files of a fault share
 *
 * Room:   mm, private to fault.c, fault_object.c, fault_copy.c and fault_answer.c.
 * Owns:   how a leaf is made and published.
 * Locks:  mmap_lock held for reading what it reaches; publish() takes the leaf's table lock.
 * Always: (1) a new leaf is published under the table's lock, after the slot was seen empty there;
 *         (2) an object's folio is mapped only if folio.object still says so under that lock.
 * Source: Linux Documentation/mm/page_tables.rst (behaviour).
 * Tour:   with mm/fault.c.
 */
#pragma once

#include "internal.h"

struct fault {
    struct mm *mm;
    struct vma *vma;
    uint64_t va; /* start of the unit (4K or 2M) */
    enum fault_access access;
    struct pt_walk walk;
    struct page *spare; /* a table to keep beside a huge leaf of private memory */
};

/* Does what is private have to be a page of its own? */
static inline bool wants_own(enum fault_access access)
{
    return access >= ACCESS_WRITE;
}

/* Has the area pages of its own, of a pool? Then it is never one of vma_look()'s copies. */
static inline bool has_pool_pages(const struct vma *vma)
{
    return vma->object && vma->object->ops->get_copy && !(vma->flags & VM_SHARED);
}

/* Does the object end before what the fault is about? */
static inline bool is_beyond(const struct fault *f)
{
    return vma_is_beyond(f->vma, f->va);
}

/* A leaf for @frame with all rights it may have now. */
static __force_inline pte_t leaf_for(const struct fault *f, struct page *frame)
{
    pgprot_t prot = vma_pgprot(f->vma);
    bool own = page_is_private(frame), written = f->access == ACCESS_WRITE;
    bool write = vma_leaf_may_write(f->vma->flags, own, written);
    pte_t pte = pte_leaf(page_to_phys(frame), write ? pgprot_write(prot) : prot, f->walk.level);
    pte = pte_made_young(own ? pte_made_exclusive(pte) : pte);
    return write && written ? pte_made_dirty(pte) : pte;
}

/* Account a page that got a leaf. */
static inline void leaf_added(const struct fault *f, struct page *page)
{
    struct folio *folio = page_folio(page);
    atomic_fetch_add_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
    rss_add(f->mm, folio, pt_level_size(f->walk.level) >> PAGE_SHIFT);
    if (f->walk.level > PT_4K)
        thp_leaf_added(f->mm, folio);
}

/* @source: of the object, @page or what it was copied from; NULL: neither.
 * True: @page is mapped, and the leaf owns the caller's reference. */
static __force_inline bool publish(const struct fault *f, struct page *page,
                                   const struct page *source)
{
    struct page *table = f->walk.table;
    bool done = false;

    spin_lock(pt_lock(table));
    bool valid = !source || READ_ONCE(source->object) == f->vma->object;
    valid &= f->walk.level == PT_4K || !(page->flags & PAGE_PARTIAL);
    pte_t before = pte_read(f->walk.slot);
    if (likely(valid && pte_is_vacant(before))) {
        pte_t pte = leaf_for(f, page);
        pt_set(table, f->walk.slot, unlikely(!pte_is_none(before)) ? pte_made_uffd_wp(pte) : pte);
        if (!page_is_zeros(page))
            leaf_added(f, page);
        if (f->spare)
            pt_keep(table, f->spare);
        done = true;
    }
    spin_unlock(pt_lock(table));
    return done;
}

enum publish_whose {
    PUBLISH_OWN,    /* it is new, and this address space's alone */
    PUBLISH_SHARED, /* f->vma->object may have it, for all */
    PUBLISH_INDEXED /* it has, and its index is locked */
};

/* The usual faults: publish() of a small page, of @folio, for the write that wants it. */
static __force_inline bool publish_written(const struct fault *f, struct page *page,
                                           struct folio *folio, enum publish_whose whose)
{
    bool own = whose == PUBLISH_OWN;
    struct page *table = f->walk.table;
    struct mm_cpu *cpu = &f->mm->cpus[cpu_id()];
    pte_t pte = pte_leaf(page_to_phys(page), pgprot_write(vma_pgprot(f->vma)), PT_4K);
    pte = pte_made_dirty(pte_made_young(own ? pte_made_exclusive(pte) : pte));

    spin_lock(pt_lock(table));
    bool valid = whose != PUBLISH_SHARED || likely(READ_ONCE(page->object) == f->vma->object);
    valid = valid && likely(pte_is_none(pte_read(f->walk.slot)));
    if (valid) {
        pte_write(f->walk.slot, pte);
        pt_entries_came(table, 1);
        if (own)
            atomic_store_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
        else
            atomic_fetch_add_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
        rss_count(own ? &cpu->rss_anon : &cpu->rss_file, 1);
    }
    spin_unlock(pt_lock(table));
    return valid;
}

/* fault.c: the slot that decides about f->va, for a leaf of @level or a larger one that is there.
 * 0 or -ENOMEM. */
int __must_check slot_make(struct fault *f, enum pt_level level, pte_t *pte);

/* The same for the leaves of the area, if none is larger than it has to be. */
int __must_check slot_find_far(struct fault *f, struct pt_near *near, pte_t *pte);

/* @near: this CPU's. */
static __force_inline int slot_find(struct fault *f, struct pt_near *near, pte_t *pte)
{
    if (unlikely(!pt_is_near(&f->mm->pgtable, near, user(f->va))))
        return slot_find_far(f, near, pte);
    f->walk.table = near->table;
    f->walk.slot = near->slots + pt_index(f->va, PT_4K);
    f->walk.level = PT_4K;
    *pte = pte_read(f->walk.slot);
    return 0;
}

/* fault.c: where nothing is mapped, and nobody is asked. */
enum fault_result fault_vacant(struct fault *f);

/* fault.c: a huge leaf is in the way of what the access wants of one of its pages: split it, and do
 * that. */
enum fault_result fault_split(struct fault *f);

/* fault_watch.c: where nothing is mapped, in an area that asks, or at a mark. */
enum fault_result fault_watched(struct fault *f, pte_t seen);

/* The leaf, which is marked, is to be written to. */
enum fault_result fault_told(struct fault *f);

/* fault_object.c: what an object has, or makes, where nothing is mapped. */
enum fault_result fault_object(struct fault *f);

/* The same for a write to shared pages of an object that can make_page(). */
enum fault_result fault_shared_write(struct fault *f);

/* Its huge page, if it has one there or gets one now. False: none. */
bool fault_huge_object(struct fault *f);

/* fault_copy.c */

/* A page that this address space alone has, of the unit that the area is made of. */
enum fault_result private_page(const struct fault *f, unsigned alloc_flags, struct page **out);

void copy_page(struct page *to, const struct page *from);

/* A private copy of @from (NULL: zeros), mapped where nothing was. Consumes no reference. */
enum fault_result fault_private(struct fault *f, const struct page *from);

/* There is a leaf, and the area grants the access: the leaf must be behind the times. */
enum fault_result fault_present(struct fault *f, pte_t seen);
