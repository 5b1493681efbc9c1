/* SPDX-License-Identifier: MIT */
/*
 * mm/buddy.c - the allocator of page frames
 *
 * Room:   mm.
 * Owns:   free blocks by order, free single pages by CPU, the chunks nobody has touched yet.
 * Locks:  cpu_pages[].lock (63) > zone.lock (65), IRQs off.
 * Always: (1) a block never crosses a chunk: its buddy's descriptor is always initialised;
 *         (2) no free frame is out of reach: page_alloc() gives up only after each CPU's list and
 *             each fresh chunk was used;
 *         (3) a chunk of descriptors is filled in by and by, before it is needed: who comes then
 *             does not pay for all of it.
 * Source: Knuth 1, 2.5; trust.md V21.
 * Tour:   after mm/page.c, before mm/slab.c.
 */
#include <mm/buddy.h>

#include <asm/cpu.h>
#include <asm/spinlock.h>
#include <base/fail.h>
#include <base/log.h>
#include <lib/frames.h>
#include <lib/string.h>
#include <mm/boot_alloc.h>
#include <mm/memmap.h>
#include <mm/page.h>
#include <uapi/errno.h>

#define CPU_PAGES_BATCH 32     /* how many a CPU takes from the zone at once */
#define CPU_PAGES_MIN   96UL   /* limits of what a CPU may keep: see zone.cpu_pages_max */
#define CPU_PAGES_MAX   1024UL /* 4 MiB: what comes and goes with a page table or two */
#define POISON_BYTE     (PAGE_POISON_WORD & 0xff)

struct free_list {
    struct list_node blocks; /* struct page.list of heads */
    uint64_t nr;
};

static struct {
    spinlock_t lock;
    struct free_list free[PAGE_ORDER_MAX + 1]; /* by order */
    const struct memmap *map;
    uint64_t next_fresh_pfn; /* below it nothing is fresh */
    uint64_t ahead_pfn;      /* a fresh chunk with .. */
    unsigned ahead_filled;   /* .. so many descriptors filled in; the next one, if it is not 0 */
    unsigned cpu_pages_max;  /* a CPU with more gives a part back: 1/32 of RAM, within limits [I] */
} zone;

static struct cpu_pages {
    spinlock_t lock;
    unsigned nr;
    struct list_node pages;
} __aligned(CACHE_LINE_SIZE) cpu_pages[MAX_CPUS];

bool memory_zero_on_free;
unsigned memory_alloc_flags;

void buddy_init(const struct memmap *map)
{
    spin_lock_init(&zone.lock, LOCK_RANK_BUDDY);
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++) {
        list_init(&zone.free[order].blocks);
        zone.free[order].nr = 0;
    }
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        spin_lock_init(&cpu_pages[cpu].lock, LOCK_RANK_PAGE_CPU);
        list_init(&cpu_pages[cpu].pages);
        cpu_pages[cpu].nr = 0;
    }
    zone.map = map;
    zone.next_fresh_pfn = zone.ahead_filled = 0;
    uint64_t share = range_set_bytes(&map->free) / PAGE_SIZE / 32;
    zone.cpu_pages_max = (unsigned)max(CPU_PAGES_MIN, min(share, CPU_PAGES_MAX));
    boot_alloc_end();
}

/* Poison (debug builds): what is written to a frame after it was freed shows when it is reused. */

static void look_at_nothing(const struct page *page, unsigned order)
{
    (void)page;
    (void)order;
}

static void (*watcher)(const struct page *page, unsigned order) = look_at_nothing;

void buddy_watch_by(void (*look)(const struct page *page, unsigned order))
{
    watcher = look;
}

static void poison(struct page *page)
{
    memset(page_kva(page), POISON_BYTE, PAGE_SIZE << page->order);
    page->flags |= PAGE_POISONED;
}

