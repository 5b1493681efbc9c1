/* SPDX-License-Identifier: MIT */
/*
 * kernel/file_lock.c - advisory locks: who may read or write a file, among those who ask
 *
 * Room:   kernel.
 * Owns:   the locks of all inodes, and who waits for one.
 * Locks:  locks_lock (spin, rank FILES) for both.
 * Always: (1) no two owners hold overlapping locks of one kind unless both are for reading;
 *         (2) an owner's locks of one kind do not overlap; neighbours of one type are one lock;
 *         (3) a lock that came while its descriptor was closed does not stay.
 * Source: fcntl(2), "Advisory record locking", "Open file description locks"; flock(2).
 * Tour:   after kernel/files.c.
 */
#include "file_lock.h"

#include "pid_ns.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define FILE_END  ((uint64_t)INT64_MAX + 1) /* behind the last byte a file can have */
#define CHAIN_MAX 10                        /* owners that wait for each other: looked at */

enum lock_kind {
    LOCK_RECORDS, /* fcntl */
    LOCK_FILE     /* flock: does not meet the others */
};

struct file_lock {
    struct file_lock *next;
    enum lock_kind kind;
    bool exclusive;
    const void *owner; /* struct files: of a process; struct file: of an open file */
    int tid;           /* who asked, 0: an open file */
    uint64_t start, end;
};

/* A process that waits for a lock. */
struct lock_waiter {
    struct lock_waiter *next;
    const void *owner, *waits_for;
};

static spinlock_t locks_lock = SPINLOCK_INIT(LOCK_RANK_FILES);
static struct wait_queue unlocked; /* some lock has gone */
static _Atomic uint64_t unlocks;
static struct lock_waiter *lock_waiters;

void file_locks_boot_init(void)
{
    wait_queue_init(&unlocked);
}

/* A list of locks. locks_lock held in all that follow. */

static struct file_lock *first_of(const struct inode *inode)
{
    return atomic_load_explicit(&inode->locks, memory_order_relaxed);
}

static void add(struct inode *inode, struct file_lock *lock)
{
    lock->next = first_of(inode);
    atomic_store_explicit(&inode->locks, lock, memory_order_relaxed);
}

static void remove(struct inode *inode, struct file_lock *lock)
{
    struct file_lock *first = first_of(inode);

    if (first == lock) {
        atomic_store_explicit(&inode->locks, lock->next, memory_order_relaxed);
    } else {
        while (first->next != lock)
            first = first->next;
        first->next = lock->next;
    }
    kmem_free(lock);
}

static bool is_own(const struct file_lock *l, const struct file_lock *wanted)
{
    return l->kind == wanted->kind && l->owner == wanted->owner;
}

static bool conflict(const struct file_lock *l, const struct file_lock *wanted)
{
    return l->kind == wanted->kind && l->owner != wanted->owner &&
           (l->exclusive || wanted->exclusive) && l->start < wanted->end && wanted->start < l->end;
}

/* The first of somebody's locks that @wanted cannot be held beside, or NULL. */
static struct file_lock *find_conflict(const struct inode *inode, const struct file_lock *wanted)
{
    struct file_lock *found = NULL;

    for (struct file_lock *l = first_of(inode); l; l = l->next)
        if (conflict(l, wanted) && (!found || l->start < found->start))
            found = l;
    return found;
}

/* Does waiting for @blocker's owner end in waiting for oneself? */
static bool would_deadlock(const void *owner, const struct file_lock *blocker)
{
    const void *at = blocker->owner;

    for (int i = 0; i < CHAIN_MAX && at != owner; i++) {
        const struct lock_waiter *w = lock_waiters;
        while (w && w->owner != at)
            w = w->next;
        if (!w)
            return false;
        at = w->waits_for;
    }
    return at == owner;
}

/* Take [start, end) from one of the owner's locks; a second part that is left goes into *@spare. */
static void cut(struct inode *inode, struct file_lock *l, uint64_t start, uint64_t end,
                struct file_lock **spare)
{
    if (l->start < start && l->end > end) {
        struct file_lock *rest = *spare;
        *spare = NULL;
        *rest = *l;
        rest->start = end;
        l->end = start;
        add(inode, rest);
    } else if (l->start < start) {
        l->end = start;
    } else if (l->end > end) {
        l->start = end;
    } else {
        remove(inode, l);
    }
}

