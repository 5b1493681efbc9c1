/* SPDX-License-Identifier: MIT */
/*
 * boot/fill.h - writing struct boot_info, the same way from every door
 *
 * Room:   boot. Pure: no globals, no hardware; compiled on the host by tests/host.
 * Owns:   the rules of what is cut and what is dropped.
 * Locks:  none.
 * Always: (1) nr_regions <= BOOT_REGIONS_MAX and cmdline is NUL-terminated, whatever came in;
 *         (2) no region and no initramfs is stored whose end lies before its start.
 * Source: include/boot_info.h.
 * Tour:   before boot/multiboot1.c and its neighbours.
 */
#pragma once

#include <boot/view.h>
#include <boot_info.h>

/* Appends [start, start + len_bytes). Empty is ignored, wrapping is cut at the top, too many sets
 * regions_cut. */
void fill_region(struct boot_info *info, uint64_t start, uint64_t len_bytes,
                 enum boot_region_kind kind);

/* As fill_region(), with a type of the BIOS e820 call: 1 usable, 3 ACPI tables, else reserved. */
void fill_e820_region(struct boot_info *info, uint64_t start, uint64_t len_bytes, uint32_t type);

/* The initramfs is [start, end); ignored when that is empty or backwards. */
void fill_initramfs(struct boot_info *info, uint64_t start, uint64_t end);

/* Copies the string at @addr: to its NUL, to the end of the view, or until cmdline is full. */
void fill_cmdline(struct boot_info *info, const struct phys_view *view, phys_addr_t addr);

/* Drops the first word of cmdline: some loaders put the kernel's file name there. */
void fill_cmdline_drop_first_word(struct boot_info *info);

/* Names the loader by a constant: the string at @addr belongs to firmware memory. */
void fill_loader(struct boot_info *info, const struct phys_view *view, phys_addr_t addr);

/* Stores @fb when it is one that boot_info.h allows, and whose rows fit the pitch. */
void fill_framebuffer(struct boot_info *info, const struct boot_framebuffer *fb);
