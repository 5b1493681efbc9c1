/* SPDX-License-Identifier: MIT */
/*
 * mm/page.c - one descriptor for every frame of RAM
 *
 * Room:   mm.
 * Owns:   the page array, the set of initialised chunks, the counters of frames by state.
 * Locks:  counters: per CPU, changed by single instructions. Chunks: the buddy's lock.
 * Always: (1) a chunk is initialised as a whole: blocks never cross its border;
 *         (2) the counters add up to all RAM at every moment.
 * Source: design.md section 3; trust.md V23.
 * Tour:   after include/mm/page.h, before mm/buddy.c.
 */
#include <mm/page.h>

#include <asm/cpu.h>
#include <asm/machine.h>
#include <base/bug.h>
#include <base/log.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include <mm/boot_alloc.h>
#include <mm/buddy.h>
#include <mm/memmap.h>
#include <uapi/errno.h>

#define CHUNK_BYTES       (CHUNK_PAGES * PAGE_SIZE)
#define CHUNK_ARRAY_BYTES (CHUNK_PAGES * sizeof(struct page))

const char *const page_state_names[PAGE_STATES] = {
    [PAGE_HOLE] = "hole",       [PAGE_RESERVED] = "reserved", [PAGE_FRESH] = "fresh",
    [PAGE_FREE] = "free",       [PAGE_TAIL] = "tail",         [PAGE_CPU] = "cpu",
    [PAGE_KERNEL] = "kernel",   [PAGE_SLAB] = "slab",         [PAGE_TABLE] = "table",
    [PAGE_ANON] = "anon",       [PAGE_OBJECT] = "object",     [PAGE_POOL] = "pool",
    [PAGE_HUGETLB] = "hugetlb", [PAGE_HIDDEN] = "hidden",     [PAGE_SECRET] = "secret",
};

struct page_state_counts page_state_counts[MAX_CPUS];

static void (*releases[PAGE_STATES])(struct folio *folio);
static void (*release_many)(struct list_node *pages);
static enum page_state state_of_many; /* a hole, of which nothing dies, unless somebody says */
static const struct memmap *memmap;
static uint64_t *chunks_initialised; /* bitmap */
static uint64_t nr_chunks;

/* Maps the descriptors of a run of chunks, with large leaves when it is worth it. */
static void map_array(uint64_t first_chunk, uint64_t end_chunk)
{
    char *va = (char *)pfn_to_page(first_chunk * CHUNK_PAGES);
    uint64_t len = (end_chunk - first_chunk) * CHUNK_ARRAY_BYTES;
    uint64_t align = len >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE;

    kernel_map_early(va, boot_alloc_congruent(len, align, (uint64_t)va), len);
}

/* Two ranges may share a chunk: @done is the first chunk not mapped yet. */
static void map_arrays(const struct range_set *ram)
{
    uint64_t done = 0;

    for (unsigned i = 0; i < ram->nr; i++) {
        uint64_t first = max(ram->ranges[i].start / CHUNK_BYTES, done);
        uint64_t end = round_up(ram->ranges[i].end, CHUNK_BYTES) / CHUNK_BYTES;

        if (first < end)
            map_array(first, end);
        done = max(done, end);
    }
    nr_chunks = done;
}

void page_array_init(const struct memmap *map)
{
    memmap = map;
    map_arrays(&map->ram);

    uint64_t len = BITMAP_WORDS(nr_chunks) * sizeof(uint64_t);

    chunks_initialised = direct_map_ptr(boot_alloc(len, PAGE_SIZE));
    memset(chunks_initialised, 0, len);
    memset(page_state_counts, 0, sizeof(page_state_counts));

    uint64_t ram_frames = range_set_bytes(&map->ram) / PAGE_SIZE;
    uint64_t free_frames = range_set_bytes(&map->free) / PAGE_SIZE;

    page_state_counts[0].frames[PAGE_FRESH] = (int64_t)free_frames;
    page_state_counts[0].frames[PAGE_RESERVED] = (int64_t)(ram_frames - free_frames);
}

bool page_is_initialised(uint64_t pfn)
{
    uint64_t chunk = pfn / CHUNK_PAGES;

    return chunk < nr_chunks && bitmap_test(chunks_initialised, (unsigned)chunk);
}

