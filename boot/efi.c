/* SPDX-License-Identifier: MIT */
/*
 * boot/efi.c - reads what our UEFI loader handed over
 *
 * Room:   boot. Pure; see boot/parsers.h.
 * Owns:   which UEFI memory types are free for the kernel.
 * Locks:  none.
 * Always: (1) neighbours of one kind become one region: firmware gives hundreds of small ones;
 *         (2) memory of the loader and of boot services is free: both are over.
 * Source: UEFI specification 2.10, "Memory Type Usage after ExitBootServices()".
 * Tour:   after boot/efi/handoff.h and boot/multiboot2.c.
 */
#include <boot/efi/handoff.h>
#include <boot/fill.h>
#include <boot/parsers.h>

enum efi_memory_type {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA,
    EFI_BOOT_SERVICES_CODE,
    EFI_BOOT_SERVICES_DATA,
    EFI_CONVENTIONAL = 7,
    EFI_ACPI_RECLAIM = 9
};

struct efi_descriptor {
    uint32_t type, padding;
    uint64_t start, virtual_start;
    uint64_t nr_pages;
    uint64_t attributes;
} __packed;

_Static_assert(sizeof(struct efi_descriptor) == 40, "UEFI");

static enum boot_region_kind region_kind(uint32_t type)
{
    switch (type) {
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
    case EFI_BOOT_SERVICES_CODE:
    case EFI_BOOT_SERVICES_DATA:
    case EFI_CONVENTIONAL:
        return BOOT_REGION_USABLE;
    case EFI_ACPI_RECLAIM:
        return BOOT_REGION_ACPI_RECLAIM;
    default:
        return BOOT_REGION_RESERVED;
    }
}

static void add_descriptor(struct boot_info *info, const struct efi_descriptor *d)
{
    struct boot_region *last = info->nr_regions ? &info->regions[info->nr_regions - 1] : NULL;
    enum boot_region_kind kind = region_kind(d->type);
    uint64_t len_bytes, end;

    if (__builtin_mul_overflow(d->nr_pages, PAGE_SIZE, &len_bytes))
        len_bytes = UINT64_MAX;
    if (last != NULL && last->kind == kind && last->end.raw == d->start &&
        !__builtin_add_overflow(d->start, len_bytes, &end))
        last->end = phys(end);
    else
        fill_region(info, d->start, len_bytes, kind);
}

static const char *efi_parse_memory_map(const struct phys_view *view,
                                        const struct efi_handoff *handoff, struct boot_info *info)
{
    const uint64_t step = handoff->memory_descriptor_bytes;
    const uint8_t *map = view_at(view, phys(handoff->memory_map), handoff->memory_map_bytes);

    if (map == NULL || step < sizeof(struct efi_descriptor) || step % 8 != 0)
        return "EFI memory map is damaged";
    for (uint64_t left = handoff->memory_map_bytes; left >= step; left -= step, map += step)
        add_descriptor(info, (const struct efi_descriptor *)map);
    return info->nr_regions ? NULL : "EFI memory map is empty";
}

const char *efi_parse(const struct phys_view *view, phys_addr_t addr, struct boot_info *info)
{
    const struct efi_handoff *handoff = view_at(view, addr, sizeof(*handoff));
    uint64_t initramfs_end;

    if (handoff == NULL || !is_aligned(addr.raw, 8) || handoff->magic != EFI_HANDOFF_MAGIC)
        return "entered by the EFI door without its magic number";
    if (handoff->version != EFI_HANDOFF_VERSION || handoff->size_bytes != sizeof(*handoff))
        return "BOOTX64.EFI and the kernel are of different versions";

    if (!__builtin_add_overflow(handoff->initramfs, handoff->initramfs_bytes, &initramfs_end))
        fill_initramfs(info, handoff->initramfs, initramfs_end);
    fill_cmdline(info, view, phys(handoff->cmdline));
    fill_framebuffer(info, &(struct boot_framebuffer){
                               .base = phys(handoff->framebuffer),
                               .width = handoff->framebuffer_width,
                               .height = handoff->framebuffer_height,
                               .pitch_bytes = handoff->framebuffer_pitch_bytes,
                               .bits_per_pixel = (uint8_t)handoff->framebuffer_bits_per_pixel});
    info->rsdp = phys(handoff->rsdp);
    info->loader = "BOOTX64.EFI";
    return efi_parse_memory_map(view, handoff, info);
}
