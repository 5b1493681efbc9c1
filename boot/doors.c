/* SPDX-License-Identifier: MIT */
/*
 * boot/doors.c - where the doors meet: picks the parser, completes boot_info, starts the kernel
 *
 * Room:   boot. The only C of this folder that is not pure.
 * Owns:   the one struct boot_info.
 * Locks:  none; one CPU, interrupts off.
 * Always: (1) kernel_main() gets a boot_info that a parser filled without complaint, or is not
 * called. Source: include/boot_info.h. Tour:   after boot/entry.asm, before boot/pvh.c and
 * kernel/main.c.
 */
#include <boot/die.h>
#include <boot/parsers.h>
#include <lib/compiler.h>

/* Numbered as in boot/entry.inc. */
enum boot_door { DOOR_PVH = 0, DOOR_MULTIBOOT1 = 1, DOOR_MULTIBOOT2 = 2, DOOR_EFI = 3 };

extern const char kernel_image_start[], kernel_image_end[];

static struct boot_info boot_info;

#define KERNEL_BASE 0xffffffff80000000UL /* of linker.ld */

static phys_addr_t image_to_phys(const char *symbol, uint32_t load_offset)
{
    return phys((uintptr_t)symbol - KERNEL_BASE + load_offset);
}

/* Called by boot/entry.asm. */
_Noreturn void boot_enter(enum boot_door door, uint32_t load_offset, uint32_t magic,
                          uint32_t info_addr, uint64_t entry_tsc);

void boot_enter(enum boot_door door, uint32_t load_offset, uint32_t magic, uint32_t info_addr,
                uint64_t entry_tsc)
{
    static const char *const names[] = {"pvh", "multiboot1", "multiboot2", "efi"};
    const struct phys_view view = {.bytes = NULL, .start = 0, .end = 4 * GIB};
    const char *problem = "entered by an unknown door";

    if (door == DOOR_PVH)
        problem = pvh_parse(&view, phys(info_addr), &boot_info);
    else if (door == DOOR_MULTIBOOT1)
        problem = multiboot1_parse(&view, magic, phys(info_addr), &boot_info);
    if (problem != NULL)
        boot_die(problem);

    boot_info.door = names[door];
    boot_info.kernel_start = image_to_phys(kernel_image_start, load_offset);
    boot_info.kernel_end = image_to_phys(kernel_image_end, load_offset);
    boot_info.entry_tsc = entry_tsc;
    kernel_main(&boot_info);
}
