/* SPDX-License-Identifier: MIT */
/*
 * tools/tlbmodel/shapes.h - workloads whose figures on hardware were published
 *
 * Room:   tools. tests/host/test_tlbmodel.c holds them against these figures, shapes_main.c shows.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) the same in each run: what looks like chance is a fixed sequence.
 * Source: Linux's history of arch/x86/mm/tlb.c (2014, 2017).
 * Tour:   after model.h, before shapes.c.
 */
#pragma once

#include "model.h"

#define SHAPE_PAGE 4096UL
#define SHAPE_BASE 0x7f0000000000UL

/* One access to a small page: the cycles. */
unsigned shape_touch(struct tlb_model *m, unsigned cpu, uint64_t va);

/* Touches @nr addresses, @stride apart: the cycles. */
uint64_t shape_touch_each(struct tlb_model *m, uint64_t va, unsigned nr, uint64_t stride);

/* So many pages are known, all is forgotten, and they are touched again: the cycles of that. */
uint64_t shape_refill(const struct tlb_machine *machine, unsigned nr);

/* Two spaces take turns with 512 pages each, and with @others that nobody has seen before: the
 * walks in one turn, the others' own left out. */
double shape_walks_in_a_turn(const struct tlb_machine *machine, bool pcid, unsigned others);

/* A program goes on with 256 pages of its own between flushes of the sizes that a compiler causes,
 * 2.2 % of them of global pages: the cycles of all, when up to @ceiling pages are flushed one by
 * one. */
uint64_t shape_cost_of_ceiling(const struct tlb_machine *machine, unsigned ceiling);
