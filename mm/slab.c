/* SPDX-License-Identifier: MIT */
/*
 * mm/slab.c - memory for the kernel's own objects
 *
 *   slab_alloc() <- this CPU's list <-(batch)- partial slab <- empty slab <- page_alloc()
 *
 * Room:   mm.
 * Owns:   slabs, each CPU's lists of free objects.
 * Locks:  slab_cpus[].lock (58) > cache.lock (60) > buddy; IRQs off.
 * Always: (1) a slab is on the list that its in_use says: empty, partial or full;
 *         (2) a cache keeps at most one empty slab.
 * Source: Bonwick, "The Slab Allocator" (1994).
 * Tour:   after mm/buddy.c, before mm/kmem.c.
 */
#include <mm/slab.h>

#include <asm/cpu.h>
#include <base/fail.h>
#include <base/log.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

_Static_assert((unsigned)SLAB_ALLOC_ZERO == PAGE_ALLOC_ZERO, "memory_alloc_flags is for both");

#define BATCH           16 /* objects that move between a CPU and the slabs at once */
#define CPU_OBJECTS_MAX 48 /* a CPU with more gives a batch back */
#define PER_SLAB_MIN    8  /* a slab is made large enough for so many */
#define SLAB_ORDER_MAX  3
#define POISON_BYTE     0x6b
#define RED_ZONE_FREE   0x5ab5ab5ab5ab5ab5ULL
#define RED_ZONE_USED   0xa54aa54aa54aa54aULL

/* The free objects of one CPU and one cache, chained through their link words. */
struct object_list {
    void *first;
    unsigned nr;
};

static struct slab_cpu {
    spinlock_t lock;
    struct object_list lists[SLAB_CACHES_MAX]; /* by cache id */
} __aligned(CACHE_LINE_SIZE) slab_cpus[MAX_CPUS];

_Static_assert((sizeof(struct slab_cpu) & (sizeof(struct slab_cpu) - 1)) == 0,
               "a CPU's own is found by a shift");

static struct slab_cache *caches[SLAB_CACHES_MAX];
static unsigned nr_caches;

/*
 * What an object looks like:   release:  [link or content .........]
 *                              debug:    [content ......][red zone][link]
 * so that in debug builds a free object is poison from its first byte to its last.
 */
static void lay_out(struct slab_cache *cache, size_t size, size_t align)
{
    size_t words = round_up(size, sizeof(uint64_t));

    cache->link_offset = DEBUG >= 1 ? (uint32_t)(words + sizeof(uint64_t)) : 0;
    size_t end = DEBUG >= 1 ? cache->link_offset + sizeof(void *) : words;
    cache->stride = (uint32_t)round_up(end, align);
    cache->order = 0;
    while (cache->order < SLAB_ORDER_MAX &&
           (PAGE_SIZE << cache->order) / cache->stride < PER_SLAB_MIN)
        cache->order++;
    cache->per_slab = (uint16_t)((PAGE_SIZE << cache->order) / cache->stride);
}

void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
    ASSERT(size > 0 && size <= SLAB_OBJECT_MAX, "cache %s: %lu bytes", name, size);
    ASSERT(align <= PAGE_SIZE && is_aligned(align, max(align, 1UL)), "cache %s: align %lu", name,
           align);
    ASSERT(nr_caches < SLAB_CACHES_MAX, "cache %s is one too many", name);

    *cache = (struct slab_cache){.name = name, .size = (uint32_t)size};
    lay_out(cache, size, max(align, sizeof(void *)));
    spin_lock_init(&cache->lock, LOCK_RANK_SLAB);
    list_init(&cache->partial);
    list_init(&cache->full);
    list_init(&cache->empty);
    if (nr_caches == 0) {
        for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
            spin_lock_init(&slab_cpus[cpu].lock, LOCK_RANK_SLAB_CPU);
    }
    cache->id = (uint8_t)nr_caches;
    caches[nr_caches++] = cache;
}

struct slab_cache *slab_cache_nth(unsigned n)
{
    return n < nr_caches ? caches[n] : NULL;
}

static void **link_of(const struct slab_cache *cache, void *object)
{
    return (void **)((char *)object + cache->link_offset);
}

/* Poison and red zone (debug builds). */

static uint64_t *red_zone_of(const struct slab_cache *cache, void *object)
{
    return (uint64_t *)((char *)object + cache->link_offset) - 1;
}

static void poison(const struct slab_cache *cache, void *object)
{
    memset(object, POISON_BYTE, cache->size);
    *red_zone_of(cache, object) = RED_ZONE_FREE;
}

