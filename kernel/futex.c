/* SPDX-License-Identifier: MIT */
/*
 * kernel/futex.c - waiting for a word in user memory, and locks whose owner died
 *
 * Room:   kernel.
 * Owns:   the table of waiters, hashed by what names the word: address space or object, and place.
 * Locks:  a bucket's lock (rank WAIT); user memory is read with none held.
 * Always: (1) a waiter is in its bucket before it reads the word: a wake-up after a change of the
 *             word finds it.
 * Source: futex(2); Drepper, "Futexes Are Tricky".
 * Tour:   after kernel/sched.c.
 */
#include "futex.h"

#include "clock.h"
#include "syscall.h"
#include "task.h"
#include <asm/time.h>
#include <asm/uaccess.h>
#include <mm/secretmem.h>
#include <uapi/errno.h>
#include <uapi/futex.h>
#include <uapi/misc.h>

#define BUCKETS 256

/* A word's name: private words by address space and address, shared ones by object and offset. */
struct futex_key {
    uint64_t space, place;
};

struct futex_waiter {
    struct list_node node; /* empty: woken */
    struct futex_key key;
    uint32_t bitset;
    struct task *task;
};

static struct bucket {
    spinlock_t lock;
    struct list_node waiters;
} buckets[BUCKETS];

void futex_boot_init(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        spin_lock_init(&buckets[i].lock, LOCK_RANK_WAIT);
        list_init(&buckets[i].waiters);
    }
}

static struct bucket *bucket_of(const struct futex_key *key)
{
    uint64_t hash = (key->space >> 6 ^ key->place >> 2) * 0x9e3779b97f4a7c15UL;
    return &buckets[hash >> 56];
}

static bool same(const struct futex_key *a, const struct futex_key *b)
{
    return a->space == b->space && a->place == b->place;
}

static int key_for(uint64_t address, bool private, struct futex_key *key)
{
    struct mm *mm = task_current()->mm;

    if (!is_aligned(address, 4))
        return -EINVAL;
    if (!user_range_ok(user(address), 4))
        return -EFAULT;
    *key = (struct futex_key){(uint64_t)mm, address};
    if (private)
        return 0;
    rwsem_reader_t reader = rwsem_read_lock(&mm->mmap_lock);
    struct vma *vma = vma_find(mm, address);
    int err = vma ? 0 : -EFAULT;
    if (vma && vma->object && object_is_secret(vma->object))
        err = -EFAULT; /* secret memory has no shared futexes */
    else if (vma && vma->object && (vma->flags & VM_SHARED))
        *key = (struct futex_key){(uint64_t)vma->object,
                                  (vma->pgoff << PAGE_SHIFT) + address - vma->start};
    rwsem_read_unlock(&mm->mmap_lock, reader);
    return err;
}

static int wake(const struct futex_key *key, int max, uint32_t bitset)
{
    struct bucket *b = bucket_of(key);
    struct futex_waiter *w, *after;
    int woken = 0;

    irq_flags_t flags = spin_lock_irqsave(&b->lock);
    list_for_each_safe (w, after, &b->waiters, node) {
        if (woken >= max)
            break;
        if (!same(&w->key, key) || !(w->bitset & bitset))
            continue;
        struct task *task = w->task;
        list_del(&w->node); /* w lies on the waiter's stack: not ours any more after the wake-up */
        task_wake(task, WAKE_ANY);
        woken++;
    }
    spin_unlock_irqrestore(&b->lock, flags);
    return woken;
}

int futex_wake_address(uint64_t address, int max)
{
    struct futex_key key;
    return key_for(address, false, &key) ? 0 : wake(&key, max, ~0U);
}

struct wait_timer {
    struct timer timer;
    struct task *task;
};

static void wait_expired(struct timer *timer)
{
    task_wake(container_of(timer, struct wait_timer, timer)->task, WAKE_ANY);
}

/* Which bucket a waiter is in changes when it is requeued: look until it stays. */
static bool take_off(struct futex_waiter *w)
{
    for (;;) {
        struct futex_key key = w->key;
        struct bucket *b = bucket_of(&key);
        irq_flags_t flags = spin_lock_irqsave(&b->lock);
        bool there = same(&key, &w->key);
        bool queued = there && !list_empty(&w->node);
        if (queued)
            list_del(&w->node);
        spin_unlock_irqrestore(&b->lock, flags);
        if (there)
            return queued;
    }
}

static int64_t wait(uint64_t address, bool private, uint32_t expected, uint64_t until_ns,
                    uint32_t bitset);

static int64_t wait_restart(struct restart_block *block)
{
    return wait(block->futex.address, block->futex.private, block->futex.expected, block->end_ns,
                block->futex.bitset);
}

