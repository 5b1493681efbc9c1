/* SPDX-License-Identifier: MIT */
/*
 * asm/pkey.h - protection keys: which data of its own a program has shut for a while
 *
 * Room:   arch, public face.
 * Owns:   PKRU, of the task that runs: two bits for each key.
 * Locks:  none: the register is this CPU's, and switched with the task.
 * Always: (1) without PKU in the CPU no key refuses anything, and PKRU is never touched.
 * Source: Intel SDM 3A, "Protection Keys"; pkeys(7).
 * Tour:   after asm/context.h; before mm/pkey.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PKEYS 16

/* As pkey_alloc(2) has them. */
enum pkey_rights { PKEY_NO_ACCESS = 1, PKEY_NO_WRITE = 2, PKEY_RIGHTS = 3 };

/* Does the running program's PKRU refuse data with @key, to read or to @write? */
bool pkey_refuses(unsigned key, bool write);

/* The running program's rights with @key from now on: enum pkey_rights. */
void pkey_set(unsigned key, unsigned rights);

/**
 * pkeys_open() - every key grants everything, for what the kernel does on its own account
 * Return: what was, for pkeys_restore().
 */
uint32_t pkeys_open(void);
void pkeys_restore(uint32_t before);
