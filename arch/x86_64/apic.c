/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/apic.c - local and I/O APIC: interrupts in, interrupts to other CPUs
 *
 * Room:   arch.
 * Owns:   the APIC registers, the dispatch of vectors 0x20 and up.
 * Locks:  none: a local APIC is its CPU's own; the I/O APICs are set up once, by the boot CPU.
 * Always: (1) interrupts are acknowledged before their up-call;
 *         (2) every input of an I/O APIC is masked but those of the two serial lines;
 *         (3) the 8259s are masked, and what they may still raise by mistake is VECTOR_SPURIOUS.
 * Source: Intel SDM 3A, "Advanced Programmable Interrupt Controller (APIC)"; 82093AA I/O APIC.
 * Tour:   after arch/x86_64/acpi.c, before arch/x86_64/time.c and smp.c.
 */
#include "apic.h"

#include "acpi.h"
#include "entry.h"
#include "insn.h"
#include "percpu.h"
#include "smp.h"
#include <asm/machine.h>
#include <asm/spinlock.h>
#include <base/log.h>
#include <base/panic.h>
#include <upcalls.h>

/* Offsets of the memory form; the x2APIC's MSR is MSR_X2APIC + offset / 16. */
enum apic_register {
    APIC_ID = 0x020,
    APIC_TASK_PRIORITY = 0x080,
    APIC_EOI = 0x0b0,
    APIC_SPURIOUS = 0x0f0,
    APIC_COMMAND = 0x300, /* x2APIC: 64 bits, the target in the upper half */
    APIC_COMMAND_TARGET = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_START = 0x380,
    APIC_TIMER_LEFT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0
};

#define APIC_BASE_ENABLE  (1 << 11)
#define APIC_BASE_X2APIC  (1 << 10)
#define APIC_BASE_ADDRESS 0x000ffffffffff000
#define APIC_WINDOW_BYTES 0x1000

#define SPURIOUS_ENABLE   (1 << 8)
#define LVT_MASKED        (1 << 16)
#define LVT_NMI           (4 << 8)
#define LVT_TIMER_ONCE    (0 << 17)
#define LVT_TIMER_TSC     (2 << 17)
#define TIMER_DIVIDE_BY_1 0xb

#define COMMAND_FIXED   (0 << 8)
#define COMMAND_NMI     (4 << 8)
#define COMMAND_INIT    (5 << 8)
#define COMMAND_STARTUP (6 << 8)
#define COMMAND_PENDING (1 << 12)
#define COMMAND_ASSERT  (1 << 14)
#define COMMAND_LEVEL   (1 << 15)

#define ACCEPT_WAIT_MAX 100000

char *apic_registers; /* NULL with x2APIC, and before apic_init(); entry.asm uses it */

/* A register's memory form. */
static volatile uint32_t *apic_memory(char *registers, enum apic_register r)
{
    return (volatile uint32_t *)(registers + r);
}

static uint32_t apic_read(enum apic_register r)
{
    if (!apic_registers)
        return rdmsr(MSR_X2APIC + r / 16);
    return *apic_memory(apic_registers, r);
}

static void apic_write(enum apic_register r, uint32_t v)
{
    if (!apic_registers)
        wrmsr(MSR_X2APIC + r / 16, v);
    else
        *apic_memory(apic_registers, r) = v;
}

uint32_t apic_own_id(void)
{
    return apic_registers ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

bool apic_reaches(uint32_t apic_id)
{
    return !apic_registers || apic_id < 0xff;
}

static void wait_accepted(void)
{
    for (unsigned n = 0; apic_read(APIC_COMMAND) & COMMAND_PENDING && n < ACCEPT_WAIT_MAX; n++)
        cpu_relax();
}

/* Unlike a store to the memory form, this WRMSR does not wait for earlier stores. */
static __no_inline void send_by_msr(uint32_t target, uint32_t command)
{
    __asm__ volatile("mfence; lfence" ::: "memory");
    wrmsr(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)target << 32 | command);
}

