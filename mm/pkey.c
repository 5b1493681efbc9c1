/* SPDX-License-Identifier: MIT */
/*
 * mm/pkey.c - which protection keys an address space has given out
 *
 * Room:   mm.
 * Owns:   mm.pkeys, mm.keyed, mm.exec_pkey.
 * Locks:  mmap_lock for writing changes them.
 * Always: (1) the key of execute-only areas is given out, and no program's to use or to free;
 *         (2) a key that is freed stays in areas and leaves: who gets it next has a say in them;
 *             with pkey_strict=1 on the command line it is not freed while areas have it.
 * Source: pkey_alloc(2), pkeys(7); Linux arch/x86/mm/pkeys.c (behaviour).
 * Tour:   after asm/pkey.h; then mm/protect.c.
 */
#include "internal.h"
#include <asm/pkey.h>
#include <base/bug.h>
#include <mm/commit.h>
#include <uapi/errno.h>

void pkeys_init(struct mm *mm)
{
    mm->pkeys = cpu_has(CPU_PKU) ? 1 : 0;
    mm->exec_pkey = NO_PKEY;
}

void pkeys_inherit(struct mm *child, const struct mm *mm)
{
    if (bug_is_back(BUG_B63))
        return;
    child->pkeys = mm->pkeys;
    child->exec_pkey = mm->exec_pkey;
    child->keyed = mm->keyed;
}

bool pkey_is_given(const struct mm *mm, int key)
{
    return key >= 0 && key < PKEYS && key != mm->exec_pkey && (mm->pkeys >> key & 1);
}

/* The lowest free key. mmap_lock held for writing. */
static int take(struct mm *mm)
{
    unsigned free = ~(unsigned)mm->pkeys & ((1U << PKEYS) - 1);

    if (!free || !cpu_has(CPU_PKU))
        return -ENOSPC;
    int key = __builtin_ctz(free);
    mm->pkeys |= 1U << key;
    WRITE_ONCE(mm->keyed, true);
    return key;
}

int pkey_of_exec_only(struct mm *mm)
{
    int key = mm->exec_pkey == NO_PKEY ? take(mm) : mm->exec_pkey;

    if (key < 0)
        return NO_PKEY;
    return mm->exec_pkey = key;
}

int mm_pkey_alloc(struct mm *mm)
{
    rwsem_write_lock(&mm->mmap_lock);
    int key = take(mm);
    rwsem_write_unlock(&mm->mmap_lock);
    return key;
}

/* Linux frees a key that areas still have, and so does Bulla, unless told otherwise. */
static bool may_free(struct mm *mm, unsigned key)
{
    const struct vma *vma = vma_find_from(mm, 0);

    if (!vm_settings.pkey_strict || bug_is_back(BUG_B62))
        return true;
    while (vma && vma->pkey != key)
        vma = vma_next(vma);
    return !vma;
}

int mm_pkey_free(struct mm *mm, int key)
{
    int err = -EINVAL;

    rwsem_write_lock(&mm->mmap_lock);
    if (pkey_is_given(mm, key))
        err = may_free(mm, key) ? 0 : -EBUSY;
    if (!err)
        mm->pkeys &= ~(1U << key);
    rwsem_write_unlock(&mm->mmap_lock);
    return err;
}

int mm_pkey_exec_only(struct mm *mm)
{
    rwsem_write_lock(&mm->mmap_lock);
    int key = pkey_of_exec_only(mm);
    rwsem_write_unlock(&mm->mmap_lock);
    return key;
}

int mm_pkey_at(struct mm *mm, uint64_t addr)
{
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, addr);
    int key = vma ? (int)vma->pkey : NO_PKEY;
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return key;
}
