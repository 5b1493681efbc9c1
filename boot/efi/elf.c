/* SPDX-License-Identifier: MIT */
/*
 * boot/efi/elf.c - reads a kernel file for the UEFI loader
 *
 * Room:   boot, UEFI loader. Pure; compiled on the host by tests/host.
 * Owns:   nothing; the file is the caller's.
 * Locks:  none.
 * Always: (1) every offset and length of the file is checked in kernel_image_parse(), once;
 *         (2) segments lie below 4 GiB, as linked.
 * Source: System V ABI, "ELF Header", "Program Header", "Note Section".
 * Tour:   after boot/efi/elf.h, before boot/efi/loader.c.
 */
#include <boot/efi/elf.h>
#include <boot/efi/handoff.h>
#include <lib/addr.h>

enum {
    ELF_CLASS_64 = 2,
    ELF_LITTLE_ENDIAN = 1,
    ELF_TYPE_EXEC = 2,
    ELF_MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1,
    SEGMENT_NOTE = 4
};

struct elf_header {
    uint8_t magic[4], class, data, version, abi, padding[8];
    uint16_t type, machine;
    uint32_t version_again;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, nr_segments;
    uint16_t section_bytes, nr_sections, names_section;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t file_at, virtual_addr, physical_addr;
    uint64_t file_bytes, memory_bytes, align;
};

struct elf_note {
    uint32_t owner_bytes, value_bytes, type;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64");
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64");

static bool inside(uint64_t at, uint64_t len_bytes, uint64_t limit)
{
    return at <= limit && len_bytes <= limit - at;
}

static const struct elf_segment *segments_of(const uint8_t *file)
{
    return (const struct elf_segment *)(file + ((const struct elf_header *)file)->segments_at);
}

static unsigned nr_segments_of(const uint8_t *file)
{
    return ((const struct elf_header *)file)->nr_segments;
}

static bool header_is_valid(const uint8_t *file, uint64_t file_bytes)
{
    const struct elf_header *h = (const struct elf_header *)file;

    if (file_bytes < sizeof(*h) || h->magic[0] != 0x7f || h->magic[1] != 'E' ||
        h->magic[2] != 'L' || h->magic[3] != 'F')
        return false;
    if (h->class != ELF_CLASS_64 || h->data != ELF_LITTLE_ENDIAN || h->type != ELF_TYPE_EXEC ||
        h->machine != ELF_MACHINE_X86_64)
        return false;
    return h->segment_bytes == sizeof(struct elf_segment) && is_aligned(h->segments_at, 8) &&
           inside(h->segments_at, h->nr_segments * sizeof(struct elf_segment), file_bytes);
}

static bool owner_is_bulla(const uint8_t *name, uint32_t len_bytes)
{
    if (len_bytes != sizeof(BULLA_NOTE_OWNER))
        return false;
    for (unsigned i = 0; i < sizeof(BULLA_NOTE_OWNER); i++) {
        if (name[i] != BULLA_NOTE_OWNER[i])
            return false;
    }
    return true;
}

/* The entry that the notes of @segment name, or 0. */
static uint64_t find_entry(const uint8_t *notes, uint64_t len_bytes)
{
    uint64_t at = 0;

    while (inside(at, sizeof(struct elf_note), len_bytes)) {
        const struct elf_note *note = (const struct elf_note *)(notes + at);
        uint64_t owner_at = at + sizeof(*note);
        uint64_t value_at = owner_at + round_up(note->owner_bytes, 4);

        if (!inside(value_at, note->value_bytes, len_bytes))
            return 0;
        if (note->type == BULLA_NOTE_EFI_ENTRY && note->value_bytes == sizeof(uint32_t) &&
            owner_is_bulla(notes + owner_at, note->owner_bytes))
            return *(const uint32_t *)(notes + value_at);
        at = value_at + round_up(note->value_bytes, 4);
    }
    return 0;
}

static bool add_load_segment(struct kernel_image *image, const struct elf_segment *segment)
{
    if (segment->file_bytes > segment->memory_bytes ||
        !inside(segment->physical_addr, segment->memory_bytes, 4 * GIB))
        return false;
    image->start = min(image->start, round_down(segment->physical_addr, PAGE_SIZE));
    image->end =
        max(image->end, round_up(segment->physical_addr + segment->memory_bytes, PAGE_SIZE));
    return true;
}

const char *kernel_image_parse(const void *file, uint64_t file_bytes, struct kernel_image *image)
{
    const struct elf_segment *segment;

    if (!header_is_valid(file, file_bytes))
        return "the kernel is not an ELF64 x86-64 executable";

    *image = (struct kernel_image){.file = file, .start = UINT64_MAX};
    segment = segments_of(file);
    for (unsigned i = 0; i < nr_segments_of(file); i++, segment++) {
        if (segment->type != SEGMENT_LOAD && segment->type != SEGMENT_NOTE)
            continue;
        if (!inside(segment->file_at, segment->file_bytes, file_bytes))
            return "the kernel file is cut short";
        if (segment->type == SEGMENT_LOAD && !add_load_segment(image, segment))
            return "the kernel file has a damaged segment";
        if (segment->type == SEGMENT_NOTE && is_aligned(segment->file_at, 4) && image->entry == 0)
            image->entry = find_entry(image->file + segment->file_at, segment->file_bytes);
    }
    if (image->start >= image->end || image->entry < image->start || image->entry >= image->end)
        return "the kernel has no EFI entry: is it Bulla?";
    return NULL;
}

void kernel_image_load(const struct kernel_image *image, uint8_t *memory)
{
    const struct elf_segment *segment = segments_of(image->file);

    for (uint64_t i = 0; i < image->end - image->start; i++)
        memory[i] = 0;
    for (unsigned n = 0; n < nr_segments_of(image->file); n++, segment++) {
        uint8_t *to;

        if (segment->type != SEGMENT_LOAD)
            continue;
        to = memory + (segment->physical_addr - image->start);
        for (uint64_t i = 0; i < segment->file_bytes; i++)
            to[i] = image->file[segment->file_at + i];
    }
}
