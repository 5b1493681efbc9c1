/* SPDX-License-Identifier: MIT */
/*
 * asm/power.h - leaving the machine
 *
 * Room:   arch, public face.
 * Owns:   the ways out: debug-exit port, ACPI S5, reset; in that order of trying.
 * Locks:  none.
 * Always: (1) none of these returns; the last resort is a halt with interrupts off.
 * Source: QEMU "isa-debug-exit"; ACPI, "Sleeping and Wake"; Bochs "Shutdown" port 0x8900.
 * Tour:   last.
 */
#pragma once

/* What the test port carries: an emulator's exit status becomes 2 * code + 1. */
enum exit_code { EXIT_CODE_OK = 0x10, EXIT_CODE_FAILED = 0x11, EXIT_CODE_PANIC = 0x12 };

/**
 * machine_power_off() - stop the other CPUs and leave
 * With a failure code a machine without a test device stays on, halted: its screen can be read.
 * Context: any, also a panic.
 */
_Noreturn void machine_power_off(enum exit_code code);

/* Start the machine anew. Context: any. */
_Noreturn void machine_reset(void);

/* For good; IRQs off, and an NMI changes nothing. */
_Noreturn void machine_halt_this_cpu(void);
