/* SPDX-License-Identifier: MIT */
/*
 * kernel/place.h - where something lies: a name, and the mount through which it is seen
 *
 * Room:   kernel.
 * Owns:   struct place.
 * Locks:  fs_lock (rank FS) to move between places; name_lock (spin, rank FILES) for their paths.
 * Always: (1) a place that somebody keeps holds a reference on both of its halves;
 *         (2) the mount of a place is NULL where the tree of names has no part in it: pipes, memfd.
 * Source: path_resolution(7).
 * Tour:   after kernel/fs.h; then kernel/mount.h.
 */
#pragma once

#include <lib/compiler.h>
#include <stdbool.h>
#include <stddef.h>

struct dentry;
struct mount;

struct place {
    struct mount *mount;
    struct dentry *dentry;
};

static inline bool place_is(const struct place *a, const struct place *b)
{
    return a->mount == b->mount && a->dentry == b->dentry;
}

void place_get(const struct place *place);

/* What was mounted nowhere any more may end with it. Context: task, no spinning lock held. */
void place_put(const struct place *place);

/* Where "/" is for the running task. No reference is taken: it lasts while fs_lock is held. */
struct place place_root(void);

/* From a name to what is mounted on it, if anything is. References move along. fs_lock held. */
void place_cross(struct place *place);

/* To "..", which at @root is the same place. As place_cross(). */
void place_ascend(struct place *place, const struct place *root);

/* 0, or -EROFS: nothing can be changed there, through this mount or through any. */
int __must_check place_may_write(const struct place *place);

/* Can programs there not be run, or mapped to be? */
bool place_may_not_execute(const struct place *place);

/* The absolute path: its length, or -ENAMETOOLONG. Names that are gone end in " (deleted)".
 * Context: any lock below rank FILES may be held. */
int place_path(const struct place *place, char *buf, size_t size);

/* Where @dentry is, if nobody knows through which mount it was reached: in the oldest; with
 * references. */
void dentry_place(struct dentry *dentry, struct place *out);

/* The path of that. */
int dentry_path(struct dentry *dentry, char *buf, size_t size);
