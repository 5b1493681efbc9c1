/* SPDX-License-Identifier: MIT */
/*
 * kernel/vm_access.c - process_vm_readv and process_vm_writev: another process's memory
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  none held while memory is copied.
 * Always: (1) bytes pass through a buffer of the kernel: neither side's faults meet the other's.
 * Source: process_vm_readv(2).
 * Tour:   after mm/access.c.
 */
#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/uio.h>

#define PAGES_AT_ONCE 1024UL

struct side {
    struct uapi_iovec *vector;
    uint64_t nr, at; /* how many; the one that is being copied .. */
    uint64_t offset; /* .. from this byte on */
    uint64_t ready;  /* of the other side: up to this byte it has its pages */
};

static int side_read(struct side *side, user_addr_t from, uint64_t nr)
{
    if (nr > IOV_MAX)
        return -EINVAL;
    *side = (struct side){.nr = nr};
    if (!nr)
        return 0;
    side->vector = kmem_alloc(nr * sizeof(*side->vector), 0);
    if (!side->vector)
        return -ENOMEM;
    return copy_from_user(side->vector, from, nr * sizeof(*side->vector));
}

/* Lengths that no file offset could hold are refused. */
static int side_check(const struct side *side, bool local)
{
    for (uint64_t i = 0; i < side->nr; i++) {
        if ((int64_t)side->vector[i].len < 0)
            return -EINVAL;
        if (local && !user_range_ok(user(side->vector[i].base), side->vector[i].len))
            return -EFAULT;
    }
    return 0;
}

/* The next bytes, at most @max: how many, and where; 0: no more. */
static size_t side_next(struct side *side, size_t max, uint64_t *addr)
{
    while (side->at < side->nr && side->offset == side->vector[side->at].len) {
        side->at++;
        side->offset = side->ready = 0;
    }
    if (side->at == side->nr)
        return 0;
    *addr = side->vector[side->at].base + side->offset;
    return min(max, side->vector[side->at].len - side->offset);
}

/* As much of @len bytes as both sides let through. */
static int64_t copy_part(struct mm *mm, uint64_t local, uint64_t remote, size_t len, bool write,
                         char *buffer)
{
    if (write) {
        size_t got = len - copy_from_user_partial(buffer, user(local), len);
        return got ? mm_access(mm, remote, buffer, got, ACCESS_WRITE, false) : -EFAULT;
    }
    int64_t n = mm_access(mm, remote, buffer, len, ACCESS_READ, false);
    if (n <= 0)
        return n;
    int64_t put = n - copy_to_user_partial(user(local), buffer, n);
    return put ? put : -EFAULT;
}

/* Linux has the other side's pages of a whole part, as many as it can name at once, before it
 * copies the first. Returns how many bytes at @addr may be copied now, at most @len. */
static size_t side_ready(struct mm *mm, struct side *side, uint64_t addr, size_t len, bool write)
{
    if (side->ready == side->offset) {
        size_t rest = side->vector[side->at].len - side->offset;
        rest = min(rest, PAGES_AT_ONCE * PAGE_SIZE);
        if (addr + rest >= addr)
            side->ready += write ? mm_fault_in(mm, addr, rest, ACCESS_WRITE)
                                 : mm_pin_in(mm, addr, rest);
    }
    return min(len, side->ready - side->offset);
}

static int64_t copy_all(struct mm *mm, struct side *local, struct side *remote, bool write)
{
    char *buffer = kmem_alloc(PAGE_SIZE, 0);
    int64_t done = 0, n = 0;
    uint64_t from, to;

    if (!buffer)
        return -ENOMEM;
    for (;;) {
        size_t len = side_next(local, PAGE_SIZE, &from);
        len = len ? side_next(remote, len, &to) : 0;
        if (!len)
            break;
        size_t ready = side_ready(mm, remote, to, len, write);
        n = ready ? copy_part(mm, from, to, ready, write, buffer) : -EFAULT;
        if (n <= 0)
            break;
        done += n;
        local->offset += n;
        remote->offset += n;
        if ((size_t)n < ready)
            break;
    }
    kmem_free_wiped(buffer, PAGE_SIZE);
    return done ? done : n;
}

/* The memory of a process, or of the process of a task, with a reference. */
static int memory_of(int pid, struct mm **out)
{
    int err = -ESRCH;

    tasks_lock();
    struct task *task = task_named(pid);
    struct process *process = task ? task->process : process_named(pid);
    if (!task && process && !list_empty(&process->tasks))
        task = list_first_entry(&process->tasks, struct task, process_node);
    if (task && task->mm && !cred_may_access(task, ACCESS_AS_REAL)) {
        err = -EPERM;
    } else if (task && task->mm) {
        *out = task->mm;
        mm_get(*out);
        err = 0;
    }
    tasks_unlock();
    return err;
}

static int64_t transfer(int pid, user_addr_t lvec, uint64_t nr_local, user_addr_t rvec,
                        uint64_t nr_remote, uint64_t flags, bool write)
{
    struct side local = {0}, remote = {0};
    struct mm *mm;

    if (flags)
        return -EINVAL;
    int64_t result = side_read(&local, lvec, nr_local);
    if (!result)
        result = side_check(&local, true);
    if (!result)
        result = side_read(&remote, rvec, nr_remote);
    if (!result)
        result = side_check(&remote, false);
    if (!result)
        result = memory_of(pid, &mm);
    if (!result) {
        result = copy_all(mm, &local, &remote, write);
        mm_put(mm);
    }
    kmem_free(local.vector);
    kmem_free(remote.vector);
    return result;
}

int64_t sys_process_vm_readv(int pid, user_addr_t lvec, uint64_t nr_local, user_addr_t rvec,
                             uint64_t nr_remote, uint64_t flags)
{
    return transfer(pid, lvec, nr_local, rvec, nr_remote, flags, false);
}

int64_t sys_process_vm_writev(int pid, user_addr_t lvec, uint64_t nr_local, user_addr_t rvec,
                              uint64_t nr_remote, uint64_t flags)
{
    return transfer(pid, lvec, nr_local, rvec, nr_remote, flags, true);
}
