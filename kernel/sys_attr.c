/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_attr.c - system calls on what a file has beside its contents: mode, owner, times
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  object.lock round a mode change, because a seal may forbid it.
 * Always: (1) only the owner changes mode and times; who may do more is asked in kernel/cred.c.
 * Source: stat(2), statfs(2), access(2), chmod(2), chown(2), utimensat(2), umask(2).
 * Tour:   after kernel/sys_path.c.
 */
#include "cred.h"
#include "files.h"
#include "fs.h"
#include "mount.h"
#include "path.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define MODE_RIGHTS 07777
#define NS_PER_SEC  1000000000UL

/* stat */

static int64_t put_stat(const struct inode *inode, user_addr_t out)
{
    struct uapi_stat st;
    inode_stat(inode, &st);
    return copy_to_user(out, &st, sizeof(st));
}

int64_t sys_newfstatat(int dirfd, user_addr_t path, user_addr_t out, int flags)
{
    struct place place;
    int64_t err = path_lookup_at(dirfd, path, flags, &place);
    if (err)
        return err;
    err = put_stat(place.dentry->inode, out);
    place_put(&place);
    return err;
}

int64_t sys_stat(user_addr_t path, user_addr_t out)
{
    return sys_newfstatat(AT_FDCWD, path, out, 0);
}

int64_t sys_lstat(user_addr_t path, user_addr_t out)
{
    return sys_newfstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fstat(int fd, user_addr_t out)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    int64_t err = put_stat(f->inode, out);
    file_put(f);
    return err;
}

static int64_t put_statx(const struct place *place, user_addr_t out)
{
    struct uapi_stat st;

    inode_stat(place->dentry->inode, &st);
    struct uapi_statx x = {
        .mask = STATX_BASIC_STATS | (place->mount ? STATX_MNT_ID : 0),
        .attributes = place_is_mount_root(place) ? STATX_ATTR_MOUNT_ROOT : 0,
        .attributes_mask = STATX_ATTR_MOUNT_ROOT,
        .mnt_id = place->mount ? place->mount->id : 0,
        .blksize = st.blksize,
        .nlink = st.nlink,
        .uid = st.uid,
        .gid = st.gid,
        .mode = st.mode,
        .ino = st.ino,
        .size = st.size,
        .blocks = st.blocks,
        .atime = {.sec = st.atime.sec, .nsec = st.atime.nsec},
        .ctime = {.sec = st.ctime.sec, .nsec = st.ctime.nsec},
        .mtime = {.sec = st.mtime.sec, .nsec = st.mtime.nsec},
        .rdev_major = st.rdev >> 8 & 0xfff,
        .rdev_minor = st.rdev & 0xff,
        .dev_major = st.dev >> 8 & 0xfff,
        .dev_minor = st.dev & 0xff,
    };
    return copy_to_user(out, &x, sizeof(x));
}

int64_t sys_statx(int dirfd, user_addr_t path, int flags, unsigned mask, user_addr_t out)
{
    const int known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
    struct place place;

    if ((mask & STATX_RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
        (flags & ~known))
        return -EINVAL;
    int64_t err = path_lookup_at(dirfd, path, flags, &place);
    if (err)
        return err;
    err = put_statx(&place, out);
    place_put(&place);
    return err;
}

static int64_t put_statfs(const struct place *place, user_addr_t out)
{
    const struct object *object = &place->dentry->inode->object;
    struct uapi_statfs st;

    superblock_statfs(place->dentry->inode->super, &st);
    if (place->mount)
        st.flags = mount_statfs_flags(place->mount);
    else if (object_is_hugetlb(object)) {
        st.type = HUGETLBFS_MAGIC;
        st.bsize = st.frsize = object_folio_bytes(object);
    }
    return copy_to_user(out, &st, sizeof(st));
}

int64_t sys_statfs(user_addr_t path, user_addr_t out)
{
    struct place place;
    int64_t err = path_lookup(path, &place);
    if (err)
        return err;
    err = put_statfs(&place, out);
    place_put(&place);
    return err;
}

int64_t sys_fstatfs(int fd, user_addr_t out)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct place place = file_place(f);
    int64_t err = put_statfs(&place, out);
    file_put(f);
    return err;
}