/* The first word of a poisoned block that is not poison, or NULL. */
static const uint64_t *poison_damage(const struct page *page)
{
    const uint64_t *word = page_kva(page);
    const uint64_t *end = word + (PAGE_SIZE << page->order) / sizeof(*word);

    if (!(page->flags & PAGE_POISONED))
        return NULL;
    while (word < end && *word == PAGE_POISON_WORD)
        word++;
    return word < end ? word : NULL;
}

static void check_poison(struct page *page)
{
    const uint64_t *damage = poison_damage(page);

    ASSERT(damage == NULL, "V21: free frame %lx was written to: %lx at %p", page_to_pfn(page),
           *damage, damage);
    page->flags &= (uint16_t)~PAGE_POISONED;
}

/* The buddy's lists. All of these: zone.lock held. */

static void list_block(struct page *page)
{
    struct free_list *list = &zone.free[page->order];

    list_add(&page->list, &list->blocks);
    list->nr++;
}

static void unlist_block(struct page *page)
{
    list_del(&page->list);
    zone.free[page->order].nr--;
}

static struct page *buddy_of(struct page *page)
{
    return pfn_to_page(page_to_pfn(page) ^ (1UL << page->order));
}

/* Joins two free buddies, neither on a list. The joint block is poisoned if both are. */
static struct page *join(struct page *page, struct page *buddy)
{
    struct page *head = min(page, buddy);
    struct page *tail = max(page, buddy);

    head->flags &= (uint16_t)(tail->flags | (uint16_t)~PAGE_POISONED);
    page_set_state(tail, PAGE_TAIL);
    head->order++;
    return head;
}

/* Puts a block that is in state FREE on a list, joined with whatever it completes. */
static void zone_put(struct page *page)
{
    while (page->order < PAGE_ORDER_MAX) {
        struct page *buddy = buddy_of(page);

        if (buddy->state != PAGE_FREE || buddy->order != page->order)
            break;
        unlist_block(buddy);
        page = join(page, buddy);
    }
    list_block(page);
}

/* Halves @page, which is on no list, until it has @order; the upper halves go on lists. */
static void split_down(struct page *page, unsigned order)
{
    while (page->order > order) {
        page->order--;

        struct page *upper = buddy_of(page);

        upper->order = page->order;
        upper->flags = page->flags;
        page_set_state(upper, PAGE_FREE);
        list_block(upper);
    }
}

/* Makes the frames [pfn, end_pfn) of one chunk free, in blocks as large as alignment allows. */
static void zone_add(uint64_t pfn, uint64_t end_pfn)
{
    while (pfn < end_pfn) {
        unsigned order = PAGE_ORDER_MAX;

        while (!is_aligned(pfn, 1UL << order) || pfn + (1UL << order) > end_pfn)
            order--;

        struct page *head = pfn_to_page(pfn);

        for (uint64_t i = 1; i < 1UL << order; i++)
            page_set_state(head + i, PAGE_TAIL);
        head->order = (uint8_t)order;
        page_set_state(head, PAGE_FREE);
        zone_put(head);
        pfn += 1UL << order;
    }
}

/* Finds the next chunk with free frames that nobody initialised. False: there is none. */
static bool next_fresh_chunk(uint64_t *first_pfn)
{
    const struct range_set *free = &zone.map->free;

    for (unsigned i = 0; i < free->nr; i++) {
        uint64_t end_pfn = free->ranges[i].end / PAGE_SIZE;
        uint64_t pfn = max(free->ranges[i].start / PAGE_SIZE, zone.next_fresh_pfn);

        for (; pfn < end_pfn; pfn = round_down(pfn, CHUNK_PAGES) + CHUNK_PAGES) {
            if (!page_is_initialised(pfn)) {
                *first_pfn = round_down(pfn, CHUNK_PAGES);
                return true;
            }
        }
    }
    return false;
}

/* Nobody touched it yet, and all of it is RAM that is free. */
static bool chunk_is_fresh(uint64_t first_pfn)
{
    uint64_t start = first_pfn * PAGE_SIZE;

    return !page_is_initialised(first_pfn) &&
           range_set_overlap(&zone.map->free, start, start + CHUNK_PAGES * PAGE_SIZE) ==
               CHUNK_PAGES * PAGE_SIZE;
}

