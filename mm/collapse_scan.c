/* SPDX-License-Identifier: MIT */
/*
 * mm/collapse_scan.c - units that could be huge and are not: looked for, a few at a time
 *
 * Room:   mm.
 * Owns:   which address spaces are looked at, how far, and what makes a unit worth it.
 * Locks:  mmap_lock for reading, a table's lock; then those of mm/collapse.c.
 * Always: (1) an address space is looked at from its first fault in a place for huge pages on;
 *         (2) it is held by a reference only while one step is done.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, "Khugepaged controls".
 * Tour:   after mm/collapse.c; then kernel/khugepaged.c.
 */
#include "internal.h"
#include <uapi/errno.h>

#define STEP_PAGES PT_ENTRIES /* that a step looks at without finding anything, at most */

struct thp_scan_limits thp_scan_limits = {.none = 511, .shared = 256, .swap = 64};
uint64_t thp_full_scans, thp_pages_collapsed;

static uint64_t round_now = 1;
static _Atomic uint64_t nr_spaces;
static void (*first_came)(void);

void thp_scan_boot_init(void (*wake)(void))
{
    first_came = wake;
}

void thp_scan_add(struct mm *mm)
{
    if (likely(atomic_load_explicit(&mm->scanned, memory_order_relaxed)) ||
        atomic_exchange(&mm->scanned, true))
        return;
    if (!atomic_fetch_add(&nr_spaces, 1) && first_came)
        first_came();
}

void thp_scan_remove(struct mm *mm)
{
    if (atomic_load(&mm->scanned))
        atomic_fetch_sub(&nr_spaces, 1);
}

bool thp_scan_wanted(void)
{
    return READ_ONCE(thp_mode) != THP_NEVER && atomic_load(&nr_spaces);
}

/* What is in the slots of a table. */
struct tally {
    unsigned none, shared, young;
    bool unfit;                 /* something must stay as it is */
    const struct page *counted; /* the large folio that was seen last */
    unsigned here;              /* leaves of this table that point to it */
};

static unsigned leaves_to(const pte_t *slots, const struct page *head)
{
    unsigned found = 0;

    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        pte_t pte = pte_read(&slots[i]);
        found += pte_has_frame(pte) && page_head(phys_to_page(pte_phys(pte, PT_4K))) == head;
    }
    return found;
}

/* Does somebody else map the folio too? */
static bool maps_elsewhere(const pte_t *slots, const struct page *head, struct tally *t)
{
    uint32_t maps = atomic_load(&head->mapcount);

    if (maps <= 1 || !head->order)
        return maps > 1;
    if (t->counted != head) {
        t->counted = head;
        t->here = leaves_to(slots, head);
    }
    return maps > t->here;
}

static void tally_slot(const pte_t *slots, pte_t pte, struct tally *t)
{
    if (!pte_has_frame(pte)) {
        t->none++;
        t->unfit |= !pte_is_none(pte); /* a guard */
        return;
    }
    struct page *page = page_head(phys_to_page(pte_phys(pte, PT_4K)));
    if (page_is_zeros(page)) {
        t->none++;
        return;
    }
    t->shared += maps_elsewhere(slots, page, t);
    t->young += pte_is_young(pte);
    /* More references than leaves: somebody uses it by its frame. */
    t->unfit |= folio_refcount(page_folio(page)) != atomic_load(&page->mapcount);
}

static bool private_unit_fits(const struct pt_walk *walk)
{
    const pte_t *slots = page_kva(walk->table);
    struct tally t = {0};

    spin_lock(pt_lock(walk->table));
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        tally_slot(slots, pte_read(&slots[i]), &t);
    spin_unlock(pt_lock(walk->table));
    return !t.unfit && t.young && t.none <= READ_ONCE(thp_scan_limits.none) &&
           t.shared <= READ_ONCE(thp_scan_limits.shared);
}

/* Does the policy want the unit at @va, which lies in @vma, huge? */
static bool policy_wants(const struct vma *vma, uint64_t va)
{
    if (!vma->object)
        return thp_allows(vma, va);
    return thp_fits_object(vma, va) &&
           shmem_wants_huge(vma->object, vma_folio_index(vma, va), thp_wanted(vma));
}

/* The unit at @va: is it worth it? *@looked grows by what that took. */
static bool unit_fits(const struct vma *vma, uint64_t va, uint64_t *looked)
{
    struct pt_walk walk = pt_walk(&vma->mm->pgtable, user(va));

    *looked += walk.level == PT_4K ? PT_ENTRIES : 1;
    if (walk.level == PT_2M && !pte_is_none(pte_read(walk.slot)))
        return false; /* it is huge */
    if (vma->object)
        return object_unit_fits(vma->object, vma_folio_index(vma, va),
                                PT_ENTRIES - READ_ONCE(thp_scan_limits.none));
    return walk.level == PT_4K && private_unit_fits(&walk);
}

/* The next unit of @mm that is worth it, or 0. Goes a step, or to the end of @mm. */
static uint64_t next_unit(struct mm *mm, uint64_t *looked)
{
    uint64_t found = 0;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find_from(mm, mm->scan_at);
    while (vma && !found && *looked < STEP_PAGES) {
        uint64_t unit = round_up(max(vma->start, mm->scan_at), HUGE_SIZE);
        if (unit + HUGE_SIZE > vma->end || !policy_wants(vma, unit)) {
            mm->scan_at = vma->end;
            vma = vma_next(vma);
            ++*looked;
            continue;
        }
        mm->scan_at = unit + HUGE_SIZE;
        found = unit_fits(vma, unit, looked) ? unit : 0;
    }
    if (!vma || mm->reaped) {
        mm->scan_at = 0;
        mm->scan_round = round_now;
    }
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return found;
}

static bool is_next(const struct mm *mm)
{
    return atomic_load(&mm->scanned) && mm->scan_round != round_now;
}

int64_t thp_scan(void)
{
    struct mm *mm = mm_pick(is_next);
    uint64_t looked = 0;
    int err = 0;

    if (!mm) {
        round_now++;
        WRITE_ONCE(thp_full_scans, thp_full_scans + 1);
        return 0;
    }
    uint64_t unit = next_unit(mm, &looked);
    if (unit) {
        err = thp_has_plenty() ? collapse_unit(mm, unit) : -ENOMEM;
        WRITE_ONCE(thp_pages_collapsed, thp_pages_collapsed + !err);
    }
    mm_put(mm);
    return err == -ENOMEM ? err : (int64_t)looked + 1;
}
