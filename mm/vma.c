/* SPDX-License-Identifier: MIT */
/*
 * mm/vma.c - the areas of an address space: tree, split, merge, free ranges
 *
 * Room:   mm.
 * Owns:   the red-black tree of struct vma, ordered by address, with the largest gap per subtree,
 *         and the list of the same in order.
 * Locks:  mmap_lock for writing to change, for reading to look; object.mappings_lock inside.
 * Always: (1) areas are sorted and disjoint; (2) vma.gap is the distance to the area before;
 *         (3) vma.max_gap is the largest gap of its subtree;
 *         (4) the tree changes between changes_begin() and changes_end() only; what left it is
 *             freed when nobody can come by it any more.
 * Source: Cormen et al., "Introduction to Algorithms", augmented trees.
 * Tour:   after include/mm/mm.h, before mm/map.c; docs/decisions/0006-ranges.md for vma_look().
 */
#include "internal.h"
#include <base/bug.h>
#include <mm/commit.h>
#include <mm/userfault.h>
#include <uapi/errno.h>

static struct slab_cache vma_cache;

static struct vma *of(struct rb_node *node)
{
    return rb_entry(node, struct vma, node);
}

/* The tree's summary. */
static bool update_max_gap(struct rb_node *node)
{
    struct vma *vma = of(node);
    uint64_t largest = vma->gap;

    if (node->left)
        largest = max(largest, of(node->left)->max_gap);
    if (node->right)
        largest = max(largest, of(node->right)->max_gap);
    bool changed = vma->max_gap != largest;
    vma->max_gap = largest;
    return changed;
}

void vma_boot_init(void)
{
    slab_cache_init(&vma_cache, "vma", sizeof(struct vma), 0);
}

void vma_tree_init(struct mm *mm)
{
    mm->vmas = (struct rb_root){.update = update_max_gap};
    mm->vmas_changed = 2; /* even, and when nobody has looked */
    list_init(&mm->areas);
}

struct vma *vma_copy(struct mm *mm, const struct vma *vma)
{
    struct vma *copy = slab_alloc(&vma_cache, 0);
    if (copy) {
        *copy = *vma;
        copy->mm = mm;
        list_init(&copy->mapping_node);
        copy->userfault = NULL;
        copy->hugetlb = NULL;
    }
    return copy;
}

struct vma *vma_alloc(struct mm *mm)
{
    struct vma *vma = slab_alloc(&vma_cache, SLAB_ALLOC_ZERO);
    if (vma) {
        vma->mm = mm;
        list_init(&vma->mapping_node);
    }
    return vma;
}

int spares_fill(struct mm *mm, unsigned nr)
{
    while (mm->nr_spares < nr) {
        struct vma *vma = slab_alloc(&vma_cache, 0);
        if (!vma)
            return -ENOMEM;
        mm->spares[mm->nr_spares++] = vma;
    }
    return 0;
}

struct vma *spare_take(struct mm *mm)
{
    ASSERT(mm->nr_spares, "claim: spares_get() was asked for enough");
    return mm->spares[--mm->nr_spares];
}

void spare_put(struct mm *mm, struct vma *vma)
{
    if (mm->nr_spares < MM_SPARES)
        mm->spares[mm->nr_spares++] = vma;
    else
        slab_free(&vma_cache, vma);
}

void spares_free(struct mm *mm)
{
    while (unlikely(mm->nr_spares))
        slab_free(&vma_cache, spare_take(mm));
}

/* Is there anything but memory that it has a part of? */
static inline bool has_shares(const struct vma *vma)
{
    return vma->object || vma->userfault || vma->hugetlb;
}

static void shares_put(struct vma *vma)
{
    if (unlikely(vma->hugetlb))
        hugetlb_area_end(vma);
    if (vma->object) {
        if (vma_is_writer(vma->flags))
            object_writer_put(vma->object);
        if (vma->flags & VM_EXEC)
            object_executor_put(vma->object);
        if (unlikely(vma->object->unmapped))
            vma->object->unmapped(vma->object);
        object_put(vma->object);
    }
    if (unlikely(vma->userfault))
        userfault_put(vma->userfault);
}

