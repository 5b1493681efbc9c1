/* SPDX-License-Identifier: MIT */
/*
 * include/mm/pin.h - keeping pages whatever becomes of their mappings
 *
 * Room:   mm.
 * Owns:   nothing; the code is mm/pin.c.
 * Locks:  as noted.
 * Always: (1) what is pinned is unpinned once.
 * Source: vmsplice(2).
 * Tour:   after include/mm/page.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdint.h>

struct mm;
struct page;

/* One reference more, on a page that the caller has one of. Any page, also a tail. */
void page_pin(struct page *page);

/* A reference that the caller has already is one of these from now on. */
void page_pin_taken(struct page *page);
void page_unpin(struct page *page);

/**
 * mm_pin() - keep the page that a program sees at @addr
 * A page that was never written is one of zeros.
 * Context: task, IRQs on, no locks held. TLB: as the fault that it takes.
 * Return: 0 with the page (maybe a tail) in *@out; -EFAULT: it may not be read, or has no address
 *         in the kernel.
 */
int __must_check mm_pin(struct mm *mm, uint64_t addr, struct page **out);

/* How many there are now, on pages that programs and objects have. For checks. */
int64_t pins_count(void);
