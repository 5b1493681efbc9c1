/* SPDX-License-Identifier: MIT */
/*
 * include/mm/page.h - one descriptor for every frame of RAM
 *
 * Room:   mm.
 * Owns:   struct page, its states, struct folio, the page array.
 * Locks:  state and order: whoever owns the page; a free page: its free list's lock.
 * Always: (1) a block of 1 << order frames is described by its first page, its head; the others are
 *             PAGE_TAIL, whether the block is free or used;
 *         (2) state changes go through page_set_state(), which counts and checks them;
 *         (3) a frame's descriptor may be touched only if page_is_initialised().
 * Source: Bonwick and Adams, "Magazines and Vmem" (2001), for the per-frame union.
 * Tour:   after include/lib/list.h, before include/mm/buddy.h.
 */
#pragma once

#include <asm/cpu.h>
#include <asm/memory_layout.h>
#include <asm/spinlock.h>
#include <base/panic.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <stdatomic.h>

#define PAGE_ORDER_MAX   10 /* the largest block that page_alloc() gives: 4 MiB */
#define PAGE_ORDER_GIANT 18 /* the largest there is, of mm/giant.c: 1 GiB */
#define CHUNK_PAGES      (1UL << PAGE_ORDER_MAX)
#define PAGE_COUNT_LIMIT (1U << 30) /* a count that reached this never falls again */

/*
 *            accept        take         hand out                 owner says so
 *   FRESH ----------> FREE -----> CPU ----------> KERNEL <-----------------------> SLAB, TABLE,
 *   RESERVED -------^  ^ |         | ^               |                             ANON, OBJECT,
 *   (release)          | `---------|-|---------------^ (order > 0)                 POOL, HIDDEN
 *                      |           `-|---------------------- PAGE_ALLOC_AS() ----> any but HIDDEN
 *                      `-----------' `---------------+--- page_free(): not from HIDDEN, SECRET,
 *                                                         HUGETLB. Of these three the first comes
 *                                                         from and becomes KERNEL, the others are
 *                                                         made of HIDDEN and POOL, and end so
 */
enum page_state {
    PAGE_HOLE,     /* no RAM here */
    PAGE_RESERVED, /* RAM that is never allocated: kernel image, boot allocations */
    PAGE_FRESH,    /* usable, not yet given to the buddy allocator */
    PAGE_FREE,     /* head of a free block, on a free list */
    PAGE_TAIL,     /* not the first of its block; look at page_head() */
    PAGE_CPU,      /* free, on the list of one CPU */
    PAGE_KERNEL,   /* allocated, no further kind */
    PAGE_SLAB,     /* head of a slab */
    PAGE_TABLE,    /* a page table */
    PAGE_ANON,     /* private memory of a program */
    PAGE_OBJECT,   /* content of a memory object */
    PAGE_POOL,     /* held ready by a pool (huge pages) */
    PAGE_HUGETLB,  /* content of a memory object, from that pool */
    PAGE_HIDDEN,   /* absent from the direct map, and so is what follows: held ready .. */
    PAGE_SECRET,   /* .. and content of a memory object */
    PAGE_STATES
};

/* enum page_state as a word, for messages. */
extern const char *const page_state_names[PAGE_STATES];

enum page_flag {
    PAGE_POISONED = 1 << 0,  /* free, and filled with the poison byte (debug builds) */
    PAGE_DIRTY = 1 << 1,     /* content differs from what backs it */
    PAGE_UNTOUCHED = 1 << 2, /* OBJECT, head: made by fallocate, nobody looked at it yet */
    PAGE_COPY = 1 << 3,      /* HUGETLB: a private copy, never in an object */
    PAGE_PARTIAL = 1 << 4,   /* OBJECT, head: not all of its pages are in the object any more */
    PAGE_ZEROS = 1 << 5,     /* KERNEL, head: one of mm/zeros.c */
    PAGE_BLANK = 1 << 6      /* CPU: every byte is zero */
};

struct object;
struct slab_cache;

