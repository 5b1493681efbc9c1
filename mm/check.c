/* SPDX-License-Identifier: MIT */
/*
 * mm/check.c - vm_check(): are the structures what their heads claim?
 *
 * Room:   mm.
 * Owns:   the list of checks, and those of one address space; others are beside what they check.
 * Locks:  the caller makes the machine quiet: nobody maps, faults, allocates.
 * Always: (1) checks change nothing; (2) the first broken claim is printed with its number.
 * Source: trust.md section 2 (V1 .. V24).
 * Tour:   when something is broken.
 */
#include "internal.h"
#include <asm/cpu.h>
#include <asm/direct_map.h>
#include <asm/uaccess.h>
#include <base/claim.h>
#include <base/log.h>
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <mm/secretmem.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

static bool is_listed(const struct vma *vma)
{
    const struct list_node *node = &vma->mapping_node;
    return node->next != node && node->next->prev == node && node->prev->next == node;
}

static int check_secret_area(const struct vma *vma)
{
    bool strict = vma->flags & VM_STRICT;

    CLAIM(!strict || vma_is_secret(vma), "V16", "area %#lx is strict, and not secret", vma->start);
    CLAIM(!strict || uaccess_asks(&vma->mm->pgtable), "V16",
          "area %#lx is strict, and copies do not ask", vma->start);
    CLAIM(!vma_is_secret(vma) || (vma->flags & (VM_SHARED | VM_EXEC | VM_UFFD)) == VM_SHARED, "V18",
          "area %#lx of secret memory has flags %#x", vma->start, vma->flags);
    return 0;
}

/* How many areas, of all programs, ask the same as @vma? */
static uint32_t areas_that_ask(const struct vma *vma)
{
    uint32_t nr = 0;
    struct mm *mm;

    list_for_each_entry (mm, &all_mms, all_node)
        for (const struct vma *at = vma_find_from(mm, 0); at; at = vma_next(at))
            nr += at->userfault == vma->userfault;
    return nr;
}

static int check_watched_area(const struct vma *vma)
{
    bool asks = vma->flags & (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR);

    CLAIM(asks == !!vma->userfault, "V27", "area %#lx of flags %#x asks %p", vma->start, vma->flags,
          vma->userfault);
    CLAIM(!asks || atomic_load(&vma->userfault->refcount) >= areas_that_ask(vma), "V27",
          "area %#lx asks whom nobody refers to", vma->start);
    return 0;
}

static int check_areas(struct mm *mm)
{
    uint64_t before = 0, pages = 0, locked = 0, kinds[AREA_KINDS] = {0};
    uint32_t nr = 0;
    struct vma *last = NULL;

    CLAIM(rb_is_valid(&mm->vmas), "V1", "the tree of areas is broken");
    for (struct rb_node *n = rb_first(&mm->vmas); n; n = rb_next(n), nr++) {
        struct vma *vma = rb_entry(n, struct vma, node);
        CLAIM(vma->start < vma->end && is_aligned(vma->start | vma->end, PAGE_SIZE) &&
                  vma->start >= before && vma->end <= USER_END,
              "V1", "area %#lx-%#lx after %#lx", vma->start, vma->end, before);
        CLAIM(vma->gap == vma->start - before, "V1", "gap of %#lx", vma->start);
        CLAIM(vma_prev(vma) == last && (!last || vma_next(last) == vma), "V1",
              "list and tree differ at %#lx", vma->start);
        CLAIM(!last || mm->unmerged || !vma_can_merge(last, vma), "V2", "areas meet at %#lx",
              vma->start);
        CLAIM(!vma->object || !(vma->object->seals & SEAL_WRITE) || !(vma->flags & VM_SHARED) ||
                  !(vma->flags & (VM_WRITE | VM_MAYWRITE)),
              "V12", "area %#lx may write what is sealed", vma->start);
        CLAIM(!vma->object || !(vma->object->seals & SEAL_NEVER_EXEC) || !(vma->flags & VM_EXEC),
              "V12", "area %#lx executes what is sealed", vma->start);
        CLAIM(!vm_settings.wx_enforce ||
                  (vma->flags & (VM_WRITE | VM_EXEC)) != (VM_WRITE | VM_EXEC),
              "V13", "area %#lx is writable and executable", vma->start);
        CLAIM(!vma->object || is_listed(vma), "V9", "area %#lx is not on its object's list",
              vma->start);
        int err = check_secret_area(vma);
        if (!err)
            err = check_watched_area(vma);
        if (err)
            return err;
        pages += vma_pages(vma);
        kinds[vma_kind(vma->flags)] += vma_pages(vma);
        locked += vma->flags & VM_LOCKED ? vma_pages(vma) : 0;
        before = vma->end;
        last = vma;
    }
    CLAIM(nr == mm->nr_vmas, "V1", "%u areas, %u counted", nr, mm->nr_vmas);
    CLAIM(pages == mm->total_pages, "V23", "%lu pages, %lu counted", pages, mm->total_pages);
    for (unsigned kind = 0; kind < AREA_KINDS; kind++)
        CLAIM(kinds[kind] == mm->kind_pages[kind], "V23", "%lu pages of kind %u, %lu counted",
              kinds[kind], kind, mm->kind_pages[kind]);
    CLAIM(mm->exec_pkey == NO_PKEY || (mm->pkeys >> mm->exec_pkey & 1), "V28",
          "the execute-only key %d is given to nobody: %#x", mm->exec_pkey, mm->pkeys);
    CLAIM(locked == mm->locked_pages, "V23", "%lu locked, %lu counted", locked, mm->locked_pages);
    return 0;
}

