/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb.c - asking other CPUs to forget, and waiting until they have
 *
 * Room:   arch.
 * Owns:   shootdown requests.
 * Locks:  none: each CPU has one request, used by it alone with preemption impossible (the kernel
 *         switches tasks only where it asks to); responders clear their bit in it.
 * Always: (1) a request returns only when every target has cleared its bit;
 *         (2) a target clears its bit when it has flushed; or, asked early, when it is in the
 *             interrupt that flushes before it returns to whatever used the translation;
 *         (3) waiting is done with IRQs on, so that two initiators answer each other.
 * Source: Intel SDM 3A, "Propagation of Paging-Structure Changes to Multiple Processors"; Amit,
 *         Tai, Wei, "Don't shoot down TLB shootdowns!" (2020), for early acknowledgement.
 * Tour:   after arch/x86_64/tlb_space.c.
 */
#include <asm/tlb.h>

#include "apic.h"
#include "entry.h"
#include "percpu.h"
#include "tlb_local.h"
#include "tlb_probe.h"
#include <asm/time.h>
#include <base/bug.h>
#include <base/panic.h>

#define PATIENCE_NS (10 * 1000 * 1000 * 1000UL)

enum tlb_wish {
    TLB_FORGET, /* user addresses of pgt, up to generation */
    TLB_SWEEP,  /* all that was taken from what is loaded */
    TLB_LEAVE,  /* pgt is not to be loaded */
    TLB_KERNEL, /* kernel addresses */
    TLB_ALL,    /* everything */
    TLB_PROBE   /* nothing: is something remembered? */
};

struct tlb_request {
    enum tlb_wish wish;
    bool early;          /* claim 2 */
    struct pgtable *pgt; /* of FORGET, LEAVE, PROBE */
    uint64_t generation; /* of FORGET */
    uint64_t start, end, stride;
    _Atomic uint64_t pending; /* bit n: CPU n has not done it yet */
} __aligned(CACHE_LINE_SIZE);

static struct tlb_request requests[MAX_CPUS]; /* index: the initiator */

static void count(enum tlb_event event)
{
    tlb_count(this_cpu()->tlb.events, event);
}

uint64_t tlb_events(enum tlb_event event)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < nr_cpus(); i++)
        sum += READ_ONCE(cpus[i].tlb.events[event]);
    return (uint64_t)sum;
}

/* This CPU's part. IRQs off. */
static void do_wish(const struct tlb_request *r)
{
    switch (r->wish) {
    case TLB_FORGET:
        tlb_follow(r->pgt, r->generation, r->start, r->end, r->stride);
        break;
    case TLB_SWEEP:
        tlb_catch_up();
        break;
    case TLB_LEAVE:
        tlb_leave_here(r->pgt);
        break;
    case TLB_KERNEL:
        tlb_forget_range(r->start, r->end, r->stride, true);
        break;
    case TLB_ALL:
        tlb_forget_all();
        break;
    case TLB_PROBE:
        tlb_probe_here(r->pgt, r->start, r->end);
        break;
    }
}

static void answer_late(struct tlb_request *r, uint64_t bit)
{
    do_wish(r);
    atomic_fetch_and_explicit(&r->pending, ~bit, memory_order_release);
}

/* The request may be another as soon as the bit is clear. */
static void answer_early(struct tlb_cpu *tlb, struct tlb_request *r, uint64_t bit)
{
    struct tlb_request copy = {.wish = r->wish,
                               .pgt = r->pgt,
                               .generation = r->generation,
                               .start = r->start,
                               .end = r->end,
                               .stride = r->stride};

    atomic_store_explicit(&tlb->behind, true, memory_order_relaxed);
    atomic_fetch_and_explicit(&r->pending, ~bit, memory_order_release);
    if (!bug_is_back(BUG_B79))
        do_wish(&copy);
    atomic_store_explicit(&tlb->behind, false, memory_order_release);
}

/* The other side: answer everybody who asked. Interrupt context. */
void tlb_answer(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t initiators = atomic_exchange(&cpu->tlb_wanted, 0), bit = 1UL << cpu->id;

    while (initiators) {
        struct tlb_request *r = &requests[__builtin_ctzl(initiators)];
        initiators &= initiators - 1;
        tlb_count(cpu->tlb.events, TLB_REMOTE_HANDLED);
        r->early ? answer_early(&cpu->tlb, r, bit) : answer_late(r, bit);
    }
}

