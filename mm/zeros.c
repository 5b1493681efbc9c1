/* SPDX-License-Identifier: MIT */
/*
 * mm/zeros.c - the pages that are all zeros: one of 4 KiB for ever, one of 2 MiB while it is used
 *
 * Room:   mm.
 * Owns:   both pages; how many address spaces use the large one.
 * Locks:  zeros.lock.
 * Always: (1) nobody writes to them, and no leaf of theirs is counted;
 *         (2) the large one lives from its first leaf in any address space to the end of the last
 *             space that had one.
 * Source: Linux Documentation/admin-guide/mm/transhuge.rst, use_zero_page.
 * Tour:   with mm/fault.c.
 */
#include "internal.h"
#include <uapi/errno.h>

struct page *zero_page;
uint64_t thp_use_zeros = 1;

static struct {
    spinlock_t lock;
    struct page *page; /* NULL: nobody uses it */
    uint64_t users;
} zeros = {.lock = SPINLOCK_INIT(LOCK_RANK_ZEROS)};

void zeros_boot_init(void)
{
    int err = page_alloc(0, PAGE_ALLOC_ZERO, &zero_page);
    ASSERT(!err, "claim: there is a page at boot");
    zero_page->flags |= PAGE_ZEROS;
}

static struct page *zeros_alloc(void)
{
    struct page *page;

    if (thp_block_alloc(THP_LEAVE_SOME, PAGE_ALLOC_ZERO, &page)) {
        thp_count(THP_ZERO_PAGE_ALLOC_FAILED, 1);
        return NULL;
    }
    page->flags |= PAGE_ZEROS;
    for (unsigned i = 1; i < PT_ENTRIES; i++)
        page[i].flags = 0;
    return page;
}

static void zeros_free(struct page *page)
{
    page->flags &= (uint16_t)~PAGE_ZEROS;
    page_free(page, HUGE_ORDER);
}

/* @mm uses the page, if there is one or can be: @fresh. True: @fresh was taken for it. */
static bool zeros_use(struct mm *mm, struct page *fresh)
{
    spin_lock(&zeros.lock);
    bool taken = fresh && !zeros.page;
    if (taken)
        zeros.page = fresh;
    if (zeros.page && !mm->has_zeros) {
        zeros.users++;
        WRITE_ONCE(mm->has_zeros, true);
    }
    spin_unlock(&zeros.lock);
    return taken;
}

int zeros_get(struct mm *mm, struct page **out)
{
    if (!READ_ONCE(mm->has_zeros)) {
        struct page *fresh = READ_ONCE(zeros.page) ? NULL : zeros_alloc();
        if (zeros_use(mm, fresh))
            thp_count(THP_ZERO_PAGE_ALLOC, 1);
        else if (fresh)
            zeros_free(fresh);
        if (!mm->has_zeros)
            return -ENOMEM;
        WRITE_ONCE(mm->has_huge, true);
        thp_scan_add(mm);
    }
    *out = zeros.page;
    return 0;
}

void zeros_inherit(struct mm *child, const struct mm *mm)
{
    if (READ_ONCE(mm->has_zeros))
        zeros_use(child, NULL);
}

void zeros_put(struct mm *mm)
{
    struct page *last = NULL;

    if (!mm->has_zeros)
        return;
    spin_lock(&zeros.lock);
    if (!--zeros.users) {
        last = zeros.page;
        zeros.page = NULL;
    }
    spin_unlock(&zeros.lock);
    if (last)
        zeros_free(last);
}
