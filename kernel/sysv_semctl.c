/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_semctl.c - semctl(2), and /proc/sysvipc/sem: what is known of semaphores
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  sem_sets.lock, while a set is looked at or changed.
 * Always: (1) the order of checks is Linux's; (2) who changes values lets calls go on that wait.
 * Source: semctl(2), sysvipc(7), proc_sysvipc(5).
 * Tour:   after kernel/sysv_sem.c.
 */
#include "proc.h"
#include "syscall.h"
#include "sysv_sem.h"
#include "task.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define UNDO_BYTES 20 /* what Linux says an entry takes */

static int64_t put_limits(int cmd, user_addr_t out)
{
    struct uapi_seminfo info = {
        .map = sem_limits.all,
        .ids = sem_limits.sets,
        .all = sem_limits.all,
        .undos = sem_limits.all,
        .per_set = sem_limits.per_set,
        .per_call = sem_limits.per_call,
        .undo_entries = sem_limits.per_call,
        .undo_size = UNDO_BYTES,
        .max_value = SEM_VALUE_MAX,
        .max_undo = SEM_VALUE_MAX,
    };

    spin_lock(&sem_sets.lock);
    int highest = ipc_highest(&sem_sets);
    if (cmd == SEM_INFO) {
        info.undo_size = sem_sets.used;
        info.max_undo = sem_total;
    }
    spin_unlock(&sem_sets.lock);
    return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static void stat(const struct sem_set *set, struct uapi_semid_ds *out)
{
    *out = (struct uapi_semid_ds){.otime = set->otime, .ctime = set->ctime, .nsems = set->nr};
    ipc_stat(&set->ipc, &out->perm);
}

/* @n: a number, or for the others a slot of the table, whose number is the result then. */
static int64_t put_stat(int n, int cmd, user_addr_t out)
{
    struct uapi_semid_ds ds;

    spin_lock(&sem_sets.lock);
    struct ipc *ipc = cmd == IPC_STAT ? ipc_find(&sem_sets, n) : ipc_nth(&sem_sets, n);
    int err = !ipc ? -EINVAL : cmd == SEM_STAT_ANY ? 0 : ipc_permission(ipc, 0444);
    if (!err)
        stat(sem_set_of(ipc), &ds);
    int id = !err && cmd != IPC_STAT ? ipc->id : 0;
    spin_unlock(&sem_sets.lock);
    if (err)
        return err;
    return copy_to_user(out, &ds, sizeof(ds)) ? -EFAULT : id;
}

/* How many calls wait for semaphore @n to rise, or to be zero. */
static int waiters(const struct sem_set *set, unsigned n, bool zero)
{
    const struct sem_call *call;
    int nr = 0;

    list_for_each_entry (call, &set->calls, node) {
        const struct uapi_sembuf *op = &call->ops[call->blocking];
        nr += op->num == n && (op->op == 0) == zero;
    }
    return nr;
}

static int64_t look(const struct sem_set *set, unsigned n, int cmd)
{
    switch (cmd) {
    case GETVAL:
        return set->sems[n].value;
    case GETPID:
        return set->sems[n].pid;
    default:
        return waiters(set, n, cmd == GETZCNT);
    }
}

static int64_t look_at(int id, int n, int cmd)
{
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    int64_t result = ipc ? ipc_permission(ipc, 0444) : -EINVAL;
    if (!result && (n < 0 || (unsigned)n >= sem_set_of(ipc)->nr))
        result = -EINVAL;
    if (!result)
        result = look(sem_set_of(ipc), n, cmd);
    spin_unlock(&sem_sets.lock);
    return cmd == GETPID && result > 0 ? pid_here(result) : result;
}

static void set_value(struct sem_set *set, unsigned n, int value)
{
    set->sems[n].value = value;
    set->sems[n].pid = process_current()->pid;
}

static int64_t put_value(int id, int n, int value)
{
    if (value < 0 || value > SEM_VALUE_MAX)
        return -ERANGE;
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    struct sem_set *set = ipc ? sem_set_of(ipc) : NULL;
    int err = !set || n < 0 || (unsigned)n >= set->nr ? -EINVAL : ipc_permission(ipc, 0222);
    if (!err) {
        sem_forget_undo(set, n);
        set_value(set, n, value);
        set->ctime = ipc_now();
        sem_set_update(set);
    }
    spin_unlock(&sem_sets.lock);
    return err;
}

/* How many there are, for a buffer; sets do not change their size. */
static int64_t count(int id, unsigned rights)
{
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    int64_t nr = ipc ? ipc_permission(ipc, rights) : -EINVAL;
    if (!nr)
        nr = sem_set_of(ipc)->nr;
    spin_unlock(&sem_sets.lock);
    return nr;
}

/* -EIDRM: it was removed since it was counted. */
static int copy_values(int id, uint16_t *values)
{
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    for (unsigned i = 0; ipc && i < sem_set_of(ipc)->nr; i++)
        values[i] = sem_set_of(ipc)->sems[i].value;
    spin_unlock(&sem_sets.lock);
    return ipc ? 0 : -EIDRM;
}

static int replace_values(int id, const uint16_t *values, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        if (values[i] > SEM_VALUE_MAX)
            return -ERANGE;
    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    struct sem_set *set = ipc ? sem_set_of(ipc) : NULL;
    for (unsigned i = 0; set && i < nr; i++)
        set_value(set, i, values[i]);
    if (set) {
        sem_forget_undos(set);
        set->ctime = ipc_now();
        sem_set_update(set);
    }
    spin_unlock(&sem_sets.lock);
    return set ? 0 : -EIDRM;
}

static int64_t all_values(int id, int cmd, user_addr_t at)
{
    int64_t nr = count(id, cmd == GETALL ? 0444 : 0222);
    if (nr < 0)
        return nr;
    uint16_t *values = kmem_alloc(nr * sizeof(*values), SLAB_ALLOC_PLAIN);
    if (!values)
        return -ENOMEM;
    int err = cmd == SETALL ? copy_from_user(values, at, nr * sizeof(*values)) : 0;
    if (!err)
        err = cmd == SETALL ? replace_values(id, values, nr) : copy_values(id, values);
    if (!err && cmd == GETALL && copy_to_user(at, values, nr * sizeof(*values)))
        err = -EFAULT;
    kmem_free(values);
    return err;
}

static int64_t change(int id, int cmd, const struct uapi_semid_ds *ds)
{
    struct sem_set *removed = NULL;

    spin_lock(&sem_sets.lock);
    struct ipc *ipc = ipc_find(&sem_sets, id);
    int err = ipc ? ipc_may_change(ipc) : -EINVAL;
    if (!err && cmd == IPC_SET) {
        ipc_change(ipc, &ds->perm);
        sem_set_of(ipc)->ctime = ipc_now();
    } else if (!err) {
        removed = sem_set_of(ipc);
        sem_set_remove(removed);
    }
    spin_unlock(&sem_sets.lock);
    kmem_free(removed);
    return err;
}

int64_t sys_semctl(int id, int n, int cmd, uint64_t arg)
{
    struct uapi_semid_ds ds;

    if (id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
        return put_limits(cmd, user(arg));
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return put_stat(id, cmd, user(arg));
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return look_at(id, n, cmd);
    case SETVAL:
        return put_value(id, n, (int)arg);
    case GETALL:
    case SETALL:
        return all_values(id, cmd, user(arg));
    case IPC_SET:
        if (copy_from_user(&ds, user(arg), sizeof(ds)))
            return -EFAULT;
        return change(id, cmd, &ds);
    case IPC_RMID:
        return change(id, cmd, NULL);
    default:
        return -EINVAL;
    }
}

/* /proc */

static int show_sets(struct text *t, struct dentry *dentry)
{
    struct uapi_semid_ds ds;
    struct ipc *ipc;
    (void)dentry;

    text_add(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
                "ctime\n");
    spin_lock(&sem_sets.lock);
    for (unsigned i = 0; i < sem_sets.nr_slots; i++) {
        if (!(ipc = ipc_nth(&sem_sets, i)))
            continue;
        stat(sem_set_of(ipc), &ds);
        text_add(t, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10lu %10lu\n", ds.perm.key, ipc->id,
                 ds.perm.mode, ds.nsems, ds.perm.uid, ds.perm.gid, ds.perm.cuid, ds.perm.cgid,
                 ds.otime, ds.ctime);
    }
    spin_unlock(&sem_sets.lock);
    return 0;
}

static int show_limits(struct text *t, struct dentry *dentry)
{
    (void)dentry;
    text_add(t, "%lu\t%lu\t%lu\t%lu\n", sem_limits.per_set, sem_limits.all, sem_limits.per_call,
             sem_limits.sets);
    return 0;
}

const struct text_kind proc_sysvipc_sem = {"sem", 0444, .show = show_sets};
const struct text_kind proc_sys_sem = {"sem", 0444, .show = show_limits};
