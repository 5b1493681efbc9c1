/* SPDX-License-Identifier: MIT */
/*
 * mm/frames.c - has every frame as many leaves and owners as it says?
 *
 * Room:   mm.
 * Owns:   the checks V4 (no table is lost), V7, V8 over all address spaces.
 * Locks:  none: the machine stands still.
 * Always: (1) the counts are what they were when the check is done: leaves are counted by taking
 *             them off mapcount, which must leave nothing, and putting them back.
 * Source: trust.md section 2.
 * Tour:   after mm/check.c.
 */
#include "internal.h"
#include <base/claim.h>
#include <base/log.h>
#include <mm/limbo.h>
#include <mm/pin.h>
#include <uapi/errno.h>

#define HAS_OWNERS (1U << PAGE_ANON | 1U << PAGE_OBJECT | 1U << PAGE_SECRET | 1U << PAGE_HUGETLB)

static int64_t pins_left; /* to be found */

static int check_owners(const struct page *head)
{
    uint32_t maps = atomic_load(&head->mapcount), refs = atomic_load(&head->refcount);
    uint32_t pins = atomic_load(&head->pins), keeps = atomic_load(&head->keeps);

    if (!(HAS_OWNERS & 1U << head->state))
        return 0;
    pins_left -= pins;
    CLAIM(refs == maps + folio_slots(head) + pins && refs < PAGE_COUNT_LIMIT, "V8",
          "frame %#lx (%s): %u references, %u leaves, %u slots, %u pins", page_to_pfn(head),
          page_state_names[head->state], refs, maps, folio_slots(head), pins);
    CLAIM(keeps <= pins && (!pins || head->state != PAGE_SECRET), "V8",
          "frame %#lx (%s): %u of %u pins are for long", page_to_pfn(head),
          page_state_names[head->state], keeps, pins);
    return 0;
}

/* Marks are of a call that is under way; a page of anybody's may tell which object it is in. */
static int check_marks(const struct page *head)
{
    const struct object *object = HAS_OWNERS & 1U << head->state ? head->object : NULL;

    CLAIM(!object || !index_has_mark(&object->folios, INDEX_MARK_PINNED) ||
              mutex_is_locked(&object->lock),
          "V8", "the object of frame %#lx has marks of pins, and nobody waits for them",
          page_to_pfn(head));
    return 0;
}

static int check_no_leaf_left(const struct page *head)
{
    CLAIM(atomic_load(&head->mapcount) == 0, "V7", "frame %#lx (%s): %d more leaves than are found",
          page_to_pfn(head), page_state_names[head->state], (int)atomic_load(&head->mapcount));
    return 0;
}

static void count_run(const struct pt_run *run, uint32_t by)
{
    for (unsigned i = 0; i < run->nr; i++) {
        pte_t pte = pte_read(&run->slot[i]);
        if (!pte_has_frame(pte))
            continue;
        struct page *head = page_head(phys_to_page(pte_phys(pte, run->level)));
        if (!page_is_zeros(head))
            atomic_fetch_add_explicit(&head->mapcount, by, memory_order_relaxed);
    }
}

/* Change the counts of all that is mapped. */
static void count_leaves(uint32_t by)
{
    struct mm *mm;

    list_for_each_entry (mm, &all_mms, all_node) {
        struct pt_run run;

        for (pt_run_first(&run, &mm->pgtable, user(0), user(USER_END)); run.nr; pt_run_next(&run))
            count_run(&run, by);
    }
}

/* Each table belongs to one address space, or to the kernel half. */
static int check_tables(void)
{
    struct page_counts pages;
    uint64_t nr = kernel_tables_count() + limbo_tables();
    struct mm *mm;

    list_for_each_entry (mm, &all_mms, all_node)
        nr += atomic_load(&mm->pgtable.nr_tables);
    page_counts(&pages);
    CLAIM(nr == pages.frames[PAGE_TABLE], "V4", "%lu tables found, %lu frames are tables", nr,
          pages.frames[PAGE_TABLE]);
    return 0;
}

int frames_check(void)
{
    int err = check_tables();

    pins_left = pins_count();
    limbo_count(-1U);
    if (!err)
        err = page_each_head(check_owners);
    limbo_count(1);
    if (!err)
        err = page_each_head(check_marks);
    if (err)
        return err;
    CLAIM(!pins_left, "V8", "%ld pins were not found", pins_left);
    count_leaves(-1U);
    err = page_each_head(check_no_leaf_left);
    count_leaves(1);
    return err;
}
