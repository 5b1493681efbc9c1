/* SPDX-License-Identifier: MIT */
/*
 * mm/map.c - making and removing areas: mmap, munmap, brk, mremap, discarding
 *
 * Room:   mm.
 * Owns:   the order of checks, then the commit.
 * Locks:  mmap_lock for writing what is named, taken here; objects' locks inside.
 * Always: (1) everything that can fail is done before the first change;
 *         (2) leaves go before their area leaves the tree, tables after, pages after the flush.
 * Source: mmap(2), munmap(2), brk(2), mremap(2).
 * Tour:   after mm/vma.c; then mm/fault.c.
 */
#include "internal.h"
#include <asm/pkey.h>
#include <base/bug.h>
#include <mm/commit.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

/* Where MAP_BELOW_2G looks. */
#define LOW_START GIGA_SIZE
#define LOW_END   (2 * GIGA_SIZE)

#define LINUX_ERRORS (-4096UL) /* what lies above is an error and no address */

int vma_cut_out(struct mm *mm, struct vma **at, uint64_t start, uint64_t end)
{
    struct vma *vma = *at;
    unsigned splits = (start > vma->start) + (end < vma->end);

    if (!is_aligned((start - vma->start) | (end - vma->start), vma_unit(vma)))
        return -EINVAL;
    if (mm->nr_vmas + splits > vm_settings.max_map_count)
        return -ENOMEM;
    int err = spares_get(mm, splits);
    if (err)
        return err;
    thp_split_borders(mm, start, end);
    if (end < vma->end)
        vma_split(mm, vma, end);
    if (start > vma->start)
        *at = vma_split(mm, vma, start);
    return 0;
}

/* The first area that ends above @end; @first is the first that ends above an address below. */
static struct vma *find_last(struct mm *mm, struct vma *first, uint64_t end)
{
    if (!first || first->end > end)
        return first;
    return first->end == end ? vma_next(first) : vma_find_from(mm, end);
}

int cut_prepare(struct mm *mm, uint64_t start, uint64_t end)
{
    struct vma *first = vma_find_from(mm, start), *last = find_last(mm, first, end);
    bool cuts_first = first && first->start < start;
    bool cuts_last = last && last->start < end;
    bool hole = cuts_first && first->end > end; /* two areas of one */
    if (hole && mm->nr_vmas >= vm_settings.max_map_count)
        return -ENOMEM;
    if (unlikely(mm->has_sealed) && range_has_sealed(mm, start, end))
        return -EPERM;

    if ((cuts_first && !is_aligned(start - first->start, vma_unit(first))) ||
        (cuts_last && !is_aligned(end - last->start, vma_unit(last))))
        return -EINVAL;
    int err = spares_get(mm, cuts_first + cuts_last);
    if (err)
        return err;
    thp_split_borders(mm, start, end);
    peaks_note(mm);
    return 0;
}

/* What others took out of what is unmapped, and have not forgotten yet, the caller forgets too. */
static void gather_others(struct tlb_gather *gather, uint64_t start, uint64_t end)
{
    if (!bug_is_back(BUG_B84))
        tlb_gather_others(gather, start, end);
}

/* @forgotten: there are no leaves, since zap_aside(), and nobody uses what was there. */
static void remove_areas(struct mm *mm, uint64_t start, uint64_t end, bool forgotten,
                         struct list_node *dead)
{
    struct tlb_gather gather;
    struct vma *vma = vma_find_from(mm, start);
    if (!vma || vma->start >= end)
        return;
    if (vma->start < start)
        vma = vma_split(mm, vma, start);
    const struct vma *before = vma_prev(vma);
    tlb_gather_begin(&gather, &mm->pgtable);
    tlb_gather_may_be_late(&gather, true);
    while (vma && vma->start < end) {
        if (vma->end > end)
            vma_split(mm, vma, end);
        struct vma *next = vma_next(vma);
        tlb_gather_may_be_late(&gather, gather.may_be_late && !vma->object);
        zap_range(mm, vma->start, vma->end, ZAP_AREA, &gather);
        area_count(mm, vma->flags, -(int64_t)vma_pages(vma));
        if (vma->flags & VM_ACCOUNT)
            commit_release(vma_pages(vma));
        vma_remove(mm, vma);
        if (unlikely(vma->userfault))
            userfault_note_unmapped(vma, start, end);
        list_add_tail(&vma->mapping_node, dead);
        vma = next;
    }
    uint64_t floor = before ? before->end : 0, ceiling = vma ? vma->start : USER_END + PAGE_SIZE;
    if (bug_is_back(BUG_B25)) {
        rwsem_write_unlock(&mm->mmap_lock);
        bug_moment(BUG_B25);
        rwsem_write_begin(&mm->mmap_lock, 0, RWSEM_EVERYTHING);
    }
    pt_free_tables(&mm->pgtable, user(start), user(end), user(floor), user(ceiling), &gather);
    if (!forgotten)
        gather_others(&gather, start, end);
    tlb_gather_end(&gather);
    late_note(mm, start, end);
}

