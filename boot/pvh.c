/* SPDX-License-Identifier: MIT */
/*
 * boot/pvh.c - reads struct hvm_start_info
 *
 * Room:   boot. Pure; see boot/parsers.h.
 * Owns:   the layout of the PVH structures.
 * Locks:  none.
 * Always: (1) version 0 has no memory map and is refused: there is no other source of one.
 * Source: Xen "x86/HVM direct boot ABI"; QEMU writes version 1.
 * Tour:   after boot/parsers.h, beside boot/multiboot1.c.
 */
#include <boot/fill.h>
#include <boot/parsers.h>

#define PVH_MAGIC 0x336ec578

struct pvh_start_info {
    uint32_t magic, version;
    uint32_t flags, nr_modules;
    uint64_t modules, cmdline, rsdp;
    uint64_t memmap; /* from here on: version 1 */
    uint32_t nr_memmap, reserved;
} __packed;

struct pvh_module {
    uint64_t start, len_bytes;
    uint64_t cmdline, reserved;
} __packed;

struct pvh_memmap_entry {
    uint64_t start, len_bytes;
    uint32_t type, reserved;
} __packed;

_Static_assert(sizeof(struct pvh_start_info) == 56, "PVH ABI");
_Static_assert(sizeof(struct pvh_module) == 32, "PVH ABI");
_Static_assert(sizeof(struct pvh_memmap_entry) == 24, "PVH ABI");

const char *pvh_parse(const struct phys_view *view, phys_addr_t addr, struct boot_info *info)
{
    const struct pvh_start_info *start = view_at(view, addr, sizeof(*start));
    const struct pvh_memmap_entry *entry;
    const struct pvh_module *module;

    if (start == NULL || start->magic != PVH_MAGIC)
        return "PVH start info has no valid magic number";
    if (start->version < 1 || start->nr_memmap == 0)
        return "PVH start info has no memory map";

    entry = view_at(view, phys(start->memmap), (uint64_t)start->nr_memmap * sizeof(*entry));
    if (entry == NULL)
        return "PVH memory map lies outside of readable memory";
    for (uint32_t i = 0; i < start->nr_memmap; i++)
        fill_e820_region(info, entry[i].start, entry[i].len_bytes, entry[i].type);

    module = start->nr_modules ? view_at(view, phys(start->modules), sizeof(*module)) : NULL;
    if (module != NULL)
        fill_initramfs(info, module->start, module->start + module->len_bytes);
    fill_cmdline(info, view, phys(start->cmdline));
    info->rsdp = phys(start->rsdp);
    info->loader = "";
    return NULL;
}
