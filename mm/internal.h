/* SPDX-License-Identifier: MIT */
/*
 * mm/internal.h - what the files of mm/ share and nobody else may see
 *
 * Room:   mm, private.
 * Owns:   nothing.
 * Locks:  as noted at each function.
 * Always: -
 * Source: -
 * Tour:   with mm/vma.c.
 */
#pragma once

#include <asm/tlb.h>
#include <base/panic.h>
#include <mm/buddy.h>
#include <mm/mm.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <mm/thp.h>

/* zeros.c */

/* Mapped read-only for reads of untouched memory. */
extern struct page *zero_page;

void zeros_boot_init(void);

/**
 * zeros_get() - the same of 2 MiB
 * It stays until zeros_put() of the same address space. Context: mmap_lock held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int __must_check zeros_get(struct mm *mm, struct page **out);

/* A child gets its parent's leaves. */
void zeros_inherit(struct mm *child, const struct mm *mm);

/* @mm has no leaf any more, and gets none. */
void zeros_put(struct mm *mm);

/* mm.c: every address space that is in use, from mm_create() on. */
extern struct list_node all_mms;

/* The first that is @wanted, with a reference, or NULL. */
struct mm *mm_pick(bool (*wanted)(const struct mm *mm));

/* object.c: how often an index holds it: once for each page of it that a shmem object has, or
 * once. @head: of any state that objects have, or private memory, which no index holds. */
uint32_t folio_slots(const struct page *head);

/* A count of users, or -1: no more may come. @rivals: with wx=enforce none of these may be there.
 * 0, -EPERM (no more may come), -EACCES (rivals). */
int __must_check users_get(_Atomic int64_t *users, const _Atomic int64_t *rivals);
void users_put(_Atomic int64_t *users);

/* No more may come. 0, or -EBUSY: some are there. */
int __must_check users_deny(_Atomic int64_t *users);

/* What the marks of an object's index mean. */
enum index_mark {
    INDEX_MARK_NEW,   /* a promise, made by the call that is under way: hugetlb.c */
    INDEX_MARK_PINNED /* pin_scan.c */
};

/* Is what an object's index holds a page? An object of huge pages has promises there, too. */
static inline bool index_has_page(const void *item)
{
    return (uintptr_t)item >= PAGE_ARRAY_BASE;
}

/* object_find_page(), for those who make pages. */
static inline struct page *object_find_page_inline(struct object *object, uint64_t index)
{
    spin_lock(&object->index_lock);
    struct page *page = index_find(&object->folios, index);
    if (unlikely(page))
        folio_get(page_folio(page));
    spin_unlock(&object->index_lock);
    return page;
}

/* frames.c: V4, V7, V8 over all address spaces. Machine quiet. 0 or -EUCLEAN. */
int __must_check frames_check(void);

/* vma.c: the tree of areas. mmap_lock held for writing. */

void vma_boot_init(void);
void vma_tree_init(struct mm *mm);
struct vma *vma_alloc(struct mm *mm);

/* The same for a child: as @vma of its parent, without what that has a share of but its object. */
struct vma *vma_copy(struct mm *mm, const struct vma *vma);
void vma_free(struct vma *vma);

/**
 * spares_get() - have at least @nr areas at hand, MM_SPARES at most: for vma_split()
 * They stay, for the next time. Return: 0, or -ENOMEM.
 */
int __must_check spares_fill(struct mm *mm, unsigned nr);

static inline int __must_check spares_get(struct mm *mm, unsigned nr)
{
    return likely(mm->nr_spares >= nr) ? 0 : spares_fill(mm, nr);
}

void spares_free(struct mm *mm);

/* One of them is the caller's; or at hand again, or freed. */
struct vma *spare_take(struct mm *mm);
void spare_put(struct mm *mm, struct vma *vma);

/* Put into the tree and on its object's list; takes over the caller's reference on the object. */
void vma_insert(struct mm *mm, struct vma *vma);

/* The same, for an area behind all others. */
void vma_append(struct mm *mm, struct vma *vma);

