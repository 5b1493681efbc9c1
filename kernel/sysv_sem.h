/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_sem.h - sets of System V semaphores
 *
 * Room:   kernel.
 * Owns:   struct sem_set, struct sem_undo, struct sem_call.
 * Locks:  sem_sets.lock for every field.
 * Always: (1) a call that waits stands in its set's queue, and is carried out by whoever makes it
 *             possible; (2) no waiting call could be carried out when the lock is released.
 * Source: semop(2), semctl(2).
 * Tour:   with kernel/sysv_sem.c and kernel/sysv_semctl.c.
 */
#pragma once

#include "sched.h"
#include "sysv.h"
#include <lib/compiler.h>
#include <lib/list.h>
#include <stdint.h>

#define SEM_VALUE_MAX 32767

struct semaphore {
    int value, pid; /* who changed it last */
};

struct sem_set {
    struct ipc ipc;
    int64_t otime, ctime; /* of the last semop() and semctl() */
    unsigned nr;
    struct list_node calls; /* that wait, in the order in which they came */
    struct list_node undos;
    struct semaphore sems[];
};

/* What a process's end gives back to one set. */
struct sem_undo {
    struct list_node process_node; /* on process->sem_undos */
    struct list_node set_node;     /* on set->undos; alone: the set is gone */
    struct sem_set *set;
    int id;
    int16_t adjust[];
};

/* One semop() */
struct sem_call {
    struct list_node node; /* on set->calls; alone: it is decided */
    struct wait_queue decided;
    const struct uapi_sembuf *ops;
    unsigned nr_ops, blocking; /* which of them cannot be done yet */
    bool changes;              /* some value, not only waits for zero */
    struct sem_undo *undo;     /* NULL: none of them is to be undone */
    int pid, result;
};

struct sem_limits {
    uint64_t per_set, all, per_call, sets;
};

extern struct ipc_ids sem_sets;
extern struct sem_limits sem_limits;
extern uint64_t sem_total;

static inline struct sem_set *sem_set_of(struct ipc *ipc)
{
    return container_of(ipc, struct sem_set, ipc);
}

/* sem_sets.lock is held. */

/* Values changed: carry out the calls that can be now. */
void sem_set_update(struct sem_set *set);

/* IPC_RMID: those who wait get -EIDRM. The caller frees it, after the lock is released. */
void sem_set_remove(struct sem_set *set);

/* Nobody has to undo anything for semaphore @n, or for any, any more. */
void sem_forget_undo(struct sem_set *set, unsigned n);
void sem_forget_undos(struct sem_set *set);
