/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_path.c - system calls on names: mkdir, rename, link, chdir and their like
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  fs_lock, inside kernel/fs_path.c, and round a process's cwd and root.
 * Always: (1) the order of checks is Linux's.
 * Source: path_resolution(7) and the man page of each call.
 * Tour:   after kernel/fs_path.c, kernel/path.h and kernel/sys_open.c.
 */
#include "cred.h"
#include "files.h"
#include "fs.h"
#include "mount.h"
#include "path.h"
#include "pipe.h"
#include "running.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define MODE_RIGHTS 07777

/* Create @inode (whose reference goes) under a name of the program. */
static int create_at(int dirfd, user_addr_t from, struct inode *inode)
{
    struct path p;
    int err = path_get(dirfd, from, 0, &p);
    if (err) {
        inode_put(inode);
        return err;
    }
    err = fs_create(&p.start, p.text, inode, NULL);
    path_put(&p);
    return err;
}

static uint32_t without_umask(unsigned mode)
{
    return mode & MODE_RIGHTS & ~process_current()->umask;
}

static int check_truncate(const struct place *place)
{
    const struct inode *inode = place->dentry->inode;

    if (inode_is(inode, S_IFDIR))
        return -EISDIR;
    if (!inode_is(inode, S_IFREG) || !inode->object.ops)
        return -EINVAL;
    int err = place_may_write(place);
    return err ? err : inode_permission(inode, W_OK);
}

int64_t sys_truncate(user_addr_t path, int64_t size_bytes)
{
    struct place place;

    if (size_bytes < 0)
        return -EINVAL;
    int64_t err = path_lookup(path, &place);
    if (err)
        return err;
    err = check_truncate(&place);
    if (!err)
        err = inode_truncate_idle(place.dentry->inode, size_bytes);
    place_put(&place);
    return err;
}

/* Names come and go */

int64_t sys_mkdirat(int dirfd, user_addr_t path, unsigned mode)
{
    struct inode *inode;
    int err = inode_create(S_IFDIR | (without_umask(mode) & 01777), NULL, &inode);
    return err ? err : create_at(dirfd, path, inode);
}

int64_t sys_mkdir(user_addr_t path, unsigned mode)
{
    return sys_mkdirat(AT_FDCWD, path, mode);
}

int64_t sys_mknodat(int dirfd, user_addr_t path, unsigned mode, unsigned rdev)
{
    struct inode *inode;
    uint32_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
    int err;

    if ((type == S_IFCHR || type == S_IFBLK) && !capable(CAP_MKNOD))
        return -EPERM;
    if (type == S_IFREG)
        err = inode_create(type | without_umask(mode), &shmem_ops, &inode);
    else if (type == S_IFCHR || type == S_IFBLK)
        err = inode_create_device(type | without_umask(mode), rdev, &inode);
    else if (type == S_IFIFO)
        err = pipe_inode_create(without_umask(mode), true, &inode);
    else if (type == S_IFSOCK)
        err = inode_create(type | without_umask(mode), NULL, &inode);
    else
        return type == S_IFDIR ? -EPERM : -EINVAL;
    return err ? err : create_at(dirfd, path, inode);
}

int64_t sys_mknod(user_addr_t path, unsigned mode, unsigned rdev)
{
    return sys_mknodat(AT_FDCWD, path, mode, rdev);
}

int64_t sys_unlinkat(int dirfd, user_addr_t path, int flags)
{
    struct path p;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    int64_t err = path_get(dirfd, path, 0, &p);
    if (err)
        return err;
    err = fs_remove(&p.start, p.text, flags & AT_REMOVEDIR);
    path_put(&p);
    return err;
}

int64_t sys_unlink(user_addr_t path)
{
    return sys_unlinkat(AT_FDCWD, path, 0);
}