/* [I] until freed  [a] atomic  [o] owner of the page  [l] lock of the list or table it names */
struct page {
    struct list_node list; /* free list, slab list, gathered tables, or the owner's list [l] */
    union {
        struct {                   /* ANON, OBJECT, HIDDEN, SECRET, POOL */
            struct object *object; /* [o] */
            uint64_t index;        /* in pages, within the object [o] */
            union {
                uint64_t private;             /* the owner's own word [o] */
                _Atomic uint32_t huge_leaves; /* ANON: those that map the whole block [a] */
            };
        };
        struct {                      /* SLAB */
            struct slab_cache *cache; /* [I] */
            void *free;               /* first free object of this slab [l] */
            uint32_t in_use;          /* objects not on that list [l] */
        } slab;
        struct { /* TABLE */
            spinlock_t lock;
            uint16_t used;     /* entries that are not zero [l] */
            struct page *kept; /* asm/pgtable.h, pt_keep() [l] */
        } table;
    };
    _Atomic uint32_t refcount; /* head: 0 exactly while free [a] */
    _Atomic uint32_t mapcount; /* leaves of user page tables that point here [a] */
    uint8_t state;             /* enum page_state */
    uint8_t order;             /* head: log2 of the frames in the block */
    uint16_t flags;            /* enum page_flag [o] */
    _Atomic uint32_t pins;     /* head: how many of its references are mm/pin.c's .. [a] */
    _Atomic uint32_t keeps;    /* .. and of these, for long: a fork makes a copy [a] */
} __aligned(64);

_Static_assert(sizeof(struct page) == 64, "1.6 % of memory, and one cache line");

/* A page that is known to be a head. */
struct folio {
    struct page page;
};

static inline struct page *pfn_to_page(uint64_t pfn)
{
    return (struct page *)PAGE_ARRAY_BASE + pfn;
}

static inline uint64_t page_to_pfn(const struct page *page)
{
    return (uint64_t)(page - (const struct page *)PAGE_ARRAY_BASE);
}

static inline phys_addr_t page_to_phys(const struct page *page)
{
    return pfn_to_phys(page_to_pfn(page));
}

static inline struct page *phys_to_page(phys_addr_t a)
{
    return pfn_to_page(phys_to_pfn(a));
}

/* The only way from a page to its bytes. What is hidden has no address in the kernel. */
static inline void *page_kva(const struct page *page)
{
    ASSERT(page->state < PAGE_HIDDEN, "frame %lx is secret", page_to_pfn(page));
    return direct_map_ptr(page_to_phys(page));
}

/* Only for addresses that lie in a page got by page_kva(). */
static inline struct page *kva_to_page(const void *kva)
{
    return phys_to_page(direct_map_phys(kva));
}

/* Does this page, a head, belong to the address spaces that map it, not to an object? */
static inline bool page_is_private(const struct page *page)
{
    return page->state == PAGE_ANON || (page->flags & PAGE_COPY);
}

/* A frame, seen while its owner may do with it what it likes. */
struct frame_seen {
    enum page_state state; /* of its block's head */
    unsigned order;        /* of that block */
    uint32_t leaves;       /* that map it; of a block that small leaves map, of all of it */
    bool tail, zeros;
};

/* Look at any frame, whether there is RAM or not. No lock: it may be another's afterwards. */
void frame_see(uint64_t pfn, struct frame_seen *out);

/* All frames are below this. */
uint64_t frames_end(void);

struct memmap;

/**
 * page_array_init() - make room for the descriptors of all RAM
 * Maps the array where there is RAM (whole chunks), from boot_alloc(). Initialises none of it.
 */
void page_array_init(const struct memmap *map);

/* Was the chunk that this frame lies in initialised? False for frames without RAM near. */
bool page_is_initialised(uint64_t pfn);

/**
 * page_chunk_init() - fill in the descriptors of one chunk
 * @first_pfn: aligned to CHUNK_PAGES, of a chunk that has RAM; not yet initialised
 *
 * Frames become HOLE, RESERVED, or FRESH as @map says. Context: the buddy's lock held.
 */
void page_chunk_init(const struct memmap *map, uint64_t first_pfn);

/**
 * page_chunk_fill() - the same for a chunk of which all is free, part by part
 * @from, @to: where the last part ended, and CHUNK_PAGES at last: then it is one FRESH block
 */
void page_chunk_fill(uint64_t first_pfn, unsigned from, unsigned to);

/* One CPU's share; a frame counted on one CPU and uncounted on another leaves a negative number. */
struct page_state_counts {
    int64_t frames[PAGE_STATES];
} __aligned(CACHE_LINE_SIZE);

extern struct page_state_counts page_state_counts[MAX_CPUS];

/* The counters' part of @nr single frames going from one state to another. */
static inline void page_count_steps(enum page_state old, enum page_state next, unsigned nr)
{
    int64_t *frames = page_state_counts[cpu_id()].frames;

    cpu_counter_add(&frames[old], -(int64_t)nr);
    cpu_counter_add(&frames[next], nr);
}

/* Panics on a step that the drawing above does not have. */
void page_check_step(const struct page *page, enum page_state old, enum page_state next);

