/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_space.c - which address space a CPU has loaded, and how far it has forgotten it
 *
 * Room:   arch.
 * Owns:   CR3, PCIDs, cpu->pgt, pgt->cpus.
 * Locks:  none: each CPU its own, IRQs off.
 * Always: (1) a CPU sets its bit in pgt->cpus before it looks at pgt->generation: either an
 *             initiator sees the bit, or the CPU sees the generation; he who asks nobody sees that
 *             the CPU is loading, or has loaded;
 *         (2) what a slot remembers is used only if nothing was taken out meanwhile.
 * Source: Intel SDM 3A, "Process-Context Identifiers (PCIDs)"; Linux commits 94b1b03b519b
 *         (generations), 10af6235e0d3 (PCIDs), for the idea. The order of steps is looked at in all
 *         states by tests/models/tlb_*.pml.
 * Tour:   after arch/x86_64/tlb_local.c.
 */
#include "tlb_local.h"

#include "insn.h"
#include "percpu.h"
#include "roots.h"
#include <base/bug.h>
#include <base/claim.h>
#include <base/log.h>
#include <lib/compiler.h>
#include <uapi/errno.h>

#define CR3_KEEP (1UL << 63) /* what the PCID remembers stays */

/* In which slot to load @pgt; *@keep: what it remembers of it is still so. */
static __force_inline unsigned slot_for(struct tlb_cpu *tlb, const struct pgtable *pgt,
                                        uint64_t generation, bool *keep)
{
    for (unsigned i = 0; i < TLB_SLOTS; i++) {
        if (tlb->slots[i].space == pgt->id) {
            *keep = tlb->slots[i].seen == generation;
            return i;
        }
    }
    unsigned slot = tlb->next_slot;
    tlb->next_slot = (slot + 1) % TLB_SLOTS;
    tlb->slots[slot].space = pgt->id;
    *keep = bug_is_back(BUG_B22);
    return slot;
}

static void root_load(struct cpu *cpu, const struct pgtable *pgt, uint64_t generation)
{
    struct tlb_cpu *tlb = &cpu->tlb;
    bool keep = true;

    if (!cpu_has(CPU_PCID)) {
        write_cr3(pgt->root.raw);
        return;
    }
    if (pgt == &kernel_pgtable) { /* PCID 0: it has nothing that is not global */
        write_cr3(pgt->root.raw | CR3_KEEP);
        return;
    }
    tlb->slot = slot_for(tlb, pgt, generation, &keep);
    write_cr3(pgt->root.raw | (tlb->slot + 1) | (keep ? CR3_KEEP : 0));
    if (keep)
        tlb_count(tlb->events, TLB_SWITCH_KEPT);
}

/* The same, where this CPU has a root of its own. Return: the generation that it has seen then. */
static __no_inline uint64_t own_root_load(struct cpu *cpu, struct pgtable *pgt, uint64_t generation)
{
    struct tlb_cpu *tlb = &cpu->tlb;
    bool keep = cpu_has(CPU_PCID);
    uint64_t pcid = 0;

    if (keep) {
        tlb->slot = slot_for(tlb, pgt, generation, &keep);
        pcid = tlb->slot + 1;
    }
    phys_addr_t root = roots_choose(pgt, cpu->id, &keep);
    if (!keep)
        generation = atomic_load(&pgt->generation);
    write_cr3(root.raw | pcid | (keep ? CR3_KEEP : 0));
    if (keep)
        tlb_count(tlb->events, TLB_SWITCH_KEPT);
    return roots_chosen(pgt, cpu->id, generation);
}

static void load(struct cpu *cpu, struct pgtable *pgt)
{
    struct tlb_cpu *tlb = &cpu->tlb;
    struct pgtable *old = cpu->pgt;
    uint64_t bit = 1UL << cpu->id;
    bool late = bug_is_back(BUG_B20), unseen = bug_is_back(BUG_B81);

    if (cpu_has(CPU_PCID) && old != &kernel_pgtable)
        tlb->slots[tlb->slot].seen = atomic_load(&tlb->seen);
    atomic_store(unseen ? &tlb->seen : &tlb->space, TLB_LOADING);
    if (!late)
        atomic_fetch_or(&pgt->cpus, bit);
    uint64_t generation = atomic_load(&pgt->generation);
    WRITE_ONCE(cpu->pgt, pgt);
    atomic_store(&tlb->lazy, false);
    cpu->copy_end = atomic_load_explicit(&pgt->copy_end, memory_order_relaxed);
    if (unlikely(roots_of(pgt)))
        generation = own_root_load(cpu, pgt, generation);
    else
        root_load(cpu, pgt, generation);
    if (unseen)
        atomic_store(&tlb->space, pgt->id);
    bug_moment(BUG_B81);
    atomic_store(&tlb->seen, generation);
    atomic_store(&tlb->space, pgt->id);
    bug_moment(BUG_B20);
    if (late)
        atomic_fetch_or(&pgt->cpus, bit);
    atomic_fetch_and(&old->cpus, ~bit);
    tlb_count(tlb->events, TLB_SWITCH);
}

