/* SPDX-License-Identifier: MIT */
/*
 * kernel/pagemap_scan.c - ioctl(PAGEMAP_SCAN): ranges of pages that are as the caller wants them
 *
 * Room:   kernel.
 * Owns:   one call's state.
 * Locks:  mmap_lock for reading while pages are looked at, and protected; none while ranges are
 *         copied out.
 * Always: (1) walk_end is where the next call has to begin: all before it is in the ranges told;
 *         (2) neighbours that are told alike are one range;
 *         (3) what is told as written, and is to be protected, is looked at before it is protected:
 *             a write in between was told, one after it is noted.
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst; fs/proc/task_mmu.c (behaviour).
 * Tour:   after kernel/proc_memory.c, include/mm/usage.h.
 */
#include "proc.h"

#include <asm/uaccess.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/usage.h>
#include <mm/userfault.h>
#include <uapi/errno.h>
#include <uapi/pagemap.h>

#define REGIONS_AT_ONCE 128
#define PAGES_AT_ONCE   64

struct scan {
    struct mm *mm;
    struct uapi_pm_scan arg;
    struct uapi_page_region *regions;    /* not told yet; NULL: nobody wants to know */
    unsigned nr, room;                   /* how many are there, and may be */
    uint64_t told;                       /* ranges that were copied out */
    uint64_t pages;                      /* in all ranges */
    uint64_t protect_start, protect_end; /* found, and to be protected before the lock is left */
    int err;                             /* of that */
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
    if (seen->poison || (seen->uffd_wp && !seen->present))
        all |= PAGE_IS_SWAPPED;
    return all | (seen->has_slot && !seen->uffd_wp ? PAGE_IS_WRITTEN : 0);
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

static uint64_t area_categories(const struct vma *vma)
{
    return (vma->flags & VM_SOFT_DIRTY ? PAGE_IS_SOFT_DIRTY : 0) |
           (area_notes_writes(vma) ? PAGE_IS_WPALLOWED : 0);
}

/* Claim 3: what was found is protected. Of a huge page of a pool all, or nothing yet. */
static void protect_found(struct scan *s, const struct vma *vma)
{
    uint64_t unit = vma->flags & VM_HUGETLB ? HUGE_SIZE : PAGE_SIZE;
    uint64_t end = round_down(s->protect_end, unit);

    if (s->protect_start < end && area_note_writes(vma, s->protect_start, end))
        s->err = -ENOMEM;
    s->protect_start = s->protect_end = 0;
}

/* [start, end) is to be protected, together with what lies before it. */
static void protect_later(struct scan *s, const struct vma *vma, uint64_t start, uint64_t end)
{
    if (s->protect_end != start) {
        protect_found(s, vma);
        s->protect_start = start;
    }
    s->protect_end = end;
}

/* [start, end) of one area, which has no table there. Returns up to where that is done. */
static uint64_t scan_hole(struct scan *s, const struct vma *vma, uint64_t start, uint64_t end)
{
    uint64_t categories = area_categories(vma) | (vma->flags & VM_HUGETLB ? PAGE_IS_HUGE : 0);

    if (start >= end)
        return end;
    uint64_t done = pages_found(s, start, end, categories);
    if ((s->arg.flags & PM_SCAN_WP_MATCHING) && is_wanted(s, categories))
        protect_later(s, vma, start, done);
    return done;
}

/* Is the page to be protected? Where nobody wants to be told anything, all small ones are. */
static bool is_protected(const struct scan *s, const struct page_seen *seen, uint64_t categories)
{
    if (!(s->arg.flags & PM_SCAN_WP_MATCHING) || !(categories & PAGE_IS_WRITTEN))
        return false;
    return is_wanted(s, categories) || (!s->regions && !seen->huge);
}

static uint64_t scan_pages(struct scan *s, const struct vma *vma, uint64_t start, unsigned nr)
{
    struct page_seen seen[PAGES_AT_ONCE];
    uint64_t at = start;

    pages_see(s->mm, start, nr, seen);
    for (unsigned i = 0; i < nr; i++, at += PAGE_SIZE) {
        uint64_t categories = area_categories(vma) | categories_of(&seen[i]);
        if (pages_found(s, at, at + PAGE_SIZE, categories) == at)
            break;
        if (is_protected(s, &seen[i], categories))
            protect_later(s, vma, at, at + PAGE_SIZE);
    }
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
        at = scan_pages(s, vma, there, (next - there) >> PAGE_SHIFT);
        if (at < next)
            return at;
    }
    return end;
}

/* Could it have pages that are wanted? */
static bool is_interesting(const struct scan *s, const struct vma *vma)
{
    uint64_t needed = s->arg.category_mask & PAGE_IS_WPALLOWED;
    return ((area_categories(vma) ^ s->arg.category_inverted) & needed) == needed;
}

/* From walk_end on, which moves on. 0: all is done; -ENOSPC; -EPERM: an area is not registered. */
static int scan_areas(struct scan *s)
{
    struct uapi_pm_scan *arg = &s->arg;
    struct vma *vma = vma_find_from(s->mm, arg->walk_end);

    for (; vma && max(vma->start, arg->walk_end) < arg->end; vma = vma_next(vma)) {
        uint64_t from = max(vma->start, arg->walk_end), end = min(vma->end, arg->end);
        bool notes = area_notes_writes(vma);
        if ((arg->flags & PM_SCAN_CHECK_WPASYNC) && !notes)
            return -EPERM;
        if (((arg->flags & PM_SCAN_WP_MATCHING) && !notes) || !is_interesting(s, vma))
            continue;
        arg->walk_end = scan_area(s, vma, from, end);
        protect_found(s, vma);
        if (s->err)
            return s->err;
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
