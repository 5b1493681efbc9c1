/* SPDX-License-Identifier: MIT */
/*
 * include/mm/limbo.h - frames that are free as soon as every CPU has forgotten them
 *
 * Room:   mm.
 * Owns:   the batches that gathers left, by CPU.
 * Locks:  limbo locks (rank LIMBO), taken here only.
 * Always: (1) a frame leaves limbo when no CPU can use what left its address space with it;
 *         (2) a frame in limbo has the reference that its leaf had: nobody is given it.
 * Source: Kumar et al., "LATR: Lazy Translation Coherence" (2018); Linux, "LUF" (2024), as posted.
 * Tour:   after asm/tlb.h and docs/tlb.md; then mm/limbo.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

struct tlb_gather;

/* What one gather took away, or some that came after each other. */
struct limbo_batch;

/**
 * limbo_batch_of() - the pages and tables of @g, to be freed later; @g keeps none
 * With them what waits already and can wait a little longer. What this CPU has there and all have
 * forgotten meanwhile is freed now and then.
 * Return: NULL: no memory; nothing has changed.
 */
struct limbo_batch *limbo_batch_of(struct tlb_gather *g);

/* It left the address space at @generation, or before: this CPU's from now on. */
void limbo_add(struct limbo_batch *batch, uint64_t generation);

/**
 * limbo_drain() - free all that is there now
 * TLB: CPUs that may use some of it are asked to catch up. Context: as tlb_gather_end().
 * Return: how many frames went.
 */
uint64_t limbo_drain(void);

/* Free what came before the last sweep. TLB, context: as limbo_drain(). */
void limbo_sweep(void);

/* How many frames wait. */
uint64_t limbo_frames(void);

/* For checks of counts, while the machine stands still: add @by to each frame's references; how
 * many tables there are. */
void limbo_count(uint32_t by);
uint64_t limbo_tables(void);

extern uint64_t limbo_frames_max; /* with more it is drained by whoever fills a batch */

/* @wake: called when a first batch comes; until it is known, frames wait until there are many.
 * limbo_sweep() is to come until none are there. */
void limbo_wake_by(void (*wake)(void));

/* Boot, before the first address space. */
void limbo_boot_init(void);
