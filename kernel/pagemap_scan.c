/* SPDX-License-Identifier: MIT */
/*
 * kernel/pagemap_scan.c - ioctl(PAGEMAP_SCAN): ranges of pages that are as the caller wants them
 *
 * Room:   kernel.
 * Owns:   one call's state.
 * Locks:  mmap_lock for reading while pages are looked at; none while ranges are copied out.
 * Always: (1) walk_end is where the next call has to begin: all before it is in the ranges told;
 *         (2) neighbours that are told alike are one range;
 *         (3) nothing here is registered for write protection, so that no page can be protected.
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst; fs/proc/task_mmu.c (behaviour).
 * Tour:   after kernel/proc_memory.c, include/mm/usage.h.
 */
#include "proc.h"

#include <asm/uaccess.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/usage.h>
#include <uapi/errno.h>
#include <uapi/pagemap.h>

#define REGIONS_AT_ONCE 128
#define PAGES_AT_ONCE   64

struct scan {
    struct mm *mm;
    struct uapi_pm_scan arg;
    struct uapi_page_region *regions; /* not told yet; NULL: nobody wants to know */
    unsigned nr, room;                /* how many are there, and may be */
    uint64_t told;                    /* ranges that were copied out */
    uint64_t pages;                   /* in all ranges */
};

static uint64_t categories_of(const struct page_seen *seen)
{
    uint64_t all = seen->soft_dirty ? PAGE_IS_SOFT_DIRTY : 0;

    if (seen->huge)
        all |= PAGE_IS_HUGE;
    if (seen->guard)
        all |= PAGE_IS_GUARD | PAGE_IS_SWAPPED;
    if (seen->present)
        all |= PAGE_IS_PRESENT;
    if (seen->present && seen->object)
        all |= PAGE_IS_FILE;
    if (seen->present && seen->zeros)
        all |= PAGE_IS_PFNZERO;
    return all | (seen->has_slot ? PAGE_IS_WRITTEN : 0);
}

static bool is_wanted(const struct scan *s, uint64_t categories)
{
    uint64_t seen = categories ^ s->arg.category_inverted;

    return (seen & s->arg.category_mask) == s->arg.category_mask &&
           (!s->arg.category_anyof_mask || (seen & s->arg.category_anyof_mask));
}

/* Claim 2. False: there is no room. */
static bool region_add(struct scan *s, uint64_t start, uint64_t end, uint64_t categories)
{
    struct uapi_page_region *last = s->nr ? &s->regions[s->nr - 1] : NULL;

    if (last && last->end == start && last->categories == categories) {
        last->end = end;
        return true;
    }
    if (s->nr == s->room)
        return false;
    s->regions[s->nr++] = (struct uapi_page_region){start, end, categories};
    return true;
}

/* The pages of [start, end) are of these categories. Returns up to where that could be noted. */
static uint64_t pages_found(struct scan *s, uint64_t start, uint64_t end, uint64_t categories)
{
    if (!s->room || !is_wanted(s, categories))
        return end;
    uint64_t most = s->arg.max_pages - s->pages;
    if (((end - start) >> PAGE_SHIFT) > most)
        end = start + (most << PAGE_SHIFT);
    if (start == end || !region_add(s, start, end, categories & s->arg.return_mask))
        return start;
    s->pages += (end - start) >> PAGE_SHIFT;
    return end;
}

/* [start, end) of one area, which has no table there. */
static uint64_t scan_hole(struct scan *s, const struct vma *vma, uint64_t start, uint64_t end)
{
    uint64_t categories = vma->flags & VM_SOFT_DIRTY ? PAGE_IS_SOFT_DIRTY : 0;

    if (vma->flags & VM_HUGETLB)
        categories |= PAGE_IS_HUGE;
    return start < end ? pages_found(s, start, end, categories) : end;
}

static uint64_t scan_pages(struct scan *s, uint64_t start, unsigned nr)
{
    struct page_seen seen[PAGES_AT_ONCE];
    uint64_t at = start;

    pages_see(s->mm, start, nr, seen);
    for (unsigned i = 0; i < nr; i++, at += PAGE_SIZE)
        if (pages_found(s, at, at + PAGE_SIZE, categories_of(&seen[i])) == at)
            break;
    return at;
}

