/* SPDX-License-Identifier: MIT */
/*
 * mm/collapse.c - small pages become a huge one: madvise(MADV_COLLAPSE)
 *
 * Room:   mm.
 * Owns:   which units can be collapsed, and how.
 * Locks:  mmap_lock for writing, one unit at a time: nobody faults, walks or splits meanwhile.
 * Always: (1) what can fail comes first: a unit is collapsed, or as it was;
 *         (2) the small leaves are flushed before their pages are copied: no store is lost, and no
 *             CPU ever knows a small and a huge translation of one address.
 * Source: madvise(2); Linux mm/khugepaged.c (behaviour); trust.md B09, B13.
 * Tour:   after mm/thp.c.
 */
#include "internal.h"
#include <base/bug.h>
#include <lib/frames.h>
#include <uapi/errno.h>

/* Does the area have a unit, and either pages that are its own or an object of small ones? */
static bool area_can(const struct vma *vma)
{
    uint64_t first = round_up(vma->start, HUGE_SIZE);

    if ((vma->flags & VM_NOHUGEPAGE) || vma->mm->thp_disabled || first + HUGE_SIZE > vma->end)
        return false;
    if (!vma->object)
        return vma->anon;
    return vma->object->ops == &shmem_ops &&
           is_aligned((vma->pgoff << PAGE_SHIFT) - vma->start, HUGE_SIZE);
}

/* Has somebody the page, and no leaf of it? He would be left with one that nobody looks at. Of an
 * object's page, which is only copied, its slot and who reads it do not matter. */
static bool is_held(pte_t pte)
{
    const struct page *head = page_head(phys_to_page(pte_phys(pte, PT_4K)));
    if (!page_is_private(head))
        return atomic_load(&head->pins);
    return atomic_load(&head->refcount) > atomic_load(&head->mapcount);
}

static bool is_zeros(pte_t pte)
{
    return page_is_zeros(phys_to_page(pte_phys(pte, PT_4K)));
}

/* Is there something to collapse, and nothing that must stay small? */
static int check_table(const struct vma *vma, struct page *table)
{
    bool asks = vma->flags & VM_UFFD; /* of each page that is missing, or written */
    const pte_t *slots = page_kva(table);

    if (!table->table.used)
        return -EINVAL;
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        pte_t pte = pte_read(&slots[i]);
        switch (pte_kind(pte, PT_4K)) {
        case PTE_KIND_NONE:
            if (asks)
                return -EINVAL;
            break;
        case PTE_KIND_LEAF:
        case PTE_KIND_PROTNONE:
            if (pte_is_uffd_wp(pte) || (asks && is_zeros(pte)))
                return -EINVAL;
            if (is_held(pte))
                return -EAGAIN;
            break;
        case PTE_KIND_GUARD:
        case PTE_KIND_POISON:
        case PTE_KIND_UFFD_WP:
        case PTE_KIND_TABLE:
        case PTE_KINDS:
            return -EINVAL;
        }
    }
    return 0;
}

/* Move one small page's bytes to @to and drop the page. Its leaf is flushed already. Returns
 * whether it was written since writes were tracked. */
static bool take_over(struct mm *mm, struct page *table, pte_t *slot, void *to)
{
    pte_t pte = pt_set(table, slot, pte_none());
    struct page *frame = pte_has_frame(pte) ? phys_to_page(pte_phys(pte, PT_4K)) : zero_page;

    if (page_is_zeros(page_head(frame))) {
        zero_frames(to, PAGE_SIZE);
        return false;
    }
    copy_frames(to, page_kva(frame), PAGE_SIZE);
    struct folio *folio = page_folio(frame);
    atomic_fetch_sub_explicit(&folio->page.mapcount, 1, memory_order_relaxed);
    rss_add(mm, folio, -1);
    folio_put(folio);
    return pte_is_soft_dirty(pte);
}

/* The table at @va, which nothing leads to any more, makes way for a huge leaf of @page. */
static void replace_table(const struct vma *vma, uint64_t va, struct page *table, struct page *page)
{
    struct mm *mm = vma->mm;
    pte_t *slots = page_kva(table);
    char *to = page_kva(page);
    bool written = false;

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        written |= take_over(mm, table, &slots[i], to + i * PAGE_SIZE);

    pgprot_t prot = vma_pgprot(vma);
    struct pt_walk walk = pt_walk(&mm->pgtable, user(va));
    spin_lock(pt_lock(walk.table));
    pt_keep(walk.table, table);
    prot = vma_leaf_may_write(vma->flags, true, written) ? pgprot_write(prot) : prot;
    pte_t pte = pte_made_exclusive(pte_leaf(page_to_phys(page), prot, PT_2M));
    pte = written ? pte_made_dirty(pte) : pte_made_old_dirty(pte);
    pt_set(walk.table, walk.slot, pte_made_young(pte));
    atomic_fetch_add_explicit(&page->mapcount, 1, memory_order_relaxed);
    rss_add(mm, page_folio(page), PT_ENTRIES);
    thp_leaf_added(mm, page_folio(page));
    spin_unlock(pt_lock(walk.table));
}

