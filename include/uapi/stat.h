/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/stat.h - stat(2), statfs(2), getdents64(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: stat(2), statfs(2), getdents64(2).
 * Tour:   as needed.
 */
#pragma once

#include <stdint.h>

struct uapi_timespec {
    int64_t sec, nsec;
};

struct uapi_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad0;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    struct uapi_timespec atime, mtime, ctime;
    int64_t unused[3];
};

struct uapi_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad0;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t sec;
        uint32_t nsec;
        int32_t pad;
    } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id, spare[13];
};

#define STATX_BASIC_STATS 0x07ff
#define STATX_MNT_ID      0x1000
#define STATX_RESERVED    0x80000000U

#define STATX_ATTR_MOUNT_ROOT 0x2000 /* of attributes */

struct uapi_statfs {
    int64_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    int32_t fsid[2];
    int64_t namelen, frsize, flags, spare[4];
};

/* statfs.type */
#define TMPFS_MAGIC     0x01021994
#define PROC_MAGIC      0x9fa0
#define SYSFS_MAGIC     0x62656572
#define HUGETLBFS_MAGIC 0x958458f6
#define DEBUGFS_MAGIC   0x64626720
#define SECRETMEM_MAGIC 0x5345434d
#define RAMFS_MAGIC     0x858458f6

/* statfs.flags */
#define ST_RDONLY     0x0001
#define ST_NOSUID     0x0002
#define ST_NODEV      0x0004
#define ST_NOEXEC     0x0008
#define ST_VALID      0x0020
#define ST_NOATIME    0x0400
#define ST_NODIRATIME 0x0800
#define ST_RELATIME   0x1000

struct uapi_dirent64 {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

_Static_assert(sizeof(struct uapi_stat) == 144, "struct stat");
_Static_assert(sizeof(struct uapi_statx) == 256, "struct statx");