/* Sets the state of a chunk's frames that lie in @set. */
static void init_states(const struct range_set *set, uint64_t first_pfn, enum page_state state)
{
    uint64_t end_pfn = first_pfn + CHUNK_PAGES;

    for (unsigned i = 0; i < set->nr; i++) {
        uint64_t from = max(set->ranges[i].start / PAGE_SIZE, first_pfn);
        uint64_t to = min(set->ranges[i].end / PAGE_SIZE, end_pfn);

        for (uint64_t pfn = from; pfn < to; pfn++)
            pfn_to_page(pfn)->state = (uint8_t)state;
    }
}

void page_chunk_fill(uint64_t first_pfn, unsigned from, unsigned to)
{
    struct page *chunk = pfn_to_page(first_pfn);

    memset(chunk + from, 0, (to - from) * sizeof(struct page));
    for (unsigned i = from; i < to; i++)
        chunk[i].state = PAGE_TAIL;
    if (to < CHUNK_PAGES)
        return;
    chunk->state = PAGE_FRESH;
    chunk->order = PAGE_ORDER_MAX;
    bitmap_set(chunks_initialised, (unsigned)(first_pfn / CHUNK_PAGES));
}

void page_chunk_init(const struct memmap *map, uint64_t first_pfn)
{
    memset(pfn_to_page(first_pfn), 0, CHUNK_ARRAY_BYTES);
    init_states(&map->ram, first_pfn, PAGE_RESERVED);
    init_states(&map->free, first_pfn, PAGE_FRESH);
    bitmap_set(chunks_initialised, (unsigned)(first_pfn / CHUNK_PAGES));
}

#define TO(state) (1U << (state))
#define TO_KINDS  (TO(PAGE_SLAB) | TO(PAGE_TABLE) | TO(PAGE_ANON) | TO(PAGE_OBJECT) | TO(PAGE_POOL))

/* The arrows of the drawing in include/mm/page.h. */
static const uint32_t legal_steps[PAGE_STATES] = {
    [PAGE_RESERVED] = TO(PAGE_FREE) | TO(PAGE_TAIL),
    [PAGE_FRESH] = TO(PAGE_FREE) | TO(PAGE_TAIL),
    [PAGE_FREE] = TO(PAGE_TAIL) | TO(PAGE_CPU) | TO(PAGE_KERNEL) | TO_KINDS,
    [PAGE_TAIL] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL) | TO(PAGE_HIDDEN),
    [PAGE_CPU] = TO(PAGE_FREE) | TO(PAGE_KERNEL) | TO_KINDS,
    [PAGE_KERNEL] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_TAIL) | TO(PAGE_HIDDEN) | TO_KINDS,
    [PAGE_SLAB] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL),
    [PAGE_TABLE] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL),
    [PAGE_ANON] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL),
    [PAGE_OBJECT] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL),
    [PAGE_POOL] = TO(PAGE_FREE) | TO(PAGE_CPU) | TO(PAGE_KERNEL) | TO(PAGE_HUGETLB),
    [PAGE_HUGETLB] = TO(PAGE_POOL),
    [PAGE_HIDDEN] = TO(PAGE_SECRET) | TO(PAGE_KERNEL) | TO(PAGE_TAIL),
    [PAGE_SECRET] = TO(PAGE_HIDDEN),
};

void page_check_step(const struct page *page, enum page_state old, enum page_state next)
{
    ASSERT(page->state == old && (legal_steps[old] & TO(next)), "frame %lx: %s to %s",
           page_to_pfn(page), page_state_names[page->state], page_state_names[next]);
}

/* A block is aligned to its size: its head is one of the pages with low bits of the pfn zero. */
struct page *page_head_of_tail(struct page *page)
{
    uint64_t pfn = page_to_pfn(page);

    for (unsigned order = 1; page->state == PAGE_TAIL; order++) {
        ASSERT(order <= PAGE_ORDER_GIANT, "frame %lx is a tail without a head", pfn);
        page = pfn_to_page(round_down(pfn, 1UL << order));
    }
    return page;
}

/* The head of the block that the frame lies in, or the frame itself: a block may come apart, or
 * together, under our eyes. */
