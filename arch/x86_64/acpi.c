/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/acpi.c - finding the firmware's tables
 *
 * Room:   arch.
 * Owns:   acpi_info.
 * Locks:  none; boot CPU.
 * Always: (1) a table is believed only after its sum was checked;
 *         (2) a bad table costs a line in the log and what it would have told, nothing else.
 * Source: ACPI specification, "Finding the RSDP on IA-PC Systems".
 * Tour:   after arch/x86_64/acpi_parse.c, before arch/x86_64/apic.c.
 */
#include "acpi.h"

#include <asm/direct_map.h>
#include <asm/machine.h>
#include <asm/memory_layout.h>
#include <base/log.h>
#include <lib/string.h>

#define BIOS_EBDA_SEGMENT 0x40e /* holds the address / 16 of the extended BIOS data area */
#define EBDA_BYTES        KIB
#define BIOS_START        0xe0000
#define BIOS_END          0x100000
#define RSDP_STEP         16
#define RSDP_SIGNATURE    0x2052545020445352 /* "RSD PTR " */
#define TABLE_BYTES_MAX   MIB                /* larger: the length is broken */

struct acpi_info acpi_info;

/* The last window: tables lie close together, and windows are never given back. */
static struct {
    uint64_t start, end;
    const char *at;
} window;

static bool in_direct_map(uint64_t start, uint64_t end)
{
    if (end > DIRECT_MAP_END - DIRECT_MAP_BASE)
        return false;
    for (uint64_t pfn = start >> PAGE_SHIFT; pfn < round_up(end, PAGE_SIZE) >> PAGE_SHIFT; pfn++)
        if (!direct_map_present(pfn))
            return false;
    return true;
}

/* Physical memory for reading, wherever it is. NULL: no room for a window, or no such address. */
static const void *view(phys_addr_t a, uint64_t len_bytes)
{
    uint64_t end;

    if (a.raw == 0 || __builtin_add_overflow(a.raw, len_bytes, &end))
        return NULL;
    if (in_direct_map(a.raw, end))
        return direct_map_ptr(a);
    if (a.raw < window.start || end > window.end) {
        uint64_t start = round_down(a.raw, PAGE_SIZE);
        const char *at = device_map(phys(start), end - start);
        if (!at)
            return NULL;
        window.start = start;
        window.end = round_up(end, PAGE_SIZE);
        window.at = at;
    }
    return window.at + (a.raw - window.start);
}

/* A whole table, by its own length. NULL: not readable, or the length is nonsense. */
static const void *table_view(phys_addr_t a, uint32_t *len_bytes)
{
    const void *header = view(a, ACPI_HEADER_BYTES);

    if (!header)
        return NULL;
    *len_bytes = acpi_table_bytes(header);
    if (*len_bytes < ACPI_HEADER_BYTES || *len_bytes > TABLE_BYTES_MAX)
        return NULL;
    return view(a, *len_bytes);
}

static int rsdp_search(uint64_t start, uint64_t len_bytes, struct acpi_root *root)
{
    const char *bytes = view(phys(start), len_bytes);

    for (uint64_t at = 0; bytes && at + RSDP_STEP <= len_bytes; at += RSDP_STEP) {
        uint64_t signature;
        memcpy(&signature, bytes + at, sizeof(signature));
        if (signature == RSDP_SIGNATURE && !acpi_parse_rsdp(bytes + at, len_bytes - at, root))
            return 0;
    }
    return -1;
}

static int root_find(phys_addr_t rsdp, struct acpi_root *root)
{
    if (rsdp.raw) {
        const void *bytes = view(rsdp, ACPI_RSDP_MAX_BYTES);
        return bytes ? acpi_parse_rsdp(bytes, ACPI_RSDP_MAX_BYTES, root) : -1;
    }
    uint16_t segment = 0;
    const void *ebda_segment = view(phys(BIOS_EBDA_SEGMENT), sizeof(segment));
    if (ebda_segment)
        memcpy(&segment, ebda_segment, sizeof(segment));
    if (segment && !rsdp_search((uint64_t)segment << 4, EBDA_BYTES, root))
        return 0;
    return rsdp_search(BIOS_START, BIOS_END - BIOS_START, root);
}

/* Its sum is checked when it is needed, at power-off: it is long, and booting is counted. */
static void dsdt_map(void)
{
    acpi_info.dsdt = table_view(acpi_info.fadt.dsdt, &acpi_info.dsdt_bytes);
}

static void table_read(phys_addr_t a)
{
    uint32_t len_bytes = 0;
    const char *table = table_view(a, &len_bytes);
    int err = 0;

    if (!table)
        log_warn("acpi: the table at %#lx cannot be read", a.raw);
    else if (!memcmp(table, "APIC", 4))
        err = acpi_parse_madt(table, len_bytes, &acpi_info.madt);
    else if (!memcmp(table, "FACP", 4))
        err = acpi_parse_fadt(table, len_bytes, &acpi_info.fadt);
    else if (!memcmp(table, "HPET", 4))
        err = acpi_parse_hpet(table, len_bytes, &acpi_info.hpet);
    if (err)
        log_warn("acpi: the %.4s table is broken, going on without it", table);
}

bool acpi_init(phys_addr_t rsdp)
{
    struct acpi_root root;

    if (root_find(rsdp, &root)) {
        log_warn("acpi: no tables found, going on with one CPU");
        return false;
    }
    uint32_t len_bytes = 0;
    const void *list = table_view(root.table, &len_bytes);
    if (!list || !acpi_table_is_sound(list, len_bytes, root.entry_bytes == 8 ? "XSDT" : "RSDT")) {
        log_warn("acpi: the list of tables is broken, going on with one CPU");
        return false;
    }
    unsigned nr = acpi_root_entries(list, root.entry_bytes);
    for (unsigned i = 0; i < nr; i++)
        table_read(acpi_root_entry(list, root.entry_bytes, i));
    dsdt_map();
    if (!acpi_info.madt.nr_cpus)
        log_warn("acpi: no processor is listed, going on with one CPU");
    return true;
}
