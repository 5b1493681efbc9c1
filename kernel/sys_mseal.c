/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_mseal.c - mseal
 *
 * Room:   kernel.
 * Owns:   nothing; mm/mseal.c does it.
 * Locks:  none.
 * Always: (1) checks come in Linux's order.
 * Source: mseal(2).
 * Tour:   after kernel/sys_mm.c.
 */
#include "syscall.h"
#include "task.h"
#include <mm/mm.h>
#include <uapi/errno.h>

int64_t sys_mseal(uint64_t addr, uint64_t len, uint64_t flags)
{
    uint64_t rounded = round_up(len, PAGE_SIZE);

    if (flags || !is_aligned(addr, PAGE_SIZE) || (len && !rounded) || addr + rounded < addr)
        return -EINVAL;
    if (!rounded)
        return 0;
    if (addr + rounded > USER_END)
        return -ENOMEM;
    return mm_seal(task_current()->mm, addr, rounded);
}
