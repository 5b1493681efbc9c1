/* SPDX-License-Identifier: MIT */
/*
 * kernel/mount.h - file systems, and where in the tree of names they are mounted
 *
 * Room:   kernel.
 * Owns:   struct superblock (one file system), struct mount (one view of it), struct fs_type.
 * Locks:  fs_lock (rank FS) for the tree of mounts [f]; parents, points and lists of mounts change
 *         under name_lock, too [n], so that paths need only the inner one.
 * Always: (1) a superblock has its names as long as it has a mount, and its figures as long as it
 *             has an inode: one that is mapped outlives its name;
 *         (2) an attached mount holds a reference on the place it is mounted on.
 * Source: mount(2), mount_namespaces(7), tmpfs(5).
 * Tour:   after kernel/place.h; then kernel/superblock.c, kernel/mount.c.
 */
#pragma once

#include "fs.h"
#include "place.h"
#include "text_file.h"

struct superblock;

/* A size of which only a part, or the whole, is known: "N" bytes or "N%". */
struct fs_size {
    uint64_t amount;
    bool said, percent;
};

/* What mount(2) says beside flags; what was not said is as the type's. */
struct fs_options {
    uint64_t max_pages, max_inodes; /* UINT64_MAX: no limit */
    struct hugetlb_pool *pool;      /* hugetlbfs: what its files are made of; else NULL */
    uint64_t min_pages;             /* hugetlbfs: taken from the pool at once */
    uint32_t mode, uid, gid;
    struct fs_size size, min_size;           /* hugetlbfs's, until its pages are known */
    uint8_t huge;                            /* enum shmem_huge */
    bool says_pages, says_inodes, says_huge; /* they were among the options */
};

struct fs_type {
    const char *name;
    uint64_t magic;                    /* what statfs(2) says it is */
    const struct object_ops *file_ops; /* of regular files; NULL: none can be made in it */
    bool has_limits;                   /* and its options are those of tmpfs(5) */
    bool is_memory;                    /* no limit of its own, but all there is */
    bool single;                       /* one for all mounts: */
    struct superblock *only;           /* that one, once it is there */
};

struct superblock {
    struct fs_type *type;
    _Atomic uint32_t refcount;  /* one of all its mounts, one of each inode [a] */
    _Atomic uint32_t nr_mounts; /* one more of the kernel's own [a] */
    struct list_node mounts;    /* the oldest first [f, n] */
    struct dentry *root;        /* [I] until the last mount goes */
    uint64_t dev;               /* [I] */
    bool read_only;             /* [f] */
    struct fs_options options;  /* [f] */
    struct object_quota quota;  /* of options.max_pages */
    _Atomic uint64_t nr_inodes; /* [a] */
};

enum mount_flags {
    MOUNT_READ_ONLY = 1,
    MOUNT_NO_SUID = 2,
    MOUNT_NO_DEV = 4,
    MOUNT_NO_EXEC = 8,
    MOUNT_NO_ATIME = 16,
    MOUNT_NO_DIR_ATIME = 32,
    MOUNT_RELATIME = 64 /* these three only show: times of access are not kept */
};

struct mount {
    _Atomic uint32_t refcount; /* places that are kept, and one while it is attached [a] */
    struct superblock *super;  /* [I] */
    struct dentry *root;       /* a reference [I] */
    struct place on;           /* where it is attached; no mount: nowhere, or it is the first [n] */
    bool attached;             /* [f, n] */
    struct list_node node;     /* on the list of those that are attached [f, n] */
    struct list_node super_node; /* on super->mounts [n] */
    uint32_t flags;              /* enum mount_flags [f] */
    int id;                      /* [I] */
    char *source;                /* as mount(2) was told, for /proc/mounts [I] */
    _Atomic uint32_t writers;    /* regular files open for writing through it [a] */
    bool expires;                /* nobody used it since umount2(MNT_EXPIRE) [f] */
};

/* superblock.c */