/* How much of its descriptors is filled in already. */
static unsigned chunk_filled(uint64_t first_pfn)
{
    return first_pfn == zone.ahead_pfn ? zone.ahead_filled : 0;
}

/* Takes a chunk that is free as a whole. */
static void accept_whole_chunk(uint64_t first_pfn)
{
    struct page *head = pfn_to_page(first_pfn);

    page_chunk_fill(first_pfn, chunk_filled(first_pfn), CHUNK_PAGES);
    page_set_state(head, PAGE_FREE);
    zone_put(head);
}

/* Initialises a chunk and takes its free frames. */
static void accept_chunk(uint64_t first_pfn)
{
    const struct range_set *free = &zone.map->free;

    if (chunk_is_fresh(first_pfn)) {
        accept_whole_chunk(first_pfn);
        return;
    }
    page_chunk_init(zone.map, first_pfn);
    for (unsigned i = 0; i < free->nr; i++) {
        uint64_t from = max(free->ranges[i].start / PAGE_SIZE, first_pfn);
        uint64_t to = min(free->ranges[i].end / PAGE_SIZE, first_pfn + CHUNK_PAGES);

        if (from < to)
            zone_add(from, to);
    }
}

/* Gives the zone one more chunk. False: all of RAM is in use already. */
static bool accept_next(void)
{
    uint64_t first_pfn;

    if (!next_fresh_chunk(&first_pfn))
        return false;
    zone.next_fresh_pfn = first_pfn + CHUNK_PAGES;
    accept_chunk(first_pfn);
    return true;
}

/* Claim 3: fills in @nr descriptors of the chunk that will be needed when what is left is used. */
static void zone_prepare(unsigned nr)
{
    uint64_t first_pfn;

    if (zone.free[PAGE_ORDER_MAX].nr || zone.free[PAGE_ORDER_MAX - 1].nr ||
        !next_fresh_chunk(&first_pfn) || !chunk_is_fresh(first_pfn))
        return;
    unsigned filled = chunk_filled(first_pfn);
    if (filled + nr >= CHUNK_PAGES) {
        accept_next();
        return;
    }
    page_chunk_fill(first_pfn, filled, filled + nr);
    zone.ahead_pfn = first_pfn;
    zone.ahead_filled = filled + nr;
}

/* Takes the smallest block of at least @order off its list. NULL: none, and nothing fresh. */
static struct page *zone_take_smallest(unsigned order)
{
    do {
        for (unsigned from = order; from <= PAGE_ORDER_MAX; from++) {
            struct free_list *list = &zone.free[from];

            if (list->nr == 0)
                continue;

            struct page *page = list_first_entry(&list->blocks, struct page, list);

            unlist_block(page);
            return page;
        }
    } while (accept_next());
    return NULL;
}

/* Takes a block of @order, a part of a larger one if need be. */
static struct page *zone_take(unsigned order)
{
    struct page *page = zone_take_smallest(order);

    if (page != NULL)
        split_down(page, order);
    return page;
}

/* The lists of each CPU. */

/* The frames of @block, each on its own, go to the end of @cpu's list. */
static void cpu_pages_add(struct cpu_pages *cpu, struct page *block)
{
    unsigned nr = 1U << block->order;

    page_set_state(block, PAGE_CPU); /* counts all of them */
    for (struct page *page = block; page < block + nr; page++) {
        if (page != block) {
            page_set_state(page, PAGE_CPU);
            page->flags = block->flags;
        }
        page->order = 0;
        list_add_tail(&page->list, &cpu->pages);
    }
    cpu->nr += nr;
}

