/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/smp.c - the other CPUs: starting, calling and stopping them
 *
 * Room:   arch.
 * Owns:   the start of one processor at a time; requests to run a function elsewhere.
 * Locks:  none: one CPU starts the others; each CPU has a call request of its own, as in tlb.c.
 * Always: (1) CPUs are numbered in the order in which they came online, without holes;
 *         (2) a CPU counts for shootdowns before it keeps any translation of the kernel half;
 *         (3) the two low pages used for starting hold again what they held before.
 * Source: Intel SDM 3A, "Multiple-Processor Initialization"; MultiProcessor Specification, B.4.
 * Tour:   after arch/x86_64/apic.c, with arch/x86_64/trampoline.asm.
 */
#include "smp.h"

#include "acpi.h"
#include "apic.h"
#include "entry.h"
#include "insn.h"
#include "kernel_tables.h"
#include "percpu.h"
#include <asm/context.h>
#include <asm/direct_map.h>
#include <asm/power.h>
#include <asm/smp.h>
#include <asm/spinlock.h>
#include <asm/time.h>
#include <base/log.h>
#include <base/panic.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define LOW_PAGES_END 0xa0 /* pfn: video memory begins */
#define STOP_WAIT_MAX 200000
#define US            1000UL
#define MS            (1000 * US)
#define SIPI_WAIT     (200 * US)

/*
 *   WAITED ----> ARRIVED ----> ONLINE
 *      |            `--------> REFUSED     the CPU lacks a feature
 *      `-------> GIVEN_UP                  it did not come in time; must not come later
 */
enum start_state { START_WAITED, START_ARRIVED, START_ONLINE, START_REFUSED, START_GIVEN_UP };

/*
 * The state of the attempt under way, with its number above it. INIT takes effect late on a machine
 * whose processors do not all run: one that was told to start over may still arrive by the attempt
 * before. It has the old number then, and halts until the INIT reaches it.
 */
static _Atomic uint32_t start_state;
static _Atomic uint32_t start_attempt;

static uint64_t arrival_tsc; /* of the CPU that starts, when it arrived */

/* What is prepared once for all starts. */
struct launch_pad {
    uint64_t pfn;       /* two low pages: the trampoline, a copy of the root table */
    void *saved;        /* what they held */
    struct pgtable pgt; /* the kernel half, and the trampoline at its physical address */
};

/* What a CPU needs before it can run C. */
struct cpu_stacks {
    void *kernel; /* KSTACK_SIZE, with a guard page */
    char *ist;    /* IST_STACKS of IST_STACK_SIZE */
};

static uint32_t state_of_attempt(enum start_state state, uint32_t attempt)
{
    return state | attempt << 8;
}

static enum start_state current_state(void)
{
    return atomic_load(&start_state) & 0xff;
}

/* Where the trampoline leads: on the temporary root, with its own stack and nothing else. */
static _Noreturn void secondary_start(struct cpu *cpu)
{
    uint32_t expected = state_of_attempt(START_WAITED, atomic_load(&start_attempt));

    write_cr3(kernel_pgtable.root.raw);
    arrival_tsc = tsc_read();
    if (!atomic_compare_exchange_strong(&start_state, &expected, START_ARRIVED))
        machine_halt_this_cpu();
    if (!cpu_secondary_init(cpu)) {
        atomic_store(&start_state, START_REFUSED);
        machine_halt_this_cpu();
    }
    apic_init_cpu();
    atomic_store(&cpu->online, true);
    nr_cpus_set(cpu->id + 1);
    tlb_forget_all(); /* claim 2: what was remembered before others knew of this CPU */
    atomic_store(&start_state, START_ONLINE);
    secondary_main(cpu->id);
}

static bool arrives_within(uint64_t ns)
{
    uint64_t start = clock_ns();

    while (current_state() == START_WAITED)
        if (clock_ns() - start > ns)
            return false;
        else
            cpu_relax();
    return true;
}

