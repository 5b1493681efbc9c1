/* SPDX-License-Identifier: MIT */
/*
 * kernel/tlb_files.h - the settings of the TLB module, and what vmstat says of it
 *
 * Room:   kernel, private.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a setting that is refused changes nothing.
 * Source: docs/tlb.md.
 * Tour:   with kernel/tlb_files.c.
 */
#pragma once

struct dentry;
struct text;

/* The files tlb_* in a directory. Boot. */
void tlb_boot_files(struct dentry *dir);

/* tlb.policy=, tlb.ceiling=, tlb.lazy= */
void tlb_boot_options(const char *cmdline);

/* What /proc/vmstat tells of flushes. */
void tlb_add_vmstat(struct text *t);