/* The owner has nothing of [start, end) after this. */
static void release_range(struct inode *inode, const struct file_lock *range,
                          struct file_lock **spare)
{
    bool some = false;

    for (struct file_lock *l = first_of(inode), *next; l; l = next) {
        next = l->next;
        if (!is_own(l, range) || l->start >= range->end || range->start >= l->end)
            continue;
        cut(inode, l, range->start, range->end, spare);
        some = true;
    }
    if (some) {
        atomic_fetch_add(&unlocks, 1);
        wake_all(&unlocked);
    }
}

/* Claim 2. */
static void absorb_neighbours(struct inode *inode, struct file_lock *lock)
{
    for (struct file_lock *l = first_of(inode), *next; l; l = next) {
        next = l->next;
        if (!is_own(l, lock) || l->exclusive != lock->exclusive ||
            (l->end != lock->start && lock->end != l->start))
            continue;
        lock->start = min(lock->start, l->start);
        lock->end = max(lock->end, l->end);
        remove(inode, l);
    }
}

/* Setting and waiting. */

/* 0 with *@lock in the list; or -EAGAIN, and who is in the way in *@w. */
static int try_lock(struct inode *inode, struct file_lock **lock, struct file_lock **spare,
                    struct lock_waiter *w)
{
    spin_lock(&locks_lock);
    if ((*lock)->kind == LOCK_FILE) /* flock gives up what it has before it asks for more */
        release_range(inode, *lock, spare);
    struct file_lock *blocker = find_conflict(inode, *lock);
    if (!blocker) {
        release_range(inode, *lock, spare);
        absorb_neighbours(inode, *lock);
        add(inode, *lock);
        *lock = NULL;
    } else {
        w->waits_for = blocker->owner;
    }
    spin_unlock(&locks_lock);
    return blocker ? -EAGAIN : 0;
}

static void stop_waiting(struct lock_waiter *w)
{
    struct lock_waiter **at = &lock_waiters;

    spin_lock(&locks_lock);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    spin_unlock(&locks_lock);
}

/* Say for whom we wait, unless that is a circle. */
static int start_waiting(struct inode *inode, const struct file_lock *lock, struct lock_waiter *w)
{
    spin_lock(&locks_lock);
    struct file_lock *blocker = find_conflict(inode, lock);
    bool circle = blocker && lock->tid && would_deadlock(lock->owner, blocker);
    w->owner = lock->tid ? lock->owner : NULL; /* open files are not asked what they wait for */
    w->waits_for = blocker ? blocker->owner : NULL;
    w->next = lock_waiters;
    if (!circle)
        lock_waiters = w;
    spin_unlock(&locks_lock);
    return circle ? -EDEADLK : 0;
}

static int lock_or_wait(struct inode *inode, struct file_lock **lock, struct file_lock **spare,
                        bool wait)
{
    for (;;) {
        uint64_t seen = atomic_load(&unlocks);
        struct lock_waiter w;
        int err = try_lock(inode, lock, spare, &w);
        if (err != -EAGAIN || !wait)
            return err;
        err = start_waiting(inode, *lock, &w);
        if (err)
            return err;
        err = wait_event_interruptible(&unlocked, atomic_load(&unlocks) != seen);
        stop_waiting(&w);
        if (err)
            return -ERESTARTSYS;
    }
}

/* Make what @wanted says so; @unlock: give its range back. */
static int change(struct inode *inode, const struct file_lock *wanted, bool unlock, bool wait)
{
    struct file_lock *lock = unlock ? NULL : kmem_alloc(sizeof(*lock), 0);
    struct file_lock *spare = kmem_alloc(sizeof(*spare), 0);
    int err = spare && (lock || unlock) ? 0 : -ENOMEM;

    if (!err && unlock) {
        spin_lock(&locks_lock);
        release_range(inode, wanted, &spare);
        spin_unlock(&locks_lock);
    } else if (!err) {
        *lock = *wanted;
        err = lock_or_wait(inode, &lock, &spare, wait);
    }
    kmem_free(lock);
    kmem_free(spare);
    return err;
}

void file_locks_drop(struct inode *inode, const void *owner)
{
    struct file_lock *spare = NULL; /* whole locks go */

    spin_lock(&locks_lock);
    for (enum lock_kind kind = LOCK_RECORDS; kind <= LOCK_FILE; kind++) {
        struct file_lock all = {.kind = kind, .owner = owner, .end = FILE_END};
        release_range(inode, &all, &spare);
    }
    spin_unlock(&locks_lock);
}