/* The generations after @from up to @to, one by one; false if that cannot be, or takes long. */
static __no_inline bool forget_logged(struct cpu *cpu, uint64_t from, uint64_t to)
{
    uint64_t left = READ_ONCE(tlb_settings.ceiling);
    struct tlb_change missed;

    for (uint64_t generation = from + 1; generation <= to; generation++) {
        if (!tlb_log_read(cpu->pgt->id, generation, &missed))
            return false;
        uint64_t nr = (missed.end - missed.start) / missed.stride;
        if (nr > left)
            return false;
        left -= nr;
        tlb_forget_pages(&cpu->tlb, missed.start, missed.end, missed.stride);
    }
    return true;
}

/* All that was taken from the loaded space until now. */
static __no_inline void forget_all(struct cpu *cpu)
{
    uint64_t generation = atomic_load(&cpu->pgt->generation);

    tlb_forget_space();
    atomic_store(&cpu->tlb.seen, generation);
}

void tlb_catch_up(void)
{
    struct cpu *cpu = this_cpu();

    uint64_t generation = atomic_load(&cpu->pgt->generation), seen = atomic_load(&cpu->tlb.seen);

    if (generation == seen)
        return;
    if (forget_logged(cpu, seen, generation))
        atomic_store(&cpu->tlb.seen, generation);
    else
        forget_all(cpu);
    tlb_count(cpu->tlb.events, TLB_LAZY_CAUGHT_UP);
}

/* Be seen again, then see what was missed: who takes something out does it the other way round. */
static void wake(struct cpu *cpu)
{
    atomic_store(&cpu->tlb.behind, true);
    atomic_store(&cpu->tlb.lazy, false);
    cpu->copy_end = atomic_load(&cpu->pgt->copy_end);
    if (!bug_is_back(BUG_B80))
        tlb_catch_up();
    bug_moment(BUG_B82);
    atomic_store(&cpu->tlb.behind, false);
}

void tlb_load_own(struct pgtable *pgt)
{
    struct cpu *cpu = this_cpu();

    if (cpu->pgt != pgt)
        return;
    atomic_store(&cpu->tlb.behind, true);
    atomic_store(&cpu->tlb.seen, own_root_load(cpu, pgt, atomic_load(&pgt->generation)));
    atomic_store(&cpu->tlb.behind, false);
}

void tlb_switch(struct pgtable *pgt)
{
    struct cpu *cpu = this_cpu();

    if (cpu->pgt != pgt)
        load(cpu, pgt);
    else if (atomic_load_explicit(&cpu->tlb.lazy, memory_order_relaxed))
        wake(cpu);
    else if (unlikely(atomic_load_explicit(&pgt->late, memory_order_relaxed)) &&
             !bug_is_back(BUG_B83))
        tlb_catch_up(); /* the task may have taken something away elsewhere, and been late */
}

void tlb_idle(void)
{
    struct cpu *cpu = this_cpu();

    if (!tlb_settings.lazy)
        tlb_switch(&kernel_pgtable);
    else if (cpu->pgt != &kernel_pgtable)
        atomic_store(&cpu->tlb.lazy, true);
}

void tlb_leave_here(const struct pgtable *pgt)
{
    struct cpu *cpu = this_cpu();

    if (cpu->pgt == pgt)
        load(cpu, &kernel_pgtable);
}

void tlb_follow(const struct tlb_change *change)
{
    struct cpu *cpu = this_cpu();
    uint64_t seen = atomic_load_explicit(&cpu->tlb.seen, memory_order_relaxed);

    if (cpu->pgt != change->pgt || seen >= change->generation)
        return;
    bool missed = unlikely(seen + 1 != change->generation);

    if (change->end == TLB_ALL_OF_IT ||
        (missed && !forget_logged(cpu, seen, change->generation - 1))) {
        forget_all(cpu);
        return;
    }
    tlb_forget_pages(&cpu->tlb, change->start, change->end, change->stride);
    atomic_store_explicit(&cpu->tlb.seen, change->generation + bug_is_back(BUG_B75),
                          memory_order_release);
}

static int check_pcid(const struct cpu *me)
{
    uint64_t pcid = read_cr3() & ~PAGE_MASK;
    const struct tlb_slot *slot = &me->tlb.slots[me->tlb.slot];

    if (!cpu_has(CPU_PCID) || me->pgt == &kernel_pgtable) {
        CLAIM(pcid == 0, "V25", "CPU %u has PCID %lu, not 0", me->id, pcid);
        return 0;
    }
    CLAIM(pcid == me->tlb.slot + 1 && slot->space == me->pgt->id, "V25",
          "CPU %u has PCID %lu, slot %u, of space %lu, not %lu", me->id, pcid, me->tlb.slot,
          slot->space, me->pgt->id);
    return 0;
}

int tlb_check(void)
{
    const struct cpu *me = this_cpu();

    CLAIM((read_cr3() & PAGE_MASK) == roots_root(me->pgt, me->id).raw, "V26",
          "CPU %u walks root %#lx, and knows of %#lx", me->id, read_cr3(), me->pgt->root.raw);
    for (unsigned i = 0; i < nr_cpus(); i++) {
        const struct pgtable *pgt = cpus[i].pgt;
        uint64_t seen = atomic_load(&cpus[i].tlb.seen), generation = atomic_load(&pgt->generation);
        CLAIM(pgt == &kernel_pgtable || (atomic_load(&pgt->cpus) & 1UL << i), "V26",
              "CPU %u has loaded a root that does not know of it", i);
        CLAIM(seen >= generation || atomic_load(&cpus[i].tlb.lazy) || roots_of(pgt), "V25",
              "CPU %u has flushed for generation %lu of %lu", i, seen, generation);
    }
    return check_pcid(me);
}
