/* SPDX-License-Identifier: MIT */
/*
 * mm/fault.c - making an access possible
 *
 *   anonymous, read of nothing      the zero page, small or huge
 *   anonymous, write of nothing     a new zeroed page, 2 MiB of it where that fits
 *   object, shared, or read         the object's folio
 *   object, private, write          a copy of the object's folio, in the object's unit
 *   leaf refuses a write            exclusive: made writable; else a copy
 *
 * Room:   mm.
 * Owns:   the decision above, copy on write, growth of stacks.
 * Locks:  mmap_lock for reading what it reaches (all for writing: stacks); the leaf's table lock.
 * Always: (1) a new leaf is published under the table's lock, after the slot was seen empty there;
 *         (2) an object's folio is mapped only if folio.object still says so under that lock;
 *         (3) a copy that others could write is mapped read-only, flushed, and only then writable.
 * Source: Linux Documentation/mm/page_tables.rst (behaviour).
 * Tour:   after mm/map.c, mm/protect.c; docs/decisions/0006-ranges.md.
 */
#include "internal.h"
#include <lib/string.h>
#include <mm/commit.h>
#include <uapi/errno.h>

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

/* Claims 1, 2. @source: of the object, @page or what it was copied from; NULL: neither.
 * True: @page is mapped, and the leaf owns the caller's reference. */
static __force_inline bool publish(const struct fault *f, struct page *page,
                                   const struct page *source)
{
    struct page *table = f->walk.table;
    bool done = false;

    spin_lock(pt_lock(table));
    bool valid = !source || READ_ONCE(source->object) == f->vma->object;
    valid &= f->walk.level == PT_4K || !(page->flags & PAGE_PARTIAL);
    if (likely(valid && pte_is_none(pte_read(f->walk.slot)))) {
        pt_set(table, f->walk.slot, leaf_for(f, page));
        if (!page_is_zeros(page))
            leaf_added(f, page);
        if (f->spare)
            pt_keep(table, f->spare);
        done = true;
    }
    spin_unlock(pt_lock(table));
    return done;
}

/* Has the area pages of its own, of a pool? Then it is never one of vma_look()'s copies. */
static bool has_pool_pages(const struct vma *vma)
{
    return vma->object && vma->object->ops->get_copy && !(vma->flags & VM_SHARED);
}

/* A page that this address space alone has, of the unit that the area is made of. */
static enum fault_result private_page(const struct fault *f, unsigned alloc_flags,
                                      struct page **out)
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

static void copy_page(struct page *to, const struct page *from)
{
    memcpy(page_kva(to), page_kva(from), PAGE_SIZE << to->order);
}

/* A private copy of @from (NULL: zeros), mapped where nothing was. Consumes no reference. */
static enum fault_result fault_private(struct fault *f, const struct page *from)
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

/* The usual faults: publish() of a small page for the write that wants it. @source: its object,
 * shared; NULL: it is new, and this address space's alone. */
static __force_inline bool publish_written(const struct fault *f, struct page *page,
                                           const struct object *source)
{
    struct page *table = f->walk.table;
    struct folio *folio = source ? page_folio(page) : (struct folio *)page;
    pte_t pte = pte_leaf(page_to_phys(page), pgprot_write(vma_pgprot(f->vma)), PT_4K);
    pte = pte_made_dirty(pte_made_young(source ? pte : pte_made_exclusive(pte)));

    spin_lock(pt_lock(table));
    bool valid = !source || likely(READ_ONCE(page->object) == source);
    valid = valid && likely(pte_is_none(pte_read(f->walk.slot)));
    if (valid) {
        pte_write(f->walk.slot, pte);
        pt_entries_came(table, 1);
        if (source)
            atomic_fetch_add_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
        else
            atomic_store_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
        rss_add(f->mm, folio, 1);
    }
    spin_unlock(pt_lock(table));
    return valid;
}

static enum fault_result fault_zeros(struct fault *f)
{
    publish(f, zero_page, NULL);
    return FAULT_RESOLVED;
}