static bool is_poison(const struct slab_cache *cache, const void *object)
{
    const unsigned char *bytes = object;

    for (uint32_t i = 0; i < cache->size; i++) {
        if (bytes[i] != POISON_BYTE)
            return false;
    }
    return true;
}

static void check_alloc(const struct slab_cache *cache, void *object)
{
    uint64_t *red_zone = red_zone_of(cache, object);

    ASSERT(is_poison(cache, object), "cache %s: %p was written to while free", cache->name, object);
    ASSERT(*red_zone == RED_ZONE_FREE, "cache %s: before or at %p, written past an end: %lx",
           cache->name, object, *red_zone);
    *red_zone = RED_ZONE_USED;
}

/* Is @object one that @cache handed out? */
static bool belongs_to(const struct slab_cache *cache, const void *object)
{
    struct page *slab = page_head(kva_to_page(object));
    uint64_t offset = (uint64_t)((const char *)object - (const char *)page_kva(slab));

    return slab->state == PAGE_SLAB && slab->slab.cache == cache && offset % cache->stride == 0;
}

static void check_free(const struct slab_cache *cache, void *object)
{
    ASSERT(belongs_to(cache, object), "cache %s: %p is none of its objects", cache->name, object);

    uint64_t found = *red_zone_of(cache, object);

    ASSERT(found != RED_ZONE_FREE, "cache %s: %p freed twice", cache->name, object);
    ASSERT(found == RED_ZONE_USED, "cache %s: %p was written past its end: %lx", cache->name,
           object, found);
}

/* Slabs. All of these: cache->lock held. */

/* Takes a block and chains all its objects. NULL: no memory. */
static struct page *make_slab(struct slab_cache *cache)
{
    struct page *slab;

    if (page_alloc(cache->order, PAGE_ALLOC_AS(PAGE_SLAB), &slab) != 0)
        return NULL;

    char *object = page_kva(slab);

    slab->slab.cache = cache;
    slab->slab.free = object;
    slab->slab.in_use = 0;
    for (unsigned i = 1; i <= cache->per_slab; i++, object += cache->stride) {
        if (DEBUG >= 1)
            poison(cache, object);
        *link_of(cache, object) = i < cache->per_slab ? object + cache->stride : NULL;
    }
    cache->nr_slabs++;
    return slab;
}

/* Context: the slab is on no list. */
static void free_slab(struct slab_cache *cache, struct page *slab)
{
    cache->nr_slabs--;
    page_free(slab, cache->order);
}

/* Puts a slab on the list that its in_use says, or frees it when one empty slab waits already. */
static void file_slab(struct slab_cache *cache, struct page *slab)
{
    list_del(&slab->list);
    if (slab->slab.in_use == cache->per_slab)
        list_add(&slab->list, &cache->full);
    else if (slab->slab.in_use > 0)
        list_add(&slab->list, &cache->partial);
    else if (list_empty(&cache->empty))
        list_add(&slab->list, &cache->empty);
    else
        free_slab(cache, slab);
}

/* A slab with a free object: one in use, the empty one, a new one. NULL: no memory. */
static struct page *usable_slab(struct slab_cache *cache)
{
    if (!list_empty(&cache->partial))
        return list_first_entry(&cache->partial, struct page, list);
    if (!list_empty(&cache->empty))
        return list_first_entry(&cache->empty, struct page, list);

    struct page *slab = make_slab(cache);

    if (slab != NULL)
        list_add(&slab->list, &cache->empty);
    return slab;
}

static void push(const struct slab_cache *cache, struct object_list *list, void *object)
{
    *link_of(cache, object) = list->first;
    list->first = object;
    list->nr++;
}

static void *pop(const struct slab_cache *cache, struct object_list *list)
{
    void *object = list->first;

    list->first = *link_of(cache, object);
    list->nr--;
    return object;
}

/* Moves up to @nr objects from one slab to a CPU's list. */
static void take_from_slab(struct slab_cache *cache, struct page *slab, struct object_list *list,
                           unsigned nr)
{
    for (; nr > 0 && slab->slab.free != NULL; nr--) {
        void *object = slab->slab.free;

        slab->slab.free = *link_of(cache, object);
        slab->slab.in_use++;
        cache->nr_taken++;
        push(cache, list, object);
    }
    file_slab(cache, slab);
}

static void return_to_slab(struct slab_cache *cache, void *object)
{
    struct page *slab = page_head(kva_to_page(object));

    *link_of(cache, object) = slab->slab.free;
    slab->slab.free = object;
    slab->slab.in_use--;
    cache->nr_taken--;
    if (slab->slab.in_use == 0 || slab->slab.in_use == cache->per_slab - 1U)
        file_slab(cache, slab);
}

