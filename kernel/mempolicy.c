/* SPDX-License-Identifier: MIT */
/*
 * kernel/mempolicy.c - where memory may come from: of the one node that there is
 *
 * Room:   kernel.
 * Owns:   nothing: policies lie in areas, which mm/ keeps apart by them, and in tasks.
 * Locks:  none of its own.
 * Always: (1) checks come in Linux's order, so that the first error is Linux's;
 *         (2) all memory is on node 0, so that every policy is kept without further ado.
 * Source: set_mempolicy(2), mbind(2), get_mempolicy(2), migrate_pages(2), move_pages(2).
 * Tour:   after kernel/sys_mm.c; mm/advise.c for mm_set_policy().
 */
#include "mempolicy.h"

#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <lib/format.h>
#include <mm/usage.h>
#include <uapi/errno.h>
#include <uapi/mempolicy.h>

#define NODE_BITS_MAX (PAGE_SIZE * 8) /* bits that a program may pass */
#define WORD_BITS     64
#define OUR_NODE      1UL      /* the set of node 0 */
#define TOLD_NODES    0xffffUL /* of the nodes that a program named, what is told again */

/* A policy as a word, that of mm/: mode and flags, and above them the nodes to tell. 0: none. */
static uint32_t policy_word(unsigned mode, uint64_t nodes)
{
    return mode | (uint32_t)(nodes & TOLD_NODES) << 16;
}

static unsigned mode_of(uint32_t policy)
{
    return policy & 0xffff;
}

static uint64_t nodes_of(uint32_t policy)
{
    return policy >> 16;
}

/* Sets of nodes */

/* What the program passes: the first 64 nodes, if no other is in the set. @nr: its bits and one. */
static int nodes_read(user_addr_t from, uint64_t nr, uint64_t *out)
{
    uint64_t word;

    *out = 0;
    if (!--nr || !from.raw)
        return 0;
    if (nr > NODE_BITS_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < nr; i += WORD_BITS) {
        if (copy_from_user(&word, user(from.raw + i / 8), sizeof(word)))
            return -EFAULT;
        if (nr - i < WORD_BITS)
            word &= (1UL << (nr - i)) - 1;
        if (word && i)
            return -EINVAL; /* nodes that no machine of ours has */
        *out |= word;
    }
    return 0;
}

static int nodes_write(user_addr_t to, uint64_t nr, uint64_t nodes)
{
    uint64_t bytes = round_up(nr - 1, WORD_BITS) / 8, first = min(bytes, sizeof(nodes));

    if (bytes > PAGE_SIZE)
        return -EINVAL;
    if (bytes > first && clear_user(user(to.raw + first), bytes - first))
        return -EFAULT;
    return copy_to_user(to, &nodes, first);
}

/* Policies */

static int mode_check(unsigned mode)
{
    unsigned flags = mode & MPOL_MODE_FLAGS, plain = mode & ~MPOL_MODE_FLAGS;

    if (plain >= MPOL_MODES)
        return -EINVAL;
    if ((flags & MPOL_F_STATIC_NODES) && (flags & MPOL_F_RELATIVE_NODES))
        return -EINVAL;
    if ((flags & MPOL_F_NUMA_BALANCING) && plain != MPOL_BIND && plain != MPOL_PREFERRED_MANY)
        return -EINVAL;
    return 0;
}

/* Relative nodes wrap around: any set of them is our node. */
static bool has_our_node(unsigned mode, uint64_t nodes)
{
    return mode & MPOL_F_RELATIVE_NODES ? nodes != 0 : (nodes & OUR_NODE) != 0;
}

/* Do nodes go with the mode at all? */
static int policy_check(unsigned mode, uint64_t nodes)
{
    bool named = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);

    switch (mode & ~MPOL_MODE_FLAGS) {
    case MPOL_DEFAULT:
        return nodes ? -EINVAL : 0;
    case MPOL_LOCAL:
        return nodes || named ? -EINVAL : 0;
    case MPOL_PREFERRED:
        return !nodes && named ? -EINVAL : 0;
    default:
        return nodes ? 0 : -EINVAL;
    }
}