static void interrupt_targets(uint64_t targets)
{
    uint64_t bit = 1UL << cpu_id();

    count(TLB_REMOTE_REQUEST);
    for (; targets; targets &= targets - 1) {
        unsigned cpu = __builtin_ctzl(targets);
        if (atomic_fetch_or(&cpus[cpu].tlb_wanted, bit))
            continue; /* an interrupt is on its way already, and will find this request too */
        count(TLB_REMOTE_IPI);
        if (!bug_is_back(BUG_B70))
            apic_send_ipi(cpu, VECTOR_TLB);
    }
}

/* Debug builds do not wait for ever. */
static void wait_for_all(const struct tlb_request *r)
{
    uint64_t deadline = DEBUG >= 1 ? clock_ns() + PATIENCE_NS : 0, left;

    while ((left = atomic_load_explicit(&r->pending, memory_order_acquire))) {
        ASSERT(DEBUG == 0 || clock_ns() < deadline, "CPUs %#lx do not answer a shootdown", left);
        cpu_relax();
    }
}

/* This CPU's part and, at the same time, everybody else's. @targets may name this CPU. */
static void request_do(struct tlb_request *r, uint64_t targets)
{
    ASSERT(irqs_enabled() || nr_cpus() == 1, "claim 3: waiting is done with IRQs on");

    targets &= ~(1UL << cpu_id());
    if (targets) {
        atomic_store_explicit(&r->pending, targets, memory_order_release);
        interrupt_targets(targets);
    }
    irq_flags_t flags = irq_save();
    do_wish(r);
    irq_restore(flags);
    if (targets)
        wait_for_all(r);
}

static struct tlb_request *own_request(enum tlb_wish wish, struct pgtable *pgt)
{
    struct tlb_request *r = &requests[cpu_id()];

    r->wish = wish;
    r->pgt = pgt;
    r->early = false;
    return r;
}

/* Without those who are lazy: they will catch up before they use what they have loaded. */
static uint64_t awake(uint64_t users)
{
    for (uint64_t left = users; left; left &= left - 1) {
        unsigned cpu = __builtin_ctzl(left);
        if (!atomic_load(&cpus[cpu].tlb.lazy))
            continue;
        users &= ~(1UL << cpu);
        count(TLB_LAZY_SPARED);
    }
    return users;
}

/* May @cpu use what left @space at @generation? In this order: see wake(), answer_early(). @walk:
 * may it still walk there, though it uses nothing? @changing: those who are about to flush count,
 * for one who has not asked them: they may have looked at the generation before it began. For one
 * who has, they are innocent, and so is who loaded another space while we looked. */
static bool may_use(const struct cpu *cpu, uint64_t space, uint64_t generation, bool walk,
                    bool changing)
{
    const struct tlb_cpu *tlb = &cpu->tlb;
    int64_t loads = READ_ONCE(tlb->events[TLB_SWITCH]);
    uint64_t loaded = atomic_load(&tlb->space);

    if (loaded == TLB_LOADING)
        return changing;
    if (loaded != space || (!walk && atomic_load(&tlb->lazy)) ||
        ((!changing || bug_is_back(BUG_B82)) && atomic_load(&tlb->behind)) ||
        atomic_load(&tlb->seen) >= generation)
        return false;
    return changing ||
           (atomic_load(&tlb->space) == space && READ_ONCE(tlb->events[TLB_SWITCH]) == loads);
}

static uint64_t users_of(uint64_t space, uint64_t generation, bool walk, bool changing)
{
    uint64_t found = 0;

    for (unsigned i = 0; i < nr_cpus(); i++)
        found |= (uint64_t)may_use(&cpus[i], space, generation, walk, changing) << i;
    return found;
}

uint64_t tlb_users(uint64_t space, uint64_t generation, bool walk)
{
    return users_of(space, generation, walk, true);
}

uint64_t tlb_suspects(uint64_t space, uint64_t generation, bool walk)
{
    return users_of(space, generation, walk, false);
}

/* The ledger (V25), in debug builds. */
static void ledger_assert(const struct pgtable *pgt, uint64_t generation, bool tables)
{
    uint64_t guilty = DEBUG >= 1 ? tlb_suspects(pgt->id, generation, tables) : 0;

    ASSERT(!guilty, "V25: CPUs %#lx have not flushed for generation %lu", guilty, generation);
}