void unmap_areas(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead)
{
    remove_areas(mm, start, end, false, dead);
}

void free_dead(struct mm *mm, struct list_node *dead)
{
    struct vma *vma, *after;

    if (list_empty(dead))
        return;
    if (!bug_is_back(BUG_B27))
        rwsem_seekers_wait(&mm->mmap_lock);
    userfault_tell_unmapped(dead);
    list_for_each_safe (vma, after, dead, mapping_node) {
        list_del(&vma->mapping_node);
        vma_free(vma);
    }
}

/* What a mapping of [start, end) replaces: pages in areas, and how many of them are promised. */
static void count_replaced(struct mm *mm, uint64_t start, uint64_t end, uint64_t *all,
                           uint64_t *promised)
{
    *all = *promised = 0;
    for (struct vma *vma = vma_find_from(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
        uint64_t pages = (min(vma->end, end) - max(vma->start, start)) >> PAGE_SHIFT;
        *all += pages;
        *promised += vma->flags & VM_ACCOUNT ? pages : 0;
    }
}

/* Do the limits and the machine's memory allow @vma? If so it is promised its memory. */
static int check_limits(struct mm *mm, const struct vma *vma, bool replaces)
{
    uint64_t pages = vma_pages(vma), replaced = 0, promised = 0;

    if ((vma->flags & VM_LOCKED) && !limits_allow_locked(mm, pages))
        return -EAGAIN;
    if (replaces)
        count_replaced(mm, vma->start, vma->end, &replaced, &promised);
    if (!limits_allow(mm, vma->flags, pages - replaced))
        return -ENOMEM;
    return vma->flags & VM_ACCOUNT ? commit_charge(pages, promised) : 0;
}

/* A place where huge pages of the object could be mapped, if there is one, instead of *@at. */
static void find_units(struct mm *mm, const struct map_request *r, uint64_t len, uint64_t *at)
{
    uint64_t skew = (r->pgoff << PAGE_SHIFT) & (HUGE_SIZE - 1), wide;

    if (len < HUGE_SIZE || (skew && skew + len < 2 * HUGE_SIZE) || *at % HUGE_SIZE == skew ||
        vma_find_place(mm, len + HUGE_SIZE - PAGE_SIZE, PAGE_SIZE, &wide))
        return;
    *at = round_down(wide, HUGE_SIZE) + skew;
    *at += *at < wide ? HUGE_SIZE : 0;
}

/* Where the area goes. */
static int choose_place(struct mm *mm, const struct map_request *r, uint64_t len, uint64_t unit,
                        uint64_t *out)
{
    if (r->place == MAP_FIXED_REPLACE || r->place == MAP_FIXED_NEW) {
        if (r->addr > LINUX_ERRORS)
            return (int)r->addr; /* as Linux, which takes this for the error of its search */
        if (unit > PAGE_SIZE && !is_aligned(r->addr, unit))
            return -EINVAL;
        if (r->addr > USER_END - len)
            return -ENOMEM;
        if (!is_aligned(r->addr, PAGE_SIZE))
            return -EINVAL;
        if (r->addr < vm_settings.mmap_min_addr && !mm->limits.low_exempt)
            return -EPERM;
        struct vma *at = vma_find_from(mm, r->addr);
        if (r->place == MAP_FIXED_NEW && at && at->start < r->addr + len)
            return -EEXIST;
        *out = r->addr;
        return 0;
    }
    const uint64_t end = r->place == MAP_BELOW_2G ? LOW_END : USER_END;
    uint64_t hint = round_up(round_down(r->addr, PAGE_SIZE), unit);
    if (hint)
        hint = max(hint, round_up(vm_settings.mmap_min_addr, unit));
    if (hint && len <= end && hint <= end - len) {
        struct vma *at = vma_find_from(mm, hint);
        if (!at || vma_guarded_start(at) >= hint + len) {
            *out = hint;
            return 0;
        }
    }
    if (r->place == MAP_BELOW_2G)
        return vma_find_gap(mm, &(struct gap_wanted){len, unit, LOW_START, LOW_END}, GAP_LOWEST,
                            out);
    int err = vma_find_place(mm, len, unit, out);
    if (!err && r->object && shmem_wants_units(r->object))
        find_units(mm, r, len, out);
    return err;
}

/* The flags of the new area. Where nothing is promised that is not there, all is reserved. */
static uint32_t request_flags(const struct mm *mm, const struct map_request *r)
{
    uint32_t flags = r->flags | mm->default_flags | VM_SOFT_DIRTY;
    if (flags & VM_HUGETLB)
        flags &= ~(VM_LOCKED | VM_LOCKONFAULT); /* their pages stay anyhow */
    if (vm_settings.overcommit == OVERCOMMIT_NEVER && !(flags & (VM_HUGETLB | VM_DROPPABLE)))
        flags &= ~VM_NORESERVE;
    return vma_must_account(flags) ? flags | VM_ACCOUNT : flags;
}

int mm_check_place(struct mm *mm, const struct map_request *r)
{
    uint64_t unit = r->object ? object_folio_bytes(r->object) : PAGE_SIZE, at;
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    int err = choose_place(mm, r, round_up(r->len_bytes, unit), unit, &at);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

/* What a shared mapping is promised is its object's; a private one has its own. */
static int area_reserve(struct vma *vma)
{
    const struct object_ops *ops = vma->object->ops;

    if (ops->get_copy && !(vma->flags & VM_SHARED))
        return hugetlb_area_begin(vma);
    if (!ops->reserve || (vma->flags & VM_NORESERVE))
        return 0;
    return ops->reserve(vma->object, vma->pgoff, vma_pages(vma));
}

/* A new mapping of these flags takes its place among the writers and the executors. */
static int join_users(struct object *object, uint32_t flags)
{
    int err = vma_is_writer(flags) ? object_writer_get(object) : 0;

    if (err || !(flags & VM_EXEC))
        return err;
    err = object_executor_get(object);
    if (err && vma_is_writer(flags))
        object_writer_put(object);
    return err;
}

/* The new area, with its reference, its place among the users, and its reservation. */
static int area_make(struct mm *mm, const struct map_request *r, uint64_t addr, uint64_t len,
                     struct vma **out)
{
    struct vma *vma = vma_alloc(mm);
    if (!vma)
        return -ENOMEM;
    vma->start = addr;
    vma->end = addr + len;
    vma->flags = request_flags(mm, r);
    vma->pkey = r->pkey;
    vma->pgoff = r->object ? r->pgoff : addr >> PAGE_SHIFT;
    int err = r->object ? join_users(r->object, r->flags) : 0;
    if (!err && r->object) {
        object_get(r->object);
        vma->object = r->object;
        err = area_reserve(vma);
    }
    if (err) {
        vma_free(vma);
        return err;
    }
    *out = vma;
    return 0;
}

/* Huge pages are promised to whoever replaces them: as on Linux, those go first, come what may. */
static void unmap_before(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead)
{
    struct vma *vma;

    unmap_areas(mm, start, end, dead);
    list_for_each_entry (vma, dead, mapping_node)
        if (vma->hugetlb)
            hugetlb_area_end(vma);
}

/* A program whose file says so has a stack with code, unless wx=enforce. */
static bool stack_is_exempt(uint32_t flags)
{
    return (flags & VM_STACK) && !vm_settings.wx_enforce;
}

static int map_locked(struct mm *mm, const struct map_request *r, uint64_t len, uint64_t *out,
                      struct list_node *dead)
{
    uint64_t unit = r->object ? object_folio_bytes(r->object) : PAGE_SIZE;
    uint64_t addr;

    if (mm->nr_vmas > vm_settings.max_map_count)
        return -ENOMEM;
    int err = choose_place(mm, r, len, unit, &addr);
    if (err)
        return err;
    if (r->place == MAP_ANYWHERE && !r->addr && !r->object)
        late_avoid(mm, len, unit, &addr);
    if (mm_refuses_exec(mm, r->flags, r->flags) && !stack_is_exempt(r->flags))
        return -EACCES;
    rwsem_write_range(&mm->mmap_lock, addr, addr + len);
    bool replaces = r->place == MAP_FIXED_REPLACE;
    if (replaces)
        err = cut_prepare(mm, addr, addr + len);
    if (!err && replaces && unit > PAGE_SIZE) {
        unmap_before(mm, addr, addr + len, dead);
        replaces = false;
    }
    struct vma *vma;
    if (!err)
        err = area_make(mm, r, addr, len, &vma);
    if (!err) {
        err = check_limits(mm, vma, replaces);
        if (err && bug_is_back(BUG_B32))
            vma_insert(mm, vma);
        else if (err)
            vma_free(vma);
    }
    if (err)
        return err;
    if (replaces)
        unmap_areas(mm, addr, addr + len, dead);
    if (r->object && r->object->ops->grows_mapped && (r->flags & VM_WRITE))
        object_cover(r->object, (r->pgoff << PAGE_SHIFT) + len);
    vma_insert(mm, vma);
    late_settle(mm, addr, addr + len);
    area_count(mm, vma->flags, vma_pages(vma));
    vma_merge(mm, vma);
    *out = addr;
    return 0;
}

/* Only what is private needs pages of its own: what is shared is read, and no write is noted. */
static bool is_populated_by_writes(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
}

/* Does the key of a new area keep the program itself out of it? */
static bool is_locked_up(struct mm *mm, uint64_t addr, uint32_t flags)
{
    if (likely(!READ_ONCE(mm->keyed)))
        return false;
    int key = mm_pkey_at(mm, addr);
    return key != NO_PKEY && pkey_refuses(key, is_populated_by_writes(flags));
}

void populate(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags, uint64_t unit)
{
    enum fault_access access = is_populated_by_writes(flags) ? ACCESS_WRITE : ACCESS_READ;
    if (is_locked_up(mm, start, flags))
        return;
    for (uint64_t va = start; va < end; va += unit)
        if (mm_fault_and_ask(mm, user(va), access) != FAULT_RESOLVED)
            return;
}

static bool request_is_secret(const struct map_request *r)
{
    return r->object && object_is_secret(r->object);
}

int mm_map(struct mm *mm, const struct map_request *r, uint64_t *out)
{
    uint64_t unit = r->object ? object_folio_bytes(r->object) : PAGE_SIZE;
    uint64_t len = round_up(r->len_bytes, unit);
    struct list_node dead;

    if (len == 0 || len > USER_END)
        return -ENOMEM;
    list_init(&dead);
    bool fixed = r->place == MAP_FIXED_REPLACE || r->place == MAP_FIXED_NEW;
    rwsem_write_begin(&mm->mmap_lock, fixed ? r->addr : 0, fixed ? r->addr + len : 0);
    int err = map_locked(mm, r, len, out, &dead);
    rwsem_write_unlock(&mm->mmap_lock);
    free_dead(mm, &dead);
    /* Secret memory, though it is locked, comes when it is touched. */
    bool fill = r->populate || (mm->default_flags & VM_LOCKED);
    if (!err && fill && !(mm->default_flags & VM_LOCKONFAULT) && !request_is_secret(r))
        populate(mm, *out, *out + len, r->flags, unit);
    return err;
}

/* The pages of a part of one area go while other calls have their turn. It lies in one area, so
 * nobody finds a free place there; the area may be cut, or merged, until it is our turn again: for
 * that nobody else gets the spares. *@done: they are gone; there may have been no place aside. */
static int zap_aside(struct mm *mm, uint64_t start, uint64_t end, bool may_be_late, bool *done)
{
    struct vma *spares[MM_SPARES];
    struct tlb_gather gather;

    if (spares_get(mm, MM_SPARES))
        return -ENOMEM;
    for (unsigned i = 0; i < MM_SPARES; i++)
        spares[i] = spare_take(mm);
    int passed = rwsem_write_pass(&mm->mmap_lock);
    if (passed >= 0) {
        tlb_gather_begin(&gather, &mm->pgtable);
        tlb_gather_may_be_late(&gather, may_be_late);
        zap_range(mm, start, end, ZAP_AREA, &gather);
        gather_others(&gather, start, end);
        tlb_gather_end(&gather);
        rwsem_write_resume(&mm->mmap_lock, passed);
        *done = true;
    }
    for (unsigned i = 0; i < MM_SPARES; i++)
        spare_put(mm, spares[i]);
    return 0;
}

static bool is_shared(const struct mm *mm)
{
    return atomic_load_explicit(&mm->refcount, memory_order_relaxed) > 1;
}

/* With tables there would be two flushes, one aside: where one gather holds all, one does. */
static bool wants_one_flush(const struct vma *area, uint64_t start, uint64_t end)
{
    const struct vma *below = vma_prev(area), *above = vma_next(area);
    uint64_t floor = below ? below->end : 0, ceiling = above ? above->start : USER_END;

    floor = area->start < start ? start : floor;
    ceiling = area->end > end ? end : ceiling;
    return end - start <= TLB_GATHER_PAGES * PAGE_SIZE &&
           round_up(floor, HUGE_SIZE) + HUGE_SIZE <= ceiling;
}

static int unmap_locked(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead)
{
    struct vma *first = vma_find_from(mm, start);

    if (!first || first->start >= end)
        return 0;
    rwsem_write_range(&mm->mmap_lock, start, end);
    bool within = first->start <= start && first->end >= end, aside = false;
    int err = cut_prepare(mm, start, end);
    if (!err && within && is_shared(mm) && !wants_one_flush(first, start, end))
        err = zap_aside(mm, start, end, !first->object, &aside);
    if (err)
        return err;
    remove_areas(mm, start, end, aside, dead);
    return 0;
}

int mm_unmap(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    struct list_node dead;

    if (!is_aligned(addr, PAGE_SIZE) || len_bytes == 0 || len_bytes > USER_END ||
        addr > USER_END - round_up(len_bytes, PAGE_SIZE))
        return -EINVAL;
    list_init(&dead);
    uint64_t end = addr + round_up(len_bytes, PAGE_SIZE);
    rwsem_write_begin(&mm->mmap_lock, addr, end);
    int err = unmap_locked(mm, addr, end, &dead);
    rwsem_write_unlock(&mm->mmap_lock);
    free_dead(mm, &dead);
    return err;
}

#define HEAP_FLAGS (VM_READ | VM_WRITE | VM_MAY_RIGHTS | VM_HEAP)

uint64_t mm_brk(struct mm *mm, uint64_t wanted)
{
    uint64_t old = round_up(mm->brk, PAGE_SIZE);
    uint64_t new = round_up(wanted, PAGE_SIZE);
    int err = 0;

    if (wanted < mm->brk_start || wanted > USER_END)
        return mm->brk;
    if (new < old) {
        err = mm_unmap(mm, new, old - new);
    } else if (new > old) {
        uint64_t at;
        struct map_request r = {
            .addr = old, .len_bytes = new - old, .place = MAP_FIXED_NEW, .flags = HEAP_FLAGS};
        if (new - mm->brk_start + (mm->end_data - mm->start_data) > mm->limits.data)
            err = -ENOMEM;
        else
            err = mm_map(mm, &r, &at);
    }
    if (!err)
        mm->brk = wanted;
    return mm->brk;
}

/* Own huge pages: whoever faults meanwhile finds either its page, or the promise of one. */
static void discard_own(struct vma *vma, uint64_t start, uint64_t end, struct tlb_gather *gather)
{
    bool alone = !bug_is_back(BUG_B59);

    if (alone)
        mutex_lock(&vma->hugetlb->lock);
    zap_range(vma->mm, start, end, ZAP_FROM_OBJECT, gather);
    tlb_gather_flush(gather);
    if (alone)
        mutex_unlock(&vma->hugetlb->lock);
}

/* @refused: flags of areas that may not be discarded. */
static int discard(struct mm *mm, uint64_t addr, uint64_t len_bytes, uint32_t refused)
{
    uint64_t end = addr + len_bytes, at = addr;
    struct tlb_gather gather;
    int err = 0;

    if (unlikely(READ_ONCE(mm->watched)))
        mm_userfault_tell_removed(mm, addr, end);
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    thp_split_borders(mm, addr, end);
    rss_peak_note(mm);
    tlb_gather_begin(&gather, &mm->pgtable);
    tlb_gather_may_be_late(&gather, true);
    for (struct vma *vma = vma_find_from(mm, addr); at < end; vma = vma_next(vma)) {
        if (!vma || vma->start > at)
            err = -ENOMEM; /* a gap; the rest is done all the same */
        if (!vma || vma->start >= end)
            break;
        uint64_t from = max(vma->start, at);
        if (!vma_may_discard(vma)) {
            err = -EPERM;
            break;
        }
        if ((vma->flags & refused) || !is_aligned(from - vma->start, vma_unit(vma))) {
            err = -EINVAL;
            break;
        }
        at = min(vma->end, end);
        tlb_gather_may_be_late(&gather, gather.may_be_late && !vma->object);
        if (vma->hugetlb)
            discard_own(vma, from, at, &gather);
        else
            zap_range(mm, from, at, zap_discarded(vma), &gather);
        if (bug_is_back(BUG_B19))
            gather.start = from;
    }
    if (!bug_is_back(BUG_B18))
        tlb_gather_others(&gather, addr, end);
    tlb_gather_end(&gather);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

int mm_discard(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    return discard(mm, addr, len_bytes, VM_LOCKED);
}

int mm_discard_locked(struct mm *mm, uint64_t addr, uint64_t len_bytes)
{
    return discard(mm, addr, len_bytes, 0);
}
