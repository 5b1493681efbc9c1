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
#include "roots.h"
#include "tlb_local.h"
#include "tlb_probe.h"
#include <asm/smp.h>
#include <asm/time.h>
#include <base/bug.h>
#include <base/panic.h>

#define SECOND_NS   (1000 * 1000 * 1000UL)
#define PATIENCE_NS (30 * SECOND_NS)
#define NUDGE_NS    SECOND_NS
#define NUDGES      3                 /* so many interrupts later it would have answered */
#define LOOK_NS     (SECOND_NS / 100) /* a look counts for no more: the machine stood still */

enum tlb_wish {
    TLB_FORGET,       /* user addresses of pgt, up to generation */
    TLB_FORGET_EARLY, /* .. and say so before: claim 2 */
    TLB_SWEEP,        /* all that was taken from what is loaded */
    TLB_LEAVE,        /* pgt is not to be loaded */
    TLB_LOAD_OWN,     /* pgt is to be walked by the CPU's own root */
    TLB_KERNEL,       /* kernel addresses */
    TLB_ALL,          /* everything */
    TLB_PROBE         /* nothing: is something remembered? */
};

struct tlb_request {
    enum tlb_wish wish;
    bool may_spare;           /* lazy CPUs need not know */
    struct tlb_change change; /* without what the wish does not need */
    _Atomic uint64_t pending; /* bit n: CPU n has not done it yet */
} __aligned(CACHE_LINE_SIZE);

struct tlb_request tlb_requests[MAX_CPUS]; /* index: the initiator; entry.asm reads it */

/* What entry_tlb relies on. */
_Static_assert(TLB_FORGET == 0 && sizeof(struct tlb_request) == 1 << 6, "REQUEST_SHIFT");
_Static_assert(offsetof(struct tlb_request, change.pgt) == 8, "REQUEST_PGT");
_Static_assert(offsetof(struct tlb_request, change.generation) == 16, "REQUEST_GENERATION");
_Static_assert(offsetof(struct tlb_request, change.start) == 24, "REQUEST_START");
_Static_assert(offsetof(struct tlb_request, change.end) == 32, "REQUEST_END");
_Static_assert(offsetof(struct tlb_request, change.stride) == 40, "REQUEST_STRIDE");
_Static_assert(offsetof(struct tlb_request, pending) == 48, "REQUEST_PENDING");
_Static_assert(VECTOR_TLB == 35, "percpu.inc");
_Static_assert(offsetof(struct cpu, pgt) == 48, "CPU_PGT");
_Static_assert(offsetof(struct cpu, tlb_wanted) == 64, "CPU_TLB_WANTED");
_Static_assert(offsetof(struct cpu, tlb.seen) == 80, "CPU_TLB_SEEN");
_Static_assert(offsetof(struct cpu, tlb.events[TLB_LOCAL_ONE]) == 200, "CPU_TLB_ONES");
_Static_assert(offsetof(struct cpu, tlb.events[TLB_REMOTE_HANDLED]) == 232, "CPU_TLB_HANDLED");

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
    const struct tlb_change *change = &r->change;

    switch (r->wish) {
    case TLB_FORGET:
    case TLB_FORGET_EARLY:
        tlb_follow(change);
        break;
    case TLB_SWEEP:
        tlb_catch_up();
        break;
    case TLB_LEAVE:
        tlb_leave_here(change->pgt);
        break;
    case TLB_LOAD_OWN:
        tlb_load_own(change->pgt);
        break;
    case TLB_KERNEL:
        tlb_forget_kernel_range(change->start, change->end, change->stride);
        break;
    case TLB_ALL:
        tlb_forget_all();
        break;
    case TLB_PROBE:
        tlb_probe_here(change->pgt, change->start, change->end);
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
    struct tlb_change copy = r->change;

    atomic_store_explicit(&tlb->behind, true, memory_order_relaxed);
    atomic_fetch_and_explicit(&r->pending, ~bit, memory_order_release);
    if (!bug_is_back(BUG_B79))
        tlb_follow(&copy);
    atomic_store_explicit(&tlb->behind, false, memory_order_release);
}

/* The other side: answer everybody who asked, where entry.asm has not. Interrupt context. */
void tlb_answer(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t initiators = atomic_exchange(&cpu->tlb_wanted, 0), bit = 1UL << cpu->id;

    tlb_count(cpu->tlb.events, TLB_REMOTE_HANDLED);
    for (; initiators; initiators &= initiators - 1) {
        struct tlb_request *r = &tlb_requests[__builtin_ctzl(initiators)];
        r->wish == TLB_FORGET_EARLY ? answer_early(&cpu->tlb, r, bit) : answer_late(r, bit);
    }
}

