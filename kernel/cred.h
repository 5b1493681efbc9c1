/* SPDX-License-Identifier: MIT */
/*
 * kernel/cred.h - who a task is, and what that allows
 *
 * Room:   kernel.
 * Owns:   struct cred: user, groups and capabilities of a task.
 * Locks:  a task reads its own without a lock; who looks at another task's holds tasks_lock.
 * Always: (1) credentials never change: a task gets other ones; (2) only the task itself gets them.
 * Source: credentials(7), capabilities(7), path_resolution(7) "Permissions".
 * Tour:   before kernel/sys_cred.c.
 */
#pragma once

#include <lib/compiler.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uapi/capability.h>

struct inode;
struct place;
struct process;
struct task;

/* Of a user or of a group. */
struct ids {
    uint32_t real, effective, saved;
    uint32_t fs; /* what files are asked with: the effective one, but for setfsuid(2) */
};

struct cred {
    _Atomic uint32_t refcount;
    struct ids user, group;
    uint64_t inheritable, permitted, effective, bounding, ambient; /* capabilities */
    uint32_t securebits;
    bool no_new_privs;
    uint32_t nr_groups;
    uint32_t groups[]; /* supplementary, in ascending order */
};

/* All that process 1 and kernel threads may: everything. */
const struct cred *cred_root(void);

/* Of the running task; while the machine starts, root's. */
const struct cred *cred_current(void);

const struct cred *cred_get(const struct cred *cred);
void cred_put(const struct cred *cred); /* NULL is fine */

/* A copy to be changed, with room for @nr_groups (and as many of the old ones). NULL: no memory. */
struct cred *cred_copy(const struct cred *cred, uint32_t nr_groups);

/* The running task is this from now on; takes over the reference. */
void cred_commit(struct cred *cred);

/* For the time of one call, files are asked as @cred; NULL: as ever. */
void cred_override(const struct cred *cred);

/* Is @id all three of them? */
static inline bool ids_are_all(const struct ids *ids, uint32_t id)
{
    return ids->real == id && ids->effective == id && ids->saved == id;
}

/* May the running task do what @cap (CAP_..) allows? */
bool capable(unsigned cap);
bool cred_is_capable(const struct cred *cred, unsigned cap);

/**
 * cred_exec() - what the running task is in a program with mode, owner and mount of @place
 * @secure: out, the program must not trust whoever started it (AT_SECURE)
 * Return: 0 with @out for cred_commit(), or -ENOMEM.
 */
int __must_check cred_exec(const struct place *place, struct cred **out, bool *secure);

/* Files: 0 or -EACCES. @want: R_OK, W_OK, X_OK together. */
int __must_check inode_permission(const struct inode *inode, unsigned want);

/* May the running task change mode and times of @inode? */
bool inode_is_owned(const struct inode *inode);

/* Is the running task in @gid, as files ask? */
bool cred_in_group(uint32_t gid);

/* May a name be taken from @dir, where only owners may if it is sticky? 0, -EACCES or -EPERM. */
int __must_check inode_may_remove(const struct inode *dir, const struct inode *victim);

/* Other processes. tasks_lock held. */

/* Does the running task send signals to @process as one of the same user? */
bool cred_may_signal(const struct process *process, int signo);

enum access_as { ACCESS_AS_REAL, ACCESS_AS_FS };

/* May the running task look into @task, or trace it? ptrace(2), "access mode checking". */
bool cred_may_access(const struct task *task, enum access_as as);