/* From @at on, in one area. Returns where it stopped: at @end, or where there was no room. */
static uint64_t scan_area(struct scan *s, const struct vma *vma, uint64_t at, uint64_t end)
{
    while (at < end) {
        uint64_t there = pages_skip(s->mm, at, end), done = scan_hole(s, vma, at, there);
        if (done < there)
            return done;
        uint64_t next = min(end, there + PAGES_AT_ONCE * PAGE_SIZE);
        at = scan_pages(s, there, (next - there) >> PAGE_SHIFT);
        if (at < next)
            return at;
    }
    return end;
}

/* From walk_end on, which moves on. 0: all is done; -ENOSPC; -EPERM: an area is not registered. */
static int scan_areas(struct scan *s)
{
    struct uapi_pm_scan *arg = &s->arg;
    struct vma *vma = vma_find_from(s->mm, arg->walk_end);

    for (; vma && vma->start < arg->end; vma = vma_next(vma)) {
        uint64_t from = max(vma->start, arg->walk_end), end = min(vma->end, arg->end);
        if (arg->flags & PM_SCAN_CHECK_WPASYNC)
            return -EPERM;
        if (arg->flags & PM_SCAN_WP_MATCHING)
            continue; /* claim 3 */
        arg->walk_end = scan_area(s, vma, from, end);
        if (arg->walk_end < end)
            return -ENOSPC;
    }
    return 0;
}

/* Tell what was found. */
static int flush(struct scan *s)
{
    uint64_t at = s->arg.vec + s->told * sizeof(*s->regions);

    if (s->nr && copy_to_user(user(at), s->regions, s->nr * sizeof(*s->regions)))
        return -EFAULT;
    s->told += s->nr;
    s->nr = 0;
    s->room = min(s->arg.vec_len - s->told, (uint64_t)REGIONS_AT_ONCE);
    return 0;
}

static int scan(struct scan *s)
{
    int full, err;

    s->arg.walk_end = s->arg.start;
    do {
        rwsem_reader_t reader = rwsem_read_lock(&s->mm->mmap_lock);
        full = scan_areas(s);
        rwsem_read_unlock(&s->mm->mmap_lock, reader);
        err = flush(s);
    } while (!err && full == -ENOSPC && s->room && s->pages < s->arg.max_pages);
    if (err || full != -ENOSPC)
        s->arg.walk_end = s->arg.end;
    return err ? err : full == -ENOSPC ? 0 : full;
}

static int check_arguments(struct uapi_pm_scan *arg)
{
    uint64_t categories =
        arg->category_inverted | arg->category_mask | arg->category_anyof_mask | arg->return_mask;

    if (arg->size != sizeof(*arg) || (arg->flags & ~PM_SCAN_FLAGS) ||
        (categories & ~PAGE_CATEGORIES) || !is_aligned(arg->start, PAGE_SIZE))
        return -EINVAL;
    if (!user_range_ok(user(arg->start), arg->end - arg->start))
        return -EFAULT;
    if (!arg->vec && arg->vec_len)
        return -EINVAL;
    if (arg->vec &&
        (arg->vec_len > USER_END / sizeof(struct uapi_page_region) ||
         !user_range_ok(user(arg->vec), arg->vec_len * sizeof(struct uapi_page_region))))
        return -EFAULT;
    arg->end = round_up(arg->end, PAGE_SIZE);
    arg->max_pages = arg->max_pages ? arg->max_pages : UINT64_MAX;
    return 0;
}

int64_t pagemap_scan(struct mm *mm, user_addr_t at)
{
    struct scan s = {.mm = mm};

    if (copy_from_user(&s.arg, at, sizeof(s.arg)))
        return -EFAULT;
    int err = check_arguments(&s.arg);
    if (err)
        return err;
    s.room = min(s.arg.vec_len, (uint64_t)REGIONS_AT_ONCE);
    s.regions = s.room ? kmem_alloc(s.room * sizeof(*s.regions), SLAB_ALLOC_PLAIN) : NULL;
    if (s.room && !s.regions)
        return -ENOMEM;
    err = scan(&s);
    kmem_free(s.regions);
    user_addr_t end_at = user(at.raw + offsetof(struct uapi_pm_scan, walk_end));
    if (copy_to_user(end_at, &s.arg.walk_end, sizeof(s.arg.walk_end)))
        return -EFAULT;
    return err ? err : (int64_t)s.told;
}