static int64_t wait(uint64_t address, bool private, uint32_t expected, uint64_t until_ns,
                    uint32_t bitset)
{
    struct task *me = task_current();
    struct futex_waiter w = {.task = me, .bitset = bitset};
    struct wait_timer timeout = {.timer.fire = wait_expired, .task = me};
    uint32_t now;

    if (!bitset)
        return -EINVAL;
    int err = key_for(address, private, &w.key);
    if (err)
        return err;
    struct bucket *b = bucket_of(&w.key);
    irq_flags_t flags = spin_lock_irqsave(&b->lock);
    list_add_tail(&w.node, &b->waiters);
    spin_unlock_irqrestore(&b->lock, flags);

    err = copy_from_user(&now, user(address), sizeof(now));
    if (!err && now != expected)
        err = -EAGAIN;
    while (!err) {
        bool expired = until_ns && clock_ns() >= until_ns;
        WRITE_ONCE(me->sched.state, TASK_WAITING);
        if (until_ns)
            timer_start(&timeout.timer, until_ns);
        flags = spin_lock_irqsave(&b->lock);
        bool woken = list_empty(&w.node);
        spin_unlock_irqrestore(&b->lock, flags);
        bool signal = signal_pending_current();
        if (!woken && !expired && !signal)
            schedule();
        WRITE_ONCE(me->sched.state, TASK_RUNNABLE);
        if (until_ns)
            timer_stop(&timeout.timer);
        if (woken)
            return 0;
        err = expired ? -ETIMEDOUT : signal ? -ERESTARTSYS : 0;
    }
    if (!take_off(&w))
        return 0; /* a wake-up that came meanwhile is not lost */
    if (err != -ERESTARTSYS || !until_ns)
        return err;
    me->restart = (struct restart_block){
        .fn = wait_restart,
        .end_ns = until_ns,
        .futex = {address, expected, bitset, private},
    };
    return -ERESTART_RESTARTBLOCK;
}

static int64_t requeue(uint64_t from, uint64_t to, bool private, int max_wake, int max_move,
                       const uint32_t *expected)
{
    struct futex_key key, target;
    struct futex_waiter *w, *after;
    struct list_node moving;
    uint32_t now;
    int moved = 0;

    int err = key_for(from, private, &key);
    if (!err)
        err = key_for(to, private, &target);
    if (!err && expected) {
        err = copy_from_user(&now, user(from), sizeof(now));
        if (!err && now != *expected)
            err = -EAGAIN;
    }
    if (err)
        return err;
    int woken = wake(&key, max_wake, ~0U);
    if (same(&key, &target))
        return woken;
    /* Two buckets at once, the lower first; they may be one. */
    struct bucket *b1 = bucket_of(&key), *b2 = bucket_of(&target);
    struct bucket *first = min(b1, b2), *second = max(b1, b2);
    irq_flags_t flags = spin_lock_irqsave(&first->lock);
    if (second != first)
        spin_lock_nested(&second->lock);
    list_init(&moving);
    list_for_each_safe (w, after, &b1->waiters, node) {
        if (moved >= max_move)
            break;
        if (!same(&w->key, &key))
            continue;
        list_del(&w->node);
        w->key = target;
        list_add_tail(&w->node, &moving);
        moved++;
    }
    list_splice_tail(&moving, &b2->waiters);
    if (second != first)
        spin_unlock_nested(&second->lock);
    spin_unlock_irqrestore(&first->lock, flags);
    return woken + moved;
}

/* FUTEX_WAKE_OP */

static int sign_extend_12(uint32_t value)
{
    return (int)(value << 20) >> 20;
}

static uint32_t op_apply(unsigned op, uint32_t old, uint32_t arg)
{
    switch (op) {
    case FUTEX_OP_SET:
        return arg;
    case FUTEX_OP_ADD:
        return old + arg;
    case FUTEX_OP_OR:
        return old | arg;
    case FUTEX_OP_ANDN:
        return old & ~arg;
    default:
        return old ^ arg;
    }
}

static bool op_compare(unsigned comparison, int old, int arg)
{
    switch (comparison) {
    case FUTEX_OP_CMP_EQ:
        return old == arg;
    case FUTEX_OP_CMP_NE:
        return old != arg;
    case FUTEX_OP_CMP_LT:
        return old < arg;
    case FUTEX_OP_CMP_LE:
        return old <= arg;
    case FUTEX_OP_CMP_GT:
        return old > arg;
    default:
        return old >= arg;
    }
}

/* Change the word at @address as @encoded says: does its old value pass the comparison? 0 or 1. */
static int op_do(uint64_t address, uint32_t encoded)
{
    unsigned op = encoded >> 28 & 7, comparison = encoded >> 24 & 15;
    uint32_t arg = sign_extend_12(encoded >> 12), old;
    bool shift = encoded >> 28 & FUTEX_OP_ARG_SHIFT;

    if (op > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE)
        return -ENOSYS;
    arg = shift ? 1U << (arg & 31) : arg;
    if (copy_from_user(&old, user(address), sizeof(old)))
        return -EFAULT;
    for (;;) {
        uint32_t seen = old;
        if (cmpxchg32_user(user(address), &seen, op_apply(op, old, arg)))
            return -EFAULT;
        if (seen == old)
            return op_compare(comparison, old, sign_extend_12(encoded));
        old = seen;
    }
}

