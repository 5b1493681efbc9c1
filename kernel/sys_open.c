/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_open.c - open(2) and its relatives: find a name, or make it, and open what it means
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  fs_lock, inside kernel/fs_path.c.
 * Always: (1) the order of checks is Linux's; (2) what cannot get a descriptor is not created.
 * Source: open(2), openat2(2), path_resolution(7).
 * Tour:   after kernel/fs_path.c, kernel/path.h and kernel/sys_fs.c; then kernel/sys_path.c.
 */
#include "cred.h"
#include "files.h"
#include "fs.h"
#include "mount.h"
#include "path.h"
#include "sys_fs.h"
#include "task.h"
#include "walk.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <uapi/errno.h>

#define MODE_RIGHTS 07777
#define PATH_FLAGS  (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
#define OPEN_TRIES  8 /* somebody else creates and removes the same name */

/* How open(2) was called. */
struct opening {
    const struct path *path;
    int flags;
    unsigned mode, limits; /* of a new file; what the path may not do: enum lookup_flags */
};

static uint32_t without_umask(unsigned mode)
{
    return mode & MODE_RIGHTS & ~process_current()->umask;
}

static int create_file(const struct opening *o, struct place *out)
{
    struct inode *inode;
    int err = inode_create(S_IFREG | without_umask(o->mode), &shmem_ops, &inode);
    return err ? err : fs_create_open(&o->path->start, o->path->text, o->limits, inode, out);
}

/* Find the name or make it. *@created: nothing needs to be checked any more. */
static int find_or_create(const struct opening *o, struct place *out, bool *created)
{
    const struct path *p = o->path;
    bool creates = o->flags & O_CREAT, alone = creates && (o->flags & O_EXCL);
    bool follow = !(o->flags & O_NOFOLLOW) && !alone;

    *created = false;
    for (unsigned i = 0; i < OPEN_TRIES; i++) {
        bool asks_directory =
            creates && path_ends_in_slash(p->text); /* refused where it is created */
        unsigned flags = o->limits | (follow ? LOOKUP_FOLLOW : 0);
        int err = asks_directory ? -ENOENT : fs_lookup(&p->start, p->text, flags, out);
        if (!err && alone) {
            place_put(out);
            return -EEXIST;
        }
        if (err != -ENOENT || !creates)
            return err;
        err = create_file(o, out);
        if (err != -EEXIST) {
            *created = !err;
            return err;
        }
    }
    return -ENOENT;
}

static int check_nameless(const struct place *dir)
{
    const struct inode *inode = dir->dentry->inode;
    int err = place_may_write(dir);

    if (!err)
        err = inode_permission(inode, W_OK | X_OK);
    return !err && !inode->super->type->file_ops ? -EOPNOTSUPP : err;
}

/* O_TMPFILE: a file in no directory. */
static int create_nameless(const struct opening *o, struct place *out)
{
    struct place dir;
    struct inode *inode;

    int err = fs_lookup(&o->path->start, o->path->text,
                        o->limits | LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dir);
    if (err)
        return err;
    err = check_nameless(&dir);
    if (!err)
        err = inode_create(S_IFREG | without_umask(o->mode), &shmem_ops, &inode);
    if (!err) {
        inode->nlink = 0;
        inode->linkable = !(o->flags & O_EXCL);
        *out = dir;
        err = dentry_create("#tmpfile", dir.dentry, inode, &out->dentry);
    }
    if (err)
        place_put(&dir);
    else
        dentry_put(dir.dentry);
    return err;
}

static int check_open_flags(int *flags)
{
    bool nameless = (*flags & O_TMPFILE) == O_TMPFILE;

    if (*flags & O_PATH)
        *flags &= PATH_FLAGS;
    else
        *flags |= O_LARGEFILE;
    if ((*flags & O_CREAT) && (*flags & O_DIRECTORY))
        return -EINVAL;
    return nameless && !(*flags & O_ACCMODE) ? -EINVAL : 0;
}