void vma_free(struct vma *vma)
{
    if (has_shares(vma))
        shares_put(vma);
    slab_free(&vma_cache, vma);
}

struct vma *vma_find_from(struct mm *mm, uint64_t addr)
{
    struct rb_node *node = mm->vmas.node;
    struct vma *best = NULL;

    while (node) {
        struct vma *vma = of(node);
        if (vma->end > addr) {
            best = vma;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

struct vma *vma_find(struct mm *mm, uint64_t addr)
{
    struct vma *vma = vma_find_from(mm, addr);
    return vma && vma->start <= addr ? vma : NULL;
}

/* Claim 4. Those who look meanwhile notice, and do not believe what they saw. */
static void changes_begin(struct mm *mm)
{
    WRITE_ONCE(mm->vmas_changed, mm->vmas_changed + 1);
    atomic_thread_fence(memory_order_release);
}

static void changes_end(struct mm *mm)
{
    atomic_thread_fence(memory_order_release);
    WRITE_ONCE(mm->vmas_changed, mm->vmas_changed + 1);
}

#define MAX_DEPTH 64 /* of a tree of 2^32 areas; deeper: the tree turned under our feet */

/* Each step leads to an area, or to one that was. */
const struct vma *vma_find_unlocked(const struct mm *mm, uint64_t addr)
{
    const struct rb_node *node = READ_ONCE(mm->vmas.node);

    for (unsigned left = MAX_DEPTH; node; left--) {
        const struct vma *vma = rb_entry(node, const struct vma, node);
        bug_moment(BUG_B27);
        if (READ_ONCE(vma->end) <= addr)
            node = READ_ONCE(node->right);
        else if (READ_ONCE(vma->start) > addr)
            node = READ_ONCE(node->left);
        else
            return vma;
        if (unlikely(!left))
            break;
    }
    return NULL;
}

static uint64_t gap_between(const struct vma *prev, const struct vma *vma)
{
    return vma->start - (prev ? prev->end : 0);
}

/* Recompute the gap below @vma after something before it changed. */
static void gap_refresh(struct vma *vma)
{
    if (!vma)
        return;
    uint64_t gap = gap_between(vma_prev(vma), vma);
    if (gap == vma->gap)
        return;
    vma->gap = gap;
    rb_update(&vma->mm->vmas, &vma->node);
}

/* Into the tree and the list, between neighbours, of which one has a free place on that side. The
 * largest gaps are for the caller to note, then to balance. */
static inline struct rb_node *link_between(struct mm *mm, struct vma *prev, struct vma *vma,
                                           struct vma *next)
{
    bool below = next && !next->node.left;
    struct rb_node *parent = below ? &next->node : prev ? &prev->node : NULL;

    ASSERT((!prev || prev->end <= vma->start) && (!next || vma->end <= next->start),
           "claim 1: %#lx-%#lx is not free", vma->start, vma->end);
    list_insert_between(&vma->area_node, prev ? &prev->area_node : &mm->areas,
                        next ? &next->area_node : &mm->areas);
    vma->gap = vma->max_gap = gap_between(prev, vma);
    rb_link(&vma->node, parent, below ? &parent->left : parent ? &parent->right : &mm->vmas.node);
    mm->nr_vmas++;
    return parent;
}

static void list_on_object(struct vma *vma)
{
    if (!vma->object)
        return;
    spin_lock(&vma->object->mappings_lock);
    /* Behind its parent's, so that truncation during a fork takes the parent's leaves first. */
    list_add_tail(&vma->mapping_node, &vma->object->mappings);
    spin_unlock(&vma->object->mappings_lock);
}

void vma_unlist(struct vma *vma)
{
    if (!vma->object)
        return;
    spin_lock(&vma->object->mappings_lock);
    list_del(&vma->mapping_node);
    spin_unlock(&vma->object->mappings_lock);
}

static struct vma *last_area(struct mm *mm)
{
    return list_empty(&mm->areas) ? NULL : list_last_entry(&mm->areas, struct vma, area_node);
}

/* An area with @gap below it came below @node, and nothing else changed. */
static void gap_came(struct rb_node *node, uint64_t gap)
{
    for (; node && of(node)->max_gap < gap; node = rb_parent(node))
        of(node)->max_gap = gap;
}

/* @next, if any, lies below @vma in the tree or above it: so one walk up notes both gaps. */
static void insert_between(struct mm *mm, struct vma *prev, struct vma *vma, struct vma *next)
{
    changes_begin(mm);
    struct rb_node *parent = link_between(mm, prev, vma, next);
    if (next) {
        next->gap = gap_between(vma, next);
        rb_update_through(&mm->vmas, parent, &next->node);
    } else {
        gap_came(parent, vma->gap);
    }
    rb_balance(&mm->vmas, &vma->node);
    changes_end(mm);
    list_on_object(vma);
}

void vma_insert(struct mm *mm, struct vma *vma)
{
    struct vma *next = vma_find_from(mm, vma->start);
    insert_between(mm, next ? vma_prev(next) : last_area(mm), vma, next);
}

void vma_append(struct mm *mm, struct vma *vma)
{
    insert_between(mm, last_area(mm), vma, NULL);
}

void vma_remove(struct mm *mm, struct vma *vma)
{
    struct vma *next = vma_next(vma);

    vma_unlist(vma);
    changes_begin(mm);
    list_del(&vma->area_node);
    gap_refresh(next); /* first: larger than the gap that goes, it ends the walk up from there */
    rb_erase(&mm->vmas, &vma->node);
    mm->nr_vmas--;
    changes_end(mm);
}

static inline void move_borders(struct vma *vma, uint64_t start, uint64_t end)
{
    vma->pgoff += (int64_t)(start - vma->start) >> PAGE_SHIFT;
    vma->start = start;
    vma->end = end;
}

/* Those who walk an object's mappings see start, end and pgoff change together. */
static inline void resize(struct vma *vma, uint64_t start, uint64_t end)
{
    if (!vma->object) {
        move_borders(vma, start, end);
        return;
    }
    spin_lock(&vma->object->mappings_lock);
    move_borders(vma, start, end);
    spin_unlock(&vma->object->mappings_lock);
}

/* @above, a copy, has its own share of all that it is listed or counted for. */
static void shares_get(struct vma *above)
{
    if (above->object) {
        object_get(above->object);
        vma_count_again(above);
    }
    if (above->userfault)
        userfault_get(above->userfault);
    if (above->hugetlb)
        hugetlb_area_split(above);
    list_on_object(above);
}

struct vma *vma_split(struct mm *mm, struct vma *vma, uint64_t addr)
{
    ASSERT(addr > vma->start && addr < vma->end, "%#lx-%#lx at %#lx", vma->start, vma->end, addr);
    struct vma *above = spare_take(mm), *next = vma_next(vma);
    *above = *vma;
    list_init(&above->mapping_node);
    above->start = addr;
    above->pgoff += (addr - vma->start) >> PAGE_SHIFT;
    if (has_shares(above))
        shares_get(above); /* before @vma shrinks: no page is ever outside of both */
    changes_begin(mm);
    resize(vma, vma->start, addr);
    link_between(mm, vma, above, next); /* no gap is another than it was */
    rb_balance(&mm->vmas, &above->node);
    changes_end(mm);
    return above;
}

/* Does @right go on where @left ends, with the same flags except @ignored? That one is new does not
 * keep them apart. */
static inline bool goes_on(const struct vma *left, const struct vma *right, uint32_t ignored)
{
    ignored |= VM_SOFT_DIRTY;
    return !((left->flags ^ right->flags) & ~ignored) && left->end == right->start &&
           left->pkey == right->pkey && left->mempolicy == right->mempolicy &&
           left->object == right->object &&
           (left->pgoff + vma_pages(left) == right->pgoff || bug_is_back(BUG_B35));
}

static bool has_own_history(const struct vma *vma)
{
    return vma && vma->anon && !vma->anon_inherited;
}

void vma_anon_choose(struct vma *vma)
{
    const uint32_t ignored = VM_RIGHTS | VM_UFFD_ASYNC; /* and who watches, as on Linux */
    uint64_t none = 0, history;

    DEBUG_ASSERT(vma->area_node.next, "claim: a copy of vma_look() begins no history");
    if (vma->hugetlb)
        return; /* which is its history */
    struct vma *next = vma_next(vma), *prev = vma_prev(vma);
    if (has_own_history(next) && goes_on(vma, next, ignored))
        history = next->anon;
    else if (has_own_history(prev) && goes_on(prev, vma, ignored))
        history = prev->anon;
    else
        history = atomic_fetch_add(&vma->mm->anon_last, 1) + 1;
    atomic_compare_exchange_strong(&vma->anon, &none, history);
}

static bool histories_merge(const struct vma *left, const struct vma *right)
{
    if (left->anon && right->anon)
        return left->anon == right->anon;
    return !left->anon_inherited && !right->anon_inherited;
}

static inline bool can_merge(const struct vma *left, const struct vma *right)
{
    if (!goes_on(left, right, 0) || left->userfault != right->userfault)
        return false;
    if (left->object && (left->object->unmapped || object_is_hugetlb(left->object)))
        return false; /* each counts; and huge pages are kept apart as on Linux */
    return histories_merge(left, right);
}

bool vma_can_merge(const struct vma *left, const struct vma *right)
{
    return can_merge(left, right);
}

/* What pages of @from tell about @vma, which gets them. */
static void inherit_marks(struct vma *vma, const struct vma *from)
{
    if (!vma->anon)
        atomic_store_explicit(&vma->anon, from->anon, memory_order_relaxed);
    vma->guarded |= from->guarded;
    vma->flags |= from->flags & VM_SOFT_DIRTY; /* no write goes unseen */
}

/* @left takes over what @right covered. Their gaps stay: there is none between them. */
static void absorb(struct mm *mm, struct vma *left, struct vma *right)
{
    changes_begin(mm);
    resize(left, left->start, right->end);
    list_del(&right->area_node);
    rb_erase(&mm->vmas, &right->node);
    mm->nr_vmas--;
    inherit_marks(left, right);
    changes_end(mm);
    if (right->object)
        vma_unlist(right);
}

/* It was absorbed. The next split is often where it was. */
static inline void discard(struct mm *mm, struct vma *vma)
{
    if (has_shares(vma))
        shares_put(vma);
    spare_put(mm, vma);
}

struct vma *vma_merge(struct mm *mm, struct vma *vma)
{
    struct vma *prev = vma_prev(vma), *next = vma_next(vma), *absorbed = NULL;
    bool with_prev = prev && can_merge(prev, vma);

    if (with_prev) {
        absorb(mm, prev, vma);
        absorbed = vma;
        vma = prev;
    }
    bool with_next = next && can_merge(vma, next);
    if (with_next)
        absorb(mm, vma, next);
    if ((with_prev || with_next) && !bug_is_back(BUG_B27))
        rwsem_seekers_wait(&mm->mmap_lock);
    if (with_prev)
        discard(mm, absorbed);
    if (with_next)
        discard(mm, next);
    return vma;
}

void vma_set_end(struct vma *vma, uint64_t end)
{
    changes_begin(vma->mm);
    resize(vma, vma->start, end);
    gap_refresh(vma_next(vma));
    changes_end(vma->mm);
}

void vma_set_start(struct vma *vma, uint64_t start)
{
    changes_begin(vma->mm);
    resize(vma, start, vma->end);
    gap_refresh(vma);
    changes_end(vma->mm);
}

uint64_t vma_guarded_start(const struct vma *vma)
{
    if (!(vma->flags & VM_GROWSDOWN))
        return vma->start;
    return vma->start - min(vma->start, STACK_GUARD_GAP);
}

/* The highest place in the free range [low, high) that is aligned; false if it does not fit. */
static bool fits_high(uint64_t low, uint64_t high, const struct gap_wanted *w, uint64_t *out)
{
    if (high < low || high - low < w->len_bytes)
        return false;
    *out = round_down(high - w->len_bytes, w->align);
    return *out >= low;
}

/* The lowest. */
static bool fits_low(uint64_t low, uint64_t high, const struct gap_wanted *w, uint64_t *out)
{
    *out = round_up(low, w->align);
    return high >= *out && high - *out >= w->len_bytes;
}

/* Areas from the highest down, passing over subtrees whose gaps are all too small. */
static bool gap_high(struct rb_node *node, const struct gap_wanted *w, uint64_t *out)
{
    if (!node || of(node)->max_gap < w->len_bytes)
        return false;
    struct vma *vma = of(node);
    if (vma->start < w->high && gap_high(node->right, w, out))
        return true;
    uint64_t gap_start = max(vma->start - vma->gap, w->low);
    if (fits_high(gap_start, min(vma_guarded_start(vma), w->high), w, out))
        return true;
    return vma->start > w->low && gap_high(node->left, w, out);
}

/* From the lowest up. */
static bool gap_low(struct rb_node *node, const struct gap_wanted *w, uint64_t *out)
{
    if (!node || of(node)->max_gap < w->len_bytes)
        return false;
    struct vma *vma = of(node);
    if (vma->start > w->low && gap_low(node->left, w, out))
        return true;
    uint64_t gap_start = max(vma->start - vma->gap, w->low);
    if (fits_low(gap_start, min(vma_guarded_start(vma), w->high), w, out))
        return true;
    return vma->start < w->high && gap_low(node->right, w, out);
}

int vma_find_gap(struct mm *mm, const struct gap_wanted *w, enum gap_order order, uint64_t *out)
{
    struct vma *last = last_area(mm);
    uint64_t free_from = last ? max(last->end, w->low) : w->low;

    if (order == GAP_LOWEST)
        return gap_low(mm->vmas.node, w, out) || fits_low(free_from, w->high, w, out) ? 0 : -ENOMEM;
    return fits_high(free_from, w->high, w, out) || gap_high(mm->vmas.node, w, out) ? 0 : -ENOMEM;
}

/* Where each CPU has a root of its own, its threads look in a window that no other's entry of the
 * root leads to. Windows begin at every other entry: whatever mmap_top is, no two share one. */
static __cold int find_in_window(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *out)
{
    const uint64_t entry = pt_level_size(PT_512G), below = 2 * entry * (cpu_id() + 1);
    uint64_t high = mm->mmap_top - below;

    if (mm->mmap_upwards || mm->mmap_top < below + entry)
        return -ENOMEM;
    return vma_find_gap(mm, &(struct gap_wanted){len_bytes, align, high - entry, high}, GAP_HIGHEST,
                        out);
}

int vma_find_place(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *out)
{
    struct gap_wanted down = {len_bytes, align, vm_settings.mmap_min_addr, mm->mmap_top};
    struct gap_wanted up = {len_bytes, align, mm->mmap_bottom, USER_END};

    if (unlikely(atomic_load_explicit(&mm->pgtable.roots, memory_order_relaxed)) &&
        !find_in_window(mm, len_bytes, align, out))
        return 0;
    if (!mm->mmap_upwards && !vma_find_gap(mm, &down, GAP_HIGHEST, out))
        return 0;
    return vma_find_gap(mm, &up, GAP_LOWEST, out);
}
