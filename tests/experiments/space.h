/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/space.h - a working set: pages of one size in an address space of their own
 *
 * Room:   tests/experiments.
 * Owns:   struct lab_space.
 * Locks:  none: nobody else uses the space.
 * Always: (1) all pages show the same 2 MiB of memory, each another cache line of it: its line
 *             holds the address of the next in a random order, so that nothing is prefetched;
 *         (2) leaves are the kernel's: no instruction is needed to be allowed to read them.
 * Source: docs/tlb-lab.md, "What an experiment must do to be believed".
 * Tour:   after tests/experiments/kit.h.
 */
#pragma once

#include <asm/pgtable.h>
#include <mm/page.h>

#define LAB_PAGES_MAX 4096

struct lab_space {
    struct pgtable pgt;
    enum pt_level level;
    uint64_t nr, stride; /* pages; from one to the next, in pages of this size */
    bool global;
    void *first;
    struct page *block; /* 2 MiB */
};

/* Make it; the caller set level, nr, stride and global. NULL, or why it cannot be: nothing is left
 * then. */
const char *lab_space_make(struct lab_space *s);
void lab_space_drop(struct lab_space *s);

/* Load it, here; and the kernel's own again. */
void lab_space_load(struct lab_space *s);
void lab_space_unload(void);

/* The page's address, and its end. */
uint64_t lab_space_va(const struct lab_space *s, uint64_t i);

/* Forget the first @nr pages on every CPU that has the space loaded, as the kernel does after their
 * leaves changed. IRQs on. */
void lab_space_forget(struct lab_space *s, uint64_t nr);

/* A probe's argument and body: so many pages are forgotten everywhere. */
struct lab_shot {
    struct lab_space space;
    uint64_t nr;
};

void lab_shot_body(void *shot);

/* Read each page once, each read after the one before. */
void lab_space_chase(const struct lab_space *s);