/* Off its object's list: who truncates the object does not come by any more. */
void vma_unlist(struct vma *vma);

/* Take out of tree and list. The object's reference stays with the area until vma_free(), for
 * which those who look at the tree must be waited for: rwsem_seekers_wait(). */
void vma_remove(struct mm *mm, struct vma *vma);

/**
 * vma_split() - one area becomes two at @addr: a spare one becomes [addr, end)
 * Return: that; @vma keeps [start, addr).
 */
struct vma *vma_split(struct mm *mm, struct vma *vma, uint64_t addr);

/* Give @vma, which has none, its history. */
void vma_anon_choose(struct vma *vma);

/**
 * vma_anon_begin() - @vma is about to get a private page
 *
 * Linux keeps areas apart whose private pages have different histories (its anon_vma), and copies
 * no tables at fork of those that have none. An area joins the history of a neighbour that differs
 * in rights at most, so that they can merge when the rights are the same again.
 * Context: mmap_lock held, for reading at least.
 */
static inline void vma_anon_begin(struct vma *vma)
{
    if (unlikely(!atomic_load_explicit(&vma->anon, memory_order_relaxed)))
        vma_anon_choose(vma);
}

/* vma_find() in a tree that others change: what was the answer at some moment, or NULL. */
const struct vma *vma_find_unlocked(const struct mm *mm, uint64_t addr);

/* Has no area changed since? Of the range that is read none can, but of those around it. */
static inline bool vma_unchanged(const struct mm *mm, uint64_t when)
{
    return READ_ONCE(mm->vmas_changed) == when;
}

/* The same in a tree that was as it is now at @when: a fault is often where this CPU's last was. */
static inline const struct vma *vma_find_near(const struct mm *mm, struct mm_cpu *cpu,
                                              uint64_t addr, uint64_t when)
{
    const struct vma *vma = cpu->area;

    if (cpu->looked != when || addr < vma->start || addr >= vma->end) {
        vma = vma_find_unlocked(mm, addr);
        if (!vma)
            return NULL;
        cpu->area = vma;
        cpu->looked = when;
    }
    return vma;
}

/**
 * vma_look() - what a reader of a range sees while others change the tree
 * @cpu: this CPU's part of @mm
 * @copy: the area that holds @addr; of the copy only [m] and [I] fields but links and gaps are set
 * @when: for vma_unchanged()
 * Context: between rwsem_read_seek() and rwsem_read_settle().
 * Return: false: there is no such area, or the tree just changes.
 */
