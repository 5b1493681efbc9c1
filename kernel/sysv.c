/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv.c - System V IPC: keys, numbers and permissions
 *
 * Room:   kernel.
 * Owns:   how numbers are given out.
 * Locks:  ids.lock is held by callers.
 * Always: (1) see sysv.h.
 * Source: sysvipc(7); svipc(7).
 * Tour:   after kernel/sysv.h; then kernel/sysv_shm.c.
 */
#include "sysv.h"

#include "cred.h"
#include <asm/time.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define SLOT_BITS   15
#define SLOT_MASK   ((1U << SLOT_BITS) - 1)
#define ROUND_MASK  0xffffU
#define FIRST_SLOTS 16U
#define RIGHTS      0777
#define NS_PER_SEC  1000000000UL

int64_t ipc_now(void)
{
    return (clock_boot_epoch_ns() + clock_ns()) / NS_PER_SEC;
}

void ipc_init(struct ipc *ipc, int key, uint32_t mode)
{
    const struct cred *cred = cred_current();

    *ipc = (struct ipc){
        .key = key,
        .uid = cred->user.effective,
        .gid = cred->group.effective,
        .cuid = cred->user.effective,
        .cgid = cred->group.effective,
        .mode = mode & RIGHTS,
    };
}

/* A table twice as large, up to @max. */
static int grow(struct ipc_ids *ids, unsigned max)
{
    unsigned nr = min(max(ids->nr_slots * 2, FIRST_SLOTS), max);
    struct ipc **slots = kmem_alloc(nr * sizeof(*slots), SLAB_ALLOC_ZERO);

    if (!slots)
        return -ENOMEM;
    if (ids->nr_slots)
        memcpy(slots, ids->slots, ids->nr_slots * sizeof(*slots));
    kmem_free(ids->slots);
    ids->slots = slots;
    ids->nr_slots = nr;
    return 0;
}

static int first_free(const struct ipc_ids *ids)
{
    unsigned slot = 0;

    while (slot < ids->nr_slots && ids->slots[slot])
        slot++;
    return slot;
}

int ipc_add(struct ipc_ids *ids, struct ipc *ipc, int max)
{
    if (ids->used >= max)
        return -ENOSPC;
    int slot = first_free(ids);
    int err = (unsigned)slot == ids->nr_slots ? grow(ids, max) : 0;
    if (err)
        return err;
    if (slot <= ids->last)
        ids->round = (ids->round + 1) & ROUND_MASK;
    ids->last = slot;
    ids->used++;
    ids->slots[slot] = ipc;
    ipc->id = (int)(ids->round << SLOT_BITS) | slot;
    return 0;
}

void ipc_remove(struct ipc_ids *ids, const struct ipc *ipc)
{
    ids->slots[(unsigned)ipc->id & SLOT_MASK] = NULL;
    ids->used--;
}

struct ipc *ipc_nth(const struct ipc_ids *ids, unsigned slot)
{
    return slot < ids->nr_slots ? ids->slots[slot] : NULL;
}

struct ipc *ipc_find(const struct ipc_ids *ids, int id)
{
    struct ipc *ipc = id < 0 ? NULL : ipc_nth(ids, (unsigned)id & SLOT_MASK);
    return ipc && ipc->id == id ? ipc : NULL;
}

struct ipc *ipc_find_key(const struct ipc_ids *ids, int key)
{
    for (unsigned i = 0; i < ids->nr_slots && key != IPC_PRIVATE; i++)
        if (ids->slots[i] && ids->slots[i]->key == key)
            return ids->slots[i];
    return NULL;
}

int ipc_highest(const struct ipc_ids *ids)
{
    unsigned slot = ids->nr_slots;

    while (slot > 0 && !ids->slots[slot - 1])
        slot--;
    return slot ? (int)slot - 1 : 0;
}

int ipc_reuse(const struct ipc *ipc, int flags)
{
    int err = ipc_permission(ipc, flags);
    return err ? err : ipc->id;
}

int ipc_permission(const struct ipc *ipc, unsigned mode)
{
    const struct cred *cred = cred_current();
    unsigned wanted = (mode >> 6 | mode >> 3 | mode) & 7, granted = ipc->mode;

    if (cred->user.effective == ipc->cuid || cred->user.effective == ipc->uid)
        granted >>= 6;
    else if (cred_in_group(ipc->cgid) || cred_in_group(ipc->gid))
        granted >>= 3;
    return (wanted & ~granted) && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_may_change(const struct ipc *ipc)
{
    uint32_t me = cred_current()->user.effective;
    return me == ipc->cuid || me == ipc->uid || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_change(struct ipc *ipc, const struct uapi_ipc_perm *perm)
{
    ipc->uid = perm->uid;
    ipc->gid = perm->gid;
    ipc->mode = (ipc->mode & ~(uint32_t)RIGHTS) | (perm->mode & RIGHTS);
}

void ipc_stat(const struct ipc *ipc, struct uapi_ipc_perm *out)
{
    *out = (struct uapi_ipc_perm){
        .key = ipc->key,
        .uid = ipc->uid,
        .gid = ipc->gid,
        .cuid = ipc->cuid,
        .cgid = ipc->cgid,
        .mode = ipc->mode,
        .seq = (unsigned)ipc->id >> SLOT_BITS,
    };
}
