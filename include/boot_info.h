/* SPDX-License-Identifier: MIT */
/*
 * include/boot_info.h - what every door hands to the kernel
 *
 * Room:   the contract between boot/ and kernel/. Plain data, no pointers into firmware memory.
 * Owns:   the shape of struct boot_info. Filled by one file of boot/, read once by kernel_main().
 * Locks:  none; written before any other CPU runs, constant afterwards.
 * Always: (1) regions[] is as the firmware gave it: unsorted, overlapping, with holes;
 *         (2) strings are NUL-terminated; a string that did not fit is cut, and says so;
 *         (3) addresses are physical; zero means "absent" for initramfs, rsdp and framebuffer.
 * Source: Multiboot 1 and 2 specifications; PVH boot ABI (hvm_start_info); UEFI "Boot Services".
 * Tour:   after boot/entry.asm, before kernel/main.c.
 */
#pragma once

#include <lib/addr.h>
#include <stdbool.h>
#include <stdint.h>

#define BOOT_REGIONS_MAX 256
#define BOOT_CMDLINE_MAX 2048

enum boot_region_kind {
    BOOT_REGION_USABLE = 1,  /* RAM, free to use once the door's own data was copied */
    BOOT_REGION_RESERVED,    /* not to be touched; anything unknown is this */
    BOOT_REGION_ACPI_RECLAIM /* RAM that holds ACPI tables */
};

struct boot_region {
    phys_addr_t start, end; /* half open, byte granular, as firmware gave it */
    enum boot_region_kind kind;
};

/* A linear framebuffer, where there is no VGA text screen (UEFI). */
struct boot_framebuffer {
    phys_addr_t base; /* 0: none */
    uint32_t width, height, pitch_bytes;
    uint8_t bits_per_pixel; /* 32 or 24; others are not used */
};

struct boot_info {
    const char *door;         /* "pvh", "multiboot1", "multiboot2", "efi" */
    const char *loader;       /* what the loader calls itself, or "" */
    phys_addr_t kernel_start; /* where the image lies, first byte .. */
    phys_addr_t kernel_end;   /* .. and past its .bss */
    unsigned nr_regions;
    struct boot_region regions[BOOT_REGIONS_MAX];
    bool regions_cut; /* there were more than BOOT_REGIONS_MAX */
    phys_addr_t initramfs_start, initramfs_end;
    phys_addr_t rsdp; /* ACPI root pointer, if the door knows it */
    struct boot_framebuffer framebuffer;
    bool cmdline_cut;
    char cmdline[BOOT_CMDLINE_MAX];
    uint64_t entry_tsc; /* time stamp counter at the first instruction of the kernel */
};

/**
 * kernel_main() - where every door ends
 * @info: filled completely; lives in the kernel's .bss
 *
 * Context: boot CPU, 64-bit mode, IRQs off, on the boot stack, on the boot page tables
 *          (identity map of the first 4 GiB, and the kernel image at its link address).
 * Return:  never.
 */
_Noreturn void kernel_main(struct boot_info *info);
