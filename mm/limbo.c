/* SPDX-License-Identifier: MIT */
/*
 * mm/limbo.c - frames that are free as soon as every CPU has forgotten them
 *
 * Room:   mm.
 * Owns:   batches; when they are drained: after a moment (TLB_LATE), or when there are many or
 *         memory is short (TLB_REUSE).
 * Locks:  limbo.lock of one CPU.
 * Always: see include/mm/limbo.h.
 * Source: as there.
 * Tour:   after arch/x86_64/tlb_gather.c; then kernel/limbod.c.
 */
#include <mm/limbo.h>

#include "internal.h"
#include <asm/cpu.h>
#include <asm/tlb.h>
#include <base/bug.h>
#include <lib/string.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <mm/slab.h>

#define USUAL_FRAMES 24 /* in a batch that several small gathers share: 256 bytes with its head */

struct limbo_batch {
    struct list_node list;
    uint64_t space, generation;
    struct list_node tables;
    uint64_t nr_frames; /* of pages and tables */
    unsigned round;     /* when it was begun */
    unsigned nr_pages, room;
    unsigned nr_tables;
    struct page *pages[]; /* heads */
};

static struct limbo {
    spinlock_t lock;
    struct list_node batches;
    uint64_t nr_frames;
} __aligned(CACHE_LINE_SIZE) limbos[MAX_CPUS];

static void nobody(void)
{
}

static void (*wake_sweeper)(void) = nobody;

static _Atomic unsigned round_now; /* limbo_sweep() has come so often */

uint64_t limbo_frames_max;

void limbo_boot_init(void)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        spin_lock_init(&limbos[i].lock, LOCK_RANK_LIMBO);
        list_init(&limbos[i].batches);
    }
    limbo_frames_max = max(frames_end() / 64, 64UL);
}

void limbo_wake_by(void (*wake)(void))
{
    wake_sweeper = wake;
}

static bool is_full(const struct limbo_batch *batch)
{
    return batch->nr_frames >= USUAL_FRAMES;
}

static bool is_young(const struct limbo_batch *batch)
{
    return batch->round == atomic_load_explicit(&round_now, memory_order_relaxed);
}

/* The last batch of this CPU, taken out, if @g fits in and it is as young. */
static struct limbo_batch *take_open(struct limbo *limbo, const struct tlb_gather *g)
{
    struct limbo_batch *batch = NULL;
    irq_flags_t flags = spin_lock_irqsave(&limbo->lock);

    if (!list_empty(&limbo->batches)) {
        batch = list_last_entry(&limbo->batches, struct limbo_batch, list);
        if (batch->space == g->pgt->id && !is_full(batch) &&
            batch->room - batch->nr_pages >= g->nr_pages && is_young(batch)) {
            list_del(&batch->list);
            limbo->nr_frames -= batch->nr_frames;
        } else {
            batch = NULL;
        }
    }
    spin_unlock_irqrestore(&limbo->lock, flags);
    return batch;
}

static uint64_t users_of(const struct limbo_batch *batch)
{
    return tlb_users(batch->space, batch->generation, batch->nr_tables);
}

/* The first batch of @limbo, if all have forgotten it. */
static struct limbo_batch *take_forgotten(struct limbo *limbo)
{
    struct limbo_batch *first = NULL;
    irq_flags_t flags = spin_lock_irqsave(&limbo->lock);

    if (!list_empty(&limbo->batches)) {
        first = list_first_entry(&limbo->batches, struct limbo_batch, list);
        if (users_of(first)) {
            first = NULL;
        } else {
            list_del(&first->list);
            limbo->nr_frames -= first->nr_frames;
        }
    }
    spin_unlock_irqrestore(&limbo->lock, flags);
    return first;
}

static void batch_free(struct limbo_batch *batch)
{
    folios_put(batch->pages, batch->nr_pages);
    while (!list_empty(&batch->tables)) {
        struct page *table = list_first_entry(&batch->tables, struct page, list);
        list_del(&table->list);
        page_free_blank(table);
    }
    kmem_free(batch);
}

/* A new one. What all have forgotten makes room for it: who takes away much and often has its
 * frames back soon, and asks nobody for it. */
static struct limbo_batch *batch_new(struct limbo *limbo, const struct tlb_gather *g)
{
    unsigned room = max(g->nr_pages, (unsigned)USUAL_FRAMES);
    struct limbo_batch *batch;