int64_t sys_rmdir(user_addr_t path)
{
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int64_t sys_renameat2(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new, unsigned flags)
{
    struct path from, to;

    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int64_t err = path_get(olddirfd, old, 0, &from);
    if (err)
        return err;
    err = path_get(newdirfd, new, 0, &to);
    if (!err) {
        err = fs_rename(&from.start, from.text, &to.start, to.text, flags);
        path_put(&to);
    }
    path_put(&from);
    return err;
}

int64_t sys_renameat(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new)
{
    return sys_renameat2(olddirfd, old, newdirfd, new, 0);
}

int64_t sys_rename(user_addr_t old, user_addr_t new)
{
    return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int64_t sys_linkat(int olddirfd, user_addr_t old, int newdirfd, user_addr_t new, int flags)
{
    struct place place;
    struct path p;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int follow = flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
    int64_t err = path_lookup_at(olddirfd, old, (flags & AT_EMPTY_PATH) | follow, &place);
    if (err)
        return err;
    err = path_get(newdirfd, new, 0, &p);
    if (!err) {
        err = fs_link(&p.start, p.text, &place);
        path_put(&p);
    }
    place_put(&place);
    return err;
}

int64_t sys_link(user_addr_t old, user_addr_t new)
{
    return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int64_t sys_symlinkat(user_addr_t target, int dirfd, user_addr_t path)
{
    struct inode *inode;
    char *text;

    int64_t err = path_text(target, &text);
    if (err)
        return err;
    err = text[0] ? inode_create_link(text, &inode) : -ENOENT;
    kmem_free(text);
    return err ? err : create_at(dirfd, path, inode);
}

int64_t sys_symlink(user_addr_t target, user_addr_t path)
{
    return sys_symlinkat(target, AT_FDCWD, path);
}

int64_t sys_readlinkat(int dirfd, user_addr_t path, user_addr_t out, int size)
{
    struct place place;

    if (size <= 0)
        return -EINVAL;
    char *text = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!text)
        return -ENOMEM;
    int64_t len = path_lookup_at(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &place);
    if (!len) {
        len = dentry_read_link(place.dentry, text, PATH_MAX);
        place_put(&place);
    }
    if (len > 0) {
        len = min(len, (int64_t)size);
        len = copy_to_user(out, text, len) ? -EFAULT : len;
    }
    kmem_free(text);
    return len;
}

int64_t sys_readlink(user_addr_t path, user_addr_t out, int size)
{
    return sys_readlinkat(AT_FDCWD, path, out, size);
}

/* The current directory, and the root */

static int check_enter(const struct place *place)
{
    const struct inode *inode = place->dentry->inode;
    return inode_is(inode, S_IFDIR) ? inode_permission(inode, X_OK) : -ENOTDIR;
}

/* Takes over the references of @place. */
static void place_exchange(struct place *of_process, struct place place)
{
    mutex_lock(&fs_lock);
    tasks_lock();
    struct place old = *of_process;
    *of_process = place;
    tasks_unlock();
    place_put(&old);
    mutex_unlock(&fs_lock);
}

int64_t sys_chdir(user_addr_t path)
{
    struct place place;

    int64_t err = path_lookup(path, &place);
    if (err)
        return err;
    err = check_enter(&place);
    if (err)
        place_put(&place);
    else
        place_exchange(&process_current()->cwd, place);
    return err;
}

int64_t sys_fchdir(int fd)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct place place = file_place(f);
    int64_t err = check_enter(&place);
    if (!err) {
        place_get(&place);
        place_exchange(&process_current()->cwd, place);
    }
    file_put(f);
    return err;
}

int64_t sys_chroot(user_addr_t path)
{
    struct place place;

    int64_t err = path_lookup(path, &place);
    if (err)
        return err;
    err = check_enter(&place);
    if (!err && !capable(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        place_put(&place);
    else
        place_exchange(&process_current()->root, place);
    return err;
}

static int64_t put_path(const struct place *place, char *text, user_addr_t out, size_t size)
{
    const struct dentry *dentry = place->dentry;
    int64_t len = place_path(place, text, PATH_MAX);
    if (len < 0)
        return len;
    if (!dentry->in_tree && !dentry->parent->inode->dynamic)
        return -ENOENT;
    if ((size_t)len + 1 > size)
        return -ERANGE;
    return copy_to_user(out, text, len + 1) ? -EFAULT : len + 1;
}

int64_t sys_getcwd(user_addr_t out, size_t size)
{
    struct place cwd;
    char *text = kmem_alloc(PATH_MAX, SLAB_ALLOC_PLAIN);
    if (!text)
        return -ENOMEM;
    int64_t result = path_start(AT_FDCWD, &cwd);
    if (!result) {
        result = put_path(&cwd, text, out, size);
        place_put(&cwd);
    }
    kmem_free(text);
    return result;
}