/**
 * page_set_state() - the one way in which a page becomes something else
 * @page: a head, with its order set
 *
 * Moves its frames from one counter to the other. A step to or from TAIL moves none: the head's
 * order tells.
 */
static inline void page_set_state(struct page *page, enum page_state next)
{
    enum page_state old = page->state;

    if (DEBUG >= 1)
        page_check_step(page, old, next);
    page->state = (uint8_t)next;
    if (old != PAGE_TAIL && next != PAGE_TAIL)
        page_count_steps(old, next, 1U << page->order);
}

/* The same for a frame known to be a block of its own, in state @old. */
static inline void page_set_state_of_single(struct page *page, enum page_state old,
                                            enum page_state next)
{
    if (DEBUG >= 1)
        page_check_step(page, old, next);
    page->state = (uint8_t)next;
    page_count_steps(old, next, 1);
}

/* The first page of the block that @page, a tail, lies in. */
struct page *page_head_of_tail(struct page *page);

/* The first page of the block that @page lies in. */
static inline struct page *page_head(struct page *page)
{
    return likely(page->state != PAGE_TAIL) ? page : page_head_of_tail(page);
}

static inline struct folio *page_folio(struct page *page)
{
    return (struct folio *)page_head(page);
}

static inline uint64_t folio_nr_pages(const struct folio *folio)
{
    return 1UL << folio->page.order;
}

static inline uint32_t folio_refcount(const struct folio *folio)
{
    return atomic_load_explicit(&folio->page.refcount, memory_order_relaxed);
}

/* Is this page, a head, all zeros for ever, and never counted? */
static inline bool page_is_zeros(const struct page *page)
{
    return page->flags & PAGE_ZEROS;
}

/* Did nobody look at it since fallocate(2) made it? A block is looked at as a whole. */
static inline bool folio_is_untouched(const struct folio *folio)
{
    return READ_ONCE(folio->page.flags) & PAGE_UNTOUCHED;
}

static inline bool page_is_untouched(struct page *page)
{
    return folio_is_untouched(page_folio(page));
}

/* It had @old references, none or too many, before it got one more. */
void folio_get_odd(struct folio *folio, uint32_t old);

/* One more owner. The caller has a reference already. A saturated count stays: leak, not reuse. */
static inline void folio_get(struct folio *folio)
{
    uint32_t old = atomic_fetch_add_explicit(&folio->page.refcount, 1, memory_order_relaxed);
    if (unlikely(old == 0 || old >= PAGE_COUNT_LIMIT))
        folio_get_odd(folio, old);
}

/* One owner less; the last one releases the folio as its state asks. */
void folio_put(struct folio *folio);

/* The same for any page of a folio. */
static inline void page_put(struct page *page)
{
    folio_put(page_folio(page));
}

/* The same for many, which may name one folio more than once. What dies dies together. */
void folios_put(struct page *const heads[], unsigned nr);

/**
 * folio_set_release() - how folios of one state die
 * @release: gets the folio with no reference left; must end in page_free(). Called where
 *           folio_put() was called, with the locks its caller held.
 *
 * States without one go to page_free() at once. Context: boot.
 */
void folio_set_release(enum page_state state, void (*release)(struct folio *folio));

/**
 * folio_break() - a block of 1 << order frames becomes as many folios of one frame
 * @leaves: that each is mapped by: 1 where one large leaf is split, else 0
 * Each has the head's state and flags, and one reference; what object it is in stays.
 * Context: nobody else has a reference, or can get one.
 */
void folio_break(struct folio *folio, uint32_t leaves);

/* For one of these states: single frames that die together, on their list node. */
void folio_set_release_many(enum page_state state, void (*release)(struct list_node *pages));

/* Frames by state, summed over all CPUs; exact when nobody allocates meanwhile. */
struct page_counts {
    uint64_t frames[PAGE_STATES]; /* HOLE and TAIL stay 0 */
    uint64_t total;               /* all RAM */
    uint64_t free;                /* FRESH + FREE + CPU */
};

void page_counts(struct page_counts *counts);

/* Look at every block of initialised memory, used or free, until @look returns an error: that, or
 * 0. Context: nobody allocates or frees meanwhile. */
int __must_check page_each_head(int (*look)(const struct page *head));

/**
 * page_accounting_check() - V23: every frame is counted once, in the state it is in
 * Context: nobody allocates or frees meanwhile. Looks at each block of each chunk.
 * Return: 0, or -EUCLEAN after printing the first broken claim.
 */
int __must_check page_accounting_check(void);