/* Who is lazy will catch up before it uses what it has loaded. */
static bool may_be_spared(const struct tlb_request *r, const struct cpu *cpu)
{
    return r->may_spare && atomic_load(&cpu->tlb.lazy);
}

/* Who may remember something of @g, which is about @pgt. */
static inline uint64_t users_among(const struct pgtable *pgt, const struct tlb_gather *g)
{
    uint64_t cpus = atomic_load(&pgt->cpus);

    return unlikely(roots_of(pgt)) ? cpus & roots_users(g) : cpus;
}

/* There are @targets, others than @me. IRQs off. */
static __force_inline void ask(struct cpu *me, struct tlb_request *r, uint64_t targets)
{
    tlb_count(me->tlb.events, TLB_REMOTE_REQUEST);
    atomic_store_explicit(&r->pending, targets, memory_order_release);
    for (; targets; targets &= targets - 1) {
        struct cpu *cpu = &cpus[(unsigned)__builtin_ctzl(targets)];
        if (unlikely(may_be_spared(r, cpu))) {
            atomic_fetch_and(&r->pending, ~(targets & -targets));
            tlb_count(me->tlb.events, TLB_LAZY_SPARED);
            continue;
        }
        /* Our bit was clear: who takes it answers, and we waited for that the last time. */
        if (atomic_fetch_add(&cpu->tlb_wanted, 1UL << me->id))
            continue; /* an interrupt is on its way already, and will find this request too */
        tlb_count(me->tlb.events, TLB_REMOTE_IPI);
        if (!bug_is_back(BUG_B70))
            apic_send_ipi(cpu, VECTOR_TLB);
    }
}

/* Debug builds do not wait for ever. But a host may leave one of its machine's CPUs standing for
 * seconds, or all of them: so what counts is the waiting CPU's own time, and how many other
 * interrupts the silent one takes, of which it gets one each second. */
static __cold void wait_impatiently(const struct tlb_request *r)
{
    uint64_t last = clock_ns(), waited = 0, nudge_at = NUDGE_NS, taken = 0, left;
    unsigned silent = MAX_CPUS;

    while ((left = atomic_load_explicit(&r->pending, memory_order_acquire))) {
        uint64_t now = clock_ns();
        waited += now > last ? min(now - last, LOOK_NS) : 0;
        last = now;
        cpu_relax();
        if (waited < nudge_at)
            continue;
        unsigned first = (unsigned)__builtin_ctzl(left);
        uint64_t nudges = cpu_nr_interrupts(first, CPU_INTERRUPT_RESCHEDULE);
        taken = first == silent ? taken : nudges;
        silent = first;
        ASSERT(waited < PATIENCE_NS && nudges - taken < NUDGES,
               "CPUs %#lx do not answer a shootdown; CPU %u took %lu other interrupts", left,
               silent, nudges - taken);
        smp_reschedule(silent);
        nudge_at = waited + NUDGE_NS;
    }
}

static void wait_for(const struct tlb_request *r)
{
    if (DEBUG >= 1)
        wait_impatiently(r);
    while (atomic_load_explicit(&r->pending, memory_order_acquire))
        cpu_relax();
}

/* @own, which is the part of @me, and everybody else's at the same time. @targets may name @me. */
static __force_inline void request_with(struct cpu *me, struct tlb_request *r, uint64_t targets,
                                        void (*own)(const struct tlb_request *))
{
    if (DEBUG >= 1)
        ASSERT(irqs_enabled() || nr_cpus() == 1, "claim 3: waiting is done with IRQs on");
    targets &= ~(1UL << me->id);
    if (!targets) {
        irq_flags_t flags = irq_save();
        own(r);
        irq_restore(flags);
        return;
    }
    irq_disable();
    ask(me, r, targets);
    own(r);
    irq_enable();
    wait_for(r);
}

static void request_do(struct tlb_request *r, uint64_t targets)
{
    request_with(this_cpu(), r, targets, do_wish);
}

static struct tlb_request *own_request(enum tlb_wish wish, struct pgtable *pgt)
{
    struct tlb_request *r = &tlb_requests[cpu_id()];