static int collapse_table(const struct vma *vma, uint64_t va, struct page *table)
{
    struct tlb_gather gather;
    struct page *page;

    int err = check_table(vma, table);
    if (err)
        return err;
    err = thp_page_alloc(THP_TAKE_LAST, PAGE_ALLOC_PLAIN, &page);
    thp_count(err ? THP_COLLAPSE_ALLOC_FAILED : THP_COLLAPSE_ALLOC, 1);
    if (err)
        return err;
    tlb_gather_begin(&gather, &vma->mm->pgtable);
    pt_detach(&vma->mm->pgtable, user(va), table);
    tlb_gather_range(&gather, va, va + HUGE_SIZE, PT_4K);
    tlb_gather_end(&gather);
    replace_table(vma, va, table, page);
    return 0;
}

/* The small leaves of an object at @va make way for a huge one. -EINVAL: some are private. */
static int drop_table(const struct vma *vma, uint64_t va)
{
    struct pgtable *pgt = &vma->mm->pgtable;
    bool locks = !bug_is_back(BUG_B13);
    struct tlb_gather gather;
    int err = 0;

    bug_moment(BUG_B13);
    if (locks)
        spin_lock(&vma->object->mappings_lock); /* nobody truncates along a table that goes */
    tlb_gather_begin(&gather, pgt);
    zap_range(vma->mm, va, va + HUGE_SIZE, ZAP_OBJECT_PAGES, &gather);
    struct pt_walk walk = pt_walk(pgt, user(va));
    if (walk.level == PT_4K && walk.table->table.used) {
        err = -EINVAL;
    } else if (walk.level == PT_4K) {
        pt_detach(pgt, user(va), walk.table);
        tlb_gather_range(&gather, va, va + HUGE_SIZE, PT_4K);
    }
    tlb_gather_end(&gather);
    if (!err && walk.level == PT_4K)
        pt_spare_put(pgt, walk.table);
    if (locks)
        spin_unlock(&vma->object->mappings_lock);
    return err;
}

/* Is @vma what the object's page @first is at @va in? */
static bool still_maps(const struct vma *vma, const struct object *object, uint64_t va,
                       uint64_t first)
{
    return vma && vma->object == object && va + HUGE_SIZE <= vma->end &&
           vma_folio_index(vma, va) == first;
}

/* Collapse within the object, then here: other mappings do it when they have no small leaf left. */
static int collapse_of_object(struct mm *mm, struct object *object, uint64_t va, uint64_t first)
{
    int err = object_collapse(object, first);
    if (err)
        return err;
    rwsem_write_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, va);
    bool maps = still_maps(vma, object, va, first);
    err = maps ? drop_table(vma, va) : -EINVAL;
    bool readable = maps && (vma->flags & VM_RIGHTS);
    rwsem_write_unlock(&mm->mmap_lock);
    if (!err && readable && mm_fault(mm, user(va), ACCESS_READ) == FAULT_NO_MEMORY)
        err = -ENOMEM;
    return err;
}

/* The unit at @va of private memory. */
static int collapse_private(struct mm *mm, uint64_t va)
{
    int err = -EINVAL;

    rwsem_write_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, va);
    if (vma && !vma->object && va + HUGE_SIZE <= vma->end && area_can(vma)) {
        struct pt_walk walk = pt_walk(&mm->pgtable, user(va));
        if (walk.level == PT_4K)
            err = collapse_table(vma, va, walk.table);
        else if (walk.level == PT_2M && pte_has_frame(pte_read(walk.slot)))
            err = 0; /* it is one already */
    }
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

/* What lies at @va now: its object with a reference, or NULL. */
static struct object *object_at(struct mm *mm, uint64_t va, uint64_t *first)
{
    struct object *object = NULL;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, va);
    if (vma && vma->object && area_can(vma)) {
        object = vma->object;
        object_get(object);
        *first = vma_folio_index(vma, va);
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return object;
}

int collapse_unit(struct mm *mm, uint64_t va)
{
    uint64_t first;
    struct object *object = object_at(mm, va, &first);
    if (!object)
        return collapse_private(mm, va);
    int err = collapse_of_object(mm, object, va, first);
    object_put(object);
    return err;
}

/* The part [start, end) of one area. Linux refuses a part that lies within one unit. */
static int collapse_part(struct mm *mm, uint64_t start, uint64_t end)
{
    uint64_t first = round_up(start, HUGE_SIZE), last = round_down(end, HUGE_SIZE);
    int err = first > last ? -EINVAL : 0;

    for (uint64_t va = first; va < last && !err; va += HUGE_SIZE)
        err = collapse_unit(mm, va);
    return err;
}

int mm_collapse(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    uint64_t at = addr, end = addr + len_bytes;
    int gap = 0, err = 0;

    while (at < end && !err) {
        rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
        const struct vma *vma = vma_find_from(mm, at);
        uint64_t from = vma ? max(vma->start, at) : end, to = vma ? min(vma->end, end) : end;
        bool can = vma && area_can(vma);
        rwsem_read_unlock(&mm->mmap_lock, reader);
        if (from > at)
            gap = -ENOMEM;
        if (from >= end)
            break;
        err = can ? collapse_part(mm, from, to) : -EINVAL;
        at = to;
    }
    return err ? err : gap;
}