/* The types of file systems, by name; NULL: unknown. */
extern struct fs_type fs_type_root; /* which cannot be mounted again, and has no name here */
struct fs_type *fs_type_find(const char *name);
struct fs_type *fs_type_nth(unsigned n);

/* A file system for one more mount: 0 with its root's superblock, -ENOMEM, -ENOSPC. */
int __must_check superblock_get(struct fs_type *type, const struct fs_options *options,
                                struct superblock **out);

/* One mount less; the last takes all names with it. */
void superblock_put(struct superblock *super);

/* @inode, which is new, lies in @super from now on. 0, or -ENOSPC: it has no inode left. */
int __must_check superblock_join(struct superblock *super, struct inode *inode);
void superblock_leave(struct inode *inode);

/* Every further name of a file counts as an inode, too: tmpfs(5). 0 or -ENOSPC. */
int __must_check superblock_take_inode(struct superblock *super);
void superblock_give_inode(struct superblock *super);

/* remount: 0, -EINVAL (less than is used, or a limit where none was), -EBUSY (files being written).
 * fs_lock held. */
int __must_check superblock_change(struct superblock *super, const struct fs_options *options,
                                   bool read_only);

/* Does an address space map one of its files? fs_lock held. */
bool superblock_is_mapped(const struct superblock *super);
void superblock_statfs(const struct superblock *super, struct uapi_statfs *out);

/* fs_options.c: @text: "key=value,..", changed while it is read. 0 or -EINVAL. */
struct fs_options fs_options_default(const struct fs_type *type);
int __must_check fs_options_parse(const struct fs_type *type, char *text, struct fs_options *out,
                                  bool *read_only);

/* The same backwards: what differs from the default. */
void fs_options_show(struct text *t, const struct superblock *super);

/* mount.c. fs_lock is held where nothing else is said. */

/* Need no lock. */
void mount_get(struct mount *mount);

/* The same for one found in a list, with name_lock held. False: it is about to end. */
bool mount_get_living(struct mount *m);

void mount_put(struct mount *mount);

/* A view of @super, whose count it takes over, from @root down; attached nowhere. 0 or -ENOMEM.
 * Needs no lock. */
int __must_check mount_create(struct superblock *super, struct dentry *root, const char *source,
                              uint32_t flags, struct mount **out);

/* Show @mount at @place; the caller's reference is the tree's then. -ENOENT, -ENOTDIR, or -EBUSY:
 * the same is there already. */
int __must_check mount_attach(struct mount *mount, const struct place *place);

/* Take it and all that is mounted below away. They end when nobody is in them any more. */
void mount_detach(struct mount *mount);

/* To another place: -EINVAL, -ELOOP (below itself), -ENOTDIR. */
int __must_check mount_move(struct mount *mount, const struct place *to);

/* Is it used by more than @users, or has it mounts on it? */
bool mount_is_busy(struct mount *mount, uint32_t users);

/* Its flags as statfs(2) has them. */
uint64_t mount_statfs_flags(const struct mount *mount);

/* -EBUSY: files are being written through it. */
int __must_check mount_set_flags(struct mount *mount, uint32_t flags);

/* Is the place where @mount shows its root? */
static inline bool place_is_mount_root(const struct place *place)
{
    return place->mount && place->mount->root == place->dentry;
}

/* The one with the next higher number, with a reference, and the number of the one below it. These
 * two need no lock. */
struct mount *mount_after(int id);
int mount_parent_id(const struct mount *mount);

/* The mount that is attached @n-th, and the one that is attached to @place; NULL: there is none. */
struct mount *mount_nth(unsigned n);
struct mount *mount_on(const struct place *place);

/* Boot: a directory of the root with a file system on it; its root. Lack of memory panics. */
struct dentry *mount_boot(const char *type, struct dentry *parent, const char *name, uint32_t mode);
void mount_boot_root(struct dentry **root);

/* The same for what has no directory: its files are made by calls of their own. */
struct mount *mount_boot_nowhere(struct fs_type *type, uint32_t flags);
