/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/flush.h - every way in which this CPU can be made to forget
 *
 * Room:   tests/experiments.
 * Owns:   enum lab_flush.
 * Locks:  none. IRQs off.
 * Always: (1) LAB_NOTHING is the control; LAB_CR3_KEEP forgets nothing either, at the price of CR3.
 * Source: Intel SDM 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
 * Tour:   after tests/experiments/space.h.
 */
#pragma once

#include "kit.h"
#include "space.h"

enum lab_flush {
    LAB_NOTHING,
    LAB_INVLPG,
    LAB_INVPCID_ADDRESS,
    LAB_INVPCID_SPACE,
    LAB_INVPCID_ALL,
    LAB_INVPCID_NOT_GLOBAL,
    LAB_CR3,
    LAB_CR3_KEEP,
    LAB_CR4_PGE,
    LAB_FLUSHES
};

const char *lab_flush_name(enum lab_flush how);

/* NULL, or why this CPU cannot. */
const char *lab_flush_absent(enum lab_flush how);

/* Does it forget one address at a time? */
bool lab_flush_is_single(enum lab_flush how);

/* Must it forget, by the manual? */
bool lab_flush_forgets(enum lab_flush how, bool global);

/* Do it; @va: the address of the single ones. */
void lab_flush(enum lab_flush how, uint64_t va);

/* All pages of a space: the single ones page by page. */
void lab_flush_space(enum lab_flush how, const struct lab_space *s);

/* What probes of a space and a way have as their argument; and steps that many share. */
struct lab_refill {
    struct lab_space space;
    enum lab_flush how;
};

void lab_refill_prepare(void *refill); /* know all pages, then forget them by @how */
void lab_refill_body(void *refill);    /* walk them */

/* One row: what a page costs after @prepare, or that the CPU cannot do @how. */
void lab_refill_row(struct lab_refill *r, enum lab_flush how, void (*prepare)(void *refill));

/* One row for each way, in a space of its own. */
void lab_refill_rows(enum pt_level level, uint64_t nr, uint64_t stride, bool global);