struct rss {
    int64_t anon, file;
};

static int check_leaf(const struct vma *vma, uint64_t va, pte_t pte, enum pt_level level,
                      struct rss *rss)
{
    const struct page *frame = phys_to_page(pte_phys(pte, level));
    struct page *page = page_head(phys_to_page(pte_phys(pte, level)));
    bool write = pte_is_writable(pte);
    bool whole = pt_level_size(level) == PAGE_SIZE << page->order; /* of its block */

    CLAIM(vma && va >= vma->start && va + pt_level_size(level) <= vma->end, "V5",
          "leaf %#lx at %#lx is in no area", pte.raw, va);
    CLAIM(!write || vma->flags & VM_WRITE, "V5", "writable leaf at %#lx", va);
    CLAIM(!write || vma->flags & VM_SOFT_DIRTY || pte_is_soft_dirty(pte), "V5",
          "the first write at %#lx would not be seen", va);
    CLAIM(!pte_is_uffd_wp(pte) || ((vma->flags & VM_UFFD_WP) && !write), "V16",
          "the first write at %#lx is told, but leaf %#lx, area %#x", va, pte.raw, vma->flags);
    CLAIM(!pte_is_executable(pte) || vma->flags & VM_EXEC || !cpu_has(CPU_NX), "V5",
          "executable leaf at %#lx", va);
    CLAIM(!pte_is_present(pte) || !cpu_has(CPU_PKU) || pte_pkey(pte) == vma->pkey, "V5",
          "leaf at %#lx has key %u, its area %u", va, pte_pkey(pte), vma->pkey);
    CLAIM(pte_is_user(pte), "V5", "leaf at %#lx is not the user's", va);
    CLAIM(pte_kind(pte, level) == PTE_KIND_PROTNONE || vma->flags & VM_RIGHTS, "V5",
          "leaf at %#lx in an area without rights", va);
    if (page_is_zeros(page)) {
        CLAIM(!write && !pte_is_exclusive(pte), "V10", "the zero page is writable at %#lx", va);
        return 0;
    }
    uint32_t maps = atomic_load(&page->mapcount), refs = atomic_load(&page->refcount);
    CLAIM(level == PT_4K || page->order >= HUGE_ORDER, "V5", "huge leaf of a small page at %#lx",
          va);
    CLAIM(maps >= 1 && refs >= maps, "V7", "frame %#lx: %u leaves, %u references",
          page_to_pfn(page), maps, refs);
    *(page->state == PAGE_ANON ? &rss->anon : &rss->file) += pt_level_size(level) >> PAGE_SHIFT;
    if (page_is_private(page)) {
        CLAIM(!(vma->flags & VM_SHARED), "V11", "private page at %#lx, shared area", va);
        CLAIM(!pte_is_exclusive(pte) || !whole || maps == 1, "V10",
              "frame %#lx at %#lx is exclusive and has %u leaves", page_to_pfn(page), va, maps);
        CLAIM(!write || (pte_is_exclusive(pte) && (maps == 1 || !whole)), "V10",
              "frame %#lx at %#lx is writable but not exclusive", page_to_pfn(page), va);
        return 0;
    }
    CLAIM(!pte_is_exclusive(pte), "V10", "object's page exclusive at %#lx", va);
    if (vma->object && vma->object->ops->borrows) {
        uint64_t pgoff = vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
        CLAIM(index_find(&vma->object->folios, pgoff) == frame, "V9",
              "frame %#lx at %#lx is not what was borrowed", page_to_pfn(frame), va);
        CLAIM(!frame->object || !(frame->object->seals & SEAL_WRITE), "V12",
              "frame %#lx at %#lx is lent, and its object is sealed", page_to_pfn(frame), va);
        return 0;
    }
    CLAIM(frame->object == vma->object && vma->object, "V11",
          "frame %#lx (%s) at %#lx is of another object", page_to_pfn(page),
          page_state_names[page->state], va);
    CLAIM(page->index + (frame - page) == vma->pgoff + ((va - vma->start) >> PAGE_SHIFT), "V9",
          "frame %#lx at %#lx is page %lu of its object", page_to_pfn(frame), va,
          page->index + (frame - page));
    CLAIM(!write || vma->flags & VM_SHARED, "V10", "object's page writable in private area %#lx",
          va);
    return 0;
}

