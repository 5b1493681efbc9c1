/* SPDX-License-Identifier: MIT */
/*
 * kernel/files.h - open files and descriptors
 *
 * Room:   kernel.
 * Owns:   struct file (an open file description), struct files (a table of descriptors).
 * Locks:  files.lock (spin, rank FILES) for the table; file.pos_lock (mutex, rank FS) for pos.
 * Always: (1) a descriptor holds one reference on its file; a system call takes one more;
 *         (2) a file's last reference is dropped with no spinning lock held.
 * Source: open(2), dup(2).
 * Tour:   after kernel/fs.h; then kernel/files.c.
 */
#pragma once

#include "place.h"
#include <asm/spinlock.h>
#include <base/mutex.h>
#include <lib/addr.h>
#include <mm/object.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uapi/fcntl.h>
#include <uapi/uio.h>

struct dentry;
struct inode;
struct file;
struct text;

/* How an open file of some kind behaves; what is NULL answers as noted. */
struct file_ops {
    int (*open)(struct file *f); /* a last word when it is opened by name; NULL: fine */
    int64_t (*read)(struct file *f, struct object_copy *c, size_t len, uint64_t *pos);  /* EINVAL */
    int64_t (*write)(struct file *f, struct object_copy *c, size_t len, uint64_t *pos); /* EINVAL */
    int64_t (*ioctl)(struct file *f, unsigned cmd, uint64_t arg);                       /* ENOTTY */
    int (*truncate)(struct file *f, uint64_t size_bytes);                               /* EINVAL */
    unsigned (*poll)(struct file *f); /* POLLIN etc. that hold now; NULL: both always */
    int64_t (*seek)(struct file *f, int64_t offset, int whence); /* NULL: as any file */
    void (*release)(struct file *f);
    void (*tell)(struct file *f, struct text *t); /* more lines of fdinfo; NULL: none */
    bool no_seek;                                 /* lseek, pread, pwrite: ESPIPE */
    bool splices; /* its bytes go to and come from pipes, unread by a program: splice(2) */
};

struct file {
    _Atomic uint32_t refcount;
    const struct file_ops *ops;
    struct inode *inode;   /* a reference, through the dentry */
    struct dentry *dentry; /* a reference */
    struct mount *mount;   /* the same: through which it was opened; NULL: it has no place */
    uint32_t flags;        /* O_ACCMODE and status flags */
    uint64_t pos;
    struct mutex pos_lock;
    bool writes; /* its inode and its mount count it among those that are written [I] */
    void *private;
};

#define FILES_MAX 1024

struct files {
    spinlock_t lock;
    _Atomic uint32_t refcount; /* tasks that share it */
    int end;                   /* no descriptor at or above it was ever used: not initialised */
    int low;                   /* no descriptor below it is free */
    uint64_t close_on_exec[FILES_MAX / 64]; /* means something where a file is */
    struct file *file[FILES_MAX];
};

/* Boot: the cache of open files. */
void files_boot_init(void);

/* An open file on @dentry, which lies nowhere, and whose reference it takes over. 0, or -ENOMEM
 * (dentry put). */
int __must_check file_create(struct dentry *dentry, const struct file_ops *ops, uint32_t flags,
                             struct file **out);

/* An open file on an inode of its own, which has a name and no place. What the inode keeps for its
 * kind, and how that is given back, is the caller's to fill in. 0 or -ENOMEM. */
int __must_check file_create_anonymous(const char *name, uint32_t mode, const struct file_ops *ops,
                                       uint32_t flags, struct file **out);

/* The same as open(2) does it with a place: its kind and its mount are asked, O_TRUNC is obeyed.
 * -ELOOP, -ENOTDIR, -EISDIR, -EROFS, -EACCES, -ENXIO, or what the file's kind says. */
int __must_check file_open(const struct place *place, int flags, struct file **out);
void file_get(struct file *file);

/* Where it was opened. The references are the file's. */
static inline struct place file_place(const struct file *f)
{
    return (struct place){f->mount, f->dentry};
}
void file_put(struct file *file);

/* A file of O_PATH only names something: neither of the two. */
static inline bool file_readable(const struct file *f)
{
    return (f->flags & (O_ACCMODE | O_PATH)) == O_RDONLY || (f->flags & O_ACCMODE) == O_RDWR;
}

static inline bool file_writable(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

int __must_check files_create(struct files **out);
int __must_check files_copy(struct files *from, struct files **out);
/* The running task shares its descriptors with nobody after this. 0 or -ENOMEM. kernel/exec.c */
int __must_check files_unshare(void);

void files_get(struct files *files);
void files_put(struct files *files);
void files_close_on_exec(struct files *files);

/* The file behind a descriptor of the running task, with a reference; NULL: EBADF. */
struct file *fd_get(int fd);

/* The same for calls to which a descriptor of O_PATH is none. */
static inline struct file *file_of(int fd)
{
    struct file *f = fd_get(fd);
    if (f && (f->flags & O_PATH)) {
        file_put(f);
        f = NULL;
    }
    return f;
}

/* The file behind a descriptor of another table, and whether execve() closes it. */
struct file *files_get_file(struct files *files, int fd, bool *close_on_exec);

/* The lowest free descriptor >= @from for @file, whose reference it takes over. -EMFILE: put. */
int __must_check fd_install(struct file *file, int from, bool close_on_exec);

/* Two at once, told to the program at @out; all references are taken over. -EMFILE, -EFAULT. */
int __must_check fd_install_pair(struct file *ends[2], bool close_on_exec, user_addr_t out);

/* Is a descriptor free now? */
bool fd_is_left(void);
int fd_close(int fd);

/* Make @fd refer to @file, whose reference it takes over, closing what it was. @fd; -EBADF: put. */
int __must_check fd_replace(int fd, struct file *file, bool close_on_exec);

/* FD_CLOEXEC of a descriptor; -EBADF. */
int fd_close_on_exec(int fd);
int fd_set_close_on_exec(int fd, bool close_on_exec);

/* The file behind @fd of some table, with a reference; *@fd moves on to the next that is open.
 * NULL: no more. */
struct file *files_next(struct files *files, int *fd);

/* A buffer of the running program. */
struct user_copy {
    struct object_copy copy;
    user_addr_t base;
};

struct user_copy user_buffer_out(user_addr_t base); /* the kernel writes into it */
struct user_copy user_buffer_in(user_addr_t base);  /* the kernel reads from it */

/* A buffer of the kernel. */
struct kernel_copy {
    struct object_copy copy;
    char *base;
};

struct kernel_copy kernel_buffer_out(void *base);
struct kernel_copy kernel_buffer_in(const void *base);

/* Regular files on objects: kernel/object_file.c */
extern const struct file_ops object_file_ops;

/* Its write(), @at_end or where @pos says, however the file was opened. */
int64_t object_file_write_where(struct file *f, struct object_copy *c, size_t len, uint64_t *pos,
                                bool at_end);

/* The size changes: seals and limits are checked, then the object is truncated. */
int __must_check inode_truncate(struct inode *inode, uint64_t size_bytes);

/* fallocate(2) of [start, end) with checked flags: 0, -EPERM by a seal, -ENOSPC. */
int __must_check inode_allocate(struct inode *inode, unsigned mode, uint64_t start, uint64_t end);

/* Where data (or else a hole) begins at or after @pos: -ENXIO if there is none before the end. */
int64_t inode_seek(struct inode *inode, int64_t pos, bool data);

/* Directories: reading their names. kernel/sys_fs.c */
extern const struct file_ops directory_ops;
