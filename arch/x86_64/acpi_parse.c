/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/acpi_parse.c - ACPI tables, from bytes to facts
 *
 * Room:   arch. Pure: no hardware, no globals; compiled on the host by tests/host/test_acpi.c.
 * Owns:   the layouts of the tables.
 * Locks:  none.
 * Always: (1) and (2) of acpi.h.
 * Source: ACPI specification, "ACPI System Description Tables", "AML Byte Stream Byte Values".
 * Tour:   after arch/x86_64/acpi.h, before arch/x86_64/acpi.c.
 */
#include "acpi.h"

#include <lib/string.h>
#include <uapi/errno.h>

struct rsdp {
    char signature[8];
    uint8_t sum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_sum;
    uint8_t reserved[3];
} __packed;

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t sum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} __packed;

struct address { /* Generic Address Structure */
    uint8_t space;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access_size;
    uint64_t address;
} __packed;

struct madt {
    struct header header;
    uint32_t local_apic; /* not used: MSR_APIC_BASE tells what is so, not what was planned */
    uint32_t flags;
} __packed;

/* One entry of the MADT; which member counts is told by its type. */
struct madt_entry {
    uint8_t type;
    uint8_t length;
    union {
        struct {
            uint8_t processor;
            uint8_t apic_id;
            uint32_t flags;
        } __packed local_apic;
        struct {
            uint8_t id;
            uint8_t reserved;
            uint32_t address;
            uint32_t first_input;
        } __packed io_apic;
        struct {
            uint8_t bus;
            uint8_t irq;
            uint32_t input;
            uint16_t flags;
        } __packed isa_override;
        struct {
            uint16_t reserved;
            uint32_t apic_id;
            uint32_t flags;
            uint32_t processor;
        } __packed local_x2apic;
    };
} __packed;

enum madt_type {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_ISA_OVERRIDE = 2,
    MADT_LOCAL_X2APIC = 9
};

#define MADT_CPU_ENABLED (1 << 0) /* without it: a socket that may be filled later, or never */

/* Polarity and trigger of an override; "as the bus has it" is edge and active high for ISA. */
#define MPS_ACTIVE_LOW 3
#define MPS_LEVEL      3

struct fadt {
    struct header header;
    uint32_t firmware_control;
    uint32_t dsdt;
    uint8_t reserved0[4];
    uint32_t smi_command;
    uint8_t acpi_enable;
    uint8_t reserved1[11];
    uint32_t pm1_control[2];
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint8_t reserved2[32];
    uint32_t flags;
    struct address reset; /* from here on: revision 2 */
    uint8_t reset_value;
    uint8_t reserved3[11];
    uint64_t x_dsdt;
    uint8_t reserved4[24];
    struct address x_pm1_control[2];
    uint8_t reserved5[12];
    struct address x_pm_timer;
    uint8_t reserved6[24];
    struct address sleep_control; /* revision 5 */
} __packed;

_Static_assert(offsetof(struct fadt, pm1_control) == 64, "ACPI, FADT format");
_Static_assert(offsetof(struct fadt, pm_timer) == 76, "ACPI, FADT format");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI, FADT format");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI, FADT format");
_Static_assert(offsetof(struct fadt, x_pm_timer) == 208, "ACPI, FADT format");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "ACPI, FADT format");

#define FADT_V1_BYTES       offsetof(struct fadt, reset)
#define FADT_TIMER_32BIT    (1 << 8)
#define FADT_RESET_REGISTER (1 << 10)
#define FADT_REDUCED        (1 << 20) /* no PM1 registers, no PM timer */

static uint8_t sum_of(const void *bytes, size_t len_bytes)
{
    uint8_t sum = 0;

    for (const uint8_t *b = bytes; len_bytes; len_bytes--)
        sum += *b++;
    return sum;
}

uint32_t acpi_table_bytes(const void *header)
{
    return ((const struct header *)header)->length;
}

bool acpi_table_is_sound(const void *table, size_t len_bytes, const char *signature)
{
    const struct header *header = table;

    return len_bytes >= sizeof(*header) && !memcmp(header->signature, signature, 4) &&
           header->length >= sizeof(*header) && header->length <= len_bytes &&
           sum_of(table, header->length) == 0;
}