/* Small blocks first: large ones are for those who need them. Context: @cpu's lock held. */
static void cpu_pages_refill(struct cpu_pages *cpu)
{
    spin_lock(&zone.lock);
    while (cpu->nr < CPU_PAGES_BATCH) {
        struct page *block = zone_take_smallest(0);

        if (block == NULL)
            break;
        while (1U << block->order > CPU_PAGES_BATCH - cpu->nr)
            split_down(block, block->order - 1U);
        cpu_pages_add(cpu, block);
    }
    zone_prepare(2 * CPU_PAGES_BATCH);
    spin_unlock(&zone.lock);
}

/* Gives @nr pages back, those unused for longest first. Context: @cpu's lock held. */
static void cpu_pages_drain(struct cpu_pages *cpu, unsigned nr)
{
    spin_lock(&zone.lock);
    for (; nr > 0; nr--) {
        struct page *page = list_last_entry(&cpu->pages, struct page, list);

        list_del(&page->list);
        cpu->nr--;
        page->flags &= (uint16_t)~PAGE_BLANK;
        page_set_state(page, PAGE_FREE);
        zone_put(page);
    }
    spin_unlock(&zone.lock);
}

/* This CPU's own, for as long as IRQs are off. */
static inline struct cpu_pages *lock_own(irq_flags_t *irq)
{
    *irq = irq_save();
    struct cpu_pages *cpu = &cpu_pages[cpu_id()];
    spin_lock(&cpu->lock);
    return cpu;
}

static inline void unlock_own(struct cpu_pages *cpu, irq_flags_t irq)
{
    spin_unlock(&cpu->lock);
    irq_restore(irq);
}

static enum page_state asked_for(unsigned flags)
{
    return (flags >> PAGE_ALLOC_STATE_SHIFT) ^ PAGE_KERNEL; /* PAGE_ALLOC_AS() of it is 0 */
}

/* A page that @cpu has, or NULL; blank ones lie at the end. Context: @cpu's lock held. */
static inline struct page *cpu_pages_take(struct cpu_pages *cpu, unsigned flags)
{
    if (unlikely(cpu->nr == 0))
        return NULL;
    struct page *page = list_last_entry(&cpu->pages, struct page, list);
    if (!(flags & PAGE_ALLOC_ZERO) || !(page->flags & PAGE_BLANK))
        page = list_first_entry(&cpu->pages, struct page, list);
    list_del(&page->list);
    cpu->nr--;
    page_set_state_of_single(page, PAGE_CPU, asked_for(flags));
    return page;
}

/* What this CPU has ready, or NULL. */
static inline struct page *single_take_ready(unsigned flags)
{
    irq_flags_t irq;
    struct cpu_pages *cpu = lock_own(&irq);
    struct page *page = cpu_pages_take(cpu, flags);

    unlock_own(cpu, irq);
    return page;
}

static struct page *single_take_refilled(unsigned flags)
{
    irq_flags_t irq;
    struct cpu_pages *cpu = lock_own(&irq);

    if (cpu->nr == 0)
        cpu_pages_refill(cpu);
    struct page *page = cpu_pages_take(cpu, flags);
    unlock_own(cpu, irq);
    return page;
}

/* Gives a part back when this CPU has more than it should keep. */
static __cold void give_back_excess(void)
{
    irq_flags_t irq;
    struct cpu_pages *cpu = lock_own(&irq);

    if (cpu->nr > zone.cpu_pages_max)
        cpu_pages_drain(cpu, cpu->nr - zone.cpu_pages_max * 3 / 4);
    unlock_own(cpu, irq);
}

static void single_put(struct page *page)
{
    irq_flags_t irq;
    struct cpu_pages *cpu = lock_own(&irq);

    page_set_state_of_single(page, page->state, PAGE_CPU);
    if (page->flags & PAGE_BLANK)
        list_add_tail(&page->list, &cpu->pages);
    else
        list_add(&page->list, &cpu->pages);
    bool excess = ++cpu->nr > zone.cpu_pages_max;
    unlock_own(cpu, irq);
    if (unlikely(excess))
        give_back_excess();
}

static struct page *block_take(unsigned order, enum page_state state)
{
    irq_flags_t irq = spin_lock_irqsave(&zone.lock);
    struct page *page = zone_take(order);

