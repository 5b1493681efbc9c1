/* SPDX-License-Identifier: MIT */
/*
 * mm/fault.c - making an access possible
 *
 *   anonymous, read of nothing      the zero page, small or huge
 *   anonymous, write of nothing     a new zeroed page, 2 MiB of it where that fits
 *   an object's, nothing there      fault_object.c
 *   a leaf that grants too little   fault_copy.c
 *
 * Room:   mm.
 * Owns:   the decision above.
 * Locks:  mmap_lock for reading what it reaches (all for writing: stacks); the leaf's table lock.
 * Always: (1), (2) as mm/fault.h says.
 * Source: Linux Documentation/mm/page_tables.rst (behaviour).
 * Tour:   after mm/map.c, mm/protect.c; docs/decisions/0006-ranges.md.
 */
#include "fault.h"
#include <base/bug.h>
#include <base/rwsem_seek.h>
#include <uapi/errno.h>

static enum fault_result fault_zeros(struct fault *f)
{
    publish(f, zero_page, NULL);
    return FAULT_RESOLVED;
}

static __force_inline enum fault_result fault_anonymous(struct fault *f)
{
    struct page *page;

    if (f->access != ACCESS_WRITE)
        return wants_own(f->access) ? fault_private(f, NULL) : fault_zeros(f);
    vma_anon_begin(f->vma);
    if (page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_AS(PAGE_ANON), &page))
        return FAULT_NO_MEMORY;
    page->object = NULL;
    bug_moment(BUG_B16);
    bug_moment(BUG_B25);
    if (unlikely(!publish_written(f, page, (struct folio *)page, PUBLISH_OWN)))
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

static bool grants(const struct vma *vma, enum fault_access access)
{
    static const uint32_t needed[] = {
        [ACCESS_READ] = VM_RIGHTS, /* x86 cannot refuse reads of what may be written or executed */
        [ACCESS_WRITE] = VM_WRITE,     [ACCESS_EXEC] = VM_EXEC,      [ACCESS_PEEK] = VM_MAYREAD,
        [ACCESS_UNSHARE] = VM_MAYREAD, [ACCESS_FORCE] = VM_MAYWRITE,
    };
    return vma->flags & needed[access];
}

int slot_find_far(struct fault *f, struct pt_near *near, pte_t *pte)
{
    f->walk = pt_walk_remember(&f->mm->pgtable, near, user(f->va));
    *pte = pte_read(f->walk.slot);
    return likely(f->walk.level == PT_4K) ? 0 : slot_make(f, vma_level(f->vma), pte);
}

__cold int slot_make(struct fault *f, enum pt_level level, pte_t *pte)
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

/* Where nothing is mapped. */
static __force_inline enum fault_result fault_missing(struct fault *f)
{
    const struct object *object = f->vma->object;

    if (!object)
        return fault_anonymous(f);
    if (f->access == ACCESS_WRITE && (f->vma->flags & VM_SHARED) && object->ops->make_page)
        return fault_shared_write(f);
    return fault_object(f);
}

__cold enum fault_result fault_vacant(struct fault *f)
{
    return fault_missing(f);
}

/* What the slot holds, which decides about f->va, says what is to be done. */
static __force_inline enum fault_result slot_fault(struct fault *f, pte_t pte)
{
    switch (pte_kind(pte, f->walk.level)) {
    case PTE_KIND_NONE:
        if (unlikely(f->vma->flags & (VM_UFFD_MISSING | VM_UFFD_MINOR)))
            return fault_watched(f, pte);
        return fault_missing(f);
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
        return fault_present(f, pte);
    case PTE_KIND_UFFD_WP:
        return fault_watched(f, pte);
    case PTE_KIND_GUARD:
        return FAULT_NO_AREA;
    case PTE_KIND_POISON:
        return FAULT_POISONED;
    case PTE_KIND_TABLE:
    case PTE_KINDS:
        break;
    }
    panic("claim: a walk stops at the area's level; pte=%#lx level=%d", pte.raw, f->walk.level);
}

__cold enum fault_result fault_split(struct fault *f)
{
    pte_t pte;

    thp_split(f->vma, f->va);
    if (slot_make(f, vma_level(f->vma), &pte))
        return FAULT_NO_MEMORY;
    bool split = f->walk.level == vma_level(f->vma);
    return split ? slot_fault(f, pte) : FAULT_RESOLVED; /* huge again: the access tries again */
}