/* Who asks is meant as who started the program, with what capabilities that would leave. */
static struct cred *real_cred(void)
{
    const struct cred *me = cred_current();
    struct cred *cred = cred_copy(me, me->nr_groups);

    if (!cred)
        return NULL;
    cred->user.fs = cred->user.real;
    cred->group.fs = cred->group.real;
    if (!(cred->securebits & SECBIT_NO_SETUID_FIXUP))
        cred->effective = cred->user.real ? 0 : cred->permitted;
    return cred;
}

/* What runs nowhere on this mount is not executable, what it shows cannot be written. */
static int check_access(const struct place *place, int mode)
{
    const struct inode *inode = place->dentry->inode;
    bool is_content = inode_is(inode, S_IFREG) || inode_is(inode, S_IFDIR);

    if ((mode & X_OK) && inode_is(inode, S_IFREG) && place_may_not_execute(place))
        return -EACCES;
    int err = inode_permission(inode, mode);
    return !err && (mode & W_OK) && is_content ? place_may_write(place) : err;
}

static int64_t access_check(int dirfd, user_addr_t path, int mode, int flags)
{
    struct place place;
    int64_t err = path_lookup_at(dirfd, path, flags, &place);
    if (err)
        return err;
    err = check_access(&place, mode);
    place_put(&place);
    return err;
}