/* May the running task open it so? */
static int check_open_rights(const struct inode *inode, int flags)
{
    static const unsigned wanted[] = {
        [O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK, [O_ACCMODE] = R_OK | W_OK};

    if (flags & O_PATH)
        return 0;
    int err = inode_permission(inode, wanted[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0));
    return !err && (flags & O_NOATIME) && !inode_is_owned(inode) ? -EPERM : err;
}

static int find_to_open(const struct opening *o, struct place *out, bool *created)
{
    *created = (o->flags & O_TMPFILE) == O_TMPFILE;
    if (*created)
        return create_nameless(o, out);
    int err = find_or_create(o, out, created);
    if (err || *created)
        return err;
    err = check_open_rights(out->dentry->inode, o->flags);
    if (err)
        place_put(out);
    return err;
}

static int64_t open_path(const struct opening *o)
{
    struct place place;
    struct file *file;
    bool created;
    int flags = o->flags;

    if (!fd_is_left())
        return -EMFILE;
    int err = find_to_open(o, &place, &created);
    if (err)
        return err;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        flags &= ~O_TMPFILE;
    err = file_open(&place, created ? flags & ~(O_TRUNC | O_CREAT) : flags, &file);
    place_put(&place);
    return err ? err : fd_install(file, 0, flags & O_CLOEXEC);
}

static int64_t open_at(int dirfd, user_addr_t from, struct opening *o)
{
    bool scoped = o->limits & (LOOKUP_BENEATH | LOOKUP_IN_ROOT);
    struct path path;

    int64_t result = check_open_flags(&o->flags);
    if (!result)
        result = path_get(dirfd, from, scoped ? PATH_SCOPED : 0, &path);
    if (result)
        return result;
    o->path = &path;
    result = open_path(o);
    path_put(&path);
    return result;
}

int64_t sys_openat(int dirfd, user_addr_t path, int flags, unsigned mode)
{
    return open_at(dirfd, path, &(struct opening){.flags = flags, .mode = mode});
}

int64_t sys_open(user_addr_t path, int flags, unsigned mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

int64_t sys_creat(user_addr_t path, unsigned mode)
{
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* openat2: what it does not know it refuses. */

/* The structure may be longer than ours, if it is all zeros there. */
static int how_get(user_addr_t from, size_t size, struct uapi_open_how *how)
{
    uint8_t rest;

    if (size < sizeof(*how))
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    int err = copy_from_user(how, from, sizeof(*how));
    for (size_t i = sizeof(*how); !err && i < size; i++) {
        err = copy_from_user(&rest, user(from.raw + i), 1);
        if (!err && rest)
            err = -E2BIG;
    }
    return err;
}

static int check_how(const struct uapi_open_how *how)
{
    const uint64_t known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
                           RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
    const uint64_t scopes = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
    bool creates = (how->flags & O_CREAT) || (how->flags & O_TMPFILE) == O_TMPFILE;

    if ((how->flags & ~(uint64_t)O_FLAGS) || (how->resolve & ~known))
        return -EINVAL;
    if ((how->resolve & scopes) == scopes || (how->mode & ~(creates ? MODE_RIGHTS : 0UL)))
        return -EINVAL;
    return (how->flags & O_PATH) && (how->flags & ~(uint64_t)PATH_FLAGS) ? -EINVAL : 0;
}

static unsigned limits_of(uint64_t resolve)
{
    unsigned limits = 0;

    limits |= resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_MOUNTS : 0;
    limits |= resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGIC : 0;
    limits |= resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_LINKS : 0;
    limits |= resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0;
    return limits | (resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0);
}

int64_t sys_openat2(int dirfd, user_addr_t path, user_addr_t how_at, size_t size)
{
    struct uapi_open_how how;

    int64_t err = how_get(how_at, size, &how);
    if (!err)
        err = check_how(&how);
    if (err)
        return err;
    struct opening o = {.flags = how.flags, .mode = how.mode, .limits = limits_of(how.resolve)};
    return open_at(dirfd, path, &o);
}