static const struct page *head_seen(uint64_t pfn)
{
    const struct page *page = pfn_to_page(pfn), *head = page;

    for (unsigned order = 1; READ_ONCE(head->state) == PAGE_TAIL && order <= PAGE_ORDER_GIANT;
         order++)
        head = pfn_to_page(round_down(pfn, 1UL << order));
    return READ_ONCE(head->state) == PAGE_TAIL ? page : head;
}

void frame_see(uint64_t pfn, struct frame_seen *out)
{
    *out = (struct frame_seen){.state = PAGE_HOLE};
    if (!page_is_initialised(pfn))
        return;
    const struct page *head = head_seen(pfn);
    out->state = READ_ONCE(head->state);
    out->order = READ_ONCE(head->order);
    out->tail = head != pfn_to_page(pfn);
    out->zeros = READ_ONCE(head->flags) & PAGE_ZEROS;
    if (out->state == PAGE_ANON || out->state == PAGE_OBJECT || out->state == PAGE_SECRET ||
        out->state == PAGE_HUGETLB)
        out->leaves = atomic_load_explicit(&head->mapcount, memory_order_relaxed);
}

uint64_t frames_end(void)
{
    return nr_chunks * CHUNK_PAGES;
}

__cold void folio_get_odd(struct folio *folio, uint32_t old)
{
    ASSERT(old != 0, "frame %lx got a reference while free", page_to_pfn(&folio->page));
    if (!bug_is_back(BUG_B10))
        atomic_store_explicit(&folio->page.refcount, PAGE_COUNT_LIMIT, memory_order_relaxed);
}

/* The counters stay: as many frames as before are in the state. */
void folio_break(struct folio *folio, uint32_t leaves)
{
    struct page *head = &folio->page;
    uint64_t nr = folio_nr_pages(folio);

    ASSERT(head->mapcount == leaves, "frame %lx: map=%u", page_to_pfn(head), head->mapcount);
    for (struct page *page = head + nr - 1; page >= head; page--) {
        page->flags = head->flags;
        atomic_store_explicit(&page->refcount, 1, memory_order_relaxed);
        atomic_store_explicit(&page->mapcount, leaves, memory_order_relaxed);
        page->order = 0;
        WRITE_ONCE(page->state, head->state);
    }
}

void folio_set_release(enum page_state state, void (*release)(struct folio *folio))
{
    releases[state] = release;
}

static void folio_release(struct folio *folio)
{
    void (*release)(struct folio * folio) = releases[folio->page.state];

    if (release != NULL)
        release(folio);
    else
        page_free(&folio->page, folio->page.order);
}

/* True: it was the last one, and the caller must release the folio. Whoever has the only one is
 * alone: others get theirs from an object, a leaf or a list, each of which has one, too. */
static inline bool drop_reference(struct page *head)
{
    if (likely(atomic_load_explicit(&head->refcount, memory_order_acquire) == 1)) {
        atomic_store_explicit(&head->refcount, 0, memory_order_relaxed);
        return true;
    }
    uint32_t old = atomic_fetch_sub_explicit(&head->refcount, 1, memory_order_acq_rel);

    ASSERT(old != 0, "frame %lx lost a reference it had not", page_to_pfn(head));
    if (unlikely(old >= PAGE_COUNT_LIMIT) && !bug_is_back(BUG_B10))
        atomic_store_explicit(&head->refcount, PAGE_COUNT_LIMIT, memory_order_relaxed);
    return old == 1;
}

void folio_put(struct folio *folio)
{
    if (drop_reference(&folio->page))
        folio_release(folio);
}

void folio_set_release_many(enum page_state state, void (*release)(struct list_node *pages))
{
    state_of_many = state;
    release_many = release;
}

void folios_put(struct page *const heads[], unsigned nr)
{
    struct list_node singles, many;

    list_init(&singles);
    list_init(&many);
    for (unsigned i = 0; i < nr; i++) {
        struct page *page = heads[i];

        if (!drop_reference(page))
            continue;
        if (page->order == 0 && releases[page->state] == NULL)
            list_add_tail(&page->list, &singles);
        else if (page->order == 0 && page->state == state_of_many)
            list_add_tail(&page->list, &many);
        else
            folio_release((struct folio *)page);
    }
    page_free_singles(&singles);
    if (unlikely(!list_empty(&many)))
        release_many(&many);
}