/* The calls. */

/* [*start, *end) as struct flock says it. */
static int range_of(const struct file *f, const struct uapi_flock *u, uint64_t *start,
                    uint64_t *end)
{
    int64_t base = u->whence == SEEK_CUR   ? (int64_t)f->pos
                   : u->whence == SEEK_END ? (int64_t)object_size(&f->inode->object)
                                           : 0;
    int64_t from, to = INT64_MAX;

    if (u->whence < SEEK_SET || u->whence > SEEK_END)
        return -EINVAL;
    if (__builtin_add_overflow(base, u->start, &from))
        return -EOVERFLOW;
    if (from < 0)
        return -EINVAL;
    if (u->len > 0 && __builtin_add_overflow(from, u->len - 1, &to))
        return -EOVERFLOW;
    if (u->len < 0) {
        to = from - 1;
        if (from + u->len < 0)
            return -EINVAL;
        from += u->len;
    }
    *start = from;
    *end = (uint64_t)to + 1;
    return 0;
}

static int check_rights(const struct file *f, int type)
{
    switch (type) {
    case F_RDLCK:
        return file_readable(f) ? 0 : -EBADF;
    case F_WRLCK:
        return file_writable(f) ? 0 : -EBADF;
    default:
        return type == F_UNLCK ? 0 : -EINVAL;
    }
}

/* F_GETLK: what would be in the way, as the asker's PID namespace sees it. */
static void find_blocker(const struct inode *inode, const struct file_lock *wanted,
                         struct uapi_flock *u)
{
    spin_lock(&locks_lock);
    const struct file_lock *l = find_conflict(inode, wanted);
    u->type = !l ? F_UNLCK : l->exclusive ? F_WRLCK : F_RDLCK;
    if (l) {
        u->whence = SEEK_SET;
        u->start = l->start;
        u->len = l->end == FILE_END ? 0 : l->end - l->start;
        u->pid = l->tid ? l->tid : -1;
    }
    spin_unlock(&locks_lock);
    if (u->type != F_UNLCK && u->pid > 0)
        u->pid = pid_here(u->pid);
}

/* Claim 3. */
static int undo_if_closed(struct file *f, int fd, const struct file_lock *lock)
{
    struct file *now = fd_get(fd);

    if (now)
        file_put(now);
    if (now == f)
        return 0;
    file_locks_drop(f->inode, lock->owner);
    return -EBADF;
}

int file_lock_fcntl(struct file *f, int fd, unsigned cmd, user_addr_t arg)
{
    bool of_file = cmd >= F_OFD_GETLK, ask = cmd == F_GETLK || cmd == F_OFD_GETLK;
    struct uapi_flock u;

    if (copy_from_user(&u, arg, sizeof(u)))
        return -EFAULT;
    struct file_lock wanted = {
        .kind = LOCK_RECORDS,
        .exclusive = u.type == F_WRLCK,
        .owner = of_file ? (void *)f : (void *)task_current()->files,
        .tid = of_file ? 0 : task_current()->process->pid,
    };
    int err = of_file && u.pid ? -EINVAL : 0;
    if (!err && ask && u.type != F_RDLCK && u.type != F_WRLCK)
        err = -EINVAL;
    if (!err)
        err = range_of(f, &u, &wanted.start, &wanted.end);
    if (!err && ask) {
        find_blocker(f->inode, &wanted, &u);
        return copy_to_user(arg, &u, sizeof(u));
    }
    if (!err)
        err = check_rights(f, u.type);
    if (!err)
        err = change(f->inode, &wanted, u.type == F_UNLCK, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
    if (!err && !of_file && u.type != F_UNLCK)
        err = undo_if_closed(f, fd, &wanted);
    return err;
}

int64_t sys_flock(int fd, unsigned operation)
{
    unsigned what = operation & ~LOCK_NB;

    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
        return -EINVAL;
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct file_lock wanted = {
        .kind = LOCK_FILE, .exclusive = what == LOCK_EX, .owner = f, .end = FILE_END};
    int err = f->flags & O_PATH
                  ? -EBADF
                  : change(f->inode, &wanted, what == LOCK_UN, !(operation & LOCK_NB));
    file_put(f);
    return err;
}