static __force_inline enum fault_result fault_anonymous(struct fault *f)
{
    struct page *page;

    if (f->access != ACCESS_WRITE)
        return f->access == ACCESS_UNSHARE ? fault_private(f, NULL) : fault_zeros(f);
    vma_anon_begin(f->vma);
    if (page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_ANON), &page))
        return FAULT_NO_MEMORY;
    page->object = NULL;
    if (unlikely(!publish_written(f, page, NULL)))
        page_put(page); /* somebody was faster */
    return FAULT_RESOLVED;
}

/* The whole unit of 2 MiB at once. False: there is no memory for that. */
static bool fault_huge(struct fault *f)
{
    bool zeros = !wants_own(f->access) && READ_ONCE(thp_use_zeros);
    struct page *page;

    int err = pt_spare_get(&f->mm->pgtable, &f->spare);
    if (!err)
        err = zeros ? zeros_get(f->mm, &page)
                    : thp_page_alloc(THP_LEAVE_SOME, PAGE_ALLOC_ZERO, &page);
    if (err)
        goto fall_back;
    f->va = round_down(f->va, HUGE_SIZE);
    vma_anon_begin(f->vma);
    if (publish(f, page, NULL)) {
        thp_count(THP_FAULT_ALLOC, !zeros);
        return true;
    }
    if (!zeros)
        folio_put(page_folio(page));
    pt_spare_put(&f->mm->pgtable, f->spare);
    return true;

fall_back:
    if (f->spare)
        pt_spare_put(&f->mm->pgtable, f->spare);
    f->spare = NULL;
    thp_count(THP_FAULT_FALLBACK, 1);
    return false;
}

/* Does the object end before what the fault is about? */
static inline bool is_beyond(const struct fault *f)
{
    return vma_is_beyond(f->vma, f->va);
}

/* A huge page that fallocate(2) put behind the end is mapped all the same, as on Linux. */
static __cold bool exists_beyond(const struct fault *f)
{
    return object_is_hugetlb(f->vma->object) &&
           object_has_page(f->vma->object, vma_folio_index(f->vma, f->va));
}

/* The object's huge page, if it has one there or gets one now. */
static bool fault_huge_object(struct fault *f)
{
    struct object *object = f->vma->object;
    uint64_t index = vma_folio_index(f->vma, f->va);
    struct page *page;

    if (object->ops->get_page(object, index, thp_wanted(f->vma), &page))
        return false;
    struct page *head = page_head(page);
    bool whole = page_is_whole(head);
    if (whole)
        f->va = round_down(f->va, HUGE_SIZE);
    if (whole && publish(f, head, head))
        thp_count(THP_FILE_MAPPED, 1);
    else
        page_put(page);
    return whole;
}

static __cold bool object_may_be_huge(const struct vma *vma, uint64_t addr,
                                      enum fault_access access)
{
    bool copies = wants_own(access) && !(vma->flags & VM_SHARED); /* one page */
    return !copies && thp_fits_object(vma, addr);
}

/* May the area have a huge leaf at @addr, which is not there yet? */
static inline bool may_be_huge(const struct vma *vma, uint64_t addr, enum fault_access access)
{
    if (vma->object)
        return unlikely(thp_may_be_of(vma->object)) && object_may_be_huge(vma, addr, access);
    return thp_allows(vma, addr);
}

/* The object's @page, whose reference this consumes, is there for the access. */
static __force_inline enum fault_result fault_page(struct fault *f, struct page *page)
{
    if (wants_own(f->access) && !(f->vma->flags & VM_SHARED)) {
        enum fault_result result = fault_private(f, page);
        page_put(page);
        return result;
    }
    bool done = f->access == ACCESS_WRITE && f->walk.level == PT_4K
                    ? publish_written(f, page, f->vma->object)
                    : publish(f, page, page);
    if (unlikely(!done) && f->vma->object->ops->borrows)
        done = publish(f, page, NULL); /* another object has it, or none: it stays all the same */
    if (!done)
        page_put(page); /* somebody was faster, or it was truncated: the access tries again */
    return FAULT_RESOLVED;
}

/* In a private mapping of huge pages. What is missing is not made for all; and as one page is
 * promised, who comes second waits until it is mapped. */
static enum fault_result fault_pool_locked(struct fault *f)
{
    struct object *object = f->vma->object;
    struct page *page;