int acpi_parse_rsdp(const void *bytes, size_t len_bytes, struct acpi_root *root)
{
    const struct rsdp *rsdp = bytes;

    if (len_bytes < ACPI_RSDP_V1_BYTES || memcmp(rsdp->signature, "RSD PTR ", 8) ||
        sum_of(bytes, ACPI_RSDP_V1_BYTES))
        return -EINVAL;
    bool extended = rsdp->revision >= 2 && len_bytes >= sizeof(*rsdp) &&
                    sum_of(bytes, sizeof(*rsdp)) == 0 && rsdp->xsdt;
    if (!extended && !rsdp->rsdt)
        return -EINVAL;
    root->table = phys(extended ? rsdp->xsdt : rsdp->rsdt);
    root->entry_bytes = extended ? 8 : 4;
    return 0;
}

unsigned acpi_root_entries(const void *table, unsigned entry_bytes)
{
    return (acpi_table_bytes(table) - sizeof(struct header)) / entry_bytes;
}

phys_addr_t acpi_root_entry(const void *table, unsigned entry_bytes, unsigned n)
{
    uint64_t entry = 0;

    memcpy(&entry, (const char *)table + sizeof(struct header) + n * entry_bytes, entry_bytes);
    return phys(entry);
}

/* Firmware may list a processor twice, by its old and its x2APIC entry. */
static void madt_add_cpu(struct acpi_madt *madt, uint32_t apic_id, uint32_t flags)
{
    if (!(flags & MADT_CPU_ENABLED))
        return;
    for (unsigned i = 0; i < madt->nr_cpus; i++)
        if (madt->apic_ids[i] == apic_id)
            return;
    madt->nr_listed++;
    if (madt->nr_cpus < MAX_CPUS)
        madt->apic_ids[madt->nr_cpus++] = apic_id;
}

static void madt_add_io_apic(struct acpi_madt *madt, uint32_t address, uint32_t first_input)
{
    if (madt->nr_io_apics == ACPI_IO_APICS_MAX)
        return;
    madt->io_apics[madt->nr_io_apics++] =
        (struct acpi_io_apic){.registers = phys(address), .first_input = first_input};
}

static void madt_override_isa(struct acpi_madt *madt, unsigned irq, uint32_t input, uint16_t flags)
{
    if (irq >= ISA_IRQS)
        return;
    madt->isa_irqs[irq] = (struct acpi_isa_irq){.input = input,
                                                .level = (flags >> 2 & 3) == MPS_LEVEL,
                                                .active_low = (flags & 3) == MPS_ACTIVE_LOW};
}

/* An entry too short for its type is passed over. */
static void madt_entry(struct acpi_madt *madt, const struct madt_entry *e)
{
    size_t payload = e->length - offsetof(struct madt_entry, local_apic);

    if (e->type == MADT_LOCAL_APIC && payload >= sizeof(e->local_apic))
        madt_add_cpu(madt, e->local_apic.apic_id, e->local_apic.flags);
    else if (e->type == MADT_LOCAL_X2APIC && payload >= sizeof(e->local_x2apic))
        madt_add_cpu(madt, e->local_x2apic.apic_id, e->local_x2apic.flags);
    else if (e->type == MADT_IO_APIC && payload >= sizeof(e->io_apic))
        madt_add_io_apic(madt, e->io_apic.address, e->io_apic.first_input);
    else if (e->type == MADT_ISA_OVERRIDE && payload >= sizeof(e->isa_override))
        madt_override_isa(madt, e->isa_override.irq, e->isa_override.input, e->isa_override.flags);
}

int acpi_parse_madt(const void *table, size_t len_bytes, struct acpi_madt *madt)
{
    const struct madt *head = table;

    if (!acpi_table_is_sound(table, len_bytes, "APIC") || head->header.length < sizeof(*head))
        return -EINVAL;
    *madt = (struct acpi_madt){0};
    for (unsigned irq = 0; irq < ISA_IRQS; irq++)
        madt->isa_irqs[irq].input = irq;

    const uint8_t *at = (const uint8_t *)(head + 1);
    const uint8_t *end = (const uint8_t *)table + head->header.length;
    while (end - at >= 2) {
        const struct madt_entry *e = (const void *)at;
        if (e->length < 2 || e->length > end - at)
            break; /* the rest cannot be told apart */
        madt_entry(madt, e);
        at += e->length;
    }
    return 0;
}

