/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb.c - deciding who must forget what, and waiting until they have
 *
 * Room:   arch.
 * Owns:   flush instructions, shootdown requests, the counters.
 * Locks:  none: each CPU has one request slot, used by it alone with preemption impossible (the
 *         kernel switches tasks only where it asks to); responders clear their bit in it.
 * Always: (1) a request returns only when every target has cleared its bit;
 *         (2) a CPU that loads a root sets its bit in pgt->cpus first: either the initiator sees
 *             the bit, or the CPU's walk sees the changed entry;
 *         (3) waiting is done with IRQs on, so that two initiators answer each other.
 * Source: Intel SDM 3A, "Propagation of Paging-Structure Changes to Multiple Processors".
 * Tour:   after asm/tlb.h.
 */
#include <asm/tlb.h>

#include "apic.h"
#include "entry.h"
#include "insn.h"
#include "percpu.h"
#include "tlb_probe.h"
#include <asm/memory_layout.h>
#include <base/bug.h>
#include <base/log.h>
#include <base/panic.h>
#include <mm/buddy.h>
#include <mm/page.h>
#include <uapi/errno.h>

/* Above so many single invalidations one full flush is cheaper. */
#define SINGLE_FLUSH_MAX 33

struct tlb_request {
    struct pgtable *pgt; /* NULL: kernel addresses */
    uint64_t generation; /* of pgt, when it was asked for */
    uint64_t start, end, stride;
    bool probes;              /* nothing is to be forgotten: is something remembered? */
    _Atomic uint64_t pending; /* bit n: CPU n has not flushed yet */
} __aligned(CACHE_LINE_SIZE);

static struct tlb_request requests[MAX_CPUS]; /* index: the initiator */

static void count(enum tlb_event event)
{
    this_cpu()->tlb_events[event]++;
}

uint64_t tlb_events(enum tlb_event event)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < nr_cpus(); i++)
        sum += READ_ONCE(cpus[i].tlb_events[event]);
    return sum;
}

static void flush_user_all(void)
{
    write_cr3(read_cr3());
    count(TLB_LOCAL_ALL);
}

