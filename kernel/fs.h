/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs.h - the tree of names, and what they name
 *
 * Room:   kernel.
 * Owns:   struct inode (what is named) and struct dentry (a name in a directory).
 * Locks:  fs_lock (mutex, rank FS) for the shape of the tree and for lookups; an inode's contents
 *         by its object's lock (rank INODE).
 * Always: (1) a regular file is a memory object: its inode begins with it, and they die together;
 *         (2) a dentry is in the tree, or only kept by those who hold a reference;
 *         (3) an inode's first name is part of it: most have no other.
 * Source: path_resolution(7), inode(7).
 * Tour:   after include/mm/object.h; then kernel/place.h, kernel/fs.c.
 */
#pragma once

#include <lib/list.h>
#include <mm/object.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uapi/fcntl.h>
#include <uapi/stat.h>

struct dentry;
struct file_lock;
struct file_ops;
struct inode;
struct place;
struct superblock;

/* A name as getdents(2) shows it. */
struct dir_entry {
    char name[NAME_MAX + 1];
    uint64_t ino;
    uint8_t type; /* DT_REG etc. */
};

/* A directory whose entries are made when they are looked up (/proc). fs_lock is held. */
struct dynamic_dir {
    /* A new dentry with one reference, or -ENOENT, -ENOMEM. */
    int (*lookup)(struct dentry *dir, const char *name, struct dentry **out);

    /* The first entry at place *@n or after; *@n becomes its place. False: there is none. */
    bool (*entry)(struct dentry *dir, uint64_t *n, struct dir_entry *out);

    /* Is what it was the directory of still there? NULL: always. */
    bool (*exists)(const struct dentry *dir);

    /* Is it the running task's, who may read it whatever its mode says? NULL: never. */
    bool (*is_own)(const struct inode *dir);
};

/* What a symbolic link of /proc stands for: a place with its references, or a negative errno. */
typedef int (*magic_link)(const struct place *link, struct place *out);

#define SHORT_NAME_BYTES 39 /* with its NUL */

struct dentry {
    _Atomic uint32_t refcount;
    char *name;            /* short_name, or memory of its own */
    struct dentry *parent; /* a reference; the root is its own; NULL: has no path, only a name */
    struct inode *inode;
    struct list_node children; /* in the order of their cookies */
    struct list_node sibling;
    uint64_t cookie;    /* where getdents() is when it is here; never used twice */
    bool in_tree;       /* the parent's list holds a reference */
    uint32_t nr_mounts; /* that are attached here, through whatever mount */
    char short_name[SHORT_NAME_BYTES];
};

struct inode {
    struct object object;     /* first; ops NULL for what has no contents */
    struct superblock *super; /* the file system it lies in; NULL: none. Set with its first name */
    uint64_t ino;
    uint32_t mode; /* type and rights, as stat(2) */
    uint32_t uid, gid;
    uint32_t nlink;
    bool linkable; /* has no name, but may get one: open(2), O_TMPFILE */
    uint64_t rdev;
    _Atomic int32_t writing; /* files open to write it; below 0: programs that run it. running.c */
    struct uapi_timespec atime, mtime, ctime; /* the first only when it is set, or made */
    _Atomic(struct file_lock *) locks;        /* advisory; NULL: none. kernel/file_lock.c */
    const struct file_ops *file_ops;          /* of files opened on it */
    const struct dynamic_dir *dynamic;        /* NULL: entries are dentry.children */
    char *target;                             /* of a symbolic link */
    int (*read_link)(struct dentry *dentry, char *buf, size_t size); /* instead of target */
    magic_link follow;                    /* instead of target, for following */
    uint64_t private;                     /* the kind's own word .. */
    void (*release)(struct inode *inode); /* .. and how it is given back; may be NULL */
    struct dentry *dentry;                /* &first_name once it has one (claim 3), or NULL */
    struct dentry first_name;
};

/* Cookies of "." and ".."; names of the tree come after, entries of a dynamic_dir from DYNAMIC on.
 */
enum { COOKIE_DOT, COOKIE_DOT_DOT, COOKIE_FIRST };
#define COOKIE_DYNAMIC (1UL << 62)

/* Boot: an empty root directory. */
void fs_boot_init(void);
extern struct dentry *fs_root;
extern struct dentry *fs_nowhere; /* the directory of what has a name, but no place: memfd */
extern struct mutex fs_lock;
extern spinlock_t name_lock; /* see kernel/fs.c */

static inline struct inode *inode_of(struct object *object)
{
    return (struct inode *)object;
}

/* The inode that @object is, or NULL: shared anonymous memory has none. */
struct inode *inode_of_object(struct object *object);

/* A new inode with one reference (its object's). @ops may be NULL. 0 or -ENOMEM. */
int __must_check inode_create(uint32_t mode, const struct object_ops *ops, struct inode **out);

/* A symbolic link. 0 or -ENOMEM. */
int __must_check inode_create_link(const char *target, struct inode **out);

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
    return (inode->mode & S_IFMT) == type;
}