/* Between a CPU's list and the slabs. Context: that CPU's lock held. */

static void refill(struct slab_cache *cache, struct object_list *list)
{
    spin_lock(&cache->lock);
    while (list->nr < BATCH) {
        struct page *slab = usable_slab(cache);

        if (slab == NULL)
            break;
        take_from_slab(cache, slab, list, BATCH - list->nr);
        if (list->nr >= BATCH / 2)
            break; /* enough: do not make another slab for the rest */
    }
    spin_unlock(&cache->lock);
}

static void drain(struct slab_cache *cache, struct object_list *list, unsigned nr)
{
    spin_lock(&cache->lock);
    for (; nr > 0; nr--)
        return_to_slab(cache, pop(cache, list));
    spin_unlock(&cache->lock);
}

/* This CPU's own, for as long as IRQs are off. */
static inline struct slab_cpu *lock_own(irq_flags_t *irq)
{
    *irq = irq_save();
    struct slab_cpu *cpu = &slab_cpus[cpu_id()];
    spin_lock(&cpu->lock);
    return cpu;
}

static inline void unlock_own(struct slab_cpu *cpu, irq_flags_t irq)
{
    spin_unlock(&cpu->lock);
    irq_restore(irq);
}

/* What this CPU has ready, or NULL. */
static inline void *take_ready(struct slab_cache *cache)
{
    irq_flags_t irq;
    struct slab_cpu *cpu = lock_own(&irq);
    struct object_list *list = &cpu->lists[cache->id];
    void *object = likely(list->first) ? pop(cache, list) : NULL;

    unlock_own(cpu, irq);
    return object;
}

static void *take_refilled(struct slab_cache *cache)
{
    irq_flags_t irq;
    struct slab_cpu *cpu = lock_own(&irq);
    struct object_list *list = &cpu->lists[cache->id];

    if (!list->first)
        refill(cache, list);
    void *object = list->first ? pop(cache, list) : NULL;
    unlock_own(cpu, irq);
    return object;
}

static inline void *made_used(struct slab_cache *cache, void *object, unsigned flags)
{
    if (DEBUG >= 1)
        check_alloc(cache, object);
    if ((flags | memory_alloc_flags) & SLAB_ALLOC_ZERO)
        zero_words(object, round_up(cache->size, sizeof(uint64_t)) / sizeof(uint64_t));
    return object;
}

/* Nothing was ready, or this allocation may have to fail. */
static __cold void *alloc_slowly(struct slab_cache *cache, unsigned flags)
{
    if (fail_injected(FAIL_SLAB))
        return NULL;

    void *object = take_refilled(cache);

    if (object == NULL) {
        slab_reclaim();
        object = take_refilled(cache);
    }
    return object ? made_used(cache, object, flags) : NULL;
}

void *slab_alloc(struct slab_cache *cache, unsigned flags)
{
    void *object = fail_is_watched(FAIL_SLAB) ? NULL : take_ready(cache);

    return likely(object) ? made_used(cache, object, flags) : alloc_slowly(cache, flags);
}

/* This CPU has more than it should keep. */
static __cold void give_back(struct slab_cache *cache)
{
    irq_flags_t irq;
    struct slab_cpu *cpu = lock_own(&irq);
    struct object_list *list = &cpu->lists[cache->id];

    drain(cache, list, min(list->nr, (unsigned)BATCH));
    unlock_own(cpu, irq);
}

void slab_free(struct slab_cache *cache, void *object)
{
    if (object == NULL)
        return;
    if (DEBUG >= 1) {
        check_free(cache, object);
        poison(cache, object);
    } else if (unlikely(memory_zero_on_free)) {
        zero_words(object, round_up(cache->size, sizeof(uint64_t)) / sizeof(uint64_t));
    }

    irq_flags_t irq;
    struct slab_cpu *cpu = lock_own(&irq);
    struct object_list *list = &cpu->lists[cache->id];

    push(cache, list, object);
    bool excess = list->nr > CPU_OBJECTS_MAX;
    unlock_own(cpu, irq);
    if (unlikely(excess))
        give_back(cache);
}

static void drain_all_cpus(struct slab_cache *cache)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        struct slab_cpu *cpu = &slab_cpus[i];
        irq_flags_t irq = spin_lock_irqsave(&cpu->lock);

        drain(cache, &cpu->lists[cache->id], cpu->lists[cache->id].nr);
        spin_unlock_irqrestore(&cpu->lock, irq);
    }
}

