/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_mm.c - mmap and its neighbours: arguments checked in Linux's order, then mm/
 *
 * Room:   kernel.
 * Owns:   the translation of PROT_ and MAP_ bits, and what a descriptor may be mapped as.
 * Locks:  the object's lock from looking at its seals until it is mapped, if that makes a writer.
 * Always: (1) checks come in Linux's order, so that the first error is Linux's.
 * Source: mmap(2), mprotect(2), madvise(2), mremap(2), brk(2).
 * Tour:   before mm/map.c, mm/protect.c.
 */
#include "cred.h"
#include "files.h"
#include "fs.h"
#include "secretmem.h"
#include "syscall.h"
#include <asm/pkey.h>
#include <asm/uaccess.h>
#include <base/bug.h>
#include <mm/commit.h>
#include <mm/hugetlb.h>
#include <mm/object.h>
#include <mm/secretmem.h>
#include <mm/userfault.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>
#include <uapi/mman.h>
#include <uapi/personality.h>

#define FILE_SIZE_MAX  INT64_MAX
#define MAP_HUGE_SHIFT 26
#define RDEV_ZERO      0x105 /* /dev/zero: mapping it is mapping nothing */

/* What MAP_SHARED_VALIDATE takes without asking the file: flags that are older than it. */
#define FLAGS_OF_OLD                                                                        \
    (MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |     \
     MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | \
     MAP_HUGETLB | MAP_32BIT | MAP_ABOVE4G | MAP_HUGE_SIZES)

/* In some programs what can be read can be executed, unless it never can. */
static bool implies_exec(uint64_t prot)
{
    return (prot & PROT_READ) && (process_current()->personality & READ_IMPLIES_EXEC);
}

