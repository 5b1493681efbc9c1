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

#include <stdint.h>

/* Enable the local APIC of this CPU. */
void apic_init_cpu(void);

/* Any context. Returns when the controller accepted it. */
void apic_send_ipi(unsigned cpu, unsigned vector);

/* INIT and start-up, by APIC id, for processors that do not run yet. */
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);

/* Stop all others at once, whatever they do. */
void apic_send_nmi_to_others(void);
