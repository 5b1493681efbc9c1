/* SPDX-License-Identifier: MIT */
/*
 * include/uapi/mount.h - mount(2), umount2(2)
 *
 * Room:   uapi: numbers of the Linux x86-64 ABI, nothing else.
 * Owns:   nothing.
 * Locks:  none.
 * Always: (1) values are Linux's.
 * Source: mount(2), umount(2).
 * Tour:   as needed.
 */
#pragma once

#define MS_RDONLY      0x00000001UL
#define MS_NOSUID      0x00000002UL
#define MS_NODEV       0x00000004UL
#define MS_NOEXEC      0x00000008UL
#define MS_REMOUNT     0x00000020UL
#define MS_NOATIME     0x00000400UL
#define MS_NODIRATIME  0x00000800UL
#define MS_BIND        0x00001000UL
#define MS_MOVE        0x00002000UL
#define MS_REC         0x00004000UL
#define MS_SILENT      0x00008000UL
#define MS_UNBINDABLE  0x00020000UL
#define MS_PRIVATE     0x00040000UL
#define MS_SLAVE       0x00080000UL
#define MS_SHARED      0x00100000UL
#define MS_STRICTATIME 0x01000000UL
#define MS_NOUSER      0x80000000UL
#define MS_MGC_VAL     0xc0ed0000UL
#define MS_MGC_MSK     0xffff0000UL

#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8
