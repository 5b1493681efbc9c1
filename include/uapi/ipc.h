/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/ipc.h - System V shared memory and semaphores
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: sysvipc(7), shmget(2), shmop(2), shmctl(2), semget(2), semop(2), semctl(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

#define IPC_PRIVATE 0
#define IPC_CREAT   01000
#define IPC_EXCL    02000
#define IPC_NOWAIT  04000

enum { IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO };

struct uapi_ipc_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t seq, pad[3];
    uint64_t unused[2];
};

/* Shared memory */

enum { SHM_LOCK = 11, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY };

#define SHM_HUGETLB    04000
#define SHM_NORESERVE  010000
#define SHM_RDONLY     010000
#define SHM_RND        020000
#define SHM_REMAP      040000
#define SHM_EXEC       0100000
#define SHM_DEST       01000 /* in the mode: it ends with its last mapping */
#define SHM_LOCKED     02000
#define SHM_HUGE_SHIFT 26
#define SHM_HUGE_MASK  0x3f

struct uapi_shmid_ds {
    struct uapi_ipc_perm perm;
    uint64_t size;
    int64_t atime, dtime, ctime;
    int32_t cpid, lpid;
    uint64_t nattch, unused[2];
};

struct uapi_shminfo {
    uint64_t max, min, ids, segments, all, unused[4];
};

struct uapi_shm_info {
    int32_t used_ids;
    uint64_t total, resident, swapped, swap_attempts, swap_successes;
};

/* Semaphores */

enum { GETPID = 11, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL };
enum { SEM_STAT = 18, SEM_INFO, SEM_STAT_ANY };

#define SEM_UNDO 0x1000

struct uapi_sembuf {
    uint16_t num;
    int16_t op, flags;
};

struct uapi_semid_ds {
    struct uapi_ipc_perm perm;
    int64_t otime;
    uint64_t unused0;
    int64_t ctime;
    uint64_t unused1, nsems, unused[2];
};

struct uapi_seminfo {
    int32_t map, ids, all, undos, per_set, per_call, undo_entries, undo_size, max_value, max_undo;
};

_Static_assert(sizeof(struct uapi_ipc_perm) == 48, "struct ipc64_perm");
_Static_assert(sizeof(struct uapi_shmid_ds) == 112, "struct shmid64_ds");
_Static_assert(sizeof(struct uapi_semid_ds) == 104, "struct semid64_ds");
