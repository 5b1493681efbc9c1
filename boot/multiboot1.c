/* SPDX-License-Identifier: MIT */
/*
 * boot/multiboot1.c - reads the multiboot 1 information structure
 *
 * Room:   boot. Pure; see boot/parsers.h.
 * Owns:   the layout of the multiboot 1 structures.
 * Locks:  none.
 * Always: (1) a field is read only when its flag says that it is there;
 *         (2) without a memory map, mem_upper gives one piece from 1 MiB.
 * Source: Multiboot specification 0.6.96, "Boot information format".
 * Tour:   after boot/parsers.h, before boot/multiboot2.c.
 */
#include <boot/fill.h>
#include <boot/parsers.h>
#include <lib/string.h>

#define MB1_BOOTLOADER_MAGIC 0x2badb002

enum {
    MB1_HAS_MEMORY = 1 << 0,
    MB1_HAS_CMDLINE = 1 << 2,
    MB1_HAS_MODULES = 1 << 3,
    MB1_HAS_MEMORY_MAP = 1 << 6,
    MB1_HAS_LOADER_NAME = 1 << 9
};

struct mb1_info {
    uint32_t flags;
    uint32_t mem_lower_kib, mem_upper_kib;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t nr_modules, modules;
    uint32_t symbols[4];
    uint32_t memory_map_bytes, memory_map;
    uint32_t drives_bytes, drives;
    uint32_t config_table;
    uint32_t loader_name;
} __packed;

struct mb1_module {
    uint32_t start, end;
    uint32_t string, reserved;
} __packed;

/* @size counts the bytes after itself: entries may grow. */
struct mb1_memory_map_entry {
    uint32_t size;
    uint64_t start, len_bytes;
    uint32_t type;
} __packed;

_Static_assert(sizeof(struct mb1_info) == 68, "multiboot 1");
_Static_assert(sizeof(struct mb1_module) == 16, "multiboot 1");
_Static_assert(sizeof(struct mb1_memory_map_entry) == 24, "multiboot 1");

static const char *mb1_parse_memory_map(const struct phys_view *view, const struct mb1_info *mb,
                                        struct boot_info *info)
{
    const uint64_t end = (uint64_t)mb->memory_map + mb->memory_map_bytes;
    uint64_t at = mb->memory_map;

    while (at + sizeof(struct mb1_memory_map_entry) <= end) {
        const struct mb1_memory_map_entry *entry = view_at(view, phys(at), sizeof(*entry));

        if (entry == NULL || entry->size < sizeof(*entry) - sizeof(entry->size))
            return "multiboot memory map is damaged";
        fill_e820_region(info, entry->start, entry->len_bytes, entry->type);
        at += sizeof(entry->size) + (uint64_t)entry->size;
    }
    return NULL;
}

const char *multiboot1_parse(const struct phys_view *view, uint32_t magic, phys_addr_t addr,
                             struct boot_info *info)
{
    const struct mb1_info *mb = view_at(view, addr, sizeof(*mb));
    const struct mb1_module *module = NULL;
    const char *problem = NULL;

    if (magic != MB1_BOOTLOADER_MAGIC)
        return "entered by the multiboot 1 door without its magic number";
    if (mb == NULL)
        return "multiboot information lies outside of readable memory";

    info->loader = "";
    if (mb->flags & MB1_HAS_MEMORY_MAP) {
        problem = mb1_parse_memory_map(view, mb, info);
    } else if (mb->flags & MB1_HAS_MEMORY) {
        fill_region(info, 0, mb->mem_lower_kib * KIB, BOOT_REGION_USABLE);
        fill_region(info, MIB, mb->mem_upper_kib * KIB, BOOT_REGION_USABLE);
    }
    if (problem == NULL && info->nr_regions == 0)
        problem = "multiboot information tells nothing about memory";

    if ((mb->flags & MB1_HAS_MODULES) && mb->nr_modules != 0)
        module = view_at(view, phys(mb->modules), sizeof(*module));
    if (module != NULL)
        fill_initramfs(info, module->start, module->end);
    if (mb->flags & MB1_HAS_LOADER_NAME)
        fill_loader(info, view, phys(mb->loader_name));
    if (mb->flags & MB1_HAS_CMDLINE)
        fill_cmdline(info, view, phys(mb->cmdline));
    if (strcmp(info->loader, "qemu") == 0) /* puts the kernel's file name first; GRUB does not */
        fill_cmdline_drop_first_word(info);
    return problem;
}
