/* SPDX-License-Identifier: MIT */
/*
 * asm/tlb.h - forgetting translations, and counting it
 *
 * Room:   arch, public face. The one module that flushes.
 * Owns:   the gather, shootdowns, the counters.
 * Locks:  none held while waiting; the caller holds no lock of rank >= PAGE_TABLE, IRQs are on.
 * Always: (1) when tlb_gather_end() returns, no CPU can use a gathered translation;
 *         (2) gathered pages are freed after that, never before;
 *         (3) a CPU's bit in pgt->cpus is set before it loads the root, cleared after it left.
 * Source: Intel SDM 3A, "Invalidation of TLBs and Paging-Structure Caches";
 *         Black et al., "Translation Lookaside Buffer Consistency" (1989).
 * Tour:   after asm/pgtable.h, before arch/x86_64/tlb.c.
 */
#pragma once

#include <asm/pgtable.h>
#include <lib/list.h>

#define TLB_GATHER_PAGES 240 /* the whole gather is 2 KiB of stack */

struct tlb_gather {
    struct pgtable *pgt;
    uint64_t start, end; /* smallest range that covers what changed; empty: start >= end */
    uint64_t stride;     /* size of the smallest leaf that changed */
    uint64_t settled, settled_end;     /* debug builds: of this nothing may be remembered then */
    uint64_t tables_start, tables_end; /* these were of there; kept with roots for each CPU only */
    bool tables;                       /* tables were freed: paging-structure caches must go too */
    bool may_be_late;                  /* other CPUs may use what was there until they notice */
    struct list_node tables_list;      /* table pages to free */
    unsigned nr_pages;
    struct page *pages[TLB_GATHER_PAGES]; /* heads of leaf pages to put, after the flush */
};

void tlb_gather_begin(struct tlb_gather *g, struct pgtable *pgt);

static inline bool tlb_gather_is_empty(const struct tlb_gather *g)
{
    return g->start >= g->end;
}

/* Leaves of one level in [start, end) were removed or lost a right. Those who have to know what
 * others removed, tlb_gather_others(), are told under the lock of the table. */
static inline void tlb_gather_range(struct tlb_gather *g, uint64_t start, uint64_t end,
                                    enum pt_level level)
{
    if (tlb_gather_is_empty(g))
        atomic_fetch_add(&g->pgt->unflushed, 1);
    g->start = g->start < start ? g->start : start;
    g->end = g->end > end ? g->end : end;
    g->stride = g->stride < pt_level_size(level) ? g->stride : pt_level_size(level);
}

/* This leaf was. */
static inline void tlb_gather_leaf(struct tlb_gather *g, uint64_t va, enum pt_level level)
{
    tlb_gather_range(g, va, va + pt_level_size(level), level);
}

/* Drop one reference of @page, a head, once its translation is forgotten. May flush when the batch
 * is full: call without table locks held, or after tlb_gather_room() said yes. */
void tlb_gather_page(struct tlb_gather *g, struct page *page);

/* Free this table page, which no entry points to any more, after the flush. */
void tlb_gather_table(struct tlb_gather *g, struct page *table);

/* A table of [start, end) is about to be freed in a space where each CPU has a root of its own. */
static inline void tlb_gather_tables_of(struct tlb_gather *g, uint64_t start, uint64_t end)
{
    g->tables_start = g->tables && g->tables_start < start ? g->tables_start : start;
    g->tables_end = g->tables && g->tables_end > end ? g->tables_end : end;
}

/* How many more pages fit without a flush. */
static inline unsigned tlb_gather_room(const struct tlb_gather *g)
{
    return TLB_GATHER_PAGES - g->nr_pages;
}

/* The caller says that when he ends this gather every CPU uses what the tables say of the range. */
static inline void tlb_gather_settles(struct tlb_gather *g, uint64_t start, uint64_t end)
{
    if (DEBUG >= 1) {
        g->settled = start;
        g->settled_end = end;
    }
}

/**
 * tlb_gather_others() - nobody uses what was in [start, end), whoever took it out
 * A leaf that is not there any more may be one that somebody took out a moment ago, and will flush
 * in another. For a caller who promises that the range is empty, or refuses, when he returns: for
 * his own CPU he does even if his gather may be late.
 * Context: before tlb_gather_end(), after the range was looked at under its tables' locks.
 */
static inline void tlb_gather_others(struct tlb_gather *g, uint64_t start, uint64_t end)
{
    bool others = atomic_load(&g->pgt->unflushed) > !tlb_gather_is_empty(g);

    if (unlikely(others || atomic_load(&g->pgt->late)) && start < end)
        tlb_gather_range(g, start, end, PT_4K);
    tlb_gather_settles(g, start, end);
}

/* It is private memory that goes, and what else its threads see of it until all have forgotten,
 * they could have seen a moment earlier; but not the thread that calls: see tlb_switch(). */
static inline void tlb_gather_may_be_late(struct tlb_gather *g, bool may)
{
    g->may_be_late = may;
}

/* Flush, then free. The gather may be used on. */
void tlb_gather_flush(struct tlb_gather *g);

/* Flush, free, done. */
void tlb_gather_end(struct tlb_gather *g);

/**
 * tlb_flush_kernel() - no CPU keeps a translation of this kernel range, global ones included
 * Context: IRQs on, unless no other CPU runs.
 */
