/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/acpi.h - what the firmware's tables say about this machine
 *
 * Room:   arch, private.
 * Owns:   struct acpi_info, and the parsers, which take bytes and a length and nothing else.
 * Locks:  none: filled by the boot CPU, constant afterwards.
 * Always: (1) a parser reads no byte beyond the length it got, whatever the bytes say;
 *         (2) a result is written by a parser that succeeded, or left as it was.
 * Source: ACPI specification, "ACPI Software Programming Model".
 * Tour:   before arch/x86_64/acpi_parse.c and acpi.c.
 */
#pragma once

#include <asm/cpu.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_IO_APICS_MAX 8
#define ISA_IRQS          16

/* "Multiple APIC Description Table": processors and interrupt controllers. */
struct acpi_madt {
    unsigned nr_listed;          /* processors that may be started */
    unsigned nr_cpus;            /* of these, in apic_ids[] */
    uint32_t apic_ids[MAX_CPUS]; /* the boot CPU's among them */
    unsigned nr_io_apics;
    struct acpi_io_apic {
        phys_addr_t registers;
        uint32_t first_input; /* the global number of its input 0 */
    } io_apics[ACPI_IO_APICS_MAX];
    struct acpi_isa_irq {
        uint32_t input; /* global number */
        bool level;     /* else edge */
        bool active_low;
    } isa_irqs[ISA_IRQS];
};

/* "Generic Address Structure", of the two kinds we can reach. */
struct acpi_register {
    enum { ACPI_REGISTER_NONE, ACPI_REGISTER_MEMORY, ACPI_REGISTER_PORT } space;
    uint64_t address;
};

/* "Fixed ACPI Description Table": power and time. Ports are 0 where there is none. */
struct acpi_fadt {
    phys_addr_t dsdt; /* 0: none */
    uint16_t smi_command;
    uint8_t acpi_enable; /* written to smi_command; 0: ACPI mode is always on */
    uint16_t pm1_control[2];
    uint16_t pm_timer;
    bool pm_timer_32bit; /* else 24 */
    struct acpi_register reset;
    uint8_t reset_value;
    struct acpi_register sleep_control; /* machines without PM1 registers */
};

struct acpi_info {
    struct acpi_madt madt; /* nr_cpus 0: none found */
    struct acpi_fadt fadt;
    phys_addr_t hpet;    /* registers of the event timer; 0: none */
    const void *dsdt;    /* mapped, not verified; NULL: none */
    uint32_t dsdt_bytes; /* as far as it is mapped */
};

extern struct acpi_info acpi_info;

/* Where the list of tables is, and how wide its entries are. */
struct acpi_root {
    phys_addr_t table;
    unsigned entry_bytes; /* 4: RSDT, 8: XSDT */
};

#define ACPI_HEADER_BYTES   36 /* what every table begins with */
#define ACPI_SIGNATURE_AT   0
#define ACPI_RSDP_V1_BYTES  20
#define ACPI_RSDP_MAX_BYTES 36

/* The length a table header gives; @header has ACPI_HEADER_BYTES. */
uint32_t acpi_table_bytes(const void *header);

/* Right signature, a length within @len_bytes, and a sum of zero? */
bool __must_check acpi_table_is_sound(const void *table, size_t len_bytes, const char *signature);

/* Each: 0, or -EINVAL when the bytes are not such a table. */
int __must_check acpi_parse_rsdp(const void *bytes, size_t len_bytes, struct acpi_root *root);
int __must_check acpi_parse_madt(const void *table, size_t len_bytes, struct acpi_madt *madt);
int __must_check acpi_parse_fadt(const void *table, size_t len_bytes, struct acpi_fadt *fadt);
int __must_check acpi_parse_hpet(const void *table, size_t len_bytes, phys_addr_t *registers);

/* What to write into SLP_TYP to power off, for PM1a and PM1b: the package \_S5 of the DSDT. */
int __must_check acpi_parse_s5(const void *dsdt, size_t len_bytes, uint8_t sleep_type[2]);

/* How many tables a sound RSDT or XSDT lists, and where the nth is. */
unsigned acpi_root_entries(const void *table, unsigned entry_bytes);
phys_addr_t acpi_root_entry(const void *table, unsigned entry_bytes, unsigned n);