static int64_t wake_op(uint64_t address, uint64_t address2, bool private, int max, int max2,
                       uint32_t encoded)
{
    struct futex_key key, key2;
    int err = key_for(address, private, &key);
    if (!err)
        err = key_for(address2, private, &key2);
    if (err)
        return err;
    int passes = op_do(address2, encoded);
    if (passes < 0)
        return passes;
    int woken = wake(&key, max, ~0U);
    return passes ? woken + wake(&key2, max2, ~0U) : woken;
}

/* Robust lists: set_robust_list(2), and include/uapi/futex.h. */

/* The lock at @address, if @task holds it, is marked as its; one waiter learns of it. */
static int lock_abandon(const struct task *task, uint64_t address, bool pending)
{
    uint32_t word;

    if (!is_aligned(address, sizeof(word)) || copy_from_user(&word, user(address), sizeof(word)))
        return -EFAULT;
    if (pending && !word) { /* it died between unlocking and waking */
        futex_wake_address(address, 1);
        return 0;
    }
    for (;;) {
        if ((word & FUTEX_TID_MASK) != (uint32_t)pid_here(task->tid))
            return 0;
        uint32_t seen = word;
        if (cmpxchg32_user(user(address), &seen, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
            return -EFAULT;
        if (seen == word)
            break;
        word = seen;
    }
    if (word & FUTEX_WAITERS)
        futex_wake_address(address, 1);
    return 0;
}

#define PI_BIT 1UL /* of a pointer in the list: the lock has priority inheritance */

void futex_robust_exit(struct task *task)
{
    uint64_t head_at = task->robust_list;
    struct uapi_robust_list_head head;

    task->robust_list = 0;
    if (!head_at || copy_from_user(&head, user(head_at), sizeof(head)))
        return;
    uint64_t entry = head.list & ~PI_BIT, pending = head.list_op_pending & ~PI_BIT;
    for (unsigned n = 0; entry != head_at && n < ROBUST_LIST_LIMIT; n++) {
        uint64_t next;
        int err = copy_from_user(&next, user(entry), sizeof(next));
        if (entry != pending && lock_abandon(task, entry + head.futex_offset, false))
            return;
        if (err)
            return;
        entry = next & ~PI_BIT;
    }
    if (pending && lock_abandon(task, pending + head.futex_offset, true))
        return;
}

int64_t sys_set_robust_list(uint64_t head, size_t len)
{
    if (len != sizeof(struct uapi_robust_list_head))
        return -EINVAL;
    task_current()->robust_list = head;
    return 0;
}

int64_t sys_get_robust_list(int tid, user_addr_t head_out, user_addr_t len_out)
{
    uint64_t head = 0, len = sizeof(struct uapi_robust_list_head);

    tasks_lock();
    const struct task *task = tid ? task_named(tid) : task_current();
    if (task)
        head = task->robust_list;
    tasks_unlock();
    if (!task)
        return -ESRCH;
    int err = copy_to_user(len_out, &len, sizeof(len));
    return err ? err : copy_to_user(head_out, &head, sizeof(head));
}

/* When a wait ends, by clock_ns(); 0: never. */
static int deadline(user_addr_t timeout, bool relative, bool realtime, uint64_t *out)
{
    uint64_t ns;

    *out = 0;
    if (!timeout.raw)
        return 0;
    int err = timespec_read(timeout, &ns);
    if (err)
        return err;
    ns = relative ? ns + clock_ns()
                  : clock_to_monotonic(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns);
    *out = max(ns, 1UL);
    return 0;
}

int64_t sys_futex(uint64_t address, int op, uint32_t value, user_addr_t timeout, uint64_t address2,
                  uint32_t value3)
{
    bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
    struct futex_key key;
    uint64_t until;
    int err;

    switch (op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
    case FUTEX_WAIT:
        err = deadline(timeout, true, realtime, &until);
        return err ? err : wait(address, private, value, until, ~0U);
    case FUTEX_WAIT_BITSET:
        err = deadline(timeout, false, realtime, &until);
        return err ? err : wait(address, private, value, until, value3);
    case FUTEX_WAKE:
        err = key_for(address, private, &key);
        return err ? err : wake(&key, value, ~0U);
    case FUTEX_WAKE_BITSET:
        err = value3 ? key_for(address, private, &key) : -EINVAL;
        return err ? err : wake(&key, value, value3);
    case FUTEX_WAKE_OP:
        return wake_op(address, address2, private, value, (int)timeout.raw, value3);
    case FUTEX_REQUEUE:
        return requeue(address, address2, private, value, (int)timeout.raw, NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(address, address2, private, value, (int)timeout.raw, &value3);
    default:
        return -ENOSYS;
    }
}
