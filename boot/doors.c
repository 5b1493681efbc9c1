/* SPDX-License-Identifier: MIT */
/*
 * boot/doors.c - where the doors meet: picks the parser, completes boot_info, starts the kernel
 *
 * Room:   boot. The only C of this folder that is not pure.
 * Owns:   the one struct boot_info.
 * Locks:  none; one CPU, interrupts off.
 * Always: (1) kernel_main() gets a boot_info that a parser filled without complaint, or none.
 * Source: include/boot_info.h.
 * Tour:   after boot/entry.asm, before boot/pvh.c and kernel/main.c.
 */
#include <boot/die.h>
#include <boot/parsers.h>
#include <lib/compiler.h>
#include <lib/string.h>

/* Numbered as in boot/entry.inc. */
enum boot_door { DOOR_PVH = 0, DOOR_MULTIBOOT1 = 1, DOOR_MULTIBOOT2 = 2, DOOR_EFI = 3 };

extern const char kernel_image_start[], kernel_image_end[];

#define KERNEL_IMAGE_BASE 0xffffffff80000000UL /* of linker.ld */

enum { RSDP_V1_BYTES = 20, RSDP_V2_BYTES = 36, RSDP_REVISION_AT = 15 };

static struct boot_info boot_info;
static uint8_t rsdp_copy[RSDP_V2_BYTES] __aligned(16);

static phys_addr_t image_to_phys(const void *symbol, uint32_t load_offset)
{
    return phys((uintptr_t)symbol - KERNEL_IMAGE_BASE + load_offset);
}

/* GRUB gives a copy of the RSDP in memory that the map calls free: move it into the image. */
static void keep_rsdp(const struct phys_view *view, uint32_t load_offset)
{
    const uint8_t *rsdp = view_at(view, boot_info.rsdp, RSDP_V1_BYTES);
    size_t len_bytes = RSDP_V1_BYTES;

    if (rsdp == NULL)
        return;
    if (rsdp[RSDP_REVISION_AT] >= 2 && view_at(view, boot_info.rsdp, RSDP_V2_BYTES) != NULL)
        len_bytes = RSDP_V2_BYTES;
    memcpy(rsdp_copy, rsdp, len_bytes);
    boot_info.rsdp = image_to_phys(rsdp_copy, load_offset);
}

static const char *__must_check parse(const struct phys_view *view, enum boot_door door,
                                      uint32_t magic, phys_addr_t addr)
{
    switch (door) {
    case DOOR_PVH:
        return pvh_parse(view, addr, &boot_info);
    case DOOR_MULTIBOOT1:
        return multiboot1_parse(view, magic, addr, &boot_info);
    case DOOR_MULTIBOOT2:
        return multiboot2_parse(view, magic, addr, &boot_info);
    case DOOR_EFI:
        return efi_parse(view, addr, &boot_info);
    }
    return "entered by an unknown door";
}

/* Called by boot/entry.asm. */
_Noreturn void boot_enter(enum boot_door door, uint32_t load_offset, uint32_t magic,
                          uint32_t info_addr, uint64_t entry_tsc);

void boot_enter(enum boot_door door, uint32_t load_offset, uint32_t magic, uint32_t info_addr,
                uint64_t entry_tsc)
{
    static const char *const names[] = {"pvh", "multiboot1", "multiboot2", "efi"};
    const struct phys_view view = {.bytes = NULL, .start = 0, .end = 4 * GIB};
    const char *problem = parse(&view, door, magic, phys(info_addr));

    if (problem != NULL)
        boot_die(problem);
    boot_info.door = names[door];
    boot_info.kernel_start = image_to_phys(kernel_image_start, load_offset);
    boot_info.kernel_end = image_to_phys(kernel_image_end, load_offset);
    boot_info.entry_tsc = entry_tsc;
    keep_rsdp(&view, load_offset);
    kernel_main(&boot_info);
}
