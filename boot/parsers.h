/* SPDX-License-Identifier: MIT */
/*
 * boot/parsers.h - one parser per boot protocol
 *
 * Room:   boot. Pure functions: bytes in, struct boot_info out; compiled on the host too.
 * Owns:   the list of parsers.
 * Locks:  none.
 * Always: (1) a parser reads through the view only, and ends on any input;
 *         (2) on failure the caller gets one sentence without an end mark, naming what is wrong.
 * Source: the protocols' specifications, named in each parser.
 * Tour:   after boot/view.h, before boot/pvh.c.
 */
#pragma once

#include <boot/view.h>
#include <boot_info.h>
#include <lib/compiler.h>

/**
 * pvh_parse() and its neighbours - fill boot_info from what the loader left
 * @view: physical memory
 * @addr: the structure the loader pointed to
 * @magic: what the loader put into EAX (multiboot only)
 * @info: zeroed before; map, command line, initramfs, RSDP, framebuffer, loader are filled in
 *
 * Context: any; pure.
 * Return:  NULL, or the sentence that says why the kernel cannot go on.
 */
const char *__must_check pvh_parse(const struct phys_view *view, phys_addr_t addr,
                                   struct boot_info *info);
const char *__must_check multiboot1_parse(const struct phys_view *view, uint32_t magic,
                                          phys_addr_t addr, struct boot_info *info);
const char *__must_check multiboot2_parse(const struct phys_view *view, uint32_t magic,
                                          phys_addr_t addr, struct boot_info *info);
const char *__must_check efi_parse(const struct phys_view *view, phys_addr_t addr,
                                   struct boot_info *info);