void page_counts(struct page_counts *counts)
{
    *counts = (struct page_counts){0};
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        for (unsigned state = 0; state < PAGE_STATES; state++)
            counts->frames[state] += (uint64_t)READ_ONCE(page_state_counts[cpu].frames[state]);
    }
    for (unsigned state = 0; state < PAGE_STATES; state++)
        counts->total += counts->frames[state];
    counts->free =
        counts->frames[PAGE_FRESH] + counts->frames[PAGE_FREE] + counts->frames[PAGE_CPU];
}

/* Is this chunk a part, and not the first, of a giant block? */
static bool is_giants_tail(uint64_t first_pfn)
{
    return pfn_to_page(first_pfn)->state == PAGE_TAIL &&
           page_head_of_tail(pfn_to_page(first_pfn))->order > PAGE_ORDER_MAX;
}

/* Are frames [pfn, end) tails, as those of one block after its @head are? */
static int check_tails(uint64_t head, uint64_t pfn, uint64_t end)
{
    for (; pfn < end; pfn++) {
        if (pfn_to_page(pfn)->state == PAGE_TAIL)
            continue;
        log_error("V21: frame %lx inside the block of %lx is %s", pfn, head,
                  page_state_names[pfn_to_page(pfn)->state]);
        return -EUCLEAN;
    }
    return 0;
}

/* Counts an initialised chunk block by block. Free frames that wait there count as FRESH. */
static int count_chunk(uint64_t first_pfn, uint64_t frames[PAGE_STATES])
{
    uint64_t pfn = first_pfn, end = first_pfn + CHUNK_PAGES;

    if (is_giants_tail(first_pfn)) /* its head counts for it */
        return check_tails(first_pfn, first_pfn, end);

    while (pfn < end) {
        const struct page *head = pfn_to_page(pfn);
        uint64_t nr = 1UL << head->order;

        if (head->state == PAGE_TAIL || !is_aligned(pfn, nr)) {
            log_error("V21: frame %lx: a %s page of order %u starts a block", pfn,
                      page_state_names[head->state], head->order);
            return -EUCLEAN;
        }
        int err = check_tails(pfn, pfn + 1, min(pfn + nr, end));
        if (err)
            return err;
        frames[head->state] += nr;
        pfn += nr;
    }
    return 0;
}

int page_each_head(int (*look)(const struct page *head))
{
    int err = 0;

    for (uint64_t chunk = 0; chunk < nr_chunks; chunk++) {
        uint64_t pfn = chunk * CHUNK_PAGES, end = pfn + CHUNK_PAGES;
        if (!bitmap_test(chunks_initialised, (unsigned)chunk) || is_giants_tail(pfn))
            continue;
        for (; pfn < end && !err; pfn += 1UL << pfn_to_page(pfn)->order)
            err = look(pfn_to_page(pfn));
    }
    return err;
}

static int count_all(uint64_t frames[PAGE_STATES])
{
    for (uint64_t chunk = 0; chunk < nr_chunks; chunk++) {
        uint64_t start = chunk * CHUNK_BYTES;
        int err = 0;

        if (bitmap_test(chunks_initialised, (unsigned)chunk)) {
            err = count_chunk(chunk * CHUNK_PAGES, frames);
        } else {
            uint64_t ram = range_set_overlap(&memmap->ram, start, start + CHUNK_BYTES);
            uint64_t free = range_set_overlap(&memmap->free, start, start + CHUNK_BYTES);

            frames[PAGE_FRESH] += free / PAGE_SIZE;
            frames[PAGE_RESERVED] += (ram - free) / PAGE_SIZE;
        }
        if (err != 0)
            return err;
    }
    return 0;
}

int page_accounting_check(void)
{
    uint64_t seen[PAGE_STATES] = {0};
    struct page_counts counts;
    int err = count_all(seen);

    if (err != 0)
        return err;
    page_counts(&counts);
    for (unsigned state = PAGE_HOLE + 1; state < PAGE_STATES; state++) {
        if (seen[state] != counts.frames[state]) {
            log_error("V23: %lu frames are %s, %lu are counted", seen[state],
                      page_state_names[state], counts.frames[state]);
            return -EUCLEAN;
        }
    }
    if (counts.total != range_set_bytes(&memmap->ram) / PAGE_SIZE) {
        log_error("V23: %lu frames counted in all", counts.total);
        return -EUCLEAN;
    }
    return 0;
}
