/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/percpu.h - what each CPU has of its own, reached through GS
 *
 * Room:   arch, private.
 * Owns:   struct cpu.
 * Locks:  each CPU writes its own; [a] fields are read and written by all.
 * Always: (1) GS.base points to this CPU's struct while ring 0 code runs;
 *         (2) the offsets below are those of percpu.inc and asm/cpu.h, asserted in cpu.c.
 * Source: Intel SDM 3A, "Task-State Segment in 64-bit Mode"; "SWAPGS".
 * Tour:   after asm/cpu.h.
 */
#pragma once

#include "tlb_local.h"
#include <asm/cpu.h>
#include <asm/pgtable.h>
#include <asm/tlb.h>
#include <asm/trap.h>
#include <stdatomic.h>

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* ist[n] is what the manual calls IST n+1 */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __packed;

enum ist_stack { IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_STACKS };

#define IST_STACK_SIZE 8192

#define LOCKS_HELD_MAX 8

struct cpu {
    struct cpu *self;            /* gs:0 */
    uint32_t id;                 /* gs:8 */
    uint32_t apic_id;            /* gs:12 */
    struct task *task;           /* gs:16 */
    uint64_t kernel_rsp;         /* gs:24, top of the running task's kernel stack */
    uint64_t user_rsp;           /* gs:32, for the first instructions of a system call */
    uint64_t copy_end;           /* gs:40, pgt->copy_end as this CPU knows it; uaccess.c */
    struct pgtable *pgt;         /* the address space that is loaded */
    _Atomic bool online;         /* [a] takes part in shootdowns */
    _Atomic uint64_t tlb_wanted; /* [a] bit n: CPU n waits for this one to flush */
    struct tlb_cpu tlb;
    unsigned nr_locks_held; /* debug builds: ranks of the spinning locks held */
    struct {
        const void *lock;
        enum lock_rank rank;
    } locks_held[LOCKS_HELD_MAX];
    uint64_t gdt[8];
    struct tss tss;
} __aligned(CACHE_LINE_SIZE);

extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/* Segment selectors; the order is the one SYSCALL and SYSRET demand. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   USER_DATA_SELECTOR /* 0x18 | 3 */
#define SELECTOR_USER_CODE   USER_CODE_SELECTOR /* 0x20 | 3 */
#define SELECTOR_TSS         0x28

/* GDT, TSS, IDT and GS of this CPU: arch/x86_64/descriptors.c */
void descriptors_init(struct cpu *cpu);

/* Give @cpu the stack (IST_STACK_SIZE bytes) it takes these exceptions on. */
void ist_stack_set(struct cpu *cpu, enum ist_stack which, void *stack);

/* Control registers and MSRs of this CPU as every CPU has them: arch/x86_64/cpu.c */
void control_registers_init(void);

/* Bring up what is per CPU on a processor that has just started: arch/x86_64/cpu.c */
/* False: it lacks a feature that the boot CPU has. */
bool cpu_secondary_init(struct cpu *cpu);

/* Answer all shootdown requests for this CPU; interrupt context: arch/x86_64/tlb.c */
void tlb_answer(void);

/* How many CPUs have come online: arch/x86_64/cpu.c */
void nr_cpus_set(unsigned nr);
