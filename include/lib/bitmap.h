/* SPDX-License-Identifier: MIT */
/*
 * include/lib/bitmap.h - arrays of bits
 *
 * Room:   lib.
 * Owns:   the numbering: bit n is bit n % 64 of word n / 64.
 * Locks:  none; nothing here is atomic.
 * Always: (1) searches return nr_bits when there is nothing to find;
 *         (2) bits at and past nr_bits are never looked at as answers.
 * Source: none needed.
 * Tour:   after include/lib/compiler.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORD_BITS      64U
#define BITMAP_WORDS(nr_bits) (((nr_bits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

static inline bool bitmap_test(const uint64_t *map, unsigned bit)
{
    return (map[bit / BITMAP_WORD_BITS] >> (bit % BITMAP_WORD_BITS)) & 1;
}

static inline void bitmap_set(uint64_t *map, unsigned bit)
{
    map[bit / BITMAP_WORD_BITS] |= 1ULL << (bit % BITMAP_WORD_BITS);
}

static inline void bitmap_clear(uint64_t *map, unsigned bit)
{
    map[bit / BITMAP_WORD_BITS] &= ~(1ULL << (bit % BITMAP_WORD_BITS));
}

static inline void bitmap_set_range(uint64_t *map, unsigned start, unsigned end)
{
    for (unsigned bit = start; bit < end; bit++)
        bitmap_set(map, bit);
}

static inline void bitmap_clear_range(uint64_t *map, unsigned start, unsigned end)
{
    for (unsigned bit = start; bit < end; bit++)
        bitmap_clear(map, bit);
}

/* First bit in [from, nr_bits) of the map XOR @flip; flip = ~0 looks for zeros. */
static inline unsigned bitmap_find(const uint64_t *map, unsigned nr_bits, unsigned from,
                                   uint64_t flip)
{
    while (from < nr_bits) {
        uint64_t rest = (map[from / BITMAP_WORD_BITS] ^ flip) >> (from % BITMAP_WORD_BITS);

        if (rest != 0)
            return min(from + (unsigned)__builtin_ctzll(rest), nr_bits);
        from = (from / BITMAP_WORD_BITS + 1) * BITMAP_WORD_BITS;
    }
    return nr_bits;
}

static inline unsigned bitmap_find_set(const uint64_t *map, unsigned nr_bits, unsigned from)
{
    return bitmap_find(map, nr_bits, from, 0);
}

static inline unsigned bitmap_find_zero(const uint64_t *map, unsigned nr_bits, unsigned from)
{
    return bitmap_find(map, nr_bits, from, ~0ULL);
}

static inline unsigned bitmap_find_first_zero(const uint64_t *map, unsigned nr_bits)
{
    return bitmap_find_zero(map, nr_bits, 0);
}

static inline unsigned bitmap_count(const uint64_t *map, unsigned nr_bits)
{
    unsigned count = 0;

    for (unsigned bit = bitmap_find_set(map, nr_bits, 0); bit < nr_bits;
         bit = bitmap_find_set(map, nr_bits, bit + 1))
        count++;
    return count;
}