/* PROT_ bits as rights. */
static uint32_t rights_of(uint64_t prot)
{
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
           (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* A mapping of secret memory: always shared, and locked; maybe not for the kernel to copy. */
static int secret_flags(const struct inode *inode, uint32_t *flags)
{
    if (!(*flags & VM_SHARED))
        return -EINVAL;
    *flags |= VM_LOCKED | VM_DONTDUMP;
    if (secretmem_has(inode, SECRET_STRICT)) {
        *flags |= VM_STRICT;
        uaccess_ask(&task_current()->mm->pgtable);
    }
    return 0;
}

/* A mapping of what others lend: shared, and within it. */
static int borrowed_flags(const struct object *object, const struct map_request *r, uint32_t *flags)
{
    uint64_t end = (r->pgoff << PAGE_SHIFT) + round_up(r->len_bytes, PAGE_SIZE);

    if (!(*flags & VM_SHARED) || end > object_size(object))
        return -EINVAL;
    *flags |= VM_DONTDUMP;
    return 0;
}

/* Does the range lie within what a file's size can ever be? */
static bool offset_fits(uint64_t pgoff, uint64_t len)
{
    if (bug_is_back(BUG_B58))
        return true;
    return pgoff <= (FILE_SIZE_MAX - len) >> PAGE_SHIFT;
}

/* What the descriptor allows, and what becomes of the flags. */
static int file_flags(struct file *f, uint64_t prot, uint64_t flags, uint32_t *vm)
{
    bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    struct object *object = &f->inode->object;

    if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (flags & ~(uint64_t)FLAGS_OF_OLD))
        return -EOPNOTSUPP;
    if (shared && (prot & PROT_WRITE) && !file_writable(f))
        return -EACCES;
    if (!file_readable(f))
        return -EACCES;
    if (!object->ops)
        return -ENODEV;
    if (flags & MAP_GROWSDOWN)
        return -EINVAL;
    if (shared)
        *vm |= VM_SHARED;
    if (shared && !file_writable(f))
        *vm &= ~VM_MAYWRITE; /* reads what others write; can itself never write */
    return 0;
}

/* Will what is mapped so count as one who writes to the object? */
static bool is_writer(uint32_t vm)
{
    return (vm & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

/* Does somebody wait for writers to let go, and keeps new ones out? */
static bool is_being_sealed(const struct object *object)
{
    return atomic_load(&object->writers) < 0 && !(READ_ONCE(object->seals) & SEAL_WRITE);
}

/* Shared mappings of an object whose writing is sealed. object->lock held. */
static int seal_flags(const struct object *object, uint32_t *vm)
{
    if (!(object->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)))
        return 0;
    if (!(*vm & VM_SHARED) && !bug_is_back(BUG_B41))
        return 0;
    if (*vm & (bug_is_back(BUG_B42) ? VM_MAYWRITE : VM_WRITE))
        return -EPERM;
    if (!bug_is_back(BUG_B40))
        *vm &= ~VM_MAYWRITE;
    return 0;
}

/* What cannot be executed where it lies, or is sealed so, cannot be in a mapping of it, either. */
static int exec_flags(const struct file *f, uint64_t prot, uint32_t *vm)
{
    struct place place = file_place(f);

    if (!place_may_not_execute(&place) && !(READ_ONCE(f->inode->object.seals) & SEAL_NEVER_EXEC))
        return 0;
    if (prot & PROT_EXEC)
        return -EPERM;
    *vm &= ~(VM_MAYEXEC | VM_EXEC);
    return 0;
}

static int map_file(struct file *f, uint64_t prot, uint64_t flags, struct map_request *r,
                    uint64_t *out)
{
    struct object *object = &f->inode->object;
    int err = file_flags(f, prot, flags, &r->flags);
    if (!err)
        err = exec_flags(f, prot, &r->flags);
    if (!err && object_is_secret(object))
        err = secret_flags(f->inode, &r->flags);
    if (!err && object->ops->borrows)
        err = borrowed_flags(object, r, &r->flags);
    if (err)
        return err;
    if (object_is_hugetlb(object))
        r->flags |= VM_HUGETLB;
    if (!is_aligned(r->pgoff << PAGE_SHIFT, object_folio_bytes(object)))
        return -EINVAL;
    r->object = object;
    if (!is_writer(r->flags) && !object->ops->grows_mapped && !bug_is_back(BUG_B41))
        return mm_map(task_current()->mm, r, out);
    if (is_writer(r->flags) && is_being_sealed(object))
        return -EPERM;
    mutex_lock(&object->lock);
    err = seal_flags(object, &r->flags);
    if (!err)
        err = mm_map(task_current()->mm, r, out);
    mutex_unlock(&object->lock);
    return err;
}

static int map_anonymous(uint64_t flags, struct map_request *r, uint64_t *out)
{
    struct mm *mm = task_current()->mm;
    struct object *object;

    if ((flags & MAP_TYPE) == MAP_DROPPABLE) {
        if (flags & (MAP_LOCKED | MAP_HUGETLB | MAP_GROWSDOWN))
            return -EINVAL; /* cannot be lost, or is never short */
        r->flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
        return mm_map(mm, r, out);
    }
    if ((flags & MAP_TYPE) == MAP_PRIVATE)
        return mm_map(mm, r, out);
    if ((flags & MAP_TYPE) != MAP_SHARED)
        return -EINVAL;
    if (flags & MAP_GROWSDOWN)
        return -EINVAL;
    int err = object_create(&shmem_ops, round_up(r->len_bytes, PAGE_SIZE), &object);
    if (err)
        return err;
    r->object = object;
    r->pgoff = 0;
    r->flags |= VM_SHARED;
    if (!(flags & MAP_NORESERVE) || vm_settings.overcommit == OVERCOMMIT_NEVER)
        err = object_promise(object);
    if (!err)
        err = mm_map(mm, r, out);
    object_put(object); /* the area has its own reference */
    return err;
}

/* MAP_ANONYMOUS with MAP_HUGETLB: an object of huge pages that has no descriptor. */
static int map_anonymous_huge(uint64_t flags, struct map_request *r, uint64_t *out)
{
    struct hugetlb_pool *pool = hugetlb_pool_of(flags >> MAP_HUGE_SHIFT & MFD_HUGE_MASK);
    struct object *object;

    if (!pool)
        return -EINVAL;
    uint64_t type = flags & MAP_TYPE;
    if (type < MAP_SHARED || type > MAP_SHARED_VALIDATE || (flags & MAP_GROWSDOWN))
        return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && (flags & ~(uint64_t)FLAGS_OF_OLD))
        return -EOPNOTSUPP;
    uint64_t size = round_up(r->len_bytes, hugetlb_pool_bytes(pool));
    int err = object_create(hugetlb_pool_ops(pool), size, &object);
    if (err)
        return err;
    r->object = object;
    r->pgoff = 0;
    r->flags |= VM_HUGETLB | (type == MAP_PRIVATE ? 0 : VM_SHARED);
    err = mm_map(task_current()->mm, r, out);
    object_put(object);
    return err;
}

/* @f: NULL for anonymous memory. */
static int map_kind(struct file *f, uint64_t prot, uint64_t flags, struct map_request *r,
                    uint64_t *out)
{
    uint64_t type = flags & MAP_TYPE;

    if (!f && (flags & MAP_HUGETLB))
        return map_anonymous_huge(flags, r, out);
    if (!f || f->inode->rdev == RDEV_ZERO)
        return map_anonymous(flags, r, out);
    if (!offset_fits(r->pgoff, r->len_bytes))
        return -EOVERFLOW;
    if (type < MAP_SHARED || type > MAP_SHARED_VALIDATE)
        return -EINVAL;
    return map_file(f, prot, flags, r, out);
}

/* The same; but what is wrong with the place goes before what is wrong with the file. */
static int map_any(struct file *f, uint64_t prot, uint64_t flags, struct map_request *r,
                   uint64_t *out)
{
    const struct map_request wanted = *r;
    int err = map_kind(f, prot, flags, r, out);
    bool huge = !f && (flags & MAP_HUGETLB); /* its place has other borders, and was looked at */
    int place = err && !huge ? mm_check_place(task_current()->mm, &wanted) : 0;
    return place ? place : err;
}

static enum map_place place_of(uint64_t flags)
{
    if (flags & MAP_FIXED_NOREPLACE)
        return MAP_FIXED_NEW;
    if (flags & MAP_FIXED)
        return MAP_FIXED_REPLACE;
    return flags & MAP_32BIT ? MAP_BELOW_2G : MAP_ANYWHERE;
}

/* Who makes memory execute-only cannot read it from now on. What else a program made of the rights
 * with that key stays; but not what it made of them before it became that key. */
static void shut_exec_only(int key, bool is_new)
{
    if (key > 0 && (is_new || !pkey_refuses(key, false)))
        pkey_set(key, PKEY_NO_ACCESS);
}

/* The key of a new mapping. */
static uint32_t key_of(uint64_t prot)
{
    struct mm *mm = task_current()->mm;
    bool is_new = mm->exec_pkey == NO_PKEY;
    int key = prot == PROT_EXEC ? mm_pkey_exec_only(mm) : NO_PKEY;

    shut_exec_only(key, is_new);
    return key > 0 ? key : 0;
}

int64_t sys_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int fd,
                 uint64_t offset)
{
    struct map_request r = {
        .addr = addr,
        .len_bytes = len,
        .place = place_of(flags),
        .flags = rights_of(prot) | VM_MAY_RIGHTS | (implies_exec(prot) ? VM_EXEC : 0) |
                 (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) | (flags & MAP_LOCKED ? VM_LOCKED : 0) |
                 (flags & MAP_NORESERVE ? VM_NORESERVE : 0) |
                 (flags & MAP_STACK ? VM_NOHUGEPAGE : 0),
        .pgoff = offset >> PAGE_SHIFT,
        .populate = (flags & MAP_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE,
    };
    struct file *f = NULL;
    uint64_t at;
    int err;

    if (!is_aligned(offset, PAGE_SIZE))
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        f = file_of(fd);
        if (!f)
            return -EBADF;
    }
    if (len == 0)
        err = -EINVAL;
    else if (round_up(len, PAGE_SIZE) == 0)
        err = -ENOMEM;
    else if (len > USER_END)
        err = -ENOMEM;
    else if (r.pgoff + (len >> PAGE_SHIFT) < r.pgoff)
        err = -EOVERFLOW;
    else if (f && (flags & MAP_HUGETLB) && !object_is_hugetlb(&f->inode->object))
        err = -EINVAL;
    else {
        r.pkey = key_of(prot);
        err = map_any(f, prot, flags, &r, &at);
    }
    if (f)
        file_put(f);
    return err ? err : (int64_t)at;
}

