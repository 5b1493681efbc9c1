/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv.h - System V IPC: keys, numbers and permissions of what programs share by number
 *
 * Room:   kernel.
 * Owns:   struct ipc (what has a number), struct ipc_ids (all of one kind).
 * Locks:  ipc_ids.lock (spin, rank IPC) for all of it; static functions of the kinds hold it.
 * Always: (1) a number is used again only after 32768 others with its slot;
 *         (2) what is found under the lock is there until the lock is released.
 * Source: sysvipc(7), ftok(3), shmget(2), semget(2).
 * Tour:   then kernel/sysv.c, kernel/sysv_shm.c, kernel/sysv_sem.c.
 */
#pragma once

#include <asm/spinlock.h>
#include <stdbool.h>
#include <uapi/ipc.h>

struct dentry;
struct text_kind;

struct ipc {
    int id, key; /* IPC_PRIVATE: found by number only */
    uint32_t uid, gid, cuid, cgid, mode;
};

struct ipc_ids {
    spinlock_t lock;
    struct ipc **slots; /* NULL: free */
    unsigned nr_slots;  /* room in the table */
    int used, last;     /* slots in use; the one that was taken last */
    uint32_t round;     /* how often all were looked through: the upper part of numbers */
};

#define IPC_IDS_INIT                                     \
    {                                                    \
        .lock = SPINLOCK_INIT(LOCK_RANK_IPC), .last = -1 \
    }

/* Fill in a new one, owned by the running task. No lock needed. */
void ipc_init(struct ipc *ipc, int key, uint32_t mode);

/* The lock is held in what follows. */

/* Give @ipc a number: 0, -ENOSPC (there are @max), -ENOMEM. */
int __must_check ipc_add(struct ipc_ids *ids, struct ipc *ipc, int max);
void ipc_remove(struct ipc_ids *ids, const struct ipc *ipc);

/* By number, by key, by slot. NULL: there is none. */
struct ipc *ipc_find(const struct ipc_ids *ids, int id);
struct ipc *ipc_find_key(const struct ipc_ids *ids, int key);
struct ipc *ipc_nth(const struct ipc_ids *ids, unsigned slot);

/* The highest slot in use, 0 if none is. */
int ipc_highest(const struct ipc_ids *ids);

/* What get calls say of one that has the key: its number, -EEXIST, -EACCES. */
int ipc_reuse(const struct ipc *ipc, int flags);

/* @mode: 0444, 0222, or what shmget(2) was told. 0 or -EACCES. */
int __must_check ipc_permission(const struct ipc *ipc, unsigned mode);

/* May the running task change owners, or remove it? 0 or -EPERM. */
int __must_check ipc_may_change(const struct ipc *ipc);
void ipc_change(struct ipc *ipc, const struct uapi_ipc_perm *perm);
void ipc_stat(const struct ipc *ipc, struct uapi_ipc_perm *out);

/* Seconds since 1970, for the times they keep. */
int64_t ipc_now(void);

/* sysv_semctl.c: its part of what ipc_boot_files() makes. */
extern const struct text_kind proc_sysvipc_sem, proc_sys_sem;

/* sysv_shmctl.c: /proc/sysvipc and limits in /proc/sys/kernel. Boot. */
void ipc_boot_files(struct dentry *proc, struct dentry *sys_kernel);
