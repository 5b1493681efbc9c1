/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/attacker.h - a pattern that is looked for and stands nowhere
 *
 * Room:   tests/kernel.
 * Owns:   struct pattern.
 * Locks:  none.
 * Always: (1) no word of a pattern lies in the kernel's memory: what does is xor a key.
 * Source: trust.md section 4.
 * Tour:   with tests/kernel/attacker.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uapi/attacker.h>

#define PATTERN_WORDS (ATTACKER_BYTES - sizeof(uint64_t) + 1) /* wherever a word of it may begin */

struct pattern {
    uint64_t key;
    uint64_t words[PATTERN_WORDS]; /* xor key */
    bool begins[256];              /* by their first byte: a quick answer for most of memory */
};

/* From two halves, neither of which tells anything. */
void pattern_init(struct pattern *pattern, const uint8_t half[2][ATTACKER_BYTES]);

/* Read the page at @va, any address of the kernel's half, as an attacker does: how many aligned
 * words are the pattern's, or -1 when the page cannot be read. IRQs off. */
int pattern_search(const struct pattern *pattern, uint64_t va);

/* Can the word at @va be read, by this CPU, with AC clear? IRQs off. */
bool attacker_reads(uint64_t va);