static struct acpi_register register_of(const struct address *a)
{
    if (a->address == 0 || a->space > 1)
        return (struct acpi_register){.space = ACPI_REGISTER_NONE};
    return (struct acpi_register){.space = a->space ? ACPI_REGISTER_PORT : ACPI_REGISTER_MEMORY,
                                  .address = a->address};
}

/* The old field, or the new one where the old is empty and the new names a port. */
static uint16_t port_of(uint32_t old, const struct address *new)
{
    return old ? old : register_of(new).space == ACPI_REGISTER_PORT ? new->address : 0;
}

int acpi_parse_fadt(const void *table, size_t len_bytes, struct acpi_fadt *fadt)
{
    struct fadt f = {0}; /* fields that an older revision lacks read as zero */

    if (!acpi_table_is_sound(table, len_bytes, "FACP"))
        return -EINVAL;
    size_t length = acpi_table_bytes(table);
    if (length < FADT_V1_BYTES)
        return -EINVAL;
    memcpy(&f, table, min(length, sizeof(f)));

    *fadt = (struct acpi_fadt){.dsdt = phys(f.x_dsdt ? f.x_dsdt : f.dsdt)};
    if (f.flags & FADT_RESET_REGISTER) {
        fadt->reset = register_of(&f.reset);
        fadt->reset_value = f.reset_value;
    }
    if (f.flags & FADT_REDUCED) {
        fadt->sleep_control = register_of(&f.sleep_control);
        return 0;
    }
    fadt->smi_command = f.smi_command;
    fadt->acpi_enable = f.acpi_enable;
    for (unsigned i = 0; i < 2; i++)
        fadt->pm1_control[i] = port_of(f.pm1_control[i], &f.x_pm1_control[i]);
    fadt->pm_timer = port_of(f.pm_timer, &f.x_pm_timer);
    fadt->pm_timer_32bit = f.flags & FADT_TIMER_32BIT;
    return 0;
}

int acpi_parse_hpet(const void *table, size_t len_bytes, phys_addr_t *registers)
{
    const struct {
        struct header header;
        uint32_t block_id;
        struct address address;
    } __packed *hpet = table;

    if (!acpi_table_is_sound(table, len_bytes, "HPET") || hpet->header.length < sizeof(*hpet))
        return -EINVAL;
    struct acpi_register r = register_of(&hpet->address);
    if (r.space != ACPI_REGISTER_MEMORY)
        return -EINVAL;
    *registers = phys(r.address);
    return 0;
}

enum aml { AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_PACKAGE = 0x12 };

/* One small constant; moves *@at behind it. -1: it is something else. */
static int aml_constant(const uint8_t **at, const uint8_t *end)
{
    if (end - *at >= 1 && (**at == AML_ZERO || **at == AML_ONE))
        return *(*at)++;
    if (end - *at >= 2 && **at == AML_BYTE) {
        *at += 2;
        return (*at)[-1];
    }
    return -1;
}

/* What follows the name "_S5_": package, length (1 to 4 bytes), number of elements, elements. */
static int s5_package(const uint8_t *at, const uint8_t *end, uint8_t sleep_type[2])
{
    if (end - at < 3 || at[0] != AML_PACKAGE)
        return -EINVAL;
    unsigned length_bytes = 1 + (at[1] >> 6);
    if (end - at < (int)length_bytes + 2)
        return -EINVAL;
    at += 1 + length_bytes + 1;
    int a = aml_constant(&at, end);
    int b = aml_constant(&at, end);
    if (a < 0)
        return -EINVAL;
    sleep_type[0] = a;
    sleep_type[1] = b < 0 ? a : b;
    return 0;
}

int acpi_parse_s5(const void *dsdt, size_t len_bytes, uint8_t sleep_type[2])
{
    if (!acpi_table_is_sound(dsdt, len_bytes, "DSDT"))
        return -EINVAL;
    const uint8_t *start = (const uint8_t *)dsdt + sizeof(struct header);
    const uint8_t *end = (const uint8_t *)dsdt + acpi_table_bytes(dsdt);

    for (const uint8_t *at = start; end - at >= 4; at++) {
        if (memcmp(at, "_S5_", 4))
            continue;
        bool named = (at - start >= 1 && at[-1] == AML_NAME) ||
                     (at - start >= 2 && at[-1] == '\\' && at[-2] == AML_NAME);
        if (named && !s5_package(at + 4, end, sleep_type))
            return 0;
    }
    return -EINVAL;
}
