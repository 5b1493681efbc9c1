/* SPDX-License-Identifier: MIT */
/*
 * kernel/ptrace_regset.c - a tracee's registers by sets: general, FPU, all that XSAVE knows
 *
 * Room:   kernel.
 * Owns:   the sizes of the sets, and which of them may be written in part.
 * Locks:  the tree lock (rank TASKS) while a stopped tracee is read or written.
 * Always: (1) what is refused changes nothing.
 * Source: ptrace(2), PTRACE_GETREGSET; Linux arch/x86/kernel/fpu/regset.c (behaviour).
 * Tour:   after kernel/ptrace.c.
 */
#include "ptrace.h"

#include "process.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/elfcore.h>
#include <uapi/errno.h>
#include <uapi/ptrace.h>
#include <uapi/uio.h>

#define SET_MAX PAGE_SIZE

static size_t set_size(uint64_t set)
{
    switch (set) {
    case NT_PRSTATUS:
        return sizeof(struct uapi_user_regs);
    case NT_FPREGSET:
        return FXSAVE_BYTES;
    case NT_X86_XSTATE:
        return fpu_features() ? fpu_size() : 0;
    default:
        return 0;
    }
}

static void set_get(const struct task *task, uint64_t set, void *out)
{
    if (set == NT_PRSTATUS)
        context_registers_get(&task->context, out);
    else if (set == NT_FPREGSET)
        context_fpu_legacy_get(&task->context, out);
    else
        context_xstate_get(&task->context, out);
}

static int set_put(struct task *task, uint64_t set, const void *from)
{
    if (set == NT_PRSTATUS)
        return ptrace_registers_set(task, from);
    return set == NT_FPREGSET ? context_fpu_legacy_set(&task->context, from)
                              : context_xstate_set(&task->context, from);
}

/* General registers may be written from the first on; the other sets as a whole. */
static int check_length(uint64_t set, size_t len, size_t size)
{
    if (len == size || set == NT_PRSTATUS)
        return 0;
    return set == NT_FPREGSET ? -EINVAL : -EFAULT;
}

/* @buffer: of SET_MAX bytes. */
static int64_t move(int tid, bool writes, uint64_t set, struct uapi_iovec *io, uint8_t *buffer)
{
    uint8_t *given = buffer + SET_MAX;
    size_t size = set_size(set), len = min(io->len, size);

    if (writes && size && copy_from_user(given, user(io->base), len))
        return -EFAULT;
    tasks_lock();
    struct task *task = ptrace_stopped(tid);
    int err = !task ? -ESRCH : !size || io->len % sizeof(uint64_t) ? -EINVAL : 0;
    if (!err)
        set_get(task, set, buffer);
    if (!err && writes)
        err = check_length(set, len, size);
    if (!err && writes) {
        memcpy(buffer, given, len);
        err = set_put(task, set, buffer);
    }
    tasks_unlock();
    if (!err && !writes)
        err = copy_to_user(user(io->base), buffer, len);
    io->len = len;
    return err;
}

int64_t ptrace_regset(int tid, bool writes, uint64_t set, user_addr_t iovec)
{
    struct uapi_iovec io;

    if (copy_from_user(&io, iovec, sizeof(io)))
        return -EFAULT;
    uint8_t *buffer = kmem_alloc(2 * SET_MAX, SLAB_ALLOC_ZERO);
    if (!buffer)
        return -ENOMEM;
    int64_t err = move(tid, writes, set, &io, buffer);
    kmem_free_wiped(buffer, 2 * SET_MAX);
    if (err)
        return err;
    return copy_to_user(user(iovec.raw + offsetof(struct uapi_iovec, len)), &io.len,
                        sizeof(io.len));
}
