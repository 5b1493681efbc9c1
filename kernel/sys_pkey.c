/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_pkey.c - pkey_alloc and pkey_free
 *
 * Room:   kernel.
 * Owns:   nothing; mm/pkey.c has the keys, asm/pkey.h the caller's rights with them.
 * Locks:  none.
 * Always: (1) pkey_alloc() sets the caller's rights with the new key, of no other thread.
 * Source: pkey_alloc(2), pkey_free(2).
 * Tour:   after kernel/sys_mm.c, which has pkey_mprotect().
 */
#include "syscall.h"
#include "task.h"
#include <asm/pkey.h>
#include <mm/mm.h>
#include <uapi/errno.h>

int64_t sys_pkey_alloc(uint64_t flags, uint64_t rights)
{
    if (flags || (rights & ~(uint64_t)PKEY_RIGHTS))
        return -EINVAL;
    int key = mm_pkey_alloc(task_current()->mm);
    if (key >= 0)
        pkey_set(key, rights);
    return key;
}

int64_t sys_pkey_free(int key)
{
    return mm_pkey_free(task_current()->mm, key);
}