/* The sequence of the manual. @init_ns: what the processor may need to get ready after INIT. */
static bool wake(uint32_t apic_id, uint64_t pfn, uint64_t init_ns, uint64_t wait_ns)
{
    apic_send_init(apic_id);
    delay_ns(init_ns);
    uint32_t expected = state_of_attempt(START_WAITED, atomic_fetch_add(&start_attempt, 1) + 1);
    atomic_store(&start_state, expected);
    apic_send_startup(apic_id, pfn);
    if (arrives_within(SIPI_WAIT))
        return true;
    apic_send_startup(apic_id, pfn);
    if (arrives_within(wait_ns))
        return true;
    return !atomic_compare_exchange_strong(&start_state, &expected, START_GIVEN_UP);
}

/* Its clock must not run behind what this CPU saw before, nor ahead of what it sees after. */
static void tsc_compare(unsigned cpu, uint64_t before)
{
    uint64_t after = tsc_read();

    if (arrival_tsc < before)
        log_warn("cpu %u: its time stamp counter is %lu behind", cpu, before - arrival_tsc);
    else if (arrival_tsc > after)
        log_warn("cpu %u: its time stamp counter is %lu ahead", cpu, arrival_tsc - after);
}

/* False: it did not come; it is asleep for good, and its stacks can be used for another. */
static bool cpu_start(const struct launch_pad *pad, struct cpu *cpu)
{
    uint64_t before = tsc_read();

    /*
     * Today's processors need no pause after INIT; old ones get the 10 ms they were promised. One
     * that halted as too late for an attempt needs another INIT: so there are several.
     */
    bool came = wake(cpu->apic_id, pad->pfn, 10 * US, 20 * MS);
    for (uint64_t wait = 100 * MS; !came && wait <= 3200 * MS; wait *= 2)
        came = wake(cpu->apic_id, pad->pfn, 10 * MS, wait);
    if (!came) {
        apic_send_init(cpu->apic_id);
        log_warn("cpus: the one with APIC id %u does not start", cpu->apic_id);
        return false;
    }
    while (current_state() == START_ARRIVED)
        cpu_relax();
    if (current_state() == START_REFUSED) {
        apic_send_init(cpu->apic_id);
        log_warn("cpus: the one with APIC id %u lacks features of the first", cpu->apic_id);
        return false;
    }
    tsc_compare(cpu->id, before);
    return true;
}

static int stacks_alloc(struct cpu_stacks *stacks)
{
    if (!stacks->kernel)
        stacks->kernel = kstack_alloc();
    if (!stacks->ist)
        stacks->ist = kmem_alloc(IST_STACKS * IST_STACK_SIZE, SLAB_ALLOC_PLAIN);
    return stacks->kernel && stacks->ist ? 0 : -ENOMEM;
}

static void stacks_free(struct cpu_stacks *stacks)
{
    if (stacks->kernel)
        kstack_free(stacks->kernel);
    kmem_free(stacks->ist);
}

static struct trampoline_data *trampoline_data(const struct launch_pad *pad)
{
    char *page = direct_map_ptr(pfn_to_phys(pad->pfn));
    return (struct trampoline_data *)(page + (trampoline_end - trampoline_start)) - 1;
}

/* The highest two neighbouring pages of RAM below video memory; 0: none. Never page 0. */
static uint64_t low_pages_find(void)
{
    for (uint64_t pfn = LOW_PAGES_END - 2; pfn; pfn--)
        if (direct_map_present(pfn) && direct_map_present(pfn + 1))
            return pfn;
    return 0;
}

