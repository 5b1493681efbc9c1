/* SPDX-License-Identifier: MIT */
/*
 * mm/fault_around.c - a read of a cached page maps its cached neighbours, too
 *
 * Room:   mm.
 * Owns:   how far around: 64 KiB, within the area, the page table and the object's size.
 * Locks:  object.index_lock, then the table's lock, each once for the whole run.
 * Always: (1) only what the index holds under its lock is mapped: truncation takes a folio out of
 *             the index first, and then finds the leaf;
 *         (2) leaves are clean: nobody wrote through them.
 * Source: Linux mm/memory.c, do_fault_around() (behaviour).
 * Tour:   after mm/fault.c.
 */
#include "internal.h"

/* Pages of the object: those that lie around @va. */
struct window {
    uint64_t first, end;
};

static struct window window_around(const struct vma *vma, uint64_t va)
{
    uint64_t start = max(round_down(va, FAULT_AROUND_REACH), vma->start);
    uint64_t table_end = round_down(va, HUGE_SIZE) + HUGE_SIZE;
    uint64_t end = min(start + FAULT_AROUND_REACH, min(vma->end, table_end));
    uint64_t in_object = round_up(object_size(vma->object), PAGE_SIZE) >> PAGE_SHIFT;

    return (struct window){vma_folio_index(vma, start),
                           min(vma_folio_index(vma, end - 1) + 1, in_object)};
}

/* Map @page if nothing is mapped there yet. Both locks held. */
static bool map_page(const struct pt_walk *walk, pte_t *slot, pgprot_t prot, struct page *page)
{
    if (!pte_is_none(pte_read(slot)) || page_is_untouched(page))
        return false;
    folio_get(page_folio(page));
    atomic_fetch_add_explicit(&page_head(page)->mapcount, 1, memory_order_relaxed);
    pt_set(walk->table, slot, pte_made_young(pte_leaf(page_to_phys(page), prot, PT_4K)));
    return true;
}

bool fault_around(const struct vma *vma, uint64_t va, const struct pt_walk *walk)
{
    struct object *object = vma->object;
    struct window window = window_around(vma, va);
    uint64_t here = vma_folio_index(vma, va);
    bool write = vma_leaf_may_write(vma->flags, false, false);
    pgprot_t prot = write ? pgprot_write(vma_pgprot(vma)) : vma_pgprot(vma);
    struct page *page, *last = NULL;
    int64_t mapped = 0;

    if (object->ops->folio_order || !object->ops->kernel_access ||
        (vma->flags & (VM_UFFD_WP | VM_UFFD_MINOR)))
        return false; /* the last: each page has its own question, or mark */
    spin_lock(&object->index_lock);
    spin_lock(pt_lock(walk->table));
    for (uint64_t i = window.first; (page = index_next(&object->folios, &i)) && i < window.end;
         i++) {
        pte_t *slot = walk->slot + (int64_t)(i - here);
        mapped += map_page(walk, slot, prot, page);
        last = page;
    }
    if (mapped)
        rss_add(vma->mm, page_folio(last), mapped);
    bool found = !pte_is_none(pte_read(walk->slot));
    spin_unlock(pt_lock(walk->table));
    spin_unlock(&object->index_lock);
    return found;
}
