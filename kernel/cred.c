/* SPDX-License-Identifier: MIT */
/*
 * kernel/cred.c - who a task is, and what that allows
 *
 * Room:   kernel.
 * Owns:   the rules about users, groups and capabilities.
 * Locks:  see cred.h.
 * Always: (1) see cred.h; (2) what capabilities a change of user leaves is decided in one place,
 *             kernel/sys_cred.c; what a program gets, in cred_exec().
 * Source: credentials(7), capabilities(7) "Transformation of capabilities during execve()".
 * Tour:   after kernel/cred.h.
 */
#include "cred.h"

#include "mount.h"
#include "task.h"
#include <base/bug.h>
#include <lib/string.h>
#include <mm/secretmem.h>
#include <mm/slab.h>
#include <uapi/errno.h>

static struct cred root = {
    .refcount = 1,
    .permitted = CAP_ALL,
    .effective = CAP_ALL,
    .bounding = CAP_ALL,
};

const struct cred *cred_root(void)
{
    return &root;
}

const struct cred *cred_current(void)
{
    const struct task *task = task_current();

    if (unlikely(!task || !task->cred))
        return &root;
    return task->cred_override ? task->cred_override : task->cred;
}

/* Nobody writes through what this returns but the count. */
static _Atomic uint32_t *references(const struct cred *cred)
{
    return &((struct cred *)(uintptr_t)cred)->refcount;
}

const struct cred *cred_get(const struct cred *cred)
{
    atomic_fetch_add_explicit(references(cred), 1, memory_order_relaxed);
    return cred;
}

void cred_put(const struct cred *cred)
{
    if (cred && atomic_fetch_sub_explicit(references(cred), 1, memory_order_acq_rel) == 1)
        kmem_free((void *)(uintptr_t)cred);
}

struct cred *cred_copy(const struct cred *cred, uint32_t nr_groups)
{
    struct cred *copy =
        kmem_alloc(sizeof(*copy) + nr_groups * sizeof(copy->groups[0]), SLAB_ALLOC_PLAIN);
    if (!copy)
        return NULL;
    memcpy(copy, cred, sizeof(*copy));
    atomic_store(&copy->refcount, 1);
    copy->nr_groups = min(nr_groups, cred->nr_groups);
    memcpy(copy->groups, cred->groups, copy->nr_groups * sizeof(copy->groups[0]));
    return copy;
}

static bool same_ids(const struct ids *a, const struct ids *b)
{
    return a->effective == b->effective && a->fs == b->fs;
}

/* Who becomes somebody else is not to be looked into by who it was; Linux commit_creds(). */
static bool hides(const struct cred *old, const struct cred *new)
{
    return !same_ids(&old->user, &new->user) || !same_ids(&old->group, &new->group) ||
           (new->permitted & ~old->permitted);
}

void cred_commit(struct cred *cred)
{
    struct task *task = task_current();
    const struct cred *old = task->cred;

    if (hides(old, cred)) {
        WRITE_ONCE(task->process->no_dump, true);
        task->parent_death_signal = 0;
    }
    tasks_lock();
    task->cred = cred;
    tasks_unlock();
    if (task->mm) {
        WRITE_ONCE(task->mm->limits.locked_exempt, cred_is_capable(cred, CAP_IPC_LOCK));
        WRITE_ONCE(task->mm->limits.low_exempt, cred_is_capable(cred, CAP_SYS_RAWIO));
    }
    cred_put(old);
}

void cred_override(const struct cred *cred)
{
    task_current()->cred_override = cred;
}

bool cred_is_capable(const struct cred *cred, unsigned cap)
{
    return cred->effective & CAP_BIT(cap);
}

bool capable(unsigned cap)
{
    return cred_is_capable(cred_current(), cap);
}

/* execve() */

/* Set-user-ID and set-group-ID of the program; a tracer could misuse it. */
static void exec_ids(const struct place *place, struct cred *cred)
{
    const struct inode *inode = place->dentry->inode;
    bool ignored = place->mount && (place->mount->flags & MOUNT_NO_SUID);
    bool traced = task_current()->trace.tracer && !capable(CAP_SYS_PTRACE);

    if (!cred->no_new_privs && !traced && !ignored) {
        if (inode->mode & S_ISUID)
            cred->user.effective = inode->uid;
        if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
            cred->group.effective = inode->gid;
    }
    cred->user.saved = cred->user.fs = cred->user.effective;
    cred->group.saved = cred->group.fs = cred->group.effective;
}