/* In an area that may have a huge leaf at f->va. */
static __cold enum fault_result fault_in_unit(struct fault *f)
{
    uint64_t va = f->va;
    pte_t pte;

    if (slot_make(f, PT_2M, &pte))
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
        if (slot_make(f, PT_4K, &pte))
            return FAULT_NO_MEMORY;
    }
    return slot_fault(f, pte);
}

/* What a fault is about: a unit of its area, with a huge leaf if it may have one. */
struct target {
    uint64_t at;
    bool huge;
};

static __force_inline enum fault_result fault_in(struct mm *mm, struct mm_cpu *cpu, struct vma *vma,
                                                 struct target target, enum fault_access access)
{
    struct fault f;
    pte_t pte;

    if (!grants(vma, access))
        return FAULT_NO_RIGHT;
    f.mm = mm;
    f.vma = vma;
    f.va = target.at;
    f.access = access;
    f.spare = NULL;
    if (unlikely(target.huge))
        return fault_in_unit(&f);
    if (slot_find(&f, &cpu->near, &pte))
        return FAULT_NO_MEMORY;
    return slot_fault(&f, pte);
}

enum fault_result area_fault(struct mm *mm, struct vma *vma, uint64_t addr,
                             enum fault_access access)
{
    struct target target = {round_down(addr, vma_unit(vma)), may_be_huge(vma, addr, access)};

    return fault_in(mm, &mm->cpus[cpu_id()], vma, target, access);
}

/* Might the fault change the area itself, and look at its neighbours? vma_anon_begin() does. */
static inline bool changes_area(const struct vma *vma, enum fault_access access, bool huge)
{
    if ((vma->flags & VM_SHARED) || vma->anon)
        return false;
    return wants_own(access) || (vma->object ? vma->object->ops->get_copy != NULL : huge);
}

/* Will the fault fill in its page at most? Not its unit, a huge page, cached neighbours. */
static inline bool fills_page(const struct vma *vma, enum fault_access access, bool huge)
{
    if (vma->object)
        return !huge && access == ACCESS_WRITE && !vma->object->ops->folio_order;
    return !huge;
}

/* What else it may fill in. False: somebody changes some of that. */
static bool area_hold_more(struct mm *mm, struct rwsem_line *line, uint64_t addr,
                           enum fault_access access, const struct vma *area, bool huge)
{
    uint64_t unit = huge ? HUGE_SIZE : vma_unit(area), start = round_down(addr, unit);

    if (area->object && access != ACCESS_WRITE && unit < FAULT_AROUND_REACH) {
        start = round_down(addr, FAULT_AROUND_REACH);
        unit = 2 * FAULT_AROUND_REACH;
    }
    return rwsem_settle_for_more(&mm->mmap_lock, line, start, start + unit);
}

/* Find the area by a copy, and hold what the fault may reach. False: it takes everything. */
static inline bool area_hold(struct mm *mm, struct mm_cpu *cpu, struct rwsem_line *line,
                             uint64_t addr, enum fault_access access, struct vma *area,
                             struct target *target)
{
    uint64_t when;

    if (unlikely(!vma_look(mm, cpu, addr, area, &when)))
        return false;
    bug_moment(BUG_B28);
    bool huge = may_be_huge(area, addr, access);
    if (unlikely(changes_area(area, access, huge)))
        return false;
    *target = (struct target){round_down(addr, PAGE_SIZE), huge};
    if (likely(fills_page(area, access, huge))) {
        rwsem_read_settle(line, target->at);
        return true;
    }
    target->at = round_down(addr, vma_unit(area));
    return area_hold_more(mm, line, addr, access, area, huge) &&
           (vma_unchanged(mm, when) ||
            bug_is_back(BUG_B28)); /* what was added to its reach is as it was seen */
}

/* Beside mapping calls elsewhere, on a copy of the area. False: it takes everything to decide. */
static __force_inline bool fault_beside(struct mm *mm, uint64_t addr, enum fault_access access,
                                        enum fault_result *result)
{
    uint64_t page = round_down(addr, PAGE_SIZE);
    struct target target;
    struct vma area;

    struct rwsem_line *line = rwsem_read_seek(&mm->mmap_lock, page, page + PAGE_SIZE);
    if (unlikely(!line))
        return false;
    struct mm_cpu *cpu = &mm->cpus[cpu_id()]; /* after the wait for a writer, if there was one */
    bool held = area_hold(mm, cpu, line, addr, access, &area, &target);
    if (likely(held))
        *result = fault_in(mm, cpu, &area, target, access);
    rwsem_read_leave(&mm->mmap_lock, line);
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