int64_t sys_munmap(uint64_t addr, uint64_t len)
{
    return mm_unmap(task_current()->mm, addr, len);
}

/* The key of what may only be executed shuts it for reading, too. */
static __no_inline int protect_exec_only(struct mm *mm, uint64_t addr, uint64_t len,
                                         uint32_t rights, unsigned how)
{
    bool is_new = mm->exec_pkey == NO_PKEY;
    int err = mm_protect_key(mm, addr, len, rights, how | PROTECT_EXEC_ONLY, NO_PKEY);
    shut_exec_only(mm->exec_pkey, is_new);
    return err;
}

int64_t sys_pkey_mprotect(uint64_t addr, uint64_t len, uint64_t prot, int pkey)
{
    const uint64_t grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

    prot &= ~(uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP);
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (len == 0)
        return 0;
    len = round_up(len, PAGE_SIZE);
    if (addr + len <= addr)
        return -ENOMEM;
    if (prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
        return -EINVAL;
    if (pkey < NO_PKEY || pkey >= PKEYS)
        return -EINVAL;
    uint32_t rights = rights_of(prot) | (implies_exec(prot) ? VM_MAYEXEC : 0);
    unsigned how = (grows & PROT_GROWSDOWN ? PROTECT_GROWS : 0) |
                   (grows & PROT_GROWSUP ? PROTECT_GROWS_UP : 0);
    struct mm *mm = task_current()->mm;
    if (unlikely(prot == PROT_EXEC) && pkey == NO_PKEY)
        return protect_exec_only(mm, addr, len, rights, how);
    return mm_protect_key(mm, addr, len, rights, how, pkey);
}

int64_t sys_mprotect(uint64_t addr, uint64_t len, uint64_t prot)
{
    return sys_pkey_mprotect(addr, len, prot, NO_PKEY);
}

int64_t sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
                   uint64_t new_addr)
{
    uint64_t at;
    if (flags >> 32)
        return -EINVAL;
    int err = mm_remap(task_current()->mm, old, old_len, new_len, flags, new_addr, &at);
    return err ? err : (int64_t)at;
}

