/* SPDX-License-Identifier: MIT */
/*
 * asm/cpu.h - which CPU this is, and what it can do
 *
 * Room:   arch, public face.
 * Owns:   cpu numbers, the set of online CPUs, the feature list.
 * Locks:  none: constant after boot, except the online set, which only grows (atomic).
 * Always: (1) CPUs are numbered 0 .. nr_cpus()-1 without holes; 0 booted the machine;
 *         (2) a feature is on when every CPU has it.
 * Source: Intel SDM 2A, "CPUID"; SDM 3A, "Control Registers".
 * Tour:   before asm/smp.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_CPUS        64
#define CACHE_LINE_SIZE 64

/* Features the kernel uses when the CPU has them; cpu_has() answers for the whole machine. */
enum cpu_feature {
    CPU_NX,
    CPU_PGE,
    CPU_PAGE_1G,
    CPU_SMEP,
    CPU_SMAP,
    CPU_UMIP,
    CPU_PKU,
    CPU_FSGSBASE,
    CPU_XSAVE,
    CPU_XSAVEOPT,
    CPU_PCID,
    CPU_INVPCID,
    CPU_X2APIC,
    CPU_TSC_DEADLINE,
    CPU_INVARIANT_TSC,
    CPU_RDTSCP,
    CPU_HYPERVISOR,
    CPU_RDRAND,
    CPU_FEATURES
};

extern uint32_t cpu_features; /* bit n: enum cpu_feature n; set once at boot */

static inline bool cpu_has(enum cpu_feature feature)
{
    return cpu_features & (1U << feature);
}

/* Does the CPU have the feature of this name, and the command line leaves it off? */
bool cpu_left_off(const char *name);

/* What programs are told by AT_HWCAP: the feature flags of CPUID leaf 1, EDX. */
uint32_t cpu_hwcap(void);

/* What /proc/cpuinfo tells. arch/x86_64/cpu_model.c */
struct cpu_model {
    char vendor[13], name[49];
    uint32_t family, model, stepping, max_leaf, phys_bits, virt_bits;
};

void cpu_model_read(struct cpu_model *out);

/* The name of the first feature from number *@n on that the CPU has; *@n becomes its number. False:
 * there is none. */
bool cpu_flag(unsigned *n, char *name, size_t size);

/* How often a CPU was interrupted. arch/x86_64/apic.c */
enum cpu_interrupt {
    CPU_INTERRUPT_CONSOLE,
    CPU_INTERRUPT_TIMER,
    CPU_INTERRUPT_RESCHEDULE,
    CPU_INTERRUPT_CALL,
    CPU_INTERRUPT_TLB,
    CPU_INTERRUPT_SPURIOUS,
    CPU_INTERRUPTS
};
uint64_t cpu_nr_interrupts(unsigned cpu, enum cpu_interrupt kind);

/* A word of the CPU's own random numbers; 0 when it has no generator, or that is exhausted. */
uint64_t cpu_random(void);

/* The number of the CPU that executes this. Stable only while the task cannot move. */
static inline unsigned cpu_id(void)
{
    unsigned id;
    __asm__ volatile("movl %%gs:8, %0" : "=r"(id)); /* struct cpu.id, see arch/x86_64/percpu.h */
    return id;
}

/* Add to a counter of this CPU: one instruction, so no interrupt of this CPU comes in between. */
static inline void cpu_counter_add(int64_t *counter, int64_t n)
{
    __asm__("addq %1, %0" : "+m"(*counter) : "er"(n));
}

/* How many CPUs run. Set once all that will come have come. */
extern unsigned cpus_running;

static inline unsigned nr_cpus(void)
{
    return READ_ONCE(cpus_running);
}