/* IRQs off, or nothing that they do sends. */
static void send(uint32_t target, uint32_t command)
{
    char *registers = apic_registers;

    if (!registers) {
        send_by_msr(target, command);
        return;
    }
    if (unlikely(*apic_memory(registers, APIC_COMMAND) & COMMAND_PENDING))
        wait_accepted();
    *apic_memory(registers, APIC_COMMAND_TARGET) = target << 24;
    *apic_memory(registers, APIC_COMMAND) = command;
}

void apic_send_ipi(const struct cpu *cpu, unsigned vector)
{
    send(cpu->apic_id, COMMAND_FIXED | COMMAND_ASSERT | vector);
}

void apic_send_init(uint32_t apic_id)
{
    send(apic_id, COMMAND_INIT | COMMAND_LEVEL | COMMAND_ASSERT);
    if (apic_registers)
        send(apic_id, COMMAND_INIT | COMMAND_LEVEL); /* de-assert, which old controllers want */
}

void apic_send_startup(uint32_t apic_id, uint8_t page)
{
    send(apic_id, COMMAND_STARTUP | COMMAND_ASSERT | page);
}

/* One by one: the shorthand would also wake processors that were never started. */
void apic_send_nmi_to_others(void)
{
    for (unsigned i = 0; i < nr_cpus(); i++)
        if (i != cpu_id())
            send(cpus[i].apic_id, COMMAND_NMI | COMMAND_ASSERT);
}

void apic_timer_set(uint32_t count)
{
    apic_write(APIC_TIMER_START, count);
}

uint32_t apic_timer_left(void)
{
    return apic_read(APIC_TIMER_LEFT);
}

void apic_timer_set_deadline(uint64_t tsc)
{
    wrmsr(MSR_TSC_DEADLINE, tsc);
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    if (cpu_has(CPU_X2APIC)) {
        wrmsr(MSR_APIC_BASE, base); /* the mode may change by one step only */
        base |= APIC_BASE_X2APIC;
    }
    wrmsr(MSR_APIC_BASE, base);

    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER,
               VECTOR_TIMER | (cpu_has(CPU_TSC_DEADLINE) ? LVT_TIMER_TSC : LVT_TIMER_ONCE));
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    __asm__ volatile("mfence" ::: "memory"); /* the timer's mode is set before its first deadline */
}

#define PIC_MASTER     0x20
#define PIC_SLAVE      0xa0
#define PIC_DATA       1    /* added to either */
#define PIC_INIT       0x11 /* four words follow: this, vectors, wiring, mode */
#define PIC_MODE_8086  0x01
#define PIC_LAST_INPUT 7 /* what an 8259 names when an input went away too early */

/* Whatever they raise lands on VECTOR_SPURIOUS, and all their inputs are masked. */
static void pic_disable(void)
{
    static const struct {
        uint16_t port;
        uint8_t wiring;
    } pics[] = {{PIC_MASTER, 1 << 2}, {PIC_SLAVE, 2}};

    for (unsigned i = 0; i < ARRAY_SIZE(pics); i++) {
        outb(pics[i].port, PIC_INIT);
        outb(pics[i].port + PIC_DATA, VECTOR_SPURIOUS - PIC_LAST_INPUT);
        outb(pics[i].port + PIC_DATA, pics[i].wiring);
        outb(pics[i].port + PIC_DATA, PIC_MODE_8086);
        outb(pics[i].port + PIC_DATA, 0xff);
    }
}

/* An I/O APIC shows one register at a time: its number here, its value there. */
#define IO_APIC_SELECT       0x00
#define IO_APIC_VALUE        0x10
#define IO_APIC_WINDOW_BYTES 0x20
#define IO_APIC_VERSION      1
#define IO_APIC_INPUT(n)     (0x10 + 2 * (n)) /* and the next one: the target CPU */
#define INPUT_ACTIVE_LOW     (1 << 13)
#define INPUT_LEVEL          (1 << 15)
#define INPUT_MASKED         (1 << 16)

static uint32_t io_apic_read(volatile char *registers, unsigned n)
{
    *(volatile uint32_t *)(registers + IO_APIC_SELECT) = n;
    return *(volatile uint32_t *)(registers + IO_APIC_VALUE);
}