    while ((batch = take_forgotten(limbo)))
        batch_free(batch);
    batch = kmem_alloc(sizeof(*batch) + room * sizeof(struct page *), SLAB_ALLOC_PLAIN);
    if (!batch)
        return NULL;
    batch->space = g->pgt->id;
    batch->generation = 0;
    batch->round = atomic_load_explicit(&round_now, memory_order_relaxed);
    batch->room = room;
    batch->nr_frames = 0;
    batch->nr_pages = batch->nr_tables = 0;
    list_init(&batch->tables);
    return batch;
}

struct limbo_batch *limbo_batch_of(struct tlb_gather *g)
{
    struct limbo *limbo = &limbos[cpu_id()];
    struct limbo_batch *batch = take_open(limbo, g);

    if (!batch)
        batch = batch_new(limbo, g);
    if (!batch)
        return NULL;
    for (unsigned i = 0; i < g->nr_pages; i++) {
        batch->pages[batch->nr_pages++] = g->pages[i];
        batch->nr_frames += 1UL << g->pages[i]->order;
    }
    while (!list_empty(&g->tables_list)) {
        struct page *table = list_first_entry(&g->tables_list, struct page, list);
        list_del(&table->list);
        list_add(&table->list, &batch->tables);
        batch->nr_tables++;
        batch->nr_frames++;
    }
    g->nr_pages = 0;
    g->tables = false;
    return batch;
}

void limbo_add(struct limbo_batch *batch, uint64_t generation)
{
    struct limbo *limbo = &limbos[cpu_id()];
    bool is_new = !batch->generation;

    batch->generation = generation;
    irq_flags_t flags = spin_lock_irqsave(&limbo->lock);
    bool first = is_new && list_empty(&limbo->batches);
    list_add_tail(&batch->list, &limbo->batches);
    limbo->nr_frames += batch->nr_frames;
    spin_unlock_irqrestore(&limbo->lock, flags);
    if (is_full(batch) && limbo_frames() > limbo_frames_max)
        limbo_drain();
    else if (first && tlb_settings.policy == TLB_LATE)
        wake_sweeper();
}

uint64_t limbo_frames(void)
{
    uint64_t nr = 0;

    for (unsigned i = 0; i < nr_cpus(); i++)
        nr += READ_ONCE(limbos[i].nr_frames);
    return nr;
}

/* What is there now, onto a list of our own. @young: what came since the last sweep, too. */
static void take_all(struct list_node *taken, bool young)
{
    for (unsigned i = 0; i < nr_cpus(); i++) {
        struct limbo *limbo = &limbos[i];
        struct limbo_batch *batch, *next;
        irq_flags_t flags = spin_lock_irqsave(&limbo->lock);
        list_for_each_safe (batch, next, &limbo->batches, list) {
            if (!young && is_young(batch))
                continue;
            list_del(&batch->list);
            list_add_tail(&batch->list, taken);
            limbo->nr_frames -= batch->nr_frames;
        }
        spin_unlock_irqrestore(&limbo->lock, flags);
    }
}

static uint64_t who_may_use(const struct list_node *batches)
{
    struct limbo_batch *batch;
    uint64_t users = 0;

    list_for_each_entry (batch, batches, list)
        users |= users_of(batch);
    return bug_is_back(BUG_B78) ? users & (users - 1) : users;
}

static uint64_t drain(bool young)
{
    struct list_node taken = LIST_INIT(taken);
    struct limbo_batch *batch, *next;
    uint64_t nr = 0;

    take_all(&taken, young);
    uint64_t users = who_may_use(&taken);
    if (users)
        tlb_sweep(users);
    list_for_each_safe (batch, next, &taken, list) {
        nr += batch->nr_frames;
        batch_free(batch);
    }
    return nr;
}

uint64_t limbo_drain(void)
{
    return drain(true);
}

void limbo_sweep(void)
{
    drain(false);
    atomic_fetch_add(&round_now, 1);
}

void limbo_count(uint32_t by)
{
    struct limbo_batch *batch;

    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
        list_for_each_entry (batch, &limbos[cpu].batches, list)
            for (unsigned i = 0; i < batch->nr_pages; i++)
                atomic_fetch_add(&batch->pages[i]->refcount, by);
}

uint64_t limbo_tables(void)
{
    struct limbo_batch *batch;
    uint64_t nr = 0;

    for (unsigned cpu = 0; cpu < nr_cpus(); cpu++)
        list_for_each_entry (batch, &limbos[cpu].batches, list)
            nr += batch->nr_tables;
    return nr;
}
