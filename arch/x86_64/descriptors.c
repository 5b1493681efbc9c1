/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/descriptors.c - GDT, TSS and IDT
 *
 * Room:   arch.
 * Owns:   each CPU's GDT and TSS, the one IDT, the stacks of the exceptions that need their own.
 * Locks:  none: each CPU writes its own; the IDT is filled by the boot CPU.
 * Always: (1) double fault, NMI and machine check run on stacks that nothing else uses;
 *         (2) the topmost words of such a stack name its CPU, for entry.asm.
 * Source: Intel SDM 3A, "Protected-Mode Memory Management"; "64-Bit Mode Stack Frame".
 * Tour:   after arch/x86_64/cpu.c, before arch/x86_64/entry.asm.
 */
#include "entry.h"
#include "insn.h"
#include "percpu.h"
#include <asm/context.h>
#include <asm/machine.h>

struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist; /* 0: stay on the stack */
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e /* present, ring 0, IRQs off on entry */
#define GATE_USER      0xee /* the same, but INT n from ring 3 may use it */

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __packed;

static struct idt_gate idt[256];
static uint8_t boot_ist_stacks[IST_STACKS][IST_STACK_SIZE] __aligned(16);

static void idt_fill(void)
{
    static const struct {
        uint8_t vector, ist;
    } own_stack[] = {{TRAP_DOUBLE_FAULT, IST_DOUBLE_FAULT + 1},
                     {TRAP_NMI, IST_NMI + 1},
                     {TRAP_MACHINE_CHECK, IST_MACHINE_CHECK + 1}};

    for (unsigned v = 0; v < VECTORS; v++) {
        uint64_t entry = entry_vectors[v];
        idt[v] = (struct idt_gate){
            .offset_low = entry,
            .offset_middle = entry >> 16,
            .offset_high = entry >> 32,
            .selector = SELECTOR_KERNEL_CODE,
            .type = v == TRAP_BREAKPOINT || v == TRAP_OVERFLOW ? GATE_USER : GATE_INTERRUPT,
        };
    }
    for (unsigned i = 0; i < ARRAY_SIZE(own_stack); i++)
        idt[own_stack[i].vector].ist = own_stack[i].ist;
}

void ist_stack_set(struct cpu *cpu, enum ist_stack which, void *stack)
{
    uint64_t *top = (uint64_t *)((char *)stack + IST_STACK_SIZE) - 2;
    top[0] = 0; /* read as FRAME_SIZE + 0; keeps the frame 16-byte aligned */
    top[1] = (uint64_t)cpu;
    cpu->tss.ist[which] = (uint64_t)top;
}

void descriptors_init(struct cpu *cpu)
{
    bool boot_cpu = cpu == &cpus[0];
    cpu->self = cpu;
    cpu->id = cpu - cpus;
    if (boot_cpu) {
        idt_fill();
        for (unsigned i = 0; i < IST_STACKS; i++)
            ist_stack_set(cpu, i, boot_ist_stacks[i]);
    }

    uint64_t tss = (uint64_t)&cpu->tss;
    uint64_t limit = sizeof(cpu->tss) - 1;
    cpu->tss.io_map_base = sizeof(cpu->tss); /* no I/O permission bitmap: ports are ours alone */
    cpu->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffff;
    cpu->gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    cpu->gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
    cpu->gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff;
    cpu->gdt[SELECTOR_TSS / 8] =
        limit | (tss & 0xffffff) << 16 | 0x89UL << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;

    struct table_pointer gdt_pointer = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "lidt %3\n\t"
                     "ltr %w4" ::"m"(gdt_pointer),
                     "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA), "m"(idt_pointer),
                     "r"(SELECTOR_TSS)
                     : "rax", "memory");
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
}