static inline bool vma_look(struct mm *mm, struct mm_cpu *cpu, uint64_t addr, struct vma *copy,
                            uint64_t *when)
{
    uint64_t now = *when = READ_ONCE(mm->vmas_changed);
    atomic_thread_fence(memory_order_acquire);
    const struct vma *vma = vma_find_near(mm, cpu, addr, now);
    if (unlikely(!vma))
        return false;
    if (DEBUG >= 1)
        copy->area_node.next = NULL; /* it has no neighbours: nobody asks for them */
    copy->mm = mm;
    copy->start = vma->start;
    copy->end = vma->end;
    copy->flags = vma->flags;
    copy->pkey = vma->pkey;
    copy->object = vma->object;
    copy->pgoff = vma->pgoff;
    atomic_store_explicit(&copy->anon, atomic_load_explicit(&vma->anon, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return likely(!(now & 1)) && likely(vma_unchanged(mm, now));
}

/* Could the two be one area, @right beginning where @left ends? */
bool vma_can_merge(const struct vma *left, const struct vma *right);

/* Merge with both neighbours where possible; returns the area that holds @vma's range now. */
struct vma *vma_merge(struct mm *mm, struct vma *vma);

/* Move one border; what lies between must be free, or hold no leaf any more. */
void vma_set_end(struct vma *vma, uint64_t end);
void vma_set_start(struct vma *vma, uint64_t start);

/* Where an area begins for those who want to lie below it: stacks keep a gap. */
uint64_t vma_guarded_start(const struct vma *vma);

struct gap_wanted {
    uint64_t len_bytes, align; /* of the free range */
    uint64_t low, high;        /* where to look */
};

enum gap_order { GAP_HIGHEST, GAP_LOWEST };

/* The highest or lowest free range as wanted. 0 or -ENOMEM. */
int __must_check vma_find_gap(struct mm *mm, const struct gap_wanted *w, enum gap_order order,
                              uint64_t *out);

/* Where mmap() puts what may lie anywhere. 0 or -ENOMEM. */
int __must_check vma_find_place(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *out);

static inline uint64_t vma_pages(const struct vma *vma)
{
    return (vma->end - vma->start) >> PAGE_SHIFT;
}

static inline bool vma_is_secret(const struct vma *vma)
{
    return vma->object && object_is_secret(vma->object);
}

/* Smallest unit of an area: 4 KiB, or 2 MiB for huge pages. */
static inline uint64_t vma_unit(const struct vma *vma)
{
    return vma->object ? object_folio_bytes(vma->object) : PAGE_SIZE;
}

/* The level of its leaves, if none is larger than it has to be. */
static inline enum pt_level vma_level(const struct vma *vma)
{
    uint64_t unit = vma_unit(vma);
    return unit == PAGE_SIZE ? PT_4K : unit == HUGE_SIZE ? PT_2M : PT_1G;
}

/* Where in the object an address of the area lies, in pages; and in folios, as its index has it. */
static inline uint64_t vma_page_index(const struct vma *vma, uint64_t addr)
{
    return vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
}

static inline uint64_t vma_folio_index(const struct vma *vma, uint64_t addr)
{
    return vma_page_index(vma, addr) >> vma->object->ops->folio_order;
}

/* Does the object of the area end before @addr, the start of one of its pages? */
static inline bool vma_is_beyond(const struct vma *vma, uint64_t addr)
{
    return (vma->pgoff << PAGE_SHIFT) + (addr - vma->start) >= object_size(vma->object);
}

/* Does this area write into the object itself, now or after mprotect? */
static inline bool vma_is_writer(uint32_t flags)
{
    return (flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

/* Another area maps what one maps that is there, in the same way: no seal forbids that. */
static inline void vma_count_again(const struct vma *vma)
{
    if (vma_is_writer(vma->flags))
        atomic_fetch_add(&vma->object->writers, 1);
    if (vma->flags & VM_EXEC)
        atomic_fetch_add(&vma->object->executors, 1);
}

/* What leaves of an area may grant, but for writing: that depends on their page, too. */
static inline pgprot_t vma_pgprot(const struct vma *vma)
{
    if (!(vma->flags & VM_RIGHTS))
        return pgprot_supported(pgprot_none());
    pgprot_t prot = pgprot_pkey(pgprot_user(), vma->pkey);
    return pgprot_supported(vma->flags & VM_EXEC ? pgprot_exec(prot) : prot);
}

/* May a leaf in an area of these flags be writable now? A private one if it is exclusive: those of
 * the zero page and of an object's pages never are. Where writes are tracked, if it is known to be
 * written: else a fault has to see the first write. */
static inline bool vma_leaf_may_write(uint32_t vma_flags, bool exclusive, bool soft_dirty)
{
    return (vma_flags & VM_WRITE) && ((vma_flags & VM_SHARED) || exclusive) &&
           ((vma_flags & VM_SOFT_DIRTY) || soft_dirty);
}

/* zap.c */

enum zap_what {
    ZAP_AREA,        /* the area goes: pages, guards, and all other marks */
    ZAP_PAGES,       /* guards stay */
    ZAP_FROM_OBJECT, /* the same in an area of an object: from here on marks of writes stay */
    ZAP_OBJECT_PAGES /* private copies stay, too: of a hole that is punched */
};

/* Of pages of @vma that are discarded, or lie behind their object's new end. */
static inline enum zap_what zap_discarded(const struct vma *vma)
{
    return vma->object && (READ_ONCE(vma->flags) & VM_UFFD_WP) ? ZAP_FROM_OBJECT : ZAP_PAGES;
}

/**
 * zap_range() - remove leaves of [start, end) and drop what they referred to
 * @mm: for the counts
 * A huge leaf across a border stays: one that was there before, thp_split_borders() has split.
 * Context: tables stay (mmap_lock, or the object's mappings_lock). TLB: gathered, not flushed.
 */
void zap_range(struct mm *mm, uint64_t start, uint64_t end, enum zap_what what,
               struct tlb_gather *gather);

/**
 * guard_range() - nobody may touch [start, end) from now on: its leaves go, guards take their place
 * Context: as zap_range(); tables are made. Return: 0, or -ENOMEM with a part guarded.
 */
int __must_check guard_range(struct mm *mm, uint64_t start, uint64_t end,
                             struct tlb_gather *gather);

/* Marks of one kind, PTE_KIND_GUARD or PTE_KIND_POISON, go from [start, end). */
void unmark_range(struct mm *mm, uint64_t start, uint64_t end, enum pte_kind mark);

/* Pages, or areas too, are about to go: there may never again be so many. */
void rss_peak_note(struct mm *mm);
void peaks_note(struct mm *mm); /* mmap_lock held for writing */

/* Account a leaf that appears or goes: by this CPU's counter of its kind. */
static inline void rss_count(int64_t *counter, int64_t nr_leaves_4k)
{
    WRITE_ONCE(*counter, *counter + nr_leaves_4k);
}

static inline void rss_add(struct mm *mm, const struct folio *folio, int64_t nr_leaves_4k)
{
    struct mm_cpu *cpu = &mm->cpus[cpu_id()];
    rss_count(folio->page.state == PAGE_ANON ? &cpu->rss_anon : &cpu->rss_file, nr_leaves_4k);
}

/* pkey.c */

/* A new address space has given out key 0 at most; a child what its parent has. */
void pkeys_init(struct mm *mm);
void pkeys_inherit(struct mm *child, const struct mm *mm);

/* May a program name @key? mmap_lock held. */
bool pkey_is_given(const struct mm *mm, int key);

/* mm_pkey_exec_only(), mmap_lock held for writing. */
int pkey_of_exec_only(struct mm *mm);

/* wx.c: is an area that had the rights @before, or is new with @after, not to have @after? */
static inline bool mm_refuses_exec(const struct mm *mm, uint32_t before, uint32_t after)
{
    return (after & VM_EXEC) && ((after & VM_WRITE) || !(before & VM_EXEC)) && mm_mdwe(mm);
}

/* mseal.c: mmap_lock held. */

bool range_has_sealed(struct mm *mm, uint64_t start, uint64_t end);

/* May the program throw the contents of @vma away? Not those that a seal keeps. */
bool vma_may_discard(const struct vma *vma);

/* map.c: cutting ranges out of the tree. mmap_lock held for writing. */

/**
 * cut_prepare() - whatever unmap_areas() of [start, end) needs: spares, and no huge leaf in the way
 * Return: 0, -ENOMEM; -EINVAL: a border lies inside a page of its area; -EPERM: something there is
 *         sealed.
 */
int __must_check cut_prepare(struct mm *mm, uint64_t start, uint64_t end);

/**
 * vma_isolate() - split an area so that [start, end), which lies in it, is an area of its own
 * @at: in: the area; out: the one that is exactly [start, end)
 * Return: 0, or with nothing changed -ENOMEM; -EINVAL: a border lies inside a page of the area.
 * vma_merge() is the way back.
 */
int __must_check vma_cut_out(struct mm *mm, struct vma **at, uint64_t start, uint64_t end);

static inline int __must_check vma_isolate(struct mm *mm, struct vma **at, uint64_t start,
                                           uint64_t end)
{
    bool is_all = (*at)->start == start && (*at)->end == end;
    return is_all ? 0 : vma_cut_out(mm, at, start, end);
}

/* Fault everything in; what cannot be faulted is left to the program. @flags, @unit: the area's. */
void populate(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags, uint64_t unit);

/**
 * unmap_areas() - remove everything in [start, end); after cut_prepare() it cannot fail
 * @dead: the removed areas; free_dead() them when mmap_lock is released
 * TLB: flushed on return.
 */
void unmap_areas(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead);
void free_dead(struct mm *mm, struct list_node *dead);

/* limits.c: what an address space may have. mmap_lock held for writing. */

static inline enum area_kind vma_kind(uint32_t flags)
{
    if (flags & VM_GROWSDOWN)
        return AREA_STACK;
    if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
        return AREA_DATA;
    return (flags & (VM_EXEC | VM_WRITE)) == VM_EXEC ? AREA_CODE : AREA_OTHER;
}

/* late.c. mmap_lock held for writing. */

void late_note_range(struct mm *mm, uint64_t start, uint64_t end);
void late_settle_range(struct mm *mm, uint64_t start, uint64_t end);
void late_avoid_range(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *at);

static inline bool late_is_any(const struct mm *mm)
{
    return unlikely(atomic_load_explicit(&mm->pgtable.late, memory_order_relaxed));
}

/* [start, end) was unmapped. After the gather's end. */
static inline void late_note(struct mm *mm, uint64_t start, uint64_t end)
{
    if (late_is_any(mm))
        late_note_range(mm, start, end);
}

/* An area comes to [start, end). TLB: everybody forgets what was there before. */
static inline void late_settle(struct mm *mm, uint64_t start, uint64_t end)
{
    if (late_is_any(mm))
        late_settle_range(mm, start, end);
}

/* Another place for what would have to be settled at *@at. */
static inline void late_avoid(struct mm *mm, uint64_t len_bytes, uint64_t align, uint64_t *at)
{
    if (late_is_any(mm))
        late_avoid_range(mm, len_bytes, align, at);
}

/* @nr_pages more, or fewer, in areas of these flags. Of more: after late_settle(). */
void area_count(struct mm *mm, uint32_t flags, int64_t nr_pages);

/* @nr_pages have other rights than before. */
static inline void area_recount(struct mm *mm, uint32_t before, uint32_t after, int64_t nr_pages)
{
    DEBUG_ASSERT(!((before ^ after) & VM_LOCKED), "claim: rights change, nothing else");
    mm->kind_pages[vma_kind(before)] -= nr_pages;
    mm->kind_pages[vma_kind(after)] += nr_pages;
}

/* Does RLIMIT_MEMLOCK allow more locked memory? RLIMIT_AS and RLIMIT_DATA more of any? */
bool limits_allow_locked(const struct mm *mm, uint64_t more_pages);
bool limits_allow(const struct mm *mm, uint32_t flags, uint64_t more_pages);

/* The same for an area that is there, and promise the memory: area_count() comes next.
 * 0, -EAGAIN or -ENOMEM. */
int __must_check area_may_grow(struct mm *mm, const struct vma *vma, uint64_t more_bytes);

/* Is an area made with these flags counted as memory that may be needed? */
static inline bool vma_must_account(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE | VM_HUGETLB)) == VM_WRITE;
}

/* shmem.c */

/* May it get huge pages, so that mappings should lie where those fit? */
bool shmem_wants_units(const struct object *object);

/* Could it get huge pages by itself? With the setting "never" only a mount's own option helps. */
static inline bool shmem_may_want_huge(const struct object *object)
{
    return READ_ONCE(shmem_huge_setting) != SHMEM_HUGE_NEVER || object->huge < SHMEM_HUGE_NEVER;
}

/* Would the page at @index, which is missing, be made as a part of a huge one? */
bool shmem_wants_huge(const struct object *object, uint64_t index, enum object_get how);

/* hugetlb_private.c: private mappings of huge pages */

/* [I] fixed when made  [l] the pool's lock  [a] atomic */
struct hugetlb_private {
    _Atomic uint32_t refcount; /* areas: parts of what was one [a] */
    struct mutex lock;         /* a copy is made and mapped, or unmapped and freed, by one task */
    struct object *object;     /* of the areas, which keep it [I] */
    bool promised;             /* a page for each index of its areas was promised [I] */
    bool robbed;               /* a page was taken away for the sake of the one who made it [a] */
    struct index copies;       /* its pages, which are its areas' alone, by index [l] */
};

/* Promise a new private area its pages. 0, or -ENOMEM with nothing changed. */
int __must_check hugetlb_area_begin(struct vma *vma);

/* The same of a child, which is promised nothing. */
int __must_check hugetlb_area_inherit(struct vma *child);

/* @above, cut off from an area, shares what that has. */
void hugetlb_area_split(struct vma *above);

/* What is left of the area's promises is given back. Its leaves are gone. */
void hugetlb_area_end(struct vma *vma);

/* @vma ends, but another area has taken its place with all that it had. */
void hugetlb_area_replaced(struct vma *vma);

/**
 * hugetlb_rob() - take @page, which @robber cannot copy, away from children that have it too
 * They get SIGBUS from then on where nothing is mapped. Context: mmap_lock of @robber held.
 * Return: whether anybody lost it. TLB: flushed on return.
 */
bool hugetlb_rob(const struct vma *robber, uint64_t index, const struct page *page);

/* thp.c */

#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)

/* The policy of this machine. Boot, once all RAM is counted. */
void thp_boot_init(void);

void thp_count(enum thp_event event, int64_t nr);

#define VM_NO_HUGE (VM_NOHUGEPAGE | VM_UFFD_MISSING) /* answers come page by page */

/* Would a fault at @va give out a huge page? mmap_lock held. */
static inline bool thp_allows(const struct vma *vma, uint64_t va)
{
    unsigned mode = READ_ONCE(thp_mode);
    uint64_t unit = round_down(va, HUGE_SIZE);

    if (mode == THP_NEVER || vma->object || (vma->flags & VM_NO_HUGE) ||
        (mode == THP_MADVISE && !(vma->flags & VM_HUGEPAGE)))
        return false;
    return unit >= vma->start && unit + HUGE_SIZE <= vma->end && !vma->mm->thp_disabled;
}

/* How a fault in @vma asks its object for what is missing. mmap_lock held. */
static inline enum object_get thp_wanted(const struct vma *vma)
{
    if ((vma->flags & (VM_NO_HUGE | VM_UFFD)) || vma->mm->thp_disabled)
        return OBJECT_GET_SMALL;
    return vma->flags & VM_HUGEPAGE ? OBJECT_GET_ADVISED : OBJECT_GET_ALLOCATE;
}

/* Could a fault map a huge page of it? Of most objects never. */
static inline bool thp_may_be_of(const struct object *object)
{
    return READ_ONCE(object->has_huge) || shmem_may_want_huge(object);
}

/* May a fault at @va map a huge page of the object, if it has one there or gets one? mmap_lock
 * held; thp_may_be_of() was true. */
static inline bool thp_fits_object(const struct vma *vma, uint64_t va)
{
    uint64_t unit = round_down(va, HUGE_SIZE);
    enum object_get how = thp_wanted(vma);

    return unit >= vma->start && unit + HUGE_SIZE <= vma->end && how != OBJECT_GET_SMALL &&
           is_aligned((vma->pgoff << PAGE_SHIFT) - vma->start, HUGE_SIZE) &&
           (READ_ONCE(vma->object->has_huge) ||
            shmem_wants_huge(vma->object, vma_folio_index(vma, va), how));
}

enum thp_reserve { THP_LEAVE_SOME, THP_TAKE_LAST };

/* Is there so much memory that huge pages may be given out unasked? */
bool thp_has_plenty(void);

/* 2 MiB in one piece. 0 or -ENOMEM. */
int __must_check thp_block_alloc(enum thp_reserve reserve, unsigned alloc_flags, struct page **out);

/* A block for one huge leaf, private and exclusive, with one reference. 0 or -ENOMEM. */
int __must_check thp_page_alloc(enum thp_reserve reserve, unsigned alloc_flags, struct page **out);

/* A huge leaf of @folio appeared, or goes. Nothing to do for huge pages from the pool. */
void thp_leaf_added(struct mm *mm, struct folio *folio);
void thp_leaf_gone(struct folio *folio);

/* Is a table kept beside this leaf, which has a frame? */
static inline bool leaf_keeps_table(pte_t pte, enum pt_level level)
{
    if (level == PT_4K)
        return false;
    const struct page *page = phys_to_page(pte_phys(pte, level));
    return page->state == PAGE_ANON || page_is_zeros(page);
}

/**
 * thp_split() - the huge leaf at @va of @vma, if there is one, becomes 512 small ones
 * Rights, accessed and dirty bits stay. Context: mmap_lock held, for reading at least.
 * TLB: none but where the area may be executed.
 */
void thp_split(const struct vma *vma, uint64_t va);

/* No huge leaf lies across @start or @end. Context: as thp_split(). */
void thp_split_borders(struct mm *mm, uint64_t start, uint64_t end);

/* object.c */

/* The page at @index with a reference, or NULL, as get_page() says: it is not made. */
static inline struct page *object_existing_page(struct object *object, uint64_t index)
{
    struct page *page;
    int err = object->ops->get_page(object, index, OBJECT_GET_EXISTING, &page);
    ASSERT(!err, "claim: looking up allocates nothing");
    return page;
}

/* An empty index whose nodes come from where objects have theirs. */
void object_index_init(struct index *index);

/* Does each page of it count as promised memory? */
static inline bool promises_pages(const struct object *object)
{
    return object->ops->promises && !object->promised;
}

/* @nr_pages more in its index, or fewer: its quota, and promised memory. 0, or -ENOSPC with nothing
 * changed. */
int __must_check object_charge(struct object *object, uint64_t nr_pages);
void object_uncharge(struct object *object, uint64_t nr_pages);

/* truncate.c */

/**
 * object_unmap() - take pages [first, last) of @object out of all mappings
 * Context: no table's lock held; IRQs on. TLB: flushed on return.
 */
void object_unmap(struct object *object, uint64_t first, uint64_t last, enum zap_what what);

/* collapse_object.c */

/* A huge page lost a slot of its object's index. index_lock held. */
void block_lost_slot(struct page *head);

/* Is @page the head of a huge page that its object has all parts of? */
bool page_is_whole(struct page *page);

/**
 * object_collapse() - the unit of 2 MiB at page @first of a shmem object becomes one huge page
 * Holes become zeros. Context: no lock held.
 * Return: 0; -EINVAL (all is hole, or the object ends within); -ENOMEM or -EAGAIN (somebody has a
 *         page, pin.h) with nothing changed.
 */
int __must_check object_collapse(struct object *object, uint64_t first);

/**
 * object_add_block() - a zeroed huge page for the unit round @index of a shmem object, all hole
 * @untouched: it counts as a hole until asked for again
 * Context: no spinning lock held. Return: 0; -EEXIST: some of it is there; -ENOMEM, -ENOSPC.
 */
int __must_check object_add_block(struct object *object, uint64_t index, bool untouched);

/* What fallocate() made is looked at for the first time. */
void object_touch(struct object *object, struct page *page);

/* The block that lost a slot at a border @index falls into pages, if nobody uses it just now. */
void object_break(struct object *object, uint64_t index);

/* May the unit at page @first be collapsed, that is, has it @wanted pages at least? */
bool object_unit_fits(struct object *object, uint64_t first, unsigned wanted);

/* collapse.c: the unit at @va becomes huge, if it can. 0, -EINVAL, -ENOMEM. No locks held. */
int __must_check collapse_unit(struct mm *mm, uint64_t va);

/* collapse_scan.c: @mm has, or could have, huge pages. Locks up to a table's may be held. */
void thp_scan_add(struct mm *mm);
void thp_scan_remove(struct mm *mm);

/* stack.c: grow the stack above @addr down to it. False: it may not, or there is none. mmap_lock
 * held for writing. */
bool stack_grow(struct mm *mm, uint64_t addr);

/* fault_watch.c: what is a program asked before @addr of @vma can be accessed? mmap_lock held. */
enum userfault_reason userfault_reason(const struct vma *vma, uint64_t addr,
                                       enum fault_access access);

/**
 * hugetlb_add_copy() - hugetlb.c: a page for @index of a shared object with the bytes of @from
 * Return: 0 with a reference in *@out; -EEXIST, -EFAULT (the object ends before it), -ENOMEM,
 *         -ENOSPC: nothing changed.
 */
int __must_check hugetlb_add_copy(struct object *object, uint64_t index, const struct page *from,
                                  struct page **out);

/* Is a program told of the first write to what is installed? */
enum install_how { INSTALL_PLAIN, INSTALL_PROTECTED };

/* page_install() for a private area of huge pages, of a page of its own with the bytes of @from. */
int __must_check pool_page_install(struct vma *vma, uint64_t addr, const struct page *from,
                                   enum install_how how);

/**
 * page_install() - map @page, which is complete, where @vma has nothing
 * It gets all rights that the area grants. mmap_lock held; the leaf takes over the caller's
 * reference. Return: 0; -EEXIST, -ENOMEM: nothing changed.
 */
int __must_check page_install(struct vma *vma, uint64_t addr, struct page *page,
                              enum install_how how);

/* What belongs at @addr, where there is nothing, is lost. 0, -EEXIST, -ENOMEM. mmap_lock held. */
int __must_check poison_install(struct vma *vma, uint64_t addr);

/* userfault.c: from now on @vma asks @u, @modes of it (VM_UFFD_*); NULL, 0: nobody. Marks go where
 * they are not asked for any more. mmap_lock for writing. */
struct userfault;
void vma_set_asked(struct vma *vma, struct userfault *u, uint32_t modes);

/* userfault_event.c: telling programs of changes */
enum userfault_news;
struct userfault_event;

/* Does its program want to know? @u may be NULL. */
bool userfault_wants(const struct userfault *u, enum userfault_news news);

/* A change that is told later begins; and is told, by whoever holds no lock any more. */
void userfault_begin(struct userfault *u);
void userfault_tell(struct userfault *u, const struct userfault_event *event);

/* @vma, which is in no tree any more, goes because [start, end) is unmapped; what the areas of a
 * list have noted is told. */
void userfault_note_unmapped(struct vma *vma, uint64_t start, uint64_t end);
void userfault_tell_unmapped(struct list_node *dead);

/**
 * userfault_fork() - @copy of a child asks as @vma does, if the program wants to know of children
 * @pairs: of one fork; userfault_forked() tells, or drops, them
 * Return: 0 or -ENOMEM.
 */
int __must_check userfault_fork(struct vma *copy, const struct vma *vma, struct list_node *pairs);
void userfault_forked(struct mm *child, struct list_node *pairs, bool succeeded);

/* userfault_wp.c */
enum tell { TELL_NOT, TELL, TELL_AND_NOTE /* area_note_writes() */ };

/* The first write to each page of [start, end), which lies in @vma, is told; or not any more.
 * mmap_lock held. TLB: gathered. 0, or -ENOMEM with a part changed. */
int __must_check area_tell_writes(const struct vma *vma, uint64_t start, uint64_t end,
                                  enum tell tell, struct tlb_gather *gather);

/* What a marked leaf @pte of @vma becomes when nobody is told any more. @written: by this access */
pte_t leaf_untold(const struct vma *vma, pte_t pte, bool written);

/* fault.c: mm_fault() of an address in @vma. mmap_lock held, for reading at least. */
enum fault_result area_fault(struct mm *mm, struct vma *vma, uint64_t addr,
                             enum fault_access access);

/**
 * fault_around() - map what the object of @vma has cached in the 64 KiB around @va
 * @walk: the slot of a small leaf at @va
 * Context: mmap_lock for reading. Return: whether there is a leaf at @va now.
 */
bool fault_around(const struct vma *vma, uint64_t va, const struct pt_walk *walk);

/* As far as that goes: within twice this from where a multiple of it lies at or below @va. */
#define FAULT_AROUND_REACH (16 * PAGE_SIZE)
