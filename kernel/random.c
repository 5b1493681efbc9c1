/* SPDX-License-Identifier: MIT */
/*
 * kernel/random.c - bytes that differ from run to run
 *
 * Room:   kernel.
 * Owns:   one generator state.
 * Locks:  none: the state is one atomic counter.
 * Always: (1) the sequence never repeats within 2^64 steps; (2) it is no source of secrets;
 *         (3) what the CPU's own generator gives goes into every request, where there is one.
 * Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014), SplitMix.
 * Tour:   as needed.
 */
#include "random.h"

#include <asm/cpu.h>
#include <asm/time.h>
#include <lib/compiler.h>
#include <lib/string.h>
#include <stdatomic.h>

static _Atomic uint64_t state;

static uint64_t next(void)
{
    uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15UL) ^ tsc_read();
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

uint64_t random_number(void)
{
    return next() ^ cpu_random();
}

void random_bytes(void *buf, size_t len)
{
    char *to = buf;
    atomic_fetch_xor(&state, cpu_random());
    while (len) {
        uint64_t word = next();
        size_t chunk = min(len, sizeof(word));
        memcpy(to, &word, chunk);
        to += chunk;
        len -= chunk;
    }
}
