/* SPDX-License-Identifier: MIT */
/*
 * tests/experiments/sizes.h - how many pages a compiler's flushes forget, drawn at random
 *
 * Room:   tests/experiments.
 * Owns:   the distribution.
 * Locks:  none.
 * Always: (1) the same seed gives the same sizes in the same order.
 * Source: docs/tlb-lab.md: of a Linux kernel's compilation 1 page 56.9 %, at most 4 88.6 %, at most
 *         33 98.6 %, of these 33 alone 3.1 %; global 2.2 %.
 * Tour:   before tests/experiments/size_replay.c and policy_replay.c.
 */
#pragma once

#include "measure.h"

#define LAB_SIZES_SEED 2463534242U
#define LAB_SIZE_LARGE 512U /* what is more than 33: so many at most */

static inline bool lab_size_is_global(uint32_t *state)
{
    return lab_random(state) % 1000 < 22;
}

static inline unsigned lab_size_draw(uint32_t *state)
{
    static const struct {
        unsigned of_thousand, from, to; /* so many flushes forget at most @to pages */
    } sizes[] = {{569, 1, 1}, {886, 2, 4}, {955, 5, 32}, {986, 33, 33}, {1000, 34, LAB_SIZE_LARGE}};
    unsigned draw = lab_random(state) % 1000, i = 0;

    while (draw >= sizes[i].of_thousand)
        i++;
    return sizes[i].from + lab_random(state) % (sizes[i].to - sizes[i].from + 1);
}