    if (!pte_is_none(pte_read(f->walk.slot)))
        return FAULT_RESOLVED;
    if (READ_ONCE(f->vma->hugetlb->robbed) || (is_beyond(f) && !exists_beyond(f)))
        return FAULT_BEYOND;
    int err =
        object->ops->get_page(object, vma_folio_index(f->vma, f->va), OBJECT_GET_EXISTING, &page);
    if (err)
        return FAULT_BEYOND;
    return page ? fault_page(f, page) : fault_private(f, NULL);
}

static __cold enum fault_result fault_pool(struct fault *f)
{
    mutex_lock(&f->vma->hugetlb->lock);
    enum fault_result result = fault_pool_locked(f);
    mutex_unlock(&f->vma->hugetlb->lock);
    return result;
}

static enum fault_result fault_object(struct fault *f)
{
    struct object *object = f->vma->object;
    struct page *page;

    if (has_pool_pages(f->vma))
        return fault_pool(f);
    if (wants_own(f->access) && !(f->vma->flags & VM_SHARED))
        vma_anon_begin(f->vma); /* Linux does, whatever becomes of the fault */
    if (is_beyond(f) && !exists_beyond(f))
        return FAULT_BEYOND;
    if (!wants_own(f->access) && fault_around(f->vma, f->va, &f->walk))
        return FAULT_RESOLVED;
    int err =
        object->ops->get_page(object, vma_folio_index(f->vma, f->va), thp_wanted(f->vma), &page);
    if (err)
        return object->ops->folio_order || err == -ENOSPC ? FAULT_BEYOND : FAULT_NO_MEMORY;
    return fault_page(f, page);
}

/* Only the one who maps it can have a reference, or wants one later. */
static bool page_is_mine(const struct page *page, pte_t pte)
{
    return pte_is_exclusive(pte) || (page_is_private(page) && atomic_load(&page->refcount) == 1);
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
           (kind == PTE_KIND_PROTNONE && f->access == ACCESS_UNSHARE);
}

/* Claim 3: the slot held a leaf of @old_page when it was looked at; replace it by a copy. Of zeros
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
                !pte_is_writable(now);
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
        pte_is_exclusive(now))
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

/* A huge page is copied page by page, as each is written. */
static enum fault_result fault_split(struct fault *f)
{
    thp_split(f->vma, f->va);
    return FAULT_RESOLVED;
}

/* The first write to a huge page of zeros gives a huge page. */
static enum fault_result fault_huge_zeros(struct fault *f, pte_t pte, struct page *zeros)
{
    f->va = round_down(f->va, HUGE_SIZE);
    if (replace_by_copy(f, pte, zeros) == FAULT_RESOLVED) {
        thp_count(THP_FAULT_ALLOC, 1);
        return FAULT_RESOLVED;
    }
    thp_count(THP_FAULT_FALLBACK, 1);
    return fault_split(f);
}

/* Is a leaf that is there already as the access needs it? */
static inline bool is_enough(const struct fault *f, pte_t pte)
{
    if (likely(f->access == ACCESS_WRITE))
        return pte_is_writable(pte);
    return f->access != ACCESS_UNSHARE || pte_is_exclusive(pte) || (f->vma->flags & VM_SHARED);
}

