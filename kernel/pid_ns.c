/* SPDX-License-Identifier: MIT */
/*
 * kernel/pid_ns.c - PID namespaces: the numbers that tasks have below the first
 *
 * Room:   kernel.
 * Owns:   the list of those numbers; the namespaces.
 * Locks:  tasks_lock.
 * Always: (1) a task of a namespace has a number in it and in each above it, up to the first;
 *         (2) a number is free again when no task, process, group or session has it.
 * Source: pid_namespaces(7), unshare(2), setns(2).
 * Tour:   after kernel/pid_ns.h; the end of a namespace is in kernel/exit.c.
 */
#include "pid_ns.h"

#include "files.h"
#include "fs.h"
#include "memfd_noexec.h"
#include "process.h"
#include "syscall.h"
#include <lib/format.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/sched.h>

#define FIRST_ID   4026531836UL /* Linux's */
#define PID_NOBODY INT32_MAX    /* no task has it */
#define PID_MAX    32768

/* What a task is called below the first namespace. */
struct names {
    struct list_node node;
    int tid; /* in the first */
    struct pid_ns *ns;
    int nr[]; /* of the levels 1 .. ns->level */
};

struct pid_ns first_pid_ns = {.id = FIRST_ID, .refcount = 1};
static struct list_node all_names = LIST_INIT(all_names);

int pid_ns_create(struct pid_ns *parent, struct pid_ns **out)
{
    static _Atomic uint64_t last_id = FIRST_ID;
    struct pid_ns *ns;

    if (parent->level == PID_NS_LEVELS)
        return -ENOSPC;
    ns = kmem_alloc(sizeof(*ns), SLAB_ALLOC_ZERO);
    if (!ns)
        return -ENOMEM;
    *ns = (struct pid_ns){.parent = parent,
                          .level = parent->level + 1,
                          .id = atomic_fetch_add(&last_id, 1) + 1,
                          .refcount = 1,
                          .memfd_noexec = memfd_noexec_in(parent)};
    pid_ns_get(parent);
    *out = ns;
    return 0;
}

void pid_ns_get(struct pid_ns *ns)
{
    atomic_fetch_add(&ns->refcount, 1);
}

void pid_ns_put(struct pid_ns *ns)
{
    while (ns && atomic_fetch_sub(&ns->refcount, 1) == 1) {
        struct pid_ns *parent = ns->parent;
        kmem_free(ns);
        ns = parent;
    }
}

static void release_ns(struct inode *inode)
{
    pid_ns_put((struct pid_ns *)inode->private);
}

static const struct file_ops ns_file_ops = {.no_seek = true};

int pid_ns_dentry(struct pid_ns *ns, struct dentry **out)
{
    struct inode *inode;
    char name[32];

    int err = inode_create(S_IFREG | 0444, NULL, &inode);
    if (err) {
        pid_ns_put(ns);
        return err;
    }
    inode->ino = ns->id;
    inode->private = (uint64_t)ns;
    inode->release = release_ns;
    inode->file_ops = &ns_file_ops;
    snprintf(name, sizeof(name), "pid:[%lu]", ns->id);
    return dentry_create(name, NULL, inode, out);
}

bool pid_ns_contains(const struct pid_ns *outer, const struct pid_ns *ns)
{
    while (ns && ns->level > outer->level)
        ns = ns->parent;
    return ns == outer;
}

bool pid_ns_is_init(const struct process *process)
{
    return process->ns->init == process;
}

static struct names *names_of(int tid)
{
    struct names *names;
    list_for_each_entry (names, &all_names, node)
        if (names->tid == tid)
            return names;
    return NULL;
}

/* @ns is not the first. */
static int number_in(const struct pid_ns *ns, const struct names *names)
{
    return pid_ns_contains(ns, names->ns) ? names->nr[ns->level - 1] : 0;
}

static struct names *named(const struct pid_ns *ns, int nr)
{
    struct names *names;
    list_for_each_entry (names, &all_names, node)
        if (number_in(ns, names) == nr)
            return names;
    return NULL;
}

int pid_in(const struct pid_ns *ns, int tid)
{
    if (!ns->level)
        return tid;
    const struct names *names = names_of(tid);
    return names ? number_in(ns, names) : 0;
}

int pid_meant(int nr)
{
    const struct pid_ns *ns = process_current()->ns;

    if (!ns->level || !nr)
        return nr;
    const struct names *names = nr > 0 ? named(ns, nr) : NULL;
    return names ? names->tid : PID_NOBODY;
}

__cold int pid_here_below(int tid)
{
    const struct pid_ns *ns = process_current()->ns;

    tasks_lock();
    int nr = pid_in(ns, tid);
    tasks_unlock();
    return nr;
}

struct task *task_named(int nr)
{
    return task_find(pid_meant(nr));
}

struct process *process_named(int nr)
{
    return process_find(pid_meant(nr));
}

static int number_new(struct pid_ns *ns)
{
    do {
        ns->last = ns->last == PID_MAX ? 2 : ns->last + 1;
    } while (named(ns, ns->last));
    return ns->last;
}

/* Claim 1. */
int pid_ns_name(struct pid_ns *ns, int tid)
{
    struct names *names;

    if (!ns->level)
        return 0;
    names = ns->dead ? NULL : kmem_alloc(sizeof(*names) + ns->level * sizeof(int), 0);
    if (!names)
        return -ENOMEM;
    names->tid = tid;
    names->ns = ns;
    pid_ns_get(ns);
    for (struct pid_ns *at = ns; at->level; at = at->parent)
        names->nr[at->level - 1] = number_new(at);
    list_add_tail(&names->node, &all_names);
    return 0;
}

/* Claim 2. */
void pid_ns_forget(int tid)
{
    struct names *names = list_empty(&all_names) || tid_taken(tid) ? NULL : names_of(tid);

    if (!names)
        return;
    list_del(&names->node);
    pid_ns_put(names->ns);
    kmem_free(names);
}

/* Children of the running task are born there from now on. */
static int children_go_to(struct pid_ns *ns)
{
    struct task *me = task_current();

    if (!pid_ns_contains(me->process->ns, ns))
        return -EINVAL; /* nobody goes up, or to the side */
    pid_ns_get(ns);
    tasks_lock();
    struct pid_ns *before = me->ns_for_children;
    me->ns_for_children = ns;
    tasks_unlock();
    pid_ns_put(before);
    return 0;
}

int64_t sys_setns(int fd, int kind)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    bool fits = f->inode->file_ops == &ns_file_ops && (!kind || kind == CLONE_NEWPID);
    int err = fits && !capable(CAP_SYS_ADMIN) ? -EPERM
              : fits                          ? children_go_to((struct pid_ns *)f->inode->private)
                                              : -EINVAL;
    file_put(f);
    return err;
}

int64_t sys_unshare(uint64_t flags)
{
    struct task *me = task_current();
    struct pid_ns *ns;

    if (flags & ~(uint64_t)(CLONE_NEWPID | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM))
        return -EINVAL;
    if ((flags & CLONE_NEWPID) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if ((flags & CLONE_NEWPID) && me->ns_for_children != me->process->ns)
        return -EINVAL;
    int err = flags & CLONE_FILES ? files_unshare() : 0;
    if (err || !(flags & CLONE_NEWPID))
        return err;
    err = pid_ns_create(me->ns_for_children, &ns);
    if (err)
        return err;
    err = children_go_to(ns);
    pid_ns_put(ns);
    return err;
}
