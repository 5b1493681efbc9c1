/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_sem.c - System V semaphores: several changes at once, or waiting until they can be
 *
 * Room:   kernel.
 * Owns:   struct sem_set, the table of them, what processes have to undo.
 * Locks:  sem_sets.lock (spin, rank IPC).
 * Always: (1) see sysv_sem.h; (2) a call changes all it names or nothing;
 *         (3) a process has at most one undo for a set.
 * Source: semget(2), semop(2), sysvipc(7).
 * Tour:   after kernel/sysv.c; then kernel/sysv_semctl.c.
 */
#include "sysv_sem.h"

#include "clock.h"
#include "poll.h"
#include "syscall.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define FEW_OPS  8
#define UNDO_MIN (-SEM_VALUE_MAX - 1)

struct ipc_ids sem_sets = IPC_IDS_INIT;
struct sem_limits sem_limits = {
    .per_set = 32000, .all = 1024000000, .per_call = 500, .sets = 32000};
uint64_t sem_total;

/* Carrying out */

static bool is_undone(const struct uapi_sembuf *op)
{
    return (op->flags & SEM_UNDO) && op->op;
}

/* One operation: 0, 1 (not yet), -ERANGE. */
static int op_try(struct sem_set *set, const struct uapi_sembuf *op, const struct sem_undo *undo)
{
    struct semaphore *sem = &set->sems[op->num];
    int value = sem->value + op->op;

    if (value < 0 || (!op->op && sem->value))
        return 1;
    if (value > SEM_VALUE_MAX)
        return -ERANGE;
    if (is_undone(op)) {
        int adjust = undo->adjust[op->num] - op->op;
        if (adjust < UNDO_MIN || adjust > SEM_VALUE_MAX)
            return -ERANGE;
    }
    sem->value = value;
    return 0;
}

/* Claim 2: what was done of a call is taken back. */
static void ops_take_back(struct sem_set *set, const struct sem_call *call, unsigned nr)
{
    while (nr-- > 0) {
        const struct uapi_sembuf *op = &call->ops[nr];
        set->sems[op->num].value -= op->op;
        if (is_undone(op))
            call->undo->adjust[op->num] += op->op;
    }
}

/* 0, 1 (it has to wait), -EAGAIN (it does not want to), -ERANGE. */
static int call_try(struct sem_set *set, struct sem_call *call)
{
    int result = 0;
    unsigned i;

    for (i = 0; i < call->nr_ops; i++) {
        const struct uapi_sembuf *op = &call->ops[i];
        result = op_try(set, op, call->undo);
        if (result)
            break;
        if (is_undone(op))
            call->undo->adjust[op->num] -= op->op;
    }
    if (result) {
        ops_take_back(set, call, i);
        call->blocking = i;
        return result > 0 && (call->ops[i].flags & IPC_NOWAIT) ? -EAGAIN : result;
    }
    for (i = 0; i < call->nr_ops; i++)
        set->sems[call->ops[i].num].pid = call->pid;
    set->otime = ipc_now();
    return 0;
}

static void decide(struct sem_call *call, int result)
{
    call->result = result;
    list_del(&call->node);
    wake_all(&call->decided);
}

/* Those that only wait for zero go first: they take nothing from anybody. */
static struct sem_call *next_possible(struct sem_set *set, bool changes, int *result)
{
    struct sem_call *call;

    list_for_each_entry (call, &set->calls, node) {
        if (call->changes != changes)
            continue;
        *result = call_try(set, call);
        if (*result <= 0)
            return call;
    }
    return NULL;
}

void sem_set_update(struct sem_set *set)
{
    struct sem_call *call;
    int result;

    while ((call = next_possible(set, false, &result)) ||
           (call = next_possible(set, true, &result)))
        decide(call, result);
}

/* Undoing */

static struct sem_undo *undo_find(struct process *process, const struct sem_set *set)
{
    struct sem_undo *undo;

    list_for_each_entry (undo, &process->sem_undos, process_node)
        if (undo->set == set)
            return undo;
    return NULL;
}

