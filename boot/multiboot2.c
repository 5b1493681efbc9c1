/* SPDX-License-Identifier: MIT */
/*
 * boot/multiboot2.c - reads the multiboot 2 tags
 *
 * Room:   boot. Pure; see boot/parsers.h.
 * Owns:   the layout of the tags the kernel uses.
 * Locks:  none.
 * Always: (1) a tag is read up to its own size only, and a tag past the total size ends the parse;
 *         (2) the RSDP tags hold a copy: rsdp points into the information until doors.c moves it.
 * Source: Multiboot2 specification 2.0, "Boot information format".
 * Tour:   after boot/multiboot1.c, before boot/efi.c.
 */
#include <boot/fill.h>
#include <boot/parsers.h>

#define MB2_BOOTLOADER_MAGIC 0x36d76289

enum {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_LOADER = 2,
    MB2_TAG_MODULE = 3,
    MB2_TAG_MEMORY_MAP = 6,
    MB2_TAG_FRAMEBUFFER = 8,
    MB2_TAG_RSDP_V1 = 14,
    MB2_TAG_RSDP_V2 = 15
};

enum { MB2_FRAMEBUFFER_RGB = 1 };

struct mb2_info {
    uint32_t total_bytes, reserved; /* the tags follow */
} __packed;

struct mb2_tag {
    uint32_t type, size_bytes; /* with this head, without the padding to 8 */
} __packed;

struct mb2_module_tag {
    struct mb2_tag head;
    uint32_t start, end;
} __packed;

struct mb2_memory_map_tag {
    struct mb2_tag head;
    uint32_t entry_bytes, entry_version;
} __packed;

struct mb2_memory_map_entry {
    uint64_t start, len_bytes;
    uint32_t type, reserved;
} __packed;

struct mb2_framebuffer_tag {
    struct mb2_tag head;
    uint64_t base;
    uint32_t pitch_bytes, width, height;
    uint8_t bits_per_pixel, type;
} __packed;

_Static_assert(sizeof(struct mb2_module_tag) == 16, "multiboot 2");
_Static_assert(sizeof(struct mb2_memory_map_tag) == 16, "multiboot 2");
_Static_assert(sizeof(struct mb2_memory_map_entry) == 24, "multiboot 2");
_Static_assert(offsetof(struct mb2_framebuffer_tag, type) == 29, "multiboot 2");

/* In the parsers of one tag the view ends with the information, so no tag can point out of it. */
static void mb2_parse_memory_map(const struct phys_view *view, uint64_t at, uint32_t size_bytes,
                                 struct boot_info *info)
{
    const struct mb2_memory_map_tag *tag = view_at(view, phys(at), sizeof(*tag));
    uint64_t end = at + size_bytes;

    if (tag == NULL || tag->entry_bytes < sizeof(struct mb2_memory_map_entry))
        return;
    for (at += sizeof(*tag); at + tag->entry_bytes <= end; at += tag->entry_bytes) {
        const struct mb2_memory_map_entry *entry = view_at(view, phys(at), sizeof(*entry));

        if (entry == NULL)
            return;
        fill_e820_region(info, entry->start, entry->len_bytes, entry->type);
    }
}

static void mb2_parse_framebuffer(const struct phys_view *view, uint64_t at, struct boot_info *info)
{
    const struct mb2_framebuffer_tag *tag =
        view_at(view, phys(at), offsetof(struct mb2_framebuffer_tag, type) + 1);

    if (tag == NULL || tag->type != MB2_FRAMEBUFFER_RGB)
        return;
    fill_framebuffer(info, &(struct boot_framebuffer){.base = phys(tag->base),
                                                      .width = tag->width,
                                                      .height = tag->height,
                                                      .pitch_bytes = tag->pitch_bytes,
                                                      .bits_per_pixel = tag->bits_per_pixel});
}

static void mb2_parse_module(const struct phys_view *view, uint64_t at, struct boot_info *info)
{
    const struct mb2_module_tag *tag = view_at(view, phys(at), sizeof(*tag));

    if (tag != NULL && info->initramfs_end.raw == 0)
        fill_initramfs(info, tag->start, tag->end);
}

static void mb2_parse_tag(const struct phys_view *view, uint64_t at, const struct mb2_tag *tag,
                          struct boot_info *info)
{
    const phys_addr_t payload = phys(at + sizeof(*tag));

    switch (tag->type) {
    case MB2_TAG_CMDLINE:
        fill_cmdline(info, view, payload);
        break;
    case MB2_TAG_LOADER:
        fill_loader(info, view, payload);
        break;
    case MB2_TAG_MODULE:
        mb2_parse_module(view, at, info);
        break;
    case MB2_TAG_MEMORY_MAP:
        mb2_parse_memory_map(view, at, tag->size_bytes, info);
        break;
    case MB2_TAG_FRAMEBUFFER:
        mb2_parse_framebuffer(view, at, info);
        break;
    case MB2_TAG_RSDP_V1:
        if (info->rsdp.raw == 0)
            info->rsdp = payload;
        break;
    case MB2_TAG_RSDP_V2:
        info->rsdp = payload;
        break;
    }
}

const char *multiboot2_parse(const struct phys_view *view, uint32_t magic, phys_addr_t addr,
                             struct boot_info *info)
{
    const struct mb2_info *mb = view_at(view, addr, sizeof(*mb));
    uint64_t at = addr.raw + sizeof(*mb);
    const struct mb2_tag *tag;
    struct phys_view tags;

    if (magic != MB2_BOOTLOADER_MAGIC)
        return "entered by the multiboot 2 door without its magic number";
    if (mb == NULL || view_at(view, addr, mb->total_bytes) == NULL)
        return "multiboot 2 information lies outside of readable memory";

    info->loader = "";
    tags = *view;
    tags.end = addr.raw + mb->total_bytes;
    while ((tag = view_at(&tags, phys(at), sizeof(*tag))) != NULL && tag->type != MB2_TAG_END) {
        if (tag->size_bytes < sizeof(*tag) || view_at(&tags, phys(at), tag->size_bytes) == NULL)
            return "multiboot 2 information is damaged";
        mb2_parse_tag(&tags, at, tag, info);
        at = round_up(at + tag->size_bytes, 8);
    }
    if (info->nr_regions == 0)
        return "multiboot 2 information has no memory map";
    return NULL;
}