int64_t sys_remap_file_pages(uint64_t start, uint64_t len, uint64_t prot, uint64_t pgoff,
                             uint64_t flags)
{
    start = round_down(start, PAGE_SIZE);
    len = round_down(len, PAGE_SIZE);
    if (prot || start + len <= start || pgoff + (len >> PAGE_SHIFT) < pgoff)
        return -EINVAL;
    return mm_remap_pages(task_current()->mm, start, len, pgoff, !(flags & MAP_NONBLOCK));
}

/* What is known: a flag of the areas, with what it sets and clears, or an action of advise(). */
static const struct advice {
    enum { ADVICE_UNKNOWN, ADVICE_FLAG, ADVICE_ACTION } kind;
    uint32_t set, clear;
} advices[] = {
    [MADV_NORMAL] = {ADVICE_FLAG, 0, VM_RAND_READ | VM_SEQ_READ},
    [MADV_RANDOM] = {ADVICE_FLAG, VM_RAND_READ, VM_SEQ_READ},
    [MADV_SEQUENTIAL] = {ADVICE_FLAG, VM_SEQ_READ, VM_RAND_READ},
    [MADV_WILLNEED] = {ADVICE_FLAG, 0, 0},
    [MADV_DONTNEED] = {ADVICE_ACTION, 0, 0},
    [MADV_FREE] = {ADVICE_ACTION, 0, 0},
    [MADV_REMOVE] = {ADVICE_ACTION, 0, 0},
    [MADV_DONTFORK] = {ADVICE_FLAG, VM_DONTFORK, 0},
    [MADV_DOFORK] = {ADVICE_FLAG, 0, VM_DONTFORK},
    [MADV_MERGEABLE] = {ADVICE_FLAG, 0, 0},
    [MADV_UNMERGEABLE] = {ADVICE_FLAG, 0, 0},
    [MADV_HUGEPAGE] = {ADVICE_FLAG, VM_HUGEPAGE, VM_NOHUGEPAGE},
    [MADV_NOHUGEPAGE] = {ADVICE_FLAG, VM_NOHUGEPAGE, VM_HUGEPAGE},
    [MADV_DONTDUMP] = {ADVICE_FLAG, VM_DONTDUMP, 0},
    [MADV_DODUMP] = {ADVICE_FLAG, 0, VM_DONTDUMP},
    [MADV_WIPEONFORK] = {ADVICE_FLAG, VM_WIPEONFORK, 0},
    [MADV_KEEPONFORK] = {ADVICE_FLAG, 0, VM_WIPEONFORK},
    [MADV_COLD] = {ADVICE_ACTION, 0, 0},
    [MADV_PAGEOUT] = {ADVICE_ACTION, 0, 0},
    [MADV_POPULATE_READ] = {ADVICE_ACTION, 0, 0},
    [MADV_POPULATE_WRITE] = {ADVICE_ACTION, 0, 0},
    [MADV_DONTNEED_LOCKED] = {ADVICE_ACTION, 0, 0},
    [MADV_COLLAPSE] = {ADVICE_ACTION, 0, 0},
    [MADV_GUARD_INSTALL] = {ADVICE_ACTION, 0, 0},
    [MADV_GUARD_REMOVE] = {ADVICE_ACTION, 0, 0},
};

