/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysv_shm.c - System V shared memory: memory objects that are found by number
 *
 * Room:   kernel.
 * Owns:   struct segment, the table of them, their limits.
 * Locks:  segments.lock (spin, rank IPC); mapping and freeing go on without it.
 * Always: (1) a segment has a reference on its object's name until it is removed, and a removed one
 *             (SHM_DEST) until its last mapping ends;
 *         (2) how often it is attached is how many areas map it, and who is just attaching.
 * Source: shmget(2), shmop(2), shmctl(2), sysvipc(7).
 * Tour:   after kernel/sysv.c and kernel/memfd.c; then kernel/sysv_shmctl.c.
 */
#include "sysv_shm.h"

#include "cred.h"
#include "fs.h"
#include "syscall.h"
#include "task.h"
#include <lib/format.h>
#include <mm/hugetlb.h>
#include <mm/slab.h>
#include <mm/thp.h>
#include <uapi/errno.h>
#include <uapi/mman.h>

struct ipc_ids segments = IPC_IDS_INIT;
struct shm_limits shm_limits = {
    .max = UINT64_MAX - (1UL << 24), .all = UINT64_MAX - (1UL << 24), .ids = 4096};
uint64_t shm_total_pages;

static uint64_t pages_of(const struct segment *s)
{
    return round_up(s->size, PAGE_SIZE) / PAGE_SIZE;
}

uint64_t segment_attached(const struct segment *s)
{
    return object_mappings(&s->dentry->inode->object) + s->attaching;
}

/* The lock is held. The caller drops the name's reference, which may free much, after it. */
static struct dentry *forget(struct segment *s)
{
    struct dentry *dentry = s->dentry;

    ipc_remove(&segments, &s->ipc);
    shm_total_pages -= pages_of(s);
    dentry->inode->private = 0;
    kmem_free(s);
    return dentry;
}

/* What was removed and is attached no more ends. */
static struct dentry *forget_if_unused(struct segment *s)
{
    return (s->ipc.mode & SHM_DEST) && !segment_attached(s) ? forget(s) : NULL;
}

void segment_remove(struct segment *s, struct dentry **unused)
{
    s->ipc.mode |= SHM_DEST;
    s->ipc.key = IPC_PRIVATE;
    *unused = forget_if_unused(s);
}

/* An area of a segment went. Called by mm/vma.c. */
static void segment_unmapped(struct object *object)
{
    struct dentry *unused = NULL;

    spin_lock(&segments.lock);
    struct segment *s = (struct segment *)inode_of(object)->private;
    if (s) {
        s->lpid = process_current() ? process_current()->pid : 0;
        s->dtime = ipc_now();
        unused = forget_if_unused(s);
    }
    spin_unlock(&segments.lock);
    if (unused)
        dentry_put(unused);
}

/* shmget */

static int check_size(uint64_t size)
{
    if (!size || size > shm_limits.max)
        return -EINVAL;
    if (round_up(size, PAGE_SIZE) < size)
        return -ENOSPC;
    uint64_t pages = round_up(size, PAGE_SIZE) / PAGE_SIZE;
    return shm_total_pages + pages > shm_limits.all ? -ENOSPC : 0;
}

/* What memory it is made of. 0, -EINVAL (no such huge pages), -EPERM. */
static int kind_of(int flags, const struct object_ops **kind)
{
    struct hugetlb_pool *pool = hugetlb_pool_of((unsigned)flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK);

    *kind = &shmem_ops;
    if (!(flags & SHM_HUGETLB))
        return 0;
    if (!pool)
        return -EINVAL;
    *kind = hugetlb_pool_ops(pool);
    return capable(CAP_IPC_LOCK) ? 0 : -EPERM;
}

/* The memory is promised now, or as it is needed. */
static int promise(struct object *object, int flags)
{
    if (flags & SHM_NORESERVE)
        return 0;
    if (object->ops == &shmem_ops)
        return object_promise(object);
    return object->ops->reserve(object, 0, object_size(object) / PAGE_SIZE);
}

static int memory_create(int key, uint64_t size, int flags, struct dentry **out)
{
    const struct object_ops *kind;
    struct inode *inode;
    char name[16];

    int err = kind_of(flags, &kind);
    if (err)
        return err;
    err = inode_create(S_IFREG | (flags & 0777), kind, &inode);
    if (err)
        return err;
    struct object *object = &inode->object;
    inode->nlink = 0;
    object->huge = SHMEM_HUGE_NO_MOUNT;
    atomic_store(&object->size_bytes, round_up(size, object_folio_bytes(object)));
    if (kind == &shmem_ops)
        atomic_store(&object->size_bytes, size);
    err = promise(object, flags);
    if (err) {
        inode_put(inode);
        return -ENOMEM;
    }
    object->unmapped = segment_unmapped;
    snprintf(name, sizeof(name), "SYSV%08x", (unsigned)key);
    return dentry_create(name, fs_nowhere, inode, out);
}

