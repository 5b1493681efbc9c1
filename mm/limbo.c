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

struct limbo_batch {
    struct list_node list;
    uint64_t space, generation;
    struct list_node tables;
    unsigned nr_tables, nr_pages;
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

struct limbo_batch *limbo_batch_of(struct tlb_gather *g)
{
    size_t size = sizeof(struct limbo_batch) + g->nr_pages * sizeof(struct page *);
    struct limbo_batch *batch = kmem_alloc(size, SLAB_ALLOC_PLAIN);

    if (!batch)
        return NULL;
    batch->nr_pages = g->nr_pages;
    memcpy(batch->pages, g->pages, g->nr_pages * sizeof(struct page *));
    batch->nr_tables = 0;
    list_init(&batch->tables);
    while (!list_empty(&g->tables_list)) {
        struct page *table = list_first_entry(&g->tables_list, struct page, list);
        list_del(&table->list);
        list_add(&table->list, &batch->tables);
        batch->nr_tables++;
    }
    g->nr_pages = 0;
    g->tables = false;
    return batch;
}

static uint64_t frames_of(const struct limbo_batch *batch)
{
    uint64_t nr = batch->nr_tables;

    for (unsigned i = 0; i < batch->nr_pages; i++)
        nr += 1UL << batch->pages[i]->order;
    return nr;
}

void limbo_add(struct limbo_batch *batch, uint64_t space, uint64_t generation)
{
    struct limbo *limbo = &limbos[cpu_id()];

    batch->space = space;
    batch->generation = generation;
    irq_flags_t flags = spin_lock_irqsave(&limbo->lock);
    bool first = list_empty(&limbo->batches);
    list_add_tail(&batch->list, &limbo->batches);
    limbo->nr_frames += frames_of(batch);
    spin_unlock_irqrestore(&limbo->lock, flags);
    if (limbo_frames() > limbo_frames_max)
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

/* What is there now, onto a list of our own. */
static void take_all(struct list_node *taken)
{
    for (unsigned i = 0; i < nr_cpus(); i++) {
        struct limbo *limbo = &limbos[i];
        irq_flags_t flags = spin_lock_irqsave(&limbo->lock);
        while (!list_empty(&limbo->batches)) {
            struct list_node *node = limbo->batches.next;
            list_del(node);
            list_add_tail(node, taken);
        }
        limbo->nr_frames = 0;
        spin_unlock_irqrestore(&limbo->lock, flags);
    }
}

static uint64_t who_may_use(const struct list_node *batches)
{
    struct limbo_batch *batch;
    uint64_t users = 0;

    list_for_each_entry (batch, batches, list)
        users |= tlb_users(batch->space, batch->generation, batch->nr_tables);
    return bug_is_back(BUG_B78) ? users & (users - 1) : users;
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

uint64_t limbo_drain(void)
{
    struct list_node taken = LIST_INIT(taken);
    struct limbo_batch *batch, *next;
    uint64_t nr = 0;

    take_all(&taken);
    uint64_t users = who_may_use(&taken);
    if (users)
        tlb_sweep(users);
    list_for_each_safe (batch, next, &taken, list) {
        nr += frames_of(batch);
        batch_free(batch);
    }
    return nr;
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
