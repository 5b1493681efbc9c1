/* SPDX-License-Identifier: MIT */
/*
 * mm/wx.c - written or executed: which mapping may be what
 *
 *   PR_SET_MDWE       of one program: no area is both, and none becomes executable later
 *   wx=enforce        the same of every program, and of an object's mappings taken together
 *   SEAL_NEVER_EXEC   of one object: nobody ever maps it executable
 *
 * Room:   mm.
 * Owns:   mm.mdwe, object.executors.
 * Locks:  none: the count is atomic; mmap_lock of who asks.
 * Always: (1) executors is how many areas with VM_EXEC map the object, or -1: none ever may again;
 *         (2) with wx=enforce an object has executors or writers, but never both.
 * Source: PR_SET_MDWE(2const); Linux include/linux/mman.h (behaviour).
 * Tour:   after mm/protect.c; user/jit.c shows it.
 */
#include "internal.h"
#include <mm/commit.h>
#include <uapi/errno.h>
#include <uapi/prctl.h>

uint32_t mm_mdwe(const struct mm *mm)
{
    return mm->mdwe | (vm_settings.wx_enforce ? PR_MDWE_REFUSE_EXEC_GAIN : 0);
}

int mm_set_mdwe(struct mm *mm, uint32_t bits)
{
    uint32_t now = mm_mdwe(mm);

    if (now && now != bits)
        return -EPERM;
    WRITE_ONCE(mm->mdwe, bits);
    return 0;
}

void mm_inherit_mdwe(struct mm *mm, const struct mm *from)
{
    mm->mdwe = from->mdwe & PR_MDWE_NO_INHERIT ? 0 : from->mdwe;
}

int object_executor_get(struct object *object)
{
    return users_get(&object->executors, &object->writers);
}

void object_executor_put(struct object *object)
{
    users_put(&object->executors);
}

int object_deny_executors(struct object *object)
{
    return users_deny(&object->executors);
}