/* Files have no capabilities of their own; root's programs count as having all. */
static void exec_capabilities(struct cred *cred, bool set_ids)
{
    bool root_counts = !(cred->securebits & SECBIT_NOROOT);
    bool as_root = root_counts && (!cred->user.effective || !cred->user.real);

    if (set_ids)
        cred->ambient = 0;
    cred->permitted = cred->ambient;
    cred->effective = cred->ambient;
    if (as_root)
        cred->permitted |= cred->inheritable | cred->bounding;
    if (root_counts && !cred->user.effective)
        cred->effective = cred->permitted;
    cred->securebits &= ~SECBIT_KEEP_CAPS;
}

int cred_exec(const struct place *place, struct cred **out, bool *secure)
{
    const struct cred *old = cred_current();
    struct cred *cred = cred_copy(old, old->nr_groups);

    if (!cred)
        return -ENOMEM;
    exec_ids(place, cred);
    bool set_ids = cred->user.effective != old->user.effective ||
                   cred->group.effective != old->group.effective;
    exec_capabilities(cred, set_ids);
    *secure = set_ids || cred->user.effective != cred->user.real ||
              cred->group.effective != cred->group.real ||
              (cred->user.real && (cred->permitted & ~cred->ambient));
    *out = cred;
    return 0;
}

/* Files */

static bool in_groups(const struct cred *cred, uint32_t gid)
{
    uint32_t low = 0, high = cred->nr_groups;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cred->groups[middle] < gid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < cred->nr_groups && cred->groups[low] == gid;
}

bool cred_in_group(uint32_t gid)
{
    const struct cred *cred = cred_current();
    return cred->group.fs == gid || in_groups(cred, gid);
}

/* The rights of owner, group or others, whichever the running task is. */
static unsigned rights_of(const struct inode *inode)
{
    if (cred_current()->user.fs == inode->uid)
        return inode->mode >> 6 & 7;
    return cred_in_group(inode->gid) ? inode->mode >> 3 & 7 : inode->mode & 7;
}

static bool is_own_directory(const struct inode *inode)
{
    return inode->dynamic && inode->dynamic->is_own && inode->dynamic->is_own(inode);
}

/* Linux had inodes that were nobody's business. */
static bool nobody_is_asked(const struct inode *inode)
{
    return bug_is_back(BUG_B50) && object_is_secret(&inode->object);
}

int inode_permission(const struct inode *inode, unsigned want)
{
    if (!(want & ~rights_of(inode)) || nobody_is_asked(inode))
        return 0;
    bool directory = inode_is(inode, S_IFDIR);
    if (capable(CAP_DAC_OVERRIDE) && (directory || !(want & X_OK) || (inode->mode & 0111)))
        return 0;
    if (capable(CAP_DAC_READ_SEARCH) && (directory ? !(want & W_OK) : want == R_OK))
        return 0;
    return is_own_directory(inode) ? 0 : -EACCES;
}

bool inode_is_owned(const struct inode *inode)
{
    return cred_current()->user.fs == inode->uid || capable(CAP_FOWNER) || nobody_is_asked(inode);
}

int inode_may_remove(const struct inode *dir, const struct inode *victim)
{
    uint32_t me = cred_current()->user.fs;
    int err = inode_permission(dir, W_OK | X_OK);

    if (err || !(dir->mode & S_ISVTX) || victim->uid == me || dir->uid == me)
        return err;
    return capable(CAP_FOWNER) ? 0 : -EPERM;
}

/* Processes */

bool cred_may_signal(const struct process *process, int signo)
{
    const struct cred *me = cred_current();
    const struct task *task = process_living_task(process);

    if (!task || process == process_current() || capable(CAP_KILL))
        return true; /* of no task: a signal changes nothing any more */
    uint32_t uid = task->cred->user.real, suid = task->cred->user.saved;
    if (me->user.effective == suid || me->user.effective == uid || me->user.real == suid ||
        me->user.real == uid)
        return true;
    return signo == SIGCONT && process->sid == process_current()->sid;
}

bool cred_may_access(const struct task *task, enum access_as as)
{
    const struct cred *me = cred_current(), *other = task->cred;
    uint32_t uid = as == ACCESS_AS_FS ? me->user.fs : me->user.real;
    uint32_t gid = as == ACCESS_AS_FS ? me->group.fs : me->group.real;

    if (task->process == process_current() || capable(CAP_SYS_PTRACE))
        return true;
    return ids_are_all(&other->user, uid) && ids_are_all(&other->group, gid) &&
           !task->process->no_dump && !(other->permitted & ~me->permitted);
}
