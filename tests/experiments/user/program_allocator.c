/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/user/program_allocator.c - threads that want large blocks for a moment
 *
 * Room:   user.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) a block is large enough for the C library to give it back at once.
 * Source: malloc(3), M_MMAP_THRESHOLD.
 * Tour:   after tests/experiments/user/programs.h.
 */
#include "programs.h"

#define BLOCK   (1UL << 20) /* more than any threshold of libc */
#define TOUCHED 16UL

static void use_a_block(unsigned thread)
{
    volatile char *block = malloc(BLOCK);

    MUST(block);
    for (size_t i = 0; i < TOUCHED; i++)
        block[i * PAGE] = (char)thread;
    free((void *)block);
}

const struct program program_allocator = {
    .name = "allocator", .work = use_a_block, .operations = 50};

EXPERIMENT(program_allocator,
           .title = "An allocator: take 1 MiB, write 16 pages of it, give it back",
           .x_axis = "threads",
           .bare = "No thread sees another's block, and all forget it nevertheless.",
           .virt = LAB_VIRT_IPI)
{
    program_measure(&program_allocator);
}