static inline void inode_get(struct inode *inode)
{
    object_get(&inode->object);
}
static inline void inode_put(struct inode *inode)
{
    object_put(&inode->object);
}

/* Its contents changed now; or only what is known about it. */
void inode_touch(struct inode *inode);
void inode_touch_ctime(struct inode *inode);
void inode_stat(const struct inode *inode, struct uapi_stat *out);

/* The number of the file system that @inode lies in; it may be NULL, and then lies in none. */
uint64_t inode_device(const struct inode *inode);

/* A dentry outside the tree; takes over the reference on @inode. A first name makes it part of the
 * parent's file system. 0, or -ENOMEM, -ENOSPC (inode put). */
int __must_check dentry_create(const char *name, struct dentry *parent, struct inode *inode,
                               struct dentry **out);
void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry);

/* Put into / take out of its parent's directory. fs_lock held. */
void dentry_link(struct dentry *dentry);
void dentry_unlink(struct dentry *dentry);

/* Does it lie in @top, or is it @top? fs_lock held. */
bool dentry_is_below(const struct dentry *dentry, const struct dentry *top);

/* The root of a file system that ends: its last reference but those of names below. */
void dentry_drop_root(struct dentry *root);

/* To another directory, under a new name, of kmem_alloc(), which is taken over. fs_lock held. */
void dentry_move(struct dentry *dentry, struct dentry *to_dir, char *name);

/* Each in the other's place. 0 or -ENOMEM. fs_lock held. */
int __must_check dentry_exchange(struct dentry *a, struct dentry *b);

enum lookup_flags {
    LOOKUP_FOLLOW = 1,    /* follow a symbolic link at the end */
    LOOKUP_DIRECTORY = 2, /* -ENOTDIR unless it is one */
    /* What a path may not do: openat2(2), RESOLVE_.. */
    LOOKUP_NO_MOUNTS = 4, /* lead to another mount: -EXDEV */
    LOOKUP_NO_MAGIC = 8,  /* follow a link of /proc: -ELOOP */
    LOOKUP_NO_LINKS = 16, /* follow any link: -ELOOP */
    LOOKUP_BENEATH = 32,  /* leave where it starts: -EXDEV */
    LOOKUP_IN_ROOT = 64   /* .. which is the root as long as it is followed */
};

/**
 * fs_lookup() - from a path to a place
 * @start: where relative paths begin
 * Takes fs_lock. Return: 0 with references; -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -ENOMEM.
 */
int __must_check fs_lookup(const struct place *start, const char *path, unsigned flags,
                           struct place *out);

/* Create: 0; -EEXIST, -ENOENT, -ENOTDIR, -EROFS, -ENOMEM, -ENOSPC. @out may be NULL. Takes over
 * @inode. */
int __must_check fs_create(const struct place *start, const char *path, struct inode *inode,
                           struct place *out);

/* The same for open(2): @path may end in a link to what is missing. @flags: what the path
 * may not do. -EISDIR at a slash. */
int __must_check fs_create_open(const struct place *start, const char *path, unsigned flags,
                                struct inode *inode, struct place *out);

/* One name more for what is at @at: -EPERM of a directory, -ENOENT of what has no name any more,
 * -EXDEV across mounts, or as fs_create(). */
int __must_check fs_link(const struct place *start, const char *path, const struct place *at);
int __must_check fs_remove(const struct place *start, const char *path, bool directory);

/* rename(2); @flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
int __must_check fs_rename(const struct place *start_old, const char *old,
                           const struct place *start_new, const char *new, unsigned flags);

/* What a symbolic link says, with a NUL: its length, cut to @size - 1; -EINVAL: not a link. */
int dentry_read_link(struct dentry *dentry, char *buf, size_t size);

/* The next entry of a directory at or after *@cookie; false: no more. fs_lock held. */
bool directory_next(struct dentry *dir, uint64_t *cookie, struct dir_entry *out);

/* Boot: a directory or a file of the kernel's own, below @parent. Lack of memory panics. */
struct dentry *fs_boot_directory(struct dentry *parent, const char *name, uint32_t mode);
void fs_boot_link(struct dentry *parent, const char *name, const char *target);
struct inode *fs_boot_file(struct dentry *parent, const char *name, uint32_t mode,
                           const struct file_ops *ops);

/* kernel/initramfs.c: unpack a newc cpio archive into the root. 0, or -EINVAL after a line. */
int __must_check initramfs_unpack(const void *archive, size_t len_bytes);

/* kernel/devices.c, kernel/proc.c: their part of the tree. Boot. */
void devices_boot_init(const char *cmdline);
void proc_boot_init(const char *cmdline);
void gup_test_boot_init(struct dentry *debugfs); /* gup_test.c */

/* tests/kernel/attacker.c: NULL in kernels without tests. */
void attacker_boot_init(struct dentry *debugfs) __weak;

static inline uint64_t device_number(uint32_t major, uint32_t minor)
{
    return major << 8 | minor;
}

/* A device node; opening one that we have no device for says -ENXIO. 0 or -ENOMEM. */
int __must_check inode_create_device(uint32_t mode, uint64_t rdev, struct inode **out);
