/* SPDX-License-Identifier: MIT */
/*
 * boot/fill.c - writing struct boot_info, the same way from every door
 *
 * Room:   boot. Pure: no globals, no hardware; compiled on the host by tests/host.
 * Owns:   nothing; struct boot_info is the caller's.
 * Locks:  none.
 * Always: (1) and (2) of boot/fill.h.
 * Source: ACPI specification, "Address Range Types".
 * Tour:   with boot/fill.h.
 */
#include <boot/fill.h>
#include <lib/compiler.h>

enum { E820_USABLE = 1, E820_ACPI_RECLAIM = 3 };

void fill_region(struct boot_info *info, uint64_t start, uint64_t len_bytes,
                 enum boot_region_kind kind)
{
    uint64_t end;

    if (len_bytes == 0)
        return;
    if (__builtin_add_overflow(start, len_bytes, &end))
        end = UINT64_MAX;
    if (info->nr_regions == BOOT_REGIONS_MAX) {
        info->regions_cut = true;
        return;
    }
    info->regions[info->nr_regions++] =
        (struct boot_region){.start = phys(start), .end = phys(end), .kind = kind};
}

void fill_e820_region(struct boot_info *info, uint64_t start, uint64_t len_bytes, uint32_t type)
{
    enum boot_region_kind kind = BOOT_REGION_RESERVED;

    if (type == E820_USABLE)
        kind = BOOT_REGION_USABLE;
    else if (type == E820_ACPI_RECLAIM)
        kind = BOOT_REGION_ACPI_RECLAIM;
    fill_region(info, start, len_bytes, kind);
}

void fill_initramfs(struct boot_info *info, uint64_t start, uint64_t end)
{
    if (start == 0 || start >= end)
        return;
    info->initramfs_start = phys(start);
    info->initramfs_end = phys(end);
}

void fill_cmdline(struct boot_info *info, const struct phys_view *view, phys_addr_t addr)
{
    unsigned len = 0;
    const char *c;

    for (; (c = view_at(view, phys_add(addr, len), 1)) != NULL && *c != '\0'; len++) {
        if (len == BOOT_CMDLINE_MAX - 1) {
            info->cmdline_cut = true;
            break;
        }
        info->cmdline[len] = *c;
    }
    info->cmdline[len] = '\0';
}

void fill_cmdline_drop_first_word(struct boot_info *info)
{
    const char *from = info->cmdline;
    char *to = info->cmdline;

    while (*from != '\0' && *from != ' ')
        from++;
    while (*from == ' ')
        from++;
    do
        *to++ = *from;
    while (*from++ != '\0');
}

void fill_loader(struct boot_info *info, const struct phys_view *view, phys_addr_t addr)
{
    static const char *const known[] = {"GRUB", "qemu", "Limine", "PXELINUX"};

    info->loader = "unknown";
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        size_t len = 0;
        const char *c;

        while (known[i][len] && (c = view_at(view, phys_add(addr, len), 1)) != NULL &&
               *c == known[i][len])
            len++;
        if (known[i][len] == '\0')
            info->loader = known[i];
    }
}

void fill_framebuffer(struct boot_info *info, const struct boot_framebuffer *fb)
{
    uint64_t row_bytes = (uint64_t)fb->width * (fb->bits_per_pixel / 8);

    if (fb->bits_per_pixel != 24 && fb->bits_per_pixel != 32)
        return;
    if (fb->base.raw == 0 || fb->height == 0 || row_bytes == 0 || row_bytes > fb->pitch_bytes)
        return;
    info->framebuffer = *fb;
}