/* A place to note it down, made before the lock is taken: the set may be another by then. */
static int undo_prepare(int id, struct sem_undo **spare)
{
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    struct sem_set *set = ipc ? sem_set_of(ipc) : NULL;
    bool missing = set && !undo_find(process_current(), set);
    unsigned nr = set ? set->nr : 0;
    spin_unlock(&sem_sets.lock);
    if (!set)
        return -EINVAL;
    if (!missing)
        return 0;
    *spare = kmem_alloc(sizeof(**spare) + nr * sizeof((*spare)->adjust[0]), SLAB_ALLOC_ZERO);
    return *spare ? 0 : -ENOMEM;
}

/* The lock is held. */
static struct sem_undo *undo_get(struct sem_set *set, struct sem_undo **spare)
{
    struct process *process = process_current();
    struct sem_undo *undo = undo_find(process, set);

    if (undo || !*spare)
        return undo;
    undo = *spare;
    *spare = NULL;
    undo->set = set;
    list_add_tail(&undo->process_node, &process->sem_undos);
    list_add_tail(&undo->set_node, &set->undos);
    return undo;
}

void sem_forget_undo(struct sem_set *set, unsigned n)
{
    struct sem_undo *undo;

    list_for_each_entry (undo, &set->undos, set_node)
        undo->adjust[n] = 0;
}

void sem_forget_undos(struct sem_set *set)
{
    for (unsigned i = 0; i < set->nr; i++)
        sem_forget_undo(set, i);
}

static void undo_apply(const struct sem_undo *undo, int pid)
{
    struct sem_set *set = undo->set;

    for (unsigned i = 0; i < set->nr; i++) {
        struct semaphore *sem = &set->sems[i];
        if (!undo->adjust[i])
            continue;
        sem->value = max(min(sem->value + undo->adjust[i], SEM_VALUE_MAX), 0);
        sem->pid = pid;
    }
    set->otime = ipc_now();
    sem_set_update(set);
}

void sem_process_exit(struct process *process)
{
    while (!list_empty(&process->sem_undos)) {
        spin_lock(&sem_sets.lock);
        struct sem_undo *undo =
            list_first_entry(&process->sem_undos, struct sem_undo, process_node);
        list_del(&undo->process_node);
        if (undo->set) {
            list_del(&undo->set_node);
            undo_apply(undo, process->pid);
        }
        spin_unlock(&sem_sets.lock);
        kmem_free(undo);
    }
}

/* Sets */

void sem_set_remove(struct sem_set *set)
{
    ipc_remove(&sem_sets, &set->ipc);
    sem_total -= set->nr;
    while (!list_empty(&set->calls))
        decide(list_first_entry(&set->calls, struct sem_call, node), -EIDRM);
    while (!list_empty(&set->undos)) {
        struct sem_undo *undo = list_first_entry(&set->undos, struct sem_undo, set_node);
        list_del(&undo->set_node);
        undo->set = NULL; /* its process frees it */
    }
}

static int64_t find_old(int key, int nr, int flags)
{
    struct ipc *ipc = ipc_find_key(&sem_sets, key);

    if (!ipc)
        return -ENOENT;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    return (unsigned)nr > sem_set_of(ipc)->nr ? -EINVAL : ipc_reuse(ipc, flags);
}

static int set_create(int key, int nr, int flags, struct sem_set **out)
{
    if (!nr)
        return -EINVAL;
    if (sem_total + nr > sem_limits.all)
        return -ENOSPC;
    struct sem_set *set = kmem_alloc(sizeof(*set) + nr * sizeof(set->sems[0]), SLAB_ALLOC_ZERO);
    if (!set)
        return -ENOMEM;
    ipc_init(&set->ipc, key, flags);
    set->nr = nr;
    set->ctime = ipc_now();
    list_init(&set->calls);
    list_init(&set->undos);
    *out = set;
    return 0;
}

static int64_t publish(struct sem_set *set, int flags, bool *used)
{
    int64_t id = find_old(set->ipc.key, set->nr, flags);

    if (id != -ENOENT)
        return id;
    int err = ipc_add(&sem_sets, &set->ipc, sem_limits.sets);
    if (err)
        return err;
    *used = true;
    sem_total += set->nr;
    return set->ipc.id;
}