    if (page != NULL)
        page_set_state(page, state);
    spin_unlock_irqrestore(&zone.lock, irq);
    return page;
}

static void block_put(struct page *page)
{
    irq_flags_t irq = spin_lock_irqsave(&zone.lock);

    page_set_state(page, PAGE_FREE);
    zone_put(page);
    spin_unlock_irqrestore(&zone.lock, irq);
}

uint64_t buddy_reclaim(void)
{
    uint64_t reclaimed = 0;

    for (unsigned i = 0; i < MAX_CPUS; i++) {
        irq_flags_t irq = spin_lock_irqsave(&cpu_pages[i].lock);

        reclaimed += cpu_pages[i].nr;
        cpu_pages_drain(&cpu_pages[i], cpu_pages[i].nr);
        spin_unlock_irqrestore(&cpu_pages[i].lock, irq);
    }
    return reclaimed;
}

static struct page *take(unsigned order, unsigned flags)
{
    return order == 0 ? single_take_refilled(flags) : block_take(order, asked_for(flags));
}

static inline struct page *made_used(struct page *page, unsigned order, unsigned flags)
{
    if (DEBUG >= 1) {
        watcher(page, order);
        check_poison(page);
    }
    bool blank = page->flags & PAGE_BLANK;
    page->flags = 0;
    atomic_store_explicit(&page->refcount, 1, memory_order_relaxed);
    if ((flags & PAGE_ALLOC_ZERO) && !blank)
        zero_frames(page_kva(page), PAGE_SIZE << order);
    return page;
}

/* A block, or no page was ready, or this allocation may have to fail. */
static __cold int alloc_slowly(unsigned order, unsigned flags, struct page **out)
{
    ASSERT(order <= PAGE_ORDER_MAX, "order %u", order);
    if (fail_injected(FAIL_PAGE))
        return -ENOMEM;

    struct page *page = take(order, flags);

    if (page == NULL && buddy_reclaim() > 0)
        page = take(order, flags);
    if (page == NULL)
        return -ENOMEM;
    *out = made_used(page, order, flags);
    return 0;
}

int page_alloc(unsigned order, unsigned flags, struct page **out)
{
    struct page *page = NULL;

    flags |= memory_alloc_flags;
    if (likely(order == 0 && !fail_is_watched(FAIL_PAGE)))
        page = single_take_ready(flags);
    if (unlikely(page == NULL))
        return alloc_slowly(order, flags, out);
    *out = made_used(page, 0, flags);
    return 0;
}

#define IN(state) (1U << (state))
#define FREEABLE                                                                          \
    (IN(PAGE_KERNEL) | IN(PAGE_SLAB) | IN(PAGE_TABLE) | IN(PAGE_ANON) | IN(PAGE_OBJECT) | \
     IN(PAGE_POOL))

/* What somebody who gives a block back must have done first. */
static inline void check_unused(struct page *page, unsigned order)
{
    uint32_t refcount = atomic_load_explicit(&page->refcount, memory_order_relaxed);
    uint32_t mapcount = atomic_load_explicit(&page->mapcount, memory_order_relaxed);

    ASSERT((FREEABLE >> page->state & 1) && page->order == order,
           "V21: frame %lx, %s, order %u, freed with order %u", page_to_pfn(page),
           page_state_names[page->state], page->order, order);
    ASSERT(refcount <= 1 && mapcount == 0, "V21: frame %lx freed with ref=%u map=%u",
           page_to_pfn(page), refcount, mapcount);
}

static __cold void wipe(struct page *page)
{
    zero_frames(page_kva(page), PAGE_SIZE << page->order);
    page->flags |= page->order ? 0 : PAGE_BLANK;
}

/* It is nobody's now. */
static inline void forget_owner(struct page *page)
{
    atomic_store_explicit(&page->refcount, 0, memory_order_relaxed);
    page->flags = 0;
    page->object = NULL; /* whatever else lay in its place */
    if (DEBUG >= 1)
        poison(page);
}

