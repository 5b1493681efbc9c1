/* SPDX-License-Identifier: MIT */
/*
 * mm/userfault_move.c - a page of private memory becomes the answer to a question elsewhere
 *
 * Room:   mm.
 * Owns:   the choice of what can be moved, and the move.
 * Locks:  mmap_lock for writing: nobody faults meanwhile; one table's lock at a time.
 * Always: (1) only pages that this address space alone has are moved, and that nobody keeps;
 *         (2) all CPUs have forgotten a page at its old place before it is seen at its new one.
 * Source: ioctl_userfaultfd(2), UFFDIO_MOVE; Linux Documentation/admin-guide/mm/userfaultfd.rst.
 * Tour:   after mm/userfault_answer.c; mm/remap.c moves whole areas.
 */
#include "internal.h"
#include <mm/userfault.h>
#include <uapi/errno.h>

#define AT_ONCE 64

/* A move that goes on. */
struct move {
    struct mm *mm;
    struct vma *from, *to; /* areas */
    uint64_t src, dst;     /* how far it is */
    uint64_t end;          /* of the source */
    bool holes;            /* may be in the source: they move, too */
};

/* Leaves that are nowhere just now: those of neighbouring pages of one table. */
struct taken {
    pte_t ptes[AT_ONCE];
    unsigned nr;
};

/* Is it private memory whose leaves may be written to? */
static bool can_move(const struct vma *vma)
{
    return !vma->object && (vma->flags & VM_WRITE);
}

static int check_areas(const struct move *m, const struct userfault *u, uint64_t len)
{
    const uint32_t alike = VM_RIGHTS | VM_LOCKED;

    if (!m->to || !m->from)
        return -ENOENT;
    if (!userfault_is_settled(u))
        return -EAGAIN;
    if (m->end > m->from->end || m->dst + len > m->to->end || !can_move(m->from) ||
        !can_move(m->to) || ((m->from->flags ^ m->to->flags) & alike) ||
        m->from->pkey != m->to->pkey || m->to->userfault != u)
        return -EINVAL;
    return 0;
}

/* May the entry leave its place? 0; -ENOENT: a hole that may not be; -EBUSY: claim 1; -EFAULT. */
static int check_entry(const struct move *m, pte_t pte, enum pt_level level)
{
    const struct page *head;

    switch (pte_kind(pte, level)) {
    case PTE_KIND_NONE:
        return m->holes ? 0 : -ENOENT;
    case PTE_KIND_LEAF:
    case PTE_KIND_PROTNONE:
        head = page_head(phys_to_page(pte_phys(pte, level)));
        if (page_is_zeros(head))
            return 0;
        return pte_is_exclusive(pte) && !atomic_load(&head->pins) ? 0 : -EBUSY;
    case PTE_KIND_GUARD:
    case PTE_KIND_POISON:
    case PTE_KIND_UFFD_WP:
    case PTE_KIND_TABLE:
    case PTE_KINDS:
        break;
    }
    return -EFAULT;
}

/* The leaf @pte at its new place. For those who track writes it is written. */
static pte_t leaf_moved(const struct move *m, pte_t pte, enum pt_level level)
{
    pgprot_t prot = vma_pgprot(m->to);
    bool zeros = page_is_zeros(page_head(phys_to_page(pte_phys(pte, level))));

    pte = pte_with_prot(pte_without_uffd_wp(pte), zeros ? prot : pgprot_write(prot));
    return pte_made_soft_dirty(pte);
}

/* Take out up to @nr entries whose places are free. */
static int take(const struct move *m, const struct pt_walk *from, const struct pt_walk *to,
                unsigned nr, struct taken *t)
{
    int err = 0;

    spin_lock(pt_lock(from->table));
    for (t->nr = 0; t->nr < nr; t->nr++) {
        pte_t *slot = from->slot + t->nr;
        pte_t pte = pte_read(slot);
        if (!pte_is_none(pte_read(to->slot + t->nr)))
            err = -EEXIST;
        else
            err = check_entry(m, pte, from->level);
        if (err)
            break;
        t->ptes[t->nr] = pte_is_none(pte) ? pte : pt_set(from->table, slot, pte_none());
    }
    spin_unlock(pt_lock(from->table));
    return err;
}

