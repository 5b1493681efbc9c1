/* SPDX-License-Identifier: MIT */
/*
 * boot/efi/handoff.h - what our UEFI loader gives to the kernel's EFI entry
 *
 * Room:   boot. Shared by the loader (boot/efi/loader.c) and the kernel (boot/efi.c). Plain data.
 * Owns:   struct efi_handoff, the ELF note that names the entry, and the state at entry.
 * Locks:  none.
 * Always: (1) the structure and all it points to lie below 4 GiB;
 *         (2) boot services are over; no address in it belongs to firmware that is still running;
 *         (3) a change of layout changes EFI_HANDOFF_VERSION.
 * Source: UEFI specification 2.10, "Services - Boot Services", GetMemoryMap().
 * Tour:   before boot/efi.c and boot/efi/loader.c.
 */
#pragma once

#include <stdint.h>

/*
 * The kernel's ELF file has a note of owner "Bulla" and this type, whose 4 bytes are the physical
 * address of the entry, as linked. The loader may load the whole image a multiple of
 * EFI_LOAD_ALIGN higher, and calls the entry, moved likewise, in 64-bit mode with the address of
 * struct efi_handoff in RDI, on the identity map of the firmware, interrupts off or on.
 */
#define BULLA_NOTE_OWNER     "Bulla"
#define BULLA_NOTE_EFI_ENTRY 1
#define EFI_LOAD_ALIGN       (2UL << 20)

#define EFI_HANDOFF_MAGIC   0x66656d756c6c7562UL /* "bullumef" */
#define EFI_HANDOFF_VERSION 1

struct efi_handoff {
    uint64_t magic;
    uint32_t version;
    uint32_t size_bytes;              /* of this structure */
    uint64_t memory_map;              /* EFI_MEMORY_DESCRIPTORs, as GetMemoryMap() gave them */
    uint64_t memory_map_bytes;        /* .. all of them */
    uint64_t memory_descriptor_bytes; /* .. each, which firmware may make larger than we know */
    uint64_t initramfs, initramfs_bytes;
    uint64_t cmdline; /* NUL-terminated */
    uint64_t rsdp;    /* 0: none */
    uint64_t framebuffer;
    uint32_t framebuffer_width, framebuffer_height;
    uint32_t framebuffer_pitch_bytes, framebuffer_bits_per_pixel;
};

_Static_assert(sizeof(struct efi_handoff) == 96, "version 1");