static inline void wipe_if_chosen(struct page *page)
{
    if (DEBUG < 1 && unlikely(memory_zero_on_free))
        wipe(page);
}

void page_free_singles(struct list_node *pages)
{
    enum page_state state = PAGE_KERNEL; /* of the frames before this one: counted together */
    unsigned nr = 0, nr_counted = 0;
    struct page *page;

    if (list_empty(pages))
        return;
    list_for_each_entry (page, pages, list) {
        check_unused(page, 0);
        if (unlikely(page->state != state)) {
            page_count_steps(state, PAGE_CPU, nr - nr_counted);
            nr_counted = nr;
            state = page->state;
        }
        forget_owner(page);
        page->state = PAGE_CPU;
        nr++;
    }
    page_count_steps(state, PAGE_CPU, nr - nr_counted);
    if (DEBUG < 1 && unlikely(memory_zero_on_free))
        list_for_each_entry (page, pages, list)
            wipe(page);

    irq_flags_t irq;
    struct cpu_pages *cpu = lock_own(&irq);

    list_splice(pages, &cpu->pages);
    cpu->nr += nr;
    bool excess = cpu->nr > zone.cpu_pages_max;
    unlock_own(cpu, irq);
    if (unlikely(excess))
        give_back_excess();
}

void page_free(struct page *page, unsigned order)
{
    check_unused(page, order);
    forget_owner(page);
    wipe_if_chosen(page);
    if (order == 0)
        single_put(page);
    else
        block_put(page);
}

static void assert_blank(const struct page *page)
{
    const uint64_t *words = page_kva(page);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        ASSERT(words[i] == 0, "V21: frame %lx is not blank: %lx", page_to_pfn(page), words[i]);
}

void page_free_blank(struct page *page)
{
    check_unused(page, 0);
    if (DEBUG >= 1)
        assert_blank(page);
    forget_owner(page);
    if (!(page->flags & PAGE_POISONED))
        page->flags |= PAGE_BLANK;
    single_put(page);
}

void buddy_release_reserved(uint64_t start_pfn, uint64_t end_pfn)
{
    for (uint64_t pfn = start_pfn; pfn < end_pfn;) {
        uint64_t stop = min(round_down(pfn, CHUNK_PAGES) + CHUNK_PAGES, end_pfn);
        irq_flags_t irq = spin_lock_irqsave(&zone.lock);

        if (!page_is_initialised(pfn))
            accept_chunk(round_down(pfn, CHUNK_PAGES));
        for (uint64_t i = pfn; i < stop; i++)
            ASSERT(pfn_to_page(i)->state == PAGE_RESERVED, "frame %lx is %s", i,
                   page_state_names[pfn_to_page(i)->state]);
        if (memory_zero_on_free)
            zero_frames(direct_map_ptr(pfn_to_phys(pfn)), (stop - pfn) * PAGE_SIZE);
        zone_add(pfn, stop);
        pfn = stop;
        spin_unlock_irqrestore(&zone.lock, irq);
    }
}

static bool chunk_is_listed(uint64_t first_pfn)
{
    const struct page *page = pfn_to_page(first_pfn);
    return page_is_initialised(first_pfn) && READ_ONCE(page->state) == PAGE_FREE &&
           READ_ONCE(page->order) == PAGE_ORDER_MAX;
}

bool buddy_chunk_is_free(uint64_t first_pfn)
{
    return chunk_is_listed(first_pfn) || chunk_is_fresh(first_pfn);
}

bool buddy_take_chunk(uint64_t first_pfn)
{
    struct page *page = pfn_to_page(first_pfn);
    irq_flags_t irq = spin_lock_irqsave(&zone.lock);

    if (chunk_is_fresh(first_pfn))
        accept_chunk(first_pfn);
    bool taken = chunk_is_listed(first_pfn);
    if (taken) {
        unlist_block(page);
        page_set_state(page, PAGE_KERNEL);
    }
    spin_unlock_irqrestore(&zone.lock, irq);
    if (taken)
        made_used(page, PAGE_ORDER_MAX, PAGE_ALLOC_PLAIN);
    return taken;
}

