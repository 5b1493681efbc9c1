/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/apic.h - the local interrupt controller
 *
 * Room:   arch, private.
 * Owns:   nothing; see apic.c.
 * Locks:  none: each CPU uses its own registers, IRQs off around two-word writes.
 * Always: (1) interrupts are acknowledged before their up-call.
 * Source: Intel SDM 3A, "Advanced Programmable Interrupt Controller (APIC)".
 * Tour:   with arch/x86_64/apic.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern char *apic_registers;

/* Enable the local APIC of this CPU. */
void apic_init_cpu(void);

/* The number this CPU's controller has. */
uint32_t apic_own_id(void);

/* Can interrupts be sent to this APIC id? Not above 254 without x2APIC. */
bool apic_reaches(uint32_t apic_id);

struct cpu;

/* IRQs off. */
void apic_send_ipi(const struct cpu *cpu, unsigned vector);

/* INIT and start-up, by APIC id, for processors that do not run yet. */
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);

/* Stop all others at once, whatever they do. */
void apic_send_nmi_to_others(void);

/* This CPU's timer: counts down from @count, raises VECTOR_TIMER at 0 once. 0 stops it. */
void apic_timer_set(uint32_t count);
uint32_t apic_timer_left(void);

/* Where the CPU has it: VECTOR_TIMER when the time stamp counter passes @tsc; 0 stops it. */
void apic_timer_set_deadline(uint64_t tsc);