/* A range of a call that rounds its length up to pages. -EINVAL, or 0 with whole pages in *@len. */
static int round_range(uint64_t addr, uint64_t *len)
{
    uint64_t rounded = round_up(*len, PAGE_SIZE);

    if (!is_aligned(addr, PAGE_SIZE) || (*len && !rounded) || addr + rounded < addr)
        return -EINVAL;
    *len = rounded;
    return 0;
}

/* Pages may go when memory is short. Nothing takes any yet; who watches them is told at once. */
static int may_free(struct mm *mm, uint64_t addr, uint64_t len)
{
    int err = mm_areas_are(mm, addr, len, AREAS_ANON);

    if (!err)
        mm_userfault_tell_removed(mm, addr, addr + len);
    return err;
}

/* Advice that is more than a flag. */
static int advise(struct mm *mm, uint64_t addr, uint64_t len, int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
        return mm_discard(mm, addr, len);
    case MADV_DONTNEED_LOCKED:
        return mm_discard_locked(mm, addr, len);
    case MADV_FREE:
        return may_free(mm, addr, len);
    case MADV_COLD:
    case MADV_PAGEOUT:
        return mm_areas_are(mm, addr, len, AREAS_PLAIN);
    case MADV_REMOVE:
        return mm_punch(mm, addr, len);
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return mm_populate(mm, addr, len, advice == MADV_POPULATE_WRITE);
    case MADV_COLLAPSE:
        return mm_collapse(mm, addr, len);
    case MADV_GUARD_INSTALL:
    case MADV_GUARD_REMOVE:
        return mm_guard(mm, addr, len, advice == MADV_GUARD_INSTALL);
    default:
        return -EINVAL;
    }
}

