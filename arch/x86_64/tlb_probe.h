/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/tlb_probe.h - does this CPU use what the tables no longer say?
 *
 * Room:   arch, private. Debug builds.
 * Owns:   nothing.
 * Locks:  IRQs off: a table that this CPU may walk in is freed only when it has answered.
 * Always: -
 * Source: trust.md 2b, T3.
 * Tour:   with arch/x86_64/tlb_probe.c.
 */
#pragma once

#include <asm/pgtable.h>

/* Try some addresses of [start, end) in @pgt, which this CPU has loaded, and panic if a translation
 * is out of date that everybody had to forget. */
void tlb_probe_here(struct pgtable *pgt, uint64_t start, uint64_t end);
