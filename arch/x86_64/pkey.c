/* SPDX-License-Identifier: MIT */
/*
 * arch/x86_64/pkey.c - the running program's rights by protection key
 *
 * Room:   arch.
 * Owns:   reading and changing PKRU; switching it is arch/x86_64/context.c's.
 * Locks:  none; see asm/pkey.h.
 * Always: (1) as asm/pkey.h says.
 * Source: Intel SDM 3A, "Protection Keys".
 * Tour:   after asm/pkey.h.
 */
#include <asm/pkey.h>

#include "insn.h"
#include <asm/cpu.h>

#define BITS_OF_KEY 2 /* enum pkey_rights */

bool pkey_refuses(unsigned key, bool write)
{
    if (!cpu_has(CPU_PKU))
        return false;
    unsigned rights = rdpkru() >> BITS_OF_KEY * key & PKEY_RIGHTS;
    return rights & (write ? PKEY_NO_ACCESS | PKEY_NO_WRITE : PKEY_NO_ACCESS);
}

void pkey_set(unsigned key, unsigned rights)
{
    unsigned shift = BITS_OF_KEY * key;

    if (cpu_has(CPU_PKU))
        wrpkru((rdpkru() & ~(PKEY_RIGHTS << shift)) | rights << shift);
}

uint32_t pkeys_open(void)
{
    uint32_t before = cpu_has(CPU_PKU) ? rdpkru() : 0;

    if (before)
        wrpkru(0);
    return before;
}

void pkeys_restore(uint32_t before)
{
    if (before)
        wrpkru(before);
}
