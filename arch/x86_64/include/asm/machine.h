/* SPDX-License-Identifier: MIT */
/*
 * asm/machine.h - bringing the machine up, step by step
 *
 * Room:   arch, public face. kernel_main() calls these in this order.
 * Owns:   nothing; each step's file owns its state.
 * Locks:  none; one CPU.
 * Always: (1) each step needs only the ones before it.
 * Source: design.md section 8.
 * Tour:   with kernel/main.c.
 */
#pragma once

#include <boot_info.h>
#include <stdbool.h>

/* GDT, TSS, IDT, GS and control registers of the boot CPU. Faults are reported from here on.
 * @cmdline: words of it leave features off: docs/boot.md. */
void cpu_early_init(const char *cmdline);

/* What was found and switched on, one line. */
void cpu_print_features(void);

struct memmap;

/**
 * kernel_tables_init() - the kernel's own page tables
 * Maps the image with exact rights, all RAM of @map into the direct map, nothing else; leaves the
 * boot tables. Wants boot_alloc. Afterwards direct_map_ptr() works.
 */
void kernel_tables_init(const struct boot_info *info, const struct memmap *map);

/* Map frames at a fixed kernel address with the largest leaves that fit, from boot_alloc. */
void kernel_map_early(void *va, phys_addr_t a, uint64_t len_bytes);

/* The physical frame of a kernel image address. */
phys_addr_t kernel_image_phys(const void *p);

/* Find the ACPI tables; @rsdp 0 means search. False: none, one CPU. */
bool acpi_init(phys_addr_t rsdp);

/* Local and I/O APIC of the boot CPU; the 8259s are masked. */
void apic_init(void);

/* Find out what fast_string is to say, once there is memory and time. */
void fast_string_measure(void);

/* A window onto device registers, uncached. NULL when out of address space or memory, or when this
 * CPU has no such address. Windows are never given back. */
void *device_map(phys_addr_t a, uint64_t len_bytes);

/* Was @address refused by hardware, and at which level? Prints the walk, one line a level. */
void walk_print(uint64_t address);