int64_t sys_semget(int key, int nr, int flags)
{
    struct sem_set *set;
    bool used = false;

    if (nr < 0 || (uint64_t)nr > sem_limits.per_set)
        return -EINVAL;
    spin_lock(&sem_sets.lock);
    int64_t id = find_old(key, nr, flags);
    spin_unlock(&sem_sets.lock);
    if (id != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
        return id;
    int err = set_create(key, nr, flags, &set);
    if (err)
        return err;
    spin_lock(&sem_sets.lock);
    id = publish(set, flags, &used);
    spin_unlock(&sem_sets.lock);
    if (!used)
        kmem_free(set);
    return id;
}

/* semop */

static int check_call(const struct sem_set *set, const struct sem_call *call)
{
    for (unsigned i = 0; i < call->nr_ops; i++)
        if (call->ops[i].num >= set->nr)
            return -EFBIG;
    return ipc_permission(&set->ipc, call->changes ? 0222 : 0444);
}

/* Carry it out or get in line: 0, 1 (it waits), or an error. */
static int call_begin(int id, struct sem_call *call, bool undoes, struct sem_undo **spare)
{
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    int result = ipc ? check_call(sem_set_of(ipc), call) : -EINVAL;
    if (!result && undoes) {
        call->undo = undo_get(sem_set_of(ipc), spare);
        result = call->undo ? 0 : -EINVAL; /* it came after undo_prepare() looked */
    }
    if (!result)
        result = call_try(sem_set_of(ipc), call);
    if (!result && call->changes)
        sem_set_update(sem_set_of(ipc));
    if (result > 0)
        list_add_tail(&call->node, &sem_set_of(ipc)->calls);
    spin_unlock(&sem_sets.lock);
    return result;
}

static bool is_decided(const struct sem_call *call)
{
    return list_empty(&call->node);
}

static int call_wait(struct sem_call *call, uint64_t end_ns)
{
    int err = wait_event_until(&call->decided, is_decided(call), end_ns);

    spin_lock(&sem_sets.lock); /* who decided it is done with it, too */
    bool decided = is_decided(call);
    if (!decided)
        list_del(&call->node);
    spin_unlock(&sem_sets.lock);
    if (decided)
        return call->result;
    return err == -ETIME ? -EAGAIN : err;
}

static int call_do(int id, struct sem_call *call, uint64_t end_ns)
{
    struct sem_undo *spare = NULL;
    bool undoes = false;

    for (unsigned i = 0; i < call->nr_ops; i++) {
        undoes |= is_undone(&call->ops[i]);
        call->changes |= call->ops[i].op != 0;
    }
    int result = undoes ? undo_prepare(id, &spare) : 0;
    if (!result)
        result = call_begin(id, call, undoes, &spare);
    kmem_free(spare);
    return result > 0 ? call_wait(call, end_ns) : result;
}

static int64_t semop(int id, user_addr_t from, size_t nr, uint64_t end_ns)
{
    struct uapi_sembuf few[FEW_OPS], *ops = few;

    if (nr > sem_limits.per_call)
        return -E2BIG;
    if (nr < 1)
        return -EINVAL;
    if (nr > FEW_OPS)
        ops = kmem_alloc(nr * sizeof(*ops), SLAB_ALLOC_PLAIN);
    if (!ops)
        return -ENOMEM;
    struct sem_call call = {.ops = ops, .nr_ops = nr, .pid = process_current()->pid};
    list_init(&call.node);
    wait_queue_init(&call.decided);
    int result = copy_from_user(ops, from, nr * sizeof(*ops));
    if (!result)
        result = id < 0 ? -EINVAL : call_do(id, &call, end_ns);
    if (ops != few)
        kmem_free(ops);
    return result;
}

int64_t sys_semop(int id, user_addr_t ops, size_t nr)
{
    return semop(id, ops, nr, UINT64_MAX);
}

int64_t sys_semtimedop(int id, user_addr_t ops, size_t nr, user_addr_t timeout)
{
    uint64_t end_ns;
    int err = deadline_read(timeout, &end_ns);

    return err ? err : semop(id, ops, nr, end_ns);
}