/* The word of a policy that was checked; -EINVAL: it names none of the nodes there are. */
static int policy_make(unsigned mode, uint64_t nodes, uint32_t *out)
{
    bool named = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);
    unsigned plain = mode & ~MPOL_MODE_FLAGS;

    *out = 0;
    if (plain == MPOL_DEFAULT)
        return 0;
    if (plain == MPOL_LOCAL || !nodes)
        *out = policy_word(MPOL_LOCAL, 0);
    else if (has_our_node(mode, nodes))
        *out = policy_word(mode, named ? nodes : OUR_NODE);
    else
        return -EINVAL;
    return 0;
}

int64_t sys_set_mempolicy(unsigned mode, user_addr_t nodes_at, uint64_t nr)
{
    uint64_t nodes;
    uint32_t policy;

    int err = mode_check(mode);
    if (!err)
        err = nodes_read(nodes_at, nr, &nodes);
    if (!err)
        err = policy_check(mode, nodes);
    if (!err)
        err = policy_make(mode, nodes, &policy);
    if (!err)
        task_current()->mempolicy = policy;
    return err;
}

int64_t sys_mbind(uint64_t addr, uint64_t len, unsigned mode, user_addr_t nodes_at, uint64_t nr,
                  unsigned flags)
{
    uint64_t nodes, end = addr + round_up(len, PAGE_SIZE);
    uint32_t policy;

    int err = mode_check(mode);
    if (!err)
        err = nodes_read(nodes_at, nr, &nodes);
    if (err)
        return err;
    if (flags & ~(unsigned)(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -EINVAL;
    if ((flags & MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
        return -EPERM;
    if (!is_aligned(addr, PAGE_SIZE) || end < addr)
        return -EINVAL;
    if (end == addr)
        return 0;
    err = policy_check(mode, nodes);
    if (!err)
        err = policy_make(mode, nodes, &policy);
    return err ? err : mm_set_policy(task_current()->mm, addr, end - addr, policy);
}

/* get_mempolicy */

static int policy_at(uint64_t addr, uint32_t *out)
{
    struct mm *mm = task_current()->mm;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    const struct vma *vma = vma_find(mm, addr);
    if (vma)
        *out = vma->mempolicy;
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return vma ? 0 : -EFAULT;
}

/* The node that the page at @addr is on, which comes if it is not there; or the next to be used. */
static int node_asked(uint64_t addr, unsigned flags, uint32_t policy)
{
    unsigned plain = mode_of(policy) & ~MPOL_MODE_FLAGS;

    if (flags & MPOL_F_ADDR)
        return mm_fault_in(task_current()->mm, addr, 1, ACCESS_READ) ? 0 : -EFAULT;
    return plain == MPOL_INTERLEAVE || plain == MPOL_WEIGHTED_INTERLEAVE ? 0 : -EINVAL;
}

static int policy_look(uint64_t addr, unsigned flags, int *mode, uint64_t *nodes)
{
    uint32_t policy = task_current()->mempolicy;

    if (flags & ~(unsigned)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
        return -EINVAL;
    *mode = 0;
    *nodes = OUR_NODE;
    if (flags & MPOL_F_MEMS_ALLOWED)
        return flags & (MPOL_F_NODE | MPOL_F_ADDR) ? -EINVAL : 0;
    if (!(flags & MPOL_F_ADDR) && addr)
        return -EINVAL;
    int err = flags & MPOL_F_ADDR ? policy_at(addr, &policy) : 0;
    if (err)
        return err;
    *nodes = nodes_of(policy);
    *mode = flags & MPOL_F_NODE ? node_asked(addr, flags, policy) : (int)mode_of(policy);
    return min(*mode, 0);
}

int64_t sys_get_mempolicy(user_addr_t mode_at, user_addr_t nodes_at, uint64_t nr, uint64_t addr,
                          unsigned flags)
{
    uint64_t nodes;
    int mode;

    if (nodes_at.raw && !nr)
        return -EINVAL;
    int err = policy_look(addr, flags, &mode, &nodes);
    if (err)
        return err;
    if (mode_at.raw && copy_to_user(mode_at, &mode, sizeof(mode)))
        return -EFAULT;
    return nodes_at.raw ? nodes_write(nodes_at, nr, nodes) : 0;
}

const char *mempolicy_name(uint32_t policy, char *buf, size_t size)
{
    static const char *const names[MPOL_MODES] = {
        "default", "prefer", "bind", "interleave", "local", "prefer (many)", "weighted interleave"};
    unsigned mode = mode_of(policy);
    const char *kind = mode & MPOL_F_STATIC_NODES     ? "=static"
                       : mode & MPOL_F_RELATIVE_NODES ? "=relative"
                                                      : "";

    snprintf(buf, size, "%s%s%s", names[mode & ~MPOL_MODE_FLAGS], kind,
             nodes_of(policy) ? ":0" : "");
    return buf;
}

/* Moving pages, which are where they can be */

/* The memory of a process, or our own for 0, with a reference: -ESRCH, -EPERM, -EINVAL (none). */
static int memory_of(int nr, struct mm **out)
{
    int err = 0;

    tasks_lock();
    const struct task *task = nr ? task_named(nr) : task_current();
    if (!task)
        err = -ESRCH;
    else if (!task->mm)
        err = -EINVAL;
    else if (!cred_may_access(task, ACCESS_AS_REAL))
        err = -EPERM;
    if (!err) {
        *out = task->mm;
        mm_get(*out);
    }
    tasks_unlock();
    return err;
}

int64_t sys_migrate_pages(int pid, uint64_t nr, user_addr_t from_at, user_addr_t to_at)
{
    uint64_t from, to;
    struct mm *mm;

    int err = nodes_read(from_at, nr, &from);
    if (!err)
        err = nodes_read(to_at, nr, &to);
    if (!err)
        err = memory_of(pid, &mm);
    if (err)
        return err;
    mm_put(mm);
    if ((to & ~OUR_NODE) && !capable(CAP_SYS_NICE))
        return -EPERM;
    return to & OUR_NODE ? 0 : -EINVAL;
}

/* The node of the page at @addr, or -ENOENT: nothing is there; -EFAULT: nothing that has a node. */
static int page_status(struct mm *mm, uint64_t addr)
{
    struct page_seen seen;
    bool mapped = false;

    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    mapped = addr < USER_END && vma_find(mm, addr);
    if (mapped)
        pages_see(mm, round_down(addr, PAGE_SIZE), 1, &seen);
    rwsem_read_unlock(&mm->mmap_lock, reader);
    if (!mapped || seen.zeros)
        return -EFAULT;
    return seen.present ? 0 : -ENOENT;
}

/* One page: where it is meant to be, if that is asked, and where it is. */
static int move_one(struct mm *mm, uint64_t i, user_addr_t pages, user_addr_t nodes,
                    user_addr_t status)
{
    uint64_t addr;
    int node = 0;

    if (copy_from_user(&addr, user(pages.raw + i * sizeof(addr)), sizeof(addr)))
        return -EFAULT;
    if (nodes.raw && copy_from_user(&node, user(nodes.raw + i * sizeof(node)), sizeof(node)))
        return -EFAULT;
    if (node)
        return -ENODEV;
    int found = page_status(mm, addr);
    return copy_to_user(user(status.raw + i * sizeof(found)), &found, sizeof(found));
}

int64_t sys_move_pages(int pid, uint64_t nr, user_addr_t pages, user_addr_t nodes,
                       user_addr_t status, int flags)
{
    struct mm *mm;

    if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -EINVAL;
    if ((flags & MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
        return -EPERM;
    int err = memory_of(pid, &mm);
    if (err)
        return err;
    for (uint64_t i = 0; i < nr && !err; i++)
        err = move_one(mm, i, pages, nodes, status);
    mm_put(mm);
    return err;
}