/* There is a leaf, and the area grants the access: the leaf must be behind the times. */
static enum fault_result fault_present(struct fault *f, pte_t seen)
{
    if (is_enough(f, seen)) {
        tlb_flush_user_local(user(f->va)); /* this CPU remembers less than the leaf grants */
        return FAULT_RESOLVED;
    }
    spin_lock(pt_lock(f->walk.table));
    pte_t pte = pte_read(f->walk.slot);
    if (!is_usable(f, pte) || is_enough(f, pte)) {
        spin_unlock(pt_lock(f->walk.table));
        return FAULT_RESOLVED;
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

static bool grants(const struct vma *vma, enum fault_access access)
{
    static const uint32_t needed[] = {
        [ACCESS_READ] = VM_RIGHTS, /* x86 cannot refuse reads of what may be written or executed */
        [ACCESS_WRITE] = VM_WRITE,
        [ACCESS_EXEC] = VM_EXEC,
        [ACCESS_UNSHARE] = VM_MAYREAD,
    };
    return vma->flags & needed[access];
}

/* slot_find() where the tables do not lead to small leaves, or not yet. */
static __cold int slot_make(struct fault *f, enum pt_level level, pte_t *pte)
{
    enum pte_kind kind;
    do { /* a larger leaf may be split, or go, while we look */
        int err = pt_walk_alloc(&f->mm->pgtable, user(f->va), level, &f->walk);
        if (err)
            return err;
        *pte = pte_read(f->walk.slot);
        kind = pte_kind(*pte, f->walk.level);
    } while (kind == PTE_KIND_TABLE || (kind == PTE_KIND_NONE && f->walk.level > level));
    return 0;
}

/* The slot that decides about f->va, for a leaf of @level or a larger one that is there. */
static inline int slot_find(struct fault *f, enum pt_level level, pte_t *pte)
{
    f->walk = pt_walk_down_to(&f->mm->pgtable, user(f->va), PT_4K);
    *pte = pte_read(f->walk.slot);
    return likely(f->walk.level == PT_4K) ? 0 : slot_make(f, level, pte);
}

/* What a fault may fill in: the unit it is about, the huge page, or cached neighbours. */
struct reach {
    uint64_t start, end;
    bool huge;
};

static struct reach fault_reach(const struct vma *vma, uint64_t addr, enum fault_access access)
{
    bool huge = may_be_huge(vma, addr, access);
    uint64_t unit = huge ? HUGE_SIZE : vma_unit(vma), start = round_down(addr, unit);

    if (vma->object && access != ACCESS_WRITE && unit < FAULT_AROUND_REACH) {
        start = round_down(addr, FAULT_AROUND_REACH);
        unit = 2 * FAULT_AROUND_REACH;
    }
    return (struct reach){start, start + unit, huge};
}

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

/* In an area that asks, where nothing is mapped. */
static __cold enum fault_result fault_asking(struct fault *f)
{
    return is_missing(f->vma, f->va) ? FAULT_ASKED : fault_object(f);
}

/* What the slot holds, which decides about f->va, says what is to be done. */
static __force_inline enum fault_result slot_fault(struct fault *f, pte_t pte)
{
    switch (pte_kind(pte, f->walk.level)) {
    case PTE_KIND_NONE:
        if (unlikely(f->vma->flags & VM_UFFD_MISSING))
            return fault_asking(f);
        return f->vma->object ? fault_object(f) : fault_anonymous(f);
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
        return fault_present(f, pte);
    case PTE_KIND_GUARD:
        return FAULT_NO_AREA;
    case PTE_KIND_TABLE:
    case PTE_KINDS:
        break;
    }
    panic("claim: a walk stops at the area's level; pte=%#lx level=%d", pte.raw, f->walk.level);
}

/* In an area that may have a huge leaf at f->va. */
static __cold enum fault_result fault_in_unit(struct fault *f)
{
    uint64_t va = f->va;
    pte_t pte;

    if (slot_find(f, PT_2M, &pte))
        return FAULT_NO_MEMORY;
    if (f->walk.level == PT_4K)
        thp_scan_add(f->mm);
    if (f->walk.level == PT_2M && pte_is_none(pte)) {
        if (f->vma->object && is_beyond(f))
            return FAULT_BEYOND; /* before a table stands where a huge leaf may come */
        if (f->vma->object ? fault_huge_object(f) : fault_huge(f))
            return FAULT_RESOLVED;
        thp_scan_add(f->mm);
        f->va = va;
        if (slot_find(f, PT_4K, &pte))
            return FAULT_NO_MEMORY;
    }
    return slot_fault(f, pte);
}

static __force_inline enum fault_result fault_in(struct mm *mm, struct vma *vma, uint64_t addr,
                                                 enum fault_access access, bool huge)
{
    struct fault f;
    pte_t pte;

    if (!grants(vma, access))
        return FAULT_NO_RIGHT;
    f.mm = mm;
    f.vma = vma;
    f.va = round_down(addr, vma_unit(vma));
    f.access = access;
    f.spare = NULL;
    if (unlikely(huge))
        return fault_in_unit(&f);
    if (slot_find(&f, vma_level(f.vma), &pte))
        return FAULT_NO_MEMORY;
    return slot_fault(&f, pte);
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

enum fault_result area_fault(struct mm *mm, struct vma *vma, uint64_t addr,
                             enum fault_access access)
{
    return fault_in(mm, vma, addr, access, may_be_huge(vma, addr, access));
}

/* Must @vma, growing down to @start, keep away from what lies below it? */
static bool keeps_distance(const struct vma *vma, uint64_t start)
{
    const struct vma *below = vma_prev(vma);
    bool counts = below && (below->flags & VM_RIGHTS) && !(below->flags & VM_GROWSDOWN);

    return !counts || start - below->end >= STACK_GUARD_GAP;
}

/* The area above @addr is a stack that may grow down to it. mmap_lock held for writing. */
static bool stack_grow(struct mm *mm, uint64_t addr)
{
    struct vma *vma = vma_find_from(mm, addr);
    uint64_t start = round_down(addr, PAGE_SIZE);

    if (!vma)
        return false;
    if (vma->start <= addr)
        return true; /* somebody else was faster */
    if (!(vma->flags & VM_GROWSDOWN) || start < vm_settings.mmap_min_addr ||
        !keeps_distance(vma, start))
        return false;
    vma_anon_begin(vma);
    if (vma->end - start > mm->limits.stack || area_may_grow(mm, vma, vma->start - start))
        return false;
    uint64_t pages = (vma->start - start) >> PAGE_SHIFT;
    area_count(mm, vma->flags, pages);
    vma_set_start(vma, start);
    return true;
}

/* Might the fault change the area itself, and look at its neighbours? vma_anon_begin() does. */
static bool changes_area(const struct vma *vma, enum fault_access access, bool huge)
{
    bool for_reads_too = vma->object ? vma->object->ops->get_copy != NULL : huge;
    return !(vma->flags & VM_SHARED) && !vma->anon && (wants_own(access) || for_reads_too);
}

/* Find the area by a copy, and hold what the fault may reach. False: it takes everything. */
static inline bool area_hold(struct mm *mm, rwsem_reader_t reader, uint64_t addr,
                             enum fault_access access, struct vma *area, bool *huge)
{
    uint32_t when = vma_look(mm, addr, area);
    if (unlikely(!vma_looked(when)))
        return false;
    struct reach reach = fault_reach(area, addr, access);
    *huge = reach.huge;
    if (unlikely(changes_area(area, access, reach.huge)))
        return false;
    return rwsem_read_settle(&mm->mmap_lock, reader, reach.start, reach.end) &&
           vma_unchanged(mm, when); /* what was added to its reach is as it was seen */
}

/* Beside mapping calls elsewhere, on a copy of the area. False: it takes everything to decide. */
static __force_inline bool fault_beside(struct mm *mm, uint64_t addr, enum fault_access access,
                                        enum fault_result *result)
{
    uint64_t page = round_down(addr, PAGE_SIZE);
    struct vma area;
    bool huge;

    rwsem_reader_t reader = rwsem_read_seek(&mm->mmap_lock, page, page + PAGE_SIZE);
    bool held = area_hold(mm, reader, addr, access, &area, &huge);
    if (likely(held))
        *result = fault_in(mm, &area, addr, access, huge);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return held;
}

/* With no mapping call meanwhile. */
static __cold enum fault_result fault_alone(struct mm *mm, uint64_t addr, enum fault_access access)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, addr);
    if (vma && vma->start > addr && (vma->flags & VM_GROWSDOWN)) {
        rwsem_read_unlock(&mm->mmap_lock, reader);
        rwsem_write_lock(&mm->mmap_lock);
        stack_grow(mm, addr);
        vma = vma_find_from(mm, addr);
        reader = rwsem_downgrade(&mm->mmap_lock);
    }
    enum fault_result result = FAULT_NO_AREA;
    if (vma && vma->start <= addr)
        result = area_fault(mm, vma, addr, access);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return result;
}

enum fault_result mm_fault(struct mm *mm, user_addr_t addr, enum fault_access access)
{
    enum fault_result result;

    if (unlikely(READ_ONCE(mm->reaped)))
        return FAULT_BEYOND;
    if (likely(fault_beside(mm, addr.raw, access, &result)))
        return result;
    return fault_alone(mm, addr.raw, access);
}
