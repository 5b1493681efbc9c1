/* SPDX-License-Identifier: MIT */
/*
 * kernel/memfd.c - files that are only memory: memfd_create, and their seals
 *
 * Room:   kernel.
 * Owns:   the arguments of the call, and the rules by which seals are added.
 * Locks:  object.lock while seals change.
 * Always: (1) seals are only ever added; (2) a refused call adds none of those it asked for;
 *         (3) with SEAL_WRITE set nobody can write: no writer, nobody who has a page and is no
 *             mapping, and none can come.
 * Source: memfd_create(2), fcntl(2) "File Sealing".
 * Tour:   after kernel/files.h; then mm/shmem.c, kernel/secretmem.c.
 */
#include "memfd.h"

#include "files.h"
#include "fs.h"
#include "memfd_noexec.h"
#include "mount.h"
#include "sched.h"
#include "sealed.h"
#include "secretmem.h"
#include "syscall.h"
#include <asm/uaccess.h>
#include <base/bug.h>
#include <lib/string.h>
#include <mm/hugetlb.h>
#include <mm/pin.h>
#include <mm/thp.h>
#include <uapi/bulla.h>
#include <uapi/errno.h>
#include <uapi/fcntl.h>
#include <uapi/mman.h>

#define NAME_PREFIX  "memfd:"
#define PREFIX_BYTES (sizeof(NAME_PREFIX) - 1)
#define NAME_BYTES   (NAME_MAX - PREFIX_BYTES + 1) /* of the caller's part, with its NUL */

#define PIN_SCANS   5         /* how often to look again whether pages were let go .. */
#define PIN_WAIT_NS 5000000UL /* .. after so long, and twice that, and so on: as Linux */

#define ALL_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC)
#define ALL_SEALS                                                                     \
    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | \
     F_SEAL_EXEC | F_SEAL_NEVER_EXEC)

int64_t memfd_open(const char *name, struct mount *mount, struct inode *inode,
                   const struct file_ops *ops, bool cloexec)
{
    struct dentry *dentry;
    struct file *file;

    int err = dentry_create(name, mount ? mount->root : fs_nowhere, inode, &dentry);
    if (!err)
        err = file_create(dentry, ops, O_RDWR | O_LARGEFILE, &file);
    if (err)
        return err;
    if (mount)
        mount_get(mount);
    file->mount = mount;
    return fd_install(file, 0, cloexec);
}

static int check_flags(unsigned flags)
{
    unsigned known = ALL_FLAGS;

    if (flags & MFD_HUGETLB)
        known |= MFD_HUGE_MASK << MFD_HUGE_SHIFT;
    if (flags & ~known)
        return -EINVAL;
    if ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL))
        return -EINVAL;
    return 0;
}

static const struct object_ops *kind_of(unsigned flags)
{
    if (!(flags & MFD_HUGETLB))
        return &shmem_ops;
    const struct hugetlb_pool *pool = hugetlb_pool_of(flags >> MFD_HUGE_SHIFT & MFD_HUGE_MASK);
    return pool ? hugetlb_pool_ops(pool) : NULL;
}

static uint32_t first_seals(unsigned flags)
{
    if (flags & MFD_NOEXEC_SEAL)
        return F_SEAL_EXEC;
    return flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
}

int64_t sys_memfd_create(user_addr_t uname, unsigned flags)
{
    char name[NAME_MAX + 1]; /* not all zeroed: most names are short */
    const struct object_ops *kind = kind_of(flags);
    struct inode *inode;

    int err = check_flags(flags);
    if (!err)
        err = memfd_noexec_apply(&flags);
    if (err)
        return err;
    memcpy(name, NAME_PREFIX, PREFIX_BYTES);
    long len = copy_string_from_user(name + PREFIX_BYTES, uname, NAME_BYTES);
    if (len < 0)
        return len == -ENAMETOOLONG ? -EINVAL : len;
    if (!kind)
        return -ENODEV;
    err = inode_create(S_IFREG | (flags & MFD_NOEXEC_SEAL ? 0666 : 0777), kind, &inode);
    if (err)
        return err;
    inode->nlink = 0;
    inode->object.seals = first_seals(flags);
    if (DEBUG >= 2)
        sealed_note(inode);
    inode->object.huge = SHMEM_HUGE_NO_MOUNT;
    return memfd_open(name, NULL, inode, &object_file_ops, flags & MFD_CLOEXEC);
}

/* Of what is executable, sealing the right to execute seals the contents, too: fcntl(2). */
static uint32_t implied_seals(const struct inode *inode, uint32_t seals)
{
    if ((seals & F_SEAL_EXEC) && (inode->mode & 0111))
        seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    return seals;
}

/* Somebody may be about to let go of a page, who could change it otherwise. A signal that ends the
 * task ends the waiting. object->lock held. */
static bool stays_pinned(struct object *object)
{
    bool pinned = object_mark_pinned(object);

    for (unsigned i = 1; pinned; i++) {
        bool killed = sched_pause_killable(PIN_WAIT_NS << (i - 1));
        bool last = killed || i == PIN_SCANS;
        pinned = object_scan_marked(object, last ? PIN_MARKS_GO : PIN_MARKS_STAY);
        if (last)
            break;
    }
    return pinned;
}

/* Nobody writes from now on, or -EBUSY. object->lock held. */
static int deny_writing(struct object *object)
{
    int err = object_deny_writers(object);

    if (!err && !bug_is_back(BUG_B36) && stays_pinned(object)) {
        object_allow_writers(object);
        err = -EBUSY;
    }
    return err;
}

static int add_seals_locked(struct inode *inode, uint32_t seals)
{
    struct object *object = &inode->object;

    if (object->seals & F_SEAL_SEAL)
        return -EPERM;
    seals = implied_seals(inode, seals);
    if ((seals & F_SEAL_WRITE) && !(object->seals & F_SEAL_WRITE)) {
        int err = deny_writing(object);
        if (err)
            return err;
    }
    if ((seals & ~object->seals & F_SEAL_NEVER_EXEC) && object_deny_executors(object)) {
        if (!(object->seals & F_SEAL_WRITE) && (seals & F_SEAL_WRITE))
            object_allow_writers(object);
        return -EBUSY;
    }
    object->seals |= seals;
    if (DEBUG >= 2)
        sealed_note(inode);
    return 0;
}

static bool can_be_sealed(const struct file *f)
{
    const struct object *object = &f->inode->object;
    return object->ops == &shmem_ops || object_is_hugetlb(object) ||
           secretmem_has(f->inode, SECRET_ALLOW_SEALING);
}

int64_t memfd_add_seals(struct file *f, uint32_t seals)
{
    if (!file_writable(f))
        return -EPERM;
    if (seals & ~(uint32_t)ALL_SEALS)
        return -EINVAL;
    if (!can_be_sealed(f))
        return -EINVAL;
    if (bug_is_back(BUG_B43))
        return add_seals_locked(f->inode, seals);
    mutex_lock(&f->inode->object.lock);
    int err = add_seals_locked(f->inode, seals);
    mutex_unlock(&f->inode->object.lock);
    return err;
}

int64_t memfd_get_seals(const struct file *f)
{
    return can_be_sealed(f) ? (int64_t)READ_ONCE(f->inode->object.seals) : -EINVAL;
}
