/* SPDX-License-Identifier: MIT */
/*
 * asm/smp.h - the other CPUs: starting, waking and stopping them
 *
 * Room:   arch, public face.
 * Owns:   the start of application processors, inter-processor interrupts.
 * Locks:  none.
 * Always: (1) an application processor enters secondary_main() with its own stack, GS and IDT.
 * Source: Intel SDM 3A, "Multiple-Processor Management"; ACPI, "Multiple APIC Description Table".
 * Tour:   after asm/cpu.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trap_frame;

/**
 * smp_start() - start every CPU the MADT lists, up to @max_cpus
 * Borrows two pages below 1 MiB and gives them back as they were. A CPU that does not come costs a
 * line in the log, and 5 s.
 * Context: boot CPU, once, while nobody uses memory below 1 MiB; after time_init().
 * Return: when all that came are online and on their way to secondary_main().
 */
void smp_start(unsigned max_cpus);

/* Where an application processor goes; kernel/main.c. IRQs off. */
_Noreturn void secondary_main(unsigned cpu);

/* Make CPU @cpu take INTERRUPT_RESCHEDULE. */
void smp_reschedule(unsigned cpu);

/* Run @fn(@arg) on every other CPU, in interrupt context, and wait for all. IRQs on. */
void smp_call_others(void (*fn)(void *arg), void *arg);

/* Stop every other CPU for good, by NMI. For panic and power-off: any context, whatever locks they
 * hold. Of two CPUs that call it one goes on; the other never returns. */
void smp_stop_others(void);

/* What a CPU was doing when it was stopped; NULL: it was not. For good: it does not go on. */
const struct trap_frame *smp_stopped_at(unsigned cpu);

/* Wait for an interrupt with IRQs on; returns with IRQs off. */
void cpu_idle(void);