static void follow_here(const struct pgtable *pgt, uint64_t generation, uint64_t start,
                        uint64_t end, uint64_t stride)
{
    irq_flags_t flags = irq_save();
    tlb_follow(pgt, generation, start, end, stride);
    irq_restore(flags);
}

/* What was put off before @generation has been made up for. */
static void note_settled(struct pgtable *pgt, uint64_t generation)
{
    uint64_t late = atomic_load_explicit(&pgt->late, memory_order_relaxed);

    if (unlikely(late) && late < generation)
        atomic_compare_exchange_strong(&pgt->late, &late, 0);
}

void tlb_shoot_down(struct pgtable *pgt, uint64_t start, uint64_t end, uint64_t stride, bool tables)
{
    uint64_t generation = atomic_fetch_add(&pgt->generation, 1) + 1;
    uint64_t others = atomic_load(&pgt->cpus) & ~(1UL << cpu_id());

    bug_moment(BUG_B17);
    bug_moment(BUG_B18);
    if (others && !tables)
        others = awake(others);
    if (bug_is_back(BUG_B71))
        others &= others - 1;
    if (others) {
        struct tlb_request *r = own_request(TLB_FORGET, pgt);
        r->early = !tables && tlb_settings.policy == TLB_EARLY;
        r->generation = generation;
        r->start = start;
        r->end = end;
        r->stride = stride;
        request_do(r, others);
    } else {
        follow_here(pgt, generation, start, end, stride);
    }
    note_settled(pgt, generation);
    ledger_assert(pgt, generation, tables);
}

uint64_t tlb_forget_here(struct pgtable *pgt, uint64_t start, uint64_t end, uint64_t stride)
{
    uint64_t generation = atomic_fetch_add(&pgt->generation, 1) + 1;

    follow_here(pgt, generation, start, end, stride);
    return generation;
}

bool tlb_has_others(const struct pgtable *pgt)
{
    return atomic_load(&pgt->cpus) & ~(1UL << cpu_id());
}

void tlb_sweep(uint64_t targets)
{
    request_do(own_request(TLB_SWEEP, NULL), targets);
}

void tlb_settle_late(struct pgtable *pgt)
{
    uint64_t late = atomic_load(&pgt->late), users = tlb_users(pgt->id, late, false);

    if (users)
        tlb_sweep(users);
    atomic_compare_exchange_strong(&pgt->late, &late, 0);
}

void tlb_leave(struct pgtable *pgt)
{
    uint64_t users = atomic_load(&pgt->cpus);

    if (users)
        request_do(own_request(TLB_LEAVE, pgt), users);
}

static uint64_t online_cpus(void)
{
    unsigned nr = nr_cpus();
    return nr == 64 ? ~0UL : (1UL << nr) - 1;
}

uint64_t tlb_probe_every;

/* Everybody is asked, not only those that the mask names: it may be wrong. */
void tlb_probe(struct pgtable *pgt, uint64_t start, uint64_t end)
{
    static _Atomic uint64_t nr;

    if (start >= end || atomic_fetch_add(&nr, 1) % tlb_probe_every)
        return;
    struct tlb_request *r = own_request(TLB_PROBE, pgt);
    r->start = start;
    r->end = end;
    request_do(r, online_cpus());
}

void tlb_flush_kernel_leaves(const void *start, const void *end, enum pt_level level)
{
    struct tlb_request *r = own_request(TLB_KERNEL, NULL);

    r->start = (uint64_t)start;
    r->end = (uint64_t)end;
    r->stride = pt_level_size(level);
    if (!bug_is_back(BUG_B76))
        request_do(r, online_cpus());
}

void tlb_flush_kernel(const void *start, const void *end)
{
    tlb_flush_kernel_leaves(start, end, PT_4K);
}

void tlb_flush_kernel_tables(const void *start, const void *end, enum pt_level level)
{
    if (cpu_has(CPU_PCID)) /* INVLPG drops the upper entries of the loaded PCID only */
        request_do(own_request(TLB_ALL, NULL), online_cpus());
    else
        tlb_flush_kernel_leaves(start, end, level);
}

void tlb_flush_kernel_local(const void *va)
{
    tlb_forget_address((uint64_t)va);
}

void tlb_flush_user_local(user_addr_t va)
{
    tlb_forget_address(va.raw);
}
