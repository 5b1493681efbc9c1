/* SPDX-License-Identifier: MIT */
/*
 * boot/efi/elf.h - what the UEFI loader must know of a kernel file
 *
 * Room:   boot, UEFI loader. Pure; compiled on the host by tests/host.
 * Owns:   struct kernel_image.
 * Locks:  none.
 * Always: (1) an image that kernel_image_parse() accepted can be loaded without further checks.
 * Source: System V ABI, "Object Files"; boot/efi/handoff.h for the note.
 * Tour:   after boot/efi/handoff.h, before boot/efi/loader.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

/* Physical addresses as linked: the image may go a multiple of EFI_LOAD_ALIGN higher. */
struct kernel_image {
    const uint8_t *file;
    uint64_t start, end; /* of all segments, rounded to pages */
    uint64_t entry;
};

/**
 * kernel_image_parse() - check a kernel file and find its extent and EFI entry
 * @file: the whole file, 8-byte aligned
 * @file_bytes: its length
 * @image: filled in; keeps @file
 *
 * Return: NULL, or the sentence that says what is wrong with the file.
 */
const char *__must_check kernel_image_parse(const void *file, uint64_t file_bytes,
                                            struct kernel_image *image);

/* Copies the segments of @image to @memory, which stands for image->start, and zeroes the rest. */
void kernel_image_load(const struct kernel_image *image, uint8_t *memory);