/* Processors start in 16-bit mode at a page below 1 MiB; and CR3 is 32 bits wide for them. */
static int pad_map(struct launch_pad *pad)
{
    user_addr_t low = user(pfn_to_phys(pad->pfn).raw);
    pgprot_t prot = pgprot_exec(pgprot_kernel());
    struct pt_walk walk;

    int err = pgtable_init(&pad->pgt);
    if (err)
        return err;
    err = pt_walk_alloc(&pad->pgt, low, PT_4K, &walk);
    if (err) {
        pgtable_destroy(&pad->pgt);
        return err;
    }
    spin_lock(pt_lock(walk.table));
    pt_set(walk.table, walk.slot, pte_leaf(pfn_to_phys(pad->pfn), prot, PT_4K));
    spin_unlock(pt_lock(walk.table));
    return 0;
}

static void pad_unmap(struct launch_pad *pad)
{
    struct pt_walk walk = pt_walk(&pad->pgt, user(pfn_to_phys(pad->pfn).raw));

    spin_lock(pt_lock(walk.table));
    pt_set(walk.table, walk.slot, pte_none());
    spin_unlock(pt_lock(walk.table));
    pgtable_destroy(&pad->pgt);
}

/* Somebody's data may lie in the low pages, an initramfs for instance: it is put back later. */
static int pad_build(struct launch_pad *pad)
{
    pad->pfn = low_pages_find();
    if (!pad->pfn)
        return -ENOMEM;
    pad->saved = kmem_alloc(2 * PAGE_SIZE, SLAB_ALLOC_PLAIN);
    if (!pad->saved)
        return -ENOMEM;
    int err = pad_map(pad);
    if (err) {
        kmem_free(pad->saved);
        return err;
    }
    char *pages = direct_map_ptr(pfn_to_phys(pad->pfn));
    memcpy(pad->saved, pages, 2 * PAGE_SIZE);
    memcpy(pages, trampoline_start, trampoline_end - trampoline_start);
    memcpy(pages + PAGE_SIZE, direct_map_ptr(pad->pgt.root), PAGE_SIZE);

    struct trampoline_data *data = trampoline_data(pad);
    data->root = pfn_to_phys(pad->pfn + 1).raw;
    data->efer = EFER_LME | (cpu_has(CPU_NX) ? EFER_NXE : 0);
    data->entry = (uint64_t)secondary_start;
    return 0;
}

static void pad_remove(struct launch_pad *pad)
{
    memcpy(direct_map_ptr(pfn_to_phys(pad->pfn)), pad->saved, 2 * PAGE_SIZE);
    kmem_free(pad->saved);
    pad_unmap(pad);
}

static void start_one(const struct launch_pad *pad, uint32_t apic_id, struct cpu_stacks *stacks)
{
    struct cpu *cpu = &cpus[nr_cpus()];
    struct trampoline_data *data = trampoline_data(pad);

    cpu->id = cpu - cpus;
    cpu->apic_id = apic_id;
    for (unsigned i = 0; i < IST_STACKS; i++)
        ist_stack_set(cpu, i, stacks->ist + i * IST_STACK_SIZE);
    data->stack_top = (uint64_t)stacks->kernel + KSTACK_SIZE;
    data->argument = (uint64_t)cpu;
    if (cpu_start(pad, cpu))
        *stacks = (struct cpu_stacks){0}; /* they are the CPU's now */
}

static void start_all(const struct launch_pad *pad, unsigned max_cpus)
{
    const struct acpi_madt *madt = &acpi_info.madt;
    struct cpu_stacks stacks = {0};

    for (unsigned i = 0; i < madt->nr_cpus && nr_cpus() < max_cpus; i++) {
        uint32_t apic_id = madt->apic_ids[i];
        if (apic_id == cpus[0].apic_id)
            continue;
        if (!apic_reaches(apic_id)) {
            log_warn("cpus: the one with APIC id %u needs x2APIC", apic_id);
        } else if (stacks_alloc(&stacks)) {
            log_warn("cpus: no memory for more than %u", nr_cpus());
            break;
        } else {
            start_one(pad, apic_id, &stacks);
        }
    }
    stacks_free(&stacks);
}