/* Global entries go too: only a change of CR4.PGE, or of CR3 where there are none, reaches them. */
void tlb_flush_all_local(void)
{
    if (cpu_has(CPU_PGE)) {
        uint64_t cr4 = read_cr4();
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    count(TLB_LOCAL_ALL);
}

/* The ledger (V25), in debug builds: which generation of its address space a CPU has flushed for.
 * What left at a generation is freed when every CPU that has the space loaded has seen that. */
static void ledger_note(uint64_t generation)
{
    if (DEBUG >= 1)
        atomic_store(&this_cpu()->tlb_seen, generation);
}

/* What @cpu has seen of @pgt; everything, if it has left it, even between two looks. */
static uint64_t ledger_seen(const struct cpu *cpu, const struct pgtable *pgt)
{
    bool has = READ_ONCE(cpu->pgt) == pgt;
    uint64_t seen = atomic_load(&cpu->tlb_seen);
    return has && READ_ONCE(cpu->pgt) == pgt ? seen : ~0UL;
}

static void ledger_assert(const struct pgtable *pgt, uint64_t generation)
{
    for (unsigned i = 0; DEBUG >= 1 && i < nr_cpus(); i++) {
        uint64_t seen = ledger_seen(&cpus[i], pgt);
        ASSERT(seen >= generation, "V25: CPU %u has flushed for generation %lu of %lu", i, seen,
               generation);
    }
}

static void flush_local(const struct tlb_request *r)
{
    if (DEBUG >= 1 && unlikely(r->probes)) {
        tlb_probe_here(r->pgt, r->start, r->end);
        return;
    }
    if (r->pgt && this_cpu()->pgt != r->pgt)
        return; /* it was loaded when the bit was read, and has been left since: CR3 was written */
    if (r->pgt)
        ledger_note(max(r->generation, atomic_load(&this_cpu()->tlb_seen)));
    if (r->end - r->start > SINGLE_FLUSH_MAX * r->stride) {
        r->pgt ? flush_user_all() : tlb_flush_all_local();
        return;
    }
    for (uint64_t va = r->start; va < r->end; va += r->stride) {
        invlpg(va);
        count(TLB_LOCAL_ONE);
    }
}

/* The other side: answer everybody who asked. Interrupt context. */
void tlb_answer(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t initiators = atomic_exchange(&cpu->tlb_wanted, 0);

    while (initiators) {
        unsigned i = __builtin_ctzl(initiators);
        initiators &= initiators - 1;
        flush_local(&requests[i]);
        count(TLB_REMOTE_HANDLED);
        atomic_fetch_and_explicit(&requests[i].pending, ~(1UL << cpu->id), memory_order_release);
    }
}

/* This CPU's part and everybody else's. @targets may name this CPU; it is left out. */
static void request_do(struct tlb_request *r, uint64_t targets)
{
    ASSERT(irqs_enabled() || nr_cpus() == 1, "claim 3: waiting is done with IRQs on");
    unsigned self = cpu_id();

    targets &= ~(1UL << self);
    atomic_store_explicit(&r->pending, targets, memory_order_release);
    if (targets)
        count(TLB_REMOTE_REQUEST);
    for (uint64_t left = targets; left; left &= left - 1) {
        unsigned cpu = __builtin_ctzl(left);
        if (atomic_fetch_or(&cpus[cpu].tlb_wanted, 1UL << self))
            continue; /* an interrupt is on its way already, and will find this request too */
        count(TLB_REMOTE_IPI);
        apic_send_ipi(cpu, VECTOR_TLB);
    }
    irq_flags_t flags = irq_save();
    flush_local(r);
    irq_restore(flags);
    while (atomic_load_explicit(&r->pending, memory_order_acquire))
        cpu_relax();
}

static void shoot_down(struct pgtable *pgt, uint64_t start, uint64_t end, uint64_t stride,
                       uint64_t targets)
{
    struct tlb_request *r = &requests[cpu_id()];

    r->pgt = pgt;
    r->generation = pgt ? atomic_load(&pgt->generation) : 0;
    r->start = start;
    r->end = end;
    r->stride = stride;
    request_do(r, targets);
}

static uint64_t online_cpus(void)
{
    unsigned nr = nr_cpus();
    return nr == 64 ? ~0UL : (1UL << nr) - 1;
}

uint64_t tlb_probe_every;

/* Everybody is asked, not only those that the mask names: it may be wrong. */
static void probe(const struct tlb_gather *g)
{
    static _Atomic uint64_t nr;
    struct tlb_request *r = &requests[cpu_id()];

    if (g->settled >= g->settled_end || atomic_fetch_add(&nr, 1) % tlb_probe_every)
        return;
    r->pgt = g->pgt;
    r->start = g->settled;
    r->end = g->settled_end;
    r->probes = true;
    request_do(r, online_cpus());
    r->probes = false;
}

void tlb_flush_kernel_leaves(const void *start, const void *end, enum pt_level level)
{
    shoot_down(NULL, (uint64_t)start, (uint64_t)end, pt_level_size(level), online_cpus());
}

void tlb_flush_kernel(const void *start, const void *end)
{
    tlb_flush_kernel_leaves(start, end, PT_4K);
}

void tlb_flush_kernel_local(const void *va)
{
    invlpg((uint64_t)va);
    count(TLB_LOCAL_ONE);
}

void tlb_flush_user_local(user_addr_t va)
{
    invlpg(va.raw);
    count(TLB_LOCAL_ONE);
}

void tlb_switch(struct pgtable *pgt)
{
    struct cpu *cpu = this_cpu();
    struct pgtable *old = cpu->pgt;

    if (old == pgt)
        return;
    uint64_t bit = 1UL << cpu->id;
    bool late = bug_is_back(BUG_B20);
    ledger_note(~0UL); /* about to flush everything */
    if (!late)
        atomic_fetch_or(&pgt->cpus, bit);
    uint64_t generation = atomic_load(&pgt->generation);
    cpu->pgt = pgt;
    cpu->copy_end = atomic_load_explicit(&pgt->copy_end, memory_order_relaxed);
    write_cr3(pgt->root.raw);
    ledger_note(generation);
    bug_moment(BUG_B20);
    if (late)
        atomic_fetch_or(&pgt->cpus, bit);
    atomic_fetch_and(&old->cpus, ~bit);
    count(TLB_SWITCH);
}

void tlb_gather_begin(struct tlb_gather *g, struct pgtable *pgt)
{
    g->pgt = pgt;
    g->nr_pages = 0;
    g->tables = false;
    g->start = ~0UL;
    g->end = 0;
    g->stride = ~0UL;
    tlb_gather_settles(g, 0, 0);
    list_init(&g->tables_list);
}

void tlb_gather_page(struct tlb_gather *g, struct page *page)
{
    if (!tlb_gather_room(g))
        tlb_gather_flush(g);
    g->pages[g->nr_pages++] = page;
}

void tlb_gather_table(struct tlb_gather *g, struct page *table)
{
    list_add(&table->list, &g->tables_list);
    g->tables = true;
}

/* INVLPG of any address drops the paging-structure caches; without a leaf, flush all. */
static void forget(const struct tlb_gather *g)
{
    uint64_t generation = atomic_fetch_add(&g->pgt->generation, 1) + 1;
    uint64_t targets = atomic_load(&g->pgt->cpus);

    bug_moment(BUG_B17);
    bug_moment(BUG_B18);
    if (tlb_gather_is_empty(g)) {
        shoot_down(g->pgt, 0, ~0UL, PAGE_SIZE, targets);
    } else {
        shoot_down(g->pgt, g->start, g->end, g->stride, targets);
        atomic_fetch_sub(&g->pgt->unflushed, 1);
    }
    ledger_assert(g->pgt, generation);
}

/* They are empty. */
static void free_tables(struct tlb_gather *g)
{
    while (!list_empty(&g->tables_list)) {
        struct page *table = list_first_entry(&g->tables_list, struct page, list);
        list_del(&table->list);
        page_free_blank(table);
    }
}

void tlb_gather_end(struct tlb_gather *g)
{
    if (g->tables || !tlb_gather_is_empty(g))
        forget(g);
    if (g->nr_pages)
        folios_put(g->pages, g->nr_pages);
    if (g->tables)
        free_tables(g);
    if (DEBUG >= 1 && unlikely(tlb_probe_every))
        probe(g);
}

void tlb_gather_flush(struct tlb_gather *g)
{
    tlb_gather_end(g);
    tlb_gather_begin(g, g->pgt);
}

int tlb_check(void)
{
    const struct cpu *me = this_cpu();

    if ((read_cr3() & ~(PAGE_SIZE - 1)) != me->pgt->root.raw) {
        log_error("vm_check: V26: CPU %u walks root %#lx, and knows of %#lx", me->id, read_cr3(),
                  me->pgt->root.raw);
        return -EUCLEAN;
    }
    if (read_cr4() & CR4_PCIDE) {
        log_error("vm_check: V25: CPU %u keeps translations over a switch", me->id);
        return -EUCLEAN;
    }
    for (unsigned i = 0; i < nr_cpus(); i++) {
        const struct pgtable *pgt = cpus[i].pgt;
        if (pgt != &kernel_pgtable && !(atomic_load(&pgt->cpus) & 1UL << i)) {
            log_error("vm_check: V26: CPU %u has loaded a root that does not know of it", i);
            return -EUCLEAN;
        }
    }
    return 0;
}
