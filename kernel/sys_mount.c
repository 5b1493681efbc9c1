/* SPDX-License-Identifier: MIT */
/*
 * kernel/sys_mount.c - mount(2) and umount2(2)
 *
 * Room:   kernel.
 * Owns:   nothing.
 * Locks:  fs_lock, once paths are looked up, around every change.
 * Always: (1) the order of checks is Linux's; (2) all processes share one tree of mounts, so what
 *             would spread to other trees (MS_SHARED) is refused, and what would not, accepted.
 * Source: mount(2), umount(2).
 * Tour:   after kernel/mount.c; then kernel/proc_mounts.c.
 */
#include "cred.h"
#include "fs.h"
#include "mount.h"
#include "path.h"
#include "sys_fs.h"
#include "task.h"
#include <asm/uaccess.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <uapi/errno.h>
#include <uapi/mount.h>

#define PROPAGATION  (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define UMOUNT_FLAGS (MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)
#define DATA_BYTES   PAGE_SIZE

/* Strings of the program; NULL where it gave none. */
struct mount_words {
    char *source, *type, *data;
    user_addr_t source_at;
};

static int optional_text(user_addr_t from, char **out)
{
    int err = from.raw ? path_text(from, out) : 0;

    if (err || !from.raw)
        *out = NULL;
    return err;
}

/* Options are as many bytes as can be read, up to a page. */
static int optional_data(user_addr_t from, char **out)
{
    *out = from.raw ? kmem_alloc(DATA_BYTES, SLAB_ALLOC_ZERO) : NULL;
    if (!from.raw)
        return 0;
    if (!*out)
        return -ENOMEM;
    if (copy_from_user_partial(*out, from, DATA_BYTES - 1) < DATA_BYTES - 1)
        return 0;
    kmem_free(*out);
    *out = NULL;
    return -EFAULT;
}

static void words_put(struct mount_words *w)
{
    kmem_free(w->source);
    kmem_free(w->type);
    kmem_free(w->data);
}

static int words_get(user_addr_t source, user_addr_t type, user_addr_t data, struct mount_words *w)
{
    *w = (struct mount_words){.source_at = source};
    int err = optional_text(type, &w->type);
    if (!err)
        err = optional_text(source, &w->source);
    if (!err)
        err = optional_data(data, &w->data);
    if (err)
        words_put(w);
    return err;
}

static uint32_t mount_flags_of(uint64_t flags)
{
    uint32_t all = flags & MS_NOATIME || flags & MS_STRICTATIME ? 0 : MOUNT_RELATIME;

    all |= flags & MS_RDONLY ? MOUNT_READ_ONLY : 0;
    all |= flags & MS_NOSUID ? MOUNT_NO_SUID : 0;
    all |= flags & MS_NODEV ? MOUNT_NO_DEV : 0;
    all |= flags & MS_NOEXEC ? MOUNT_NO_EXEC : 0;
    all |= flags & MS_NOATIME ? MOUNT_NO_ATIME : 0;
    return all | (flags & MS_NODIRATIME ? MOUNT_NO_DIR_ATIME : 0);
}

/* A change of what is mounted: of one view, or of the file system and the view. fs_lock held. */
static int remount(const struct place *at, uint64_t flags, const struct mount_words *w)
{
    if (!place_is_mount_root(at) || !at->mount->attached)
        return -EINVAL;
    if (flags & MS_BIND)
        return mount_set_flags(at->mount, mount_flags_of(flags));
    struct superblock *super = at->mount->super;
    struct fs_options options = super->options;
    bool read_only = flags & MS_RDONLY;
    options.says_pages = options.says_inodes = options.says_huge = false;
    int err = fs_options_parse(super->type, w->data, &options, &read_only);
    if (!err)
        err = superblock_change(super, &options, read_only);
    return err ? err : mount_set_flags(at->mount, mount_flags_of(flags));
}

static struct superblock *superblock_again(struct superblock *super)
{
    atomic_fetch_add(&super->nr_mounts, 1);
    return super;
}

/* A second view of what lies at @from, not attached yet. fs_lock held, as in all of these. */
static int view_create(const struct place *from, struct mount **out)
{
    const struct mount *m = from->mount;
    return mount_create(superblock_again(m->super), from->dentry, m->source, m->flags, out);
}

static int bind_at(const struct place *from, const struct place *at, struct mount **out)
{
    int err = view_create(from, out);
    if (err)
        return err;
    err = mount_attach(*out, at);
    if (err)
        mount_put(*out);
    return err;
}

static int bind_below(const struct place *from, struct mount *view, int last);

/* The same for @m, if it lies below @from, and for what lies below it. */
static int bind_again(const struct place *from, struct mount *view, struct mount *m, int last)
{
    struct place root = {m, m->root}, at = {view, m->on.dentry};
    struct mount *copy;

    if (m->on.mount != from->mount || !dentry_is_below(at.dentry, from->dentry))
        return 0;
    int err = bind_at(&root, &at, &copy);
    return err ? err : bind_below(&root, copy, last);
}

/* What is mounted below @from is seen through @view, too: MS_REC. @last: all after it are new. */
static int bind_below(const struct place *from, struct mount *view, int last)
{
    struct mount *m;
    int err = 0;

    for (int id = 0; !err && id < last && (m = mount_after(id));) {
        id = m->id;
        if (id <= last)
            err = bind_again(from, view, m, last);
        mount_put(m);
    }
    return err;
}