static void io_apic_write(volatile char *registers, unsigned n, uint32_t v)
{
    *(volatile uint32_t *)(registers + IO_APIC_SELECT) = n;
    *(volatile uint32_t *)(registers + IO_APIC_VALUE) = v;
}

/* The ISA interrupts that lead to the up-call INTERRUPT_CONSOLE: COM1 and COM2. */
static const uint8_t console_irqs[] = {4, 3};

static void io_apic_route(volatile char *registers, uint32_t input, const struct acpi_isa_irq *irq)
{
    io_apic_write(registers, IO_APIC_INPUT(input) + 1, cpus[0].apic_id << 24);
    io_apic_write(registers, IO_APIC_INPUT(input),
                  VECTOR_CONSOLE | (irq->active_low ? INPUT_ACTIVE_LOW : 0) |
                      (irq->level ? INPUT_LEVEL : 0));
}

static void io_apic_init(const struct acpi_io_apic *io_apic)
{
    volatile char *registers = device_map(io_apic->registers, IO_APIC_WINDOW_BYTES);
    if (!registers) {
        log_warn("apic: no room for the I/O APIC at %#lx", io_apic->registers.raw);
        return;
    }
    unsigned nr_inputs = (io_apic_read(registers, IO_APIC_VERSION) >> 16 & 0xff) + 1;
    for (unsigned n = 0; n < nr_inputs; n++)
        io_apic_write(registers, IO_APIC_INPUT(n), INPUT_MASKED);
    for (unsigned i = 0; i < ARRAY_SIZE(console_irqs); i++) {
        const struct acpi_isa_irq *irq = &acpi_info.madt.isa_irqs[console_irqs[i]];
        uint32_t input = irq->input - io_apic->first_input;
        if (irq->input >= io_apic->first_input && input < nr_inputs)
            io_apic_route(registers, input, irq);
    }
}

void apic_init(void)
{
    if (!cpu_has(CPU_X2APIC)) {
        phys_addr_t base = phys(rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS);
        apic_registers = device_map(base, APIC_WINDOW_BYTES);
        ASSERT(apic_registers, "the first window of many never fails");
    }
    pic_disable();
    apic_init_cpu();
    cpus[0].apic_id = apic_own_id();
    for (unsigned i = 0; i < acpi_info.madt.nr_io_apics; i++)
        io_apic_init(&acpi_info.madt.io_apics[i]);
}

static struct {
    int64_t by_kind[CPU_INTERRUPTS]; /* [this CPU] */
} __aligned(CACHE_LINE_SIZE) interrupts[MAX_CPUS];

static void count(enum cpu_interrupt kind)
{
    cpu_counter_add(&interrupts[cpu_id()].by_kind[kind], 1);
}

uint64_t cpu_nr_interrupts(unsigned cpu, enum cpu_interrupt kind)
{
    if (kind == CPU_INTERRUPT_TLB) /* entry.asm counts most of them */
        return (uint64_t)READ_ONCE(cpus[cpu].tlb.events[TLB_REMOTE_HANDLED]);
    return READ_ONCE(interrupts[cpu].by_kind[kind]);
}

void interrupt_dispatch(struct trap_frame *frame, unsigned vector)
{
    if (vector == VECTOR_SPURIOUS) {
        count(CPU_INTERRUPT_SPURIOUS);
        return; /* not in service, so not acknowledged */
    }
    apic_write(APIC_EOI, 0);
    if (vector == VECTOR_TIMER) {
        count(CPU_INTERRUPT_TIMER);
        upcall_interrupt(frame, INTERRUPT_TIMER);
    } else if (vector == VECTOR_TLB) {
        tlb_answer();
    } else if (vector == VECTOR_RESCHEDULE) {
        count(CPU_INTERRUPT_RESCHEDULE);
        upcall_interrupt(frame, INTERRUPT_RESCHEDULE);
    } else if (vector == VECTOR_CALL) {
        count(CPU_INTERRUPT_CALL);
        smp_call_answer();
    } else if (vector == VECTOR_CONSOLE) {
        count(CPU_INTERRUPT_CONSOLE);
        upcall_interrupt(frame, INTERRUPT_CONSOLE);
    }
}
