/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/attacker_search.c - looking for a pattern in a page, wherever that may be mapped
 *
 * Room:   tests/kernel.
 * Owns:   the one instruction with which the attacker reads.
 * Locks:  none.
 * Always: (1) a word that is found is in registers only, and gone when the search goes on.
 * Source: trust.md section 4.
 * Tour:   before tests/kernel/attacker.c.
 */
#include "attacker.h"

#include <asm/cpu.h>
#include <asm/time.h>
#include <lib/addr.h>
#include <lib/compiler.h>
#include <lib/string.h>

/* False: refused. AC is clear, so a user's address is. */
static __force_inline bool read_word(uint64_t va, uint64_t *word)
{
    __asm__ volatile goto("1: movq (%1), %0\n"
                          ".pushsection .ex_table, \"a\"\n"
                          ".quad 1b, %l2\n"
                          ".popsection"
                          : "=r"(*word)
                          : "r"(va)
                          : "memory"
                          : refused);
    return true;
refused:
    return false;
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

void pattern_init(struct pattern *pattern, const uint8_t half[2][ATTACKER_BYTES])
{
    *pattern = (struct pattern){.key = (clock_ns() ^ cpu_random()) * 0x9e3779b97f4a7c15UL};
    for (unsigned i = 0; i < PATTERN_WORDS; i++) {
        volatile uint64_t *word = &pattern->words[i]; /* claim 1 of attacker.h: key before half */
        *word = word_at(&half[0][i]) ^ pattern->key;
        *word ^= word_at(&half[1][i]);
        pattern->begins[(uint8_t)*word] = true;
    }
}

static __no_inline bool is_in_pattern(const struct pattern *pattern, uint64_t masked)
{
    for (unsigned i = 0; i < PATTERN_WORDS; i++)
        if (pattern->words[i] == masked)
            return true;
    return false;
}

int pattern_search(const struct pattern *pattern, uint64_t va)
{
    uint64_t word, key = pattern->key;
    int found = 0;

    for (uint64_t end = va + PAGE_SIZE; va < end; va += sizeof(word)) {
        if (!read_word(va, &word))
            return -1;
        word ^= key;
        if (unlikely(pattern->begins[(uint8_t)word]))
            found += is_in_pattern(pattern, word);
    }
    return found;
}

bool attacker_reads(uint64_t va)
{
    uint64_t word;

    return read_word(va, &word);
}