    r->wish = wish;
    r->may_spare = false;
    r->change.pgt = pgt;
    return r;
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

/* The ledger (V25), in debug builds. @holders: who might have remembered it, before. */
static void ledger_assert(const struct tlb_gather *g, uint64_t generation, uint64_t holders)
{
    uint64_t guilty = DEBUG >= 1 ? tlb_suspects(g->pgt->id, generation, g->tables) & holders : 0;

    ASSERT(!guilty, "V25: CPUs %#lx have not flushed for generation %lu", guilty, generation);
}

/* What was put off before @r has been made up for. */
static __no_inline void note_settled(const struct tlb_request *r)
{
    struct pgtable *pgt = r->change.pgt;
    uint64_t late = atomic_load(&pgt->late);

    if (late && late < r->change.generation)
        atomic_compare_exchange_strong(&pgt->late, &late, 0);
}

/* The next generation of @pgt, whose range this is, as the request of @me. */
static __force_inline struct tlb_request *new_change(const struct cpu *me, struct pgtable *pgt,
                                                     uint64_t start, uint64_t end, uint64_t stride)
{
    struct tlb_request *r = &tlb_requests[me->id];

    r->wish = TLB_FORGET;
    r->change.pgt = pgt;
    r->change.generation = atomic_fetch_add(&pgt->generation, 1) + 1;
    r->change.start = start;
    r->change.end = tlb_is_too_much(start, end, stride) ? TLB_ALL_OF_IT : end;
    r->change.stride = stride;
    return r;
}

static void follow(const struct tlb_request *r)
{
    tlb_follow(&r->change);
}

void tlb_shoot_down(const struct tlb_gather *g, uint64_t start, uint64_t end, uint64_t stride)
{
    struct cpu *me = this_cpu();
    struct pgtable *pgt = g->pgt;
    struct tlb_request *r = new_change(me, pgt, start, end, stride);
    uint64_t users = users_among(pgt, g);
    uint64_t holders = DEBUG >= 1 ? roots_holders(g) : 0;

    bug_moment(BUG_B17);
    bug_moment(BUG_B18);
    r->may_spare = !g->tables;
    if (tlb_settings.policy == TLB_EARLY && !g->tables)
        r->wish = TLB_FORGET_EARLY;
    if (bug_is_back(BUG_B71))
        users &= ~(1UL << (me->id ? 0 : 1));
    request_with(me, r, users, follow);
    if (unlikely(atomic_load_explicit(&pgt->late, memory_order_relaxed)))
        note_settled(r);
    ledger_assert(g, r->change.generation, holders);
}

uint64_t tlb_forget_here(struct pgtable *pgt, uint64_t start, uint64_t end, uint64_t stride)
{
    struct tlb_request *r = new_change(this_cpu(), pgt, start, end, stride);

    tlb_log_write(&r->change);
    irq_flags_t flags = irq_save();
    tlb_follow(&r->change);
    irq_restore(flags);
    return r->change.generation;
}

bool tlb_has_others(const struct pgtable *pgt)
{
    return atomic_load(&pgt->cpus) & ~(1UL << cpu_id());
}

void tlb_sweep(uint64_t targets)
{
    request_do(own_request(TLB_SWEEP, NULL), targets);
}

bool tlb_late_is_over(struct pgtable *pgt)
{
    uint64_t late = atomic_load(&pgt->late);

    return !tlb_users(pgt->id, late, false) && atomic_compare_exchange_strong(&pgt->late, &late, 0);
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

void tlb_roots_begin(struct pgtable *pgt)
{
    if (!roots_of(pgt) && !roots_make(pgt))
        request_do(own_request(TLB_LOAD_OWN, pgt), atomic_load(&pgt->cpus));
}

bool tlb_follow_root(uint64_t va)
{
    const struct cpu *cpu = this_cpu();

    return roots_of(cpu->pgt) && !cpu->tlb.probing && roots_follow(cpu->pgt, cpu->id, va);
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
    r->change.start = start;
    r->change.end = end;
    request_do(r, online_cpus());
}

void tlb_flush_kernel_leaves(const void *start, const void *end, enum pt_level level)
{
    struct tlb_request *r = own_request(TLB_KERNEL, NULL);

    r->change.start = (uint64_t)start;
    r->change.end = (uint64_t)end;
    r->change.stride = pt_level_size(level);
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

void tlb_refresh_user_local(user_addr_t va)
{
    tlb_forget_address(va.raw);
    tlb_follow_root(va.raw);
}