int madvise_in(struct mm *mm, uint64_t addr, uint64_t len, int advice)
{
    if ((unsigned)advice >= ARRAY_SIZE(advices) || advices[advice].kind == ADVICE_UNKNOWN)
        return -EINVAL;
    const struct advice *known = &advices[advice];
    int err = round_range(addr, &len);
    if (err || !len)
        return err;
    if (known->kind == ADVICE_FLAG)
        return mm_change_flags(mm, addr, len, known->set, known->clear);
    return advise(mm, addr, len, advice);
}

int64_t sys_madvise(uint64_t addr, uint64_t len, int advice)
{
    return madvise_in(task_current()->mm, addr, len, advice);
}

int64_t sys_mlockall(int flags)
{
    struct mm *mm = task_current()->mm;

    if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return -EINVAL;
    uint32_t future = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);
    int err = flags & MCL_CURRENT ? mm_lock_all(mm, true, flags & MCL_ONFAULT) : 0;
    if (!err)
        WRITE_ONCE(mm->default_flags, flags & MCL_FUTURE ? future : 0);
    return err;
}

int64_t sys_munlockall(void)
{
    struct mm *mm = task_current()->mm;
    WRITE_ONCE(mm->default_flags, 0);
    return mm_lock_all(mm, false, false);
}

/* mlock() rounds outwards: the range that was meant begins and ends in its pages. */
static int64_t lock(uint64_t addr, uint64_t len, bool on_fault)
{
    uint64_t start = round_down(addr, PAGE_SIZE);
    len = round_up(len + (addr - start), PAGE_SIZE);
    return len ? mm_lock(task_current()->mm, start, len, on_fault) : 0;
}

int64_t sys_mlock(uint64_t addr, uint64_t len)
{
    return lock(addr, len, false);
}

int64_t sys_mlock2(uint64_t addr, uint64_t len, int flags)
{
    return flags & ~MLOCK_ONFAULT ? -EINVAL : lock(addr, len, flags & MLOCK_ONFAULT);
}

int64_t sys_munlock(uint64_t addr, uint64_t len)
{
    uint64_t start = round_down(addr, PAGE_SIZE);
    len = round_up(len + (addr - start), PAGE_SIZE);
    if (start + len < start)
        return -EINVAL;
    return len ? mm_unlock(task_current()->mm, start, len) : 0;
}

/* Whose pages are there tells what others read: only those who may write it are told. */
static bool may_tell(struct object *object)
{
    const struct inode *inode = bug_is_back(BUG_B47) ? NULL : inode_of_object(object);

    return !inode || inode_is_owned(inode) || inode_permission(inode, W_OK) == 0;
}

int64_t sys_mincore(uint64_t addr, uint64_t len, user_addr_t out)
{
    uint8_t resident[256];

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (!user_range_ok(user(addr), len))
        return -ENOMEM;
    uint64_t nr = round_up(len, PAGE_SIZE) >> PAGE_SHIFT;
    for (uint64_t done = 0; done < nr;) {
        uint64_t chunk = min(nr - done, sizeof(resident));
        int64_t n =
            mm_resident(task_current()->mm, addr + (done << PAGE_SHIFT), chunk, may_tell, resident);
        if (n < 0)
            return n;
        if (copy_to_user(user(out.raw + done), resident, n))
            return -EFAULT;
        done += n;
    }
    return 0;
}

/* There is no disk to write to: what remains of msync(2) are its checks. */
int64_t sys_msync(uint64_t addr, uint64_t len, int flags)
{
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || !is_aligned(addr, PAGE_SIZE) ||
        ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return -EINVAL;
    len = round_up(len, PAGE_SIZE);
    if (addr + len < addr)
        return -ENOMEM;
    return len ? mm_sync(task_current()->mm, addr, len, flags & MS_INVALIDATE, flags & MS_SYNC) : 0;
}

int64_t sys_brk(uint64_t wanted)
{
    return mm_brk(task_current()->mm, wanted);
}