void smp_start(unsigned max_cpus)
{
    unsigned wanted = min(acpi_info.madt.nr_cpus, max_cpus);
    struct launch_pad pad;

    if (acpi_info.madt.nr_listed > MAX_CPUS)
        log_warn("cpus: %u are listed, %u is the limit", acpi_info.madt.nr_listed, MAX_CPUS);
    if (wanted > 1) {
        if (pad_build(&pad)) {
            log_warn("cpus: no memory below 1 MiB to start others in");
        } else {
            start_all(&pad, wanted);
            pad_remove(&pad);
        }
    }
    log_info("cpus: %u online", nr_cpus());
}

void smp_reschedule(unsigned cpu)
{
    irq_flags_t flags = irq_save();
    apic_send_ipi(&cpus[cpu], VECTOR_RESCHEDULE);
    irq_restore(flags);
}

struct call_request {
    void (*fn)(void *arg);
    void *arg;
    _Atomic uint64_t pending; /* bit n: CPU n has not run it yet */
} __aligned(CACHE_LINE_SIZE);

static struct call_request call_requests[MAX_CPUS]; /* index: who asks */
static _Atomic uint64_t call_wanted[MAX_CPUS];      /* bit n: CPU n asks this one */

void smp_call_answer(void)
{
    unsigned self = cpu_id();
    uint64_t callers = atomic_exchange(&call_wanted[self], 0);

    for (; callers; callers &= callers - 1) {
        struct call_request *r = &call_requests[__builtin_ctzl(callers)];
        r->fn(r->arg);
        atomic_fetch_and_explicit(&r->pending, ~(1UL << self), memory_order_release);
    }
}

void smp_call_others(void (*fn)(void *arg), void *arg)
{
    ASSERT(irqs_enabled() || nr_cpus() == 1, "two CPUs that call each other must both answer");
    unsigned self = cpu_id(), nr = nr_cpus();
    uint64_t others = (nr == 64 ? ~0UL : (1UL << nr) - 1) & ~(1UL << self);
    struct call_request *r = &call_requests[self];

    r->fn = fn;
    r->arg = arg;
    atomic_store_explicit(&r->pending, others, memory_order_release);
    irq_flags_t flags = irq_save();
    for (uint64_t left = others; left; left &= left - 1) {
        unsigned cpu = __builtin_ctzl(left);
        atomic_fetch_or(&call_wanted[cpu], 1UL << self);
        apic_send_ipi(&cpus[cpu], VECTOR_CALL);
    }
    irq_restore(flags);
    while (atomic_load_explicit(&r->pending, memory_order_acquire))
        cpu_relax();
}

static _Atomic int stopper = -1; /* the CPU that goes on alone */
static _Atomic unsigned nr_stopped;
static const struct trap_frame *_Atomic stopped_at[MAX_CPUS];

void smp_stop_others(void)
{
    int self = cpu_id(), nobody = -1;

    if (!atomic_compare_exchange_strong(&stopper, &nobody, self)) {
        if (nobody != self)
            machine_halt_this_cpu(); /* somebody else was first */
        return;
    }
    apic_send_nmi_to_others();
    for (unsigned n = 0; atomic_load(&nr_stopped) < nr_cpus() - 1 && n < STOP_WAIT_MAX; n++)
        cpu_relax();
}

const struct trap_frame *smp_stopped_at(unsigned cpu)
{
    return atomic_load(&stopped_at[cpu]);
}

void smp_stop_if_told(const struct trap_frame *frame)
{
    int cpu = atomic_load(&stopper);

    if (cpu < 0 || cpu == (int)cpu_id())
        return;
    atomic_store(&stopped_at[cpu_id()], frame);
    atomic_fetch_add(&nr_stopped, 1);
    machine_halt_this_cpu();
}

void cpu_idle(void)
{
    /* STI takes effect after the next instruction: no interrupt can slip in before the HLT. */
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}
