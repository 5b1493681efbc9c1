/* SPDX-License-Identifier: MIT */
/*
 * kernel/rseq.c - restartable sequences and membarrier
 *
 * Room:   kernel.
 * Owns:   what the kernel writes into a program's rseq area.
 * Locks:  none; user memory is touched with IRQs on.
 * Always: see kernel/rseq.h.
 * Source: rseq(2) of librseq; membarrier(2).
 * Tour:   after kernel/sched.c, kernel/syscall.c.
 */
#include "rseq.h"

#include "syscall.h"
#include "task.h"
#include <asm/cpu.h>
#include <asm/smp.h>
#include <asm/uaccess.h>
#include <stddef.h>
#include <uapi/errno.h>
#include <uapi/rseq.h>

/* The section that the area names: 0 and whether @rip is inside it, or -EFAULT, -EINVAL. */
static int section_read(const struct rseq *rseq, uint64_t at, uint64_t rip, struct uapi_rseq_cs *cs,
                        bool *inside)
{
    uint32_t signature;

    if (copy_from_user(cs, user(at), sizeof(*cs)))
        return -EFAULT;
    if (cs->version || cs->flags || cs->start_ip >= USER_END || cs->abort_ip >= USER_END ||
        cs->start_ip + cs->post_commit_offset < cs->start_ip ||
        cs->abort_ip - cs->start_ip < cs->post_commit_offset)
        return -EINVAL;
    if (copy_from_user(&signature, user(cs->abort_ip - sizeof(signature)), sizeof(signature)))
        return -EFAULT;
    *inside = rip - cs->start_ip < cs->post_commit_offset;
    return signature == rseq->signature ? 0 : -EINVAL;
}

/* Claim 1. A section that it is not in any more is forgotten. */
static int leave_section(const struct rseq *rseq, struct trap_frame *frame)
{
    uint64_t at_cs = rseq->address + offsetof(struct uapi_rseq, rseq_cs), cs_at, zero = 0;
    struct uapi_rseq_cs cs;
    bool inside;

    int err = copy_from_user(&cs_at, user(at_cs), sizeof(cs_at));
    if (err || !cs_at)
        return err;
    err = section_read(rseq, cs_at, frame->rip, &cs, &inside);
    if (!err)
        err = copy_to_user(user(at_cs), &zero, sizeof(zero));
    if (!err && inside)
        frame->rip = cs.abort_ip;
    return err;
}

/* The words before and after rseq_cs, which belongs to the program. */
static int ids_write(const struct rseq *rseq, uint32_t start, int32_t cpu, uint32_t mm_cid)
{
    struct {
        uint32_t start;
        int32_t cpu;
    } first = {start, cpu};
    uint32_t node_and_cid[2] = {0, mm_cid};
    uint64_t second = rseq->address + offsetof(struct uapi_rseq, node_id);

    int err = copy_to_user(user(rseq->address), &first, sizeof(first));
    return err ? err : copy_to_user(user(second), node_and_cid, sizeof(node_and_cid));
}

void rseq_update(struct trap_frame *frame)
{
    struct rseq *rseq = &task_current()->rseq;

    rseq->stale = false; /* before the number is read: a move after this sets it again */
    unsigned cpu = cpu_id();
    int err = leave_section(rseq, frame);
    if (!err)
        err = ids_write(rseq, cpu, cpu, cpu);
    if (!err)
        return;
    struct uapi_siginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};
    rseq->address = 0;
    signal_force(&info);
}

static int64_t unregister(struct rseq *rseq, uint64_t address, uint32_t len, uint32_t signature)
{
    if (!rseq->address || rseq->address != address || rseq->len != len)
        return -EINVAL;
    if (rseq->signature != signature)
        return -EPERM;
    int err = ids_write(rseq, 0, RSEQ_CPU_ID_UNINITIALIZED, 0);
    if (!err)
        *rseq = (struct rseq){0};
    return err;
}

int64_t sys_rseq(uint64_t address, uint32_t len, int flags, uint32_t signature)
{
    struct rseq *rseq = &task_current()->rseq;

    if (flags == RSEQ_FLAG_UNREGISTER)
        return unregister(rseq, address, len, signature);
    if (flags)
        return -EINVAL;
    if (rseq->address) {
        if (rseq->address != address || rseq->len != len)
            return -EINVAL;
        return rseq->signature != signature ? -EPERM : -EBUSY;
    }
    if (len < RSEQ_SIZE_FIRST || !is_aligned(address, RSEQ_ALIGN))
        return -EINVAL;
    if (!address || !user_range_ok(user(address), len))
        return -EFAULT;
    *rseq = (struct rseq){.address = address, .len = len, .signature = signature, .stale = true};
    sched_add_exit_work(task_current());
    return 0;
}

/* membarrier */

#define PRIVATE_COMMANDS \
    (MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)
#define REGISTER_COMMANDS                                                                   \
    (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
#define GLOBAL_COMMANDS (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED)

/* The way back from the interrupt is an IRET, which serialises, too. */
static void barrier(void *unused)
{
    (void)unused;
    atomic_thread_fence(memory_order_seq_cst);
}

int64_t sys_membarrier(int command, unsigned flags, int cpu)
{
    struct process *me = process_current();

    (void)cpu;
    if (flags)
        return -EINVAL;
    if (command == MEMBARRIER_CMD_QUERY)
        return PRIVATE_COMMANDS | REGISTER_COMMANDS | GLOBAL_COMMANDS;
    if (command < 0 || (command & (command - 1)))
        return -EINVAL;
    if (command & REGISTER_COMMANDS) {
        __atomic_fetch_or(&me->membarrier, command >> 1, __ATOMIC_SEQ_CST);
        return 0;
    }
    if ((command & PRIVATE_COMMANDS) && !(READ_ONCE(me->membarrier) & command))
        return -EPERM;
    if (!(command & (PRIVATE_COMMANDS | GLOBAL_COMMANDS)))
        return -EINVAL;
    atomic_thread_fence(memory_order_seq_cst);
    smp_call_others(barrier, NULL);
    return 0;
}