static int segment_create(int key, uint64_t size, int flags, struct segment **out)
{
    int err = check_size(size);
    if (err)
        return err;
    struct segment *s = kmem_alloc(sizeof(*s), SLAB_ALLOC_ZERO);
    if (!s)
        return -ENOMEM;
    err = memory_create(key, size, flags, &s->dentry);
    if (err) {
        kmem_free(s);
        return err;
    }
    ipc_init(&s->ipc, key, flags);
    s->size = size;
    s->cpid = process_current()->pid;
    s->ctime = ipc_now();
    *out = s;
    return 0;
}

/* A segment that has the key already. The lock is held. */
static int64_t find_old(int key, uint64_t size, int flags)
{
    struct ipc *ipc = ipc_find_key(&segments, key);

    if (!ipc)
        return -ENOENT;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    return size > segment_of(ipc)->size ? -EINVAL : ipc_reuse(ipc, flags);
}

/* Put @s, which is new, into the table, unless somebody was faster. The lock is held. */
static int64_t publish(struct segment *s, int flags)
{
    int64_t id = find_old(s->ipc.key, s->size, flags);

    if (id != -ENOENT)
        return id;
    int err = ipc_add(&segments, &s->ipc, shm_limits.ids);
    if (err)
        return err;
    s->dentry->inode->private = (uint64_t)s;
    s->dentry->inode->ino = s->ipc.id;
    shm_total_pages += pages_of(s);
    return s->ipc.id;
}

int64_t sys_shmget(int key, size_t size, int flags)
{
    struct segment *s;

    spin_lock(&segments.lock);
    int64_t id = find_old(key, size, flags);
    spin_unlock(&segments.lock);
    if (id != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
        return id;
    int err = segment_create(key, size, flags, &s);
    if (err)
        return err;
    spin_lock(&segments.lock);
    id = publish(s, flags);
    bool used = s->dentry->inode->private;
    spin_unlock(&segments.lock);
    if (!used) {
        dentry_put(s->dentry);
        kmem_free(s);
    }
    return id;
}

/* shmat */

static int attach_request(uint64_t addr, int flags, struct map_request *r)
{
    r->flags = VM_SHARED | VM_READ | VM_MAY_RIGHTS;
    r->flags |= flags & SHM_RDONLY ? 0 : VM_WRITE;
    r->flags |= flags & SHM_EXEC ? VM_EXEC : 0;
    if (flags & SHM_RDONLY)
        r->flags &= ~VM_MAYWRITE;
    r->place = MAP_ANYWHERE;
    if (!addr)
        return flags & SHM_REMAP ? -EINVAL : 0;
    r->place = flags & SHM_REMAP ? MAP_FIXED_REPLACE : MAP_FIXED_NEW;
    r->addr = flags & SHM_RND ? round_down(addr, PAGE_SIZE) : addr;
    if (!is_aligned(r->addr, PAGE_SIZE) || (!r->addr && (flags & SHM_REMAP)))
        return -EINVAL;
    return 0;
}

static unsigned rights_wanted(int flags)
{
    return 0444 | (flags & SHM_RDONLY ? 0 : 0222) | (flags & SHM_EXEC ? 0111 : 0);
}

/* Find it, and keep it while it is being mapped. */
static int attach_begin(int id, int flags, struct segment **out)
{
    spin_lock(&segments.lock);
    struct ipc *ipc = ipc_find(&segments, id);
    int err = ipc ? ipc_permission(ipc, rights_wanted(flags)) : -EINVAL;
    if (!err) {
        *out = segment_of(ipc);
        (*out)->attaching++;
    }
    spin_unlock(&segments.lock);
    return err;
}

static void attach_end(struct segment *s, bool attached)
{
    spin_lock(&segments.lock);
    s->attaching--;
    if (attached) {
        s->atime = ipc_now();
        s->lpid = process_current()->pid;
    }
    struct dentry *unused = forget_if_unused(s);
    spin_unlock(&segments.lock);
    if (unused)
        dentry_put(unused);
}

static int attach(struct segment *s, struct map_request *r, uint64_t *out)
{
    r->object = &s->dentry->inode->object;
    r->len_bytes = object_size(r->object);
    if (object_is_hugetlb(r->object))
        r->flags |= VM_HUGETLB;
    if (r->addr + r->len_bytes < r->addr)
        return -EINVAL;
    mutex_lock(&r->object->lock);
    int err = mm_map(task_current()->mm, r, out);
    mutex_unlock(&r->object->lock);
    return err == -EEXIST ? -EINVAL : err;
}

int64_t sys_shmat(int id, uint64_t addr, int flags)
{
    struct map_request r = {0};
    struct segment *s;
    uint64_t at;

    if (id < 0)
        return -EINVAL;
    int err = attach_request(addr, flags, &r);
    if (!err)
        err = attach_begin(id, flags, &s);
    if (err)
        return err;
    err = attach(s, &r, &at);
    attach_end(s, !err);
    return err ? err : (int64_t)at;
}

int64_t sys_shmdt(uint64_t addr)
{
    return mm_unmap_object(task_current()->mm, addr, segment_unmapped);
}
