/* SPDX-License-Identifier: MIT */
/*
 * asm/window.h - a look at one frame that has no kernel address, on one CPU
 *
 * Room:   arch, public face.
 * Owns:   one page of kernel address space for each CPU.
 * Locks:  none: IRQs are off while a window is open, and no other CPU uses it.
 * Always: (1) a closed window leads nowhere, and its CPU has forgotten where it led;
 *         (2) a window is the only kernel address that a hidden frame ever has.
 * Source: Intel SDM 3A, "Invalidation of TLBs and Paging-Structure Caches"; trust.md S2.
 * Tour:   after asm/direct_map.h, before arch/x86_64/window.c; from mm/secret_pool.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <lib/compiler.h>

struct page;

/* Where to find the bytes of @page, any frame of RAM, until window_close(). IRQs are off from here
 * to there; one window is open at a time. */
void *__must_check window_open(const struct page *page, irq_flags_t *irq);

/* TLB: this CPU forgets the window; no other ever knew it. */
void window_close(irq_flags_t irq);

/* Open it, have every byte of @page zero, close it. Any context. */
void window_zero(const struct page *page);

/* V18: is every window closed? Machine quiet. 0 or -EUCLEAN after printing. */
int __must_check windows_check(void);