static void put_down(const struct move *m, const struct pt_walk *to, const struct taken *t)
{
    spin_lock(pt_lock(to->table));
    for (unsigned i = 0; i < t->nr; i++)
        if (!pte_is_none(t->ptes[i]))
            pt_set(to->table, to->slot + i, leaf_moved(m, t->ptes[i], to->level));
    spin_unlock(pt_lock(to->table));
}

/* A table that is kept for the day of a split goes where the huge leaf goes. */
static void take_spare(const struct pt_walk *from, const struct pt_walk *to)
{
    spin_lock(pt_lock(from->table));
    struct page *spare = pt_kept_take(from->table);
    spin_unlock(pt_lock(from->table));
    spin_lock(pt_lock(to->table));
    pt_keep(to->table, spare);
    spin_unlock(pt_lock(to->table));
}

/* Claim 2. */
static int move_entries(struct move *m, const struct pt_walk *from, const struct pt_walk *to,
                        unsigned nr)
{
    uint64_t size = pt_level_size(from->level);
    struct tlb_gather gather;
    struct taken t;

    tlb_gather_begin(&gather, &m->mm->pgtable);
    tlb_gather_range(&gather, m->src, m->src + nr * size, from->level); /* before it is seen gone */
    int err = take(m, from, to, nr, &t);
    tlb_gather_end(&gather);
    if (t.nr) {
        put_down(m, to, &t);
        if (from->level > PT_4K)
            take_spare(from, to);
    }
    m->src += t.nr * size;
    m->dst += t.nr * size;
    return err;
}

/* Can the huge leaf at the source go as it is? */
static bool fits_whole(const struct move *m, const struct pt_walk *to)
{
    return is_aligned(m->src | m->dst, HUGE_SIZE) && m->end - m->src >= HUGE_SIZE &&
           to->level == PT_2M && pte_is_none(pte_read(to->slot));
}

static int move_huge(struct move *m, const struct pt_walk *from)
{
    pte_t pte = pte_read(from->slot);
    struct pt_walk to;

    int err = pt_walk_alloc(&m->mm->pgtable, user(m->dst), PT_2M, &to);
    if (err)
        return err;
    if (fits_whole(m, &to))
        return move_entries(m, from, &to, 1);
    err = check_entry(m, pte, PT_2M);
    if (!err)
        thp_split(m->from, m->src);
    return err;
}

/* What one table has, up to AT_ONCE pages. */
static int move_small(struct move *m)
{
    struct pt_walk from, to;

    int err = pt_walk_alloc(&m->mm->pgtable, user(m->src), PT_4K, &from);
    if (!err)
        err = pt_walk_alloc(&m->mm->pgtable, user(m->dst), PT_4K, &to);
    if (err)
        return err;
    uint64_t apart = m->dst > m->src ? (m->dst - m->src) >> PAGE_SHIFT : AT_ONCE;
    unsigned room = PT_ENTRIES - max(pt_index(m->src, PT_4K), pt_index(m->dst, PT_4K));
    uint64_t left = (m->end - m->src) >> PAGE_SHIFT;
    left = min(left, min(apart, (uint64_t)AT_ONCE)); /* what has moved may move on */
    return move_entries(m, &from, &to, min(left, (uint64_t)room));
}

static int move_some(struct move *m)
{
    struct pt_walk from = pt_walk(&m->mm->pgtable, user(m->src));
    struct pt_walk to = pt_walk(&m->mm->pgtable, user(m->dst));
    bool empty = from.level > PT_4K && pte_is_none(pte_read(from.slot));

    if (to.level > PT_4K && !pte_is_none(pte_read(to.slot)))
        return -EEXIST; /* a huge page */
    if (empty && !m->holes)
        return -ENOENT;
    return empty || from.level == PT_4K ? move_small(m) : move_huge(m, &from);
}

int64_t mm_userfault_move(struct mm *mm, const struct userfault *u, uint64_t dst, uint64_t src,
                          uint64_t len, bool holes)
{
    struct move m = {.mm = mm, .src = src, .dst = dst, .end = src + len, .holes = holes};

    rwsem_write_lock(&mm->mmap_lock);
    m.from = vma_find(mm, src);
    m.to = vma_find(mm, dst);
    if (m.to && !(m.to->flags & VM_SHARED))
        vma_anon_begin(m.to); /* Linux does, before it knows whether it may move */
    int err = check_areas(&m, u, len);
    while (!err && m.src < m.end)
        err = move_some(&m);
    rwsem_write_unlock(&mm->mmap_lock);
    return m.src > src ? (int64_t)(m.src - src) : err;
}