/* An entry without a frame. Fork and move look at guards only where the area says it has some. */
static int check_mark(const struct vma *vma, uint64_t va, pte_t pte, enum pt_level level)
{
    enum pte_kind kind = pte_kind(pte, level);

    CLAIM(vma || pte_is_none(pte), "V5", "mark %#lx at %#lx is in no area", pte.raw, va);
    CLAIM(kind != PTE_KIND_UFFD_WP || (vma->flags & VM_UFFD_WP), "V16",
          "mark at %#lx, area %#x tells nobody", va, vma->flags);
    CLAIM(kind != PTE_KIND_GUARD || vma->guarded, "V16", "guard at %#lx in an area without", va);
    return 0;
}

static int check_leaves(struct mm *mm)
{
    struct rss rss = {0};
    struct pt_run run;

    for (pt_run_first(&run, &mm->pgtable, user(0), user(USER_END)); run.nr; pt_run_next(&run)) {
        for (unsigned i = 0; i < run.nr; i++) {
            pte_t pte = pte_read(&run.slot[i]);
            uint64_t va = run.va + i * pt_level_size(run.level);
            if (pte_is_none(pte))
                continue;
            if (!pte_has_frame(pte)) {
                int err = check_mark(vma_find(mm, va), va, pte, run.level);
                if (err)
                    return err;
                continue;
            }
            int err = check_leaf(vma_find(mm, va), va, pte, run.level, &rss);
            if (err)
                return err;
        }
    }
    struct rss counted;
    mm_rss(mm, &counted.anon, &counted.file);
    CLAIM(rss.anon == counted.anon && rss.file == counted.file, "V23",
          "resident: %ld anonymous and %ld of objects found, %ld and %ld counted", rss.anon,
          rss.file, counted.anon, counted.file);
    return 0;
}

int mm_check(struct mm *mm)
{
    int err = check_areas(mm);
    if (!err)
        err = pgtable_check(&mm->pgtable);
    return err ? err : check_leaves(mm);
}

static int check_spaces(void)
{
    struct mm *mm;
    int err = 0;

    list_for_each_entry (mm, &all_mms, all_node)
        err = err ? err : mm_check(mm);
    return err;
}

int vm_check(void)
{
    static int (*const checks[])(void) = {
        buddy_check,         slab_check,        hugetlb_check,         direct_map_check,
        kernel_tables_check, secret_pool_check, page_accounting_check, tlb_check,
        check_spaces,        frames_check};
    for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
        int err = checks[i]();
        if (err)
            return err;
    }
    return 0;
}