static void free_empty_slab(struct slab_cache *cache)
{
    irq_flags_t irq = spin_lock_irqsave(&cache->lock);

    if (!list_empty(&cache->empty)) {
        struct page *slab = list_first_entry(&cache->empty, struct page, list);

        list_del(&slab->list);
        free_slab(cache, slab);
    }
    spin_unlock_irqrestore(&cache->lock, irq);
}

void slab_reclaim(void)
{
    for (unsigned i = 0; i < nr_caches; i++) {
        drain_all_cpus(caches[i]);
        free_empty_slab(caches[i]);
    }
}

static uint64_t objects_on_cpus(const struct slab_cache *cache)
{
    uint64_t nr = 0;

    for (unsigned i = 0; i < MAX_CPUS; i++)
        nr += slab_cpus[i].lists[cache->id].nr;
    return nr;
}

uint64_t slab_objects_in_use(struct slab_cache *cache)
{
    return cache->nr_taken - objects_on_cpus(cache);
}

/* The checker. */

static int broken(const struct slab_cache *cache, const void *at, const char *claim)
{
    log_error("V21: cache %s, at %p: %s", cache->name, at, claim);
    return -EUCLEAN;
}

static int check_free_object(const struct slab_cache *cache, void *object)
{
    if (!belongs_to(cache, object))
        return broken(cache, object, "a free list leads out of its slabs");
    if (DEBUG >= 1 && !is_poison(cache, object))
        return broken(cache, object, "written to while free");
    if (DEBUG >= 1 && *red_zone_of(cache, object) != RED_ZONE_FREE)
        return broken(cache, object, "written past its end");
    return 0;
}

/* Follows a chain of free objects that must have @nr members. */
static int check_chain(const struct slab_cache *cache, void *first, uint64_t nr)
{
    void *object = first;

    for (; nr > 0 && object != NULL; nr--) {
        int err = check_free_object(cache, object);

        if (err != 0)
            return err;
        object = *link_of(cache, object);
    }
    if (nr != 0 || (first != NULL && object != NULL))
        return broken(cache, first, "a free list has not the length that was counted");
    return 0;
}

/* The slabs of one list; each may have from @least to @most objects in use. */
static int check_slabs(const struct slab_cache *cache, const struct list_node *list, uint32_t least,
                       uint32_t most, uint64_t *nr_slabs, uint64_t *nr_taken)
{
    struct page *slab;

    list_for_each_entry (slab, list, list) {
        uint32_t in_use = slab->slab.in_use;

        if (slab->state != PAGE_SLAB || slab->slab.cache != cache || slab->order != cache->order)
            return broken(cache, slab, "a page on its lists is not its slab");
        if (in_use < least || in_use > most)
            return broken(cache, slab, "a slab is on the wrong list");

        int err = check_chain(cache, slab->slab.free, cache->per_slab - in_use);

        if (err != 0)
            return err;
        ++*nr_slabs;
        *nr_taken += in_use;
    }
    return 0;
}

static int check_cpu_lists(const struct slab_cache *cache)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        const struct object_list *list = &slab_cpus[i].lists[cache->id];
        int err = check_chain(cache, list->first, list->nr);

        if (err != 0)
            return err;
    }
    return 0;
}

static int check_cache(const struct slab_cache *cache, uint64_t *frames)
{
    uint32_t all = cache->per_slab;
    uint64_t nr_slabs = 0;
    uint64_t nr_taken = 0;
    int err = check_slabs(cache, &cache->empty, 0, 0, &nr_slabs, &nr_taken);

    if (err == 0)
        err = check_slabs(cache, &cache->partial, 1, all - 1, &nr_slabs, &nr_taken);
    if (err == 0)
        err = check_slabs(cache, &cache->full, all, all, &nr_slabs, &nr_taken);
    if (err == 0)
        err = check_cpu_lists(cache);
    if (err != 0)
        return err;
    if (nr_slabs != cache->nr_slabs || nr_taken != cache->nr_taken)
        return broken(cache, cache, "slabs or objects were lost");
    if (objects_on_cpus(cache) > nr_taken)
        return broken(cache, cache, "more objects wait on CPUs than were taken");
    *frames += nr_slabs << cache->order;
    return 0;
}

int slab_check(void)
{
    struct page_counts counts;
    uint64_t frames = 0;

    for (unsigned i = 0; i < nr_caches; i++) {
        int err = check_cache(caches[i], &frames);

        if (err != 0)
            return err;
    }
    page_counts(&counts);
    if (frames != counts.frames[PAGE_SLAB]) {
        log_error("V23: slabs hold %lu frames, %lu are counted", frames, counts.frames[PAGE_SLAB]);
        return -EUCLEAN;
    }
    return 0;
}