void tlb_flush_kernel(const void *start, const void *end);

/* The same, where nothing smaller than a leaf of @level was there since everything was forgotten:
 * one instruction forgets a leaf. */
void tlb_flush_kernel_leaves(const void *start, const void *end, enum pt_level level);

/* The same, where tables that led there are freed afterwards. */
void tlb_flush_kernel_tables(const void *start, const void *end, enum pt_level level);

/* Forget one kernel page on this CPU only: for windows that no other CPU uses. */
void tlb_flush_kernel_local(const void *va);

/* This CPU forgets one user address: after a fault that only gained rights. */
void tlb_flush_user_local(user_addr_t va);

/* The same, after a fault where all was there already: this CPU's own root leads there, too. */
void tlb_refresh_user_local(user_addr_t va);

/**
 * tlb_switch() - load an address space on this CPU; the kernel's own: none may stay
 * Context: IRQs off.
 */
void tlb_switch(struct pgtable *pgt);

/* A task without an address space begins to run here: what is loaded may stay, unused, so that
 * nothing is lost if its owner comes next (lazy mode). IRQs off. */
void tlb_idle(void);

/**
 * tlb_roots_begin() - from now on each CPU walks @pgt by a root of its own
 * Nothing changes where it has some, or memory is short. Context: mmap_lock for writing, whole; as
 * tlb_flush_kernel().
 */
void tlb_roots_begin(struct pgtable *pgt);

/**
 * tlb_leave() - no CPU has @pgt loaded any more
 * For its end: no task uses it. Context: as tlb_flush_kernel().
 */
void tlb_leave(struct pgtable *pgt);

/**
 * tlb_users() - CPUs that may use what left an address space at a generation
 * @space: pgtable.id; the space may be gone
 * @walk: or may walk the tables that were there then
 */
uint64_t tlb_users(uint64_t space, uint64_t generation, bool walk);

/* These CPUs forget all that was taken from what they have loaded. Context: as
 * tlb_flush_kernel(). */
void tlb_sweep(uint64_t targets);

/* Something new comes to @pgt where something was: nobody uses what was put off. Context: as
 * tlb_flush_kernel(). */
void tlb_settle_late(struct pgtable *pgt);

/* Does nobody any more? Then nothing is put off. */
bool tlb_late_is_over(struct pgtable *pgt);

#define TLB_CEILING       33UL /* Linux's */
#define TLB_CEILING_LEAST 8UL  /* between these lies one that was measured */
#define TLB_CEILING_MOST  512UL

/**
 * tlb_measure_ceiling() - from how many pages on forgetting everything is cheaper on this CPU
 * One line of the log says what was measured. Context: a task; memory is allocated, and IRQs are
 * off for some microseconds at a time.
 * Return: 0, or -ENOMEM with *@ceiling as it was.
 */
int __must_check tlb_measure_ceiling(uint64_t *ceiling);

/* When other CPUs forget what a call took away: docs/tlb.md. */
enum tlb_policy {
    TLB_SYNC,  /* before the call returns */
    TLB_EARLY, /* so too, and they say so when they are about to */
    TLB_LATE,  /* a moment later, if it was private memory: its frames wait until then */
    TLB_REUSE, /* the same, when its frames are wanted */
    TLB_POLICIES
};

/* By which root CPUs walk an address space. */
enum tlb_roots {
    TLB_ROOTS_SHARED, /* one for all */
    TLB_ROOTS_PERCPU, /* each by its own, once there are threads */
    TLB_ROOTS
};

/* What the command line and /proc/sys/vm set. */
struct tlb_settings {
    uint64_t ceiling; /* so many addresses are forgotten one by one; more: all at once */
    uint64_t lazy;    /* tlb_idle() does as it says */
    unsigned policy;  /* enum tlb_policy */
    unsigned roots;   /* enum tlb_roots */
};

extern struct tlb_settings tlb_settings;

/* Debug builds: after each such number of gathers every CPU tries what it remembers; 0: never. */
extern uint64_t tlb_probe_every;

enum tlb_event {
    TLB_LOCAL_ONE,      /* one translation, this CPU */
    TLB_LOCAL_ALL,      /* a whole address space or everything, this CPU */
    TLB_REMOTE_REQUEST, /* shootdowns of what other CPUs have loaded, lazily or not */
    TLB_REMOTE_IPI,     /* interrupts sent for that */
    TLB_REMOTE_HANDLED, /* .. and taken, each with an answer to all who asked by then */
    TLB_SWITCH,         /* another root was loaded */
    TLB_SWITCH_KEPT,    /* .. whose translations this CPU still had */
    TLB_LAZY_SPARED,    /* CPUs not asked, because they did not use what they had loaded */
    TLB_LAZY_CAUGHT_UP, /* .. which had to forget it when they did again */
    TLB_EVENTS
};

/* Sum over all CPUs since boot. */
uint64_t tlb_events(enum tlb_event event);

/* Debug builds, V25: @page, a block of @order, is given out: no CPU may use what left an address
 * space with it. */
void tlb_ledger_look(const struct page *page, unsigned order);

/* V25, V26: each CPU is known to the address space it has loaded, and has flushed for it. 0 or
 * -EUCLEAN. */
int __must_check tlb_check(void);