int64_t sys_faccessat2(int dirfd, user_addr_t path, int mode, int flags)
{
    if ((mode & ~(R_OK | W_OK | X_OK)) ||
        (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    if (flags & AT_EACCESS)
        return access_check(dirfd, path, mode, flags);
    struct cred *cred = real_cred();
    if (!cred)
        return -ENOMEM;
    cred_override(cred);
    int64_t err = access_check(dirfd, path, mode, flags);
    cred_override(NULL);
    cred_put(cred);
    return err;
}

int64_t sys_faccessat(int dirfd, user_addr_t path, int mode)
{
    return sys_faccessat2(dirfd, path, mode, 0);
}

int64_t sys_access(user_addr_t path, int mode)
{
    return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* Changes */

/* F_SEAL_EXEC keeps the right to execute as it is; hugetlb does not ask, as in Linux 6.18. */
static int64_t change_mode(const struct place *place, unsigned mode)
{
    struct inode *inode = place->dentry->inode;
    struct object *object = &inode->object;
    uint32_t rights = mode & MODE_RIGHTS;
    int err = place_may_write(place);

    if (err)
        return err;
    if (!inode_is_owned(inode))
        return -EPERM;
    if (!cred_in_group(inode->gid) && !capable(CAP_FSETID))
        rights &= ~S_ISGID;
    mutex_lock(&object->lock);
    if ((object->seals & SEAL_EXEC) && !object_is_hugetlb(object) &&
        ((inode->mode ^ rights) & 0111))
        err = -EPERM;
    else
        inode->mode = (inode->mode & S_IFMT) | rights;
    mutex_unlock(&object->lock);
    if (!err)
        inode_touch_ctime(inode);
    return err;
}

int64_t sys_fchmodat(int dirfd, user_addr_t path, unsigned mode)
{
    struct place place;
    int64_t err = path_lookup_at(dirfd, path, 0, &place);
    if (err)
        return err;
    err = change_mode(&place, mode);
    place_put(&place);
    return err;
}

int64_t sys_chmod(user_addr_t path, unsigned mode)
{
    return sys_fchmodat(AT_FDCWD, path, mode);
}

int64_t sys_fchmod(int fd, unsigned mode)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct place place = file_place(f);
    int64_t err = f->flags & O_PATH ? -EBADF : change_mode(&place, mode);
    file_put(f);
    return err;
}

/* The owner may give it to one of its groups; what it can do for who starts it ends then. */
static int64_t change_owner(const struct place *place, unsigned uid, unsigned gid)
{
    struct inode *inode = place->dentry->inode;
    bool own = cred_current()->user.fs == inode->uid;
    bool same_user = uid == UINT32_MAX || uid == inode->uid;
    bool own_group = gid == UINT32_MAX || gid == inode->gid || cred_in_group(gid);

    int err = place_may_write(place);
    if (err)
        return err;
    if (!capable(CAP_CHOWN) && !(own && same_user && own_group) &&
        (uid != UINT32_MAX || gid != UINT32_MAX))
        return -EPERM;
    if (uid != UINT32_MAX)
        inode->uid = uid;
    if (gid != UINT32_MAX)
        inode->gid = gid;
    if (!inode_is(inode, S_IFDIR)) {
        inode->mode &= ~S_ISUID;
        if (inode->mode & S_IXGRP)
            inode->mode &= ~S_ISGID;
    }
    inode_touch_ctime(inode);
    return 0;
}

int64_t sys_fchownat(int dirfd, user_addr_t path, unsigned uid, unsigned gid, int flags)
{
    struct place place;
    int64_t err = path_lookup_at(dirfd, path, flags, &place);
    if (err)
        return err;
    err = change_owner(&place, uid, gid);
    place_put(&place);
    return err;
}

int64_t sys_chown(user_addr_t path, unsigned uid, unsigned gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

int64_t sys_lchown(user_addr_t path, unsigned uid, unsigned gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchown(int fd, unsigned uid, unsigned gid)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct place place = file_place(f);
    int64_t err = f->flags & O_PATH ? -EBADF : change_owner(&place, uid, gid);
    file_put(f);
    return err;
}

static struct uapi_timespec new_time(const struct uapi_timespec *wanted,
                                     const struct uapi_timespec *old,
                                     const struct uapi_timespec *now)
{
    return wanted->nsec == UTIME_OMIT ? *old : wanted->nsec == UTIME_NOW ? *now : *wanted;
}

/* Who may write it may also say that it was written now. */
static int64_t change_times(const struct place *place, const struct uapi_timespec *t)
{
    struct inode *inode = place->dentry->inode;
    bool now = t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW;

    int err = place_may_write(place);
    if (err)
        return err;
    if (!inode_is_owned(inode) && (!now || inode_permission(inode, W_OK)))
        return now ? -EACCES : -EPERM;
    inode_touch_ctime(inode);
    inode->atime = new_time(&t[0], &inode->atime, &inode->ctime);
    inode->mtime = new_time(&t[1], &inode->mtime, &inode->ctime);
    return 0;
}

/* Without a path, of an open file. */
static int64_t change_times_at(int dirfd, user_addr_t path, const struct uapi_timespec *t,
                               int flags)
{
    struct place place;
    int64_t err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (path.raw || dirfd == AT_FDCWD) {
        err = path_lookup_at(dirfd, path, flags, &place);
        if (err)
            return err;
        err = change_times(&place, t);
        place_put(&place);
        return err;
    }
    struct file *f = flags ? NULL : fd_get(dirfd);
    if (!f)
        return flags ? -EINVAL : -EBADF;
    place = file_place(f);
    err = f->flags & O_PATH ? -EBADF : change_times(&place, t);
    file_put(f);
    return err;
}

static bool time_is_valid(const struct uapi_timespec *t)
{
    return t->nsec == UTIME_NOW || t->nsec == UTIME_OMIT || (uint64_t)t->nsec < NS_PER_SEC;
}

int64_t sys_utimensat(int dirfd, user_addr_t path, user_addr_t times, int flags)
{
    struct uapi_timespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}; /* of access, of change */

    if (times.raw && copy_from_user(t, times, sizeof(t)))
        return -EFAULT;
    if (t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
        return 0;
    if (!time_is_valid(&t[0]) || !time_is_valid(&t[1]))
        return -EINVAL;
    return change_times_at(dirfd, path, t, flags);
}

int64_t sys_umask(unsigned mask)
{
    struct process *process = process_current();
    uint32_t old = process->umask;
    process->umask = mask & 0777;
    return old;
}
