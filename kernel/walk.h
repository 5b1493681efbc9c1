/* SPDX-License-Identifier: MIT */
/*
 * kernel/walk.h - along a path, from name to name
 *
 * Room:   kernel.
 * Owns:   struct walk: one path with the links in it.
 * Locks:  fs_lock is held in all of these.
 * Always: (1) nothing moves while a path is followed.
 * Source: path_resolution(7), openat2(2).
 * Tour:   after kernel/fs.h; then kernel/walk.c.
 */
#pragma once

#include "fs.h"
#include "place.h"

#define WALK_LINKS_MAX 40 /* symbolic links followed in one lookup */

/* One path, with the links in it. */
struct walk {
    unsigned limits;   /* of enum lookup_flags */
    unsigned links;    /* followed so far */
    struct place root; /* where "/" leads, and ".." ends */
};

/* From @start on. @flags: enum lookup_flags. */
struct walk walk_begin(const struct place *start, unsigned flags);

/**
 * walk_parent() - the directory a path's last name lies in, and that name
 * @name: NAME_MAX + 1 bytes. @existing: what has it, with a reference, or NULL.
 */
int __must_check walk_parent(struct walk *w, const struct place *start, const char *path,
                             struct place *parent, char *name, struct dentry **existing);

bool path_ends_in_slash(const char *path);

/* What cannot be removed by that name, wherever it leads. 0 or rmdir(2)'s error, or unlink(2)'s. */
int __must_check path_check_last(const char *path, bool directory);

/* May names be added to or taken from this directory? */
int __must_check directory_check(const struct dentry *dir);