static int bind_place(const struct place *from, const struct place *at, uint64_t flags)
{
    struct mount *view;

    if (!from->mount || !from->mount->attached)
        return -EINVAL;
    int err = bind_at(from, at, &view);
    if (err || !(flags & MS_REC))
        return err;
    err = bind_below(from, view, view->id - 1);
    if (err)
        mount_detach(view);
    return err;
}

static int bind_or_move(const struct place *at, uint64_t flags, const struct mount_words *w)
{
    struct place from;

    if (!w->source || !*w->source)
        return -EINVAL;
    int err = path_lookup(w->source_at, &from);
    if (err)
        return err;
    mutex_lock(&fs_lock);
    if (flags & MS_BIND)
        err = bind_place(&from, at, flags);
    else
        err = place_is_mount_root(&from) && from.mount->attached ? mount_move(from.mount, at)
                                                                 : -EINVAL;
    mutex_unlock(&fs_lock);
    place_put(&from);
    return err;
}

static int check_propagation(const struct place *at, uint64_t flags)
{
    uint64_t kind = flags & PROPAGATION;

    if ((flags & ~(PROPAGATION | MS_REC | MS_SILENT)) || (kind & (kind - 1)))
        return -EINVAL;
    return place_is_mount_root(at) && kind != MS_SHARED ? 0 : -EINVAL;
}

/* The file system is made before it is known whether it can be put there. */
static int mount_new(const struct place *at, uint64_t flags, const struct mount_words *w)
{
    bool read_only = flags & MS_RDONLY;
    struct superblock *super;
    struct mount *m;

    if (!w->type)
        return -EINVAL;
    struct fs_type *type = fs_type_find(w->type);
    if (!type)
        return -ENODEV;
    struct fs_options options = fs_options_default(type);
    int err = fs_options_parse(type, w->data, &options, &read_only);
    if (!err)
        err = superblock_get(type, &options, &super);
    if (err)
        return err;
    if (super != type->only)
        super->read_only = read_only;
    err = mount_create(super, super->root, w->source && *w->source ? w->source : "none",
                       mount_flags_of(flags), &m);
    if (err)
        return err;
    mutex_lock(&fs_lock);
    err = mount_attach(m, at);
    mutex_unlock(&fs_lock);
    if (err)
        mount_put(m);
    return err;
}

static int mount_at(const struct place *at, uint64_t flags, const struct mount_words *w)
{
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~MS_MGC_MSK;
    if (flags & MS_NOUSER)
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & MS_REMOUNT) {
        mutex_lock(&fs_lock);
        int err = remount(at, flags, w);
        mutex_unlock(&fs_lock);
        return err;
    }
    if ((flags & MS_BIND) || ((flags & MS_MOVE) && !(flags & PROPAGATION)))
        return bind_or_move(at, flags, w);
    return flags & PROPAGATION ? check_propagation(at, flags) : mount_new(at, flags, w);
}

int64_t sys_mount(user_addr_t source, user_addr_t target, user_addr_t type, uint64_t flags,
                  user_addr_t data)
{
    struct mount_words words;
    struct place at;

    int64_t err = words_get(source, type, data, &words);
    if (err)
        return err;
    err = path_lookup(target, &at);
    if (!err) {
        err = mount_at(&at, flags, &words);
        place_put(&at);
    }
    words_put(&words);
    return err;
}

/* umount2 */

#define OWN_USERS 1 /* of a mount: the call's place */

static int check_umount(const struct place *at, int flags)
{
    struct place root = place_root();

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (!place_is_mount_root(at) || !at->mount->attached || !at->mount->on.mount)
        return -EINVAL;
    if (!(flags & MNT_EXPIRE))
        return 0;
    return at->mount == root.mount || (flags & (MNT_FORCE | MNT_DETACH)) ? -EINVAL : 0;
}

/* Somebody has mapped files of it: they keep what they map, but the call says so. */
static bool is_mapped(const struct superblock *super)
{
    return atomic_load(&super->nr_mounts) == 1 && superblock_is_mapped(super);
}

/* fs_lock held. *@marks: it shall go the next time, if nobody comes until then. */
static int umount(struct mount *m, int flags, bool *marks)
{
    if (!(flags & MNT_DETACH) && (mount_is_busy(m, OWN_USERS) || is_mapped(m->super)))
        return -EBUSY;
    *marks = (flags & MNT_EXPIRE) && !m->expires;
    if (*marks)
        return -EAGAIN;
    mount_detach(m);
    return 0;
}

int64_t sys_umount2(user_addr_t target, int flags)
{
    bool marks = false;
    struct place at;

    if (flags & ~UMOUNT_FLAGS)
        return -EINVAL;
    int64_t err =
        path_lookup_at(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &at);
    if (err)
        return err;
    mutex_lock(&fs_lock);
    err = check_umount(&at, flags);
    if (!err)
        err = umount(at.mount, flags, &marks);
    place_put(&at);
    if (marks)
        at.mount->expires = true; /* it is attached: it was not freed */
    mutex_unlock(&fs_lock);
    return err;
}
