/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_shm.h - segments of System V shared memory
 *
 * Room:   kernel.
 * Owns:   struct segment.
 * Locks:  segments.lock for every field.
 * Always: (1) see kernel/sysv_shm.c.
 * Source: shmctl(2).
 * Tour:   with kernel/sysv_shm.c and kernel/sysv_shmctl.c.
 */
#pragma once

#include "sysv.h"
#include <lib/compiler.h>
#include <stdint.h>

struct segment {
    struct ipc ipc;
    struct dentry *dentry; /* its object's name, a reference */
    uint64_t size;         /* in bytes, as asked for */
    unsigned attaching;    /* calls that are just mapping it */
    int64_t atime, dtime, ctime;
    int cpid, lpid; /* who made it, who attached or detached it last */
};

struct shm_limits {
    uint64_t max, all; /* bytes of one, pages of all together */
    uint64_t ids;
};

extern struct ipc_ids segments;
extern struct shm_limits shm_limits;
extern uint64_t shm_total_pages;

static inline struct segment *segment_of(struct ipc *ipc)
{
    return container_of(ipc, struct segment, ipc);
}

/* segments.lock is held. */

uint64_t segment_attached(const struct segment *s);

/* IPC_RMID. *@unused: put it after the lock is released; NULL: somebody has it mapped. */
void segment_remove(struct segment *s, struct dentry **unused);