void buddy_prepare(unsigned nr_frames)
{
    irq_flags_t irq = spin_lock_irqsave(&zone.lock);

    zone_prepare(nr_frames);
    spin_unlock_irqrestore(&zone.lock, irq);
}

void buddy_free_blocks(uint64_t nr_blocks[])
{
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        nr_blocks[order] = READ_ONCE(zone.free[order].nr);
}

/* The checker. Every claim is looked at from both ends: lists, and frames. */

static int broken(const struct page *page, const char *claim)
{
    log_error("V21: frame %lx (%s, order %u, ref=%u, map=%u): %s", page_to_pfn(page),
              page_state_names[page->state], page->order, page->refcount, page->mapcount, claim);
    return -EUCLEAN;
}

static int check_free_page(const struct page *page, enum page_state state, unsigned order)
{
    if (page->state != state || page->order != order)
        return broken(page, "on the wrong list");
    if (!is_aligned(page_to_pfn(page), 1UL << order))
        return broken(page, "not aligned to its size");
    if (page->refcount != 0 || page->mapcount != 0)
        return broken(page, "free, yet in use");
    for (uint64_t i = 0; i < 1UL << order; i++)
        if (page[i].object != NULL)
            return broken(page + i, "free, yet in an object");
    if (DEBUG >= 1 && poison_damage(page) != NULL)
        return broken(page, "written to after it was freed");
    return 0;
}

static int check_free_list(unsigned order)
{
    struct free_list *list = &zone.free[order];
    struct page *page;
    uint64_t nr = 0;

    list_for_each_entry (page, &list->blocks, list) {
        int err = check_free_page(page, PAGE_FREE, order);

        if (err != 0)
            return err;
        if (order < PAGE_ORDER_MAX) {
            struct page *buddy = buddy_of(page);

            if (buddy->state == PAGE_FREE && buddy->order == order)
                return broken(page, "its buddy is free too: they should be one block");
        }
        nr++;
    }
    if (nr != list->nr) {
        log_error("V21: %lu blocks of order %u listed, %lu counted", nr, order, list->nr);
        return -EUCLEAN;
    }
    return 0;
}

static int check_cpu_pages(struct cpu_pages *cpu)
{
    struct page *page;
    unsigned nr = 0;

    list_for_each_entry (page, &cpu->pages, list) {
        int err = check_free_page(page, PAGE_CPU, 0);

        if (err != 0)
            return err;
        nr++;
    }
    if (nr != cpu->nr) {
        log_error("V21: %u pages on the list of CPU %lu, %u counted", nr,
                  (unsigned long)(cpu - cpu_pages), cpu->nr);
        return -EUCLEAN;
    }
    return 0;
}

/* Frames in state FREE (by the counters) = frames on the lists. */
static int check_free_total(void)
{
    struct page_counts counts;
    uint64_t listed = 0;
    uint64_t on_cpus = 0;

    page_counts(&counts);
    for (unsigned order = 0; order <= PAGE_ORDER_MAX; order++)
        listed += zone.free[order].nr << order;
    for (unsigned i = 0; i < MAX_CPUS; i++)
        on_cpus += cpu_pages[i].nr;
    if (listed != counts.frames[PAGE_FREE] || on_cpus != counts.frames[PAGE_CPU]) {
        log_error("V21: free frames: %lu + %lu listed, %lu + %lu counted", listed, on_cpus,
                  counts.frames[PAGE_FREE], counts.frames[PAGE_CPU]);
        return -EUCLEAN;
    }
    return 0;
}

int buddy_check(void)
{
    int err = 0;

    for (unsigned order = 0; order <= PAGE_ORDER_MAX && err == 0; order++)
        err = check_free_list(order);
    for (unsigned i = 0; i < MAX_CPUS && err == 0; i++)
        err = check_cpu_pages(&cpu_pages[i]);
    return err != 0 ? err : check_free_total();
}
